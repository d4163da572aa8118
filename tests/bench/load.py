"""Post a plan's requests, each at its instant whatever became of the others: a process of its own.

A request that finds every connection busy opens another: waiting for an answer would hide the very
delays that are to be measured (coordinated omission).
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop
from pydantic import BaseModel

from tests.bench.connections import Connections
from tests.bench.plan import CHANNEL, REQUESTS_PER_S, Plan, Sale


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


async def load(order: Order) -> list[tuple[float, int]]:
    """Return (when it was answered in seconds after the start, status) of each request."""
    plan = Plan(order.events_per_s, order.seconds, order.seed)
    bodies = [
        _request(order, plan, sales, order.start + number / REQUESTS_PER_S)
        for number, sales in enumerate(plan.sales())
    ]
    answers: list[tuple[float, int]] = [(0.0, 0)] * len(bodies)
    connections = Connections(order.host, order.port)

    async def post(number: int, body: bytes) -> None:
        status = await connections.ask(body)
        answers[number] = (time.time() - order.start, status)

    if time.time() > order.start:
        raise RuntimeError("making the requests took until after the start")
    async with asyncio.TaskGroup() as watching:
        watch = watching.create_task(connections.watch())
        async with asyncio.TaskGroup() as posting:
            for number, body in enumerate(bodies):
                await asyncio.sleep(order.start + number / REQUESTS_PER_S - time.time())
                posting.create_task(post(number, body))
        watch.cancel()
    return answers


def _request(order: Order, plan: Plan, sales: list[Sale], due: float) -> bytes:
    occurred_at = (datetime.fromtimestamp(due, UTC) - timedelta(seconds=1)).isoformat()
    events = [
        {
            "id": plan.event_id(sale),
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
