"""Demand by day: what was sold and returned, and when there was nothing to sell.

Days are those of the warehouse's own zone: 23 or 25 hours long where the clock is changed. Hours
are counted from a day's beginning, 0 to 22, 23 or 24, so that an hour that the clock shows twice
is two; on all other days they are the clock's.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from services.ledger.domain.changes import SOLD, Change, Type
from services.ledger.domain.past import walk_on
from services.ledger.domain.statement import Past

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


def by_day(past: Past, days: Sequence[Day], now: datetime) -> None:
    """Fill days in a row, all after its opening, from a level's past up to their end.

    Nothing is said of the time after `now`.
    """
    starts = [day.starts_at for day in days]
    end = days[-1].ends_at
    for change in past.changes:
        if change.type is not Type.RETURN and change.type not in SOLD:
            continue
        if starts[0] <= change.occurred_at < end:
            day = days[bisect_right(starts, change.occurred_at) - 1]
            day.demand.take(change)
            day.channels.setdefault(change.channel, Demand()).take(change)
    for start, until in _out_of_stock(past, starts[0], min(end, now)):
        for day in days[bisect_right(starts, start) - 1 : bisect_right(starts, until)]:
            _mark(day, max(start, day.starts_at), min(until, day.ends_at))


def _out_of_stock(
    past: Past, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the spans of time between two instants in which nothing was available, in order."""
    opening = past.opening
    begun = opening is not None and opening.standing.available > 0
    since = None if begun else start
    for change, standing in zip(past.changes, walk_on(past.changes, opening), strict=True):
        at = min(max(change.occurred_at, start), end)
        if since is None and standing.available <= 0:
            since = at
        elif since is not None and standing.available > 0:
            if since < at:
                yield since, at
            since = None
    if since is not None and since < end:
        yield since, end


def _mark(day: Day, start: datetime, end: datetime) -> None:
    if start >= end:
        return
    day.stock_out_seconds += (end - start) // timedelta(seconds=1)
    first = (start - day.starts_at) // _HOUR
    last = -(-(end - day.starts_at) // _HOUR)
    marked = day.stock_out_hours
    marked.extend(hour for hour in range(first, last) if not marked or hour > marked[-1])
