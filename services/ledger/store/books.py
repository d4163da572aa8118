"""What a reader asks the ledger's tables, with a database that may be away."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ledger.domain.commitments import Key, Kind, Line
from services.ledger.domain.reservations import Reservation, State
from services.ledger.domain.statement import Line as StatementLine
from services.ledger.domain.statement import Repeats
from services.ledger.store import (
    commitments,
    levels,
    repeats,
    reservation_pages,
    reservations,
    warehouses,
)
from services.ledger.store.behind import Behind
from services.ledger.store.inquiries import Inquiries
from services.ledger.store.levels import LevelRow
from services.ledger.store.stretches import Stretch, TooLongError, stretches
from shared.database.engine import (
    DATABASE_ERRORS,
    Connection,
    asking,
    driver,
    hang_up,
    is_away,
    is_retryable,
    is_too_slow,
    snapshot,
    trouble,
)
from shared.errors import Unavailable
from shared.kafka.lag import Lag, LagReader

MOST = 500_000
"""Movements that one answer may go through: some ten seconds of work, between all the others."""

WALKS = 2
"""Answers at the most that go through the past at once: each holds a connection of the pool, and
takes its turns of the loop."""


class Books:
    """Reads for others; each method is one statement, or a snapshot, raising Unavailable (503).

    Statements need no transaction: BEGIN and ROLLBACK would be two more trips to the database.
    """

    def __init__(self, engine: AsyncEngine, lag: LagReader) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._inquiries = Inquiries(engine)
        self._behind = Behind(self._engine, lag)
        self._walking = asyncio.Semaphore(WALKS)

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

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator["Frozen"]:
        """Yield the levels as they are now, whatever is committed meanwhile."""
        async with self._snapshot() as connection:
            yield Frozen(connection)

    @asynccontextmanager
    async def _snapshot(self, *, holding: str | None = None) -> AsyncIterator[Connection]:
        try:
            async with snapshot(self._engine, holding=holding, bounded=True) as connection:
                try:
                    yield connection
                except (TimeoutError, Unavailable):
                    hang_up(connection)  # nor would anybody say that the snapshot has ended
                    raise
        except DATABASE_ERRORS as error:
            if is_away(error) or is_retryable(error):
                raise Unavailable("the database") from error
            raise

    async def run(self) -> None:
        """Answer about single levels, and see how far behind they are, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._inquiries.run())
            group.create_task(self._behind.run())

    async def level(self, sku: str, warehouse: str) -> LevelRow | None:
        """Return a level, or None."""
        return await asking(lambda: self._inquiries.level(sku, warehouse))

    async def of_skus(
        self, skus: Sequence[str], warehouses: Sequence[str] | None
    ) -> list[LevelRow]:
        """Return the levels of some SKUs."""

        async def question() -> list[LevelRow]:
            async with self._engine.connect() as connection:
                return await levels.of_skus(connection, skus, warehouses)

        return await asking(question)

    @asynccontextmanager
    async def stretches(
        self,
        level_ids: Collection[int],
        *,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        until: datetime | None = None,
    ) -> AsyncIterator[AsyncIterator[Stretch]]:
        """Yield the past of levels; see `store.stretches`. Raises ArchivedError, TooLongError."""
        try:
            async with self._walking, self._snapshot(holding="movement") as connection:
                found = stretches(
                    await driver(connection),
                    level_ids,
                    as_of=as_of,
                    known_at=known_at,
                    until=until,
                    most=MOST,
                )
                async with aclosing(found):
                    yield found
        except DATABASE_ERRORS as error:
            if is_too_slow(error):
                raise TooLongError(MOST) from error  # to put them in order is already too much
            raise

    async def repeats(self, lines: Sequence[StatementLine], known_at: datetime | None) -> Repeats:
        """Return the repeats of a level's lines; see `store.repeats`."""

        async def question() -> Repeats:
            async with self._engine.connect() as connection:
                return await repeats.of_lines(connection, lines, known_at)

        return await asking(question)

    async def with_lines(self, sku: str, warehouse: str) -> tuple[LevelRow, dict[Key, Line]] | None:
        """Return a level with its dated lines as of the same moment; None: there is no such.

        With them come the orders of demands' references.
        """
        async with self._snapshot() as connection:
            rows = await levels.of_skus(connection, [sku], [warehouse])
            if not rows:
                return None
            level = rows[0].id
            database = await driver(connection)
            own = await commitments.lines_of(database, [level], [])
            demanded = {key.reference for key in own if key.kind is Kind.DEMAND}
            orders = [Key(level, Kind.ORDER, reference) for reference in demanded]
            return rows[0], own | await commitments.lines_of(database, [], orders)

    async def zones(self, warehouses_: Collection[str]) -> dict[str, str]:
        """Return the IANA time zones of warehouses; those unknown are left out."""

        async def question() -> dict[str, str]:
            async with self._engine.connect() as connection:
                return await warehouses.zones_of(await driver(connection), warehouses_)

        return await asking(question)

    async def reservation(self, reservation_id: str) -> Reservation | None:
        """Return a reservation."""

        async def question() -> Reservation | None:
            async with self._engine.connect() as connection:
                found = await reservations.read(await driver(connection), [reservation_id])
                return found[0] if found else None

        return await asking(question)

    async def reservations(
        self,
        *,
        reference: str | None,
        state: State | None,
        sku: str | None,
        before: str | None,
        limit: int,
    ) -> list[Reservation]:
        """Return a page of reservations, the newest first."""

        async def question() -> list[Reservation]:
            async with self._engine.connect() as connection:
                return await reservation_pages.page(
                    await driver(connection),
                    reference=reference,
                    state=state,
                    sku=sku,
                    before=before,
                    limit=limit,
                )

        return await asking(question)

    async def tallies(self) -> tuple[dict[str, int], int]:
        """Return what was done so far by name, and the number of levels."""

        async def question() -> tuple[dict[str, int], int]:
            async with self._engine.connect() as connection:
                return await levels.tallies(connection), await levels.number_of_levels(connection)

        return await asking(question)

    async def lag(self) -> Lag | None:
        """Return how far behind the ledger is; None while nobody can say."""
        return await self._behind.lag()

    async def behind_seconds(self) -> float | None:
        """Return the age of the oldest change not applied yet; 0 when there is none.

        None while nobody can say.
        """
        lag = await self.lag()
        return None if lag is None else lag.seconds

    async def check(self) -> str | None:
        """Return why the tables cannot be asked, or None."""
        return await trouble(self._engine)


class Frozen:
    """The levels at one moment, for as long as the database is asked at least every 15 seconds."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def page(
        self, *, warehouse: str | None, after: tuple[str, str], limit: int
    ) -> list[LevelRow]:
        """Return up to `limit` levels after a (sku, warehouse), in that order.

        Raises Unavailable, after which nothing more can be asked.
        """

        async def question() -> list[LevelRow]:
            return await levels.page(
                self._connection, warehouse=warehouse, after=after, limit=limit
            )

        return await asking(question)
