"""Clients of people who lose their patience."""

import asyncio

from aiokafka.errors import KafkaConnectionError

from shared.kafka import client


class Slow:
    """Starts and stops only when it may."""

    def __init__(self, *, fails: bool = False) -> None:
        self.may_start, self.may_stop = asyncio.Event(), asyncio.Event()
        self.asked, self.stopped = asyncio.Event(), asyncio.Event()
        self._fails = fails

    async def start(self) -> None:
        self.asked.set()
        await self.may_start.wait()
        if self._fails:
            raise KafkaConnectionError

    async def stop(self) -> None:
        self.asked.set()
        await self.may_stop.wait()
        self.stopped.set()


async def cancelled_twice(slow: Slow, task: asyncio.Task[None]) -> None:
    await slow.asked.wait()
    for _ in range(2):
        task.cancel()
        await asyncio.wait([task], timeout=0.01)
    assert task.cancelled()


async def test_one_that_is_started_is_stopped_however_often_that_is_cancelled() -> None:
    for fails in (False, True):
        slow = Slow(fails=fails)
        async with asyncio.TaskGroup() as tasks:
            await cancelled_twice(slow, tasks.create_task(client.start(slow)))
            assert not slow.stopped.is_set()
            slow.may_start.set()
            slow.may_stop.set()
            async with asyncio.timeout(10):
                await slow.stopped.wait()


async def test_one_that_is_stopped_stops_when_nobody_waits_any_more() -> None:
    slow = Slow()
    async with asyncio.TaskGroup() as tasks:
        await cancelled_twice(slow, tasks.create_task(client.stop(slow)))
    slow.may_stop.set()
    async with asyncio.timeout(10):
        await slow.stopped.wait()
