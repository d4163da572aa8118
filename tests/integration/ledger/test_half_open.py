"""A network that swallows everything: connections stay open, and nothing ever comes."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from aiokafka.consumer.subscription_state import SubscriptionState
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database import positions
from shared.database.engine import create_engine, trouble
from shared.kafka import consumer as consumer_module
from shared.kafka import worker as worker_module
from shared.kafka.consumer import PartitionConsumer, Stalled
from shared.testing.proxy import Direction, Fate, Passing, Proxy, proxied
from shared.testing.waiting import PATIENCE_SECONDS, until
from tests.integration.ledger.lossy import through
from tests.integration.ledger.service import Ledger, change
from tests.integration.shared.test_lag import mute

HEARTBEAT_SECONDS = 3.0
"""How often the client looks whether it still belongs to its group."""


@pytest.mark.parametrize("lost", Direction)
async def test_a_database_that_says_nothing_any_more_ends_the_process(
    ledger: Ledger, lost: Direction, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with consuming_through(ledger) as (_, running, proxy):
        monkeypatch.setattr(consumer_module, "STALL_SECONDS", 3.0)
        proxy.silence(lost)
        await ledger.publish(change(id="sale", quantity=4))
        with pytest.raises(Stalled):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await running
    async with ledger.consuming():
        await ledger.until_published(version=2)
    assert await ledger.tallies() == {"movements": 2}
    assert await ledger.on_hand() == 6


@pytest.mark.parametrize("lost", Direction)
async def test_a_process_that_is_told_to_end_does_not_wait_for_a_silent_database(
    ledger: Ledger, lost: Direction
) -> None:
    async with consuming_through(ledger) as (consumer, _, proxy):
        proxy.silence(lost)
        await ledger.publish(change(id="sale", quantity=4))
        assert await consumer.check() == "the database cannot be reached"
    async with ledger.consuming():
        await ledger.until_published(version=2)
    assert await ledger.on_hand() == 6


@pytest.mark.parametrize("lost", Direction)
async def test_a_connection_that_goes_silent_while_nothing_comes_is_given_up(
    ledger: Ledger, lost: Direction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "ANSWER_SECONDS", 1.0)

    async def is_given_up() -> bool:
        return any(worker.trouble is not None for worker in consumer._workers)

    async with consuming_through(ledger) as (consumer, running, proxy):
        proxy.silence(lost)
        await until(is_given_up)
        proxy.speak()
        await until(lambda: _is_ready(consumer))
        await ledger.publish(change(id="sale", quantity=4))
        await ledger.until_published(version=2)
        assert not running.done()
    assert await ledger.on_hand() == 6


async def test_a_new_connection_whose_first_question_is_lost_is_given_up(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "ANSWER_SECONDS", 1.0)
    lost: set[int] = set()

    async def lose_first(passing: Passing) -> Fate:
        if b"pg_control_system" in passing.data and not lost:
            lost.add(passing.connection)
        if passing.connection in lost:
            await asyncio.Event().wait()
        return Fate.PASS

    async with consuming_through(ledger) as (consumer, running, proxy):
        proxy.watcher = lose_first
        proxy.reset()
        await until(lambda: _are(lost))
        await until(lambda: _is_ready(consumer))
        assert not running.done()
        await ledger.publish(change(id="sale", quantity=4))
        await ledger.until_published(version=2)


@asynccontextmanager
async def consuming_through(
    ledger: Ledger,
) -> AsyncIterator[tuple[PartitionConsumer, asyncio.Task[None], Proxy]]:
    """Yield a consumer that has published something, and its way to the database.

    In the end it is told to stop, and has to.
    """
    url = ledger.settings.database_url.get_secret_value()
    stop = asyncio.Event()
    async with (
        proxied(urlsplit(url).port or 0) as proxy,
        ledger.consumer(database_url=through(url, proxy.port)) as consumer,
    ):
        running = asyncio.get_running_loop().create_task(consumer.run(stop))
        await ledger.publish(change(id="receipt", type="receipt", quantity=10))
        await ledger.until_published(version=1)

        # The other worker may be slower, whose partitions hold nothing.
        await until(lambda: _is_ready(consumer))
        yield consumer, running, proxy
        stop.set()
        _, late = await asyncio.wait([running], timeout=PATIENCE_SECONDS)
        proxy.speak()
        assert not late, "it waits for an answer that never comes"


async def test_a_database_that_was_away_between_two_batches_is_told_to_be_back(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    noting = positions.set_published
    noted = 0

    async def lose_once(
        connection: AsyncConnection, topic: str, published: Sequence[tuple[int, int, int]]
    ) -> None:
        nonlocal noted
        await noting(connection, topic, published)
        noted += 1
        if noted == 1:
            proxy.reset()

    async def is_noted_after_all() -> bool:
        return noted > 1

    async with consuming_through(ledger) as (consumer, _, proxy):
        for worker in consumer._workers:
            worker.timed = None  # as most consumers' are: nothing but records gives them work
        monkeypatch.setattr(positions, "set_published", lose_once)
        await ledger.publish(change(id="sale", quantity=4))
        await until(is_noted_after_all)
        await until(lambda: _is_ready(consumer))


async def test_who_has_fetched_nothing_for_an_hour_still_belongs_to_the_group(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As after an hour in which the database was away: the client thinks that nobody is there.
    monkeypatch.setattr(SubscriptionState, "fetcher_idle_time", property(lambda _: 3600.0))
    async with ledger.consuming() as consumer:
        await until(lambda: _is_ready(consumer))
        await asyncio.sleep(3 * HEARTBEAT_SECONDS)
        await ledger.publish(change(id="receipt", type="receipt", quantity=10))
        await ledger.until_published(version=1)


@pytest.mark.parametrize("lost", Direction)
async def test_readiness_is_told_though_the_database_says_nothing(
    ledger: Ledger, lost: Direction
) -> None:
    url = ledger.settings.database_url.get_secret_value()
    async with proxied(urlsplit(url).port or 0) as proxy:
        engine = create_engine(through(url, proxy.port))
        assert await trouble(engine) is None
        proxy.silence(lost)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await trouble(engine) == "the database cannot be reached"
        proxy.speak()
        assert await trouble(engine) is None
        await engine.dispose()


async def test_lists_wait_for_a_silent_broker_together_and_shortly(ledger: Ledger) -> None:
    async with ledger.consuming():
        await ledger.publish(change())
        await ledger.until_recorded(1)
    async with mute() as (address, came):
        ledger.settings = ledger.settings.model_copy(update={"kafka": address})
        async with ledger.api() as api:
            answers = await asyncio.gather(*(api.get("/v1/levels") for _ in range(10)))
            assert len(came) == 1
            answers.append(await api.get("/v1/summary"))
    assert [each.status_code for each in answers] == [200] * 11
    assert {each.json()["behind_seconds"] for each in answers} == {None}


async def _are(some: Collection[int]) -> bool:
    return bool(some)


async def _is_ready(consumer: PartitionConsumer) -> bool:
    return await consumer.check() is None
