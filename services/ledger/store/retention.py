"""What goes from the tables: archived days, old identities, reservations that ended long ago."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import NamedTuple

import asyncpg
from asyncpg import Record

from services.ledger.domain.commitments import DEMANDING, Kind
from services.ledger.domain.reservations import first_id
from services.ledger.store.changes import columns
from services.ledger.store.locks import Lock
from services.ledger.store.past import MOVEMENTS, ORDER
from services.ledger.store.periods import partition
from shared.database.engine import Driver
from shared.errors import Stopped

ANSWERS_KEPT = timedelta(days=7)
"""For how long the same Idempotency-Key answers the same, at least."""

ROWS = 10_000
"""Movements that a cursor fetches at a time."""

LOCK_MS = 300
"""How long a statement that needs a table for itself waits: readers queue behind it meanwhile."""


@asynccontextmanager
async def alone(driver: Driver) -> AsyncIterator[None]:
    """Be the only command at work; its statements may take long. Raises Stopped when one is."""
    if not await driver.fetchval("SELECT pg_try_advisory_lock($1)", Lock.RETENTION):
        raise Stopped("another `archive`, or a `rebuild --archive`, is at work")
    await driver.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
    try:
        yield
    finally:
        await driver.execute("RESET statement_timeout; RESET idle_in_transaction_session_timeout")
        await driver.execute("SELECT pg_advisory_unlock($1)", Lock.RETENTION)


class ArchivedDay(NamedTuple):
    """A day whose rows are in the archive and no longer in the tables.

    `manifest` is the SHA-256 of its manifest.
    """

    day: date
    movements: int
    repeats: int
    manifest: str
    archived_at: datetime


async def archived_days(driver: Driver) -> list[ArchivedDay]:
    """Return the archived days, oldest first."""
    rows = await driver.fetch(
        "SELECT day, movements, repeats, manifest, archived_at FROM archived_day ORDER BY day"
    )
    return [ArchivedDay(*row) for row in rows]


async def levels_moved(driver: Driver, day: date, after: int, limit: int) -> dict[int, datetime]:
    """Return up to when the movements of a day happened, by level, in the order of their ids."""
    rows = await driver.fetch(
        f"""
        SELECT level_id, max(occurred_at) FROM {partition("movement", day)}
        WHERE level_id > $1 GROUP BY level_id ORDER BY level_id LIMIT $2
        """,  # noqa: S608 - the table is ours
        after,
        limit,
    )
    return {row[0]: row[1] for row in rows}


_BETWEEN = f"""
{MOVEMENTS}
JOIN unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) AS k (level_id, after, until)
  ON m.level_id = k.level_id AND m.occurred_at > COALESCE(k.after, '-infinity')
     AND m.occurred_at <= k.until
ORDER BY {ORDER}
"""


async def movements_between(
    driver: Driver, spans: Sequence[tuple[int, datetime | None, datetime]]
) -> AsyncGenerator[Sequence[Record], None]:
    """Yield the movements of levels that happened after an instant and up to another, in order.

    As rows that `past.recorded` takes, some at a time; in a transaction of the caller's.
    """
    if spans:
        cursor = await driver.cursor(_BETWEEN, *columns(spans))
        while rows := await cursor.fetch(ROWS):
            yield rows


async def demanded(driver: Driver, levels: Collection[int]) -> dict[int, set[str]]:
    """Return the references that levels have a demand for, whenever it was dated."""
    found: dict[int, set[str]] = {level: set() for level in levels}
    rows = await driver.fetch(
        "SELECT level_id, reference FROM commitment "
        "WHERE level_id = ANY($1::bigint[]) AND kind = $2",
        list(levels),
        Kind.DEMAND,
    )
    for level, reference in rows:
        found[level].add(reference)
    return found


_EVER_DEMANDED = """
SELECT DISTINCT level_id, reference FROM movement
WHERE level_id = ANY($1::bigint[]) AND type = ANY($2::smallint[]) AND reference IS NOT NULL
"""


async def ever_demanded(driver: Driver, levels: Collection[int]) -> list[tuple[int, str]]:
    """Return the references that movements of levels have a demand for, whatever is stored."""
    rows = await driver.fetch(_EVER_DEMANDED, list(levels), sorted(DEMANDING))
    return [(row[0], row[1]) for row in rows]


async def levels_with_a_count_that_waits(driver: Driver, moved: Mapping[int, datetime]) -> set[int]:
    """Return levels with a count until an instant that is not settled: it may hold yet."""
    rows = await driver.fetch(
        """
        SELECT DISTINCT c.level_id FROM stock_count AS c
        JOIN unnest($1::bigint[], $2::timestamptz[]) AS k (level_id, until) USING (level_id)
        WHERE c.settled_at IS NULL AND c.occurred_at <= k.until
        """,
        list(moved),
        list(moved.values()),
    )
    return {row[0] for row in rows}


async def oldest_counts_that_wait(driver: Driver, levels: Collection[int]) -> dict[int, datetime]:
    """Return when the oldest count of each level that is not settled was taken, if it has any."""
    rows = await driver.fetch(
        """
        SELECT level_id, min(occurred_at) FROM stock_count
        WHERE level_id = ANY($1::bigint[]) AND settled_at IS NULL
        GROUP BY level_id
        """,
        list(levels),
    )
    return {row[0]: row[1] for row in rows}


async def levels_not_opened(driver: Driver, day: date) -> int:
    """Return how many levels moved on a day later than their openings reach."""
    count = await driver.fetchval(
        f"""
        SELECT count(DISTINCT m.level_id) FROM {partition("movement", day)} AS m
        LEFT JOIN opening AS o USING (level_id)
        WHERE o.at IS NULL OR o.at < m.occurred_at
        """  # noqa: S608 - the table is ours
    )
    return int(count)


async def close_to_writers(driver: Driver, tables: Sequence[tuple[str, date]]) -> None:
    """Let nothing more be written to partitions until the transaction ends."""
    for table, day in tables:
        await driver.execute(f"LOCK TABLE {partition(table, day)} IN SHARE MODE")


async def drop(driver: Driver, tables: Sequence[tuple[str, date]]) -> bool:
    """Drop partitions; False when somebody reads their tables, and nothing was done."""
    await driver.execute(f"SET LOCAL lock_timeout = {LOCK_MS}")
    try:
        async with driver.transaction():
            for table, day in tables:
                name = partition(table, day)
                await driver.execute(f"ALTER TABLE {table} DETACH PARTITION {name}")
                await driver.execute(f"DROP TABLE {name}")
    except asyncpg.LockNotAvailableError:
        return False
    return True


async def remember_archived(driver: Driver, day: ArchivedDay) -> None:
    """Store that a day is in the archive and gone from the tables."""
    await driver.execute("INSERT INTO archived_day VALUES ($1, $2, $3, $4, $5)", *day)


_ENDED = "id > $1 AND id < $2 AND state <> 'held' AND ended_at < $3"
# Those that ended before an instant were made before it: their ids are an index that there is.

_FORGET_RESERVATIONS = f"""
WITH gone AS (
    DELETE FROM reservation WHERE id IN (
        SELECT id FROM reservation WHERE {_ENDED} ORDER BY id LIMIT $4 FOR UPDATE
    )
    RETURNING id
), lines AS (
    DELETE FROM reservation_line WHERE reservation_id IN (SELECT id FROM gone)
)
SELECT count(*), max(id) FROM gone
"""  # noqa: S608 - the condition is ours


async def forget_reservations(
    driver: Driver, before: datetime, after: str | None, limit: int
) -> tuple[int, str | None]:
    """Forget up to `limit` reservations after an id that ended before an instant, in one statement.

    Returns how many, and the id behind which to go on; None is before all.
    """
    count, last = await driver.fetchrow(
        _FORGET_RESERVATIONS, after or "", first_id(before), before, limit
    )
    return count, last


async def ended_reservations(driver: Driver, before: datetime) -> int:
    """Return how many reservations ended before an instant."""
    count = await driver.fetchval(
        f"SELECT count(*) FROM reservation WHERE {_ENDED}",  # noqa: S608 - the condition is ours
        *("", first_id(before), before),
    )
    return int(count)


_FORGET_ANSWERS = """
WITH gone AS (
    DELETE FROM answer WHERE key IN (
        SELECT key FROM answer
        WHERE at >= coalesce($1, '-infinity'::timestamptz) AND at < $2 ORDER BY at LIMIT $3
    )
    RETURNING at
)
SELECT count(*), max(at) FROM gone
"""


async def forget_answers(
    driver: Driver, before: datetime, since: datetime | None, limit: int
) -> tuple[int, datetime | None]:
    """Forget up to `limit` answers given from one instant to another, in one statement.

    Returns how many, and the instant from which to go on; None is before all.
    """
    count, last = await driver.fetchrow(_FORGET_ANSWERS, since, before, limit)
    return count, last


async def old_answers(driver: Driver, before: datetime) -> int:
    """Return how many answers were given before an instant."""
    return int(await driver.fetchval("SELECT count(*) FROM answer WHERE at < $1", before))
