"""Relay `stock.alerts` from the outbox to the broker, in order, until each is acknowledged."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from shared.database.engine import DATABASE_ERRORS, is_away, is_retryable
from shared.errors import Unavailable
from shared.events.stock_alerts import TOPIC
from shared.events.topics import STOCK_ALERTS
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.observability import tracing
from shared.observability.logs import get_logger

POLL_SECONDS = 0.02
"""Asked this often when idle: one short query, and a notice waits 10 ms on average."""

BATCH = 500
_RETRY_SECONDS = 0.5

_log = get_logger("alerting.relay")


class Waiting(Protocol):
    """A notice in the outbox; `value` is the message as JSON."""

    @property
    def alert_id(self) -> str: ...  # noqa: D102
    @property
    def value(self) -> str: ...  # noqa: D102
    @property
    def traceparent(self) -> str: ...  # noqa: D102


class Outbox(Protocol):
    """Where notices wait."""

    async def any_waiting(self) -> bool:
        """Return whether anything waits."""

    def taken(self, limit: int) -> AbstractAsyncContextManager[Sequence[Waiting]]:
        """Yield the oldest; they are deleted when the block ends without an error."""


class Publisher(Protocol):
    """Sends messages and returns when the broker has them; raises Unavailable."""

    async def send(self, topic: str, messages: Sequence[Message]) -> None: ...  # noqa: D102


class Relay:
    """Moves notices from the outbox to the topic.

    A notice is deleted only after the broker's acknowledgement. A crash in between sends it
    again: readers drop a revision that they have handled.
    """

    def __init__(self, outbox: Outbox, publisher: Publisher) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._trouble: str | None = None

    async def run(self) -> None:
        """Relay for ever; a database or broker that is away is waited for."""
        while True:
            try:
                moved = await self.step() if await self._outbox.any_waiting() else 0
            except Unavailable as error:
                self._note(str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            except DATABASE_ERRORS as error:
                if not (is_away(error) or is_retryable(error)):
                    raise
                self._note("the database cannot be reached")
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self._trouble = None
                if moved < BATCH:
                    await asyncio.sleep(POLL_SECONDS)

    async def step(self) -> int:
        """Relay one batch; returns how many, 0 when another relay is at work."""
        async with self._outbox.taken(BATCH) as waiting:
            if waiting:
                await self._publisher.send(TOPIC, [message(each) for each in waiting])
            return len(waiting)

    async def check(self) -> str | None:
        """Return why notices are held up, or None; for readiness."""
        return self._trouble

    def _note(self, trouble: str) -> None:
        if self._trouble is None:
            _log.warning("notices wait", reason=trouble)
        self._trouble = trouble


def message(waiting: Waiting) -> Message:
    """Return a notice as a record: all of an alert in one partition, so they stay in order."""
    return Message(
        partition_of(waiting.alert_id, STOCK_ALERTS.partitions),
        waiting.alert_id.encode(),
        waiting.value.encode(),
        ((tracing.HEADER, waiting.traceparent.encode()),),
    )
