"""`verify --topic`: compare what `stock.levels` tells of each level with the database.

    snapshot of the database → the topic up to its end → compare → look again at what is newer

The newest record of a key is its last one, whatever versions came before: that is what compaction
keeps. A level whose batch was published before the snapshot has to be there, at its version or a
later one. What the next claim is to publish is waited for, not missed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import ValidationError

from services.ledger.outbound.stock_levels import message
from services.ledger.store import levels as stored_levels
from services.ledger.store import told
from services.ledger.store.told import ToTell
from shared.database import positions
from shared.database.engine import Engine, driver, snapshot
from shared.events.stock_changes import TOPIC as STOCK_CHANGES
from shared.events.stock_levels import GENERATION_SHIFT, StockLevel, level_key
from shared.kafka.log import LogReader


class Fault(StrEnum):
    """What is wrong with what the topic tells of a level."""

    MISSING = "missing"
    OLDER = "older"
    UNLIKE = "unlike"
    """It tells of the stored version, but something else than what is stored."""
    AHEAD = "ahead"
    """The database knows less: it was restored."""
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


@dataclass(slots=True)
class Report:
    """What was looked at and found; `waiting` levels are to be told by the next claim."""

    levels: int = 0
    records: int = 0
    waiting: int = 0
    differing: int = 0
    republished: int = 0


@dataclass(slots=True)
class _Log:
    """The last record of each key, by partition; some half kilobyte a level."""

    reader: LogReader
    values: list[dict[bytes, bytes]] = field(default_factory=list)
    records: int = 0

    async def read_to_end(self) -> None:
        """Read on to where the topic ends now. Raises Unavailable while the broker is away."""
        ends = await self.reader.ends()
        self.values = [{} for _ in ends]
        while any(at < end for at, end in zip(self.reader.offsets, ends, strict=True)):
            for record in await self.reader.poll():
                self.records += 1
                if record.key is None or record.value is None:
                    self.values[record.partition].pop(record.key or b"", None)
                else:
                    self.values[record.partition][record.key] = record.value


async def verify_topic(
    engine: Engine,
    reader: LogReader,
    *,
    progress: Callable[[int, int], None],
    found: Callable[[Finding], None],
) -> tuple[Report, list[Finding]]:
    """Compare; returns the findings, each of which `found` has heard of.

    `progress` hears of (levels done, levels in all). Raises the database's errors, and
    Unavailable while the broker is away.
    """
    report, log = Report(), _Log(reader)
    findings: list[Finding] = []
    await reader.seek_to_beginning()
    async with snapshot(engine) as connection:
        expected = await stored_levels.number_of_levels(connection)
        published = {
            each.partition: each.published
            for each in await positions.read(connection, STOCK_CHANGES)
        }
        await log.read_to_end()
        report.records = log.records
        newer: list[Finding] = []
        async for each in told.levels(await driver(connection)):
            value = log.values[each.partition].pop(level_key(each.sku, each.warehouse), None)
            report.levels += 1
            if each.dipped or each.batch > published.get(each.partition, 0):
                report.waiting += 1
                continue
            fault, version = _fault(each, value)
            if fault is not None:
                finding = Finding(
                    fault, each.sku, each.warehouse, version, each.level.version, each.level.id
                )
                (newer if fault is Fault.AHEAD else findings).append(finding)
            if report.levels % 1_000 == 0:
                progress(report.levels, expected)
        progress(report.levels, expected)
    newer += _left_over(log)
    findings += await _not_caught_up(engine, newer)
    for finding in findings:
        found(finding)
    report.differing = len(findings)
    return report, findings


def _fault(stored: ToTell, value: bytes | None) -> tuple[Fault | None, int | None]:
    """Return what is wrong with what was told last of a level, and which version that is."""
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


def _left_over(log: _Log) -> Iterator[Finding]:
    """Yield what the topic has of levels that the snapshot has not, at any place."""
    for values in log.values:
        for key, value in values.items():
            sku, _, warehouse = key.decode(errors="replace").partition("|")
            try:
                version = StockLevel.model_validate_json(value).version
            except ValidationError:
                version = 0
            yield Finding(Fault.UNKNOWN, sku, warehouse, version, None, None)


async def _not_caught_up(engine: Engine, newer: list[Finding]) -> list[Finding]:
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


def newest_generation(findings: list[Finding]) -> int:
    """Return the newest generation that the topic tells of where something is wrong."""
    return max((each.told or 0 for each in findings), default=0) >> GENERATION_SHIFT
