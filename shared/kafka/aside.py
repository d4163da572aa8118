"""A consumer beside the main one of a process: when it is halted, nothing else is."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from shared.errors import Stopped
from shared.kafka.consumer import PartitionConsumer
from shared.observability.logs import get_logger

RETRY_SECONDS = 30.0
"""How soon a halted consumer looks whether it may go on."""

_log = get_logger("kafka.aside")


class Aside:
    """Kept up for as long as the process lives. A stock change must not wait for a SKU's name.

    `consumer` makes a consumer that has not run.
    """

    def __init__(self, topic: str, consumer: Callable[[], PartitionConsumer]) -> None:
        self._topic = topic
        self._make = consumer
        self._consumer = consumer()
        self._halted: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until told to stop; raises Fenced or Stalled when the process should end."""
        while not stop.is_set():
            try:
                await self._consumer.run(stop)
            except Stopped as halted:
                if str(halted) != self._halted:
                    _log.error("consuming is halted", topic=self._topic, reason=str(halted))
                self._halted = str(halted)
                # At once: one that has run says for a while that all is well.
                self._consumer = self._make()
                with suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_SECONDS):
                        await stop.wait()

    async def check(self) -> str | None:
        """Return why what it keeps may be out of date, or None; for readiness."""
        trouble = await self._consumer.check()
        if trouble is None:
            self._halted = None
        return self._halted or trouble
