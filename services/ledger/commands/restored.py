"""`restored`: after the database was put back, begin versions above all that was ever told.

    keep claims away → the newest generation on the topic → take the partitions → begin one beyond

A database that is put back knows neither which versions nor which generations came after; the
topic does. All levels join the generation with the next claims, which publish them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from services.ledger.commands.rebuild import take_over
from services.ledger.comparing import version_of
from services.ledger.store import generations
from shared.database.engine import Engine
from shared.events.stock_levels import GENERATION_SHIFT
from shared.events.topics import STOCK_CHANGES
from shared.kafka.log import LogReader

OWNER = "ledger restored"


@dataclass(frozen=True, slots=True)
class Report:
    """The newest generation that was told, and the one that all levels will have, or have.

    `begun` is whether that one is new.
    """

    records: int
    told: int
    generation: int
    begun: bool


async def restored(
    engine: Engine, reader: LogReader, *, progress: Callable[[int, int], None]
) -> Report:
    """Begin a generation beyond the newest one on the topic, unless all levels are to reach one.

    `progress` hears of (records read, records in all). Whoever consumes is fenced. Raises Stopped
    when a rebuild goes on, the database's errors, and Unavailable while the broker is away.
    """
    async with generations.rebuilding(engine):
        records, told = await _newest_told(reader, progress)
        async with engine.begin() as connection:
            least = (await generations.newest(connection)).least
            if least > told:
                return Report(records, told, least, begun=False)
            await take_over(connection, OWNER, STOCK_CHANGES.partitions)
            number = await generations.begin(connection, everything=True, beyond=told)
    return Report(records, told, number, begun=True)


async def _newest_told(reader: LogReader, progress: Callable[[int, int], None]) -> tuple[int, int]:
    """Return how many records the topic has, and the newest generation among them."""
    await reader.seek_to_beginning()
    ends = await reader.ends()
    records = version = 0
    while left := sum(max(0, end - at) for at, end in zip(reader.offsets, ends, strict=True)):
        for record in (some := await reader.poll()):
            version = max(version, version_of(record.value))
        records += len(some)
        progress(records, records + left - len(some))
    return records, version >> GENERATION_SHIFT
