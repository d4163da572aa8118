"""Keep a copy of some configuration in memory, renewed when somebody has edited it."""

import asyncio
import time
from abc import ABC, abstractmethod

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.engine import DATABASE_ERRORS, passing
from shared.observability.logs import get_logger

POLL_SECONDS = 0.5
"""An edit is in force within a second."""

LATE_SECONDS = 10.0
"""Longer than the largest import takes to be read."""

_log = get_logger("alerting.watch")


class Watch(ABC):
    """Looks for edits for as long as the process lives; what is found is the subclass's."""

    what: str
    """What is watched, in a word for people."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Look through an engine that waits for an answer for a limited time only."""
        self._engine = engine
        self.loaded = asyncio.Event()
        """Set once everything was read for the first time."""
        self._looked_at = 0.0

    async def run(self) -> None:
        """Look for edits for ever; a database that is away, or takes too long, is waited for."""
        while True:
            try:
                await self.look()
                self._looked_at = time.monotonic()
            except DATABASE_ERRORS as error:
                if passing(error) is None:
                    raise
                _log.warning("edits not seen", what=self.what, reason=repr(error)[:300])
            await asyncio.sleep(POLL_SECONDS)

    @abstractmethod
    async def look(self) -> None:
        """Read what was edited since the last look; one short question when nothing was."""

    async def check(self) -> str | None:
        """Return why there is nothing to go by yet, or nothing new, or None; for readiness."""
        if not self.loaded.is_set():
            return f"the {self.what} are still being read"
        since = time.monotonic() - self._looked_at
        return None if since < LATE_SECONDS else f"no edits of {self.what} seen for {since:.0f} s"
