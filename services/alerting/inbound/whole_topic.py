"""Read a whole topic into memory, and go on for as long as the process lives."""

import asyncio
from abc import ABC, abstractmethod

from shared.kafka.messages import Record
from shared.kafka.tail import TailReader


class WholeTopic(ABC):
    """A topic of which all is kept at hand; `what` names that for people."""

    topic: str
    what: str

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._tail = TailReader(bootstrap, prefix, [self.topic], start="beginning")

    @abstractmethod
    def take(self, record: Record) -> None:
        """Take in a record."""

    @property
    def caught_up(self) -> asyncio.Event:
        """Set once everything that was there at the start has been read."""
        return self._tail.caught_up

    async def run(self) -> None:
        """Read on and on."""
        async for records in self._tail.records():
            for record in records:
                self.take(record)

    async def check(self) -> str | None:
        """Return why not all is known yet, or None; for readiness."""
        return None if self.caught_up.is_set() else f"{self.what} are still being read"
