"""What becomes of messages that a producer holds while its process is paused."""

import asyncio
import time
from contextlib import suppress
from functools import partial

import pytest

from shared.errors import Unavailable
from shared.events.topics import STOCK_LEVELS
from shared.kafka import producer as producer_module
from shared.kafka.log import LogReader
from shared.kafka.messages import Message
from shared.kafka.producer import Producer
from shared.settings import Settings
from shared.testing.reading import all_records
from shared.testing.stack import Stack
from shared.testing.waiting import until

TOPIC = STOCK_LEVELS.name
PARTITION = 3


def message(value: bytes) -> list[Message]:
    return [Message(PARTITION, b"A", value)]


async def is_sent(producer: Producer, value: bytes) -> bool:
    """Send something; False while the producer starts anew, or a busy machine is too slow."""
    with suppress(Unavailable):
        await producer.send(TOPIC, message(value))
        return True
    return False


async def published(stack: Stack, topics: str) -> set[bytes | None]:
    """Return all that was published until what comes after."""
    values = set[bytes | None]()
    async with LogReader(stack.bootstrap, topics, TOPIC) as reader:
        await reader.seek([0] * STOCK_LEVELS.partitions, 0)
        while b"after" not in values:
            values |= {record.value for record in await reader.poll()}
    return values


async def test_what_is_more_than_a_batch_arrives_in_order_whoever_sends_beside_it(
    stack: Stack, topics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer_module, "BATCH_BYTES", 300)
    traced = (("traceparent", b"00"),)
    mine = [Message(each % 2, b"A", b"%d" % each, traced) for each in range(100)]
    others = [Message(1, b"B", b"other %d" % each) for each in range(50)]
    large = Message(1, b"A", b"x" * 1_000)
    async with Producer(stack.bootstrap, topics, name="test") as producer:
        await until(partial(is_sent, producer, b"before"))
        async with asyncio.TaskGroup() as group:
            group.create_task(producer.send(TOPIC, mine))
            for each in others:
                group.create_task(producer.send(TOPIC, [each]))
            group.create_task(producer.send(TOPIC, [large]))
            group.create_task(producer.send(TOPIC, []))
    found = await all_records(Settings(kafka=stack.bootstrap, topic_prefix=topics), TOPIC)
    for number in range(2):
        values = [each.value for each in found if (each.key, each.partition) == (b"A", number)]
        assert values == [each.value for each in [*mine, large] if each.partition == number]
    assert [each.value for each in found if each.key == b"B"] == [each.value for each in others]
    assert {each.headers for each in found if each.partition == 0} == {traced}


async def test_a_partition_that_is_none_is_a_mistake_and_no_outage(
    stack: Stack, topics: str
) -> None:
    async with Producer(stack.bootstrap, topics, name="test") as producer:
        await until(partial(is_sent, producer, b"before"))
        with pytest.raises(ValueError, match=r"stock.levels has 24 partitions and no 99"):
            await producer.send(TOPIC, [Message(99, b"A", b"lost")])
        await producer.send(TOPIC, message(b"after"))


@pytest.mark.parametrize("amount", [1, 20])
async def test_what_has_waited_through_a_pause_is_not_sent_any_more(
    stack: Stack, topics: str, monkeypatch: pytest.MonkeyPatch, amount: int
) -> None:
    monkeypatch.setattr(producer_module, "DELIVERY_TIMEOUT_MS", 1_000)
    async with Producer(stack.bootstrap, topics, name="test") as producer:
        await until(partial(is_sent, producer, b"before"))
        sending = asyncio.get_running_loop().create_task(
            producer.send(TOPIC, message(b"stale") * amount)
        )
        client = producer._client
        assert client is not None
        while not client._message_accumulator._batches:  # noqa: ASYNC110 - the library tells nobody
            await asyncio.sleep(0)
        time.sleep(1.1)  # noqa: ASYNC251 - nothing of the process goes on, as when it is stopped
        with pytest.raises(Unavailable):
            await sending
        await until(partial(is_sent, producer, b"after"))
    assert await published(stack, topics) == {b"before", b"after"}


async def test_a_pause_between_the_queue_and_the_broker_is_one_too(
    stack: Stack, topics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer_module, "DELIVERY_TIMEOUT_MS", 1_000)
    async with Producer(stack.bootstrap, topics, name="test") as producer:
        await until(partial(is_sent, producer, b"before"))
        client = producer._client
        assert client is not None
        drain = client._message_accumulator.drain_by_nodes

        def drained(*args: object, **options: object) -> object:
            found = drain(*args, **options)
            if found[0]:
                time.sleep(1.1)  # nothing of the process goes on, as when it is stopped
            return found

        client._message_accumulator.drain_by_nodes = drained
        with pytest.raises(Unavailable):
            await producer.send(TOPIC, message(b"stale"))
        await until(partial(is_sent, producer, b"after"))
    assert await published(stack, topics) == {b"before", b"after"}


async def test_what_nobody_may_send_any_more_is_not_sent_however_young_it_is(
    stack: Stack, topics: str
) -> None:
    async with Producer(stack.bootstrap, topics, name="test") as producer:
        await until(partial(is_sent, producer, b"before"))
        await producer.send(TOPIC, message(b"in time"), until=time.monotonic() + 60)
        with pytest.raises(Unavailable):
            await producer.send(TOPIC, message(b"stale"), until=time.monotonic())
        await until(partial(is_sent, producer, b"after"))
    assert await published(stack, topics) == {b"before", b"in time", b"after"}
