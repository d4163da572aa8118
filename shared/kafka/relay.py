"""Relay an outbox to its topic, in order, until the broker has acknowledged each."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from shared.database.engine import DATABASE_ERRORS, passing
from shared.database.outbox import Outbox, Waiting
from shared.errors import Unavailable
from shared.events.topics import Topic
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.observability import tracing
from shared.observability.logs import get_logger

BATCH = 500
_RETRY_SECONDS = 0.5

_log = get_logger("kafka.relay")


class Publisher(Protocol):
    """Sends messages and returns when the broker has them; raises Unavailable."""

    async def send(self, topic: str, messages: Sequence[Message]) -> None: ...  # noqa: D102


class Relay:
    """Moves messages from the outbox to the topic.

    One is deleted only after the broker's acknowledgement. A crash in between sends it again:
    readers drop what they have handled.
    """

    def __init__(
        self, outbox: Outbox, publisher: Publisher, topic: Topic, *, poll_seconds: float
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._topic = topic
        self._poll_seconds = poll_seconds
        self._trouble: str | None = None

    async def run(self) -> None:
        """Relay for ever; a database or broker that is away or slow is waited for."""
        while True:
            try:
                moved = await self.step() if await self._outbox.any_waiting() else 0
            except Unavailable as error:
                self._note(str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            except DATABASE_ERRORS as error:
                trouble = passing(error)
                if trouble is None:
                    raise
                self._note(trouble)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self._trouble = None
                if moved < BATCH:
                    await asyncio.sleep(self._poll_seconds)

    async def step(self) -> int:
        """Relay one batch; returns how many, 0 when another relay is at work."""
        async with self._outbox.taken(BATCH) as waiting:
            if waiting:
                messages = [message(each, self._topic) for each in waiting]
                await self._publisher.send(self._topic.name, messages)
            return len(waiting)

    async def check(self) -> str | None:
        """Return why messages are held up, or None; for readiness."""
        return self._trouble

    def _note(self, trouble: str) -> None:
        if self._trouble is None:
            _log.warning("messages wait", topic=self._topic.name, reason=trouble)
        self._trouble = trouble


def message(waiting: Waiting, topic: Topic) -> Message:
    """Return a record: all of a key in one partition, so they stay in order."""
    return Message(
        partition_of(waiting.key, topic.partitions),
        waiting.key.encode(),
        waiting.value.encode(),
        ((tracing.HEADER, waiting.traceparent.encode()),),
    )
