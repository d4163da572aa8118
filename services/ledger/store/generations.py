"""Generations: versions begin anew, far above all before them, when levels may have gone back.

    version = generation · 2⁴⁰ + n

`number` is the newest generation; every level is of the generation `least` at least once its
partition has been claimed. A generation begins for all levels when they are rebuilt or the
database goes on in another history (`restored` says so where the server cannot), and for some when
only those are rebuilt.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ledger.store.locks import Lock
from shared.database.engine import DATABASE_ERRORS, Driver, Engine, is_retryable
from shared.database.history import history
from shared.errors import Stopped, Unavailable
from shared.events.stock_levels import GENERATION_SHIFT
from shared.kafka.handler import Claim


class Generations(NamedTuple):
    """The newest generation, and the one that every level has to reach."""

    number: int
    least: int


_READ = text("SELECT number, least, system, timeline FROM generation")

_BEGIN = text("""
UPDATE generation
SET number = greatest(number, CAST(:beyond AS int), (SELECT max(version) >> :shift FROM level)) + 1,
    since = now()
RETURNING number
""")

_REACH = text("UPDATE generation SET least = number")

_MOVE_ON = text("""
UPDATE generation SET number = number + 1, least = number + 1, since = now()
WHERE (system, timeline) <> (:system, :timeline)
""")

_SETTLE = text("UPDATE generation SET system = :system, timeline = :timeline")


async def newest(connection: AsyncConnection) -> Generations:
    """Return the newest generation."""
    row = (await connection.execute(_READ)).one()
    return Generations(row.number, row.least)


async def begin(connection: AsyncConnection, *, everything: bool, beyond: int = 0) -> int:
    """Begin a generation, newer than any level's and than `beyond`; returns its number.

    With `everything`, all levels join it when their partitions are claimed.
    """
    number = await connection.scalar(_BEGIN, {"beyond": beyond, "shift": GENERATION_SHIFT})
    if everything:
        await connection.execute(_REACH)
    return int(number or 0)


async def of_history(connection: AsyncConnection) -> Generations:
    """Return the newest generation; the first to claim in another history begins it."""
    here = await history(connection)
    row = (await connection.execute(_READ)).one()
    if (row.system, row.timeline) != here:
        # Two may come at once: the second one waits for the row, and finds it moved on.
        await connection.execute(_MOVE_ON, here._asdict())
        await connection.execute(_SETTLE, here._asdict())
    return await newest(connection)


async def require_no_rebuild(connection: AsyncConnection) -> None:
    """Keep rebuilds away until the transaction ends. Raises Unavailable while one goes on."""
    free = await connection.scalar(
        text("SELECT pg_try_advisory_xact_lock_shared(:key)"), {"key": Lock.GENERATIONS}
    )
    if not free:
        raise Unavailable("the levels, which are being rebuilt,")


@asynccontextmanager
async def rebuilding(engine: Engine) -> AsyncIterator[None]:
    """Keep everyone from claiming partitions, and other rebuilds away.

    Raises Stopped when another one goes on. The lock ends with the process, however that ends.
    """
    async with engine.connect() as connection:
        try:
            await connection.execute(
                text("SELECT pg_advisory_lock(:key)"), {"key": Lock.GENERATIONS}
            )
            await connection.commit()
        except DATABASE_ERRORS as error:
            if not is_retryable(error):
                raise
            raise Stopped("another rebuild is under way, or claims take long; try again") from error
        try:
            yield
        finally:
            await connection.execute(
                text("SELECT pg_advisory_unlock(:key)"), {"key": Lock.GENERATIONS}
            )
            await connection.commit()


_RAISE = """
UPDATE level AS l
SET version = ($1::bigint << $2) + 1,
    batch = CASE WHEN l.last_change_at IS NULL THEN l.batch ELSE c.batch END,
    low_water = LEAST(l.on_hand - greatest(l.reserved, 0) - l.unavailable,
                      CASE WHEN l.batch > c.published THEN l.low_water END)
FROM unnest($3::int[], $4::bigint[], $5::bigint[]) AS c (partition, batch, published)
WHERE l.partition = c.partition AND l.version < $1::bigint << $2
"""


async def raise_levels(driver: Driver, generations: Generations, claims: Sequence[Claim]) -> None:
    """Let the levels of claimed partitions reach the generation that all have to reach.

    They count as touched by the claim, so nobody has been told of them yet. Empty ones are not told
    of, but rise as well: a history that is gone may have told of them.
    """
    await driver.execute("SET LOCAL statement_timeout = 0")  # a million of them take a while
    await driver.execute(
        _RAISE,
        generations.least,
        GENERATION_SHIFT,
        [claim.partition for claim in claims],
        [claim.batch for claim in claims],
        [claim.published for claim in claims],
    )
