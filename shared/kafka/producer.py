"""The idempotent producer, with a broker that may go away and come back."""

import asyncio
import copy
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError, ProducerClosed
from aiokafka.producer.message_accumulator import MessageBatch

from shared.errors import Unavailable
from shared.kafka.client import start, stop
from shared.kafka.messages import Message
from shared.observability.logs import get_logger
from shared.observability.metrics import PUBLISHED_TOTAL

BATCH_BYTES = 256 * 1024
DELIVERY_TIMEOUT_MS = 4_500
"""Under 5 s: a paused owner's queue is empty before anyone else may publish for its partition.

What it still holds when it wakes up has expired (`prompt`).
"""

_STOP_SECONDS = 15
_CHECK_SECONDS = 2
_BACKOFF_SECONDS = (0.1, 0.3, 1.0)

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
        except BaseException as error:
            # Whoever has not got in is not let out.
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
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
        if not messages:
            return
        by_partition: defaultdict[int, list[Message]] = defaultdict(list)
        for message in messages:
            by_partition[message.partition].append(message)
        name = self._prefix + topic
        by_tp = {TopicPartition(name, each): some for each, some in by_partition.items()}
        for tp in by_tp:
            # The latest word counts: who may send later may send what was to be sent before.
            if until is None:
                self._until.pop(tp, None)
            else:
                self._until[tp] = until
        try:
            async with asyncio.timeout(self._timeout_seconds):
                there = await client.client._wait_on_metadata(name)  # noqa: SLF001 - see `_append`
                if not by_partition.keys() <= there:
                    raise ValueError(
                        f"{name} has {len(there)} partitions and no {max(by_partition)}"
                    )
                await _acknowledged(_append(client, by_tp))
        except (KafkaError, TimeoutError) as error:
            self._give_up(client, error)
            raise Unavailable("the broker") from error
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
                    # What comes while a request is under way shares the next one anyway.
                    linger_ms=0,
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


def _append(
    client: AIOKafkaProducer, by_tp: Mapping[TopicPartition, Sequence[Message]]
) -> list[asyncio.Future[object]]:
    """Put messages behind what waits to be sent; return a future for each batch with some of them.

    They go with one request, since the sender has no turn in between. The client's own `send` takes
    a future and two coroutines a message, its `send_batch` a request for those who come first.
    """
    queue = client._message_accumulator  # noqa: SLF001 - as above
    if queue._closed:  # noqa: SLF001
        raise ProducerClosed
    if queue._exception is not None:  # noqa: SLF001
        raise copy.copy(queue._exception)  # noqa: SLF001
    held: dict[MessageBatch, None] = {}
    for tp, messages in by_tp.items():
        waiting = queue._batches.get(tp)  # noqa: SLF001
        batch = waiting[-1] if waiting else queue._append_batch(queue.create_builder(), tp)  # noqa: SLF001
        for _, key, value, headers in messages:
            fields = {"timestamp": None, "key": key, "value": value, "headers": list(headers)}
            if batch._builder.append(**fields) is None:  # noqa: SLF001 - it is full, or sent again
                batch = queue._append_batch(queue.create_builder(), tp)  # noqa: SLF001
                batch._builder.append(**fields)  # noqa: SLF001 - the first fits, whatever its size
            held[batch] = None
    return [batch.future for batch in held]


async def _acknowledged(futures: Sequence[asyncio.Future[object]]) -> None:
    """Wait until all are done, or one has failed, which is raised. They go on when cancelled."""
    for future in futures:
        future.add_done_callback(asyncio.Future.exception)  # it need not be asked for elsewhere
    done, _ = await asyncio.wait(futures, return_when=asyncio.FIRST_EXCEPTION)
    for future in done:
        future.result()
