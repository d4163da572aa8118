"""What a reader asks the ledger's tables, with a database that may be away."""

import time
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ledger.domain.statement import Past
from services.ledger.store import levels, past, repeats
from services.ledger.store.levels import LevelRow
from services.ledger.store.repeats import RepeatRow
from shared.database import positions
from shared.database.engine import asking, driver, trouble
from shared.errors import Unavailable
from shared.events.stock_changes import TOPIC
from shared.kafka.lag import Lag, LagReader

_LAG_SECONDS = 0.5
"""How long a look at the broker is good for: every answer carries it."""


class Books:
    """Reads for others; each method is one short transaction, raising Unavailable (503)."""

    def __init__(self, engine: AsyncEngine, lag: LagReader) -> None:
        self._engine = engine
        self._lag_reader = lag
        self._lag: Lag | None = None
        self._looked_at = float("-inf")

    async def page(
        self,
        *,
        sku: str | None,
        warehouse: str | None,
        containing: str | None,
        after: tuple[str, str],
        limit: int,
    ) -> list[LevelRow]:
        """Return a page of levels."""

        async def question() -> list[LevelRow]:
            async with self._engine.connect() as connection:
                return await levels.page(
                    connection,
                    sku=sku,
                    warehouse=warehouse,
                    containing=containing,
                    after=after,
                    limit=limit,
                )

        return await asking(question)

    async def of_skus(
        self, skus: Sequence[str], warehouses: Sequence[str] | None
    ) -> list[LevelRow]:
        """Return the levels of some SKUs."""

        async def question() -> list[LevelRow]:
            async with self._engine.connect() as connection:
                return await levels.of_skus(connection, skus, warehouses)

        return await asking(question)

    async def pasts(
        self,
        level_ids: Collection[int],
        *,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> dict[int, Past]:
        """Return the past of levels; see `store.past` for the instants. Raises ArchivedError."""

        async def question() -> dict[int, Past]:
            async with self._engine.connect() as connection:
                return await past.of_levels(
                    await driver(connection), level_ids, as_of=as_of, known_at=known_at
                )

        return await asking(question)

    async def repeats(self, level: int, instants: Sequence[datetime]) -> list[RepeatRow]:
        """Return the repeats of a level's movements that happened at given instants."""

        async def question() -> list[RepeatRow]:
            async with self._engine.connect() as connection:
                return await repeats.of_instants(connection, level, instants)

        return await asking(question)

    async def tallies(self) -> tuple[dict[str, int], int]:
        """Return what was done so far by name, and the number of levels."""

        async def question() -> tuple[dict[str, int], int]:
            async with self._engine.connect() as connection:
                return await levels.tallies(connection), await levels.number_of_levels(connection)

        return await asking(question)

    async def lag(self) -> Lag | None:
        """Return how far behind the ledger is; None while the broker cannot say."""
        now = time.monotonic()
        if now - self._looked_at >= _LAG_SECONDS:

            async def question() -> list[positions.Position]:
                async with self._engine.connect() as connection:
                    return await positions.read(connection, TOPIC)

            stored = await asking(question)
            try:
                self._lag = await self._lag_reader.read(stored)
            except Unavailable:
                self._lag = None
            self._looked_at = now
        return self._lag

    async def behind_seconds(self) -> float | None:
        """Return the age of the oldest change not applied yet; 0 when there is none."""
        lag = await self.lag()
        return None if lag is None else lag.seconds

    async def check(self) -> str | None:
        """Return why the tables cannot be asked, or None."""
        return await trouble(self._engine)
