"""Look at a ledger's own tables while it works: how far it is, who owns what."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import asyncpg

from shared.events.stock_changes import TOPIC
from shared.events.topics import PARTITIONS
from tests.bench.latencies import Missed

POLL_S = 0.02

_COMMITTED = """
SELECT COALESCE(sum(next_offset), 0)::bigint FROM ledger.consumer_position WHERE topic = $1
"""
_EPOCHS = "SELECT partition, epoch FROM ledger.consumer_position WHERE topic = $1"
_TALLIES = "SELECT name, sum(total)::bigint FROM ledger.tally GROUP BY name"
_COUNTED = "SELECT count(*) FROM ledger.level WHERE counted_at = $1"


class Watch:
    """Reads of the ledger's tables over a connection of its own."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def committed(self) -> int:
        """Return how many records are worked off for good."""
        return int(await self._connection.fetchval(_COMMITTED, TOPIC))

    async def epochs(self) -> dict[int, int]:
        """Return how often each partition was claimed."""
        return dict(await self._connection.fetch(_EPOCHS, TOPIC))

    async def tallies(self) -> dict[str, int]:
        """Return what became of the records, by name."""
        return dict(await self._connection.fetch(_TALLIES))

    async def counted(self, at: object) -> int:
        """Return how many levels have that count's instant as their last."""
        return int(await self._connection.fetchval(_COUNTED, at))

    async def claimed_since(self, before: dict[int, int]) -> bool:
        """Return whether every partition was claimed anew."""
        now = await self.epochs()
        return len(now) == PARTITIONS and all(
            epoch > before.get(partition, 0) for partition, epoch in now.items()
        )


async def instant_of(
    condition: Callable[[], Awaitable[bool]], *, limit_s: float, poll_s: float = POLL_S
) -> float:
    """Return when a condition first held (Unix time); raises Missed after the limit."""
    began = time.time()
    while not await condition():
        if time.time() - began > limit_s:
            raise Missed(f"not within {limit_s:.0f} s: {condition.__doc__ or condition.__name__}")
        await asyncio.sleep(poll_s)
    return time.time()
