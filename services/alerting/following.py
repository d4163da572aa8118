"""Follow playbooks: remind and escalate when people are late, and find timers that were lost."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import override

from services.alerting.looking import Looking
from services.alerting.store import lateness
from shared.clock import Clock
from shared.observability.logs import get_logger
from shared.observability.metrics import TIMERS_LOST_TOTAL

AUDIT_EVERY = timedelta(minutes=1)
AUDITED_AT_ONCE = 1_000

_log = get_logger("alerting.following")


class Following(Looking):
    """Acts on timers that are due; in small groups, so that several processes share them.

    A timer, what it makes of its episode and the next timer are one transaction: whatever ends the
    process, each acts once.
    """

    what = "playbooks"
    at_once = 50

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        super().__init__(engine, clock)
        self._audited_at: datetime | None = None

    @override
    async def step(self) -> int:
        now = self._clock.now()
        async with self._engine.begin() as connection:
            told = await lateness.follow(connection, now, self.at_once)
        is_time = self._audited_at is None or now - self._audited_at >= AUDIT_EVERY
        # What has piled up is worked off first: it is late, but not lost.
        if is_time and len(told) < self.at_once:
            await self._audit(now)
        return len(told)

    async def _audit(self, now: datetime) -> None:
        async with self._engine.begin() as connection:
            found = await lateness.audit(connection, now, AUDITED_AT_ONCE)
        self._audited_at = now
        for each in found:
            TIMERS_LOST_TOTAL.labels(each.cause).inc()
            _log.warning("timer lost", alert=str(each.alert_id), cause=each.cause)
