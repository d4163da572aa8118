"""A change as the ledger works on it: decoded, identified, its place in time known."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import IntEnum
from hashlib import blake2b
from typing import NamedTuple, Protocol

from shared.events.stock_changes import Bucket, ChangeType


class Type(IntEnum):
    """A change's type as it is stored; numbers are for life."""

    SALE = 1
    RETURN = 2
    RECEIPT = 3
    ADJUSTMENT = 4
    COUNT = 5
    CONSUMED = 6
    PRODUCED = 7
    HOLD = 8
    RELEASE = 9
    ORDER_PLACED = 10
    ORDER_CANCELLED = 11
    ORDER_FULFILLED = 12
    TRANSFER_SHIPPED = 13
    TRANSFER_RECEIVED = 14
    SUPPLY_EXPECTED = 15
    SUPPLY_CANCELLED = 16
    DEMAND_EXPECTED = 17
    DEMAND_CANCELLED = 18
    TRANSFER_ARRIVING = 19
    """The other half of `TRANSFER_SHIPPED`: what it does where the goods are going."""
    RESERVED = 20
    RESERVATION_RELEASED = 21
    RESERVATION_FULFILLED = 22
    COUNT_WAITING = 23
    """A count that somebody has to approve: it moves nothing; once approved, a `COUNT` does."""

    # Asked of sets and tables for every change: an enumeration's own hash is six times as slow.
    __hash__ = int.__hash__


TYPE_OF: dict[ChangeType, Type] = {each: Type[each.name] for each in ChangeType}
NAME_OF: dict[int, str] = {number.value: each.value for each, number in TYPE_OF.items()}
NAME_OF |= {
    each.value: each.name.lower()
    for each in (
        Type.TRANSFER_ARRIVING,
        Type.RESERVED,
        Type.RESERVATION_RELEASED,
        Type.RESERVATION_FULFILLED,
        Type.COUNT_WAITING,
    )
}

DAMAGED = "damaged"
"""A return with this reason is on hand but cannot be sold."""


class Moving(Protocol):
    """What of a change says how much it moves."""

    @property
    def type(self) -> Type: ...  # noqa: D102
    @property
    def quantity(self) -> int: ...  # noqa: D102
    @property
    def reason(self) -> str | None: ...  # noqa: D102


class Change(NamedTuple):
    """One change. `hash` identifies it, `content` tells whether a repeat says the same.

    `level` is the level's id, `counterparty` the other warehouse of a transfer and `other` the
    id of the level there; `bucket` is None for on hand. `position` is the index of its record
    within the batch.
    """

    level: int
    type: Type
    quantity: int
    occurred_at: datetime
    received_at: datetime
    channel: str
    id: str
    line: str
    reason: str | None
    reference: str | None
    actor: str | None
    hash: bytes
    content: int
    position: int
    offset: int
    counterparty: str | None = None
    bucket: Bucket | None = None
    eta: datetime | None = None
    other: int | None = None


def identity_hash(channel: str, change_id: str, line: str) -> bytes:
    """Return 16 bytes for (channel, id, line); none of them contains a control character."""
    return blake2b(f"{channel}\x1f{change_id}\x1f{line}".encode(), digest_size=16).digest()


def content_hash(
    change_type: str,
    sku: str,
    warehouse: str,
    quantity: int,
    reason: str | None,
    reference: str | None,
    counterparty: str | None = None,
    bucket: str | None = None,
    eta: datetime | None = None,
) -> int:
    """Return 63 bits of what must be the same for a repeat: never times or actor.

    No text contains the NUL that parts them; a missing one is told apart from an empty one.
    """
    told = (
        f"{change_type}\0{sku}\0{warehouse}\0{quantity}\0"
        f"{'' if reason is None else '+' + reason}\0{'' if reference is None else '+' + reference}"
    )
    if counterparty is not None or bucket is not None or eta is not None:
        told += f"\0{counterparty or ''}\0{bucket or ''}\0{eta and eta.astimezone(UTC)}"
    return int.from_bytes(blake2b(told.encode(), digest_size=8).digest()) >> 1


def count_key(change: Change) -> str:
    """Return what orders decisions of the same instant: counts, expected supply and demand."""
    return f"{change.channel}\x1f{change.id}\x1f{change.line}"


SIGNS = dict.fromkeys(Type, 0) | {
    Type.SALE: -1,
    Type.RETURN: 1,
    Type.RECEIPT: 1,
    Type.ADJUSTMENT: 1,
    Type.CONSUMED: -1,
    Type.PRODUCED: 1,
    Type.ORDER_FULFILLED: -1,
    Type.TRANSFER_SHIPPED: -1,
    Type.TRANSFER_RECEIVED: 1,
    Type.RESERVATION_FULFILLED: -1,
}
"""What a unit of each type means for on hand; 0 for a count, which says what is there."""

SOLD = frozenset({Type.SALE, Type.ORDER_FULFILLED, Type.RESERVATION_FULFILLED})
"""Types by which units are sold."""

# Bound once: this runs for every change there is.
_HOLD, _RELEASE, _RETURN = Type.HOLD, Type.RELEASE, Type.RETURN


def unavailable_of(change: Moving) -> int:
    """Return what a change means for what is there but cannot be sold."""
    change_type = change.type
    if change_type is _HOLD or (change_type is _RETURN and change.reason == DAMAGED):
        return change.quantity
    return -change.quantity if change_type is _RELEASE else 0


def with_arrivals(changes: list[Change], warehouse_of: Callable[[int], str]) -> list[Change]:
    """Return changes with the other half of each transfer, where its goods are going."""
    if not any(change.other for change in changes):
        return changes
    both = []
    for change in changes:
        both.append(change)
        if change.other is not None:
            both.append(
                change._replace(
                    level=change.other,
                    type=Type.TRANSFER_ARRIVING,
                    counterparty=warehouse_of(change.level),
                    other=None,
                )
            )
    return both
