from datetime import UTC, datetime

import pytest

from deploy.local.replays.declaration import load
from deploy.local.replays.mapping import Mapped, is_service, map_lines
from deploy.local.replays.source import Line
from tests.unit.deploy.local.replays.files import correction, line

DECLARATION = load("uci_online_retail")


def mapped(*lines: Line) -> list[Mapped]:
    return list(map_lines(lines, DECLARATION))


def identities(*lines: Line) -> list[tuple[str, str]]:
    return [(each.change.id, each.change.line) for each in mapped(*lines)]


def test_a_paid_line_is_a_sale() -> None:
    change = mapped(line(quantity=6))[0].change
    assert (change.type, change.quantity, change.sku) == ("sale", 6, "85123A")
    assert (change.channel, change.warehouse, change.reason) == ("web-shop", "london", None)


def test_a_cancelled_line_is_a_return_of_as_many_units() -> None:
    change = mapped(line("C536379", quantity=-6))[0].change
    assert (change.type, change.quantity) == ("return", 6)


def test_a_line_given_free_to_a_customer_is_a_sale() -> None:
    assert mapped(line(price=0.0, customer=12415.0))[0].change.type == "sale"


def test_a_paid_line_without_a_customer_is_a_sale() -> None:
    assert mapped(line(price=0.85, customer=None))[0].change.type == "sale"


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ("Damaged", "damage"),
        (" thrown away ", "scrap"),
        ("found", "found"),
        ("check", "correction"),
        ("FRENCH BLUE METAL DOOR SIGN 1", "correction"),
        (None, "correction"),
    ],
)
def test_an_unpaid_line_without_a_customer_is_an_adjustment_with_its_reason(
    description: str | None, reason: str
) -> None:
    change = mapped(correction("21777", -10, description, "2010-12-01 10:00"))[0].change
    assert (change.type, change.quantity, change.reason) == ("adjustment", -10, reason)


def test_an_adjustment_keeps_its_sign() -> None:
    assert mapped(correction("21777", 30, "found", "2010-12-01 10:00"))[0].change.quantity == 30


def test_lines_are_numbered_among_the_distinct_lines_of_their_invoice() -> None:
    assert identities(
        line("1", "A1"), line("1", "B2"), line("2", "A1"), line("1", "A1", quantity=7)
    ) == [("1", "A1-1"), ("1", "B2-2"), ("2", "A1-1"), ("1", "A1-3")]


def test_an_exact_duplicate_repeats_the_identity_wherever_it_stands() -> None:
    lines = mapped(line("1", "A1"), line("1", "B2"), line("2", "A1"), line("1", "A1"))
    assert lines[3].change == lines[0].change
    assert [each.is_repeat for each in lines] == [False, False, False, True]


def test_a_line_without_a_customer_can_be_an_exact_duplicate_too() -> None:
    anonymous = line("1", "A1", customer=None)
    assert [each.is_repeat for each in mapped(anonymous, anonymous)] == [False, True]


@pytest.mark.parametrize(
    "other",
    [
        line("1", "a1"),
        line("1", "A1", description="OTHER"),
        line("1", "A1", description=None),
        line("1", "A1", quantity=7),
        line("1", "A1", at="2010-12-01 08:27"),
        line("1", "A1", price=2.56),
        line("1", "A1", customer=None),
        line("1", "A1")._replace(country="Germany"),
    ],
)
def test_a_line_that_differs_in_any_column_is_another_change(other: Line) -> None:
    first, second = mapped(line("1", "A1"), other)
    assert not second.is_repeat
    assert (first.change.id, first.change.line) != (second.change.id, second.change.line)


def test_letter_cases_are_folded_in_the_identity_and_posted_as_they_are_spelt() -> None:
    spelt = mapped(line("1", "85123a"))[0]
    assert (spelt.change.sku, spelt.change.line, spelt.folded) == ("85123a", "85123A-1", "85123A")


@pytest.mark.parametrize(
    "code", ["POST", "DOT", "M", "m", "C2", "D", "S", "B", "BANK CHARGES", "gift_0001_20", "CRUK"]
)
def test_charges_are_no_goods(code: str) -> None:
    assert not mapped(line(code=code))[0].is_goods


@pytest.mark.parametrize("code", ["85123A", "PADS", "DCGSSGIRL", "15056BL", "DOT1", "GIFT"])
def test_everything_else_is_goods(code: str) -> None:
    assert mapped(line(code=code))[0].is_goods


def test_a_pattern_means_its_ending_only() -> None:
    assert not is_service("XGIFT_1", ["GIFT_*"])


@pytest.mark.parametrize(
    ("wall", "instant"),
    [
        ("2010-12-01 08:26", "2010-12-01T08:26:00Z"),
        ("2011-03-27 00:59", "2011-03-27T00:59:00Z"),
        ("2011-03-27 02:00", "2011-03-27T01:00:00Z"),
        ("2011-07-01 08:26", "2011-07-01T07:26:00Z"),
        ("2011-10-30 01:30", "2011-10-30T00:30:00Z"),
        ("2011-10-30 02:00", "2011-10-30T02:00:00Z"),
    ],
)
def test_wall_times_of_london_become_instants(wall: str, instant: str) -> None:
    each = mapped(line(at=wall))[0]
    assert each.change.occurred_at == instant
    assert each.at == datetime.fromisoformat(instant).astimezone(UTC)
