"""`/v1/stream/levels`: level changes as server-sent events, resumable where a client left off."""

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import format_sse_event
from pydantic import Field

from services.ledger.api.dependencies import FromBooks
from services.ledger.api.levels import Level
from services.ledger.domain.changed_levels import Filter
from services.ledger.domain.position import Position
from services.ledger.inbound.stock_levels import PARTITIONS, LevelStream, LevelTail, News
from services.ledger.store.books import Books
from shared.clock import Clock
from shared.errors import Unavailable
from shared.events.base import Code
from shared.events.stock_levels import StockLevel
from shared.http.auth import Caller, Scope, require
from shared.http.problems import Problem
from shared.http.streaming import TimedStream
from shared.kafka.log import Loss

router = APIRouter(tags=["levels"])

MAX_CODES = 100
HEARTBEAT_SECONDS = 15.0
RECONNECT_MS = 3_000
FULL_RETRY_SECONDS = 30
SEND_SECONDS = 60.0
"""A client that takes nothing for so long is given up: it would keep its place for ever."""

_DETAIL = {
    Loss.BEYOND_END: "The position is beyond the end of the log; ask for the levels anew.",
    Loss.DELETED: "What followed was deleted from the log; ask for the levels anew.",
    Loss.MADE_ANEW: "The log was made anew in the meantime; ask for the levels anew.",
}
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
_EVENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "enum": ["level", "reset"]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {
                "anyOf": [
                    {"$ref": "#/components/schemas/Level"},
                    {
                        "type": "object",
                        "description": "Of a reset",
                        "properties": {
                            "reason": {"type": "string", "enum": [each.value for each in Loss]},
                            "detail": {"type": "string"},
                        },
                    },
                ]
            },
        },
        "id": {"type": "string", "description": "Opaque; for Last-Event-ID"},
        "retry": {"type": "integer", "description": "Milliseconds"},
    },
}
_EVENTS: dict[int | str, dict[str, Any]] = {
    HTTPStatus.OK.value: {
        "description": "Events for as long as both sides are there",
        "content": {
            "text/event-stream": {
                # What is not JSON is taken for one text otherwise.
                "schema": {"type": "array", "items": _EVENT},
                "itemSchema": _EVENT,
            }
        },
    }
}


def level_event(level: StockLevel, position: str) -> bytes:
    """Return the event that tells of a level as it stands on the topic."""
    answered = Level.model_validate(level, from_attributes=True)
    return format_sse_event(event="level", data_str=answered.model_dump_json(), id=position)


async def _start(
    last_event_id: Annotated[
        str | None, Header(description="`id` of the last event received: go on after it")
    ] = None,
) -> Position | None:
    if not last_event_id:
        return None
    try:
        return Position.decode(last_event_id, PARTITIONS)
    except ValueError:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "bad_event_id",
            "Last-Event-ID is not the id of an event of this stream; send one as it was "
            "received, or leave the header out and ask for the levels anew.",
        ) from None


Codes = Annotated[list[Code], Field(max_length=MAX_CODES)]


class _Asked(NamedTuple):
    wanted: Filter
    snapshot: bool


async def _asked(
    sku: Annotated[Codes | None, Query(description="Only these SKUs")] = None,
    warehouse: Annotated[Codes | None, Query(description="Only these warehouses")] = None,
    snapshot: Annotated[
        bool,
        Query(
            description="Send the present levels of the SKUs asked for first, and again after a "
            "reset; needs `sku`. With Last-Event-ID only after a reset."
        ),
    ] = False,
) -> _Asked:
    if snapshot and not sku:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "snapshot_needs_sku",
            "A snapshot is of chosen SKUs; name them with `sku`, or leave `snapshot` out.",
        )
    return _Asked(Filter(frozenset(sku or ()), frozenset(warehouse or ())), snapshot)


async def _opened(
    request: Request,
    start: Annotated[Position | None, Depends(_start)],
    asked: Annotated[_Asked, Depends(_asked)],
) -> AsyncIterator[LevelStream]:
    tail: LevelTail = request.app.state.tail
    if tail.is_full:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "too_many_streams",
            f"All streams of this process are taken; try again in {FULL_RETRY_SECONDS} seconds, "
            "or follow more levels with one stream.",
            headers={"Retry-After": str(FULL_RETRY_SECONDS)},
        )
    async with tail.stream(asked.wanted, start) as stream:
        yield stream


class _Events(TimedStream):
    media_type = "text/event-stream"


@router.get("/v1/stream/levels", response_class=_Events, responses=_EVENTS)
async def stream_levels(
    request: Request,
    caller: Annotated[Caller, Depends(require(Scope.STOCK_READ))],
    stream: Annotated[LevelStream, Depends(_opened)],
    start: Annotated[Position | None, Depends(_start)],
    asked: Annotated[_Asked, Depends(_asked)],
    ledger: FromBooks,
) -> _Events:
    """Return level changes as they are published, as server-sent events.

    An event `level` has the level as `GET /v1/levels/{sku}/{warehouse}` answers it. Levels are
    absolute: drop a version that is not newer than the one you have. Of a level that changes
    faster than you read you get the newest only. An event `reset` (`reason`, `detail`) says that
    changes may be missing: ask for the levels anew, the stream goes on. Reconnect with the last
    `id` in `Last-Event-ID` to miss nothing; treat it as opaque. A comment comes every 15 seconds
    when nothing else does. The stream ends when the token expires.
    """
    snapshot = _Snapshot(ledger, asked.wanted) if asked.snapshot else None
    if snapshot is not None and start is None:
        await snapshot.take()
    clock: Clock = request.app.state.clock
    told = _Told(stream, snapshot, caller.expires_at, clock)
    chunks = told.chunks(is_new=start is None)
    return _Events(chunks, send_seconds=SEND_SECONDS, headers=_HEADERS)


class _Snapshot:
    """The levels of some SKUs, read after the stream has begun: none can fall between the two."""

    def __init__(self, books: Books, wanted: Filter) -> None:
        self._books = books
        self._wanted = wanted
        self._versions: dict[tuple[str, str], int] = {}
        self._levels: list[Level] = []

    async def take(self) -> None:
        """Read the levels. Raises Unavailable."""
        rows = await self._books.of_skus(
            sorted(self._wanted.skus), sorted(self._wanted.warehouses) or None
        )
        self._levels = [Level.of(row) for row in rows]
        self._versions = {(row.sku, row.warehouse): row.version for row in rows}

    def events(self) -> bytes:
        """Return what was taken, once; without ids, because half a snapshot is none."""
        levels, self._levels = self._levels, []
        return b"".join(
            format_sse_event(event="level", data_str=each.model_dump_json()) for each in levels
        )

    def is_newer(self, sku: str, warehouse: str, version: int) -> bool:
        """Return whether a level has changed since it was taken."""
        return self._versions.get((sku, warehouse), -1) < version


class _Told:
    """What one client is told, in chunks of whole events."""

    def __init__(
        self, stream: LevelStream, snapshot: _Snapshot | None, expires_at: float, clock: Clock
    ) -> None:
        self._stream = stream
        self._snapshot = snapshot
        self._expires_at = expires_at
        self._clock = clock
        self._position: Position | None = None
        """The last one sent by itself: a client that hears of nothing resumes from near the end."""

    async def chunks(self, *, is_new: bool) -> AsyncIterator[bytes]:
        """Yield events and heartbeats until the token expires or the process ends."""
        now = asyncio.get_running_loop().time
        opening = format_sse_event(retry=RECONNECT_MS)
        if is_new:
            opening += self._present() + self._alone(self._stream.position)
        yield opening
        told_at = now()
        while not self._stream.ended and (left := self._seconds_left()) > 0:
            quiet = max(0.0, told_at + HEARTBEAT_SECONDS - now())
            news = await self._stream.news(min(left, quiet))
            try:
                chunk = await self._events(news)
            except Unavailable:
                return  # a reset needs its snapshot: the client comes back for both
            if not chunk and now() >= told_at + HEARTBEAT_SECONDS:
                chunk = format_sse_event(comment="still here") + self._alone(news.position)
            if chunk:
                yield chunk
                told_at = now()

    async def _events(self, news: News) -> bytes:
        events = []
        if news.lost is not None:
            loss, position = news.lost
            reset = json.dumps({"reason": loss.value, "detail": _DETAIL[loss]})
            if self._snapshot is None:
                events.append(format_sse_event(event="reset", data_str=reset, id=position.encode()))
            else:
                await self._snapshot.take()
                events += [
                    format_sse_event(event="reset", data_str=reset),
                    self._present(),
                    self._alone(position),
                ]
        events += [
            level.event
            for level in news.levels
            if self._snapshot is None
            or self._snapshot.is_newer(level.sku, level.warehouse, level.version)
        ]
        return b"".join(events)

    def _present(self) -> bytes:
        return b"" if self._snapshot is None else self._snapshot.events()

    def _alone(self, position: Position) -> bytes:
        """Return a block that has an id and no data: clients keep the id, and dispatch nothing."""
        if position == self._position:
            return b""
        self._position = position
        return format_sse_event(id=position.encode())

    def _seconds_left(self) -> float:
        return self._expires_at - self._clock.now().timestamp()
