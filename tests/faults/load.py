"""A load on a stack: the process that posts, and what its journal says."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from deploy.local.instance import REPOSITORY
from shared.testing.waiting import until
from tests.faults.goods import Goods
from tests.faults.posting import Answer, Orders
from tests.faults.recount import Recount, recount

ACCEPTED, UNAVAILABLE = 202, 503
FINISH_LIMIT_S = 60.0


class Load:
    """Requests under way; `answers` grows with every look at the journal.

    `movements_before` are those that the ledger had before the first.
    """

    def __init__(
        self,
        goods: Goods,
        journal: Path,
        process: "subprocess.Popen[bytes]",
        movements_before: int,
    ) -> None:
        self.goods = goods
        self.movements_before = movements_before
        self.answers: list[Answer] = []
        self._journal = journal.open(encoding="utf-8")
        self._process = process
        self._torn = ""

    def look(self) -> list[Answer]:
        """Return all answers so far."""
        text = self._torn + self._journal.read()
        whole, newline, self._torn = text.rpartition("\n")
        if newline:
            self.answers += [Answer(**json.loads(line)) for line in whole.split("\n")]
        return self.answers

    def since(self, at: float, status: int | None = None) -> list[Answer]:
        """Return the answers after an instant of the monotonic clock."""
        return [
            each
            for each in self.look()
            if each.at > at and (status is None or each.status == status)
        ]

    async def sees(self, condition: Callable[[], bool], *, seconds: float) -> None:
        """Wait until something is so; fails when the process has ended before."""

        async def is_so() -> bool:
            assert self._process.poll() is None, "the load ended by itself"
            return condition()

        await until(is_so, seconds=seconds)

    async def goes_on(self, *, until_at: float) -> None:
        """Wait for an instant of the monotonic clock."""
        seconds = until_at - time.monotonic()
        if seconds > 0:
            await self.sees(lambda: time.monotonic() >= until_at, seconds=seconds + 5)

    async def accepted(self, requests: int, *, since: float, seconds: float = 30) -> None:
        """Wait until so many requests were accepted after an instant."""
        await self.sees(lambda: len(self.since(since, ACCEPTED)) >= requests, seconds=seconds)

    async def finish(self) -> None:
        """Let it end: every request has its 202 then. Raises TimeoutError."""
        self._process.send_signal(signal.SIGTERM)

        async def ended() -> bool:
            return self._process.poll() is not None

        await until(ended, seconds=FINISH_LIMIT_S)
        assert self._process.returncode == 0
        self.look()

    def recount(self) -> Recount:
        """Count what was accepted."""
        accepted = [each for each in self.look() if each.status == ACCEPTED]
        partly = [each for each in accepted if each.accepted != each.told]
        assert partly == [], "a request's events were not all accepted"
        return recount(event for each in accepted for event in self.goods.request(each.request))

    def kill(self) -> None:
        """End the process if it still runs."""
        self._process.kill()
        self._process.wait()
        self._journal.close()


@asynccontextmanager
async def loading(
    url: str,
    token: str,
    journal: Path,
    *,
    seed: int,
    warehouse: str,
    began_at: datetime,
    movements_before: int,
) -> AsyncIterator[Load]:
    """Post to a stack for the length of the block."""
    orders = Orders(url, token, str(journal), seed, warehouse, began_at.isoformat())
    process = await asyncio.to_thread(_start, orders)
    load = Load(Goods(seed, warehouse, began_at), journal, process, movements_before)
    try:
        yield load
    finally:
        load.kill()


def _start(orders: Orders) -> "subprocess.Popen[bytes]":
    Path(orders.journal).touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.posting"], cwd=REPOSITORY, stdin=subprocess.PIPE
    )
    assert process.stdin is not None
    with process.stdin as stdin:
        stdin.write(json.dumps(asdict(orders)).encode())
    return process
