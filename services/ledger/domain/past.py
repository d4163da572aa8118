"""A level's past: its changes walked through once, in the order in which they happened.

Slower than differences and simpler: what `effects` must agree with. Used where a difference does
not suffice (`as_of`, statements, counts of what is available) and to verify.
"""

from bisect import bisect, bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from services.ledger.domain.changes import SIGNS, Change, Type, unavailable_of
from services.ledger.domain.commitments import COMMITTING, Book, Key, Line
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

    def of(self, bucket: Bucket | None) -> int:
        """Return what a count of a bucket should find; None is on hand."""
        match bucket:
            case Bucket.UNAVAILABLE:
                return self.unavailable
            case Bucket.AVAILABLE:
                return self.available
            case _:
                return self.on_hand


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
    recorded, `movements` how many there were. `count_key` is as of an `effects.Anchor`, `unordered`
    as of a `Book`; `lines` are all that changes after it can still be about.
    """

    at: datetime
    recorded_until: datetime
    movements: int
    standing: Standing
    totals: Totals
    count_key: str | None
    unordered: int
    lines: Mapping[Key, Line]


def in_order(change: Change) -> tuple[datetime, bool, str, str, str]:
    """Return what changes are ordered by: a change at a count's instant is contained in it."""
    is_count = change.type is Type.COUNT
    return change.occurred_at, is_count, change.channel, change.id, change.line


_NOTHING = Standing()
_COUNT = Type.COUNT


def walk(
    past: Iterable[Change],
    book: Book | None = None,
    opening: Standing = _NOTHING,
    *,
    noting: bool = True,
) -> Iterator[Standing]:
    """Yield how a level stood after each of its changes, which must be in order.

    It begins at its opening, with the lines of the book that is given; afterwards the book has
    the level's lines as they are after the last change. Without `noting`, what is used up is in
    it only for references that it had a line for.
    """
    book = book or Book()
    book.noting = noting
    on_hand, reserved, unavailable, incoming = opening
    for change in past:
        change_type = change.type
        if change_type is _COUNT:
            match change.bucket:
                case Bucket.UNAVAILABLE:
                    unavailable = change.quantity
                case Bucket.AVAILABLE:
                    on_hand = change.quantity + max(reserved, 0) + unavailable
                case _:
                    on_hand = change.quantity
        else:
            on_hand += SIGNS[change_type] * change.quantity
            unavailable += unavailable_of(change)
            if change.reference or change_type in COMMITTING:
                more_reserved, more_incoming = book.take(change)
                reserved += more_reserved
                incoming += more_incoming
        yield Standing(on_hand, reserved, unavailable, incoming)


def now(
    past: Iterable[Change], opening: Opening | None = None, book: Book | None = None
) -> Standing:
    """Return how a level stands after all its changes, which a book given has the lines of then."""
    if opening is None:
        return _last(_NOTHING, walk(past, book))
    book = book or Book()
    book.lines.update(opening.lines)
    return _last(opening.standing, walk(past, book, opening.standing))


def _last(before: Standing, after: Iterable[Standing]) -> Standing:
    return deque(chain((before,), after), maxlen=1).pop()


@dataclass(frozen=True, slots=True)
class Tail:
    """The last of a level's changes, in order, into which others are worked.

    All before have been walked through once, and left `standing` and `lines`.
    """

    standing: Standing
    lines: Mapping[Key, Line]
    changes: list[Change]

    def take(self, change: Change) -> None:
        """Put a change where it belongs; it must not have happened before all of these."""
        insort(self.changes, change, key=in_order)

    def before(self, change: Change) -> Standing:
        """Return how the level stood before a change."""
        return self._after(self.changes[: self._place_of(change)])

    def since(self, change: Change) -> Sequence[Change]:
        """Return what has happened after a change."""
        return self.changes[self._place_of(change) :]

    def now(self) -> Standing:
        """Return how the level stands after all of them."""
        return self._after(self.changes)

    def _place_of(self, change: Change) -> int:
        return bisect(self.changes, in_order(change), key=in_order)

    def _after(self, changes: Iterable[Change]) -> Standing:
        return _last(self.standing, walk(changes, Book(dict(self.lines)), self.standing))


def tail(past: Sequence[Change], opening: Opening | None, since: datetime) -> Tail:
    """Return what of a past has happened since an instant, or at it."""
    start = bisect_left(past, since, key=lambda change: change.occurred_at)
    book = Book()
    standing = now(past[:start], opening, book)
    return Tail(standing, book.lines, [*past[start:]])
