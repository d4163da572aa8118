"""A way to the database that loses a COMMIT, or the answer to one, when told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

_COMMIT = b"Q\x00\x00\x00\x0cCOMMIT;\x00"
"""The message as the driver sends it: a simple query."""


@dataclass
class Lossy:
    """Forwards connections; `loses` is spent on the next COMMIT that passes, on any of them."""

    url: str = ""
    loses: Literal["the commit", "the answer"] | None = None
    lost: int = 0

    async def _forward(
        self,
        target: tuple[str, int],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        server_reader, server_writer = await asyncio.open_connection(*target)
        with suppress(ConnectionError):
            async with asyncio.TaskGroup() as group:
                back = group.create_task(_pump(server_reader, writer))
                while data := await reader.read(65_536):
                    if self.loses is not None and _COMMIT in data:
                        loses, self.loses = self.loses, None
                        back.cancel()
                        await asyncio.wait([back])
                        if loses == "the answer":
                            server_writer.write(data)
                            await server_reader.read(65_536)
                        self.lost += 1
                        break
                    server_writer.write(data)
                    await server_writer.drain()
                back.cancel()
        writer.transport.abort()
        server_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def lossy(url: str) -> AsyncIterator[Lossy]:
    """Yield a way to the database of a URL; it loses nothing until told to."""
    parts = urlsplit(url)
    target = (str(parts.hostname), int(parts.port or 5432))
    way = Lossy()
    server = await asyncio.start_server(
        lambda reader, writer: way._forward(target, reader, writer), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    user = parts.netloc.rpartition("@")[0]
    way.url = urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{port}"))
    try:
        yield way
    finally:
        server.close()
