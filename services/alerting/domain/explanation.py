"""Why a rule does, or does not, warn about a subject: the decision, made once more and told."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from msgspec.structs import replace

from services.alerting.domain import evaluation
from services.alerting.domain.condition import Condition
from services.alerting.domain.doubting import reasons
from services.alerting.domain.measure import measure, scale
from services.alerting.domain.outcome import Reason
from services.alerting.domain.rule import Limit, Rule
from services.alerting.domain.size_run import SizeRun
from services.alerting.domain.standing import Standing
from services.alerting.domain.subject import Item, Subject
from shared.events.stock_alerts import DoubtReasons


@dataclass(frozen=True, slots=True)
class Explanation:
    """How an evaluation ends now, and what it went by.

    `measure` is in the unit of the rule's kind, None where there is none or no end to it;
    `limits` are in the same unit, multiples of a parameter multiplied out (none while it is not
    set).
    """

    rule: Rule
    in_scope: bool
    reason: Reason
    measure: float | None
    limits: tuple[Limit, ...]
    condition: Condition | None
    run: SizeRun | None = None
    """The options, where the rule watches products."""
    doubts: DoubtReasons | None = None
    """What the rule doubts the numbers for, where it does."""


def explain(
    rule: Rule, subject: Subject, item: Item | None, at: Standing, condition: Condition | None
) -> Explanation:
    """Return what becomes of a rule on a subject at a moment, whether it watches it or not.

    `condition` is the rule's own as it is known, `at.others` are those of the other rules.
    """
    in_scope = rule.watches(subject, item, at.parameters) and (at.run is None or bool(at.run.skus))
    if rule.enabled and in_scope and not _is_heard(rule, at, condition):
        at = replace(at, hears_channels=False)
    measured = measure(rule, at, at.level.available)
    multiple_of = scale(rule, at)
    limits: Iterable[Limit] = ()
    if not isinstance(multiple_of, Reason):
        limits = (limit.times(multiple_of) for limit in rule.limits)
    return Explanation(
        rule=rule,
        in_scope=in_scope,
        reason=_reason(rule, at, condition, in_scope=in_scope),
        measure=None if isinstance(measured, Reason) or not isfinite(measured) else measured,
        limits=tuple(limits),
        condition=condition,
        run=at.run,
        doubts=reasons(rule, at),
    )


def _is_heard(rule: Rule, at: Standing, condition: Condition | None) -> bool:
    """Return whether `consume`, too, can say by now which channels are silent; True if unsure.

    It looks within seconds at what a channel's silence changes. Where that has left no trace in
    what is stored, nobody could say.
    """
    deaf = evaluation.evaluate(rule, replace(at, hears_channels=False), condition)
    if deaf.reason is not Reason.CHANNELS_UNHEARD:
        return True
    return evaluation.evaluate(rule, at, condition).condition == condition


def _reason(rule: Rule, at: Standing, condition: Condition | None, *, in_scope: bool) -> Reason:
    if not rule.enabled:
        return Reason.RULE_DISABLED
    if not in_scope:
        return Reason.OUT_OF_SCOPE
    return evaluation.evaluate(rule, at, condition).reason
