"""Run `forget` once a day beside the sender, where that is wanted.

A portion is a transaction, so it may end anywhere; processes that do it at the same time share what
there is to forget.
"""

from datetime import timedelta

from typing_extensions import override

from services.notifier.store import retention
from shared.clock import Clock
from shared.daily import Daily
from shared.database.engine import DATABASE_ERRORS, Engine
from shared.observability.logs import get_logger

_log = get_logger("notifier.forgetting")


class Forgetting(Daily):
    """Forgets once a day what was over more than so many days ago."""

    def __init__(self, engine: Engine, clock: Clock, keep_days: int) -> None:
        super().__init__(clock)
        self._engine = engine
        self._keep = timedelta(days=keep_days)

    @override
    async def attempt(self) -> bool:
        try:
            forgotten = await retention.forget(self._engine, self._clock.now() - self._keep)
        except DATABASE_ERRORS as error:
            _log.warning("forgotten later", reason=repr(error)[:300])
            return False
        _log.info("forgotten", **forgotten._asdict())
        return True
