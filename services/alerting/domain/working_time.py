"""Working time: hours by weekday in a zone, with the holidays of a country."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import chinese_calendar
import holidays

Span = tuple[time, time]
"""From when until when; an end that is not later than its beginning is on the next day."""

FARTHEST_DAYS = 3_660
"""What is not over after so many days of looking ends there: no calendar makes a search endless."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """When people work. `hours` by weekday, Monday is 0; a weekday left out is off.

    `country` is an ISO code whose holidays are off (None: no holidays). `on` and `off` are days
    that differ from all of this, and win.
    """

    zone: str
    hours: Mapping[int, tuple[Span, ...]]
    country: str | None = None
    on: frozenset[date] = field(default_factory=frozenset)
    off: frozenset[date] = field(default_factory=frozenset)

    def hours_of(self, day: date) -> tuple[Span, ...]:
        """Return the hours of a day.

        A day that is worked out of turn (a 调休 Saturday) has the hours of its weekday, or, where
        that has none, those of the first weekday that has some.
        """
        if day in self.off:
            return ()
        usual = self.hours.get(day.weekday(), ())
        out_of_turn = day in self.on
        if not out_of_turn and self.country is not None:
            special = _special(self.country, day)
            if special is False:
                return ()
            out_of_turn = special is True
        if out_of_turn and not usual:
            return next((self.hours[each] for each in sorted(self.hours) if self.hours[each]), ())
        return usual

    def spans(self, day: date) -> list[tuple[datetime, datetime]]:
        """Return the working time of a day as instants; a change of clocks is in them."""
        zone = ZoneInfo(self.zone)
        found = []
        for begins, ends in self.hours_of(day):
            last = day + _DAY if ends <= begins else day
            start = datetime.combine(day, begins, zone).astimezone(UTC)
            end = datetime.combine(last, ends, zone).astimezone(UTC)
            if start < end:
                found.append((start, end))
        return found


def add_working_time(
    start: datetime, duration: timedelta, calendar: WorkingCalendar | None
) -> datetime:
    """Return when a duration of working time from an instant on is over.

    No calendar: around the clock. The end of a day's work counts as that day's, not as the next
    morning.
    """
    if calendar is None:
        return start + duration
    left, end = duration, start
    for begins, ends in _ahead(start, calendar):
        since = max(begins, start)
        if left <= ends - since:
            return since + left
        left -= ends - since
        end = ends
    return end


def working_time_between(
    start: datetime, end: datetime, calendar: WorkingCalendar | None
) -> timedelta:
    """Return the working time from one instant to another; none when the other is earlier."""
    if end <= start:
        return timedelta()
    if calendar is None:
        return end - start
    total = timedelta()
    for begins, ends in _ahead(start, calendar):
        if begins >= end:
            break
        total += min(ends, end) - max(begins, start)
    return total


def working_from(instant: datetime, calendar: WorkingCalendar) -> datetime:
    """Return the first instant of working time from one on: itself, if it is one.

    Also where there is none to be found.
    """
    begins, _ = next(_ahead(instant, calendar), (instant, instant))
    return max(begins, instant)


def _ahead(start: datetime, calendar: WorkingCalendar) -> Iterator[tuple[datetime, datetime]]:
    """Yield the spans that are not over at an instant, in order."""
    # What began on the day before may go on over midnight.
    first = start.astimezone(ZoneInfo(calendar.zone)).date() - _DAY
    for number in range(FARTHEST_DAYS):
        day = first + number * _DAY
        for begins, ends in calendar.spans(day):
            if ends > start:
                yield begins, ends


@lru_cache(maxsize=4_096)
def _special(country: str, day: date) -> bool | None:
    """Return whether a day is worked out of turn (True), a holiday (False), or neither."""
    if country == "CN":
        try:
            is_off, name = chinese_calendar.get_holiday_detail(day)
        except NotImplementedError:
            pass  # the State Council has not said yet: the statutory days have to do
        else:
            return None if name is None else not is_off
    return False if day in _statutory(country, day.year) else None


@lru_cache(maxsize=64)
def _statutory(country: str, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, years=year))
