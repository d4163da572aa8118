"""Run `forget` once a day beside the sender, where that is wanted.

A portion is a transaction, so it may end anywhere; processes that do it at the same time share what
there is to forget.
"""

import asyncio
from datetime import date, timedelta

from services.notifier.store import retention
from shared.clock import Clock
from shared.database.engine import DATABASE_ERRORS, Engine
from shared.observability.logs import get_logger

LOOK_SECONDS = 600.0
"""How often it is asked whether it is due; a database that was away may be back then."""

_log = get_logger("notifier.forgetting")


class Forgetting:
    """Forgets once each day (UTC) what was over more than so many days ago."""

    def __init__(self, engine: Engine, clock: Clock, keep_days: int) -> None:
        self._engine = engine
        self._clock = clock
        self._keep = timedelta(days=keep_days)
        self._done_on: date | None = None

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Forget if it is due; what stands in the way is said, and sending goes on."""
        now = self._clock.now()
        if self._done_on == now.date():
            return
        try:
            forgotten = await retention.forget(self._engine, now - self._keep)
        except DATABASE_ERRORS as error:
            _log.warning("forgotten later", reason=repr(error)[:300])
        else:
            self._done_on = now.date()
            _log.info("forgotten", **forgotten._asdict())
