from collections import Counter
from pathlib import Path

import pytest

from deploy.local.replays.declaration import load
from deploy.local.replays.mapping import map_lines
from deploy.local.replays.recount import Level, Recount, recount
from deploy.local.replays.source import Line, read_lines
from deploy.local.replays.supply import Sales, plan_supply
from tests.factories.online_retail import online_retail_lines, write_online_retail
from tests.unit.deploy.local.replays.files import correction, line

DECLARATION = load("uci_online_retail")


def recounted(folder: Path, *lines: Line) -> Recount:
    path = folder / "file.parquet"
    write_online_retail(path, list(lines))
    return recount(path, DECLARATION)


def test_levels_are_counted_from_the_file_alone(tmp_path: Path) -> None:
    # A opens with 36 (see test_supply), sells 100 twice over one duplicate, gets 4 back, loses 2.
    sold = line("1", "A", 100, "2010-12-01 09:00")
    found = recounted(
        tmp_path,
        sold,
        sold,
        line("C2", "a", -4, "2010-12-01 10:00"),
        correction("A", -2, "damaged", "2010-12-01 11:00"),
        line("3", "POST", 1, "2010-12-01 12:00"),
    )
    assert found.levels == {"A": Level(36 - 100 + 4 - 2, 100, 4, 0, 36 - 100)}
    assert (found.lines, found.ignored, found.duplicates) == (5, 1, 1)
    assert (found.openings, found.receipts, found.identities) == (1, 0, 4)
    assert found.events == 6


def test_receipts_are_part_of_the_level(tmp_path: Path) -> None:
    found = recounted(tmp_path, line("1", "A", 50), line("2", "K", 1, "2010-12-23 08:00"))
    # 50 units open 16.25 → 18; the two Mondays order 72 and 30 (see test_supply).
    assert found.levels["A"] == Level(18 - 50 + 72 + 30, 50, 0, 102, 18 - 50)
    # A opening of 0.325 units is a pack; its one sale is on the day the second receipt comes.
    assert found.levels["K"].on_hand == 6 - 1
    assert found.receipts == 2


def test_the_lowest_level_is_found_in_the_order_of_the_file(tmp_path: Path) -> None:
    one_minute = "2010-12-01 09:00"
    found = recounted(
        tmp_path,
        line("1", "A", 30, one_minute),
        line("C2", "A", -30, one_minute),
        line("C3", "K", -30, one_minute),
        line("4", "K", 30, one_minute),
    )
    assert found.levels["A"].lowest == 12 - 30
    assert found.levels["K"].lowest == 12


def test_a_receipt_of_the_same_minute_comes_before_its_sales(tmp_path: Path) -> None:
    found = recounted(tmp_path, line("1", "A", 50), line("2", "A", 40, "2010-12-16 08:00"))
    # 90 units open 29.25 → 30; 30 − 50 = −20, then + 72 − 40.
    assert found.levels["A"].lowest == -20


def test_charges_have_no_level_in_any_letter_case(tmp_path: Path) -> None:
    found = recounted(
        tmp_path, line("1", "A"), line("1", "m"), line("1", "gift_0001_20"), line("1", "GIFTX")
    )
    assert sorted(found.levels) == ["A", "GIFTX"]
    assert found.ignored == 2


def test_duplicates_among_charges_are_not_duplicates(tmp_path: Path) -> None:
    charge = line("1", "POST")
    assert recounted(tmp_path, line("1", "A"), charge, charge).duplicates == 0


def test_lines_that_contradict_themselves_change_nothing(tmp_path: Path) -> None:
    found = recounted(
        tmp_path,
        line("1", "A", 6),
        line("2", "A", -3),
        line("C3", "A", 3),
        correction("A", 0, "check", "2010-12-01 10:00"),
    )
    assert found.contradictory == 3
    assert found.levels["A"].sold_total == 6
    assert found.levels["A"].returned_total == 0


@pytest.mark.parametrize(
    ("kind", "limit", "alerted"),
    [
        ("stock_out", 0, {"EMPTY"}),
        ("stock_out", 18, {"EMPTY", "LOW"}),
        ("below", 0, set()),
        ("below", 18, {"EMPTY"}),
        ("below", 20, {"EMPTY", "LOW"}),
    ],
)
def test_who_ought_to_be_alerted_follows_from_the_lowest_level(
    tmp_path: Path, kind: str, limit: float, alerted: set[str]
) -> None:
    found = recounted(
        tmp_path,
        line("C1", "ENOUGH", -240, "2010-12-01 08:00"),
        line("2", "ENOUGH", 240, "2010-12-01 09:00"),
        line("C3", "LOW", -55, "2010-12-01 08:00"),
        line("4", "LOW", 55, "2010-12-01 09:00"),
        correction("EMPTY", 50, "found", "2010-12-01 10:00"),
    )
    lowest = {sku: level.lowest for sku, level in found.levels.items()}
    assert lowest == {"ENOUGH": 78, "LOW": 18, "EMPTY": 0}
    assert found.alerted(kind, limit) == alerted


def test_the_subjects_of_a_rule_that_needs_more_than_a_level_are_not_guessed(
    tmp_path: Path,
) -> None:
    found = recounted(tmp_path, line())
    with pytest.raises(ValueError, match="days_of_cover"):
        found.alerted("days_of_cover", 3)


def test_the_recount_and_the_posted_changes_agree_on_a_dirty_file(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    write_online_retail(path, online_retail_lines(3_000, seed=5))
    found = recount(path, DECLARATION)
    sales = Sales()
    lines = list(sales.watch(map_lines(read_lines(path), DECLARATION)))
    supplies = list(plan_supply(sales, DECLARATION))
    on_hand: Counter[str] = Counter({each.folded: 0 for each in supplies})
    for line_ in lines:
        if line_.is_goods and not line_.is_repeat:
            effect = -1 if line_.change.type == "sale" else 1
            on_hand[line_.folded] += effect * line_.change.quantity
    for supply in supplies:
        on_hand[supply.folded] += supply.change.quantity
    assert on_hand == {sku: level.on_hand for sku, level in found.levels.items()}
    assert found.events == len(lines) + len(supplies)
    assert found.duplicates == sum(each.is_goods and each.is_repeat for each in lines) > 0
