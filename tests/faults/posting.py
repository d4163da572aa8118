"""Post goods at a steady rate, in a process of its own: `python -m tests.faults.posting`.

Its orders come as one JSON object on stdin. Each request goes out at its intended time and is
repeated unchanged until it is answered 202, after the seconds that Retry-After names; what is
answered goes line by line into a journal. SIGTERM ends the new requests: the process ends when
every one has its 202. It ends at once when whoever started it is gone.
"""

import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TextIO

import httpx

from tests.faults.goods import OPENING_REQUESTS, REQUESTS_PER_SECOND, Goods

NO_ANSWER = 0
NO_ANSWER_PAUSE_S = 0.3
ANSWER_LIMIT_S = 15.0
MOST_UNDER_WAY = 60 * REQUESTS_PER_SECOND


@dataclass(frozen=True)
class Orders:
    """Where to post what."""

    url: str
    token: str
    journal: str
    seed: int
    warehouse: str
    began_at: str


@dataclass(frozen=True)
class Answer:
    """One line of the journal; `at` is on the system's monotonic clock, `status` 0 is no answer.

    `accepted` of the `told` events of a 202; the others are of a refusal.
    """

    request: int
    at: float
    status: int
    told: int = 0
    accepted: int = 0
    content_type: str = ""
    problem: str = ""
    retry_after: str = ""


class Poster:
    """Posts one load's requests."""

    def __init__(self, goods: Goods, client: httpx.AsyncClient, journal: TextIO) -> None:
        self._goods = goods
        self._client = client
        self._journal = journal
        self._starter = os.getppid()

    async def run(self, stop: asyncio.Event) -> None:
        """Open, then trade until told to stop; return when everything is answered 202."""
        for number in range(OPENING_REQUESTS):
            await self._post(number)
        async with asyncio.TaskGroup() as requests:
            number, due = OPENING_REQUESTS, time.monotonic()
            places = asyncio.Semaphore(MOST_UNDER_WAY)
            while not stop.is_set():
                full = places.locked()
                await places.acquire()
                if full:
                    due = time.monotonic()
                requests.create_task(self._post(number)).add_done_callback(
                    lambda _: places.release()
                )
                number += 1
                due += 1 / REQUESTS_PER_SECOND
                await asyncio.sleep(due - time.monotonic())

    async def _post(self, number: int) -> None:
        events = self._goods.request(number)
        body = json.dumps(events).encode()
        while True:
            if os.getppid() != self._starter:
                raise SystemExit("whoever started this load is gone")
            answer = await self._ask(number, body, len(events))
            self._journal.write(json.dumps(asdict(answer)) + "\n")
            self._journal.flush()
            if answer.status == httpx.codes.ACCEPTED:
                return
            await asyncio.sleep(float(answer.retry_after or NO_ANSWER_PAUSE_S))

    async def _ask(self, number: int, body: bytes, told: int) -> Answer:
        try:
            response = await self._client.post("/v1/events", content=body)
        except httpx.TransportError as error:
            return Answer(number, time.monotonic(), NO_ANSWER, problem=repr(error))
        at = time.monotonic()
        document = response.json()
        if response.status_code == httpx.codes.ACCEPTED:
            return Answer(number, at, response.status_code, told, document["accepted"])
        return Answer(
            number,
            at,
            response.status_code,
            content_type=response.headers.get("content-type", ""),
            problem=document.get("type", ""),
            retry_after=response.headers.get("retry-after", ""),
        )


async def post(orders: Orders) -> None:
    """Carry orders out."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    goods = Goods(orders.seed, orders.warehouse, datetime.fromisoformat(orders.began_at))
    client = httpx.AsyncClient(
        base_url=orders.url,
        headers={"Authorization": f"Bearer {orders.token}", "Content-Type": "application/json"},
        timeout=ANSWER_LIMIT_S,
        # As many as there are: nobody waits for another's answer.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        trust_env=False,
    )
    with open(orders.journal, "a", encoding="utf-8") as journal:  # noqa: ASYNC230, PTH123 - local lines
        async with client:
            await Poster(goods, client, journal).run(stop)


if __name__ == "__main__":
    asyncio.run(post(Orders(**json.load(sys.stdin))))
