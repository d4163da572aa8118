"""Ledger processes that can be stopped at every seam, on the real database, without a broker.

Each has the real workers and the real handler. Its producer writes down what it would have sent,
and its way to the database can lose a COMMIT or the answer to one. Nothing runs between two calls:
what a process waits for stays where it is, as if it were paused.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from services.ledger.pipeline import StockChanges
from shared.clock import Clock
from shared.database.engine import Engine
from shared.errors import Fenced, Unavailable
from shared.events.dead_letters import DeadLetter, dead_topic
from shared.events.stock_changes import TOPIC
from shared.events.stock_levels import TOPIC as LEVELS
from shared.events.stock_levels import StockLevel
from shared.kafka.handler import Batch
from shared.kafka.messages import Message, Outgoing, Record
from shared.kafka.producer import Producer
from shared.kafka.worker import Worker
from tests.integration.ledger.lossy import Lossy

PARTITIONS = 24


class Killed(Exception):  # noqa: N818 - what happens, not what went wrong
    """The end of a process, as far as a task can have one."""


class Seam(Enum):
    """Where a batch meets its fate."""

    NONE = auto()
    BEFORE_COMMIT = auto()
    COMMIT_LOST = auto()
    ANSWER_LOST = auto()
    AFTER_COMMIT = auto()
    HALF_PUBLISHED = auto()
    AFTER_PUBLISH = auto()
    """The broker has everything, its acknowledgement never came."""

    @property
    def commits(self) -> bool:
        """Return whether the batch is durable all the same."""
        return self is not Seam.BEFORE_COMMIT


@dataclass
class Surroundings:
    """What processes share: the database behind a way that can lose things, the clock, topics."""

    engine: Engine
    way: Lossy
    clock: Clock
    levels: list[StockLevel] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)


class _Recorder(Producer):
    """Writes down what is sent; `refuses` so many times to take all of it."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__("nowhere", "")
        self._surroundings = surroundings
        self.seam = Seam.NONE
        self.refuses = 0

    @override
    async def send(
        self, topic: str, messages: Sequence[Message], *, until: float | None = None
    ) -> None:
        if topic == dead_topic(TOPIC):
            self._surroundings.dead_letters += [
                DeadLetter.model_validate_json(each.value or b"") for each in messages
            ]
            return
        assert topic == LEVELS
        halfway = self.refuses or self.seam is Seam.HALF_PUBLISHED
        self._surroundings.levels += [
            StockLevel.model_validate_json(each.value or b"")
            for each in (messages[: len(messages) // 2] if halfway else messages)
        ]
        if self.refuses:
            self.refuses -= 1
            raise Unavailable("the broker")
        if self.seam in {Seam.HALF_PUBLISHED, Seam.AFTER_PUBLISH}:
            raise Killed


class _Hands(StockChanges):
    """The real handler, with a seam behind its work and one behind the commit."""

    def __init__(self, process: "Process", worker: int, clock: Clock) -> None:
        super().__init__(clock, PARTITIONS)
        self._process = process
        self._worker = worker

    @override
    async def handle(self, connection: AsyncConnection, batch: Batch) -> Sequence[Outgoing]:
        outgoing = await super().handle(connection, batch)
        self._process.comes_to_commit()
        return outgoing

    @override
    def committed(self, batch: Batch) -> None:
        super().committed(batch)
        self._process.has_committed(self._worker)

    @override
    async def turn(
        self, connection: AsyncConnection, batch: Batch, drained: Mapping[int, datetime]
    ) -> Sequence[Outgoing]:
        outgoing = await super().turn(connection, batch, drained)
        self._process.comes_to_commit()
        return outgoing

    @override
    def turned(self) -> None:
        super().turned()
        self._process.has_committed(self._worker)


class _Patient(Worker[list[object]]):
    """A worker that publishes nothing before a gate is open, nor proves that it may."""

    gate: asyncio.Event

    @override
    async def _prove_ownership(self, numbers: dict[int, int]) -> None:
        await self.gate.wait()
        await super()._prove_ownership(numbers)

    @property
    def waits(self) -> bool:
        return self._publication is not None and not self._publication.done()


_Operation = Callable[[asyncio.TaskGroup], Awaitable[object]]


class Process:
    """One process with some workers; it owns nothing before it has claimed."""

    def __init__(self, surroundings: Surroundings, workers: int) -> None:
        self._surroundings = surroundings
        self._gate = asyncio.Event()
        self._gate.set()
        self._recorder = _Recorder(surroundings)
        self._workers = [self._worker(index) for index in range(workers)]
        self._seam = Seam.NONE
        self._orders: asyncio.Queue[tuple[_Operation, asyncio.Future[object]]] = asyncio.Queue()
        self._stuck = asyncio.Event()
        self._life = asyncio.get_running_loop().create_task(self._live())

    def _worker(self, index: int) -> _Patient:
        worker = _Patient(
            service="ledger",
            topic=TOPIC,
            owner=f"process:{id(self)}:{index}",
            engine=self._surroundings.engine,
            producer=self._recorder,
            handler=_Hands(self, index, self._surroundings.clock),  # type: ignore[arg-type]
            clock=self._surroundings.clock,
        )
        worker.gate = self._gate
        return worker

    @property
    def shares(self) -> list[list[int]]:
        """Return the partitions that each worker believes to own."""
        return [sorted(worker.owned) for worker in self._workers]

    @property
    def homes(self) -> list[int]:
        """Return all partitions that it believes to own."""
        return [home for share in self.shares for home in share]

    def worker_of(self, partition: int) -> int:
        """Return which worker works a partition."""
        return next(index for index, share in enumerate(self.shares) if partition in share)

    @property
    def is_stuck(self) -> bool:
        """Return whether it can do nothing more before what it has to publish may go."""
        return self._stuck.is_set()

    @property
    def is_dead(self) -> bool:
        return self._life.done()

    @property
    def holds_back(self) -> bool:
        return not self._gate.is_set()

    def next_offset(self, partition: int) -> int:
        """Return where a partition goes on, as far as this process knows."""
        (found,) = (w.owned[partition] for w in self._workers if partition in w.owned)
        return found.next_offset

    def comes_to_commit(self) -> None:
        """Meet the seam before a commit."""
        if self._seam is Seam.BEFORE_COMMIT:
            raise Killed
        if self._seam in {Seam.COMMIT_LOST, Seam.ANSWER_LOST}:
            lost = "the commit" if self._seam is Seam.COMMIT_LOST else "the answer"
            self._surroundings.way.loses, self._seam = lost, Seam.NONE  # type: ignore[assignment]

    def has_committed(self, worker: int) -> None:
        """Meet the seam behind a commit."""
        if self._seam is Seam.AFTER_COMMIT:
            raise Killed
        if self._workers[worker].waits:
            self._stuck.set()

    async def claim(self, shares: Sequence[Sequence[int]], seam: Seam = Seam.NONE) -> None:
        """Take partitions over, some for each worker; tell what was not told.

        Raises Killed at the seams of publishing.
        """
        self._recorder.seam = seam

        async def claim(group: asyncio.TaskGroup) -> None:
            # Nobody is killed before all have claimed: who had them would not be fenced yet.
            self._gate.clear()
            for worker, own in zip(self._workers, shares, strict=True):
                if own:
                    await worker.claim(group, [(each, 0) for each in own], PARTITIONS)
            self._gate.set()
            for worker in self._workers:
                await worker.settle()

        await self._do(claim)
        self._recorder.seam = Seam.NONE

    async def work(self, worker: int, records: list[Record], seam: Seam = Seam.NONE) -> None:
        """Bring records to their commit and, unless it holds back, to the topic.

        Raises Killed at most seams, and Fenced.
        """
        self._seam = self._recorder.seam = seam

        async def work(group: asyncio.TaskGroup) -> None:
            await self._workers[worker].work(group, records)
            if not self.holds_back:
                await self._workers[worker].settle()

        await self._do(work)
        self._seam = self._recorder.seam = Seam.NONE

    async def turn(self, worker: int, seam: Seam = Seam.NONE) -> None:
        """Give a worker its turn between batches, once. Raises like `work`."""
        self._seam = self._recorder.seam = seam

        async def turn(group: asyncio.TaskGroup) -> None:
            chosen = self._workers[worker]
            assert chosen.timed is not None
            await chosen.turn(group, chosen.timed, {})
            if not self.holds_back:
                await chosen.settle()

        await self._do(turn)
        self._seam = self._recorder.seam = Seam.NONE

    def hold_back(self) -> None:
        """Publish nothing from now on."""
        self._gate.clear()

    async def let_go(self) -> None:
        """Publish what was held back. Raises Fenced."""
        self._gate.set()

        async def settle(_: asyncio.TaskGroup) -> None:
            for worker in self._workers:
                await worker.settle()

        self._stuck.clear()
        await self._do(settle)

    async def note(self) -> None:
        """Store how far publishing has come."""

        async def note(_: asyncio.TaskGroup) -> None:
            for worker in self._workers:
                await worker.note_published()

        await self._do(note)

    async def pass_on(self, partition: int) -> None:
        """Let another worker of this process have a partition."""

        async def pass_on(_: asyncio.TaskGroup) -> None:
            (giver,) = (w for w in self._workers if partition in w.owned)
            taker = self._workers[(self._workers.index(giver) + 1) % len(self._workers)]
            taker.take_over(await giver.part_with([partition]))

        await self._do(pass_on)

    def refuse(self, times: int) -> None:
        """Let the broker be away for so many deliveries."""
        self._recorder.refuses = times

    async def kill(self) -> None:
        """End it as `kill -9` does: its connections break where they are."""
        self._life.cancel()
        await asyncio.wait({self._life})
        for worker in self._workers:
            connection, worker._connection = worker._connection, None
            if connection is not None:
                raw = await connection.get_raw_connection()
                raw.driver_connection.terminate()  # type: ignore[union-attr]
                await connection.invalidate()
                await connection.close()

    async def _live(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                operation, done = await self._orders.get()
                done.set_result(await operation(group))

    async def _do(self, operation: _Operation) -> None:
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._orders.put_nowait((operation, done))
        stuck = asyncio.get_running_loop().create_task(self._stuck.wait())
        ends: list[asyncio.Future[Any]] = [done, self._life, stuck]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        stuck.cancel()
        if self._life.done():
            cause = _cause(self._life)
            if isinstance(cause, Fenced):
                for worker in self._workers:
                    await worker.close()
            await self.kill()
            raise cause


def _cause(ended: "asyncio.Task[None]") -> BaseException:
    """Return what a process has died of: two workers at once may be fenced, or come to its end."""
    error = ended.exception()
    while isinstance(error, BaseExceptionGroup):
        alike = any(error.split(kind)[1] is None for kind in (Fenced, Killed))
        assert alike or len(error.exceptions) == 1, error
        error = error.exceptions[0]
    assert error is not None
    return error
