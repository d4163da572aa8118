"""A level's past: its changes walked through once, in the order in which they happened.

Slower than differences and simpler: what `effects` must agree with. Used where a difference does
not suffice (`as_of`, statements, counts of what is available) and to verify.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, Self

from services.ledger.domain.changes import SIGNS, Change, Type, unavailable_of
from services.ledger.domain.commitments import Kind, Line, open_of


class Standing(NamedTuple):
    """A level's quantities at an instant, in base units."""

    on_hand: int = 0
    reserved: int = 0
    unavailable: int = 0

    @property
    def available(self) -> int:
        """What may be sold; more shipped than was ordered does not add to it."""
        return self.on_hand - max(self.reserved, 0) - self.unavailable


class Past(NamedTuple):
    """A change as far as its level's quantities are concerned."""

    type: Type
    quantity: int
    occurred_at: datetime
    channel: str
    id: str
    line: str
    reason: str | None
    reference: str | None
    bucket: str | None

    @classmethod
    def of(cls, change: Change) -> Self:
        """Return what of a change is remembered here."""
        return cls(
            change.type,
            change.quantity,
            change.occurred_at,
            change.channel,
            change.id,
            change.line,
            change.reason,
            change.reference,
            change.bucket,
        )


def in_order(change: Past) -> tuple[datetime, bool, str, str, str]:
    """Return what changes are ordered by: a change at a count's instant is contained in it."""
    is_count = change.type is Type.COUNT
    return change.occurred_at, is_count, change.channel, change.id, change.line


_PLACED, _ENDED = Type.ORDER_PLACED, {Type.ORDER_CANCELLED, Type.ORDER_FULFILLED}


def walk(past: Iterable[Past]) -> Iterator[Standing]:
    """Yield how a level stood after each of its changes, which must be in order."""
    on_hand = reserved = unavailable = 0
    orders: dict[str | None, Line] = {}
    for change in past:
        if change.type is Type.COUNT:
            match change.bucket:
                case "unavailable":
                    unavailable = change.quantity
                case "available":
                    on_hand = change.quantity + max(reserved, 0) + unavailable
                case _:
                    on_hand = change.quantity
        else:
            on_hand += SIGNS[change.type] * change.quantity
            unavailable += unavailable_of(change)
            if change.type is _PLACED or change.type in _ENDED:
                before = orders.get(change.reference) or Line()
                placed = change.type is _PLACED
                after = Line(
                    before.total + (change.quantity if placed else 0),
                    before.done + (0 if placed else change.quantity),
                )
                orders[change.reference] = after
                reserved += open_of(Kind.ORDER, after) - open_of(Kind.ORDER, before)
        yield Standing(on_hand, reserved, unavailable)


def now(past: Sequence[Past]) -> Standing:
    """Return how a level stands after all its changes, which must be in order."""
    return deque(walk(past), maxlen=1).pop() if past else Standing()
