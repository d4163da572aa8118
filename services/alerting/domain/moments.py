"""When time alone may change what a rule makes of a level, before the day is over."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from services.alerting.domain.kind import RuleKind
from services.alerting.domain.rule import Rule
from services.alerting.domain.subject import Level

INSTANT = timedelta(microseconds=1)
"""Limits are exceeded, not reached: the moment is the first one beyond."""


def next_moment(rules: Iterable[Rule], level: Level, now: datetime) -> datetime | None:
    """Return the next instant at which a level with incoming lines should be looked at anew.

    What changes with the UTC day (sales, counts, grace) is looked at when the day does.
    """
    ahead = (moment for rule in rules for moment in _moments(rule, level) if moment > now)
    return min(ahead, default=None)


def _moments(rule: Rule, level: Level) -> Iterator[datetime]:
    if rule.kind in _MOMENTS:
        yield from _MOMENTS[rule.kind](rule, level)
    if rule.filters.covered_by_inbound:
        yield from _dues(level)


def _overdue(rule: Rule, level: Level) -> Iterator[datetime]:
    """Yield when the oldest line will be overdue for longer than each limit says."""
    dues = _dues(level)
    if dues:
        oldest = min(dues)
        for limit in rule.limits:
            try:
                yield oldest + timedelta(days=limit.enter) + INSTANT
            except OverflowError:
                continue  # in no time that there is


def _arrivals(_: Rule, level: Level) -> Iterator[datetime]:
    """Yield when each line should be here: one that is not comes on no known day."""
    yield from _dues(level)


def _dues(level: Level) -> list[datetime]:
    return [line.due_at for line in level.supply if line.due_at is not None]


_MOMENTS: Final[Mapping[RuleKind, Callable[[Rule, Level], Iterator[datetime]]]] = {
    RuleKind.INBOUND_OVERDUE: _overdue,
    RuleKind.RUN_OUT_BEFORE_INBOUND: _arrivals,
}
"""By kind; the measures of the others change with messages, parameters and days only."""
