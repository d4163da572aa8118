"""Questions about single levels, answered together.

A statement a question costs the database and this process more than all the rest of an answer. So
whoever asks while a statement is under way goes into the next one; nobody waits for company.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.ledger.store import levels
from services.ledger.store.levels import LevelRow
from shared.database.engine import Connection, Driver, Engine, driver
from shared.errors import Unavailable
from shared.events.stock_levels import LevelKey

GROUP = 200
"""Questions that one statement answers at the most; it takes a few milliseconds then."""

WAITING = 2_000
"""Questions that wait at the most; that is well below a second."""

_TIMEOUT_SECONDS = 5.0
"""As long as one waits for a connection of the pool."""


@dataclass(eq=False, slots=True)
class _Waiting:
    key: LevelKey
    answer: asyncio.Future[LevelRow | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Inquiries:
    """Asks for levels on a connection of its own, as long as `run` does."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: deque[_Waiting] = deque()
        self._asked = asyncio.Event()
        self._connection: Connection | None = None
        self._driver: Driver | None = None

    async def level(self, sku: str, warehouse: str) -> LevelRow | None:
        """Return a level as it is after the call, or None.

        Raises Unavailable when too many wait, and the database's errors.
        """
        if len(self._queue) >= WAITING:
            raise Unavailable("the database", retry_after_seconds=1)
        waiting = _Waiting((sku, warehouse))
        self._queue.append(waiting)
        self._asked.set()
        return await waiting.answer

    async def run(self) -> None:
        """Answer what is asked, until cancelled."""
        try:
            while True:
                await self._asked.wait()
                group = [self._queue.popleft() for _ in range(min(len(self._queue), GROUP))]
                if not self._queue:
                    self._asked.clear()
                await self._answer(group)
        finally:
            await self._disconnect()

    async def _answer(self, group: Sequence[_Waiting]) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                found = await levels.of_keys(await self._connected(), {each.key for each in group})
        except Exception as error:  # noqa: BLE001 - each of those who wait raises it
            await self._disconnect()
            for each in group:
                if not each.answer.done():
                    each.answer.set_exception(error)
        else:
            for each in group:
                if not each.answer.done():
                    each.answer.set_result(found.get(each.key))

    async def _connected(self) -> Driver:
        if self._driver is None:
            self._connection = await self._engine.connect()
            self._driver = await driver(self._connection)
        return self._driver

    async def _disconnect(self) -> None:
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()
