"""A topic is followed, whatever becomes of the client that reads it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest
from aiokafka import AIOKafkaConsumer

from shared.events.topics import STOCK_CHANGES
from shared.kafka import tail
from shared.kafka.messages import Message, Record
from shared.kafka.producer import Producer
from shared.kafka.tail import TailReader
from shared.testing.stack import Stack
from shared.testing.waiting import PATIENCE_SECONDS

TOPIC = STOCK_CHANGES.name


async def first_of(lists: AsyncGenerator[Sequence[Record], None]) -> Sequence[Record]:
    return await anext(lists)


async def test_a_client_that_has_gone_silent_is_replaced(
    stack: Stack, topics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients: list[AIOKafkaConsumer] = []
    getmany = AIOKafkaConsumer.getmany

    async def from_the_second_on(
        client: AIOKafkaConsumer, **options: object
    ) -> dict[object, object]:
        if client not in clients:
            clients.append(client)
        if client is clients[0]:
            await asyncio.sleep(0.01)
            return {}
        found: dict[object, object] = await getmany(client, **options)
        return found

    monkeypatch.setattr(AIOKafkaConsumer, "getmany", from_the_second_on)
    monkeypatch.setattr(tail, "_WATCH_POLLS", 2)
    reader = TailReader(stack.bootstrap, topics, [TOPIC])
    async with (
        Producer(stack.bootstrap, topics, name="test") as producer,
        aclosing(reader.records()) as lists,
        asyncio.timeout(PATIENCE_SECONDS),
        asyncio.TaskGroup() as group,
    ):
        first = group.create_task(first_of(lists))
        await reader.caught_up.wait()
        await producer.send(TOPIC, [Message(3, b"A", b"1")])
    assert [record.value for record in first.result()] == [b"1"]
    assert len(clients) == 2
