"""What a role does once a day beside its work, where that is wanted."""

import asyncio
from abc import ABC, abstractmethod
from datetime import date

from shared.clock import Clock

LOOK_SECONDS = 600.0
"""How often it is asked whether it is due; what stood in the way may be gone then."""


class Daily(ABC):
    """Does something once each day (UTC), as long as the process lives.

    Nothing is kept of it: each process that is to do it does, so it must be harmless to do again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._done_on: date | None = None

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Do it if it is due."""
        today = self._clock.now().date()
        if self._done_on != today and await self.attempt():
            self._done_on = today

    @abstractmethod
    async def attempt(self) -> bool:
        """Do it; returns whether it came to its end, and raises nothing: the role goes on."""
