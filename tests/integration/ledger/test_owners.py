"""Promises 1, 2 and 6 when a partition changes hands: owners overlap, pause, crash, lose answers.

A second owner comes in a consumer group of its own, so that nothing but the fence parts the two.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from services.ledger.pipeline import StockChanges
from shared.errors import Fenced, Unavailable
from shared.events.stock_changes import TOPIC
from shared.events.stock_levels import TOPIC as LEVELS
from shared.events.stock_levels import StockLevel
from shared.kafka import consumer as consumer_module
from shared.kafka import worker
from shared.kafka.consumer import PartitionConsumer
from shared.kafka.handler import Batch
from shared.kafka.messages import Message, Outgoing
from shared.kafka.producer import Producer
from shared.testing.waiting import PATIENCE_SECONDS, until
from tests.integration.ledger.lossy import lossy
from tests.integration.ledger.service import PARTITIONS, START, Ledger, change

FIRST_VERSION = 2**40


def numbers(levels: Sequence[StockLevel]) -> list[int]:
    """Return which of their versions levels are, counted from 1."""
    return [each.version - FIRST_VERSION for each in levels]


class Hooked(StockChanges):
    """Calls a hook at the end of each batch's transaction, before it commits."""

    def __init__(
        self, ledger: Ledger, hook: Callable[[AsyncConnection, Batch], Awaitable[None]]
    ) -> None:
        super().__init__(ledger.clock, PARTITIONS)
        self._hook = hook

    @override
    async def handle(self, connection: AsyncConnection, batch: Batch) -> Sequence[Outgoing]:
        outgoing = await super().handle(connection, batch)
        await self._hook(connection, batch)
        return outgoing


async def run_until_fenced(consumer: PartitionConsumer) -> None:
    with pytest.raises(Fenced):
        await consumer.run(asyncio.Event())


async def test_an_owner_between_batches_is_fenced_by_the_next(ledger: Ledger) -> None:
    async with ledger.consumer() as first, asyncio.TaskGroup() as tasks:
        ended = tasks.create_task(run_until_fenced(first))
        await ledger.publish(change(id="receipt", type="receipt", quantity=10))
        await ledger.until_published(version=1)
        async with ledger.consuming(group="second"):
            await ledger.until_claimed(times=2)
            await ledger.publish(change(id="sale", quantity=4))
            await ended
            await ledger.until_published(version=2)
    assert await ledger.tallies() == {"movements": 2}
    assert await ledger.on_hand() == 6
    levels = {each.version: each for each in await ledger.published()}
    # The next owner may tell the first version once more: whether it was told is stored later.
    assert [(each.on_hand, each.low_water) for each in levels.values()] == [(10, 10), (6, 6)]


async def test_an_owner_inside_a_transaction_ends_it_first_and_is_fenced_then(
    ledger: Ledger,
) -> None:
    inside, go = asyncio.Event(), asyncio.Event()

    async def pause(_: AsyncConnection, batch: Batch) -> None:
        if batch.records:
            inside.set()
            await go.wait()

    async def another_waits() -> bool:
        rows = await ledger.rows(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(rows[0][0])

    async with (
        ledger.consumer(handler=lambda: Hooked(ledger, pause), workers=1) as first,
        asyncio.TaskGroup() as tasks,
    ):
        ended = tasks.create_task(run_until_fenced(first))
        await ledger.publish(change(id="receipt", type="receipt", quantity=10))
        await inside.wait()
        async with ledger.consuming(group="second"):
            await until(another_waits)
            go.set()
            await ledger.until_claimed(times=2)
            await ledger.until_published(version=1)
            await ledger.publish(change(id="sale", quantity=4))
            await ended
            await ledger.until_published(version=2)
    assert await ledger.tallies() == {"movements": 2}
    assert await ledger.on_hand() == 6


class Frozen(StockChanges):
    """Stops its whole thread between commit and publication, as a paused process would be."""

    def __init__(self, ledger: Ledger, frozen: threading.Event, woken: threading.Event) -> None:
        super().__init__(ledger.clock, PARTITIONS)
        self._frozen = frozen
        self._woken = woken

    @override
    def committed(self, batch: Batch) -> None:
        super().committed(batch)
        self._frozen.set()
        if not self._woken.wait(30):
            raise TimeoutError("nobody woke the owner")


async def test_what_a_paused_owner_had_to_publish_never_follows_newer_levels(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However short the pause was: the test need not last longer than the fence is good for.
    monkeypatch.setattr(worker, "FENCE_SECONDS", 0.0)
    frozen, woken = threading.Event(), threading.Event()

    async def own() -> None:
        async with (
            Producer(ledger.settings.kafka, ledger.settings.topic_prefix) as producer,
            ledger.consumer(
                handler=lambda: Frozen(ledger, frozen, woken), producer=producer
            ) as consumer,
        ):
            await run_until_fenced(consumer)

    async def has_frozen() -> bool:
        return frozen.is_set()

    await ledger.publish(change(id="receipt", type="receipt", quantity=10))
    async with asyncio.TaskGroup() as tasks:
        ended = tasks.create_task(asyncio.to_thread(lambda: asyncio.run(own())))
        await until(has_frozen)
        async with ledger.consuming(group="second"):
            await ledger.publish(change(id="sale", quantity=4))
            await ledger.until_published(version=2)
            woken.set()
            await ended
    # Both are from the second owner, who also publishes what the first had only committed.
    assert numbers(await ledger.published()) == [1, 2]


class Crash(Exception):  # noqa: N818 - what happens, not what went wrong
    """The end of a process, as far as a task can have one."""


class Dying(Producer):
    """Ends the process instead of publishing levels, or hangs before it does."""

    hung: asyncio.Event | None = None

    @override
    async def send(
        self, topic: str, messages: Sequence[Message], *, until: float | None = None
    ) -> None:
        if topic == LEVELS:
            if self.hung is not None:
                await self.hung.wait()
            raise Crash
        await super().send(topic, messages, until=until)


async def run_until_crash(consumer: PartitionConsumer) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await consumer.run(asyncio.Event())
    assert caught.group_contains(Crash)


async def test_a_crash_between_commit_and_publish_hides_no_dip(ledger: Ledger) -> None:
    await ledger.publish(
        change(id="count", type="count", quantity=10),
        change(id="sale", quantity=9, occurred_at=START + timedelta(1)),
        change(id="receipt", type="receipt", quantity=20, occurred_at=START + timedelta(2)),
    )
    async with (
        Dying(ledger.settings.kafka, ledger.settings.topic_prefix) as producer,
        ledger.consumer(producer=producer) as consumer,
    ):
        await run_until_crash(consumer)
    assert await ledger.published() == []
    async with ledger.consuming():
        await ledger.until_published(version=1)
        (level,) = await ledger.published()
        assert (level.available, level.low_water) == (21, 1)
        await ledger.publish(change(id="late", quantity=1, occurred_at=START + timedelta(3)))
        await ledger.until_published(version=2)
    assert [each.low_water for each in await ledger.published()] == [1, 20]


async def test_a_dip_survives_a_second_batch_before_the_crash(ledger: Ledger) -> None:
    async with (
        Dying(ledger.settings.kafka, ledger.settings.topic_prefix) as producer,
        ledger.consumer(producer=producer) as consumer,
        asyncio.TaskGroup() as tasks,
    ):
        producer.hung = asyncio.Event()
        crashed = tasks.create_task(run_until_crash(consumer))
        await ledger.publish(
            change(id="count", type="count", quantity=10),
            change(id="sale", quantity=9, occurred_at=START + timedelta(1)),
            change(id="back", type="return", quantity=5, occurred_at=START + timedelta(2)),
        )
        await ledger.until_recorded(3)
        await ledger.publish(
            change(id="receipt", type="receipt", quantity=3, occurred_at=START + timedelta(3))
        )
        await ledger.until_recorded(4)
        producer.hung.set()
        await crashed
    async with ledger.consuming():
        await ledger.until_published(version=2)
    (level,) = await ledger.published()
    assert (level.available, level.low_water) == (9, 1)


async def test_what_was_published_before_a_restart_is_not_published_again(ledger: Ledger) -> None:
    await ledger.publish(change(id="receipt", type="receipt", quantity=10))
    async with ledger.consuming():
        await ledger.until_published(version=1)

        async def noted() -> bool:
            rows = await ledger.rows(
                "SELECT 1 FROM consumer_position WHERE next_offset > 0 AND published = batch"
            )
            return bool(rows)

        await until(noted)
        await ledger.until_claimed(times=1)  # the other worker may have been slower
    async with ledger.consuming():
        await ledger.until_claimed(times=2)
        await ledger.publish(change(id="sale", quantity=1))
        await ledger.until_published(version=2)
    assert numbers(await ledger.published()) == [1, 2]


async def test_a_commit_whose_answer_was_lost_is_not_repeated(ledger: Ledger) -> None:
    async with lossy(ledger.settings.database_url.get_secret_value()) as way:

        async def lose(_: AsyncConnection, __: Batch) -> None:
            way.loses = "the answer"

        await ledger.publish(
            change(id="receipt", type="receipt", quantity=10),
            change(id="sale", quantity=10),
            change(id="back", type="return", quantity=4),
        )
        async with ledger.consumer(
            handler=lambda: Hooked(ledger, lose), workers=1, database_url=way.url
        ) as consumer:
            await run_until_fenced(consumer)
    assert way.lost == 1
    assert await ledger.tallies() == {"movements": 3}
    assert await ledger.published() == []
    async with ledger.consuming():
        await ledger.until_published(version=1)
    (level,) = await ledger.published()
    assert (level.on_hand, level.low_water) == (4, 0)
    assert await ledger.tallies() == {"movements": 3}


async def test_a_commit_that_never_arrived_is_done_again(ledger: Ledger) -> None:
    async with lossy(ledger.settings.database_url.get_secret_value()) as way:

        async def lose_the_first(_: AsyncConnection, __: Batch) -> None:
            if not way.lost:
                way.loses = "the commit"

        await ledger.publish(change(id="receipt", type="receipt", quantity=10))
        async with ledger.consuming(
            handler=lambda: Hooked(ledger, lose_the_first), workers=1, database_url=way.url
        ):
            await ledger.until_published(version=1)
    assert way.lost == 1
    assert await ledger.tallies() == {"movements": 1}
    assert await ledger.on_hand() == 10


async def test_a_connection_that_ends_in_mid_batch_is_replaced(ledger: Ledger) -> None:
    ended: list[int] = []

    async def end_the_first(connection: AsyncConnection, _: Batch) -> None:
        if not ended:
            pid = await connection.exec_driver_sql("SELECT pg_backend_pid()")
            ended.append(int(pid.scalar_one()))
            await ledger.rows("SELECT pg_terminate_backend($1)", ended[0])

    await ledger.publish(change(id="receipt", type="receipt", quantity=10))
    async with ledger.consuming(handler=lambda: Hooked(ledger, end_the_first), workers=1):
        await ledger.until_published(version=1)
        await ledger.publish(change(id="sale", quantity=3))
        await ledger.until_published(version=2)
    assert len(ended) == 1
    assert await ledger.tallies() == {"movements": 2}
    assert await ledger.on_hand() == 7


async def test_an_idle_ledger_whose_connections_end_is_ready_again_by_itself(
    ledger: Ledger,
) -> None:
    ours = "FROM pg_stat_activity WHERE datname = current_database() AND usename = 'ledger'"

    async with ledger.consuming(workers=1) as consumer:
        await ledger.until_claimed(times=1)
        ended = await ledger.rows(f"SELECT pid, pg_terminate_backend(pid) {ours}")

        async def has_connected_again() -> bool:
            return bool({row[0] for row in await ledger.rows(f"SELECT pid {ours}")} - gone)

        async def is_ready() -> bool:
            return await consumer.check() is None

        gone = {row[0] for row in ended}
        await until(has_connected_again)
        await until(is_ready)


class Contended(StockChanges):
    """Lets another transaction hold a level's row before the batch comes to it."""

    def __init__(self, ledger: Ledger, before: Callable[[], Awaitable[None]]) -> None:
        super().__init__(ledger.clock, PARTITIONS)
        self._before = before

    @override
    async def handle(self, connection: AsyncConnection, batch: Batch) -> Sequence[Outgoing]:
        await self._before()
        return await super().handle(connection, batch)


async def test_a_deadlock_is_repeated(ledger: Ledger) -> None:
    await ledger.publish(change(id="receipt", type="receipt", quantity=10))
    async with ledger.consuming():
        await ledger.until_published(version=1)

    other = await asyncpg.connect(ledger.database.administrator_url)
    deadlocks: list[asyncio.Task[None]] = []
    try:
        # The batch, which looks for a deadlock after a second, must be the one to give way.
        await other.execute("SET search_path = ledger; SET deadlock_timeout = '60s'")
        async with asyncio.TaskGroup() as tasks:

            async def close_the_circle() -> None:
                await other.execute(
                    "UPDATE consumer_position SET owner = owner WHERE topic = $1", TOPIC
                )
                await other.execute("COMMIT")

            async def hold_the_level() -> None:
                if not deadlocks:
                    await other.execute("BEGIN")
                    await other.execute("UPDATE level SET sku = sku")
                    deadlocks.append(tasks.create_task(close_the_circle()))

            async with ledger.consuming(
                handler=lambda: Contended(ledger, hold_the_level), workers=1
            ):
                await ledger.publish(change(id="sale", quantity=3))
                await ledger.until_published(version=2)
    finally:
        await other.close()
    assert len(deadlocks) == 1
    assert await ledger.tallies() == {"movements": 2}
    assert await ledger.on_hand() == 7


class Cut(Producer):
    """Reaches the broker for everything but levels."""

    tried = 0

    @override
    async def send(
        self, topic: str, messages: Sequence[Message], *, until: float | None = None
    ) -> None:
        if topic == LEVELS:
            self.tried += 1
            raise Unavailable("the broker")
        await super().send(topic, messages, until=until)


async def test_a_ledger_that_is_told_to_stop_does_not_wait_for_the_broker(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "GIVE_UP_SECONDS", 0.1)
    await ledger.publish(change(id="receipt", type="receipt", quantity=10))
    async with Cut(ledger.settings.kafka, ledger.settings.topic_prefix) as producer:

        async def tried() -> bool:
            return producer.tried > 1

        async with asyncio.timeout(PATIENCE_SECONDS), ledger.consuming(producer=producer):
            await until(tried)
    assert await ledger.published() == []
    async with ledger.consuming():
        await ledger.until_published(version=1)
