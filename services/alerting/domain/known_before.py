"""Whether an opening is news, or was so before anybody looked: a first import, a changed setting.

A message of a level that is known is news where the rule did not hold before it. Where it did hold,
something else has opened the episode: what was edited since all subjects were last evaluated. A new
day is no edit, nor is an occasion of the calendar that begins, or a pending time that has passed.
"""

from typing import NamedTuple

from services.alerting.domain.condition import Condition, State
from services.alerting.domain.measure import holding
from services.alerting.domain.memory import Known, Settled
from services.alerting.domain.outcome import Reason, Transition
from services.alerting.domain.rule import Rule
from services.alerting.domain.standing import Standing
from services.alerting.domain.subject import Subject
from shared.events.stock_alerts import AlertEvent, GatherReason


class Change(NamedTuple):
    """What a subject is evaluated for: a message (`before` is what was known, if anything was).

    Or, where the level is the one known before, something besides it.
    """

    subject: Subject
    at: Standing
    before: Known | None
    by: Settled
    settled: Settled | None

    @property
    def by_settings(self) -> bool:
        """Whether the level is the one heard of before."""
        return self.before is not None and self.before.level is self.at.level

    def known(self, rule: Rule) -> GatherReason | None:
        """Return why a rule that begins to hold has held before anybody looked, if it has."""
        if self.before is None:
            return GatherReason.FIRST_IMPORT
        changed = self._changed(rule)
        if changed is None or self.by_settings or self._held(rule, self.before):
            return changed
        return None

    def _held(self, rule: Rule, before: Known) -> bool:
        was = self.at.with_level(before.level, before.sales)
        limit = holding(rule, was, before.level.available, None)
        return limit is not None and not isinstance(limit, Reason)

    def _changed(self, rule: Rule) -> GatherReason | None:
        """Return what was edited since all subjects were evaluated, as far as a rule asks."""
        settled, by = self.settled, self.by
        if settled is None or settled.rules.now(rule.id, self.subject, self.at.now) != rule:
            return GatherReason.CHANGED_RULE
        if rule.asks_parameters and settled.parameters is not by.parameters:
            was = settled.parameters.of(self.subject)
            if was != by.parameters.of(self.subject):
                return GatherReason.CHANGED_PARAMETERS
        if rule.scope.asks_catalogue and settled.catalogue != by.catalogue:
            return GatherReason.CHANGED_CATALOGUE
        return None


def of_transition(
    transition: Transition, condition: Condition | None, rule: Rule, change: Change
) -> GatherReason | None:
    """Return why a transition is no news, or None; `condition` is what it started from."""
    if condition is not None and condition.state is State.PENDING:
        return condition.known
    rose = transition.reason is Reason.LEVEL_ROSE and change.by_settings
    if rose or transition.event is AlertEvent.OPENED:
        return change.known(rule)
    return None
