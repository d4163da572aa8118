"""See to it that requests do not wait for an approval without anybody knowing."""

from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import override

from services.alerting.looking import Looking
from services.alerting.store import approval_lateness
from services.alerting.store.approval_lateness import Patience
from shared.clock import Clock


class Approving(Looking):
    """Looks for requests that wait for too long; it tells people, and approves nothing."""

    what = "approvals"
    at_once = 50

    def __init__(self, engine: AsyncEngine, clock: Clock, patience: Patience) -> None:
        super().__init__(engine, clock)
        self._patience = patience

    @override
    async def step(self) -> int:
        async with self._engine.begin() as connection:
            return await approval_lateness.follow(
                connection, self._clock.now(), self.at_once, self._patience
            )
