"""What is left of a client that is interrupted."""

import asyncio
import gc
import struct
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer

from shared.events.topics import STOCK_LEVELS
from shared.kafka import client
from shared.kafka.lag import LagReader
from shared.kafka.log import LogReader
from shared.kafka.producer import Producer
from shared.kafka.tail import TailReader
from shared.testing.proxy import Direction, Fate, Passing, Proxy, proxied_broker
from shared.testing.stack import Stack
from shared.testing.waiting import until

pytestmark = pytest.mark.stack

TOPIC = STOCK_LEVELS.name
METADATA = struct.pack(">h", 3)
"""The key of the request a client sends first, after it has asked for the broker's versions."""


@pytest_asyncio.fixture
async def broker(stack: Stack) -> AsyncIterator[Proxy]:
    """The broker behind a proxy, for whoever connects through it."""
    async with proxied_broker(stack.bootstrap) as proxy:
        yield proxy


@pytest.fixture
def forgotten() -> Iterator[Callable[[], list[str]]]:
    """Return what was forgotten open, once all of it has been collected."""
    gc.collect()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", ResourceWarning)

        def so_far() -> list[str]:
            gc.collect()
            return [str(each.message) for each in found]

        yield so_far


async def _interrupt(broker: Proxy, work: Callable[[], Coroutine[object, object, object]]) -> None:
    """Cancel what connects while it waits for the answer to its first question."""
    has_asked = asyncio.Event()

    async def slowly(passing: Passing) -> Fate:
        if passing.direction is Direction.TO_SERVER and passing.data[4:6] == METADATA:
            has_asked.set()
            await asyncio.sleep(0.2)
        return Fate.PASS

    broker.watcher = slowly
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(work())
        await has_asked.wait()
        task.cancel()


async def test_whoever_is_interrupted_while_it_connects_leaves_nothing_open(
    broker: Proxy, topics: str, forgotten: Callable[[], list[str]]
) -> None:
    address = f"127.0.0.1:{broker.port}"

    async def read() -> None:
        async for _ in TailReader(address, topics, [TOPIC]).records():
            pass

    async def ask_for_lag() -> None:
        await LagReader(address, topics, TOPIC).read([])

    async def follow() -> None:
        async with LogReader(address, topics, TOPIC):
            await asyncio.sleep(10)

    async def publish() -> None:
        async with Producer(address, topics):
            await asyncio.sleep(10)

    for work in read, ask_for_lag, follow, publish:
        await _interrupt(broker, work)
        assert not forgotten(), work.__name__


async def test_a_client_that_is_slow_to_leave_is_not_waited_for_and_leaves(
    broker: Proxy, topics: str
) -> None:
    consumer = AIOKafkaConsumer(
        topics + TOPIC, bootstrap_servers=f"127.0.0.1:{broker.port}", group_id=topics + "leaver"
    )
    await client.start(consumer)

    async def is_member() -> bool:
        return bool(consumer.assignment())

    async def has_left() -> bool:
        return not broker.connections

    await until(is_member)
    broker.silence(Direction.TO_CLIENT)
    await client.stop(consumer, seconds=0.3)
    assert broker.connections
    broker.speak()
    await until(has_left)
