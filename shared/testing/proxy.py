"""A TCP proxy before a server: slow, half open, cut, or asked about everything that passes."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count
from typing import NamedTuple


class Direction(Enum):
    """Where something goes."""

    TO_SERVER = auto()
    TO_CLIENT = auto()


class Fate(Enum):
    """What becomes of something that passes, as its watcher decides."""

    PASS = auto()
    CUT = auto()
    """It never arrives: its connection is reset."""


class Passing(NamedTuple):
    """Some bytes on their way; connections are numbered."""

    connection: int
    direction: Direction
    data: bytes


Watcher = Callable[[Passing], Awaitable[Fate]]


@dataclass
class Proxy:
    """Forwards connections to a port of this machine.

    All may be changed at any time: each piece takes `latency_s` longer, `silence` holds back
    what goes one way, as a network does that loses every packet, and `watcher` sees everything
    before it is passed on. In answers `disguise` (what, by what) is replaced, for servers that
    name their own address.
    """

    target_port: int
    port: int = 0
    latency_s: float = 0.0
    watcher: Watcher | None = None
    disguise: tuple[bytes, bytes] | None = None
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _speaks: dict[Direction, asyncio.Event] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def connections(self) -> int:
        """Return how many are open."""
        return len(self._open) // 2

    async def restore(self) -> None:
        """Accept connections, on the same port as before."""
        for direction in Direction:
            self._speaks.setdefault(direction, asyncio.Event()).set()
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Reset what is open and refuse what comes."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()

    def reset(self) -> None:
        """Reset what is open; new connections are accepted."""
        for writer in list(self._open):
            writer.transport.abort()

    def silence(self, *directions: Direction) -> None:
        """Hold back what goes some ways, on open connections and new ones."""
        for direction in directions:
            self._speaks[direction].clear()

    def speak(self) -> None:
        """Let everything through again, what was held back first."""
        for speaks in self._speaks.values():
            speaks.set()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(self._numbers)
        try:
            server = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:  # the server is away: so is this
            writer.transport.abort()
            return
        server_reader, server_writer = server
        both = {writer, server_writer}
        self._open |= both
        try:
            async with asyncio.TaskGroup() as group:
                ways = [
                    group.create_task(
                        self._pump(number, Direction.TO_SERVER, reader, server_writer)
                    ),
                    group.create_task(
                        self._pump(number, Direction.TO_CLIENT, server_reader, writer)
                    ),
                ]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()
        finally:
            self._open -= both
            for each in both:
                each.transport.abort()

    async def _pump(
        self,
        number: int,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                if self.latency_s:
                    await asyncio.sleep(self.latency_s)
                await self._speaks[direction].wait()
                if self.watcher is not None:
                    fate = await self.watcher(Passing(number, direction, data))
                    if fate is Fate.CUT:
                        return
                if direction is Direction.TO_CLIENT and self.disguise is not None:
                    data = data.replace(*self.disguise)
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def proxied_broker(bootstrap: str) -> AsyncIterator[Proxy]:
    """Yield a proxy before a broker, who tells clients its own address: they would go there."""
    host, _, port = bootstrap.rpartition(":")
    async with proxied(int(port)) as proxy:
        proxy.disguise = (
            host.encode() + struct.pack(">i", int(port)),
            b"127.0.0.1" + struct.pack(">i", proxy.port),
        )
        yield proxy


@asynccontextmanager
async def proxied(target_port: int) -> AsyncIterator[Proxy]:
    """Yield a proxy that lets everything through."""
    proxy = Proxy(target_port)
    await proxy.restore()
    try:
        yield proxy
    finally:
        await proxy.cut()
