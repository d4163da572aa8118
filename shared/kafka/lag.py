"""How far a consumer is behind, asked by a process that does not consume itself."""

import asyncio
import time
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.database.positions import Position
from shared.errors import Unavailable
from shared.events.topics import TOPICS
from shared.kafka.client import start, stop

_TIMEOUT_SECONDS = 4


@dataclass(frozen=True, slots=True)
class Lag:
    """Records not yet applied, and since how many seconds something has waited.

    `seconds` is None where nobody can say: all that waits does so where nothing was ever applied.
    """

    records: int
    seconds: float | None


class LagReader:
    """Compares stored positions with the broker's ends of a topic."""

    def __init__(self, bootstrap: str, prefix: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self._tps = [
            TopicPartition(prefix + topic, number) for number in range(TOPICS[topic].partitions)
        ]
        self._client: AIOKafkaConsumer | None = None
        self._caught_up_at: dict[int, float] = {}
        self._lock = asyncio.Lock()
        self._away_at = float("-inf")

    async def read(self, positions: list[Position]) -> Lag:
        """Return the lag of the given positions. Raises Unavailable while the broker is away."""
        ends = await self._ends()
        reached = {each.partition: each for each in positions}
        now = time.time()
        records = 0
        known: list[float] = []
        for tp in self._tps:
            position = reached.get(tp.partition)
            behind = ends[tp] - (position.next_offset if position else 0)
            if behind <= 0:
                self._caught_up_at[tp.partition] = now
                continue
            records += behind
            # The oldest record waits at the longest since the last one was applied, and not
            # since before we last saw the partition drained.
            applied = (position.record_time or 0) / 1000 if position else 0.0
            since = max(applied, self._caught_up_at.get(tp.partition, 0.0))
            if since:
                known.append(since)
        if records and not known:
            return Lag(records, None)
        return Lag(records, round(now - min(known, default=now), 3))

    async def _ends(self) -> dict[TopicPartition, int]:
        asked_at = time.monotonic()
        async with self._lock:
            if self._away_at > asked_at:
                # Whoever was before has waited for it in vain: those who come together wait once.
                raise Unavailable("the broker")
            try:
                async with asyncio.timeout(_TIMEOUT_SECONDS):
                    if self._client is None:
                        client = AIOKafkaConsumer(
                            bootstrap_servers=self._bootstrap,
                            request_timeout_ms=_TIMEOUT_SECONDS * 1000,
                        )
                        await start(client)
                        self._client = client
                    ends: dict[TopicPartition, int] = await self._client.end_offsets(self._tps)
                    return ends
            except (KafkaError, OSError, TimeoutError) as error:
                self._away_at = time.monotonic()
                await self.close()
                raise Unavailable("the broker") from error

    async def close(self) -> None:
        """Give the connection back."""
        client, self._client = self._client, None
        if client is not None:
            await stop(client)
