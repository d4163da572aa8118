"""A change as the ledger works on it: decoded, identified, its place in time known."""

from datetime import datetime
from enum import IntEnum
from hashlib import blake2b
from typing import NamedTuple

from shared.events.stock_changes import ChangeType


class Type(IntEnum):
    """A change's type as it is stored; numbers are for life."""

    SALE = 1
    RETURN = 2
    RECEIPT = 3
    ADJUSTMENT = 4
    COUNT = 5


TYPE_OF: dict[ChangeType, Type] = {each: Type[each.name] for each in ChangeType}
NAME_OF: dict[int, str] = {number.value: each.value for each, number in TYPE_OF.items()}

DAMAGED = "damaged"
"""A return with this reason is on hand but cannot be sold."""


class Change(NamedTuple):
    """One change. `hash` identifies it, `content` tells whether a repeat says the same.

    `level` is the level's id, `position` the index of its record within the batch.
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
) -> int:
    """Return 63 bits of what must be the same for a repeat: never times or actor.

    No text contains the NUL that parts them; a missing one is told apart from an empty one.
    """
    told = (
        f"{change_type}\0{sku}\0{warehouse}\0{quantity}\0"
        f"{'' if reason is None else '+' + reason}\0{'' if reference is None else '+' + reference}"
    )
    return int.from_bytes(blake2b(told.encode(), digest_size=8).digest()) >> 1


def count_key(change: Change) -> str:
    """Return what orders counts of the same instant."""
    return f"{change.channel}\x1f{change.id}\x1f{change.line}"
