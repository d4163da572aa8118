"""The newest value of something, shown to everybody who waits for it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Broadcast(Generic[T]):
    """Holds one value; readers see the newest, never a backlog."""

    def __init__(self, value: T) -> None:
        self.value = value
        self._version = 0
        self._changed = asyncio.Event()

    def publish(self, value: T) -> None:
        """Replace the value and wake everybody who waits."""
        self.value = value
        self._version += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def values(self) -> AsyncIterator[T]:
        """Yield the value now and whenever it changed since it was last taken."""
        while True:
            seen = self._version
            yield self.value
            if self._version == seen:
                await self._changed.wait()
