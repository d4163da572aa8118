"""Compare what `stock.levels` tells last of each level with what is stored of it.

The newest record of a key is its last one, whatever versions came before: that is what compaction
keeps. An earlier one of a version above the stored one is wrong even so: whoever has read it drops
all below. A level whose batch was published before the snapshot has to be there, at its version or
a later one, so the topic is read up to where it ends after the snapshot was taken. What the next
claim or turn is to publish is waited for, not missed; what is newer than the snapshot is looked up
once more.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, NamedTuple, TypeAlias

import msgspec
from pydantic import ValidationError

from services.ledger.outbound.stock_levels import message
from services.ledger.store import told
from services.ledger.store.told import ToTell
from shared.database.engine import Driver, Engine, driver, snapshot
from shared.events.stock_levels import LevelKey, StockLevel, level_key
from shared.kafka.log import LogReader

EVERYTHING = -1
"""What no batch has a number before."""

LEVELS_AT_ONCE = 100
"""After so many, a millisecond or two of work, whoever shares the loop gets a turn."""

_KEY_BYTES = 1_025
"""A level's key is no longer: two codes of 128 characters, and what joins them."""

_SHOWN = 100


class Last(NamedTuple):
    """What a key's last record says: None, that there is no such level any more.

    `highest` is the highest version among all its records.
    """

    value: bytes | None
    highest: int


Values: TypeAlias = dict[bytes, Last]
"""What was told last, by key."""

_NOTHING = Last(None, 0)


class _Versioned(msgspec.Struct):
    version: Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
    """One above could be followed by none that the database can store."""


_decode_version = msgspec.json.Decoder(_Versioned).decode


class Fault(StrEnum):
    """What is wrong with what the topic tells of a level."""

    MISSING = "missing"
    """Nothing is told of it, or nothing of its newest changes."""
    OLDER = "older"
    UNLIKE = "unlike"
    """It tells of the stored version, but something else than what is stored."""
    AHEAD = "ahead"
    """A version above the stored one was told, last or before: the database was restored."""
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"
    """No such level is stored: nothing can be told of it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A level of which the topic tells something wrong; `level` is None without a stored one."""

    fault: Fault
    sku: str
    warehouse: str
    told: int | None
    stored: int | None
    level: int | None


class Told:
    """What a reader has come by, by partition; half a kilobyte a level."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self.values: dict[int, Values] = {}
        self.records = 0
        self.time_ms = 0
        """When the broker took the newest of them."""

    async def left(self) -> int:
        """Return how many records are still to be read. Raises Unavailable."""
        ends = await self._reader.ends()
        return sum(max(0, end - at) for at, end in zip(self._reader.offsets, ends, strict=True))

    async def read_to_end(
        self, pace: Callable[[int], Awaitable[None]] | None = None, most: int | None = None
    ) -> None:
        """Read on to where the topic ends now. Raises Unavailable and Lost.

        `most` records at a time, if it is given; `pace` waits as is due after so many.
        """
        reader = self._reader
        ends = await reader.ends()
        while any(at < end for at, end in zip(reader.offsets, ends, strict=True)):
            records = await reader.poll(most)
            for record in records:
                values = self.values.setdefault(record.partition, {})
                key = record.key or b""
                before = values.get(key)
                highest = max(version_of(record.value), before.highest if before else 0)
                values[key] = Last(record.value, highest)
                self.time_ms = max(self.time_ms, record.timestamp)
            self.records += len(records)
            if pace is not None:
                await pace(len(records))


@dataclass(slots=True)
class Comparison:
    """What came out for some levels."""

    levels: int = 0
    waiting: int = 0
    """Levels that the next claim or turn tells of."""
    judged: set[LevelKey] = field(default_factory=set)
    """The others, and whatever else was told."""
    findings: list[Finding] = field(default_factory=list)
    newer: list[Finding] = field(default_factory=list)
    """What the database, asked now, may explain: see `unexplained`."""


async def compare(
    database: Driver,
    partition: int,
    published: int,
    values: Values,
    since: int,
) -> Comparison:
    """Compare the levels of a partition with what was told of them; `values` is used up.

    In the caller's snapshot, in which batches up to `published` were. Levels that no batch after
    `since` has touched are taken to be told rightly, unless something was told of them.
    """
    done = Comparison()
    async for some in told.levels(database, partition, since):
        await _judge_all(some, {partition: published}, {partition: values}, done)
    keys = [_key(each) for each in values]
    for start in range(0, len(keys), LEVELS_AT_ONCE):
        some = await told.of_keys(database, partition, keys[start : start + LEVELS_AT_ONCE])
        await _judge_all(some, {partition: published}, {partition: values}, done)
    _judge_rest(values, done)
    return done


async def compare_all(
    database: Driver, published: Mapping[int, int], values: Mapping[int, Values]
) -> AsyncIterator[Comparison]:
    """Compare all levels with what was told of them, some at a time; `values` is used up.

    In the caller's snapshot, in which the batches of each partition up to `published` were.
    """
    async for some in told.all_levels(database):
        done = Comparison()
        await _judge_all(some, published, values, done)
        yield done
    for rest in values.values():
        done = Comparison()
        _judge_rest(rest, done)
        yield done


async def unexplained(engine: Engine, newer: Sequence[Finding]) -> list[Finding]:
    """Return findings that the database does not explain by what it has committed since."""
    if not newer:
        return []
    async with snapshot(engine) as connection:
        now = await told.versions(
            await driver(connection), [(each.sku, each.warehouse) for each in newer]
        )
    return [
        each
        for each in newer
        if (version := now.get((each.sku, each.warehouse))) is None or version < (each.told or 0)
    ]


async def _judge_all(
    levels: Sequence[ToTell],
    published: Mapping[int, int],
    values: Mapping[int, Values],
    done: Comparison,
) -> None:
    for number, each in enumerate(levels, start=1):
        if number % LEVELS_AT_ONCE == 0:
            await asyncio.sleep(0)
        said = values.get(each.partition, {}).pop(level_key(each.sku, each.warehouse), _NOTHING)
        done.levels += 1
        if each.dipped or each.batch > published.get(each.partition, 0):
            done.waiting += 1
            continue
        done.judged.add((each.sku, each.warehouse))
        fault, version = _fault(each, said)
        if fault is not None:
            finding = Finding(
                fault, each.sku, each.warehouse, version, each.level.version, each.level.id
            )
            (done.newer if fault is Fault.AHEAD else done.findings).append(finding)


def _judge_rest(values: Values, done: Comparison) -> None:
    """Note what was told of levels that are not stored."""
    for key, last in values.items():
        sku, warehouse = _key(key)
        done.judged.add((sku, warehouse))
        if last.value is not None:
            done.newer.append(Finding(Fault.UNKNOWN, sku, warehouse, last.highest, None, None))


def _fault(stored: ToTell, last: Last) -> tuple[Fault | None, int | None]:
    """Return what is wrong with what was told of a level, and which version that is."""
    value = last.value
    if last.highest > stored.level.version:
        return Fault.AHEAD, last.highest
    if value is None:
        return Fault.MISSING, None
    try:
        said = StockLevel.model_validate_json(value)
    except ValidationError:
        return Fault.UNREADABLE, None
    if said.version != stored.level.version:
        is_older = said.version < stored.level.version
        return Fault.OLDER if is_older else Fault.AHEAD, said.version
    told_now = message(stored.sku, stored.warehouse, stored.partition, stored.level, said.low_water)
    # What a message says of the past is kept nowhere else.
    said = said.model_copy(update={"corrected": None})
    if value == told_now.value or said == StockLevel.model_validate_json(told_now.value or b""):
        return None, said.version
    return Fault.UNLIKE, said.version


def _key(key: bytes) -> LevelKey:
    """Return whose key it is; of what can be no level's, a name that can be stored."""
    # No text of the database has a zero in it.
    sku, _, warehouse = key.decode(errors="replace").replace("\0", "�").partition("|")
    if level_key(sku, warehouse) == key and len(key) <= _KEY_BYTES:
        return sku, warehouse
    # Whatever somebody has written: short enough for an index, and no other key's name.
    return f"{sku[:_SHOWN]}…{sha256(key).hexdigest()[:12]}", warehouse[:_SHOWN]


def version_of(value: bytes | None) -> int:
    """Return the version that a record tells of; 0 where it tells of none."""
    try:
        return 0 if value is None else _decode_version(value).version
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0
