"""One worker of the partition consumer: a database connection, some partitions, one loop."""

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Generic

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.clock import Clock
from shared.database import positions
from shared.database.engine import (
    ANSWER_SECONDS,
    DATABASE_ERRORS,
    hang_up,
    is_away,
    is_retryable,
)
from shared.database.history import History, history
from shared.database.positions import Move, Position
from shared.errors import Fenced, Stopped, Unavailable
from shared.events.dead_letters import dead_topic
from shared.kafka.dead import LIMIT, WINDOW, dead_letter, within_window
from shared.kafka.handler import Again, Batch, Claim, Handler, M, Timed
from shared.kafka.messages import Outgoing, Record
from shared.kafka.producer import DELIVERY_TIMEOUT_MS, Producer
from shared.observability.logs import get_logger
from shared.observability.metrics import (
    BATCH_RECORDS,
    BATCH_SECONDS,
    CLAIMS_TOTAL,
    DEAD_LETTERS_TOTAL,
    RECORDS_TOTAL,
)

FENCE_SECONDS = 4.0
"""Nothing is sent on a proof of ownership older than this: an owner that was paused between
commit and publish must not overwrite what its successor has published since."""

_SEND_SECONDS = FENCE_SECONDS + DELIVERY_TIMEOUT_MS / 1000
"""Nothing is written to the broker so long after a proof: less than a session (10 s), before whose
end nobody else publishes."""

_DATABASE_AWAY = "the database cannot be reached"
_TOO_MANY = f"more than {LIMIT} malformed records among the last {WINDOW:,}"
_NEVER = 2**63  # no offset is as large
_RETRIES = 5
_BACKOFF_SECONDS = (0.05, 0.2, 0.5, 1.0)

_log = get_logger("kafka.worker")


@dataclass(slots=True)
class Owned:
    """What a worker knows of a partition it owns."""

    epoch: int
    next_offset: int
    batch: int
    published: int
    stored_published: int
    malformed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """The records of one batch from one partition."""

    partition: int
    first: Record
    last: Record


@dataclass(slots=True)
class _Burial:
    """What a batch's dead letters did to the limit."""

    malformed: dict[int, tuple[int, ...]]
    halted: list[int]


@dataclass(frozen=True, slots=True)
class _Committed:
    batch: Batch
    steps: list[_Step]
    outgoing: Sequence[Outgoing]
    burial: _Burial | None


class _LimitReached(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, partition: int, offset: int) -> None:
        super().__init__(partition, offset)
        self.partition = partition
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Passed(Generic[M]):
    """A partition on its way from one worker of the process to another."""

    owned: Owned
    memory: M | None
    fenced_at: float
    history: History | None


class Worker(Generic[M]):
    """Claims partitions, works batches in fenced transactions, publishes what they yield."""

    def __init__(
        self,
        *,
        service: str,
        topic: str,
        owner: str,
        engine: AsyncEngine,
        producer: Producer,
        handler: Handler[M],
        clock: Clock,
    ) -> None:
        self._service = service
        self._topic = topic
        self._owner = owner
        self._engine = engine
        self._producer = producer
        self._handler = handler
        self.timed = handler if isinstance(handler, Timed) else None
        """The handler, when time alone can give it work."""
        self._clock = clock
        self._connection: AsyncConnection | None = None
        self._history: History | None = None
        """The database's history in which the partitions were claimed."""
        self._fenced_at = 0.0
        self._publication: asyncio.Task[None] | None = None
        self.owned: dict[int, Owned] = {}
        self.trouble: str | None = None
        """What it waits for, in words; None while all is well."""
        self.took_seconds = 0.0
        """How long the last batch took."""

    async def close(self) -> None:
        """Give the connection back; what is not published yet is found by the next claim."""
        await self._disconnect()

    def hang_up(self) -> None:
        """Wait no longer for a database that does not answer."""
        if self._connection is not None:
            hang_up(self._connection)

    async def claim(
        self, group: asyncio.TaskGroup, partitions: Sequence[tuple[int, int]], count: int
    ) -> list[Position]:
        """Take over (partition, first offset) pairs of a topic with `count` partitions.

        Waits for the database, and for what the handler finds unavailable, as long as it takes.
        Raises Stopped for a topic whose number of partitions is not the stored one, or a
        partition that waits for `resume`.
        """
        taken = None
        while taken is None:
            try:
                taken = await self._take(partitions, count)
            except DATABASE_ERRORS as error:
                await self._recover(error)
            except Unavailable as error:
                self.trouble = str(error)
                await asyncio.sleep(_BACKOFF_SECONDS[-1])
        claimed, outgoing = taken
        self.trouble = None
        for each in claimed:
            self.owned[each.partition] = Owned(
                epoch=each.epoch,
                next_offset=each.next_offset,
                batch=each.batch,
                published=each.published,
                stored_published=each.published,
                malformed=each.malformed,
            )
        CLAIMS_TOTAL.labels(self._topic).inc(len(claimed))
        await self.settle()
        self._publish(group, outgoing, {each.partition: each.batch for each in claimed})
        return claimed

    async def _take(
        self, partitions: Sequence[tuple[int, int]], count: int
    ) -> tuple[list[Position], Sequence[Outgoing]]:
        connection = await self._connect()
        async with connection.begin():
            fenced_at = time.monotonic()
            claimed = [
                await positions.claim(
                    connection,
                    self._topic,
                    partition,
                    partitions=count,
                    first_offset=first_offset,
                    owner=self._owner,
                )
                for partition, first_offset in partitions
            ]
            _check(claimed, count)
            claims = [Claim(each.partition, each.batch, each.published) for each in claimed]
            outgoing = await self._handler.claim(connection, claims)
        self._fenced_at = fenced_at
        return claimed, outgoing

    async def part_with(self, partitions: Collection[int]) -> dict[int, "Passed[M]"]:
        """Let go of partitions; what they had yielded is published first.

        Returns them as another worker of this process may take them over.
        """
        await self.settle()
        memories = self._handler.part_with(partitions)
        if len(partitions) == len(self.owned):
            self.trouble = None  # whoever has them next waits for it
        return {
            partition: Passed(
                self.owned.pop(partition),
                memories.get(partition),
                self._fenced_at,
                self._history,
            )
            for partition in partitions
        }

    def take_over(self, passed: Mapping[int, "Passed[M]"]) -> None:
        """Go on with partitions where another worker of this process has left off.

        Raises Fenced when they were claimed in another history of the database.
        """
        for partition, each in passed.items():
            if each.history != (self._history or each.history):
                raise self._in_another_history()
            self._history = each.history
            self.owned[partition] = each.owned
            self._fenced_at = min(self._fenced_at, each.fenced_at)
        self._handler.take_up([each.memory for each in passed.values() if each.memory is not None])

    async def work(self, group: asyncio.TaskGroup, records: list[Record]) -> None:
        """Bring one batch to its commit and start its publication.

        Returns as soon as it is durable: the publication overlaps with the next batch and is
        awaited before the next one starts.
        """
        started = time.perf_counter()
        due = {partition: owned.next_offset for partition, owned in self.owned.items()}
        records = [each for each in records if each.offset >= due.get(each.partition, _NEVER)]
        if not records:
            return
        done = await self._commit(records)
        batch = done.batch
        for step in done.steps:
            owned = self.owned[step.partition]
            owned.next_offset = step.last.offset + 1
            owned.batch = batch.numbers[step.partition]
            owned.stored_published = batch.published[step.partition]
        self._handler.committed(batch)
        BATCH_SECONDS.labels(self._topic).observe(time.perf_counter() - started)
        BATCH_RECORDS.labels(self._topic).observe(len(batch.records))
        RECORDS_TOTAL.labels(self._topic).inc(len(batch.records))
        await self.settle()
        self._publish(group, done.outgoing, dict(batch.numbers))
        if done.burial is not None:
            await self._after_burial(batch, done.burial)

    async def _after_burial(self, batch: Batch, burial: _Burial) -> None:
        for dead in batch.dead_letters:
            DEAD_LETTERS_TOTAL.labels(self._topic, dead.reason.value).inc()
        for partition, malformed in burial.malformed.items():
            self.owned[partition].malformed = malformed
        if burial.halted:
            await self.settle()
            raise Stopped(
                f"{self._topic} partitions {burial.halted} are halted: {_TOO_MANY}. Mend what "
                f"writes them, then run: python -m services.{self._service} resume"
            )

    async def turn(
        self, group: asyncio.TaskGroup, timed: Timed, drained: Mapping[int, datetime]
    ) -> None:
        """Give the handler a batch without records, if time has given it something to do.

        Raises Fenced when another owner has claimed a partition, or the outcome is unknown.
        """
        batch = Batch([])
        committing = False
        try:
            connection = await self._connect()
            with self._answered():
                partitions = await timed.due(connection, self.owned.keys(), drained)
            if not partitions:
                self._note_database_back()
                return
            async with connection.begin():
                await self._stay(connection, batch, partitions)
                fenced_at = time.monotonic()
                outgoing = await timed.turn(connection, batch, drained)
                committing = True
        except DATABASE_ERRORS as error:
            await self._recover(error)
            if committing:
                raise Fenced(f"{self._topic}: a commit of unknown outcome; claim anew") from error
            return
        self.trouble = None
        self._fenced_at = fenced_at
        for partition, number in batch.numbers.items():
            self.owned[partition].batch = number
            self.owned[partition].stored_published = batch.published[partition]
        timed.turned()
        await self.settle()
        self._publish(group, outgoing, dict(batch.numbers))

    async def _stay(
        self, connection: AsyncConnection, batch: Batch, partitions: Collection[int]
    ) -> None:
        staying = [
            (partition, self.owned[partition].epoch, self.owned[partition].published)
            for partition in sorted(partitions)
        ]
        batch.numbers.update(await positions.stay(connection, self._topic, staying))
        if len(batch.numbers) < len(staying):
            lost = sorted(set(partitions) - batch.numbers.keys())
            raise Fenced(f"{self._topic} partitions {lost} belong to another owner or are stopped")
        for partition, _, published in staying:
            batch.published[partition] = published

    async def look_for_other_owners(self) -> None:
        """Raise Fenced when somebody else has claimed a partition: without records no batch would.

        A database that is away says nothing.
        """
        epochs = {partition: owned.epoch for partition, owned in self.owned.items()}
        try:
            async with self._engine.connect() as connection:
                is_ours = await positions.owned(connection, self._topic, epochs)
        except DATABASE_ERRORS as error:
            if not is_away(error):
                raise
            return
        if not is_ours and epochs == {each: owned.epoch for each, owned in self.owned.items()}:
            raise Fenced(f"{self._topic}: partitions belong to another owner")

    async def settle(self) -> None:
        """Wait until everything committed is published."""
        if self._publication is not None:
            await self._publication
            self._publication = None

    async def give_up(self, seconds: float) -> None:
        """Wait for a publication under way, but not longer: the next claim finds what is left."""
        if self._publication is not None:
            _, pending = await asyncio.wait([self._publication], timeout=seconds)
            for publication in pending:
                publication.cancel()

    async def note_published(self) -> None:
        """Store how far publishing has come, when no batch has done so on its way."""
        if self._publication is not None and not self._publication.done():
            return
        behind = [
            (partition, owned.epoch, owned.published)
            for partition, owned in self.owned.items()
            if owned.published > owned.stored_published
        ]
        if not behind:
            # Readiness asks the database itself; nothing of ours waits for it.
            self._note_database_back()
            return
        try:
            connection = await self._connect()
            with self._answered():
                async with connection.begin():
                    await positions.set_published(connection, self._topic, behind)
        except DATABASE_ERRORS as error:
            await self._recover(error)
            return
        self._note_database_back()
        for partition, _, published in behind:
            self.owned[partition].stored_published = published

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Hang up on a database that says nothing: between batches nobody else would notice."""
        timer = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self.hang_up)
        try:
            yield
        finally:
            timer.cancel()

    def _note_database_back(self) -> None:
        if self.trouble == _DATABASE_AWAY:
            self.trouble = None

    async def _commit(self, records: list[Record]) -> _Committed:
        attempt = 0
        while True:
            steps = _steps(records)
            batch = Batch(records)
            try:
                connection = await self._connect()
                if attempt:
                    await self._refuse_repeat(connection, steps)
                async with connection.begin():
                    await self._move(connection, batch, steps)
                    fenced_at = time.monotonic()
                    outgoing = await self._handler.handle(connection, batch)
                    burial = await self._bury(connection, batch) if batch.dead_letters else None
            except DATABASE_ERRORS as error:
                attempt += 1
                await self._recover(error, attempt)
            except Unavailable as error:
                self.trouble = str(error)
                await asyncio.sleep(_BACKOFF_SECONDS[-1])
            except Again:
                continue
            except _LimitReached as limit:
                # Commit up to the record that filled the limit, so that `resume` goes on after it.
                records = [
                    each
                    for each in records
                    if each.partition != limit.partition or each.offset <= limit.offset
                ]
            else:
                self.trouble = None
                self._fenced_at = fenced_at
                return _Committed(batch, steps, outgoing, burial)

    async def _move(self, connection: AsyncConnection, batch: Batch, steps: list[_Step]) -> None:
        moves = [self._step_to_move(step) for step in steps]
        batch.numbers.update(await positions.move(connection, self._topic, moves))
        if len(batch.numbers) < len(moves):
            lost = sorted({step.partition for step in steps} - batch.numbers.keys())
            raise Fenced(f"{self._topic} partitions {lost} belong to another owner or are stopped")
        for move in moves:
            batch.published[move.partition] = move.published

    def _step_to_move(self, step: _Step) -> Move:
        owned = self.owned[step.partition]
        return Move(
            partition=step.partition,
            epoch=owned.epoch,
            first_offset=step.first.offset,
            next_offset=step.last.offset + 1,
            published=owned.published,
            record_time=step.last.timestamp,
            record_hash=record_hash(step.last),
        )

    async def _refuse_repeat(self, connection: AsyncConnection, steps: list[_Step]) -> None:
        """End when the transaction whose answer was lost had been committed after all.

        What it had to publish was lost with the answer; the next claim finds it again.
        """
        stored = {each.partition: each for each in await positions.read(connection, self._topic)}
        await connection.rollback()
        if any(
            stored[step.partition].next_offset > self.owned[step.partition].next_offset
            for step in steps
        ):
            raise Fenced(f"{self._topic}: a commit of unknown outcome had succeeded; claim anew")

    async def _bury(self, connection: AsyncConnection, batch: Batch) -> _Burial:
        """Bring the batch's dead letters to the broker and count them against the limit.

        Raises _LimitReached when records follow the one that fills the limit.
        """
        malformed: dict[int, list[int]] = {}
        for dead in batch.dead_letters:
            if dead.reason.malformed:
                malformed.setdefault(dead.record.partition, []).append(dead.record.offset)
        burial = _Burial({}, [])
        last = {step.partition: step.last.offset for step in _steps(batch.records)}
        for partition, offsets in malformed.items():
            counted = list(self.owned[partition].malformed)
            for offset in sorted(offsets):
                counted = within_window([*counted, offset], offset + 1)
                if len(counted) > LIMIT:
                    if offset < last[partition]:
                        raise _LimitReached(partition, offset)
                    burial.halted.append(partition)
            burial.malformed[partition] = tuple(counted)
            await positions.set_malformed(connection, self._topic, partition, counted)
        letters = [
            dead_letter(
                dead.record,
                self._topic,
                dead.reason,
                dead.detail,
                consumer=self._service,
                clock=self._clock,
                first=dead.first,
            )
            for dead in batch.dead_letters
        ]
        await self._producer.send(dead_topic(self._topic), letters)
        for partition in burial.halted:
            epoch = self.owned[partition].epoch
            await positions.stop(connection, self._topic, partition, epoch, _TOO_MANY)
        return burial

    def _publish(
        self, group: asyncio.TaskGroup, outgoing: Sequence[Outgoing], numbers: dict[int, int]
    ) -> None:
        if any(each.messages for each in outgoing):
            self._publication = group.create_task(self._deliver(outgoing, numbers))
        else:
            self._note(numbers)

    async def _deliver(self, outgoing: Sequence[Outgoing], numbers: dict[int, int]) -> None:
        attempt = 0
        for each in outgoing:
            while True:
                await self._prove_ownership(numbers)
                try:
                    await self._producer.send(
                        each.topic, each.messages, until=self._fenced_at + _SEND_SECONDS
                    )
                    break
                except Unavailable as error:
                    self.trouble = str(error)
                    await asyncio.sleep(_BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS) - 1)])
                    attempt += 1
        if attempt:
            self.trouble = None
        self._note(numbers)

    async def _prove_ownership(self, numbers: dict[int, int]) -> None:
        if time.monotonic() - self._fenced_at < FENCE_SECONDS:
            return
        epochs = {partition: self.owned[partition].epoch for partition in numbers}
        while True:
            asked_at = time.monotonic()
            try:
                async with self._engine.connect() as connection:
                    if not await positions.owned(connection, self._topic, epochs):
                        raise Fenced(f"{self._topic}: partitions moved before publishing")
            except DATABASE_ERRORS as error:
                if not is_away(error):
                    raise
                await asyncio.sleep(_BACKOFF_SECONDS[-1])
            else:
                self._fenced_at = asked_at
                return

    def _note(self, numbers: dict[int, int]) -> None:
        for partition, number in numbers.items():
            if (owned := self.owned.get(partition)) is not None:
                owned.published = number

    async def _connect(self) -> AsyncConnection:
        if self._connection is None:
            self._connection = connection = await self._engine.connect()
            with self._answered():
                async with connection.begin():
                    here = await history(connection)
            if self.owned and here != self._history:
                raise self._in_another_history()
            self._history = here
        return self._connection

    def _in_another_history(self) -> Fenced:
        # What was committed last may be missing there: going on would skip those records.
        return Fenced(f"{self._topic}: the database goes on in another history; claim anew")

    async def _disconnect(self, *, lost: bool = False) -> None:
        """Give the connection back; one that is lost must not be lent again."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if lost:
                await connection.invalidate()
            elif connection.in_transaction():
                await connection.rollback()
        except DATABASE_ERRORS:
            await connection.invalidate()
        await connection.close()

    async def _recover(self, error: BaseException, attempt: int = 1) -> None:
        """Wait before a repeat, or raise what no repeat can mend."""
        away = is_away(error)
        # What is asked outside of transactions fails behind the pool's back.
        await self._disconnect(lost=away)
        if not away and (not is_retryable(error) or attempt > _RETRIES):
            raise error
        # Once for a database that is away, however often it is tried: that may take hours.
        if not away or self.trouble != _DATABASE_AWAY:
            _log.warning(
                "transaction will be repeated", topic=self._topic, reason=repr(error)[:300]
            )
        if away:
            self.trouble = _DATABASE_AWAY
        await asyncio.sleep(_BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS)) - 1])


def record_hash(record: Record) -> int:
    """Return 63 bits that tell a record from another one at the same offset."""
    digest = blake2b(record.value or b"", digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def _steps(records: list[Record]) -> list[_Step]:
    last = {record.partition: record for record in records}
    first = {record.partition: record for record in reversed(records)}
    return [_Step(partition, first[partition], last[partition]) for partition in sorted(first)]


def _check(claimed: Sequence[Position], count: int) -> None:
    for each in claimed:
        if each.partitions != count:
            raise Stopped(
                f"{each.topic} has {count} partitions, stored are {each.partitions}: a topic's "
                "partitions are for life"
            )
        if each.stopped is not None:
            raise Stopped(f"{each.topic} partition {each.partition} is halted: {each.stopped}")
