"""A topic that was deleted and made anew is not the one the ledger was reading: it says so."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from shared.errors import Stopped
from shared.events.stock_changes import TOPIC
from shared.kafka.admin import create_topics, delete_topics
from shared.kafka.consumer import PartitionConsumer
from shared.kafka.producer import Producer
from shared.testing.waiting import PATIENCE_SECONDS, until
from tests.integration.ledger.service import Ledger, change

ANEW = "the topic was made anew"


async def make_anew(ledger: Ledger, *ids: str) -> None:
    """Delete the topics, make them again and publish a change for each id."""
    kafka, prefix = ledger.settings.kafka, ledger.settings.topic_prefix
    await delete_topics(kafka, prefix)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()

    async def gone() -> bool:
        return not any(name.startswith(prefix) for name in await admin.list_topics())

    async def back() -> bool:
        return prefix + TOPIC in await admin.list_topics()

    try:
        await until(gone)
        await create_topics(kafka, prefix)
        await until(back)
    finally:
        await admin.close()
    # A client of its own: the other one still counts the messages of the topic that is gone.
    async with Producer(kafka, prefix, name="anew") as producer:
        ledger.producer = producer
        await ledger.publish(*(change(id=each) for each in ids))


async def run_until_stopped(consumer: PartitionConsumer, reason: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(Stopped, match=reason):
            await consumer.run(asyncio.Event())


async def apply_three(ledger: Ledger) -> None:
    await ledger.publish(*(change(id=each) for each in ("1", "2", "3")))
    async with ledger.consuming():
        await ledger.until_recorded(3)


async def test_a_shorter_topic_is_noticed_when_the_ledger_starts(ledger: Ledger) -> None:
    await apply_three(ledger)
    await make_anew(ledger, "4")
    async with ledger.consumer() as consumer:
        await run_until_stopped(consumer, ANEW)


async def test_a_topic_with_other_records_is_noticed_when_the_ledger_starts(
    ledger: Ledger,
) -> None:
    await apply_three(ledger)
    await make_anew(ledger, "4", "5", "6", "7")
    async with ledger.consumer() as consumer:
        await run_until_stopped(consumer, ANEW)
    assert await ledger.tallies() == {"movements": 3}
