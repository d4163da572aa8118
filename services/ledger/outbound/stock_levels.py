"""Write `stock.levels`. The structure mirrors `shared.events.stock_levels.StockLevel`."""

from datetime import datetime

import msgspec

from services.ledger.store.changes import Level
from shared.events.stock_levels import level_key
from shared.kafka.messages import Message

NEGATIVE = "negative"
"""On hand is below zero: a fact to be shown, not an error."""


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A level as it stands on the topic."""

    v: int
    sku: str
    warehouse: str
    version: int
    on_hand: int
    reserved: int
    unavailable: int
    incoming: int
    available: int
    low_water: int
    counted_at: datetime | None
    last_change_at: datetime
    sold_total: int
    returned_total: int
    received_total: int
    flags: tuple[str, ...]


_encode = msgspec.json.Encoder().encode


def available(level: Level) -> int:
    """Return what may be sold; more shipped than was ordered does not add to it."""
    return level.on_hand - max(level.reserved, 0) - level.unavailable


def flags(level: Level) -> tuple[str, ...]:
    """Return the words for what is odd about a level."""
    return (NEGATIVE,) if level.on_hand < 0 else ()


def message(sku: str, warehouse: str, partition: int, level: Level, low_water: int) -> Message:
    """Return the message that tells of a level."""
    value = Outgoing(
        1,
        sku,
        warehouse,
        level.version,
        level.on_hand,
        level.reserved,
        level.unavailable,
        level.incoming,
        available(level),
        low_water,
        level.counted_at,
        level.last_change_at,
        level.sold_total,
        level.returned_total,
        level.received_total,
        flags(level),
    )
    return Message(partition, level_key(sku, warehouse), _encode(value))
