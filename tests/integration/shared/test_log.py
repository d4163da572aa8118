"""A log is read from any place on, by a reader that says when the place is gone."""

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from shared.errors import Unavailable
from shared.events.topics import STOCK_CHANGES
from shared.kafka import log
from shared.kafka.log import LogReader, Loss, Lost
from shared.kafka.messages import Message
from shared.kafka.producer import Producer
from shared.testing.stack import Stack

# One that keeps everything until it is told to delete: a compacted topic refuses to be told.
TOPIC = STOCK_CHANGES.name
PARTITION = 3


async def fill(stack: Stack, prefix: str, *values: bytes) -> None:
    async with Producer(stack.bootstrap, prefix, name="test") as producer:
        await producer.send(TOPIC, [Message(PARTITION, b"A", value) for value in values])


async def read(reader: LogReader, number: int) -> list[bytes | None]:
    """Return the values of the next records, so many of them."""
    values: list[bytes | None] = []
    while len(values) < number:
        values += [record.value for record in await reader.poll()]
    return values


async def poll(reader: LogReader, *, times: int) -> None:
    for _ in range(times):
        assert await reader.poll() == []


def place(offset: int) -> list[int]:
    return [offset if each == PARTITION else 0 for each in range(STOCK_CHANGES.partitions)]


async def test_reading_goes_on_where_another_reader_was(stack: Stack, topics: str) -> None:
    async with LogReader(stack.bootstrap, topics, TOPIC) as first:
        await first.seek_to_end()
        await fill(stack, topics, b"1", b"2")
        assert await read(first, 2) == [b"1", b"2"]
    assert first.offsets == place(2)
    await fill(stack, topics, b"3")
    async with LogReader(stack.bootstrap, topics, TOPIC) as second:
        await second.seek(first.offsets, 2**42)
        assert await read(second, 1) == [b"3"]


async def test_a_poll_returns_no_more_than_its_share(
    stack: Stack, topics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "MAX_RECORDS", 2)
    await fill(stack, topics, *[b"x"] * 5)
    async with LogReader(stack.bootstrap, topics, TOPIC) as reader:
        await reader.seek(place(0), 0)
        while reader.offsets != place(5):
            assert len(await reader.poll()) <= 2


async def test_a_place_whose_records_were_deleted_is_lost(stack: Stack, topics: str) -> None:
    await fill(stack, topics, b"1", b"2", b"3")
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    try:
        partition = TopicPartition(topics + TOPIC, PARTITION)
        await admin.delete_records({partition: RecordsToDelete(before_offset=2)})
    finally:
        await admin.close()
    async with LogReader(stack.bootstrap, topics, TOPIC) as reader:
        with pytest.raises(Lost) as caught:
            await reader.seek(place(1), 2**42)
        assert caught.value.loss is Loss.DELETED
        await reader.seek(place(2), 2**42)
        assert await read(reader, 1) == [b"3"]


async def test_a_place_that_never_was_is_lost(stack: Stack, topics: str) -> None:
    async with LogReader(stack.bootstrap, topics, TOPIC) as reader:
        with pytest.raises(Lost) as caught:
            await reader.seek(place(1), 2**42)
    assert caught.value.loss is Loss.BEYOND_END


async def test_a_client_that_has_gone_silent_is_given_up(
    stack: Stack, topics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object, **__: object) -> dict[object, object]:
        return {}

    monkeypatch.setattr(log, "_WATCH_POLLS", 2)
    async with LogReader(stack.bootstrap, topics, TOPIC) as reader:
        await reader.seek_to_end()
        monkeypatch.setattr(AIOKafkaConsumer, "getmany", nothing)
        await poll(reader, times=6)
        await fill(stack, topics, b"1")
        with pytest.raises(Unavailable):
            await poll(reader, times=4)


async def test_a_broker_that_is_away_is_said_to_be() -> None:
    with pytest.raises(Unavailable):
        async with LogReader("127.0.0.1:1", "", TOPIC):
            pass
