"""Post a plan's requests, each at its instant whatever became of the others: a process of its own.

A request that finds every connection busy opens another: waiting for an answer would hide the very
delays that are to be measured (coordinated omission).
"""

import asyncio
import json
import sys
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import httptools
import uvloop
from pydantic import BaseModel
from typing_extensions import override

from tests.bench.plan import CHANNEL, REQUESTS_PER_S, Plan, Sale

ANSWER_LIMIT_S = 30.0
_TRIES = 2
"""A server may end an idle connection just as a request leaves; a shop would send it again."""


class Order(BaseModel):
    """What to post, where, and when to begin (Unix time)."""

    host: str
    port: int
    token: str
    start: float
    events_per_s: int
    seconds: int
    seed: int
    report: Path


class _Answer(asyncio.Protocol):
    """One connection; answers come in the order of the requests, and there is one at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[int] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: uvloop's transports have the methods, but another ancestor.
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    @override
    def connection_lost(self, _: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(0)

    def on_message_complete(self) -> None:
        """Take an answer, as the parser has seen its end."""
        status = self._parser.get_status_code()
        self._parser = httptools.HttpResponseParser(self)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(status)

    @property
    def usable(self) -> bool:
        """Whether the other side has not ended the connection."""
        return self._transport is not None and not self._transport.is_closing()

    async def post(self, request: bytes) -> int:
        """Return the answer's status, 0 when none came."""
        if self._transport is None or self._transport.is_closing():
            return 0
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                return await self._waiting
        except TimeoutError:
            self._transport.close()
            return 0


async def load(order: Order) -> list[tuple[float, int]]:
    """Return (when it was answered in seconds after the start, status) of each request."""
    plan = Plan(order.events_per_s, order.seconds, order.seed)
    bodies = [
        _request(order, sales, order.start + number / REQUESTS_PER_S)
        for number, sales in enumerate(plan.sales())
    ]
    answers: list[tuple[float, int]] = [(0.0, 0)] * len(bodies)
    idle: deque[_Answer] = deque()
    loop = asyncio.get_running_loop()

    async def connected() -> _Answer:
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
        _, connection = await loop.create_connection(_Answer, order.host, order.port)
        return connection

    async def post(number: int, body: bytes) -> None:
        status = 0
        for _ in range(_TRIES):
            connection = await connected()
            status = await connection.post(body)
            if status:
                idle.append(connection)
                break
        answers[number] = (time.time() - order.start, status)

    async with asyncio.TaskGroup() as posting:
        for number, body in enumerate(bodies):
            await asyncio.sleep(order.start + number / REQUESTS_PER_S - time.time())
            posting.create_task(post(number, body))
    return answers


def _request(order: Order, sales: list[Sale], due: float) -> bytes:
    occurred_at = (datetime.fromtimestamp(due, UTC) - timedelta(seconds=1)).isoformat()
    events = [
        {
            "id": f"B-{order.events_per_s}-{sale.number}",
            "channel": CHANNEL,
            "type": "sale",
            "sku": sale.place.sku,
            "warehouse": sale.place.warehouse,
            "quantity": sale.quantity,
            "occurred_at": occurred_at,
            "reference": f"order/{sale.number}",
        }
        for sale in sales
    ]
    body = json.dumps(events).encode()
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: {order.host}:{order.port}\r\n"
        f"Authorization: Bearer {order.token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def main() -> None:
    """Carry out the order that stands on stdin."""
    order = Order.model_validate_json(sys.stdin.read())
    order.report.write_text(json.dumps(uvloop.run(load(order))), encoding="utf-8")


if __name__ == "__main__":
    main()
