"""Look for what time alone brings, again and again."""

import asyncio
from abc import ABC, abstractmethod

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.clock import Clock
from shared.database.engine import DATABASE_ERRORS, is_away, is_retryable
from shared.observability.logs import get_logger

LOOK_SECONDS = 0.5
"""How long after its time something is felt at the most."""

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
        """Look for ever; a database that is away is waited for."""
        while True:
            try:
                done = await self.step()
            except DATABASE_ERRORS as error:
                if not (is_away(error) or is_retryable(error)):
                    raise
                if self._trouble is None:
                    _log.warning(f"{self.what} wait", reason=repr(error)[:300])
                self._trouble = "the database cannot be reached"
                done = 0
            else:
                self._trouble = None
            if done < self.at_once:
                await asyncio.sleep(self.look_seconds)

    @abstractmethod
    async def step(self) -> int:
        """Do what is due, `at_once` at the most; returns how much that was."""

    async def check(self) -> str | None:
        """Return why nothing is done, or None; for readiness."""
        return self._trouble
