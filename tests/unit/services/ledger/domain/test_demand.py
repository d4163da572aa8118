"""Days are the warehouse's own, and out of stock is what a look at every minute finds."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.domain.changes import Change, Type
from services.ledger.domain.demand import Day, Demand, Filling, calendar
from services.ledger.domain.past import Standing, in_order, now, walk

LONDON = ZoneInfo("Europe/London")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def change(type_: Type, quantity: int, at: datetime, **fields: object) -> Change:
    return Change(
        *(1, type_, quantity, at, at),
        **{  # type: ignore[arg-type] # a few of many fields
            "channel": "shop",
            "id": f"{at.timestamp()}",
            "line": "0",
            "reason": None,
            "reference": None,
            "actor": None,
            "hash": b"",
            "content": 0,
            "position": 0,
            "offset": 0,
        }
        | fields,
    )


def filled(
    past: Sequence[Change], first: date, last: date, zone: ZoneInfo, at: datetime = LATER
) -> list[Day]:
    days = calendar(first, last, zone)
    filling = Filling(days, Standing(), at)
    for each, standing in zip(past, walk(past), strict=True):
        filling.take(each, standing)
    filling.finish()
    return days


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/London", SPRING, 23),
        ("Europe/London", AUTUMN, 25),
        ("Europe/London", date(2026, 6, 1), 24),
        ("Asia/Shanghai", SPRING, 24),
        # The clock changes by half an hour, and at midnight itself; a day that never was.
        ("Australia/Lord_Howe", date(2026, 4, 5), 25),
        ("America/Havana", date(2026, 3, 8), 23),
        ("Pacific/Apia", date(2011, 12, 30), 0),
    ],
)
def test_a_day_has_the_hours_that_its_clock_gives_it(zone: str, day: date, hours: int) -> None:
    before, found, after = calendar(
        day - timedelta(days=1), day + timedelta(days=1), ZoneInfo(zone)
    )
    assert found.hours == hours
    assert (before.ends_at, found.ends_at) == (found.starts_at, after.starts_at)


def test_a_sale_counts_on_the_local_day_on_which_it_happened() -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    midnight = datetime(2026, 3, 2, tzinfo=shanghai)
    past = [
        change(Type.SALE, 1, midnight - MINUTE, channel="web"),
        change(Type.SALE, 2, midnight, channel="web"),
        change(Type.ORDER_FULFILLED, 4, midnight + MINUTE, channel="till"),
        change(Type.RETURN, 3, midnight + MINUTE, channel="web"),
        change(Type.RECEIPT, 9, midnight + MINUTE),
        change(Type.SALE, 8, midnight + timedelta(days=2)),
    ]
    days = filled(past, date(2026, 3, 1), date(2026, 3, 3), shanghai)
    assert [(each.day.day, each.demand) for each in days] == [
        (1, Demand(sold=1)),
        (2, Demand(sold=6, returned=3)),
        (3, Demand()),
    ]
    assert days[1].channels == {"web": Demand(2, 3), "till": Demand(4, 0)}


def test_an_hour_that_the_clock_shows_twice_is_two_hours() -> None:
    stocked = change(Type.RECEIPT, 1, datetime(2026, 10, 24, tzinfo=UTC))
    # From the second 01:30 to 02:15 by the clock: the third hour of the day and the fourth.
    sold = change(Type.SALE, 1, datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    again = change(Type.RECEIPT, 1, datetime(2026, 10, 25, 2, 15, tzinfo=UTC))
    (day,) = filled([stocked, sold, again], AUTUMN, AUTUMN, LONDON)
    assert (day.stock_out_hours, day.stock_out_seconds) == ([2, 3], 45 * 60)


def test_nothing_is_said_of_the_time_to_come_nor_was_there_anything_before_the_first_change() -> (
    None
):
    noon = datetime(2026, 6, 1, 12, tzinfo=LONDON)
    first = change(Type.RECEIPT, 1, noon - timedelta(hours=10))
    gone = change(Type.SALE, 1, noon - timedelta(hours=2))
    (day,) = filled([first, gone], noon.date(), noon.date(), LONDON, at=noon)
    assert day.stock_out_hours == [0, 1, 10, 11]
    assert filled([], noon.date(), noon.date(), LONDON, at=noon)[0].stock_out_hours == [*range(12)]


def test_what_is_there_and_gone_again_in_one_instant_was_not_there() -> None:
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    flicker = [change(Type.RECEIPT, 1, noon, id="a"), change(Type.SALE, 1, noon, id="b")]
    (day,) = filled(flicker, noon.date(), noon.date(), LONDON)
    assert (day.stock_out_hours, day.stock_out_seconds) == ([*range(24)], 24 * 3600)


START = datetime(2026, 10, 23, 12, tzinfo=UTC)
moves = st.lists(
    st.builds(
        change,
        st.sampled_from(
            [Type.SALE, Type.RECEIPT, Type.COUNT, Type.HOLD, Type.RELEASE, Type.ORDER_PLACED]
        ),
        st.integers(1, 3),
        st.integers(0, 5 * 24 * 6).map(lambda tens: START + tens * 10 * MINUTE),
        reference=st.just("1"),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(moves, st.integers(0, 5 * 24 * 6).map(lambda tens: START + tens * 10 * MINUTE))
def test_out_of_stock_is_what_a_look_at_every_ten_minutes_finds(
    past: list[Change], at: datetime
) -> None:
    past.sort(key=in_order)
    days = filled(past, AUTUMN - timedelta(days=1), AUTUMN, LONDON, at)
    for day in days:
        out = [
            number
            for number in range(int((day.ends_at - day.starts_at) / (10 * MINUTE)))
            if (instant := day.starts_at + number * 10 * MINUTE) < at
            and now([each for each in past if each.occurred_at <= instant]).available <= 0
        ]
        assert day.stock_out_seconds == len(out) * 600
        assert day.stock_out_hours == sorted({number // 6 for number in out})
