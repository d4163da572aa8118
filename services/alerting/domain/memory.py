"""What one worker knows of its partitions: levels, sales, conditions, timers."""

from bisect import bisect_right, insort
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

from services.alerting.domain.channels import Channels
from services.alerting.domain.condition import Condition
from services.alerting.domain.edits import Edits
from services.alerting.domain.parameters import ParameterBook
from services.alerting.domain.recatalogued import Recatalogued
from services.alerting.domain.rulebook import EVERYWHERE, RuleBook
from services.alerting.domain.sales import SalesHistory
from services.alerting.domain.subject import Item, Level, LevelSubject, PoolSubject, Subject
from services.alerting.domain.trough import Trough, begun, deepened

NO_CONDITIONS: Mapping[str, Condition] = MappingProxyType({})
NO_TROUGHS: Mapping[str, Trough] = MappingProxyType({})

LISTEN_SECONDS = 5
"""How long a channel's silence may go unnoticed."""

DEAF = timedelta(minutes=1)
"""Whoever has not heard for longer what there is to hear cannot tell who was silent meanwhile."""

HEARING = timedelta(minutes=5)
"""For which he then listens before he says that a channel is silent: its client tries again within
that time, and ingest tells of each channel at least so often."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Known(NamedTuple):
    """A subject as last heard of; `conditions` by rule, only where something is the matter.

    `troughs` are those of the conditions; `wake_at` is when time alone asks for another look,
    None where only a new day does.
    """

    level: Level
    sales: SalesHistory
    conditions: Mapping[str, Condition]
    troughs: Mapping[str, Trough] = NO_TROUGHS
    wake_at: datetime | None = None

    def deepened(self, level: Level) -> Mapping[str, Trough]:
        """Return the troughs after the next message."""
        gap = level.version != self.level.version + 1
        return {
            rule_id: deepened(trough, level, gap=gap) for rule_id, trough in self.troughs.items()
        }

    def troughs_of(self, conditions: Collection[str]) -> Mapping[str, Trough]:
        """Return the troughs of some conditions; those that are new begin where the level is.

        One that was there without a trough goes on without: how low it got is not known.
        """
        new = {each: begun(self.level) for each in conditions if each not in self.conditions}
        return new | {each: self.troughs[each] for each in self.troughs if each in conditions}


class Staged(NamedTuple):
    """A subject as it will be known, and where it lives.

    `heard`: a message told of it, so its level changed; `is_new`: for the first time.
    """

    partition: int
    known: Known
    heard: bool
    is_new: bool


class Timer(NamedTuple):
    """When time alone ends a condition, or (without a rule) asks for a look at a subject.

    It may be stale: the condition's own `due_at` decides, or the subject's `wake_at`.
    """

    due_at: datetime
    subject: Subject
    rule_id: str = ""


class Settled(NamedTuple):
    """What all subjects of a partition have been evaluated by: an opening may be news only since.

    `catalogue` is its revision.
    """

    rules: RuleBook
    parameters: ParameterBook
    catalogue: int


class View(NamedTuple):
    """What subjects are evaluated by besides their levels and parameters.

    The rules as they are in the season, the catalogue's revision, the UTC day.
    """

    rules: RuleBook
    catalogue: int
    day: int


@dataclass(slots=True)
class Territory:
    """One partition: its subjects, its timers by due time, and its newest event time."""

    subjects: dict[Subject, Known] = field(default_factory=dict)
    timers: list[Timer] = field(default_factory=list)
    latest: datetime | None = None
    appended_at: datetime = _LONG_AGO
    """When the broker took the last message heard, or when the partition was claimed."""
    view: View | None = None
    """What `unseen` was filled for."""
    followed: int | None = None
    """The revision of the parameters that `unseen` was filled for."""
    silent: frozenset[tuple[str, str]] = frozenset()
    """By rule: the warehouses whose channels are silent, for which `unseen` was filled."""
    listened: tuple[int, ...] | None = None
    """What `silent` was found by; None where it is to be found anew."""
    heard_until: datetime | None = None
    hears_from: datetime | None = None
    """When it may be said that a channel is silent; None after a claim."""
    unseen: list[Subject] = field(default_factory=list)
    """Subjects still to be evaluated under the present view and parameters, the next ones last."""
    settled: Settled | None = None
    """None after a claim: what was changed in between is not known."""
    outs: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """By SKU that is out as an option: the product, by rule that watches it."""
    _siblings: dict[str, set[str]] | None = None
    """The warehouses of each SKU; found when a pool asks for the first time."""

    def due(self, until: datetime, limit: int) -> list[Timer]:
        """Return the first timers due by an instant, stale ones left out."""
        passed = islice(self.timers, bisect_right(self.timers, until, key=_due_at))
        return list(islice(filter(self._is_live, passed), limit))

    def adopt(self, subject: Subject, known: Known) -> None:
        """Replace what is known of a subject."""
        before = self.subjects.get(subject)
        old = {} if before is None else before.conditions
        self.subjects[subject] = known
        if before is None and self._siblings is not None and isinstance(subject, LevelSubject):
            self._siblings.setdefault(subject.sku, set()).add(subject.warehouse)
        for rule_id, condition in known.conditions.items():
            previous = old.get(rule_id)
            if condition.due_at is not None and (
                previous is None or previous.due_at != condition.due_at
            ):
                insort(self.timers, Timer(condition.due_at, subject, rule_id))
        wake_at = known.wake_at
        if wake_at is not None and (before is None or before.wake_at != wake_at):
            insort(self.timers, Timer(wake_at, subject))
        at = known.level.last_change_at
        if self.latest is None or at > self.latest:
            self.latest = at

    def siblings(self, sku: str) -> Collection[str]:
        """Return the warehouses in which a SKU is known."""
        if self._siblings is None:
            self._siblings = {}
            for subject in self.subjects:
                if isinstance(subject, LevelSubject):
                    self._siblings.setdefault(subject.sku, set()).add(subject.warehouse)
        return self._siblings.get(sku, ())

    def tidy(self, pool: PoolSubject) -> None:
        """Forget a pool that nothing is the matter with: its levels say all there is to know."""
        known = self.subjects.get(pool)
        if known is not None and not known.conditions and known.wake_at is None:
            del self.subjects[pool]

    def is_due(self, until: datetime) -> bool:
        """Return whether a timer is due by an instant; stale ones are dropped on the way."""
        passed = bisect_right(self.timers, until, key=_due_at)
        stale = 0
        while stale < passed and not self._is_live(self.timers[stale]):
            stale += 1
        # At once: what is due at midnight may be many, and each deletion moves all the others.
        del self.timers[:stale]
        return stale < passed

    def look_through(
        self,
        view: View,
        items: Mapping[str, Item],
        between: Callable[[RuleBook, RuleBook], Edits],
        since: Callable[[int], Recatalogued],
        book: ParameterBook,
    ) -> None:
        """Note which subjects are to be evaluated anew in this view.

        All of them on another day, where rules ask for that; by other rules those that they
        concern, which is found from what there is `between` two books; of another catalogue those
        of what it has otherwise `since` its revision before.
        """
        before, self.view = self.view, view
        if before is None or (view.rules.asks_day and view.day != before.day):
            self._ask_for(self.subjects)
            return
        if view.rules.asks_catalogue and view.catalogue != before.catalogue:
            changed = since(before.catalogue)
            self._ask_for(
                each for each in self.subjects if changed.concerns(each, items.get(each.sku))
            )
        if view.rules is not before.rules and (edits := between(before.rules, view.rules)):
            subjects = self.subjects
            self._ask_for(subjects if edits.are_many else edits.concerned(subjects, items, book))

    def follow(self, book: ParameterBook) -> None:
        """Note that the subjects whose parameters have changed are to be evaluated anew.

        Those are all subjects, unless the book follows the one that was seen before.
        """
        if self.followed == book.revision:
            return
        changed = book.changed
        if changed is None or changed.since != self.followed:
            self._ask_for(self.subjects)
        else:
            self._ask_for(subject for subject in self.subjects if changed.concerns(subject))
        self.followed = book.revision

    def hears(self, now: datetime) -> bool:
        """Return whether it can be said at a moment which channels are silent.

        Not after a gap: what comes first after an outage comes before it is noted (`listen`).
        """
        if self.hears_from is None or self.heard_until is None:
            return False
        return now >= self.hears_from and now - self.heard_until <= DEAF

    def listen(self, rules: RuleBook, channels: Channels, until: datetime) -> None:
        """Note that subjects are to be evaluated anew where a channel fell silent, or spoke."""
        if self.heard_until is None or until - self.heard_until > DEAF:
            self.hears_from = until + HEARING
        self.heard_until = until
        if not self.hears(until):
            self.listened = None
            return
        view = (rules.revision, channels.revision, int(until.timestamp()) // LISTEN_SECONDS)
        if self.listened == view:
            return
        was_deaf = self.listened is None
        self.listened, before, self.silent = view, self.silent, rules.silence(channels, until)
        if was_deaf:
            # What channels said meanwhile was no reason to look at anything.
            concerned, held = before | self.silent, {rule.id for rule in rules.listening}
        else:
            concerned, held = before ^ self.silent, set()
        changed = {warehouse for _, warehouse in concerned}
        if changed or held:
            self._ask_for(
                subject
                for subject, known in self.subjects.items()
                if subject.warehouse in changed
                or EVERYWHERE in changed
                or not held.isdisjoint(known.conditions)
            )

    def _ask_for(self, concerned: Iterable[Subject]) -> None:
        """Note subjects to be evaluated anew, behind those that wait: turns take the last ones.

        Each once, so that no number of edits adds up, or keeps anybody waiting for ever.
        """
        waiting = set(self.unseen)
        self.unseen = [*(each for each in concerned if each not in waiting), *self.unseen]

    def _is_live(self, timer: Timer) -> bool:
        known = self.subjects.get(timer.subject)
        if known is None:
            return False
        if not timer.rule_id:
            return known.wake_at == timer.due_at
        condition = known.conditions.get(timer.rule_id)
        return condition is not None and condition.due_at == timer.due_at


def _due_at(timer: Timer) -> datetime:
    return timer.due_at
