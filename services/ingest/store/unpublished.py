"""Bring committed master data to `catalog.items`, crashes included: what differs is sent."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from services.ingest.store import catalogue
from services.ingest.store.database import FAILURES, Database
from shared.events.catalog_items import CatalogItem
from shared.observability.logs import get_logger

BATCH = 1_000
IDLE_SECONDS = 2.0
"""Looked for without being woken: what another process committed and then died over."""

_log = get_logger("ingest.catalogue")

Publish = Callable[[Sequence[CatalogItem]], Awaitable[None]]


class Publisher:
    """Publishes master data whose version the topic does not have yet."""

    def __init__(self, database: Database, publish: Publish) -> None:
        self._database = database
        self._publish = publish
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
        """Publish one batch; returns how many items there were."""
        async with self._database.transaction() as connection:
            items = await catalogue.unpublished(connection, BATCH)
            if items:
                await self._publish(items)
                await catalogue.note_published(connection, items)
        return len(items)
