"""See what becomes of actions, and let orders leave when it is time."""

import asyncio
from contextlib import suppress

from services.alerting.store import orders, supplying
from services.alerting.store.acts import By
from services.alerting.store.orders import Empty
from shared.clock import Clock
from shared.database.engine import DATABASE_ERRORS, Engine, is_away, is_retryable
from shared.observability.logs import get_logger

LOOK_SECONDS = 1.0
AT_ONCE = 200

_log = get_logger("alerting.supplying")


class Supplying:
    """Looks at all actions that are not over, and at open orders. Several may run.

    What has happened is asked of the tables each time, so a restart forgets nothing.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._trouble: str | None = None

    async def run(self) -> None:
        """Look for ever; a database that is away is waited for."""
        while True:
            try:
                seen = await self.step()
            except DATABASE_ERRORS as error:
                if not (is_away(error) or is_retryable(error)):
                    raise
                if self._trouble is None:
                    _log.warning("actions are not followed", reason=repr(error)[:300])
                self._trouble = "the database cannot be reached"
                seen = 0
            else:
                self._trouble = None
            if seen < AT_ONCE:
                await asyncio.sleep(LOOK_SECONDS)

    async def step(self) -> int:
        """Take down what has happened, and place what is due; returns of how many actions."""
        now = self._clock.now()
        async with self._engine.begin() as connection:
            seen = await supplying.follow(connection, now, AT_ONCE)
        async with self._engine.begin() as connection:
            due = await orders.due(connection, now)
        for order_id in due:
            # Its last line may have been taken out since.
            with suppress(Empty):
                async with self._engine.begin() as connection:
                    await orders.place(connection, order_id, By(None, None, now, None))
        return seen

    async def check(self) -> str | None:
        """Return why nobody looks, or None; for readiness."""
        return self._trouble
