"""The decision: one rule, one subject, one moment, and always a reason.

A level message says two things: how low it got since the last one (`low_water`) and where it is
now (`available`). A rule without pending time is asked about both, in that order, so a limit
crossed and re-crossed between two messages opens an episode that then recovers the usual way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import assert_never

from services.alerting.domain.condition import Condition, State
from services.alerting.domain.outcome import Evaluation, Reason, Transition
from services.alerting.domain.rule import SEVERITY, Limit, Rule, RuleKind
from services.alerting.domain.sales import SalesHistory, day_of
from services.alerting.domain.subject import Level
from shared.events.stock_alerts import AlertEvent, AlertFacts, AlertLevel


def hear(
    rule: Rule, level: Level, sales: SalesHistory, condition: Condition | None, now: datetime
) -> Iterator[Evaluation]:
    """Yield the evaluations that a level message asks for: its dip, where it counts, and itself.

    Each starts from the condition that the one before has left.
    """
    if level.low_water < level.available and _dip_counts(rule, condition):
        dipped = _dip(rule, level, sales, condition, now)
        condition = dipped.condition
        yield dipped
    yield evaluate(rule, level, sales, condition, now)


def evaluate(
    rule: Rule, level: Level, sales: SalesHistory, condition: Condition | None, now: datetime
) -> Evaluation:
    """Return what becomes of a rule on a subject that is where the level says.

    `condition` is None where all was well. Evaluating the same again changes nothing, and
    nothing but time (`now`) makes a difference between messages.
    """
    measure = _measure(rule.kind, level.available, sales, now)
    if measure is None:
        return Evaluation(condition, None, Reason.TOO_LITTLE_HISTORY)
    if condition is None:
        limit = rule.holding(measure, None)
        return _CLEAR if limit is None else _begin(_Moment(rule, level, sales, now), limit)
    limit = rule.holding(measure, condition.held)
    at = _Moment(rule, level, sales, max(now, condition.since))
    match condition.state:
        case State.PENDING:
            return _wait(at, condition, limit)
        case State.OPEN:
            return _stay(at, condition, limit)
        case State.RECOVERING:
            return _recover(at, condition, limit)
        case _:
            assert_never(condition.state)


def retire(
    rule: Rule,
    level: Level,
    sales: SalesHistory,
    condition: Condition,
    now: datetime,
    reason: Reason,
) -> Evaluation:
    """Return the end of a condition whose rule no longer watches the subject."""
    if condition.held is None:
        return Evaluation(None, None, reason)
    at = _Moment(rule, level, sales, max(now, condition.since))
    return _resolve(at, condition, reason)


@dataclass(frozen=True, slots=True)
class _Moment:
    rule: Rule
    level: Level
    sales: SalesHistory
    now: datetime

    def transition(
        self,
        event: AlertEvent,
        reason: Reason,
        level: AlertLevel,
        *,
        previous: AlertLevel | None = None,
        limit: Limit | None = None,
    ) -> Transition:
        return Transition(
            event=event,
            level=level,
            previous_level=previous,
            facts=facts(self.level, self.sales, self.now, limit),
            occurred_at=self.now,
            reason=reason,
        )


_CLEAR = Evaluation(None, None, Reason.CLEAR)


def _measure(kind: RuleKind, units: int, sales: SalesHistory, now: datetime) -> float | None:
    if kind is not RuleKind.DAYS_OF_COVER:
        return units
    mean = sales.on(day_of(now)).daily_mean
    if mean is None:
        return None
    # What nobody buys lasts for ever.
    return units / mean if mean else inf


def _begin(at: _Moment, limit: Limit) -> Evaluation:
    if at.rule.pending:
        due = at.now + at.rule.pending
        return Evaluation(Condition(State.PENDING, limit.level, at.now, due), None, Reason.PENDING)
    return _open(at, limit, Reason.FIRED)


def _open(at: _Moment, limit: Limit, reason: Reason) -> Evaluation:
    opened = at.transition(AlertEvent.OPENED, reason, limit.level, limit=limit)
    return Evaluation(Condition(State.OPEN, limit.level, at.now), opened, reason)


def _wait(at: _Moment, condition: Condition, limit: Limit | None) -> Evaluation:
    if limit is None:
        return Evaluation(None, None, Reason.PENDING_ENDED)
    # Counted from the start with the rule's present pending time: it may have been edited.
    due = condition.since + at.rule.pending
    if at.now >= due:
        return _open(at, limit, Reason.FIRED)
    waiting = Condition(State.PENDING, limit.level, condition.since, due)
    return Evaluation(waiting, None, Reason.PENDING)


def _stay(at: _Moment, condition: Condition, limit: Limit | None) -> Evaluation:
    if limit is None:
        if not at.rule.recovery:
            return _resolve(at, condition, Reason.RECOVERED)
        due = at.now + at.rule.recovery
        recovering = Condition(State.RECOVERING, condition.level, at.now, due)
        return Evaluation(recovering, None, Reason.RECOVERING)
    if limit.level is condition.level:
        return Evaluation(condition, None, Reason.FIRING)
    return _move(at, condition, limit)


def _recover(at: _Moment, condition: Condition, limit: Limit | None) -> Evaluation:
    if limit is not None:
        if limit.level is not condition.level:
            return _move(at, condition, limit)
        return _break_recovery(at, condition)
    due = condition.since + at.rule.recovery
    if at.now >= due:
        return _resolve(at, condition, Reason.RECOVERED)
    recovering = Condition(State.RECOVERING, condition.level, condition.since, due)
    return Evaluation(recovering, None, Reason.RECOVERING)


def _move(at: _Moment, condition: Condition, limit: Limit) -> Evaluation:
    rose = SEVERITY[limit.level] > SEVERITY[condition.level]
    reason = Reason.LEVEL_ROSE if rose else Reason.LEVEL_FELL
    changed = at.transition(
        AlertEvent.LEVEL_CHANGED, reason, limit.level, previous=condition.level, limit=limit
    )
    return Evaluation(Condition(State.OPEN, limit.level, at.now), changed, reason)


def _break_recovery(at: _Moment, condition: Condition) -> Evaluation:
    reopened = Condition(State.OPEN, condition.level, at.now)
    return Evaluation(reopened, None, Reason.RECOVERY_BROKEN)


def _resolve(at: _Moment, condition: Condition, reason: Reason) -> Evaluation:
    resolved = at.transition(AlertEvent.RESOLVED, reason, condition.level)
    return Evaluation(None, resolved, reason)


def _dip_counts(rule: Rule, condition: Condition | None) -> bool:
    # With a pending time a moment is no reason to fire, but it does end an unbroken recovery.
    return not rule.pending or (condition is not None and condition.state is State.RECOVERING)


def _dip(
    rule: Rule, level: Level, sales: SalesHistory, condition: Condition | None, now: datetime
) -> Evaluation:
    """Return what a dip does: it opens, worsens or breaks a recovery; it never eases."""
    measure = _measure(rule.kind, level.low_water, sales, now)
    if measure is None:
        return Evaluation(condition, None, Reason.TOO_LITTLE_HISTORY)
    limit = rule.holding(measure, None if condition is None else condition.held)
    if limit is None:
        return Evaluation(condition, None, Reason.CLEAR)
    if condition is None or condition.state is State.PENDING:
        return _open(_Moment(rule, level, sales, now), limit, Reason.DIPPED)
    at = _Moment(rule, level, sales, max(now, condition.since))
    if SEVERITY[limit.level] > SEVERITY[condition.level] and not rule.pending:
        return _move(at, condition, limit)
    if condition.state is State.RECOVERING:
        return _break_recovery(at, condition)
    return Evaluation(condition, None, Reason.FIRING)


def facts(level: Level, sales: SalesHistory, now: datetime, limit: Limit | None) -> AlertFacts:
    """Return the numbers that a person needs, as they are at this moment."""
    mean = sales.on(day_of(now)).daily_mean
    return AlertFacts(
        available=level.available,
        on_hand=level.on_hand,
        low_water=level.low_water,
        threshold=None if limit is None else limit.enter,
        daily_sales=None if mean is None else round(mean, 3),
        days_of_cover=round(level.available / mean, 2) if mean else None,
        incoming=level.incoming,
    )
