"""The decision: one rule, one subject, one moment, and always a reason.

A level message says two things: how low it got since the last one (`low_water`) and where it is
now (`available`). A rule without pending time is asked about both, in that order, so a limit
crossed and re-crossed between two messages opens an episode that then recovers the usual way.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from services.alerting.domain.arrivals import next_arrival, overdue, runs_out_at
from services.alerting.domain.condition import Condition, State
from services.alerting.domain.doubting import reasons
from services.alerting.domain.kind import TRAITS, RuleKind
from services.alerting.domain.measure import holding, scale
from services.alerting.domain.noise import hidden
from services.alerting.domain.outcome import Evaluation, Reason, Transition
from services.alerting.domain.rule import Limit, Rule
from services.alerting.domain.standing import Standing
from services.alerting.domain.unusual import LONGEST, is_doubted
from shared.events.stock_alerts import (
    SEVERITY,
    AlertEvent,
    AlertFacts,
    AlertLevel,
    GatherReason,
)


def hear(rule: Rule, at: Standing, condition: Condition | None) -> tuple[Evaluation, ...]:
    """Return the evaluations that a level message asks for: its dip, where it counts, and itself.

    Each starts from the condition that the one before has left.
    """
    if at.level.low_water < at.level.available and _dip_counts(rule, condition):
        dipped = _dip(rule, at, condition)
        return dipped, evaluate(rule, at, dipped.condition)
    return (evaluate(rule, at, condition),)


def evaluate(rule: Rule, at: Standing, condition: Condition | None) -> Evaluation:
    """Return what becomes of a rule on a subject that is where its level says.

    `condition` is None where all was well. Evaluating the same again changes nothing, and
    nothing but time (`at.now`) makes a difference between messages.
    """
    held = None if condition is None else condition.held_own
    limit = holding(rule, at, at.level.available, held)
    if isinstance(limit, Reason):
        if condition is None:
            return _NOTHING[limit]
        if limit is Reason.NO_PARAMETER:
            return retire(rule, at, condition, limit)
        return Evaluation(_without_timer(condition, at.now), None, limit)
    if condition is None:
        return _CLEAR if limit is None else _begin(_Moment(rule, at, at.now), limit)
    moment = _Moment(rule, at, max(at.now, condition.since))
    if condition.held is not None and _never_was(rule, at):
        return _end(moment, condition, AlertEvent.RETRACTED, Reason.NEVER_WAS)
    match condition.state:
        case State.PENDING:
            return _wait(moment, condition, limit)
        case State.OPEN:
            return _stay(moment, condition, limit)
        case State.RECOVERING:
            return _recover(moment, condition, limit)
        case _:
            assert_never(condition.state)


def _without_timer(condition: Condition, now: datetime) -> Condition:
    # What is due while nothing can be said would be due again at once, and for ever.
    is_due = condition.due_at is not None and condition.due_at <= now
    return replace(condition, due_at=None) if is_due else condition


def retire(rule: Rule, at: Standing, condition: Condition, reason: Reason) -> Evaluation:
    """Return the end of a condition whose rule no longer watches the subject, or cannot."""
    if condition.held is None:
        return Evaluation(None, None, reason)
    return _resolve(_Moment(rule, at, max(at.now, condition.since)), condition, reason)


@dataclass(frozen=True, slots=True)
class _Moment:
    """`now` is never before the condition that is looked at began."""

    rule: Rule
    standing: Standing
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
            facts=facts(self.rule, self.standing, limit),
            occurred_at=self.now,
            reason=reason,
        )


_NOTHING = {reason: Evaluation(None, None, reason) for reason in Reason}
_CLEAR = _NOTHING[Reason.CLEAR]
"""Made once: hardly any message is about anything."""


def _begin(at: _Moment, limit: Limit) -> Evaluation:
    return _open_or_wait(at, limit, at.now, None)


def _open(at: _Moment, limit: Limit, reason: Reason) -> Evaluation:
    opened = at.transition(AlertEvent.OPENED, reason, limit.level, limit=limit)
    return Evaluation(_held(at, limit), opened, reason)


def _wait(at: _Moment, condition: Condition, limit: Limit | None) -> Evaluation:
    if limit is None:
        return _NOTHING[Reason.PENDING_ENDED]
    return _open_or_wait(at, limit, condition.since, condition.known)


def _open_or_wait(
    at: _Moment, limit: Limit, since: datetime, known: GatherReason | None
) -> Evaluation:
    why_not = hidden(at.rule, at.standing, at.standing.level.available, limit)
    if why_not is not None:
        return _NOTHING[why_not]
    doubted = is_doubted(at.rule, at.standing)
    waits = max(at.rule.pending, LONGEST) if doubted else at.rule.pending
    # Counted from the start with the rule's present times: they may have been edited.
    due = at.rule.opens_from(max(at.now, since + waits))
    if due <= at.now:
        return _open(at, limit, Reason.FIRED)
    reason = Reason.DATA_IN_DOUBT if doubted else Reason.PENDING
    if _is_outside_hours(at.rule, at.now):
        reason = Reason.OUTSIDE_HOURS
    return Evaluation(Condition(State.PENDING, limit.level, since, due, known), None, reason)


def _is_outside_hours(rule: Rule, now: datetime) -> bool:
    return rule.opens_from(now) > now


def _stay(at: _Moment, condition: Condition, limit: Limit | None) -> Evaluation:
    if limit is None:
        if not at.rule.recovery:
            return _resolve(at, condition, Reason.RECOVERED)
        due = at.now + at.rule.recovery
        recovering = replace(condition, state=State.RECOVERING, since=at.now, due_at=due)
        return Evaluation(recovering, None, Reason.RECOVERING)
    if limit.level is condition.level:
        return Evaluation(_of_its_worst(condition, limit), None, Reason.FIRING)
    return _move(at, condition, limit)


def _recover(at: _Moment, condition: Condition, limit: Limit | None) -> Evaluation:
    if limit is not None:
        if limit.level is not condition.level:
            return _move(at, condition, limit)
        return _break_recovery(at, _of_its_worst(condition, limit))
    due = condition.since + at.rule.recovery
    if at.now >= due:
        return _resolve(at, condition, Reason.RECOVERED)
    recovering = replace(condition, due_at=due)
    return Evaluation(recovering, None, Reason.RECOVERING)


def _move(at: _Moment, condition: Condition, limit: Limit) -> Evaluation:
    rose = SEVERITY[limit.level] > SEVERITY[condition.level]
    reason = Reason.LEVEL_ROSE if rose else Reason.LEVEL_FELL
    changed = at.transition(
        AlertEvent.LEVEL_CHANGED, reason, limit.level, previous=condition.level, limit=limit
    )
    return Evaluation(_held(at, limit), changed, reason)


def _held(at: _Moment, limit: Limit) -> Condition:
    return Condition(State.OPEN, limit.level, at.now, shifted_from=limit.shifted_from)


def _of_its_worst(condition: Condition, limit: Limit) -> Condition:
    """Return a condition that holds a limit of its level: of two the one that is worse."""
    held = condition.shifted_from or condition.level
    if SEVERITY[limit.own] <= SEVERITY[held]:
        return condition
    return replace(condition, shifted_from=limit.shifted_from)


def _break_recovery(at: _Moment, condition: Condition) -> Evaluation:
    reopened = replace(condition, state=State.OPEN, since=at.now, due_at=None)
    return Evaluation(reopened, None, Reason.RECOVERY_BROKEN)


def _resolve(at: _Moment, condition: Condition, reason: Reason) -> Evaluation:
    return _end(at, condition, AlertEvent.RESOLVED, reason)


def _end(at: _Moment, condition: Condition, event: AlertEvent, reason: Reason) -> Evaluation:
    return Evaluation(None, at.transition(event, reason, condition.level), reason)


def _never_was(rule: Rule, at: Standing) -> bool:
    """Return whether what came to light late alone makes the difference since it began.

    Asked under one set of parameters and sales, today's: a limit holds at the lowest that was
    told, and none would have been entered at the lowest that is known now.
    """
    trough = at.troughs.get(rule.id)
    if trough is None or trough.known is None or not trough.was_corrected:
        return False
    if not TRAITS[rule.kind].of_available:
        return False
    told = holding(rule, at, trough.told, None)
    return isinstance(told, Limit) and holding(rule, at, trough.known, None) is None


def _dip_counts(rule: Rule, condition: Condition | None) -> bool:
    if not TRAITS[rule.kind].of_available:
        return False
    # With a pending time a moment is no reason to fire, but it does end an unbroken recovery.
    return not rule.pending or (condition is not None and condition.state is State.RECOVERING)


def _dip(rule: Rule, at: Standing, condition: Condition | None) -> Evaluation:
    """Return what a dip does: it opens, worsens or breaks a recovery; it never eases."""
    units = at.level.low_water
    limit = holding(rule, at, units, None if condition is None else condition.held_own)
    if limit is None:
        return Evaluation(condition, None, Reason.CLEAR)
    if isinstance(limit, Reason):
        return Evaluation(condition, None, limit)
    if condition is None or condition.state is State.PENDING:
        why_not = hidden(rule, at, units, limit)
        if why_not is not None:
            return Evaluation(condition, None, why_not)
        if is_doubted(rule, at):
            return Evaluation(condition, None, Reason.DATA_IN_DOUBT)
        if _is_outside_hours(rule, at.now):
            return Evaluation(condition, None, Reason.OUTSIDE_HOURS)
        return _open(_Moment(rule, at, at.now), limit, Reason.DIPPED)
    moment = _Moment(rule, at, max(at.now, condition.since))
    if SEVERITY[limit.level] > SEVERITY[condition.level] and not rule.pending:
        return _move(moment, condition, limit)
    if condition.state is State.RECOVERING:
        return _break_recovery(moment, condition)
    return Evaluation(condition, None, Reason.FIRING)


def facts(rule: Rule, at: Standing, limit: Limit | None) -> AlertFacts:
    """Return the numbers that a person needs, as they are at this moment."""
    level, mean = at.level, at.daily_mean
    return AlertFacts(
        available=level.available,
        on_hand=level.on_hand,
        low_water=level.low_water,
        threshold=None if limit is None else _threshold(rule, at, limit),
        daily_sales=None if mean is None else round(mean, 3),
        days_of_cover=round(level.available / mean, 2) if mean else None,
        incoming=level.incoming,
        options=None if at.run is None else at.run.told(),
        doubts=reasons(rule, at),
        runs_out_at=runs_out_at(at),
        next_arrival=next_arrival(at),
        overdue=overdue(at),
    )


def _threshold(rule: Rule, at: Standing, limit: Limit) -> float | None:
    if rule.kind in {RuleKind.CUSTOM, RuleKind.DATA_DOUBT}:
        return None  # nothing to count
    multiple_of = scale(rule, at)
    return None if isinstance(multiple_of, Reason) else limit.enter * multiple_of
