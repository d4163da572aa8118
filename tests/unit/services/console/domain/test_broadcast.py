import asyncio

import pytest

from services.console.domain.broadcast import Broadcast
from services.console.domain.presence import Presence


async def test_a_reader_sees_the_value_and_every_newer_one_but_no_backlog() -> None:
    broadcast = Broadcast(1)
    values = broadcast.values()
    assert await anext(values) == 1
    broadcast.publish(2)
    broadcast.publish(3)
    assert await anext(values) == 3
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(values)


async def test_all_who_wait_are_woken() -> None:
    broadcast = Broadcast("old")

    async def second() -> str:
        values = broadcast.values()
        await anext(values)
        return await anext(values)

    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(second()) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        broadcast.publish("new")
    assert [reader.result() for reader in readers] == ["new"] * 3


async def test_somebody_is_there_until_the_last_page_closes() -> None:
    presence = Presence()
    presence.enter()
    presence.enter()
    presence.leave()
    await asyncio.wait_for(presence.somebody(), 1)
    presence.leave()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(presence.somebody(), 0.01)
