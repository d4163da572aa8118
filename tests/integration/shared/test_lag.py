"""How far a consumer is behind, with a broker that says nothing: connections stay open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.errors import Unavailable
from shared.events.topics import STOCK_CHANGES
from shared.kafka import lag
from shared.kafka.lag import LagReader


@asynccontextmanager
async def mute() -> AsyncIterator[tuple[str, list[object]]]:
    """Yield the address of a server that never says anything, and who has connected to it."""
    came: list[object] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer.get_extra_info("peername"))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}", came


async def test_those_who_ask_together_wait_for_a_silent_broker_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lag, "_TIMEOUT_SECONDS", 0.3)
    async with mute() as (address, came):
        reader = LagReader(address, "", STOCK_CHANGES.name)
        for times in (1, 2):
            answers = await asyncio.gather(
                *(reader.read([]) for _ in range(10)), return_exceptions=True
            )
            assert [type(each) for each in answers] == [Unavailable] * 10
            assert len(came) == times
        await reader.close()
