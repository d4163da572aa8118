"""Demand by day: what was sold and returned, and when there was nothing to sell.

Days are those of the warehouse's own zone: 23 or 25 hours long where the clock is changed. Hours
are counted from a day's beginning, 0 to 22, 23 or 24, so that an hour that the clock shows twice
is two; on all other days they are the clock's.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from services.ledger.domain.changes import SOLD, Change, Type
from services.ledger.domain.past import Standing

_HOUR = timedelta(hours=1)
_MIDNIGHT = time()


@dataclass(slots=True)
class Demand:
    """Units, in the SKU's base unit."""

    sold: int = 0
    returned: int = 0

    def take(self, change: Change) -> None:
        """Count a sale or a return."""
        if change.type in SOLD:
            self.sold += change.quantity
        else:
            self.returned += change.quantity


@dataclass(slots=True)
class Day:
    """A local day, `starts_at` included, `ends_at` not.

    `stock_out_hours` are those in which nothing was available for any length of time,
    `stock_out_seconds` is how long that was in all.
    """

    day: date
    starts_at: datetime
    ends_at: datetime
    demand: Demand = field(default_factory=Demand)
    channels: dict[str, Demand] = field(default_factory=dict)
    stock_out_hours: list[int] = field(default_factory=list)
    stock_out_seconds: int = 0

    @property
    def hours(self) -> int:
        """Return how many hours the day has, one that is only begun included."""
        return -(-(self.ends_at - self.starts_at) // _HOUR)


def calendar(first: date, last: date, zone: tzinfo) -> list[Day]:
    """Return the days from the first to the last one, both included."""
    dates = [first + timedelta(days=number) for number in range((last - first).days + 2)]
    # A midnight that the clock skips is the instant at which it does; of two it is the first.
    starts = [datetime.combine(each, _MIDNIGHT, zone).astimezone(UTC) for each in dates]
    return list(map(Day, dates, starts, starts[1:]))


class Filling:
    """Fills days in a row from how a level stood after each of its changes up to their end.

    `standing` is how it stood before. Nothing is said of the time after `now`.
    """

    def __init__(self, days: Sequence[Day], standing: Standing, now: datetime) -> None:
        self._days = days
        self._starts = [day.starts_at for day in days]
        self._end = days[-1].ends_at
        self._until = min(self._end, now)
        self._out_since = None if standing.available > 0 else self._starts[0]

    def take(self, change: Change, standing: Standing) -> None:
        """Go on to after the next change."""
        start, at = self._starts[0], change.occurred_at
        if (change.type is Type.RETURN or change.type in SOLD) and start <= at < self._end:
            day = self._days[bisect_right(self._starts, at) - 1]
            day.demand.take(change)
            day.channels.setdefault(change.channel, Demand()).take(change)
        if self._out_since is None:
            if standing.available <= 0:
                self._out_since = min(max(at, start), self._until)
        elif standing.available > 0:
            self._out_of_stock(self._out_since, min(max(at, start), self._until))
            self._out_since = None

    def finish(self) -> None:
        """Go on to the end."""
        if self._out_since is not None:
            self._out_of_stock(self._out_since, self._until)

    def _out_of_stock(self, start: datetime, until: datetime) -> None:
        first, last = (bisect_right(self._starts, each) for each in (start, until))
        for day in self._days[first - 1 : last]:
            _mark(day, max(start, day.starts_at), min(until, day.ends_at))


def _mark(day: Day, start: datetime, end: datetime) -> None:
    if start >= end:
        return
    day.stock_out_seconds += (end - start) // timedelta(seconds=1)
    first = (start - day.starts_at) // _HOUR
    last = -(-(end - day.starts_at) // _HOUR)
    marked = day.stock_out_hours
    marked.extend(hour for hour in range(first, last) if not marked or hour > marked[-1])
