"""What becomes of messages that a producer holds while its process is paused."""

import asyncio
import time
from contextlib import suppress

import pytest

from shared.errors import Unavailable
from shared.events.topics import STOCK_LEVELS
from shared.kafka import producer as producer_module
from shared.kafka.log import LogReader
from shared.kafka.messages import Message
from shared.kafka.producer import Producer
from shared.testing.stack import Stack
from shared.testing.waiting import until

TOPIC = STOCK_LEVELS.name
PARTITION = 3


def message(value: bytes) -> list[Message]:
    return [Message(PARTITION, b"A", value)]


@pytest.mark.parametrize("amount", [1, 20], ids=["shared batch", "own batch"])
async def test_what_has_waited_through_a_pause_is_not_sent_any_more(
    stack: Stack, topics: str, monkeypatch: pytest.MonkeyPatch, amount: int
) -> None:
    monkeypatch.setattr(producer_module, "DELIVERY_TIMEOUT_MS", 1_000)
    async with Producer(stack.bootstrap, topics, name="test") as producer:
        await producer.send(TOPIC, message(b"before"))
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

        async def is_sent() -> bool:
            with suppress(Unavailable):
                await producer.send(TOPIC, message(b"after"))
                return True
            return False

        await until(is_sent)
    values: list[bytes | None] = []
    async with LogReader(stack.bootstrap, topics, TOPIC) as reader:
        await reader.seek([0] * STOCK_LEVELS.partitions, 0)
        while b"after" not in values:
            values += [record.value for record in await reader.poll()]
    assert values == [b"before", b"after"]
