"""Tell people of what was kept from them, once nothing keeps it from them any more."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerting.store import acts
from shared.clock import Clock
from shared.database.engine import DATABASE_ERRORS, is_away, is_retryable
from shared.observability.logs import get_logger

LOOK_SECONDS = 0.5
"""How long after its end a silence or a snooze is felt at the most."""

AT_ONCE = 500
"""Reminded in one transaction at the most."""

_log = get_logger("alerting.reminding")


class Reminding:
    """Looks for alerts that people may be told of again. Several may run: none waits for another.

    What has to be told is asked of the tables each time, so a restart forgets nothing, and neither
    does a silence that is ended before its time.
    """

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._trouble: str | None = None

    async def run(self) -> None:
        """Remind for ever; a database that is away is waited for."""
        while True:
            try:
                reminded = await self.step()
            except DATABASE_ERRORS as error:
                if not (is_away(error) or is_retryable(error)):
                    raise
                if self._trouble is None:
                    _log.warning("reminders wait", reason=repr(error)[:300])
                self._trouble = "the database cannot be reached"
                reminded = 0
            else:
                self._trouble = None
            if reminded < AT_ONCE:
                await asyncio.sleep(LOOK_SECONDS)

    async def step(self) -> int:
        """Remind of what is due; returns of how many alerts."""
        async with self._engine.begin() as connection:
            return await acts.remind(connection, self._clock.now(), AT_ONCE)

    async def check(self) -> str | None:
        """Return why nobody is reminded, or None; for readiness."""
        return self._trouble
