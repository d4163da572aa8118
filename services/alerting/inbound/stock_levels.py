"""Read `stock.levels`: a whole batch in one call, record by record only when something is wrong.

The structure mirrors `shared.events.stock_levels.StockLevel`; a contract test holds them
together.
"""

import re
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from pydantic import ValidationError

from services.alerting.domain.subject import Level
from shared.errors import Stopped
from shared.events.dead_letters import DeadReason
from shared.events.stock_levels import VERSION, StockLevel
from shared.kafka.handler import Batch
from shared.kafka.messages import Record
from shared.kafka.partitions import partition_of
from shared.kafka.reading import words

_LARGEST = 2**63 - 1
_Code = Annotated[str, Meta(min_length=1, max_length=128)]
_Units = Annotated[int, Meta(ge=-_LARGEST, le=_LARGEST)]
_Instant = Annotated[datetime, Meta(tz=True)]


class Due(msgspec.Struct, frozen=True, gc=False):
    """A supply, a transfer or a demand that is still to come."""

    quantity: _Units
    due_at: _Instant | None
    reference: str


class Corrected(msgspec.Struct, frozen=True, gc=False):
    """What came to light late."""

    since: _Instant | None
    raised: Annotated[int, Meta(ge=0, le=_LARGEST)]
    lowered: Annotated[int, Meta(ge=0, le=_LARGEST)] | None
    sold_long_ago: Annotated[int, Meta(ge=0, le=_LARGEST)] = 0


class Told(msgspec.Struct, frozen=True, gc=False):
    """A level as it stands on the topic."""

    sku: _Code
    warehouse: _Code
    version: _Units
    on_hand: _Units
    reserved: _Units
    unavailable: _Units
    incoming: _Units
    available: _Units
    low_water: _Units
    counted_at: _Instant | None
    last_change_at: _Instant
    sold_total: _Units
    returned_total: _Units
    received_total: _Units
    v: Literal[1] = 1
    supply: tuple[Due, ...] = ()
    demand: tuple[Due, ...] = ()
    flags: tuple[str, ...] = ()
    corrected: Corrected | None = None


class _Versioned(msgspec.Struct):
    v: int = 1


_foreign = re.compile(r"[|\x00-\x1f\x7f]").search
"""Finds what no code holds; see `shared.events.base.Code`."""

_one = msgspec.json.Decoder(Told)
_many = msgspec.json.Decoder(list[Told])
_version = msgspec.json.Decoder(_Versioned)


def read(batch: Batch, partitions: int) -> list[tuple[Record, Level]]:
    """Return the batch's readable records with their levels; the others become dead letters.

    So does what lies where its SKU is not, among so many partitions: whoever owns that one knows
    nothing of the level. A record without value (the topic is compacted) says nothing and is left
    out. Raises Stopped at a schema version newer than this one: such a record is good, and must
    wait for a release that can read it.
    """
    found: list[tuple[Record, Level]] = []
    for record, level in _readable(batch):
        home = partition_of(level.sku, partitions)
        if home == record.partition:
            found.append((record, level))
        else:
            batch.dead(
                record,
                DeadReason.MISPLACED,
                f"{level.sku} is in partition {home} of {partitions}, not {record.partition}",
            )
    return found


def _readable(batch: Batch) -> list[tuple[Record, Level]]:
    records = [record for record in batch.records if record.value is not None]
    values = [record.value or b"" for record in records]
    try:
        levels = _many.decode(b"[" + b",".join(values) + b"]")
    except (msgspec.DecodeError, RecursionError):
        pass
    else:
        # A record that held two values would shift all that follow.
        if len(levels) == len(records) and all(map(_well_named, levels)):
            return list(zip(records, levels, strict=True))
    return [pair for record in records if (pair := _read_alone(batch, record)) is not None]


def _well_named(level: Level) -> bool:
    # Of both at once: half the time of a pattern for each.
    return _foreign(level.sku + level.warehouse) is None


def _read_alone(batch: Batch, record: Record) -> tuple[Record, Level] | None:
    value = record.value or b""
    try:
        StockLevel.model_validate_json(value)
        return record, _one.decode(value)
    except (ValidationError, msgspec.DecodeError, RecursionError) as error:
        batch.dead(record, _reason(record, value), _words(error))
        return None


def _reason(record: Record, value: bytes) -> DeadReason:
    try:
        found = _version.decode(value)
    except msgspec.ValidationError:
        return DeadReason.INVALID
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return DeadReason.UNDECODABLE
    if found.v > VERSION:
        raise Stopped(
            f"{record.topic} partition {record.partition} offset {record.offset} has schema "
            f"version {found.v}, newer than {VERSION}: upgrade alerting"
        )
    return DeadReason.INVALID


def _words(error: Exception) -> str:
    return words(error) if isinstance(error, ValidationError) else str(error)
