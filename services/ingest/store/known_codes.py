"""The codes in memory, kept fresh: a cheap question about the version, then only what changed."""

import asyncio
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.domain.codes import Action, Changes, Codes, Kind, Mapping, SkuSpellings
from services.ingest.store.database import FAILURES, Database
from shared.database.engine import DATABASE_ERRORS
from shared.errors import Unavailable
from shared.observability.logs import get_logger

POLL_SECONDS = 0.5
"""Another process's change of the catalogue is seen within a second."""

_ANSWER_SECONDS = 3.0
_FIRST_ANSWER_SECONDS = 60.0
_VERSION = text("SELECT version FROM catalogue_version")
_CHANNELS = text("SELECT channel FROM channel WHERE changed_in > :seen")
_WAREHOUSES = text("SELECT warehouse FROM warehouse WHERE changed_in > :seen")
_SKUS = text("SELECT sku, aliases || barcodes AS spellings FROM sku WHERE changed_in > :seen")
_MAPPINGS = text(
    "SELECT channel, kind, external, action, target FROM mapping WHERE changed_in > :seen"
)
_NOT_LOADED: Final = "the catalogue has not been read yet"
_log = get_logger("ingest.codes")


async def current_version(connection: AsyncConnection) -> int:
    """Return the number of the last committed write of configuration."""
    version: int = (await connection.execute(_VERSION)).scalar_one()
    return version


async def changes_since(connection: AsyncConnection, seen: int, version: int) -> Changes:
    """Return what changed after version `seen`, up to `version` at least."""
    since = {"seen": seen}
    return Changes(
        version=version,
        channels=[row.channel for row in await connection.execute(_CHANNELS, since)],
        warehouses=[row.warehouse for row in await connection.execute(_WAREHOUSES, since)],
        skus=[
            SkuSpellings(row.sku, tuple(row.spellings))
            for row in await connection.execute(_SKUS, since)
        ],
        mappings=[
            Mapping(row.channel, Kind(row.kind), row.external, Action(row.action), row.target)
            for row in await connection.execute(_MAPPINGS, since)
        ],
    )


class KnownCodes:
    """The catalogue's codes as this process knows them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._codes = Codes()
        self._loaded = False
        self._trouble: str | None = _NOT_LOADED
        self._turn = asyncio.Lock()
        self._asked = self._answered = 0
        self._failure: Exception | None = None

    def codes(self) -> Codes:
        """Return the codes as last read; no question leaves the process.

        Raises Unavailable while they were never read.
        """
        if not self._loaded:
            raise Unavailable("the database")
        return self._codes

    async def refresh(self) -> None:
        """Take over everything committed by now; raises Unavailable when the database is away.

        Whoever asks while an answer is awaited waits for the next one, which is everybody's: a
        database that is silent keeps nobody for longer than two answers.
        """
        self._asked += 1
        number = self._asked
        async with self._turn:  # in the order of asking
            if self._answered >= number:
                if self._failure is not None:
                    raise Unavailable("the database") from self._failure
                return
            asked = self._asked
            try:
                await self._read()
            except FAILURES as failure:
                self._answered, self._failure = asked, failure
                raise
            self._answered, self._failure = asked, None

    async def _read(self) -> None:
        changes = await self._database.read(self._newer)
        if changes is not None:
            if changes.version < self._codes.version:
                # The database was put back to an earlier state: nothing in memory counts.
                self._codes = Codes()
            self._codes.apply(changes)
            self._loaded = True

    async def _newer(self, connection: AsyncConnection) -> Changes | None:
        async with asyncio.timeout(_ANSWER_SECONDS if self._loaded else _FIRST_ANSWER_SECONDS):
            version = await current_version(connection)
            if self._loaded and version == self._codes.version:
                return None
            seen = self._codes.version if version > self._codes.version else 0
            return await changes_since(connection, seen, version)

    async def follow(self) -> None:
        """Keep the codes fresh until cancelled, the database coming and going."""
        while True:
            try:
                await self.refresh()
            except Unavailable as error:
                self._note(str(error))
            except DATABASE_ERRORS as error:
                # Such as tables that no migration has made yet: said by /readyz, asked again.
                self._note(f"the catalogue cannot be read: {error!r}"[:300])
            else:
                self._note(None)
            await asyncio.sleep(POLL_SECONDS)

    def _note(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            _log.info("catalogue", trouble=trouble, version=self._codes.version)
        self._trouble = trouble

    async def check(self) -> str | None:
        """Return why the catalogue cannot be kept fresh, or None."""
        return self._trouble
