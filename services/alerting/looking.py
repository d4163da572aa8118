"""Look for what time alone brings, again and again."""

import asyncio
from abc import ABC, abstractmethod

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.clock import Clock
from shared.database.engine import DATABASE_ERRORS, is_too_slow, passing
from shared.observability.logs import get_logger

LOOK_SECONDS = 0.5
"""How long after its time something is felt at the most."""

LONGEST_PAUSE_SECONDS = 60.0
"""What is too much for the database is not asked of it again and again."""

_log = get_logger("alerting.looking")


class Looking(ABC):
    """Looks for as long as the process lives. Several may run: none waits for another.

    What has to be done is asked of the tables each time, so a restart forgets nothing.
    """

    what: str
    """What waits while the database is away, in a word for people."""
    at_once: int
    """Done in one transaction at the most."""
    look_seconds = LOOK_SECONDS

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._trouble: str | None = None

    async def run(self) -> None:
        """Look for ever; a database that is away, or takes too long, is waited for."""
        pause = self.look_seconds
        while True:
            try:
                done = await self.step()
            except DATABASE_ERRORS as error:
                trouble = passing(error)
                if trouble is None:
                    raise
                if self._trouble is None:
                    _log.warning(f"{self.what} wait", reason=repr(error)[:300])
                self._trouble = trouble
                await asyncio.sleep(pause)
                is_slow = is_too_slow(error)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS) if is_slow else self.look_seconds
            else:
                self._trouble, pause = None, self.look_seconds
                if done < self.at_once:
                    await asyncio.sleep(self.look_seconds)

    @abstractmethod
    async def step(self) -> int:
        """Do what is due, `at_once` at the most; returns how much that was."""

    async def check(self) -> str | None:
        """Return why nothing is done, or None; for readiness."""
        return self._trouble
