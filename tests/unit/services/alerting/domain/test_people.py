from datetime import UTC, datetime, timedelta

import pytest

from services.alerting.domain.people import Responsibilities, Responsibility

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)

TABLE = (
    Responsibility("cups", "north", "an"),
    Responsibility("cups", None, "bo", "cai", "dan"),
    Responsibility(None, "north", "en"),
    Responsibility(None, None, None, manager="fang"),
)


@pytest.mark.parametrize(
    ("category", "warehouse", "person"),
    [
        ("cups", "north", "an"),
        ("cups", "south", "bo"),
        ("plates", "north", "en"),
        (None, "north", "en"),
        ("plates", "south", "fang"),
    ],
)
def test_the_row_that_says_most_decides(category: str | None, warehouse: str, person: str) -> None:
    assert Responsibilities(TABLE).of(category, warehouse, NOW) == person


@pytest.mark.parametrize(
    ("away", "person"),
    [
        ((), "ru"),
        (("ru",), "bo"),
        (("ru", "bo"), "cai"),
        (("ru", "bo", "cai"), "dan"),
        (("ru", "bo", "cai", "dan"), "ru"),
    ],
)
def test_the_owner_of_a_rule_goes_before_the_row_that_stands_in_for_them(
    away: tuple[str, ...], person: str
) -> None:
    table = Responsibilities(TABLE, dict.fromkeys(away, LATER))
    assert table.of("cups", "south", NOW, rule_owner="ru") == person
    assert Responsibilities().of("cups", "south", NOW, rule_owner="ru") == "ru"


ROWS = (
    ("cups", "acme", "north"),
    ("cups", "acme", None),
    ("cups", None, "north"),
    (None, "acme", "north"),
    ("cups", None, None),
    (None, "acme", None),
    (None, None, "north"),
    (None, None, None),
)
"""What rows name, the one that decides before the others."""


@pytest.mark.parametrize("first", range(len(ROWS)))
def test_more_named_goes_before_less_then_category_before_supplier_before_warehouse(
    first: int,
) -> None:
    rows = [
        Responsibility(category, warehouse, f"p{number}", supplier=supplier)
        for number, (category, supplier, warehouse) in enumerate(ROWS)
    ]
    table = Responsibilities(rows[: first - 1 if first else None : -1])
    assert table.of("cups", "north", NOW, "acme") == f"p{first}"
    others = Responsibilities([each for each in rows if each.supplier is not None])
    assert others.row("cups", "north", None) is None


GROUPS = {
    "coast": ("north", "south"),
    "arctic": ("north", "pole"),
    "all": ("north", "east", "pole"),
}


def of_north(*named: tuple[str | None, str | None, str | None, str | None]) -> str | None:
    """Return the owner of cups from acme in north, of rows named w1, w2 and so on."""
    rows = [
        Responsibility(category, warehouse, f"w{number}", None, None, supplier, group)
        for number, (category, supplier, warehouse, group) in enumerate(named, 1)
    ]
    found = {
        Responsibilities(order, None, GROUPS).of("cups", "north", NOW, "acme")
        for order in (rows, rows[::-1])
    }
    assert len(found) == 1, "the order of rows decides nothing"
    return found.pop()


ORDER = (
    ("cups", "acme", "north", None),
    ("cups", "acme", None, "coast"),
    ("cups", "acme", None, None),
    ("cups", None, "north", None),
    ("cups", None, None, "coast"),
    (None, "acme", "north", None),
    (None, "acme", None, "coast"),
    ("cups", None, None, None),
    (None, "acme", None, None),
    (None, None, "north", None),
    (None, None, None, "coast"),
    (None, None, None, None),
)
"""What rows name, the one that decides before the others; a group is coast."""


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_a_group_goes_after_the_warehouse_and_before_any(first: int) -> None:
    assert of_north(*ORDER[first:]) == "w1"


def test_of_groups_the_one_with_fewer_warehouses_decides_then_the_first_by_id() -> None:
    by_all, by_coast, by_arctic = ((None, None, None, each) for each in ("all", "coast", "arctic"))
    assert of_north(by_all, by_coast) == "w2"
    assert of_north(by_coast, by_arctic) == "w2"
    # What a row says beyond the group weighs more than how large the group is.
    assert of_north(("cups", None, None, "all"), by_arctic) == "w1"


def test_a_group_is_only_for_its_warehouses() -> None:
    rows = [Responsibility(None, None, "an", warehouse_group=each) for each in (*GROUPS, "gone")]
    table = Responsibilities(rows, None, GROUPS)
    assert table.of("cups", "west", NOW) is None
    assert Responsibilities(rows).of("cups", "north", NOW) is None


def test_an_alert_without_an_owner_goes_to_the_manager() -> None:
    assert Responsibilities(TABLE).of(None, "south", NOW) == "fang"


@pytest.mark.parametrize(
    ("away", "found"),
    [
        ({}, "bo"),
        ({"bo": LATER}, "cai"),
        ({"bo": NOW}, "bo"),
        ({"bo": LATER, "cai": LATER}, "dan"),
        ({"bo": LATER, "cai": LATER, "dan": LATER}, "bo"),
    ],
)
def test_the_first_who_is_there_gets_it(away: dict[str, datetime], found: str) -> None:
    assert Responsibilities(TABLE, away).of("cups", "south", NOW) == found


def test_where_the_table_is_silent_nobody_is_named() -> None:
    assert Responsibilities(TABLE[:1]).of("plates", "south", NOW) is None
    assert Responsibilities([Responsibility(None, None, None)]).of(None, "south", NOW) is None
