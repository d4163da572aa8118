"""When a page asks again: after a while, or at once."""

import asyncio
from contextlib import suppress


class Wanted(asyncio.Event):
    """Set where something is to be asked at once."""

    async def within(self, seconds: float) -> None:
        """Wait until it is set, so long at the most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.wait()
