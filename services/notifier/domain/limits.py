"""What a destination's sender does next, within the limits of its vendor or reader.

While everything that waits fits into the window, each notice goes out by itself. When more waits
than fits, first notices and escalations go out singly down to a reserve, and all the rest becomes
one digest. The reserve is spent slowly, so that what comes later in the minute is not kept until
its end.
A vendor may count over several spans: the widest decides what is merged, narrower ones only slow
down. Who sets no limit gets each by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.notifier.domain.deliveries import MUST_ARRIVE, Kind

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
MARGIN = timedelta(milliseconds=250)
"""The vendor counts when a message arrives, we when it was answered; clocks run differently."""

RESERVE = 4
"""Slots of a minute kept for digests once more waits than fits: one now, the others spread over
the rest of the minute, so that nothing waits for more than about a quarter of it."""

DIGEST_GAP = timedelta(seconds=3)
"""Between two digests at the least: 60 s / 20 messages."""


_BY_THEMSELVES = frozenset({Kind.TEST, Kind.META, Kind.REPORT, Kind.ORDER})
"""Never merged: when one of these comes first, nothing that could be waits before it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A delivery that may be sent now; with a key, it is the first of those to be one message."""

    id: UUID
    kind: Kind
    together: str | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` messages within any `span`."""

    count: int
    span: timedelta

    def taken(self, used: Sequence[datetime], now: datetime) -> list[datetime]:
        """Return those of the instants that still count."""
        return [instant for instant in used if instant + self.span + MARGIN > now]

    def opens_at(self, used: Sequence[datetime], now: datetime) -> datetime:
        """Return from when on another message is allowed; now, when one is."""
        taken = self.taken(used, now)
        return now if len(taken) < self.count else taken[-self.count] + self.span + MARGIN


@dataclass(frozen=True, slots=True)
class Window:
    """The sliding window of a destination.

    `used` are the instants at which the latest messages were finished, oldest first: all that
    the widest limit may count.
    """

    limits: Sequence[Limit]
    used: Sequence[datetime]
    last_digest_at: datetime | None = None

    def opens_at(self, now: datetime) -> datetime:
        """Return from when on a message may be sent; now, when one may."""
        return max((limit.opens_at(self.used, now) for limit in self.limits), default=now)

    def room(self, now: datetime) -> int:
        """Return how many messages the widest limit allows."""
        widest = self._widest
        return max(0, widest.count - len(widest.taken(self.used, now)))

    def digest_due(self, now: datetime) -> datetime:
        """Return from when on a digest may be made: the room left is spread over the span."""
        if self.last_digest_at is None:
            return now
        share = (self._frees_at(now) - now) / max(1, self.room(now))
        return self.last_digest_at + max(DIGEST_GAP, share)

    def _frees_at(self, now: datetime) -> datetime:
        """Return when the oldest message leaves the widest limit; now, when none is in it."""
        taken = self._widest.taken(self.used, now)
        return taken[0] + self._widest.span + MARGIN if taken else now

    @property
    def _widest(self) -> Limit:
        return widest(self.limits)


def widest(limits: Sequence[Limit]) -> Limit:
    """Return the limit over the longest span."""
    return max(limits, key=lambda limit: limit.span)


@dataclass(frozen=True, slots=True)
class Send:
    """Send this one."""

    id: UUID


@dataclass(frozen=True, slots=True)
class Merge:
    """Merge everything that waits, or what waits under a key, into one digest and send it."""

    key: str | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """Do nothing until an instant, or until something new waits (None)."""

    until: datetime | None


Step = Send | Merge | Rest


def next_step(waiting: Sequence[Candidate], window: Window, now: datetime) -> Step:
    """Decide what to do next.

    `waiting` is what may be sent now, most important first; it may be cut after one more than
    the widest limit, since only whether it fits matters.
    """
    if not waiting:
        return Rest(None)
    opens_at = window.opens_at(now)
    if opens_at > now:
        return Rest(opens_at)
    head = waiting[0]
    first: Send | Merge = Send(head.id) if head.together is None else Merge(head.together)
    if not window.limits:
        return first
    room = window.room(now)
    if head.kind in _BY_THEMSELVES or len(waiting) <= room:
        return first
    if head.kind in MUST_ARRIVE and room > RESERVE:
        return first
    due = window.digest_due(now)
    if due > now:
        return Rest(due)
    # A digest that waits for its next attempt goes before another one is made.
    digest = next((each for each in waiting if each.kind is Kind.DIGEST), None)
    return Merge() if digest is None else Send(digest.id)
