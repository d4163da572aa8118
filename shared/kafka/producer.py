"""The idempotent producer, with a broker that may go away and come back."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.producer.message_accumulator import MessageBatch

from shared.errors import Unavailable
from shared.kafka.client import start, stop
from shared.kafka.messages import Message
from shared.observability.logs import get_logger
from shared.observability.metrics import PUBLISHED_TOTAL

BATCH_BYTES = 256 * 1024
LINGER_MS = 2
DELIVERY_TIMEOUT_MS = 4_500
"""Under 5 s: a paused owner's queue is empty before anyone else may publish for its partition.

What it still holds when it wakes up has expired (`prompt`).
"""

_STOP_SECONDS = 15
_CHECK_SECONDS = 2
_BACKOFF_SECONDS = (0.1, 0.3, 1.0)
# Fewer records than this for a partition share a batch with other callers' (`send`); more are
# a batch of their own, which costs the client a sixth of the time per record.
_OWN_BATCH = 8

_log = get_logger("kafka.producer")


class Producer:
    """Sends messages and returns when every in-sync replica has them (acks=all).

    Use as an asynchronous context manager. When a delivery fails, the client is stopped, all it
    still held is delivered or given up, and only then a new one starts: an old message is never
    delivered after a newer one. Meanwhile `send` raises Unavailable at once.
    """

    def __init__(
        self, bootstrap: str, prefix: str, *, name: str = "lowtide", timeout_seconds: float = 5
    ) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._name = name
        self._timeout_seconds = timeout_seconds
        self._until: dict[TopicPartition, float] = {}
        self._client: AIOKafkaProducer | None = None
        self._connected = asyncio.Event()
        self._broken = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._keeper = self._group.create_task(self._keep_connected())
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._connected.wait()
        except TimeoutError:
            _log.warning("broker not reached yet", bootstrap=self._bootstrap)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
        await self._group.__aexit__(kind, error, trace)

    async def send(
        self, topic: str, messages: Sequence[Message], *, until: float | None = None
    ) -> None:
        """Publish messages, in order within each partition, and wait for the broker.

        After `until` (of the monotonic clock) nothing of it is written to the broker. Raises
        Unavailable when they were not all acknowledged in time: some may have been.
        """
        client = self._client
        if client is None:
            raise Unavailable("the broker")
        by_partition: defaultdict[int, list[Message]] = defaultdict(list)
        for message in messages:
            by_partition[message.partition].append(message)
        name = self._prefix + topic
        for partition in by_partition:
            # The latest word counts: who may send later may send what was to be sent before.
            tp = TopicPartition(name, partition)
            if until is None:
                self._until.pop(tp, None)
            else:
                self._until[tp] = until
        failed: BaseException | None = None
        try:
            async with asyncio.timeout(self._timeout_seconds), asyncio.TaskGroup() as group:
                for partition, own in by_partition.items():
                    group.create_task(_send_partition(client, name, partition, own))
        except* (KafkaError, TimeoutError) as errors:
            failed = errors  # raised below: what is raised here, Python 3.11.2 wraps in a group
        if failed is not None:
            self._give_up(client, failed)
            raise Unavailable("the broker") from failed
        PUBLISHED_TOTAL.labels(topic).inc(len(messages))

    async def check(self) -> str | None:
        """Return why nothing can be sent, or None; the broker is asked, traffic or not."""
        client = self._client
        if client is not None:
            with suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(_CHECK_SECONDS):
                    if await client.client.force_metadata_update():
                        return None
        return "the broker cannot be reached"

    def _give_up(self, client: AIOKafkaProducer, reason: BaseException) -> None:
        if self._client is client:
            _log.warning("delivery failed, reconnecting", reason=repr(reason))
            self._client = None
            self._connected.clear()
            self._broken.set()

    async def _keep_connected(self) -> None:
        while True:
            client = await self._connect()
            self._broken.clear()
            self._client = client
            self._connected.set()
            try:
                await self._broken.wait()
            finally:
                self._client = None
                await stop(client, seconds=_STOP_SECONDS)

    async def _connect(self) -> AIOKafkaProducer:
        attempt = 0
        while True:
            client = prompt(
                AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    client_id=self._name,
                    acks="all",
                    enable_idempotence=True,
                    compression_type="snappy",
                    max_batch_size=BATCH_BYTES,
                    linger_ms=LINGER_MS,
                    request_timeout_ms=DELIVERY_TIMEOUT_MS,
                    retry_backoff_ms=50,
                    metadata_max_age_ms=30_000,
                ),
                self._until,
            )
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    await start(client)
            except (KafkaError, OSError, TimeoutError):
                await asyncio.sleep(_BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS) - 1)])
                attempt += 1
            else:
                return client


def prompt(client: AIOKafkaProducer, until: Mapping[TopicPartition, float]) -> AIOKafkaProducer:
    """Return a client that looks at the clock just before it writes a batch to the broker.

    It gives up what has waited for longer than a delivery may take, and what was to be sent until
    an instant that has passed. The library asks for the age of a batch only where a partition has
    no leader: a process that was paused, wherever, would send it on waking, over what its successor
    has published since. A failed batch leaves a gap in the client's sequence, which ends with it.
    """
    sender = client._sender  # noqa: SLF001 - the library has no setting for this
    send = sender._send_produce_req  # noqa: SLF001 - as above

    async def in_time(node: int, batches: dict[TopicPartition, MessageBatch]) -> None:
        await client.client.ready(node)  # from here on nothing is waited for until it is written
        now = time.monotonic()
        for tp in [
            tp for tp, each in batches.items() if each.expired() or now > until.get(tp, now)
        ]:
            batches.pop(tp).failure(KafkaTimeoutError())
            sender._muted_partitions.remove(tp)  # noqa: SLF001 - as above
        if batches:
            await send(node, batches)
        else:
            sender._in_flight.remove(node)  # noqa: SLF001 - as above

    sender._send_produce_req = in_time  # noqa: SLF001 - as above
    return client


async def _send_partition(
    client: AIOKafkaProducer, topic: str, partition: int, messages: list[Message]
) -> None:
    acknowledged = []
    if len(messages) < _OWN_BATCH:
        for _, key, value, headers in messages:
            acknowledged.append(
                await client.send(topic, value, key=key, partition=partition, headers=list(headers))
            )
    else:
        batch = client.create_batch()
        for _, key, value, headers in messages:
            if batch.append(timestamp=None, key=key, value=value, headers=list(headers)) is None:
                acknowledged.append(await client.send_batch(batch, topic, partition=partition))
                batch = client.create_batch()
                batch.append(timestamp=None, key=key, value=value, headers=list(headers))
        batch.close()
        acknowledged.append(await client.send_batch(batch, topic, partition=partition))
    for future in acknowledged:
        await future
