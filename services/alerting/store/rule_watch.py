"""The rules in memory, renewed when somebody has edited one."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.alerting.domain.definition import RuleDefinition
from services.alerting.domain.rulebook import RuleBook
from services.alerting.store import rules
from shared.database.engine import DATABASE_ERRORS, is_away
from shared.observability.logs import get_logger

POLL_SECONDS = 0.5
"""An edit is in force within a second."""

_log = get_logger("alerting.rules")


class RuleWatch:
    """Holds the newest rule book that could be read."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self.book = RuleBook()
        self.loaded = asyncio.Event()
        """Set once the rules were read for the first time."""

    async def run(self) -> None:
        """Look for edits for ever; a database that is away is waited for."""
        while True:
            try:
                await self.look()
            except DATABASE_ERRORS as error:
                if not is_away(error):
                    raise
                _log.warning("rules not read", reason=repr(error)[:300])
            await asyncio.sleep(POLL_SECONDS)

    async def look(self) -> None:
        """Read the rules unless they are the ones held already."""
        async with self._engine.connect() as connection:
            revision = await rules.revision(connection)
            if self.loaded.is_set() and revision == self.book.revision:
                return
            # Edits in between are in the rules read, and bring another look.
            self.book = await _read(connection, revision)
        self.loaded.set()
        _log.info("rules read", revision=revision)

    async def check(self) -> str | None:
        """Return why there are no rules to evaluate yet, or None; for readiness."""
        return None if self.loaded.is_set() else "the rules are still being read"


async def _read(connection: AsyncConnection, revision: int) -> RuleBook:
    return RuleBook(
        revision,
        [
            RuleDefinition.model_validate_json(stored.body).rule(stored.id, stored.version)
            for stored in await rules.newest(connection)
        ],
    )
