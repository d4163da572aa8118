"""Whether anybody looks at all: nothing is read or asked for an empty room."""

import asyncio


class Presence:
    """Counts open pages."""

    def __init__(self) -> None:
        self.pages = 0
        self._somebody = asyncio.Event()

    def enter(self) -> None:
        """A page was opened."""
        self.pages += 1
        self._somebody.set()

    def leave(self) -> None:
        """A page was closed."""
        self.pages -= 1
        if self.pages == 0:
            self._somebody.clear()

    async def somebody(self) -> None:
        """Return as soon as at least one page is open."""
        await self._somebody.wait()
