"""Kept-alive HTTP connections that cost a load generator little: a status back, and no more."""

import asyncio
import time
from collections import deque
from typing import cast

import httptools
from typing_extensions import override

ANSWER_LIMIT_S = 30.0
_WATCH_S = 1.0
_TRIES = 2
"""A server may end an idle connection just as a request leaves; a shop would send it again."""


class _Connection(asyncio.Protocol):
    """One connection; answers come in the order of the requests, and there is one at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[int] | None = None
        self._asked_at = 0.0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: uvloop's transports have the methods, but another ancestor.
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    @override
    def connection_lost(self, _: Exception | None) -> None:
        self._answer(0)

    def on_message_complete(self) -> None:
        """Take an answer, as the parser has seen its end."""
        status = self._parser.get_status_code()
        self._parser = httptools.HttpResponseParser(self)
        self._answer(status)

    def _answer(self, status: int) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(status)

    @property
    def usable(self) -> bool:
        """Whether neither side has ended it."""
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes) -> int:
        """Return the answer's status, 0 when none came."""
        if self._transport is None or self._transport.is_closing():
            return 0
        waiting: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        self._asked_at = time.monotonic()
        self._transport.write(request)
        return await waiting

    def end_when_late(self) -> None:
        """End it when its answer is overdue: then there is none."""
        overdue = time.monotonic() - self._asked_at > ANSWER_LIMIT_S
        if self._waiting is not None and overdue and self._transport is not None:
            self._transport.abort()


class Connections:
    """Connections to one server, opened as they are needed."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._idle: deque[_Connection] = deque()
        self._open: set[_Connection] = set()

    async def ask(self, request: bytes) -> int:
        """Send a request over a connection that is free; returns its status, 0 for no answer."""
        for _ in range(_TRIES):
            try:
                connection = await self._free()
            except OSError:
                continue
            status = await connection.ask(request)
            if status:
                self._idle.append(connection)
                return status
            self._open.discard(connection)
        return 0

    async def watch(self) -> None:
        """End connections whose answer is overdue, for as long as it runs."""
        while True:
            await asyncio.sleep(_WATCH_S)
            for connection in list(self._open):
                connection.end_when_late()

    async def _free(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            self._open.discard(connection)
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port)
        self._open.add(connection)
        return connection
