"""Reservations: all or nothing over their lines, decided one after the other on locked levels.

A reservation's promise is kept in the order's line of its reference (`commitments`), or of its own
id when it has none. Channels may report the same shipment or cancellation that the API is told of:
what they have said of a reference since it was reserved is matched with its reservations, oldest
report first, so that an order is consumed once, whoever says so first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from services.ledger.domain.changes import Change, Type
from services.ledger.domain.commitments import Key, Kind, Line, open_of
from services.ledger.domain.effects import Anchor, Effect, Entry, Known, apply
from services.ledger.domain.items import Item
from services.ledger.domain.past import Standing
from shared.events.base import MAX_QUANTITY
from shared.events.stock_levels import LevelKey

CHANNEL = "reservations"
"""The source that a statement names for what reservations do."""

MET = "met"
"""Why a movement is smaller than its line: a channel had reported the rest already."""

EXPIRED = "expired"
"""Why a reservation was released by nobody."""


def first_id(at: datetime) -> str:
    """Return what no reservation made at an instant or later has an id before.

    Its milliseconds, 12 hexadecimal digits: ids begin with it, and so grow with time.
    """
    return f"{int(at.timestamp() * 1000):012x}"


class State(StrEnum):
    """What became of a reservation."""

    HELD = "held"
    FULFILLED = "fulfilled"
    RELEASED = "released"
    EXPIRED = "expired"


class Wanted(NamedTuple):
    """A line as it is asked for; `line` is its place in the request."""

    line: str
    sku: str
    warehouse: str
    quantity: int


def taken_apart(wanted: Sequence[Wanted], items: Mapping[str, Item]) -> tuple[Wanted, ...]:
    """Return lines with a line for each component instead of a kit's own, such as `2/COMPONENT`."""
    lines: list[Wanted] = []
    for each in wanted:
        item = items.get(each.sku)
        if item is None or not item.kit:
            lines.append(each)
            continue
        lines += (
            Wanted(
                f"{each.line}/{part.sku}", part.sku, each.warehouse, each.quantity * part.quantity
            )
            for part in item.kit
        )
    return tuple(lines)


class Once(NamedTuple):
    """A request's Idempotency-Key, hashed with its caller (16 bytes), and a hash of what it asks.

    The same key answers the same; with other content it is refused.
    """

    key: bytes
    content: int


class Reserve(NamedTuple):
    """Asks for a reservation under an id of its own."""

    id: str
    wanted: tuple[Wanted, ...]
    reference: str | None
    expires_in: timedelta
    actor: str
    once: Once | None = None


class Fulfil(NamedTuple):
    """Says that what a reservation holds has left the shelf."""

    id: str
    actor: str
    once: Once | None = None


class Release(NamedTuple):
    """Asks to give back what a reservation holds."""

    id: str
    actor: str | None
    once: Once | None = None


class Reports(NamedTuple):
    """How much channels have reported of a line's order, in units: shipped, cancelled."""

    shipped: int = 0
    cancelled: int = 0


class HeldLine(NamedTuple):
    """A line of a reservation.

    `reference` names the order's line that holds its promise. What channels had reported of it
    before `since` is not about this reservation, or is matched with another one.
    """

    level: int
    line: str
    sku: str
    warehouse: str
    quantity: int
    reference: str
    since: Reports


@dataclass(frozen=True, slots=True)
class Reservation:
    """A reservation; `partition` is the one whose worker lets it expire."""

    id: str
    partition: int
    reference: str | None
    state: State
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    lines: tuple[HeldLine, ...]

    def with_since(self, since: Mapping[tuple[str, str], Reports]) -> "Reservation":
        """Return it with what is not about it given anew, by reservation and line."""
        lines = (line._replace(since=since[self.id, line.line]) for line in self.lines)
        return replace(self, lines=tuple(lines))


class Lack(NamedTuple):
    """A level that has less available than the lines of a request want from it together."""

    lines: tuple[str, ...]
    sku: str
    warehouse: str
    wanted: int
    available: int
    lacking: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A reservation that has ended otherwise than was asked for."""

    reservation: Reservation


class Unknown(NamedTuple):
    """There is no reservation of this id."""

    id: str


class Reused(NamedTuple):
    """The Idempotency-Key has asked for something else before."""


Request = Reserve | Fulfil | Release
Outcome = Reservation | tuple[Lack, ...] | Ended | Unknown | Reused


class LockedLevel(NamedTuple):
    """A level whose row is held until the transaction ends.

    `unordered` is by how much orders that nobody has placed take `standing.reserved` down.
    """

    id: int
    partition: int
    standing: Standing
    unordered: int
    anchor: Anchor
    demanding: bool


class Match(NamedTuple):
    """Reports that a reservation was matched with, behind those before `since`."""

    level: int
    reference: str
    since: Reports
    taken: Reports

    def taken_off(self, line: HeldLine) -> HeldLine:
        """Return another line of the same order as it is when these reports are spoken for."""
        if (line.level, line.reference) != self[:2]:
            return line
        return line._replace(
            since=Reports(
                *(
                    other + max(0, since + taken - max(since, other))
                    for other, since, taken in zip(line.since, self.since, self.taken, strict=True)
                )
            ),
        )


@dataclass(slots=True)
class Decisions:
    """What one transaction decides, in order of arrival; `at` is its instant.

    Has every level, every order's line and every reservation that is asked about. Each decision
    reads them as the decisions before have left them.
    """

    levels: Mapping[LevelKey, LockedLevel]
    known: Known
    reservations: dict[str, Reservation]
    at: datetime
    items: Mapping[str, Item] = field(default_factory=dict)
    """What is known of the SKUs that are asked for, and of the components of kits."""
    entries: list[Entry] = field(default_factory=list)
    effects: dict[int, Effect] = field(default_factory=dict)
    matches: list[Match] = field(default_factory=list)
    made: list[Reservation] = field(default_factory=list)
    ended: list[Reservation] = field(default_factory=list)
    _anchors: dict[int, Anchor] = field(init=False)

    def __post_init__(self) -> None:
        self._anchors = {level.id: level.anchor for level in self.levels.values()}

    def decide(self, request: Request) -> Outcome:
        """Return what becomes of a request."""
        match request:
            case Reserve():
                return self._reserve(request)
            case Fulfil():
                return self._end(request, State.FULFILLED)
            case Release():
                return self._end(request, State.RELEASED)

    def expire(self, held: Reservation) -> None:
        """Take back what is held."""
        self._take_end(self._released(held, State.EXPIRED, None))

    def _reserve(self, asked: Reserve) -> Reservation | tuple[Lack, ...]:
        """Hold all that is wanted, or nothing and say what is lacking."""
        wanted = taken_apart(asked.wanted, self.items)
        sums: dict[LevelKey, list[Wanted]] = {}
        for each in wanted:
            sums.setdefault((each.sku, each.warehouse), []).append(each)
        references: dict[LevelKey, str] = {}
        lacking: list[Lack] = []
        for place, lines in sums.items():
            references[place] = asked.reference or asked.id
            level = self.levels.get(place)
            quantity = needed = sum(each.quantity for each in lines)
            available = 0
            if level is not None:
                available = self._available(level)
                shared, more = _promise(self._order(level.id, references[place]), quantity)
                if shared:
                    needed = more
                else:
                    references[place] = asked.id
            if level is None or (
                needed > max(0, available) and not self._oversells(place[0], needed)
            ):
                names = tuple(each.line for each in lines)
                lacking.append(Lack(names, *place, quantity, available, needed - available))
        if lacking:
            return tuple(lacking)
        held = tuple(self._held(each, references[each.sku, each.warehouse]) for each in wanted)
        self._apply(
            asked.id, [(each, Type.RESERVED, each.quantity, None) for each in held], asked.actor
        )
        first = self.levels[wanted[0].sku, wanted[0].warehouse]
        made = Reservation(
            asked.id,
            first.partition,
            asked.reference,
            State.HELD,
            self.at,
            self.at + asked.expires_in,
            None,
            held,
        )
        self.reservations[made.id] = made
        self.made.append(made)
        return made

    def _end(self, asked: Fulfil | Release, state: State) -> Reservation | Ended | Unknown:
        """End a reservation; ending it again the same way changes nothing and says the same.

        So what channels have shipped whole cannot be given back, the first time either.
        """
        held = self.reservations.get(asked.id)
        if held is None:
            return Unknown(asked.id)
        if held.state is State.HELD:
            held = self._take_end(
                self._fulfilled(held, asked.actor)
                if isinstance(asked, Fulfil)
                else self._released(held, state, asked.actor)
            )
        gone = {State.RELEASED, State.EXPIRED}
        return held if held.state is state or {held.state, state} <= gone else Ended(held)

    def _take_end(self, ended: Reservation) -> Reservation:
        self.reservations[ended.id] = ended
        self.ended.append(ended)
        return ended

    def _fulfilled(self, held: Reservation, actor: str) -> Reservation:
        """Take what is held from the shelf, less what channels have reported as shipped."""
        moves = []
        for each in held.lines:
            met = min(each.quantity, self._reported(each).shipped)
            self._match(each, Reports(shipped=met))
            left = each.quantity - met
            moves.append((each, Type.RESERVATION_FULFILLED, left, MET if met else None))
        self._apply(held.id, moves, actor)
        return replace(held, state=State.FULFILLED, ended_at=self.at)

    def _released(self, held: Reservation, state: State, actor: str | None) -> Reservation:
        """Give back what is held, less what channels have reported as shipped or cancelled.

        When all of it was shipped, it is fulfilled and not `state`.
        """
        moves = []
        unshipped = 0
        for each in held.lines:
            reported = self._reported(each)
            shipped = min(each.quantity, reported.shipped)
            cancelled = min(each.quantity - shipped, reported.cancelled)
            self._match(each, Reports(shipped, cancelled))
            unshipped += each.quantity - shipped
            left = each.quantity - shipped - cancelled
            reason = EXPIRED if state is State.EXPIRED else MET if left < each.quantity else None
            moves.append((each, Type.RESERVATION_RELEASED, left, reason))
        self._apply(held.id, moves, actor)
        return replace(held, state=state if unshipped else State.FULFILLED, ended_at=self.at)

    def _oversells(self, sku: str, needed: int) -> bool:
        """Return whether more than there is may be promised of a SKU; not beyond what fits."""
        item = self.items.get(sku)
        return item is not None and item.oversell and needed <= MAX_QUANTITY

    def _available(self, level: LockedLevel) -> int:
        """Return what is available now; what was shipped unordered is promised to nobody else."""
        standing, effect = level.standing, self.effects.get(level.id)
        available = standing.on_hand - standing.reserved - standing.unavailable - level.unordered
        if effect is not None:
            available += effect.on_hand - effect.reserved - effect.unavailable
        return available - self.known.book.unordered.get(level.id, 0)

    def _order(self, level: int, reference: str) -> Line:
        return self.known.book.lines.get(Key(level, Kind.ORDER, reference)) or Line()

    def _held(self, wanted: Wanted, reference: str) -> HeldLine:
        level = self.levels[wanted.sku, wanted.warehouse].id
        order = self._order(level, reference)
        return HeldLine(level, *wanted, reference, Reports(order.shipped, order.cancelled))

    def _reported(self, line: HeldLine) -> Reports:
        """Return what channels have reported of a line that is not matched yet."""
        since = self._unmatched(line).since
        order = self._order(line.level, line.reference)
        return Reports(
            max(0, order.shipped - since.shipped), max(0, order.cancelled - since.cancelled)
        )

    def _match(self, line: HeldLine, taken: Reports) -> None:
        if any(taken):
            since = self._unmatched(line).since
            self.matches.append(Match(line.level, line.reference, since, taken))

    def _unmatched(self, line: HeldLine) -> HeldLine:
        for match in self.matches:
            line = match.taken_off(line)
        return line

    def _apply(
        self,
        reservation_id: str,
        moves: Sequence[tuple[HeldLine, Type, int, str | None]],
        actor: str | None,
    ) -> None:
        changes = [
            Change(
                level=each.level,
                type=type_,
                quantity=quantity,
                occurred_at=self.at,
                received_at=self.at,
                channel=CHANNEL,
                id=reservation_id,
                line=each.line,
                reason=reason,
                reference=each.reference,
                actor=actor,
                hash=b"",
                content=0,
                position=0,
                offset=-1,
            )
            for each, type_, quantity, reason in moves
        ]
        entries, _ = apply(changes, self._anchors, self.known, self.effects)
        self.entries += entries


def _promise(order: Line, quantity: int) -> tuple[bool, int]:
    """Return whether an order's line can hold so much more of a promise, and what that adds to it.

    It cannot where channels have reported so much as shipped or cancelled that what is reserved
    now would count as done, nor after a cancellation that is about others still held: it may turn
    out that all of those were fulfilled, and must not take this one instead. Either is a promise
    of its own.
    """
    before = max(0, open_of(Kind.ORDER, order))
    left = open_of(Kind.ORDER, order._replace(held=order.held + quantity))
    others = order.held - order.released - order.fulfilled
    more = order.cancelled == 0 and left - before >= quantity
    shared = order.done == 0 or more or (others == 0 and left >= quantity)
    return shared, left - before
