"""When a level runs out and what comes to it, as notices tell it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from services.alerting.domain.standing import Standing
from services.alerting.domain.subject import Due
from shared.events.stock_alerts import Arrival

FARTHEST_DAYS = 366
"""A run-out after more days is no news, and no forecast."""


def runs_out_at(at: Standing) -> datetime | None:
    """Return when what is available will be sold at mean daily sales; None: out, or not soon."""
    mean, available = at.daily_mean, at.level.available
    if not mean or available <= 0 or available / mean > FARTHEST_DAYS:
        return None
    return at.now + timedelta(days=available / mean)


def next_arrival(at: Standing) -> Arrival | None:
    """Return the incoming line that is due next."""
    return _first(line for line in _dated(at) if line.due_at > at.now)


def overdue(at: Standing) -> Arrival | None:
    """Return the incoming line that has been overdue for the longest."""
    return _first(line for line in _dated(at) if line.due_at <= at.now)


def _dated(at: Standing) -> list[Arrival]:
    if at.run is not None:
        return []  # of which option a line is, it does not say
    return [_arrival(line, line.due_at) for line in at.level.supply if line.due_at is not None]


def _arrival(line: Due, due_at: datetime) -> Arrival:
    return Arrival(quantity=line.quantity, due_at=due_at, reference=line.reference)


def _first(lines: Iterable[Arrival]) -> Arrival | None:
    return min(lines, key=lambda line: line.due_at, default=None)
