"""The HTTP server of a role ends with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette

from deploy.local.ports import LOOPBACK, pick_free
from shared.errors import Unavailable
from shared.http import server as server_module
from shared.http.server import KEEP_ALIVE_SECONDS, serve
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


async def test_it_ends_with_what_has_ended_the_lifespan() -> None:
    (port,) = pick_free(1)
    fails = asyncio.Event()

    async def work() -> None:
        await fails.wait()
        raise KeyError("work")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            group.create_task(work())
            yield

    app = Starlette(lifespan=lifespan)
    serving = asyncio.get_running_loop().create_task(
        serve(app, LOOPBACK, port, stop=asyncio.Event())
    )
    await until(lambda: _answers(port))
    fails.set()
    _, late = await asyncio.wait([serving], timeout=10)
    assert not late
    assert isinstance(serving.exception(), ExceptionGroup)
    assert not await _answers(port)


async def test_who_comes_again_after_retry_after_finds_the_connection_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert 5 * Unavailable("the broker").retry_after_seconds <= KEEP_ALIVE_SECONDS

    # That it is this which decides: with a second, the server closes after a second.
    monkeypatch.setattr(server_module, "KEEP_ALIVE_SECONDS", 1)
    (port,) = pick_free(1)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(serve(Starlette(), LOOPBACK, port, stop=stop))
        await until(lambda: _answers(port))
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        async with asyncio.timeout(4):
            for _ in range(2):
                writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 404")
                await reader.readexactly(len("Not Found"))
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        stop.set()
