"""The desk where requests about reservations wait; those that wait are decided together.

A transaction a request would let a level that everybody wants do a few thousand a second at the
best, each waiting for the disk. So whoever waits when a transaction ends goes into the next one, in
order of arrival; nobody waits for a level that only others need. For company a few wait for half as
long as the last transaction took, which is next to nothing where nobody else needs the machine.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from http import HTTPStatus

import asyncpg

from services.ledger.deciding import decide
from services.ledger.domain.reservations import Outcome, Request, Reserve, first_id
from services.ledger.store import reservations
from services.ledger.store.codecs import prepare
from services.ledger.store.periods import ensure_periods
from shared.clock import Clock
from shared.database.engine import (
    DATABASE_ERRORS,
    Connection,
    Driver,
    Engine,
    driver,
    is_away,
    is_retryable,
)
from shared.errors import Unavailable
from shared.http.problems import Problem
from shared.observability.logs import get_logger

GROUP = 200
"""Requests that one transaction decides at the most."""

WAITING = 2_000
"""Requests that wait at the most; at some thousand a second that is well below a second."""

PATIENCE_SECONDS = 0.1
"""How long somebody is put off while a level that he needs is held; then he waits for it. A batch
of the consumer holds most of its levels for some tens of milliseconds."""

FEW = 8
"""Fewer than these wait for company: alone one costs nearly three times what it does in a group."""

COMPANY_MOST_SECONDS = 0.02
"""For which a few wait at the most."""

AGAIN_SECONDS = 0.01
"""After this long those who were put off are tried again, if nobody else comes before; they wait
for company as well."""

LOCK_TIMEOUT_MS = 500
"""Shorter than PostgreSQL's look for deadlocks (a second): where a consumer's batch and a group
wait for each other, the group gives way, which costs less to repeat."""

Behind = Callable[[], Awaitable[float | None]]
"""Tells how many seconds the ledger is behind, None while nobody can say."""

_ATTEMPTS = 8
_BACKOFF_SECONDS = (0.0, 0.02, 0.1, 0.3)

_log = get_logger("api.desk")


@dataclass(eq=False, slots=True)
class _Waiting:
    request: Request
    answer: asyncio.Future[tuple[int, bytes]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    since: float = field(default_factory=time.monotonic)


class Desk:
    """Takes requests and answers them; `present` makes the answers' status and body."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        behind: Behind,
        present: Callable[[float | None, Request, Outcome], tuple[int, bytes]],
    ) -> None:
        self._clock = clock
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(WAITING)
        self._held_back: list[_Waiting] = []
        """For the next group: the second of two with one key."""
        self._put_off: list[_Waiting] = []
        """Whose levels somebody else holds."""
        self._late: asyncio.Queue[_Waiting] = asyncio.Queue(WAITING)
        """Who was put off for long enough, and waits for the locks now."""
        self._took_seconds = 0.0
        """How long the last group took."""
        self._prompt = _Table(engine, clock, behind, present, wait=False)
        self._patient = _Table(engine, clock, behind, present, wait=True)

    async def ask(self, request: Request) -> tuple[int, bytes]:
        """Return the status and body of the answer.

        Raises Problem 503 when too many wait, and Unavailable when the database is away. Then it
        may all the same have been done: to send it again is safe with an Idempotency-Key.
        """
        waiting = _Waiting(request)
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "busy",
                f"{WAITING:,} requests wait already; try again in a second.",
                headers={"Retry-After": "1"},
            ) from None
        return await waiting.answer

    def new_id(self) -> str:
        """Return an id for a reservation: 32 hexadecimal digits that grow with time."""
        return first_id(self._clock.now()) + secrets.token_hex(10)

    async def run(self) -> None:
        """Decide what waits, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._serve())
                group.create_task(self._serve_late())
        finally:
            await self._prompt.close()
            await self._patient.close()

    async def _serve(self) -> None:
        while True:
            group = await self._group()
            began = time.monotonic()
            late = began - PATIENCE_SECONDS
            busy = await self._prompt.answer(group)
            self._took_seconds = time.monotonic() - began
            for each in busy:
                if each.since < late and not self._late.full():
                    self._late.put_nowait(each)
                else:
                    self._put_off.append(each)

    async def _serve_late(self) -> None:
        while True:
            waiting = [await self._late.get()]
            while len(waiting) < GROUP and not self._late.empty():
                waiting.append(self._late.get_nowait())
            group, again = _one_of_each_key(waiting)
            for each in again:
                self._late.put_nowait(each)  # there is room: it comes from there
            await self._patient.answer(group)

    async def _group(self) -> list[_Waiting]:
        """Return who waits, but of each Idempotency-Key only the first."""
        if self._put_off or not self._held_back:
            await self._somebody()
        await self._company()
        waiting = self._put_off + self._held_back
        self._put_off = []
        while len(waiting) < GROUP and not self._queue.empty():
            waiting.append(self._queue.get_nowait())
        group, self._held_back = _one_of_each_key(waiting)
        return group

    async def _company(self) -> None:
        """Let others come where only a few wait, and the machine is busy."""
        seconds = min(self._took_seconds / 2, COMPANY_MOST_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                while len(self._put_off) + len(self._held_back) + self._queue.qsize() < FEW:
                    self._held_back.append(await self._queue.get())
        except TimeoutError:
            pass

    async def _somebody(self) -> None:
        """Wait for a request; not for long if there are some that were put off."""
        try:
            async with asyncio.timeout(AGAIN_SECONDS if self._put_off else None):
                self._held_back.append(await self._queue.get())
        except TimeoutError:
            pass


def _one_of_each_key(waiting: Sequence[_Waiting]) -> tuple[list[_Waiting], list[_Waiting]]:
    """Return the first of each Idempotency-Key with all that have none, and the others."""
    group: list[_Waiting] = []
    again: list[_Waiting] = []
    keys: set[bytes] = set()
    for each in waiting:
        once = each.request.once
        if once is not None and once.key in keys:
            again.append(each)
        else:
            group.append(each)
            if once is not None:
                keys.add(once.key)
    return group, again


class _Table:
    """Where groups are decided, on a connection of its own: by what is free, or waiting for it."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        behind: Behind,
        present: Callable[[float | None, Request, Outcome], tuple[int, bytes]],
        *,
        wait: bool,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._behind = behind
        self._present = present
        self._wait = wait
        self._connection: Connection | None = None
        self._driver: Driver | None = None
        self._prepared_on: date | None = None
        """For which day there are partitions, and for the one after it."""

    async def answer(self, group: Sequence[_Waiting]) -> list[_Waiting]:
        """Answer a group; returns those whose levels somebody else holds. Raises nothing."""
        try:
            answers = await self._decided([each.request for each in group])
        except Exception as error:  # noqa: BLE001 - each of those who wait raises it
            for each in group:
                if not each.answer.done():
                    each.answer.set_exception(error)
            return []
        busy = []
        for each, answer in zip(group, answers, strict=True):
            if answer is None:
                busy.append(each)
            elif not each.answer.done():
                each.answer.set_result(answer)
        return busy

    async def close(self) -> None:
        """Give the connection back."""
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            # Not back to the pool: it has its own codecs and limits.
            await connection.invalidate()
            await connection.close()

    async def _decided(self, requests: Sequence[Request]) -> list[tuple[int, bytes] | None]:
        present = partial(self._present, await self._behind())
        attempt = 0
        answers: list[tuple[int, bytes] | None] = []
        ids = [each.id for each in requests if isinstance(each, Reserve)]
        while True:
            try:
                database = await self._prepared()
                if answers and await reservations.there_are(database, ids):
                    return answers  # a commit whose answer was lost had succeeded
                async with database.transaction():
                    answers = await decide(
                        database, requests, self._clock, present, wait=self._wait
                    )
            except DATABASE_ERRORS as error:
                attempt += 1
                away = is_away(error)
                again = away or is_retryable(error) or _answered_meanwhile(error)
                if away or not again:
                    await self.close()
                if not again or attempt == _ATTEMPTS:
                    if again:
                        raise Unavailable("the database" if away else "the level") from error
                    raise
                _log.warning("a group will be repeated", reason=repr(error)[:300])
                await asyncio.sleep(_BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS)) - 1])
            else:
                return answers

    async def _prepared(self) -> Driver:
        now = self._clock.now()
        if self._connection is None or self._driver is None:
            self._connection = await self._engine.connect()
            self._driver = await driver(self._connection)
            await prepare(self._driver)
            await self._driver.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
        if self._prepared_on != now.date():
            async with self._connection.begin():
                periods = await ensure_periods(self._connection, now)
            self._prepared_on = periods.day
        return self._driver


def _answered_meanwhile(error: BaseException) -> bool:
    return isinstance(error, asyncpg.UniqueViolationError)
