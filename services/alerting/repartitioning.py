"""`repartition`: go on when `stock.levels` has more partitions than before.

The ledger's command of the same name lets the topic grow. The next messages of a SKU come from
another partition then, and whoever owns that one has to know what is known of the SKU; consumers
refuse to start until this is done.

A message that nobody has evaluated, in a partition where its SKU is no more, would become a dead
letter, so it is passed over, with all that were written before it. No level is lost by that: all
of this is older than the growth, after which the ledger tells every level anew. But a dip that
only such a message tells of is not seen.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.alerting.store import homes
from shared.database import positions
from shared.database.engine import Engine
from shared.database.positions import Passed, Position
from shared.errors import Stopped
from shared.events.stock_levels import TOPIC
from shared.events.topics import TOPICS
from shared.kafka import admin
from shared.kafka.log import LogReader
from shared.kafka.messages import Record
from shared.kafka.partitions import partition_of
from shared.kafka.worker import record_hash


@dataclass(frozen=True, slots=True)
class Report:
    """What was done: `moved` levels have another partition now.

    `passed_over` messages were never evaluated: they lay where their SKU is no more, or before one
    that did.
    """

    before: int
    partitions: int
    moved: int
    passed_over: int


class _Strays(NamedTuple):
    """Messages that lie where their SKU is no more: the last of each partition.

    `number` counts these and all before them that nobody has evaluated.
    """

    number: int
    last: Sequence[Passed]


async def repartition(engine: Engine, bootstrap: str, prefix: str, partitions: int) -> Report:
    """Move what is known of SKUs to where they are among so many partitions.

    A consumer that is at work is fenced off. Done again, it moves what is left. Raises Stopped
    unless the topic has as many; Unavailable while the broker is away.
    """
    ends = await admin.ends(bootstrap, prefix, TOPIC)
    if len(ends) != partitions:
        raise Stopped(
            f"{TOPIC} has {len(ends)} partitions, not {partitions}: run the ledger's repartition "
            "first, which lets it grow"
        )
    async with engine.connect() as connection:
        stored = await positions.read(connection, TOPIC)
    async with LogReader(bootstrap, prefix, TOPIC) as log:
        strays = await _strays(log, stored, partitions)
    async with engine.begin() as connection:
        # From here on no consumer moves on: its next transaction waits for this one, and fails.
        await positions.repartition(connection, TOPIC, partitions)
        await positions.pass_over(connection, TOPIC, partitions, strays.last)
        skus = await homes.skus(connection)
        moved = await homes.move(connection, {sku: partition_of(sku, partitions) for sku in skus})
    before = max((each.partitions for each in stored), default=partitions)
    return Report(before, partitions, moved, strays.number)


async def _strays(log: LogReader, stored: Sequence[Position], partitions: int) -> _Strays:
    """Read what nobody has evaluated yet."""
    reached = {each.partition: each.next_offset for each in stored}
    newest_ms = max((each.record_time or 0 for each in stored), default=0)
    await log.seek([reached.get(each, 0) for each in range(TOPICS[TOPIC].partitions)], newest_ms)
    ends = await log.ends()
    read, number, last = Counter[int](), dict[int, int](), dict[int, Record]()
    while any(offset < end for offset, end in zip(log.offsets, ends, strict=True)):
        for record in await log.poll():
            read[record.partition] += 1
            # Consumers go by the value; a key that is no text is no reason to end here.
            sku, _, _ = (record.key or b"").decode(errors="replace").partition("|")
            if partition_of(sku, partitions) != record.partition:
                number[record.partition] = read[record.partition]
                last[record.partition] = record
    return _Strays(sum(number.values()), [_passed(record) for record in last.values()])


def _passed(record: Record) -> Passed:
    return Passed(record.partition, record.offset + 1, record.timestamp, record_hash(record))
