"""Bring committed master data to its topics, crashes included: what differs is sent."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from services.ingest.store.database import FAILURES, Connection, Database
from shared.events.base import Event
from shared.observability.logs import get_logger

BATCH = 1_000
IDLE_SECONDS = 2.0
"""Looked for without being woken: what another process committed and then died over."""

_log = get_logger("ingest.catalogue")

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Feed(Generic[E]):
    """What one topic of master data is fed with.

    `unpublished` returns up to so many messages that the topic does not have in their newest
    version, and nothing while another process publishes; `publish` returns when the broker has
    them all; `note` remembers that it has.
    """

    unpublished: Callable[[Connection, int], Awaitable[Sequence[E]]]
    publish: Callable[[Sequence[E]], Awaitable[None]]
    note: Callable[[Connection, Sequence[E]], Awaitable[None]]


class Publisher:
    """Publishes master data whose version its topic does not have yet."""

    def __init__(self, database: Database, feeds: Sequence[Feed[Any]]) -> None:
        self._database = database
        self._feeds = feeds
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Say that something was committed."""
        self._woken.set()

    async def run(self) -> None:
        """Publish until cancelled, broker and database coming and going."""
        while True:
            self._woken.clear()
            try:
                more = await self.publish_some() == BATCH
            except FAILURES as error:
                _log.warning("catalogue not published yet", reason=repr(error)[:300])
                more = False
            if not more:
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_SECONDS):
                        await self._woken.wait()

    async def publish_some(self) -> int:
        """Publish one batch of each feed; returns how many messages the largest one had."""
        return max([await self._publish(feed) for feed in self._feeds])

    async def _publish(self, feed: Feed[Event]) -> int:
        async with self._database.transaction() as connection:
            messages = await feed.unpublished(connection, BATCH)
            if messages:
                await feed.publish(messages)
                await feed.note(connection, messages)
        return len(messages)
