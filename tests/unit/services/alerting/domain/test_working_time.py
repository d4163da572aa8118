from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.alerting.domain.office_hours import CalendarDefinition
from services.alerting.domain.working_time import (
    WorkingCalendar,
    add_working_time,
    working_from,
    working_time_between,
)

SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")
NINE_TO_SIX = ((time(9), time(18)),)
OFFICE = WorkingCalendar("Asia/Shanghai", dict.fromkeys(range(5), NINE_TO_SIX), "CN")
SPLIT = WorkingCalendar(
    "Asia/Shanghai", dict.fromkeys(range(5), ((time(9), time(12)), (time(13), time(18))))
)
NIGHT = WorkingCalendar(
    "America/New_York", dict.fromkeys(range(7), ((time(0), time(6)), (time(22), time(0))))
)
OVER_MIDNIGHT = WorkingCalendar(
    "America/New_York",
    {4: ((time(22), time(6)),), 5: ((time(1, 30), time(3)), (time(22), time(6)))},
)
HOUR = timedelta(hours=1)


def shanghai(*when: int) -> datetime:
    return datetime(*when, tzinfo=SHANGHAI)  # type: ignore[arg-type,misc] # year, month, …


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        # On an ordinary Thursday, before, within and after hours.
        (shanghai(2026, 3, 5, 10), 2, shanghai(2026, 3, 5, 12)),
        (shanghai(2026, 3, 5, 6), 2, shanghai(2026, 3, 5, 11)),
        (shanghai(2026, 3, 5, 20), 2, shanghai(2026, 3, 6, 11)),
        # Over a night and over a weekend.
        (shanghai(2026, 3, 5, 17), 2, shanghai(2026, 3, 6, 10)),
        (shanghai(2026, 3, 6, 17), 2, shanghai(2026, 3, 9, 10)),
        # National Day 2026 is off from 1 to 7 October, so two hours left on 30 September end on
        # the 8th.
        (shanghai(2026, 9, 30, 17), 2, shanghai(2026, 10, 8, 10)),
        # 10 October 2026 is a Saturday that is worked in exchange, 11 October is not.
        (shanghai(2026, 10, 9, 17), 2, shanghai(2026, 10, 10, 10)),
        (shanghai(2026, 10, 10, 17), 2, shanghai(2026, 10, 12, 10)),
        # Nothing left to do ends where work goes on.
        (shanghai(2026, 10, 1, 9), 0, shanghai(2026, 10, 8, 9)),
    ],
)
def test_time_goes_on_only_while_people_work(start: datetime, hours: int, end: datetime) -> None:
    assert add_working_time(start, hours * HOUR, OFFICE) == end


def test_beyond_what_the_state_council_has_said_weekends_and_statutory_days_are_off() -> None:
    # 1 October 2030 is a Tuesday; which Saturdays are worked nobody can know.
    friday = shanghai(2030, 9, 27, 17)
    assert add_working_time(friday, 2 * HOUR, OFFICE) == shanghai(2030, 9, 30, 10)
    assert OFFICE.hours_of(date(2030, 10, 1)) == ()
    assert OFFICE.hours_of(date(2030, 9, 28)) == ()


def test_a_lunch_break_does_not_count() -> None:
    assert add_working_time(shanghai(2026, 3, 5, 11), 2 * HOUR, SPLIT) == shanghai(2026, 3, 5, 14)


@pytest.mark.parametrize(
    ("day", "worked"),
    # The night of 8 March 2026 has an hour less, that of 1 November one more.
    [(date(2026, 3, 8), 7), (date(2026, 11, 1), 9), (date(2026, 6, 1), 8)],
)
def test_a_change_of_clocks_is_in_the_hours(day: date, worked: int) -> None:
    start = datetime.combine(day, time(0), NEW_YORK)
    end = datetime.combine(day + timedelta(days=1), time(0), NEW_YORK)
    assert working_time_between(start, end, NIGHT) == worked * HOUR


def test_days_of_ones_own_are_on_or_off() -> None:
    own = WorkingCalendar(
        "Asia/Shanghai",
        OFFICE.hours,
        "CN",
        on=frozenset({date(2026, 3, 7)}),
        off=frozenset({date(2026, 3, 9)}),
    )
    assert add_working_time(shanghai(2026, 3, 6, 17), 11 * HOUR, own) == shanghai(2026, 3, 10, 10)


def test_holidays_of_other_countries_are_known() -> None:
    german = WorkingCalendar("Europe/Berlin", OFFICE.hours, "DE")
    assert german.hours_of(date(2026, 12, 25)) == ()
    assert german.hours_of(date(2026, 12, 28)) == NINE_TO_SIX


def test_without_a_calendar_time_never_stops() -> None:
    start = datetime(2026, 10, 1, tzinfo=UTC)
    assert add_working_time(start, 30 * HOUR, None) == start + 30 * HOUR
    assert working_time_between(start, start + HOUR, None) == HOUR
    assert working_time_between(start + HOUR, start, None) == timedelta()


def test_a_calendar_without_any_hours_ends_the_search() -> None:
    start = datetime(2026, 10, 1, tzinfo=UTC)
    never = WorkingCalendar("UTC", {})
    assert add_working_time(start, HOUR, never) == start


@settings(deadline=None, max_examples=60)
@given(
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 6, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone comes with it
    minutes=st.integers(1, 5_000),
    calendar=st.sampled_from([OFFICE, SPLIT, NIGHT, None]),
)
def test_what_was_added_lies_between(
    start: datetime, minutes: int, calendar: WorkingCalendar | None
) -> None:
    end = add_working_time(start, timedelta(minutes=minutes), calendar)
    assert working_time_between(start, end, calendar) == timedelta(minutes=minutes)


def new_york(*when: int) -> datetime:
    return datetime(*when, tzinfo=NEW_YORK)  # type: ignore[arg-type,misc] # year, month, …


@pytest.mark.parametrize(
    ("instant", "begins"),
    [
        # On a Friday, before and within; it goes on until Saturday's six o'clock.
        (new_york(2026, 3, 6, 12), new_york(2026, 3, 6, 22)),
        (new_york(2026, 3, 6, 22), new_york(2026, 3, 6, 22)),
        (new_york(2026, 3, 7, 0), new_york(2026, 3, 7, 0)),
        (new_york(2026, 3, 7, 5, 59), new_york(2026, 3, 7, 5, 59)),
        (new_york(2026, 3, 7, 6), new_york(2026, 3, 7, 22)),
        # What begins within another adds nothing to it.
        (new_york(2026, 3, 7, 1, 45), new_york(2026, 3, 7, 1, 45)),
        # The night of 8 March has no two o'clock: Saturday's window ends an hour sooner.
        (new_york(2026, 3, 8, 5, 30), new_york(2026, 3, 8, 5, 30)),
        (new_york(2026, 3, 8, 6), new_york(2026, 3, 13, 22)),
    ],
)
def test_a_window_goes_on_over_midnight(instant: datetime, begins: datetime) -> None:
    assert working_from(instant, OVER_MIDNIGHT) == begins


@pytest.mark.parametrize(
    ("begins", "after", "hours"),
    [
        # Half past two does not come on 8 March; on 1 November half past one comes twice.
        (time(2, 30), datetime(2026, 3, 8, 5, tzinfo=UTC), datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),
        (
            time(1, 30),
            datetime(2026, 11, 1, 4, tzinfo=UTC),
            datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
        ),
    ],
)
def test_a_window_begins_where_clocks_change(
    begins: time, after: datetime, hours: datetime
) -> None:
    sundays = WorkingCalendar("America/New_York", {6: ((begins, time(9)),)})
    assert working_from(after, sundays) == hours


def test_where_there_are_no_hours_to_be_found_it_is_now() -> None:
    assert working_from(shanghai(2026, 3, 5, 10), WorkingCalendar("UTC", {})) == shanghai(
        2026, 3, 5, 10
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"zone": "Nowhere/Else"},
        {"zone": "../etc/passwd"},
        {"country": "Atlantis"},
        {"hours": {}},
        {"hours": {"mon": [{"from": "18:00", "until": "09:00"}]}},
        {
            "hours": {
                "mon": [{"from": "09:00", "until": "13:00"}, {"from": "12:00", "until": "18:00"}]
            }
        },
        {"hours": {"mon": [{"from": "09:00Z", "until": "18:00"}]}},
        {"days_on": ["2026-03-07"], "days_off": ["2026-03-07"]},
    ],
)
def test_a_calendar_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    good: dict[str, object] = {
        "zone": "Asia/Shanghai",
        "hours": {
            "mon": [{"from": "09:00", "until": "12:00"}, {"from": "13:00", "until": "00:00"}]
        },
        "country": "CN",
    }
    monday = CalendarDefinition.model_validate(good).calendar()
    assert monday.hours == {0: ((time(9), time(12)), (time(13), time(0)))}
    with pytest.raises(ValidationError):
        CalendarDefinition.model_validate(good | wrong)
