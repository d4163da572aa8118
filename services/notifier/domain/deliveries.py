"""A delivery: one message for one destination, and the states a person asks about.

waiting ─▶ sending ─▶ sent
   ▲  ╲        │ ╲
   │   ╲       │  ╲─▶ dead        failed for good; a person may have it sent again
   │    ╲      ▼   ╲▶ suppressed  not sent on purpose; the reason says why
   └─── failed (will be tried again)
waiting, failed ─▶ merged         into a digest, which it names
waiting, failed ─▶ superseded     a newer revision of the episode tells more
waiting ─▶ suppressed             it waited on purpose, and was over before it was to be told
dead ─▶ waiting                   a person wants it sent again, and it still tells something;
                                  else it is superseded, a first notice and an untold end suppressed
merged ─▶ waiting                 as one of a digest that died
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Self
from uuid import UUID

from services.notifier.domain.holding import Hold
from shared.events.stock_alerts import AlertEvent, AlertLevel, StockAlert


class State(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    DEAD = "dead"
    MERGED = "merged"
    SUPPRESSED = "suppressed"
    SUPERSEDED = "superseded"


def first_id(at: datetime) -> UUID:
    """Return what no delivery made at an instant or later has an id before.

    The milliseconds, 48 bits: ids begin with them, and so grow with time.
    """
    return UUID(int=int(at.timestamp() * 1_000) << 80)


class Kind(StrEnum):
    """What a delivery is to its reader."""

    FIRST = "first"
    """The first that a destination hears of an episode."""
    ESCALATION = "escalation"
    """Nobody did in time what an episode asks for, or somebody has to approve what is: those whom
    it is for may not have heard of the episode. As urgent as a first notice, nearly."""
    CHANGE = "change"
    DIGEST = "digest"
    ORDER = "order"
    """A purchase order, for its supplier."""
    REPORT = "report"
    """Made by schedule: how things stand, or how they went."""
    TEST = "test"
    META = "meta"
    """About the notifier itself: a destination that no longer takes messages."""


class Reason(StrEnum):
    """Why a delivery is where it is; more words may follow after a colon."""

    NO_ROUTE = "no_route"
    NO_DESTINATION = "no_destination"
    """A report is for a destination that is not there, or disabled; an order, for no mailbox."""
    NEVER_ANNOUNCED = "never_announced"
    FOR_ONE_PERSON = "for_one_person"
    ENDED_UNTOLD = "ended_untold"
    """It was over before it was to be told, so neither its beginning nor its end is."""
    SILENCED = "silenced"
    SNOOZED = "snoozed"
    COVERED = "covered"
    BUDGET = "budget"
    ENDED = "ended"
    """Something was done about an alert that had ended."""
    OUTCOME_UNKNOWN = "outcome_unknown"
    NEWER_REVISION = "newer_revision"
    GAVE_UP = "gave_up"
    REFUSED = "refused"
    UNRENDERABLE = "unrenderable"
    TAKEN_APART = "taken_apart"
    """A digest that died, and what it was made of is sent again as far as it still holds."""
    SOME_RECIPIENTS_REFUSED = "some_recipients_refused"
    OTHERS_NEXT = "others_next"
    """Of those who are written to one by one some have it, and the others are about to."""


_PLACES = {
    Kind.TEST: 0,
    Kind.META: 0,
    Kind.FIRST: 10,
    Kind.ESCALATION: 15,
    Kind.CHANGE: 20,
    Kind.ORDER: 25,
    Kind.DIGEST: 30,
    Kind.REPORT: 40,
}
_LEVEL_RANK = {AlertLevel.OUT: 0, AlertLevel.URGENT: 1, AlertLevel.WATCH: 2}


def priority(kind: Kind, level: AlertLevel | None = None) -> int:
    """Return the place in the queue, lowest first: kind, then how bad it is."""
    return _PLACES[kind] + (0 if level is None else _LEVEL_RANK[level])


NOTICES = frozenset({Kind.FIRST, Kind.ESCALATION, Kind.CHANGE})
"""What tells of one revision of an episode: the content is a StockAlert."""

MUST_ARRIVE = frozenset({Kind.FIRST, Kind.ESCALATION})
"""What people act on: it goes by itself where there is room, and is better read twice than lost."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery to be recorded for one revision of an episode.

    `destination` is None when no route wanted the alert. `hold`: it waits on purpose. `withdraws`
    is what becomes of a first notice that waits, in whose place this one comes. `replaces`: changes
    that wait give way to it, since it tells more.
    """

    alert: StockAlert
    destination: str | None
    kind: Kind
    state: State
    reason: str | None = None
    hold: Hold | None = None
    withdraws: State | None = None
    replaces: bool = True


@dataclass(frozen=True, slots=True)
class Recipients:
    """How far a message has come, by address; each is in exactly one of these.

    Of a WeCom application `reached` are those whose card says it, by user id in lower case.
    `refused` has the server's answer behind each address.
    """

    left: tuple[str, ...]
    reached: tuple[str, ...] = ()
    in_doubt: tuple[str, ...] = ()
    """The server may have taken the message for them."""
    refused: tuple[str, ...] = ()
    overtaken: tuple[str, ...] = ()
    """They have heard of something newer of the episode meanwhile."""

    def of(self, everybody: Collection[str]) -> Self:
        """Return how far it has come with those whom it is for now: addresses may be mended."""
        refused = (entry.rpartition(" ")[0] for entry in self.refused)
        known = {*self.left, *self.reached, *self.in_doubt, *refused, *self.overtaken}
        left = [each for each in self.left if each in everybody]
        return replace(self, left=(*left, *(each for each in everybody if each not in known)))

    def without(self, told: Collection[str]) -> Self:
        """Return how far it has come now that these have heard of something newer."""
        overtaken = tuple(each for each in self.left if each in told)
        left = tuple(each for each in self.left if each not in told)
        return replace(self, left=left, overtaken=self.overtaken + overtaken)


class CardCode(NamedTuple):
    """What lets a card be changed, once, and who has the card (user ids in lower case)."""

    code: str
    users: tuple[str, ...]


class Posted(NamedTuple):
    """A message that is there: what the vendor calls it, and what was sent."""

    ts: str
    rendered: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as its sender takes it up.

    `content` is the message's JSON: a StockAlert, a Digest, an AlertReport (of an order as well) or
    a note, by kind.
    `attempts` counts the present one, `tried_before` are those before a person had it sent again.
    `recipients` is None before the first attempt and where nobody is told by name. `thread` is what
    the vendor calls the episode's first notice, where that is known and of use; `cards` let those
    be changed that are there already, `posted` are the messages with buttons that a channel has of
    the episode, the oldest first.
    """

    id: UUID
    kind: Kind
    alert_id: UUID | None
    alert_number: int | None
    event: AlertEvent | None
    content: str
    attempts: int
    duplicate_possible: bool
    has_first: bool
    tried_before: int = 0
    recipients: Recipients | None = None
    traceparent: str | None = None
    thread: str | None = None
    cards: tuple[CardCode, ...] = ()
    posted: tuple[Posted, ...] = ()
