"""A halted consumer beside the main one says so for as long as it is."""

import asyncio
from typing import cast

from shared.errors import Stopped
from shared.kafka.aside import Aside
from shared.kafka.consumer import PartitionConsumer
from shared.testing.waiting import until

HALTED = "alert.responses partition 0 is halted"


class Consumer:
    """One that is halted when it runs; of itself it says what the real one does."""

    def __init__(self) -> None:
        self.trouble: str | None = "the broker cannot be reached"

    async def run(self, _: asyncio.Event) -> None:
        self.trouble = None
        raise Stopped(HALTED)

    async def check(self) -> str | None:
        return self.trouble


async def test_a_halted_consumer_says_so_until_it_goes_on() -> None:
    consumers: list[Consumer] = []

    def make() -> PartitionConsumer[None]:
        consumers.append(Consumer())
        return cast("PartitionConsumer[None]", consumers[-1])

    async def has_run() -> bool:
        return consumers[0].trouble is None

    aside, stop = Aside("alert.responses", make), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(aside.run(stop))
        await until(has_run)
        assert [await aside.check(), await aside.check()] == [HALTED, HALTED]
        consumers[-1].trouble = None  # it was resumed, and runs
        assert await aside.check() is None
        stop.set()
