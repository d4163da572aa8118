"""Where orders and lines stand, and what a buyer should look at."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from services.console.domain.order_state import (
    days_later,
    pack_trouble,
    share_of_minimum,
    stage,
    standing,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("state", "confirmed", "incoming", "expected"),
    [
        ("ordered", None, False, "ordered"),
        ("ordered", 96, False, "confirmed"),
        ("ordered", 96, True, "incoming"),
        ("received", 96, True, "received"),
        ("cancelled", 0, False, "cancelled"),
    ],
)
def test_a_line_stands_where_the_last_news_puts_it(
    state: str, confirmed: int | None, incoming: bool, expected: str
) -> None:
    assert standing(state, confirmed, is_incoming=incoming) == expected


@pytest.mark.parametrize(
    ("state", "lines", "expected"),
    [
        ("open", {"approved": 2}, "open"),
        ("placed", {"ordered": 1, "received": 3}, "placed"),
        ("confirmed", {"ordered": 1, "cancelled": 1}, "confirmed"),
        ("confirmed", {"received": 1, "cancelled": 1}, "received"),
        ("placed", {"cancelled": 2}, "cancelled"),
    ],
)
def test_an_order_is_over_when_nothing_of_it_is_to_come(
    state: str, lines: dict[str, int], expected: str
) -> None:
    assert stage(state, lines) == expected


def test_a_day_is_not_later_because_it_has_no_hour() -> None:
    assert days_later(NOON, NOON - 11 * HOUR) == 0
    assert days_later(NOON, NOON + 3 * DAY - 11 * HOUR) == 3
    assert days_later(NOON, NOON - 2 * DAY) == -2
    assert days_later(None, NOON) == days_later(NOON, None) == 0


def test_what_is_over_the_minimum_fills_it() -> None:
    assert share_of_minimum(Decimal(845), Decimal(1500)) == 56
    assert share_of_minimum(Decimal(2000), Decimal(1500)) == 100
    assert share_of_minimum(None, Decimal(1500)) == 0
    assert share_of_minimum(Decimal(845), None) is None


def test_what_a_supplier_may_not_sell_is_named() -> None:
    assert [pack_trouble(units, 60, 24) for units in (48, 72, 80, None)] == ["moq", "", "pack", ""]
    assert pack_trouble(7, None, None) == ""
