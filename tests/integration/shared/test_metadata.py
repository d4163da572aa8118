"""What consumers do while the broker is away."""

import time

import pytest
from aiokafka import AIOKafkaConsumer

from shared.kafka.metadata import patient
from shared.testing.proxy import proxied_broker
from shared.testing.stack import Stack

pytestmark = pytest.mark.stack

ATTEMPTS = 10


async def test_whoever_asks_a_broker_that_is_away_rests_between_attempts(stack: Stack) -> None:
    async with proxied_broker(stack.bootstrap) as proxy:
        consumer = patient(AIOKafkaConsumer(bootstrap_servers=f"127.0.0.1:{proxy.port}"))
        await consumer.start()
        try:
            client = consumer._client
            assert await client.force_metadata_update()
            await proxy.cut()
            began = time.monotonic()
            for _ in range(ATTEMPTS):
                # As the fetcher does, as soon as it was refused.
                assert not await client.force_metadata_update()
            assert time.monotonic() - began >= ATTEMPTS * 0.1
            await proxy.restore()
            assert await client.force_metadata_update()
        finally:
            await consumer.stop()
