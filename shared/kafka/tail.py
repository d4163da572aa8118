"""A plain reader of whole topics, without group, position or state: for caches and live pages."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Literal

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.kafka import client
from shared.kafka.messages import Record
from shared.kafka.metadata import known_partitions, patient
from shared.observability.logs import get_logger

_WATCH_POLLS = 50
"""Empty polls, ten seconds of them, after which the broker is asked whether there is nothing."""

_ASK_SECONDS = 5
_STOP_SECONDS = 5

_log = get_logger("kafka.tail")


class TailReader:
    """Reads every partition of some topics, from the beginning or from now on.

    `caught_up` is set with the list that holds the last of what was there at the start.
    """

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        topics: Sequence[str],
        *,
        start: Literal["beginning", "end"] = "end",
    ) -> None:
        self._bootstrap = bootstrap
        self._names = [prefix + topic for topic in topics]
        self._start = start
        self._positions: dict[TopicPartition, int] = {}
        self._goals: dict[TopicPartition, int] | None = None
        self.caught_up = asyncio.Event()

    async def records(self) -> AsyncGenerator[Sequence[Record], None]:
        """Yield records in lists as they arrive, for ever; a broker that is away is waited for.

        After a break it goes on where it was, so nothing is skipped. A client that has gone silent
        is replaced.
        """
        while True:
            consumer = patient(
                AIOKafkaConsumer(
                    bootstrap_servers=self._bootstrap,
                    enable_auto_commit=False,
                    auto_offset_reset="earliest",
                    metadata_max_age_ms=30_000,
                )
            )
            try:
                await client.start(consumer)
                await self._seek(consumer)
                async for some in self._read(consumer):
                    yield some
            except (KafkaError, OSError) as error:
                _log.warning("reading is interrupted", reason=repr(error))
                await asyncio.sleep(1)
            finally:
                await client.stop(consumer, seconds=_STOP_SECONDS)

    async def _seek(self, consumer: AIOKafkaConsumer) -> None:
        tps = [
            TopicPartition(name, partition)
            for name in self._names
            for partition in sorted(await known_partitions(consumer, name))
        ]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        if self._goals is None:
            begin = ends if self._start == "end" else await consumer.beginning_offsets(tps)
            self._goals = dict(ends)
            self._positions = dict(begin)
        for tp in tps:
            consumer.seek(tp, self._positions.setdefault(tp, 0))
        self._compare()

    async def _read(self, consumer: AIOKafkaConsumer) -> AsyncIterator[Sequence[Record]]:
        empty_polls, was_behind = 0, False
        while True:
            fetched = await consumer.getmany(timeout_ms=200)
            records: list[Record] = []
            for tp, some in fetched.items():
                records += some
                self._positions[tp] = some[-1].offset + 1
            if not self.caught_up.is_set():
                await self._look_around(consumer)
                self._compare()
            if records:
                empty_polls, was_behind = 0, False
                yield records
                continue
            empty_polls += 1
            if empty_polls == _WATCH_POLLS:
                empty_polls = 0
                is_behind = await self._is_behind(consumer)
                if is_behind and was_behind:
                    # Seen after restarts of the broker: the client waits for ever.
                    raise KafkaError("the client has gone silent")
                was_behind = is_behind

    async def _look_around(self, consumer: AIOKafkaConsumer) -> None:
        for tp in self._positions:
            # Compaction may have removed the very last records before the end.
            self._positions[tp] = max(self._positions[tp], await consumer.position(tp))

    async def _is_behind(self, consumer: AIOKafkaConsumer) -> bool:
        """Return whether there is what was not read. Raises TimeoutError without an answer."""
        async with asyncio.timeout(_ASK_SECONDS):
            await self._look_around(consumer)
            ends = await consumer.end_offsets(list(self._positions))
        return any(self._positions[tp] < end for tp, end in ends.items())

    def _compare(self) -> None:
        goals = self._goals or {}
        if all(self._positions.get(tp, 0) >= goal for tp, goal in goals.items()):
            self.caught_up.set()
