"""Write `stock.levels`. The structure mirrors `shared.events.stock_levels.StockLevel`."""

from datetime import datetime

import msgspec

from services.ledger.domain.effects import Correction
from services.ledger.domain.flags import flags
from services.ledger.domain.past import available
from services.ledger.store.changes import Level
from shared.events.stock_levels import level_key
from shared.kafka.messages import Message


class Corrected(msgspec.Struct, frozen=True, gc=False):
    """What came to light late; see `services.ledger.domain.effects.Correction`."""

    since: datetime | None
    raised: int
    lowered: int | None
    sold_long_ago: int


class Outgoing(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
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
    corrected: Corrected | None = None


_encode = msgspec.json.Encoder().encode
_NOTHING = msgspec.Raw(b"[]")


def message(
    sku: str,
    warehouse: str,
    partition: int,
    level: Level,
    low_water: int,
    corrected: Correction | None = None,
) -> Message:
    """Return the message that tells of a level."""
    (
        _,
        version,
        on_hand,
        reserved,
        unavailable,
        incoming,
        sold_total,
        returned_total,
        received_total,
        counted_at,
        last_change_at,
        supply,
        demand,
        doubt,
        _,
    ) = level
    value = Outgoing(
        1,
        sku,
        warehouse,
        version,
        on_hand,
        reserved,
        unavailable,
        incoming,
        available(on_hand, reserved, unavailable),
        low_water,
        counted_at,
        last_change_at,
        sold_total,
        returned_total,
        received_total,
        _NOTHING if supply is None else msgspec.Raw(supply.encode()),
        _NOTHING if demand is None else msgspec.Raw(demand.encode()),
        flags(on_hand, reserved, doubt),
        None if corrected is None else Corrected(*corrected),
    )
    return Message(partition, level_key(sku, warehouse), _encode(value))
