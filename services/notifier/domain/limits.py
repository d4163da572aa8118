"""What a destination's sender does next, within the messages a minute that its vendor allows.

While everything that waits fits into the window, each notice goes out by itself. When more waits
than fits, the first notices go out singly down to a reserve, and all the rest becomes one digest.
The reserve is spent slowly, so that what comes later in the minute is not kept until its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.notifier.domain.deliveries import Kind

WINDOW = timedelta(seconds=60)
MARGIN = timedelta(milliseconds=250)
"""The vendor counts when a message arrives, we when it was answered; clocks run differently."""

RESERVE = 4
"""Slots of a minute kept for digests once more waits than fits: one now, the others spread over
the rest of the minute, so that nothing waits for more than about a quarter of it."""

DIGEST_GAP = timedelta(seconds=3)
"""Between two digests at the least: 60 s / 20 messages."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A delivery that may be sent now."""

    id: UUID
    kind: Kind


@dataclass(frozen=True, slots=True)
class Window:
    """The sliding window of a destination.

    `used` are the instants at which the messages of the last minute were finished, oldest first.
    """

    limit: int
    used: Sequence[datetime]
    last_digest_at: datetime | None = None

    def _taken(self, now: datetime) -> list[datetime]:
        return [instant for instant in self.used if instant + WINDOW + MARGIN > now]

    def room(self, now: datetime) -> int:
        """Return how many messages may be sent at once."""
        return max(0, self.limit - len(self._taken(now)))

    def frees_at(self, now: datetime) -> datetime:
        """Return when the next slot is free; now, when none is taken."""
        taken = self._taken(now)
        return taken[0] + WINDOW + MARGIN if taken else now

    def digest_due(self, now: datetime) -> datetime:
        """Return from when on a digest may be made: the room left is spread over the minute."""
        if self.last_digest_at is None:
            return now
        share = (self.frees_at(now) - now) / max(1, self.room(now))
        return self.last_digest_at + max(DIGEST_GAP, share)


@dataclass(frozen=True, slots=True)
class Send:
    """Send this one."""

    id: UUID


@dataclass(frozen=True, slots=True)
class Merge:
    """Merge everything that waits into one digest and send it."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Do nothing until an instant, or until something new waits (None)."""

    until: datetime | None


Step = Send | Merge | Rest


def next_step(waiting: Sequence[Candidate], window: Window, now: datetime) -> Step:
    """Decide what to do next.

    `waiting` is what may be sent now, most important first; it may be cut after one more than
    the limit, since only whether it fits matters.
    """
    if not waiting:
        return Rest(None)
    room = window.room(now)
    if room == 0:
        return Rest(window.frees_at(now))
    head = waiting[0]
    if head.kind in {Kind.TEST, Kind.META} or len(waiting) <= room:
        return Send(head.id)
    if head.kind is Kind.FIRST and room > RESERVE:
        return Send(head.id)
    due = window.digest_due(now)
    if due > now:
        return Rest(due)
    # A digest that waits for its next attempt goes before another one is made.
    digest = next((each for each in waiting if each.kind is Kind.DIGEST), None)
    return Merge() if digest is None else Send(digest.id)
