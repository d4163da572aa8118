"""Units a day, from a total that only grows."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.alerting.domain.sales import WINDOW_DAYS, SalesHistory

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    return MIDNIGHT + timedelta(days=number)


def test_neither_the_first_day_nor_the_present_one_counts() -> None:
    history = SalesHistory.begin(day(0.5), 1_000).told(day(0.9), 1_007)
    assert history.told(day(1.5), 1_010).sold == ()
    assert history.told(day(1.5), 1_010).told(day(2.1), 1_015).sold == (3,)


def test_days_without_a_message_sold_nothing() -> None:
    history = SalesHistory.begin(day(0), 0).told(day(1.5), 4).told(day(4), 5)
    assert history.sold == (4, 0, 0)


def test_what_was_not_sold_on_a_day_is_left_out_of_it() -> None:
    history = SalesHistory.begin(day(0), 0).told(day(1.2), 4).told(day(1.5), 107).without(100)
    assert history.told(day(2), 110).without(3).told(day(3.5), 115).sold == (7, 0)
    first = SalesHistory.begin(day(0), 0).told(day(0.5), 50)
    assert first.without(50) == first


def test_the_mean_needs_seven_days_and_takes_twenty_eight() -> None:
    history = SalesHistory.begin(day(0), 0)
    means = []
    for number in range(1, 40):
        history = history.told(day(number + 0.5), number * number)
        means.append(history.daily_mean)
    assert means[:7] == [None] * 7
    assert means[7] == sum(range(1, 14, 2)) / 7
    assert len(history.sold) == WINDOW_DAYS
    # The last complete day is the 38th: its total less the one 28 days before, over 28.
    assert history.daily_mean == (38**2 - 10**2) / 28


def test_a_late_message_counts_on_the_day_it_is_heard() -> None:
    history = SalesHistory.begin(day(0), 0).told(day(2), 10).told(day(1), 13).told(day(3), 13)
    assert history.sold == (0, 13)


def test_a_total_that_falls_is_no_negative_sale() -> None:
    history = SalesHistory.begin(day(0), 50).told(day(1), 50).told(day(1.5), 20).told(day(2), 20)
    assert history.sold == (0,)


def test_a_day_is_utc_whatever_the_zone_says() -> None:
    late = datetime.fromisoformat("2026-03-02T07:00:00+08:00")
    assert SalesHistory.begin(late, 0).day == SalesHistory.begin(day(0), 0).day


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 9)), max_size=60))
def test_losing_messages_loses_no_units(steps: list[tuple[float, int]]) -> None:
    """The days of every message and those of the last one a day hold the same units."""
    full = sparse = SalesHistory.begin(day(0), 0)
    at, total = 0.0, 0
    told = []
    for gap, units in steps:
        at, total = at + gap, total + units
        told.append((at, total))
    for index, (moment, units) in enumerate(told):
        full = full.told(day(moment), units)
        if index + 1 == len(told) or int(told[index + 1][0]) > int(moment):
            sparse = sparse.told(day(moment), units)
    assert full == sparse
