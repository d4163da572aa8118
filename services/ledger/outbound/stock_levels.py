"""Write `stock.levels`. The structure mirrors `shared.events.stock_levels.StockLevel`."""

from datetime import datetime

import msgspec

from services.ledger.domain.flags import flags
from services.ledger.domain.past import Standing
from services.ledger.store.changes import Level
from shared.events.stock_levels import level_key
from shared.kafka.messages import Message


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
    supply: msgspec.Raw
    demand: msgspec.Raw
    flags: tuple[str, ...]


_encode = msgspec.json.Encoder().encode


_NOTHING = msgspec.Raw(b"[]")


def _lines(stored: str | None) -> msgspec.Raw:
    return _NOTHING if stored is None else msgspec.Raw(stored.encode())


def message(sku: str, warehouse: str, partition: int, level: Level, low_water: int) -> Message:
    """Return the message that tells of a level."""
    standing = Standing(level.on_hand, level.reserved, level.unavailable, level.incoming)
    value = Outgoing(
        1,
        sku,
        warehouse,
        level.version,
        level.on_hand,
        level.reserved,
        level.unavailable,
        level.incoming,
        standing.available,
        low_water,
        level.counted_at,
        level.last_change_at,
        level.sold_total,
        level.returned_total,
        level.received_total,
        _lines(level.supply),
        _lines(level.demand),
        flags(standing, level.doubt),
    )
    return Message(partition, level_key(sku, warehouse), _encode(value))
