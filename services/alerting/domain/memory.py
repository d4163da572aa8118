"""What one worker knows of its partitions: levels, sales, conditions, timers."""

from bisect import bisect_right, insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from services.alerting.domain.condition import Condition
from services.alerting.domain.parameters import ParameterBook
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.sales import SalesHistory
from services.alerting.domain.subject import Level, Subject

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Known(NamedTuple):
    """A subject as last heard of; `conditions` by rule, only where something is the matter."""

    level: Level
    sales: SalesHistory
    conditions: Mapping[str, Condition]


class Timer(NamedTuple):
    """When time alone ends a condition. It may be stale: the condition's own `due_at` decides."""

    due_at: datetime
    subject: Subject
    rule_id: str


class Settled(NamedTuple):
    """What all subjects of a partition have been evaluated by: an opening may be news only since.

    `catalogue` is its revision.
    """

    rules: RuleBook
    parameters: ParameterBook
    catalogue: int


@dataclass(slots=True)
class Territory:
    """One partition: its subjects, its timers by due time, and its newest event time."""

    subjects: dict[Subject, Known] = field(default_factory=dict)
    timers: list[Timer] = field(default_factory=list)
    latest: datetime | None = None
    appended_at: datetime = _LONG_AGO
    """When the broker took the last message heard, or when the partition was claimed."""
    view: tuple[int, ...] | None = None
    """The rules, catalogue and day that `unseen` was filled for."""
    followed: int | None = None
    """The revision of the parameters that `unseen` was filled for."""
    unseen: list[Subject] = field(default_factory=list)
    """Subjects still to be evaluated under the present view and parameters."""
    settled: Settled | None = None
    """None after a claim: what was changed in between is not known."""

    def due(self, until: datetime) -> list[Timer]:
        """Return the timers due by an instant, stale ones left out."""
        return [timer for timer in self._up_to(until) if self._is_live(timer)]

    def adopt(self, subject: Subject, known: Known) -> None:
        """Replace what is known of a subject."""
        before = self.subjects.get(subject)
        old = {} if before is None else before.conditions
        self.subjects[subject] = known
        for rule_id, condition in known.conditions.items():
            previous = old.get(rule_id)
            if condition.due_at is not None and (
                previous is None or previous.due_at != condition.due_at
            ):
                insort(self.timers, Timer(condition.due_at, subject, rule_id))
        at = known.level.last_change_at
        if self.latest is None or at > self.latest:
            self.latest = at

    def is_due(self, until: datetime) -> bool:
        """Return whether a timer is due by an instant; stale ones are dropped on the way."""
        while self.timers and self.timers[0].due_at <= until:
            if self._is_live(self.timers[0]):
                return True
            del self.timers[0]
        return False

    def look_through(self, view: tuple[int, ...]) -> None:
        """Note that all subjects are to be evaluated anew, unless they were for this view."""
        if self.view != view:
            self.view = view
            self.unseen = list(self.subjects)

    def follow(self, book: ParameterBook) -> None:
        """Note that the subjects whose parameters have changed are to be evaluated anew.

        Those are all subjects, unless the book follows the one that was seen before.
        """
        if self.followed == book.revision:
            return
        changed = book.changed
        if changed is None or changed.since != self.followed:
            self.unseen = list(self.subjects)
        else:
            concerned = (subject for subject in self.subjects if changed.concerns(subject))
            # Each once, so that no number of edits lets the list grow.
            self.unseen = list(dict.fromkeys((*self.unseen, *concerned)))
        self.followed = book.revision

    def _up_to(self, until: datetime) -> list[Timer]:
        return self.timers[: bisect_right(self.timers, until, key=_due_at)]

    def _is_live(self, timer: Timer) -> bool:
        known = self.subjects.get(timer.subject)
        condition = None if known is None else known.conditions.get(timer.rule_id)
        return condition is not None and condition.due_at == timer.due_at


def _due_at(timer: Timer) -> datetime:
    return timer.due_at
