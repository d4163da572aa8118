"""Relay `alert.responses` from the outbox to the broker, in order, until each is acknowledged."""

import asyncio

from services.notifier.store.responses import ResponseOutbox, Waiting
from shared.database.engine import DATABASE_ERRORS, is_away, is_retryable
from shared.errors import Unavailable
from shared.events.alert_responses import TOPIC
from shared.events.topics import ALERT_RESPONSES
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.kafka.producer import Producer
from shared.observability import tracing
from shared.observability.logs import get_logger

POLL_SECONDS = 0.1
"""A person who pressed a button sees the card change well within a second."""

BATCH = 500
_RETRY_SECONDS = 0.5

_log = get_logger("notifier.relay")


class Relay:
    """Moves responses from the outbox to the topic.

    A crash between the broker's acknowledgement and ours sends one again: it has the same id.
    """

    def __init__(self, outbox: ResponseOutbox, producer: Producer) -> None:
        self._outbox = outbox
        self._producer = producer
        self._trouble: str | None = None

    async def run(self) -> None:
        """Relay for ever; a database or broker that is away is waited for."""
        while True:
            wait = POLL_SECONDS
            try:
                moved = await self.step() if await self._outbox.any_waiting() else 0
            except Unavailable as error:
                self._note(str(error))
                wait = _RETRY_SECONDS
            except DATABASE_ERRORS as error:
                if not (is_away(error) or is_retryable(error)):
                    raise
                self._note("the database cannot be reached")
                wait = _RETRY_SECONDS
            else:
                self._trouble = None
                if moved == BATCH:
                    continue
            await asyncio.sleep(wait)

    async def step(self) -> int:
        """Relay one batch; returns how many, 0 when another relay is at work."""
        async with self._outbox.taken(BATCH) as waiting:
            if waiting:
                await self._producer.send(TOPIC, [message(each) for each in waiting])
            return len(waiting)

    async def check(self) -> str | None:
        """Return why responses are held up, or None; for readiness."""
        return self._trouble

    def _note(self, trouble: str) -> None:
        if self._trouble is None:
            _log.warning("responses wait", reason=trouble)
        self._trouble = trouble


def message(waiting: Waiting) -> Message:
    """Return a response as a record: all about an alert in one partition, so they stay in order."""
    return Message(
        partition_of(waiting.alert_id, ALERT_RESPONSES.partitions),
        waiting.alert_id.encode(),
        waiting.value.encode(),
        ((tracing.HEADER, waiting.traceparent.encode()),),
    )
