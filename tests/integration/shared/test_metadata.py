"""What consumers do while the broker is away."""

import asyncio
import logging
import struct
import time

import pytest

from shared.events.stock_levels import TOPIC
from shared.kafka.tail import TailReader
from shared.testing.proxy import proxied
from shared.testing.stack import Stack
from shared.testing.waiting import until

pytestmark = pytest.mark.stack

ATTEMPTS = 8


async def test_a_reader_rests_between_attempts_to_reach_a_broker_that_is_away(
    stack: Stack, topics: str, caplog: pytest.LogCaptureFixture
) -> None:
    host, _, port = stack.bootstrap.rpartition(":")
    async with proxied(int(port)) as proxy:
        # The broker tells clients where it is: they would go straight there.
        proxy.disguise = (
            host.encode() + struct.pack(">i", int(port)),
            host.encode() + struct.pack(">i", proxy.port),
        )
        reader = TailReader(f"{host}:{proxy.port}", topics, [TOPIC], start="beginning")

        async def read() -> None:
            async for _ in reader.records():
                pass

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            reading = group.create_task(read())
            await reader.caught_up.wait()
            caplog.set_level(logging.ERROR, logger="aiokafka")
            await proxy.cut()
            began = time.monotonic()

            async def tried() -> bool:
                refused = [each for each in caplog.messages if "update metadata" in each]
                return len(refused) >= ATTEMPTS

            await until(tried)
            lasted = time.monotonic() - began
            reading.cancel()
    assert lasted >= (ATTEMPTS - 1) * 0.1
