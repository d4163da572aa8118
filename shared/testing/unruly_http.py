"""An HTTP/1.1 server that can misbehave: answer, drop the connection, or never answer or end."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent; of a parameter or header given twice the last one counts.

    The names of headers are in lower case.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the client gets."""

    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, document: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> "Reply":
        """Return a JSON reply."""
        body = json.dumps(document, ensure_ascii=False).encode()
        return cls(status, body, headers=headers or {})


class Misconduct(Enum):
    """What the client gets instead of an answer."""

    DROP = auto()
    """The connection is reset."""
    HANG = auto()
    """Silence until the client gives up or the server ends."""
    BABBLE = auto()
    """A 200 that has no end, and after 100,000 bytes no more either."""


Handler = Callable[[Request], Reply | Misconduct]


@asynccontextmanager
async def serving(
    handler: Handler, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[int]:
    """Serve `handler` and yield the port (0 picks a free one); ends every connection at the end."""
    open_connections: set[asyncio.StreamWriter] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_connections.add(writer)
        try:
            await _converse(handler, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away or never spoke HTTP: nobody is left to answer
        finally:
            open_connections.discard(writer)
            writer.transport.abort()

    server = await asyncio.start_server(connected, host, port, limit=MAX_HEAD_BYTES)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in list(open_connections):
            writer.transport.abort()
        await server.wait_closed()


async def _converse(
    handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while True:
        request = await _read(reader)
        match handler(request):
            case Misconduct.DROP:
                return
            case Misconduct.HANG:
                await reader.read()  # ends when the client closes
                return
            case Misconduct.BABBLE:
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000)
                await reader.read()
                return
            case Reply() as reply:
                writer.write(_encode(reply))
                await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request_line, *lines = head.split("\r\n")
    method, target, _ = request_line.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines if line)
    }
    length = min(int(headers.get("content-length", "0")), MAX_BODY_BYTES)
    body = await reader.readexactly(length)
    parts = urlsplit(target)
    return Request(method, parts.path, dict(parse_qsl(parts.query)), body, headers)


def _encode(reply: Reply) -> bytes:
    head = (
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n"
        f"Content-Type: {reply.content_type}\r\n"
        f"Content-Length: {len(reply.body)}\r\n"
    )
    extra = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    return f"{head}{extra}\r\n".encode() + reply.body
