"""`repartition`: go on with more partitions, once everything is drained.

    keep claims away → nothing left to apply or to publish? → let the topics grow → move the levels

The broker's topics can only grow. Keys move between partitions, so what was written before must
have been applied, and nobody may write until this is over. All levels are published anew, to
their new partitions, by the next claims. Done again after an end at any moment, it goes on.
"""

from dataclasses import dataclass

from services.ledger.store import generations, levels
from shared.database import positions
from shared.database.engine import Engine
from shared.errors import Stopped
from shared.events.stock_changes import TOPIC
from shared.events.stock_levels import TOPIC as STOCK_LEVELS
from shared.kafka import admin
from shared.kafka.partitions import partition_of


@dataclass(frozen=True, slots=True)
class Report:
    """What was done: `moved` levels have another partition now."""

    before: int
    partitions: int
    moved: int


async def repartition(engine: Engine, bootstrap: str, prefix: str, partitions: int) -> Report:
    """Move everything to so many partitions.

    Raises Stopped, naming what is in the way; Unavailable while the broker is away.
    """
    async with generations.rebuilding(engine):
        before = await _drained(engine, bootstrap, prefix, partitions)
        await admin.grow(bootstrap, prefix, [TOPIC, STOCK_LEVELS], partitions)
        async with engine.begin() as connection:
            await positions.repartition(connection, TOPIC, partitions)
            homes = {
                level: partition_of(sku, partitions)
                for level, sku in (await levels.selected(connection, (), (), ())).items()
            }
            moved = await levels.move(connection, homes)
            await generations.begin(connection, everything=True)
    return Report(before, partitions, moved)


async def _drained(engine: Engine, bootstrap: str, prefix: str, partitions: int) -> int:
    """Return how many partitions the broker has; raises Stopped unless all of it is applied."""
    ends = await admin.ends(bootstrap, prefix, TOPIC)
    if len(ends) > partitions:
        raise Stopped(f"{TOPIC} has {len(ends)} partitions, and a topic cannot shrink")
    async with engine.connect() as connection:
        stored = {each.partition: each for each in await positions.read(connection, TOPIC)}
        untold = await levels.untold(connection, TOPIC)
    left = {
        partition: end - (stored[partition].next_offset if partition in stored else 0)
        for partition, end in enumerate(ends)
    }
    waiting = {partition: records for partition, records in left.items() if records > 0}
    if waiting:
        words = ", ".join(f"{records} in {partition}" for partition, records in waiting.items())
        raise Stopped(
            f"{TOPIC} is not drained, there are still {words}: stop what writes, and let the "
            "ledger apply them"
        )
    if untold:
        raise Stopped(f"{untold} levels are not published yet: let the ledger publish them")
    return len(ends)
