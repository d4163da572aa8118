"""One transaction's work on a worker's memory: staged here, adopted when it is durable."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from operator import itemgetter

from services.alerting.domain import evaluation, known_before
from services.alerting.domain.at_risk import at_risk
from services.alerting.domain.channels import NOBODY, Channels
from services.alerting.domain.condition import Condition, State
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.known_before import Change
from services.alerting.domain.measure import holding
from services.alerting.domain.memory import (
    NO_CONDITIONS,
    NO_TROUGHS,
    Known,
    Settled,
    Staged,
    Territory,
)
from services.alerting.domain.moments import INSTANT, next_moment
from services.alerting.domain.outcome import Evaluation, Reason, Transition
from services.alerting.domain.parameters import NOTHING_SET, ParameterBook, Parameters
from services.alerting.domain.pooling import Asked, Pooling
from services.alerting.domain.rule import Rule
from services.alerting.domain.rulebook import Gathered, RuleBook
from services.alerting.domain.sales import SalesHistory
from services.alerting.domain.sizing import Sizing
from services.alerting.domain.standing import Standing
from services.alerting.domain.subject import Item, Level, LevelSubject, PoolSubject, Subject
from services.alerting.domain.unusual import is_told_of
from shared.events.stock_alerts import AlertLevel, AtRisk, GatherReason

_Judge = Callable[[Rule, Standing, Condition | None], Iterable[Evaluation]]


@dataclass(frozen=True, slots=True)
class Announcement:
    """A transition with all that a notice says of it. `trace` is the context it came from.

    `known` says why it was so before anybody looked, if it was.
    """

    rule: Rule
    subject: Subject
    sku_name: str | None
    category: str | None
    transition: Transition
    trace: str | None
    at_risk: AtRisk | None = None
    parameters: Parameters = NOTHING_SET
    known: GatherReason | None = None


class Draft:
    """Works on a view of the memory without changing it; may be thrown away and made again.

    Afterwards `staged`, `conditions` and `announcements` say what to write.
    """

    def __init__(
        self,
        territories: Mapping[int, Territory],
        rules: RuleBook,
        items: Mapping[str, Item],
        parameters: ParameterBook,
        catalogue: int = 0,
        channels: Channels = NOBODY,
        products: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._territories = territories
        self._rules = rules
        self._items = items
        self._parameters = parameters
        self._channels = channels
        self._by = Settled(rules, parameters, catalogue)
        self._seasonal = bool(rules.calendar)
        self.staged: dict[Subject, Staged] = {}
        self.conditions: dict[tuple[Subject, str], tuple[int, Condition | None]] = {}
        """Changed conditions with their partition, by subject and rule; None: all is well."""
        self.announcements: list[Announcement] = []
        """In the order in which they happened."""
        self.reasons: Counter[tuple[RuleKind | None, Reason]] = Counter()
        self._pooling = Pooling(rules, territories, self.staged)
        self.sizing = Sizing(territories, self._pooling, items, products or {}, self._by)

    def hear(self, partition: int, level: Level, now: datetime, trace: str | None = None) -> None:
        """Take in a level message. What was due before it comes first.

        A message that is not newer than what is known is dropped.
        """
        subject = LevelSubject(level.sku, level.warehouse)
        staged = self.staged.get(subject)
        if staged is None:
            before = known = self._territories[partition].subjects.get(subject)
            is_new = before is None
        else:
            before = known = staged.known
            is_new = staged.is_new
        if known is None:
            sales = SalesHistory.begin(level.last_change_at, level.sold_total)
            known = Known(level, sales, NO_CONDITIONS)
        elif level.version <= known.level.version:
            self.reasons[None, Reason.STALE_VERSION] += 1
            return
        else:
            troughs = NO_TROUGHS
            if known.conditions or known.wake_at is not None:
                known = self._pass(partition, subject, known, now)
                troughs = known.deepened(level)
            sales = known.sales.told(level.last_change_at, level.sold_total)
            if level.corrected is not None:
                sales = sales.without(level.corrected.sold_long_ago)
            known = Known(level, sales, known.conditions, troughs)
        known = self._judge(partition, subject, known, before, evaluation.hear, now, trace)
        self.staged[subject] = Staged(partition, known, heard=True, is_new=is_new)
        if self._rules.gathering:
            part_of = self._gathered(subject)
            if part_of is not None:
                asked = Asked(partition, now, trace, heard=True)
                self._pooling.hear(subject, part_of, asked, is_new=is_new)

    def fire(self, partition: int, until: datetime, limit: int) -> int:
        """Evaluate what is due in a partition by an instant; returns how many timers it were.

        They are `limit` at the most.
        """
        due = self._territories[partition].due(until, limit)
        for timer in due:
            if isinstance(timer.subject, PoolSubject):
                self._pooling.asked[timer.subject] = Asked(partition, until)
                continue
            known = self._known(partition, timer.subject)
            if known is not None:
                self._restage(
                    partition, timer.subject, self._pass(partition, timer.subject, known, until)
                )
        return len(due)

    def look(self, partition: int, subjects: Iterable[Subject], now: datetime) -> None:
        """Evaluate subjects anew, as last heard of: something besides their levels changed."""
        for subject in subjects:
            if isinstance(subject, PoolSubject):
                self._pooling.asked.setdefault(subject, Asked(partition, now))
                continue
            self._look_at(partition, subject, now)
            if isinstance(subject, LevelSubject):
                part_of = self._gathered(subject)
                self._pooling.look(subject, part_of, Asked(partition, now))

    def pool(self) -> None:
        """Evaluate the pools that are due, or whose levels were heard of or looked at: once, last.

        Where a pool no longer keeps its levels quiet, they are looked at once more. Then `sizing`
        says which products are to be judged.
        """
        for pool, asked in self._pooling.asked.items():
            self._look_at_pool(pool, asked)
        for sku, asked in self._pooling.skus.items():
            self.sizing.judge(sku, asked)

    def adopt(self) -> None:
        """Make the draft what is known."""
        for subject, (partition, known, _, _) in self.staged.items():
            self._territories[partition].adopt(subject, known)
        for pool, asked in self._pooling.asked.items():
            self._territories[asked.partition].tidy(pool)
        self.sizing.adopt()

    def _look_at(self, partition: int, subject: Subject, now: datetime) -> None:
        known = self._known(partition, subject)
        if known is not None:
            looked = self._judge(partition, subject, known, known, _look, now, None)
            self._restage(partition, subject, looked)

    def _look_at_pool(self, pool: PoolSubject, asked: Asked) -> None:
        partition, now, trace, _ = asked
        before, held = self._pooling.before(partition, pool, now), self._known(partition, pool)
        known = self._pooling.present(partition, pool, now)
        # Where nothing was known before, too: a rule may have moved there from elsewhere.
        known = known if held is None else known._replace(conditions=held.conditions)
        if not self._pooling.has_levels(partition, pool):
            if held is not None:
                self._leave(partition, pool, known, now)
            return
        then = now
        if before is not None:
            if held is not None:
                before = before._replace(conditions=held.conditions, wake_at=held.wake_at)
            if before.wake_at is not None:
                # What passes at that moment may be all that has changed.
                then = min(now, before.wake_at - INSTANT)
            passed = self._pass(partition, pool, before, now)
            known = known._replace(conditions=passed.conditions)
            if known.level == before.level:
                before = before._replace(level=known.level)
        judged = self._judge(partition, pool, known, before, _look, now, trace)
        self._restage(partition, pool, judged)
        if before is None or not self._has_enough(partition, pool, before, then):
            return
        if not self._has_enough(partition, pool, known, now):
            for each in self._pooling.members(partition, pool):
                self._look_at(partition, each, now)

    def _leave(self, partition: int, pool: PoolSubject, known: Known, now: datetime) -> None:
        """End what is the matter with a pool that no level is in any more."""
        after = dict(known.conditions)
        at = self._standing(partition, pool, known, after, now)
        self._retire(pool, at, after, ())
        left = self._settle(partition, pool, known, after)
        self._restage(partition, pool, left._replace(wake_at=None))

    def _known(self, partition: int, subject: Subject) -> Known | None:
        staged = self.staged.get(subject)
        if staged is not None:
            return staged.known
        return self._territories[partition].subjects.get(subject)

    def _restage(self, partition: int, subject: Subject, known: Known) -> None:
        staged = self.staged.get(subject)
        if staged is None:
            self.staged[subject] = Staged(partition, known, heard=False, is_new=False)
        else:
            self.staged[subject] = staged._replace(known=known)

    def _pass(self, partition: int, subject: Subject, known: Known, until: datetime) -> Known:
        """Let time pass for a subject: at each moment what it asks for, in order."""
        while (moment := known.wake_at) is not None and moment <= until:
            if known.conditions:
                known = self._fire(partition, subject, known, moment)
            # Always has a later moment, or none: each is a line's, of which there are eight.
            known = self._judge(partition, subject, known, known, _look, moment, None)
        return self._fire(partition, subject, known, until) if known.conditions else known

    def _judge(
        self,
        partition: int,
        subject: Subject,
        known: Known,
        before: Known | None,
        judge: _Judge,
        now: datetime,
        trace: str | None,
    ) -> Known:
        rules = self._rules.at(now) if self._seasonal else self._rules
        item, given = self._items.get(subject.sku), self._given(subject)
        watching = rules.watching(subject, item, given)
        if not watching and not known.conditions:
            return known if known.wake_at is None else known._replace(wake_at=None)
        after = dict(known.conditions)
        at = self._standing(partition, subject, known, after, now)
        if after:
            self._retire(subject, at, after, {rule.id for rule in watching})
        for rule in watching:
            # While a rule is evaluated, `after` has what became of the others.
            condition = was = after.pop(rule.id, None) if after else None
            for step in judge(rule, at, condition):
                self.reasons[rule.kind, step.reason] += 1
                if step.transition is not None:
                    change = self._change(partition, subject, at, before)
                    why = known_before.of_transition(step.transition, condition, rule, change)
                    self._announce(rule, subject, at, step.transition, trace, why)
                condition = step.condition
            if condition is not None:
                if was is None and condition.state is State.PENDING:
                    why = self._change(partition, subject, at, before).known(rule)
                    condition = replace(condition, known=why)
                after[rule.id] = condition
        if known.level.supply:
            known = known._replace(wake_at=next_moment(watching, known.level, now))
        elif known.wake_at is not None:
            known = known._replace(wake_at=None)  # its line was in a warehouse that is left
        return self._settle(partition, subject, known, after)

    def _fire(self, partition: int, subject: Subject, known: Known, until: datetime) -> Known:
        """Evaluate each condition due by an instant, at the moment it was due, as rules were then.

        Each of them ends or waits for something later, so there is always a last one.
        """
        after = dict(known.conditions)
        item, given = self._items.get(subject.sku), self._given(subject)
        watching = self._rules.at(until).watching(subject, item, given)
        while (due := _first_due(watching, after, until)) is not None:
            due_at, rule_id = due
            then = self._rules.at(due_at).watching(subject, item, given)
            rule = next(each for each in then if each.id == rule_id)
            condition = after.pop(rule_id)
            at = self._standing(partition, subject, known, after, due_at)
            step = evaluation.evaluate(rule, at, condition)
            changed = self._note(rule, subject, at, step, condition.known)
            if changed is not None:
                after[rule_id] = changed
            elif condition.held is AlertLevel.OUT:
                self._release(subject, at, after, then)
        at = self._standing(partition, subject, known, after, until)
        self._retire(subject, at, after, {rule.id for rule in watching})
        return self._settle(partition, subject, known, after)

    def _release(
        self,
        subject: Subject,
        at: Standing,
        after: dict[str, Condition],
        watching: Iterable[Rule],
    ) -> None:
        """Evaluate what an episode of 断货 (out) may have kept quiet until this moment."""
        for rule in watching:
            if rule.filters.inhibited_by_out and rule.id not in after:
                step = evaluation.evaluate(rule, at, None)
                condition = self._note(rule, subject, at, step, None)
                if condition is not None:
                    after[rule.id] = condition

    def _retire(
        self,
        subject: Subject,
        at: Standing,
        after: dict[str, Condition],
        watching: Collection[str],
    ) -> None:
        """End the conditions of rules that no longer watch the subject."""
        for rule_id in after.keys() - watching:
            rule = self._rules.find(rule_id)
            if rule is None:
                continue
            reason = Reason.OUT_OF_SCOPE if rule.enabled else Reason.RULE_DISABLED
            step = evaluation.retire(rule, at, after.pop(rule_id), reason)
            self._note(rule, subject, at, step, None)

    def _standing(
        self,
        partition: int,
        subject: Subject,
        known: Known,
        others: Mapping[str, Condition],
        now: datetime,
    ) -> Standing:
        given = self._given(subject)
        at = Standing(known.level, known.sales, now, given, others, known.troughs, self._channels)
        if self._rules.listening:
            at.hears_channels = self._territories[partition].hears(now)
        if self._rules.covering and isinstance(subject, LevelSubject):
            at.is_pooled = partial(self._is_pooled, partition, subject, known, now)
        if self._rules.doubting and isinstance(subject, PoolSubject):
            at.is_doubted = partial(self._is_doubted, partition, subject)
        elif self._rules.doubting and known.level.flags:
            at.is_doubted = partial(is_told_of, known.level, others, self._rules.doubting)
        return at

    def _given(self, subject: Subject) -> Parameters:
        """Return a subject's parameters, as far as any rule asks for them."""
        return self._parameters.of(subject) if self._rules.asks_parameters else NOTHING_SET

    def _is_doubted(self, partition: int, pool: PoolSubject) -> bool:
        return any(
            (known := self._known(partition, each)) is not None
            and is_told_of(known.level, known.conditions, self._rules.doubting)
            for each in self._pooling.members(partition, pool)
        )

    def _is_pooled(
        self, partition: int, subject: LevelSubject, known: Known, now: datetime
    ) -> bool:
        return any(
            self._has_enough(
                partition, pool, self._pooling.present(partition, pool, now, known), now
            )
            for pool in self._pools_of(subject)
        )

    def _pools_of(self, level: LevelSubject) -> Iterable[PoolSubject]:
        part_of = self._gathered(level)
        return () if part_of is None else part_of.pools

    def _gathered(self, level: LevelSubject) -> Gathered | None:
        asked = self._rules.asks_parameters
        given = self._parameters.of_sku(level.sku) if asked else NOTHING_SET
        return self._rules.gathered(level, self._items.get(level.sku), given)

    def _has_enough(self, partition: int, pool: PoolSubject, known: Known, now: datetime) -> bool:
        """Return whether a pool keeps its levels quiet: no limit holds that would be entered."""
        rule = self._rules.now(pool.rule, pool, now)
        if rule is None or not rule.covers_levels:
            return False
        at = self._standing(partition, pool, known, {}, now)
        return holding(rule, at, known.level.available, None) is None

    def _change(
        self, partition: int, subject: Subject, at: Standing, before: Known | None
    ) -> Change:
        return Change(subject, at, before, self._by, self._territories[partition].settled)

    def _settle(
        self, partition: int, subject: Subject, known: Known, after: Mapping[str, Condition]
    ) -> Known:
        before = known.conditions
        if not before and not after:
            return known
        for rule_id in before.keys() | after.keys():
            condition = after.get(rule_id)
            if condition != before.get(rule_id):
                self.conditions[subject, rule_id] = (partition, condition)
        troughs = known.troughs_of(after) if after else NO_TROUGHS
        return Known(known.level, known.sales, after, troughs, known.wake_at)

    def _note(
        self,
        rule: Rule,
        subject: Subject,
        at: Standing,
        step: Evaluation,
        known: GatherReason | None,
    ) -> Condition | None:
        self.reasons[rule.kind, step.reason] += 1
        if step.transition is not None:
            self._announce(rule, subject, at, step.transition, None, known)
        return step.condition

    def _announce(
        self,
        rule: Rule,
        subject: Subject,
        at: Standing,
        transition: Transition,
        trace: str | None,
        known: GatherReason | None,
    ) -> None:
        item = self._items.get(subject.sku)
        name, category = (None, None) if item is None else (item.name, item.category)
        if item is not None and not item.is_bought:
            facts = transition.facts.model_copy(update={"is_bought": False})
            transition = replace(transition, facts=facts)
        parameters = self._parameters.of(subject)
        self.announcements.append(
            Announcement(
                rule=rule,
                subject=subject,
                sku_name=name,
                category=category,
                transition=transition,
                trace=trace,
                at_risk=at_risk(at, parameters),
                parameters=parameters,
                known=known,
            )
        )


def _first_due(
    watching: Iterable[Rule], conditions: Mapping[str, Condition], until: datetime
) -> tuple[datetime, str] | None:
    """Return when the first condition is due, by an instant, and of which rule it is; None: none.

    Of several at once that of the rule that is evaluated first.
    """
    due = (
        (condition.due_at, rule.id)
        for rule in watching
        if (condition := conditions.get(rule.id)) is not None
        and condition.due_at is not None
        and condition.due_at <= until
    )
    return min(due, key=itemgetter(0), default=None)


def _look(rule: Rule, at: Standing, condition: Condition | None) -> tuple[Evaluation]:
    return (evaluation.evaluate(rule, at, condition),)
