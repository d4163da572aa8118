"""The fenced, transactional, batched consumer that every service with state uses.

Partitions of the group's assignment are shared among W workers, each with a database connection.
A worker claims a partition's row in the service's own database (epoch + 1), seeks to the offset
stored there, and works batch by batch: one transaction checks the epoch and moves the offsets
together with the work, then the results are published. Two owners at once are harmless: the
transaction of the older one fails, and the process ends.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from itertools import chain
from typing import Generic

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import override

from shared.clock import Clock, WallClock
from shared.database.engine import trouble
from shared.database.positions import Position
from shared.errors import LowtideError, Stopped
from shared.events.topics import TOPICS
from shared.kafka import client
from shared.kafka.handler import Handler, M
from shared.kafka.messages import Record
from shared.kafka.metadata import known_partitions, patient
from shared.kafka.producer import Producer
from shared.kafka.waiting import Waiting
from shared.kafka.worker import Passed, Worker, record_hash
from shared.observability.logs import get_logger
from shared.settings import Settings

MAX_RECORDS = 6_000
"""A batch at the most: the bigger the backlog the bigger the batch, never waiting for more."""

POLL_MS = 100
QUIET_POLL_MS = 1_000
"""How long the broker may hold a fetch that brings nothing where next to nothing comes; what comes
is handed on at once."""

FEW_RECORDS = 400
COLLECT_SECONDS = 0.003
"""What a batch of a few waits for company: it costs nearly as much as a larger one, and what the
broker has sent ahead is older than what it would send now."""

COLLECT_MOST_SECONDS = 0.030
"""Where batches take long, since the machine is full, they wait for half as long as the last took,
but never longer than this: fewer and larger ones leave more of the machine to everybody. So nothing
is fetched ahead then either: it would be what came first of all that waits for the next batch."""

BACKLOG_RECORDS = 5_000
QUIET_SECONDS = 10.0
"""One worker does it all until so many records wait, and again when none of the batches was large
for so long: two halves of a small batch cost nearly twice as much as the whole."""

WATCH_SECONDS = 2.0
STALL_SECONDS = 30.0
"""No progress for so long although records wait and nobody is known to be away: the client has
gone silent (seen after broker restarts), or the database; the process ends and is started anew."""

DEALT_ANEW_SECONDS = 0.5
"""While the group deals anew a fetch waits for it to be done, and it waits for whoever fetches to
let go of what it has: no fetch takes so much longer than it may."""

RELEASE_SECONDS = 20.0
GIVE_UP_SECONDS = 5.0
"""As long as one delivery may take: a broker that is away must not keep a process from ending."""

_SESSION_MS = 10_000
_REBALANCE_MS = 60_000
_FOR_EVER_MS = 2**31 - 1

_log = get_logger("kafka.consumer")


class Stalled(LowtideError):  # noqa: N818 - a state, not a mistake
    """The consumer makes no progress although there is work."""


class _Step(Enum):
    """How workers come by the partitions that an arrangement gives them."""

    CLAIM = auto()
    PART = auto()
    """Only to let go: what is parted with waits for the next step."""
    TAKE_OVER = auto()


@dataclass(frozen=True, slots=True)
class _Arrangement:
    """Which worker works which partitions, and how they get there; numbered in order."""

    number: int
    step: _Step
    shares: Sequence[frozenset[int]]


class PartitionConsumer(Generic[M]):
    """Consumes one topic for one service.

    `handler` makes a worker's handler; it is called once per worker. `poll_ms` is how long an
    empty fetch may take, and with it a rebalance.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        service: str,
        topic: str,
        engine: AsyncEngine,
        producer: Producer,
        handler: Callable[[], Handler[M]],
        workers: int = 2,
        max_records: int = MAX_RECORDS,
        collect_seconds: float = COLLECT_SECONDS,
        poll_ms: int = POLL_MS,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._name = settings.topic_prefix + topic
        self._contiguous = TOPICS[topic].cleanup == "delete"
        self._max_records = max_records
        self._collect_seconds = collect_seconds
        self._poll_ms = poll_ms
        self._group_id = f"{settings.topic_prefix}lowtide.{service}.{topic}"
        owner = f"{socket.gethostname()}:{os.getpid()}"
        self._engine = engine
        self._producer = producer
        self._workers = [
            Worker(
                service=service,
                topic=topic,
                owner=owner,
                engine=engine,
                producer=producer,
                handler=handler(),
                clock=clock or WallClock(),
            )
            for _ in range(workers)
        ]
        self._wanted: tuple[int, ...] = ()
        self._arrangement = _Arrangement(0, _Step.CLAIM, [frozenset()] * workers)
        self._settled = [0] * workers
        """The arrangement that each worker has carried out."""
        self._resting: list[list[TopicPartition]] = [[] for _ in range(workers)]
        """Of each worker, the partitions of which nothing is fetched until it asks."""
        self._assigned_in = 0
        self._is_dealt = False
        """Whether the group has said which partitions are this process's, if any."""
        self._passed: dict[int, Passed[M]] = {}
        self._at_work = workers
        self._crowded_at = time.monotonic()
        self._changed = asyncio.Condition()
        self._consumer: AIOKafkaConsumer | None = None
        self._broker_seen_at = float("-inf")
        self._ignored_since: float | None = None
        self._progress_at = 0.0
        self._offsets: dict[int, int] = {}
        self._lag: int | None = None
        self._unverified: dict[int, Position] = {}
        self._shrunk: set[int] = set()
        self._waiting = Waiting(topic)

    async def check(self) -> str | None:
        """Return why this consumer is not at work, or None; for readiness."""
        for worker in self._workers:
            if worker.trouble is not None:
                return worker.trouble
        if time.monotonic() - self._broker_seen_at > 5 * WATCH_SECONDS:
            return "the broker cannot be reached"
        if not self._is_dealt or min(self._settled) < self._assigned_in:
            return "partitions are being taken over"
        # Without records no worker would notice.
        return await trouble(self._engine)

    @property
    def assignment(self) -> frozenset[int]:
        """The partitions assigned to this process."""
        return frozenset(self._wanted)

    @property
    def lag(self) -> int | None:
        """Records not yet committed, when last looked; None until known."""
        return self._lag

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until told to stop.

        Raises Fenced, Stopped or Stalled when the process should end.
        """
        consumer = await self._start(stop)
        if consumer is None:
            return
        self._consumer = consumer
        self._broker_seen_at = time.monotonic()
        ended: ExceptionGroup[LowtideError] | None = None
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._run_worker(index, group))
                    for index in range(len(self._workers))
                ]
                tasks.append(group.create_task(self._watch()))
                if len(self._workers) > 1:
                    tasks.append(group.create_task(self._follow_backlog()))
                await stop.wait()
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                for worker in self._workers:
                    await worker.give_up(GIVE_UP_SECONDS)
        except* LowtideError as errors:
            ended = errors  # raised below: what is raised here, Python 3.11.2 wraps in a group
        finally:
            # The group has ended: what was committed is published, or was given up with an error.
            try:
                for worker in self._workers:
                    await asyncio.shield(worker.close())
            finally:
                await client.stop(consumer)
        if ended is not None:
            raise ended.exceptions[0]

    async def _start(self, stop: asyncio.Event) -> AIOKafkaConsumer | None:
        """Return a consumer that has reached the broker; None when told to stop before."""
        while not stop.is_set():
            consumer = patient(
                AIOKafkaConsumer(
                    bootstrap_servers=self._settings.kafka,
                    group_id=self._group_id,
                    group_instance_id=self._settings.instance,
                    enable_auto_commit=False,
                    # Where to start is decided by the claim; until it seeks, what comes is dropped.
                    auto_offset_reset="earliest",
                    session_timeout_ms=_SESSION_MS,
                    rebalance_timeout_ms=_REBALANCE_MS,
                    # The client leaves the group when nobody has fetched for so long, and comes
                    # back at the next fetch: never, where all partitions are gone by then. That a
                    # database is away for hours, or a member has no partitions, is no stall.
                    max_poll_interval_ms=_FOR_EVER_MS,
                    max_partition_fetch_bytes=2 * 1024 * 1024,
                    fetch_max_wait_ms=self._poll_ms,
                    metadata_max_age_ms=30_000,
                    retry_backoff_ms=100,
                )
            )
            try:
                await client.start(consumer)
                await known_partitions(consumer, self._name)
                consumer.subscribe([self._name], listener=_Listener(self))
            except (KafkaError, OSError) as error:
                _log.warning("broker not reached yet", reason=repr(error))
                await client.stop(consumer)
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await stop.wait()
            except BaseException:
                await client.stop(consumer)
                raise
            else:
                return consumer
        return None

    async def _assigned(self, partitions: Collection[int], *, is_dealt: bool = True) -> None:
        self._is_dealt = False  # until it is known which arrangement has to be carried out
        self._wanted = tuple(sorted(partitions))
        self._assigned_in = await self._arrange(_Step.CLAIM, self._dealt(self._at_work))
        self._is_dealt = is_dealt

    async def _revoked(self) -> None:
        """Wait until no worker holds anything, so that the next owner finds all published."""
        await self._assigned((), is_dealt=False)
        number = self._assigned_in
        try:
            async with asyncio.timeout(RELEASE_SECONDS), self._changed:
                await self._changed.wait_for(lambda: min(self._settled) >= number)
        except TimeoutError:
            # The epoch protects the next owner; ours will be fenced when it goes on.
            _log.warning("partitions not released in time", topic=self._topic)

    def _dealt(self, workers: int) -> list[frozenset[int]]:
        """Return each worker's share when so many are at work."""
        shares = [frozenset(self._wanted[index::workers]) for index in range(workers)]
        return shares + [frozenset()] * (len(self._workers) - workers)

    async def _arrange(
        self, step: _Step, shares: Sequence[frozenset[int]], *, after: int | None = None
    ) -> int:
        """Tell the workers; returns the arrangement's number.

        Not done when another one than `after` holds by now; returns that one's number.
        """
        async with self._changed:
            number = self._arrangement.number
            if after is None or after == number:
                number += 1
                self._arrangement = _Arrangement(number, step, shares)
                self._changed.notify_all()
            return number

    async def _follow_backlog(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = time.monotonic()
            if (self._lag or 0) > BACKLOG_RECORDS:
                self._crowded_at = now
                await self._share_among(len(self._workers))
            elif now - self._crowded_at > QUIET_SECONDS:
                await self._share_among(1)

    async def _share_among(self, workers: int) -> None:
        """Pass partitions from worker to worker, memory and all; none is claimed anew."""
        if workers == self._at_work or min(self._settled) < self._arrangement.number:
            return
        self._at_work = workers
        before, shares = self._arrangement, self._dealt(workers)
        kept = [mine & share for mine, share in zip(before.shares, shares, strict=True)]
        self._passed = {}
        number = await self._arrange(_Step.PART, kept, after=before.number)
        if number != before.number + 1 or self._arrangement.step is not _Step.PART:
            return  # a rebalance has come first, and deals by the new number
        async with self._changed:
            await self._changed.wait_for(
                lambda: min(self._settled) >= number or self._arrangement.number > number
            )
        await self._arrange(_Step.TAKE_OVER, shares, after=number)

    async def _run_worker(self, index: int, group: asyncio.TaskGroup) -> None:
        worker = self._workers[index]
        while True:
            if self._settled[index] < self._arrangement.number:
                await self._rearrange(index, group)
            elif not worker.owned:
                async with self._changed:
                    await self._changed.wait_for(
                        lambda: self._settled[index] < self._arrangement.number
                    )
            else:
                await self._poll(index, group)
                if worker.timed is not None:
                    await worker.turn(group, worker.timed, self._drained(worker))

    async def _rearrange(self, index: int, group: asyncio.TaskGroup) -> None:
        worker, arrangement = self._workers[index], self._arrangement
        share = arrangement.shares[index]
        self._fetch_again(index)
        # What the group has dealt anew is claimed anew, also by who could not let go of it in time:
        # the client reads on from another place.
        kept = frozenset() if arrangement.step is _Step.CLAIM else share
        parted = await worker.part_with(worker.owned.keys() - kept)
        missing = share - worker.owned.keys()
        match arrangement.step:
            case _Step.PART:
                self._passed |= parted
            case _Step.TAKE_OVER:
                worker.take_over({partition: self._passed.pop(partition) for partition in missing})
            case _Step.CLAIM:
                if missing:
                    await self._claim(worker, group, sorted(missing))
        async with self._changed:
            self._settled[index] = arrangement.number
            self._progress_at = time.monotonic()
            self._changed.notify_all()

    async def _claim(
        self, worker: Worker[M], group: asyncio.TaskGroup, wanted: Sequence[int]
    ) -> None:
        consumer = self._client
        tps = {partition: TopicPartition(self._name, partition) for partition in wanted}
        beginnings, ends = await self._bounds(list(tps.values()))
        count = len(consumer.partitions_for_topic(self._name) or ())
        claimed = await worker.claim(
            group, [(partition, beginnings[tps[partition]]) for partition in wanted], count
        )
        if any(position.next_offset > ends[tps[position.partition]] for position in claimed):
            # The owner before may have gone on while this claim waited for it.
            _, ends = await self._bounds(list(tps.values()))
        for position in claimed:
            tp = tps[position.partition]
            if position.next_offset > ends[tp]:
                raise self._made_anew(
                    tp.partition, f"it ends at {ends[tp]} but was read up to {position.next_offset}"
                )
            self._offsets[tp.partition] = position.next_offset
            self._waiting.note_claimed(tp.partition)
            start = position.next_offset
            if position.record_hash is not None and beginnings[tp] < start:
                # Read the last record once more, to see that it is the one we knew.
                start -= 1
                self._unverified[tp.partition] = position
            elif self._contiguous and beginnings[tp] > start:
                raise Stopped(
                    f"{self._name} partition {tp.partition} begins at {beginnings[tp]} but was "
                    f"read up to {start}: retention has deleted records that were never applied"
                )
            try:
                consumer.seek(tp, start)
            except IllegalStateError:
                return  # taken away again meanwhile: the next rearrangement is due

    async def _bounds(
        self, tps: list[TopicPartition]
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        while True:
            try:
                return await self._client.beginning_offsets(tps), await self._client.end_offsets(
                    tps
                )
            except KafkaError as error:
                _log.warning("broker not reached for a claim", reason=repr(error))
                await asyncio.sleep(1)

    async def _poll(self, index: int, group: asyncio.TaskGroup) -> None:
        worker = self._workers[index]
        tps = [TopicPartition(self._name, partition) for partition in worker.owned]
        try:
            wait = for_company(self._collect_seconds, worker.took_seconds)
            if self._resting[index]:
                await asyncio.sleep(wait)
                self._fetch_again(index)
                fetched = await self._fetched(tps, self._poll_ms)
            else:
                fetched = await self._fetched(tps, self._poll_ms)
                if _are_few(fetched):
                    with suppress(KafkaError):  # what has come already is not lost with it
                        await self._join(fetched, tps, wait)
            if wait > self._collect_seconds and _are_few(fetched):
                self._fetch_no_more(index, tps)
        except IllegalStateError:
            await asyncio.sleep(POLL_MS / 1000)  # a rebalance is under way
            return
        except KafkaError as error:
            _log.warning("fetch failed", topic=self._topic, reason=repr(error))
            await asyncio.sleep(POLL_MS / 1000)
            return
        is_old = self._settled[index] < self._arrangement.number
        if is_old and self._arrangement.step is _Step.CLAIM:
            return  # it comes again, to whoever claims it
        verified = {
            tp.partition: self._verified(tp.partition, some) for tp, some in fetched.items()
        }
        records = list(chain.from_iterable(verified.values()))
        if not records:
            await worker.note_published()
            return
        self._waiting.note_begun(verified)
        began = time.monotonic()
        await worker.work(group, records)
        worker.took_seconds = time.monotonic() - began
        for partition, owned in worker.owned.items():
            self._offsets[partition] = owned.next_offset
        self._waiting.note_done(verified)
        self._progress_at = time.monotonic()
        if len(records) > self._max_records // 4:
            self._crowded_at = self._progress_at

    def _fetch_no_more(self, index: int, tps: list[TopicPartition]) -> None:
        """Let nothing more be fetched of some partitions until the worker asks."""
        for tp in tps:
            with suppress(IllegalStateError):
                self._client.pause(tp)
        self._resting[index] = tps

    def _fetch_again(self, index: int) -> None:
        """Let the client fetch what a worker owns; what was taken away meanwhile is left alone."""
        for tp in self._resting[index]:
            with suppress(IllegalStateError):
                self._client.resume(tp)
        self._resting[index] = []

    async def _fetched(
        self, tps: Sequence[TopicPartition], timeout_ms: int = 0
    ) -> dict[TopicPartition, list[Record]]:
        """Return what has come, within `timeout_ms`; nothing while the group deals anew."""
        try:
            async with asyncio.timeout(timeout_ms / 1000 + DEALT_ANEW_SECONDS):
                found: dict[TopicPartition, list[Record]] = await self._client.getmany(
                    *tps, timeout_ms=timeout_ms, max_records=self._max_records
                )
                return found
        except TimeoutError:
            return {}

    async def _join(
        self,
        fetched: dict[TopicPartition, list[Record]],
        tps: Sequence[TopicPartition],
        seconds: float,
    ) -> None:
        """Add to a batch of a few what waits at the broker, and if nothing much, what comes.

        Few as they are, they need not be all there is: the client hands out first what it had
        fetched ahead, as long ago as the batch before them began, and asks for more only then.
        """
        until = time.monotonic() + seconds
        _add(fetched, await self._fetched(tps, int(seconds * 1000)))
        left = until - time.monotonic()
        if left > 0 and _are_few(fetched):
            await asyncio.sleep(left)
            _add(fetched, await self._fetched(tps))

    def _drained(self, worker: Worker[M]) -> dict[int, datetime]:
        drained = {}
        for partition, owned in worker.owned.items():
            tp = TopicPartition(self._name, partition)
            if tp not in self._client.assignment():
                continue  # a rebalance is under way
            end, asked_ms = self._client.highwater(tp), self._client.last_poll_timestamp(tp)
            if end is not None and owned.next_offset >= end:
                drained[partition] = datetime.fromtimestamp(asked_ms / 1000, UTC)
        return drained

    def _verified(self, partition: int, records: list[Record]) -> list[Record]:
        """Leave out the record that was read already; stop when the log is another one."""
        expected = self._offsets.get(partition)
        if expected is None or not records:
            return []
        known = self._unverified.pop(partition, None)
        if records[0].offset < (expected if known is None else expected - 1):
            # The client goes back by itself only when the broker no longer has where it was.
            raise self._made_anew(
                partition, f"it starts again at {records[0].offset} but was read up to {expected}"
            )
        if known is not None and records[0].offset == known.next_offset - 1:
            if record_hash(records[0]) != known.record_hash:
                raise self._made_anew(
                    partition, f"the record at {records[0].offset} is not the one that was read"
                )
            records = records[1:]
        if records and self._contiguous and records[0].offset > expected:
            raise Stopped(
                f"{self._name} partition {partition}: records {expected} to "
                f"{records[0].offset - 1} are gone"
            )
        return records

    def _made_anew(self, partition: int, how: str) -> Stopped:
        return Stopped(f"{self._name} partition {partition}: {how}: the topic was made anew")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            with suppress(TimeoutError):  # a database that does not answer says nothing
                async with asyncio.timeout(WATCH_SECONDS):
                    for worker in self._workers:
                        await worker.look_for_other_owners()
            consumer, offsets = self._client, dict(self._offsets)
            tps = [TopicPartition(self._name, partition) for partition in self._wanted]
            asked_at = time.time()
            try:
                async with asyncio.timeout(WATCH_SECONDS * 2):
                    ends = await consumer.end_offsets(tps) if tps else {}
            except (KafkaError, TimeoutError):
                await self._require_broker_away()
                continue
            if time.monotonic() - self._broker_seen_at > 5 * WATCH_SECONDS:
                # It was away: how long nothing has moved counts from its return.
                self._progress_at = time.monotonic()
            self._broker_seen_at = time.monotonic()
            self._ignored_since = None
            lag = {tp.partition: end - offsets.get(tp.partition, 0) for tp, end in ends.items()}
            for partition, records in lag.items():
                # Looked at twice: a broker that has just started may say less for a moment.
                if records < 0 and partition in self._shrunk:
                    raise self._made_anew(
                        partition, f"it ends {-records} records before where it was read up to"
                    )
            self._shrunk = {partition for partition, records in lag.items() if records < 0}
            known = {each: lag[each] for each in lag.keys() & offsets.keys()}
            self._tell_lag(known, len(lag), asked_at)
            waiting = any(worker.trouble is not None for worker in self._workers)
            if sum(lag.values()) == 0 or waiting:
                self._progress_at = time.monotonic()
            elif time.monotonic() - self._progress_at > STALL_SECONDS:
                for worker in self._workers:
                    worker.hang_up()  # it may be the database that does not answer
                raise Stalled(f"{self._topic}: no progress for {STALL_SECONDS:.0f} s, lag {lag}")

    def _tell_lag(self, lag: Mapping[int, int], partitions: int, at: float) -> None:
        """Tell how many records wait in each partition whose place is known, of so many."""
        self._waiting.tell(lag, at)
        self._lag = sum(lag.values()) if len(lag) == partitions and self._is_dealt else None

    async def _require_broker_away(self) -> None:
        """Raise Stalled when the broker has answered the producer all the while, but not us."""
        now = time.monotonic()
        if await self._producer.check() is not None:
            self._ignored_since = None
        elif self._ignored_since is None:
            self._ignored_since = now
        elif now - self._ignored_since > STALL_SECONDS:
            raise Stalled(f"{self._topic}: the broker answers, but not this client")

    @property
    def _client(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise RuntimeError("the consumer is not running")
        return self._consumer


class _Listener(ConsumerRebalanceListener, Generic[M]):  # type: ignore[misc] # the library ships no types
    """Hands the group's decisions over; the workers act on them."""

    def __init__(self, consumer: PartitionConsumer[M]) -> None:
        self._consumer = consumer

    @override
    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._consumer._revoked()  # noqa: SLF001 - its other half

    @override
    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        await self._consumer._assigned({tp.partition for tp in assigned})  # noqa: SLF001 - its other half


def _are_few(fetched: Mapping[TopicPartition, list[Record]]) -> bool:
    return 0 < sum(map(len, fetched.values())) < FEW_RECORDS


def _add(
    fetched: dict[TopicPartition, list[Record]], more: Mapping[TopicPartition, list[Record]]
) -> None:
    for tp, some in more.items():
        fetched.setdefault(tp, []).extend(some)


def for_company(least: float, took: float) -> float:
    """Return how long a batch of a few waits for more, by how long the last one took; seconds."""
    return max(least, min(took / 2, COLLECT_MOST_SECONDS))
