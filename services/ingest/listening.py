"""Listen to channels: each process notes what it hears, the tables add all of them up."""

import asyncio
from collections.abc import Iterable
from typing import Any

from services.ingest.domain.decision import Decision
from services.ingest.domain.hearing import Hearing
from services.ingest.store import channel_health
from services.ingest.store.database import FAILURES, Database
from shared.clock import Clock
from shared.observability.logs import get_logger

NOTE_SECONDS = 5.0
"""A crash forgets no more than what so long a time has brought: the next event makes up for it."""

_log = get_logger("ingest.listening")


class Listening:
    """One process's ear."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._hearing = Hearing()

    def hear(self, decision: Decision[Any], rejected: Iterable[str]) -> None:
        """Take in a request that was answered; `rejected` as `Hearing.take` has it."""
        self._hearing.take(decision, rejected, self._clock.now())

    async def run(self) -> None:
        """Note what was heard until cancelled; a database that is away is waited for."""
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            try:
                await self.note()
            except FAILURES as error:
                _log.warning("channels not noted yet", reason=repr(error)[:300])

    async def note(self) -> None:
        """Note what was heard since the last time.

        What was committed while its answer was lost is counted again: an event too many misleads
        less than a channel that is taken for silent.
        """
        hearing, self._hearing = self._hearing, Hearing()
        if not hearing.heard_at:
            return
        try:
            await self._database.write(channel_health.add, hearing, self._clock.now())
        except FAILURES:
            self._hearing = hearing.and_then(self._hearing)
            raise
