"""A level's past: its changes walked through once, in the order in which they happened.

Slower than differences and simpler: what `effects` must agree with. Used where a difference does
not suffice (`as_of`, statements, counts of what is available) and to verify.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from services.ledger.domain.changes import SIGNS, SOLD, Change, Type, unavailable_of
from services.ledger.domain.commitments import Book, Key, Kind, Line, demands
from shared.events.stock_changes import Bucket


class Standing(NamedTuple):
    """A level's quantities at an instant, in base units."""

    on_hand: int = 0
    reserved: int = 0
    unavailable: int = 0
    incoming: int = 0

    @property
    def available(self) -> int:
        """What may be sold."""
        return available(self.on_hand, self.reserved, self.unavailable)


def available(on_hand: int, reserved: int, unavailable: int) -> int:
    """Return what may be sold; more shipped than was ordered does not add to it."""
    return on_hand - unavailable - reserved if reserved > 0 else on_hand - unavailable


class Totals(NamedTuple):
    """What only grows, and the level's place in time."""

    sold: int
    sold_changes: int
    returned: int
    received: int
    counted_at: datetime | None
    last_change_at: datetime


class Opening(NamedTuple):
    """How a level stood after all its changes up to an instant, whose days are archived.

    `at` is when the newest of them happened, `recorded_until` when the last of them was
    recorded, `movements` how many there were. `count_key` and `intricate` are as of an
    `effects.Anchor`; `lines` are all that changes after it can still be about.
    """

    at: datetime
    recorded_until: datetime
    movements: int
    standing: Standing
    totals: Totals
    count_key: str | None
    intricate: bool
    lines: Mapping[Key, Line]


def in_order(change: Change) -> tuple[datetime, bool, str, str, str]:
    """Return what changes are ordered by: a change at a count's instant is contained in it."""
    is_count = change.type is Type.COUNT
    return change.occurred_at, is_count, change.channel, change.id, change.line


def walk(
    past: Sequence[Change], book: Book | None = None, opening: Opening | None = None
) -> Iterator[Standing]:
    """Yield how a level stood after each of its changes, which must be in order.

    They are all that it ever had, or all after an opening. A book that is given has the level's
    lines as they are after the last one.
    """
    book = book or Book()
    on_hand = reserved = unavailable = incoming = 0
    if opening is not None:
        book.lines.update(opening.lines)
        on_hand, reserved, unavailable, incoming = opening.standing
    for change in past:
        if demands(change) and change.reference:
            book.lines.setdefault(Key(change.level, Kind.CONSUMPTION, change.reference), Line())
    for change in past:
        if change.type is Type.COUNT:
            match change.bucket:
                case Bucket.UNAVAILABLE:
                    unavailable = change.quantity
                case Bucket.AVAILABLE:
                    on_hand = change.quantity + max(reserved, 0) + unavailable
                case _:
                    on_hand = change.quantity
        else:
            on_hand += SIGNS[change.type] * change.quantity
            unavailable += unavailable_of(change)
            more_reserved, more_incoming = book.take(change)
            reserved += more_reserved
            incoming += more_incoming
        yield Standing(on_hand, reserved, unavailable, incoming)


def now(
    past: Sequence[Change], opening: Opening | None = None, book: Book | None = None
) -> Standing:
    """Return how a level stands after all its changes; see `walk`."""
    before = Standing() if opening is None else opening.standing
    return deque(chain((before,), walk(past, book, opening)), maxlen=1).pop()


def totals(past: Sequence[Change], opening: Opening | None = None) -> Totals:
    """Return the totals of a level's changes, of which there must be one at least; see `walk`."""

    def total(types: Collection[Type]) -> int:
        return sum(change.quantity for change in past if change.type in types)

    before = None if opening is None else opening.totals
    counts = [
        change.occurred_at
        for change in past
        if change.type is Type.COUNT and change.bucket is not Bucket.UNAVAILABLE
    ]
    if before is not None and before.counted_at is not None:
        counts.append(before.counted_at)
    instants = [change.occurred_at for change in past]
    if before is not None:
        instants.append(before.last_change_at)
    sold, sold_changes, returned, received = (0, 0, 0, 0) if before is None else before[:4]
    return Totals(
        sold + total(SOLD),
        sold_changes + sum(change.type in SOLD for change in past),
        returned + total({Type.RETURN}),
        received + total({Type.RECEIPT}),
        max(counts, default=None),
        max(instants),
    )
