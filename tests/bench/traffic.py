"""Send HTTP requests to a service from a process of its own, at a pace or as fast as it answers.

At a pace, each request leaves at its instant whatever became of the others, over another
connection when all are busy, and its latency counts from that instant: waiting for an answer would
hide the very delays that are to be measured (coordinated omission). Timers tick in milliseconds:
what is due between two ticks leaves at the second, and the wait is in its latency.

The order comes as a line of JSON on stdin; once it is understood, `ready` goes to stdout and the
start (Unix time) is read from stdin. The report goes to a file. SIGTERM ends new requests.
"""

import asyncio
import signal
import sys
import time
from array import array
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from pydantic import BaseModel

from tests.bench.connections import Connections

NUMBER = "@" * 10
"""In a template: the request's number, so that each has identities of its own."""

INSTANT = "~" * 32
"""In a template: when the request is due, as RFC 3339 in microseconds."""


class Phase(BaseModel):
    """So many requests a second for so long; 0 a second: as fast as the connections answer."""

    seconds: float
    requests_per_s: float = 0


class Order(BaseModel):
    """What to send, and where.

    `requests` are templates, ASCII, sent in turn. `connections` are those kept busy in a phase
    without a pace.
    """

    host: str
    port: int
    requests: list[str]
    phases: list[Phase]
    connections: int = 32
    report: Path


class Report(BaseModel):
    """What became of each request, by its number: one entry per request in each list.

    `due` and `answered` are seconds after the start; without a pace a request is due when it is
    sent. Status 0 is no answer. `cpu_s` is what the process took between start and end.
    """

    due: list[float]
    answered: list[float]
    status: list[int]
    cpu_s: float


class _Traffic:
    def __init__(self, order: Order, start: float) -> None:
        self._order = order
        self._start = start
        self._templates = [each.encode("ascii") for each in order.requests]
        self._connections = Connections(order.host, order.port)
        self._stop = asyncio.Event()
        self._due, self._answered, self._status = array("d"), array("d"), array("h")

    async def run(self) -> Report:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop.set)
        if time.time() > self._start:
            raise RuntimeError("the start has passed already")
        await self._sleep_until(self._start)
        cpu_s = time.process_time()
        async with asyncio.TaskGroup() as watching:
            watch = watching.create_task(self._connections.watch())
            begins = self._start
            async with asyncio.TaskGroup() as requests:
                for phase in self._order.phases:
                    ends = begins + phase.seconds
                    if phase.requests_per_s:
                        await self._pace(requests, begins, ends, phase.requests_per_s)
                    else:
                        await self._rush(ends)
                    begins = ends
            watch.cancel()
        return Report(
            due=self._due.tolist(),
            answered=self._answered.tolist(),
            status=self._status.tolist(),
            cpu_s=time.process_time() - cpu_s,
        )

    async def _pace(
        self, requests: asyncio.TaskGroup, begins: float, ends: float, per_s: float
    ) -> None:
        number = 0
        while (due := begins + number / per_s) < ends and not self._stop.is_set():
            if due > time.time():
                await self._sleep_until(due)
            requests.create_task(self._ask(due))
            number += 1

    async def _rush(self, ends: float) -> None:
        async def keep_asking() -> None:
            while (now := time.time()) < ends and not self._stop.is_set():
                await self._ask(now)

        async with asyncio.TaskGroup() as group:
            for _ in range(self._order.connections):
                group.create_task(keep_asking())

    async def _ask(self, due: float) -> None:
        number, start = len(self._due), self._start
        self._due.append(due - start)
        self._answered.append(0.0)
        self._status.append(0)
        template = self._templates[number % len(self._templates)]
        request = template.replace(_NUMBER, b"%010d" % number)
        if _INSTANT in request:
            instant = datetime.fromtimestamp(due, UTC).isoformat(timespec="microseconds")
            request = request.replace(_INSTANT, instant.encode())
        self._status[number] = await self._connections.ask(request)
        self._answered[number] = time.time() - start

    async def _sleep_until(self, at: float) -> None:
        await asyncio.sleep(at - time.time())


_NUMBER, _INSTANT = NUMBER.encode(), INSTANT.encode()


def main() -> None:
    """Carry out the order that stands on stdin."""
    order = Order.model_validate_json(sys.stdin.readline())
    print("ready", flush=True)
    report = uvloop.run(_Traffic(order, float(sys.stdin.readline())).run())
    order.report.write_text(report.model_dump_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
