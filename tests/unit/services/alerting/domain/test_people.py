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
