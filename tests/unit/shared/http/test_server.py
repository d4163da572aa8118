"""The HTTP server of a role ends with it."""

import asyncio

import pytest
from starlette.applications import Starlette

from deploy.local.ports import LOOPBACK, pick_free
from shared.http.server import serve
from shared.testing.waiting import until


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except ConnectionRefusedError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@pytest.mark.parametrize("is_told", [True, False], ids=["told to stop", "cancelled"])
async def test_nobody_listens_once_it_has_ended(*, is_told: bool) -> None:
    (port,) = pick_free(1)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(serve(Starlette(), LOOPBACK, port, stop=stop))
        await until(lambda: _answers(port))
        if is_told:
            stop.set()
        else:
            serving.cancel()
        await asyncio.wait([serving])
    assert not await _answers(port)
