"""Where a rule stands with a subject when it is not simply all right."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.events.stock_alerts import AlertLevel, GatherReason


class State(StrEnum):
    """ok (no condition) → pending → open ⇄ recovering → ok."""

    PENDING = "pending"
    """A limit holds, not yet for long enough, or the rule is outside its hours."""
    OPEN = "open"
    """An episode is open."""
    RECOVERING = "recovering"
    """An episode is open and its exit limit is reached, not yet for long enough."""


@dataclass(frozen=True, slots=True)
class Condition:
    """The state of one rule on one subject; none is kept where all is well.

    `level` is the episode's (for pending: the one that would be opened). `since` is when the
    state began; `due_at` when time alone ends it, None for open. `known` says of a pending one
    why it held before anybody looked, if it did. `shifted_from` is the rule's own level of the
    limit that is held, where an occasion made another of it.
    """

    state: State
    level: AlertLevel
    since: datetime
    due_at: datetime | None = None
    known: GatherReason | None = None
    shifted_from: AlertLevel | None = None

    @property
    def held(self) -> AlertLevel | None:
        """The level of the episode; none before it is open."""
        return None if self.state is State.PENDING else self.level

    @property
    def held_own(self) -> AlertLevel | None:
        """The rule's own level whose exit limit counts; none before an episode is open."""
        return None if self.state is State.PENDING else self.shifted_from or self.level
