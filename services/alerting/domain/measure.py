"""What a rule measures on a subject, and which of its limits holds."""

from collections.abc import Callable, Mapping
from datetime import datetime
from math import inf
from typing import Final

from services.alerting.domain.doubting import reasons
from services.alerting.domain.fields import days_of_cover
from services.alerting.domain.kind import TRAITS, RuleKind
from services.alerting.domain.outcome import Reason
from services.alerting.domain.rule import Limit, Rule
from services.alerting.domain.standing import Standing
from shared.events.stock_alerts import AlertLevel, DoubtReasons

_DAY_S = 86_400

Measured = float | Reason
"""A number, or why there is none."""


def holding(rule: Rule, at: Standing, units: int, held: AlertLevel | None) -> Limit | Reason | None:
    """Return the most severe limit that holds, None, or why that cannot be said.

    `units` stand for what is available: the level's own, what a dip left, or more.
    """
    # Asked for every rule and message: called through as little as can be.
    if not at.hears_channels and rule.kind is RuleKind.DATA_DOUBT:
        return _unheard(rule, at, held)
    found = _MEASURES[rule.kind](rule, at, units)
    if not found and held is not None and rule.clears is not None:
        clear = rule.clears.holds(at, units)
        found = clear if isinstance(clear, Reason) else float(not clear)
    if isinstance(found, Reason):
        return found
    if TRAITS[rule.kind].parameter is None:
        return rule.holding(found, held)
    multiple_of = scale(rule, at)
    if isinstance(multiple_of, Reason):
        return multiple_of
    return rule.holding(found, held, multiple_of)


def measure(rule: Rule, at: Standing, units: int) -> Measured:
    """Return what a rule measures, in its kind's own unit."""
    return _MEASURES[rule.kind](rule, at, units)


def scale(rule: Rule, at: Standing) -> Measured:
    """Return what a rule's limits are multiples of: 1, or a parameter."""
    name = TRAITS[rule.kind].parameter
    if name is None:
        return 1
    found: float | None = getattr(at.parameters, name)
    return Reason.NO_PARAMETER if found is None else found


def _available(_: Rule, __: Standing, units: int) -> Measured:
    return units


def _on_hand(_: Rule, at: Standing, __: int) -> Measured:
    return at.level.on_hand


def _cover(_: Rule, at: Standing, units: int) -> Measured:
    return days_of_cover(at, units)


def _surplus(_: Rule, at: Standing, units: int) -> Measured:
    cover = days_of_cover(at, units)
    # An empty shelf is no surplus, however little is sold.
    return cover if units > 0 or isinstance(cover, Reason) else 0


def _doubts(rule: Rule, at: Standing, _: int) -> Measured:
    found = reasons(rule, at)
    silent = found is not None and bool(found.silent)
    if silent and not at.hears_channels:
        return _sure(found) or Reason.CHANNELS_UNHEARD
    return _sure(found) + silent


def _unheard(rule: Rule, at: Standing, held: AlertLevel | None) -> Limit | Reason | None:
    """Return which limit of data_doubt holds while nobody can say if a channel is silent.

    Where that decides it the other reasons may open something, but nothing moves or ends.
    """
    found = reasons(rule, at)
    sure = _sure(found)
    least = rule.holding(sure, held)
    if found is None or not found.silent or (held is None and least is not None):
        return least
    return least if least is rule.holding(sure + 1, held) else Reason.CHANNELS_UNHEARD


def _sure(found: DoubtReasons | None) -> int:
    return 0 if found is None else len(found.flags) + (found.count_days is not None)


def _days_overdue(_: Rule, at: Standing, __: int) -> Measured:
    dues = [line.due_at for line in at.level.supply if line.due_at is not None]
    return _days(min(dues), at.now) if dues else -inf


def _days_without(_: Rule, at: Standing, units: int) -> Measured:
    """Return for how many days the shelf would be empty before stock can arrive.

    On the plain rate of mean daily sales: the largest t − (available + what came before t) ÷ rate
    over the arrivals t: each dated incoming line still ahead, and an order placed now (t = lead
    time), behind which later lines do not matter. A line that is overdue comes on no known day,
    and counts as not coming.
    """
    rate = at.daily_mean
    if rate is None:
        return Reason.TOO_LITTLE_HISTORY
    lead_time = at.parameters.lead_time_days
    lines = [
        (_days(at.now, line.due_at), line.quantity)
        for line in at.level.supply
        if line.due_at is not None and line.due_at > at.now
    ]
    if lead_time is not None:
        lines = [line for line in lines if line[0] < lead_time] + [(lead_time, 0)]
    if not lines:
        return Reason.ARRIVAL_UNKNOWN if at.level.supply else Reason.NO_PARAMETER
    if not rate:
        return -inf
    longest, stock = -inf, units
    for days, quantity in sorted(lines):
        longest = max(longest, days - stock / rate)
        stock += quantity
    return longest


def _share(_: Rule, at: Standing, __: int) -> Measured:
    return 1 if at.run is None else at.run.share


def _holds(rule: Rule, at: Standing, units: int) -> Measured:
    found = rule.custom is not None and rule.custom.holds(at, units)
    return found if isinstance(found, Reason) else float(found)


def _days(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds() / _DAY_S


_MEASURES: Final[Mapping[RuleKind, Callable[[Rule, Standing, int], Measured]]] = {
    RuleKind.STOCK_OUT: _available,
    RuleKind.BELOW: _available,
    RuleKind.BELOW_SAFETY_STOCK: _available,
    RuleKind.BELOW_REORDER_POINT: _available,
    RuleKind.DAYS_OF_COVER: _cover,
    RuleKind.OVERSTOCK: _surplus,
    RuleKind.NEGATIVE: _on_hand,
    RuleKind.DATA_DOUBT: _doubts,
    RuleKind.INBOUND_OVERDUE: _days_overdue,
    RuleKind.RUN_OUT_BEFORE_INBOUND: _days_without,
    RuleKind.BROKEN_SIZE_RUN: _share,
    RuleKind.CUSTOM: _holds,
}
