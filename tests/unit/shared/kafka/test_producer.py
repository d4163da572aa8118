"""How a producer comes and goes without a broker; the rest is tested on a real one."""

import asyncio

from shared.kafka.producer import Producer


async def test_one_that_is_told_to_end_while_it_starts_leaves_nothing_running() -> None:
    before = asyncio.all_tasks()

    async def start() -> None:
        async with Producer("127.0.0.1:9", "", name="test"):
            raise AssertionError("there is no broker")

    async with asyncio.TaskGroup() as group:
        starting = group.create_task(start())
        while len(asyncio.all_tasks() - before) < 2:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
        starting.cancel()
    assert asyncio.all_tasks() == before
