"""Partitions in time: movements and repeats by day, identities by 30 days, by when recorded."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ledger.store.locks import Lock

IDENTITY_DAYS = 30
IDENTITY_KEPT_DAYS = 90
"""A repeat is recognised for this long at least."""

KEPT_DAYS = 30
"""Days of movements that no archive takes, at least."""

CLOSED_DAYS = timedelta(days=KEPT_DAYS - 2)
"""What happened less than so long ago is in no archived day, whatever a day's last changes were
dated ahead and clocks differ by: such a change costs no question."""

_EPOCH = date(2020, 1, 1)


@dataclass(frozen=True, slots=True)
class Periods:
    """The partitions that hold an instant, and which older identities must be asked."""

    day: date
    movement: str
    repeat: str
    identity: str
    identity_starts: datetime
    older_identities: tuple[date, ...]
    """First days of the closed periods that may hold an identity of the last 90 days."""
    newer_identities: bool
    """Whether the clock was further ahead once: it has been set back over a period's end."""


def identity_start(day: date) -> date:
    """Return the first day of the identity period that holds a day."""
    return day - timedelta(days=(day - _EPOCH).days % IDENTITY_DAYS)


async def ensure_periods(connection: AsyncConnection, now: datetime) -> Periods:
    """Return the partitions of an instant, made where they are missing; the next ones as well.

    Takes part in the caller's transaction. Days are UTC.
    """
    today = now.astimezone(UTC).date()
    start = identity_start(today)
    wanted = [
        (table, name, day, day + timedelta(days=1))
        for day in (today, today + timedelta(days=1))
        for table, name in (
            ("movement", partition("movement", day)),
            ("repeat", partition("repeat", day)),
        )
    ] + [
        ("identity", partition("identity", day), day, day + timedelta(days=IDENTITY_DAYS))
        for day in (start, start + timedelta(days=IDENTITY_DAYS))
    ]
    present = await present_partitions(connection)
    if any(name not in present for _, name, _, _ in wanted):
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": Lock.PERIODS})
        present = await present_partitions(connection)
        for table, name, first, end in wanted:
            if name not in present:
                await _create(connection, table, name, first, end)
                present.add(name)
    return Periods(
        day=today,
        movement=partition("movement", today),
        repeat=partition("repeat", today),
        identity=partition("identity", start),
        identity_starts=datetime(start.year, start.month, start.day, tzinfo=UTC),
        older_identities=older_identities(present, today),
        newer_identities=max(days_of("identity", present)) > start + timedelta(days=IDENTITY_DAYS),
    )


def older_identities(present: Iterable[str], today: date) -> tuple[date, ...]:
    """Return the closed periods among partitions that may hold an identity of the last 90 days."""
    current = identity_start(today)
    return tuple(
        starts
        for starts in sorted(days_of("identity", present))
        if starts < current and not forgettable(starts, today)
    )


def forgettable(start: date, today: date) -> bool:
    """Return whether all identities of a period are older than they have to be known for."""
    return start + timedelta(days=IDENTITY_DAYS + IDENTITY_KEPT_DAYS) <= today


def partition(table: str, day: date) -> str:
    """Return the name of the partition that starts with a day."""
    return f"{table}_{day:%Y%m%d}"


def days_of(table: str, partitions: Iterable[str]) -> list[date]:
    """Return the first days of a table's partitions among some of several tables."""
    return [
        date.fromisoformat(name.removeprefix(f"{table}_"))
        for name in partitions
        if name.startswith(f"{table}_")
    ]


async def present_partitions(connection: AsyncConnection) -> set[str]:
    """Return the names of the partitions of movements, repeats and identities."""
    rows = await connection.execute(
        text("""
            SELECT c.relname FROM pg_inherits AS i
            JOIN pg_class AS c ON c.oid = i.inhrelid
            JOIN pg_class AS p ON p.oid = i.inhparent
            WHERE p.relname IN ('movement', 'repeat', 'identity')
              AND p.relnamespace = current_schema()::regnamespace
        """)
    )
    return set(rows.scalars())


async def _create(
    connection: AsyncConnection, table: str, name: str, first: date, end: date
) -> None:
    # Made beside the table, then attached: made as its partition it would keep all readers of the
    # table out until the batch is committed.
    if table == "identity":
        index = f"CREATE UNIQUE INDEX ON {name} (hash)"
    else:
        index = f"CREATE INDEX ON {name} (level_id, occurred_at)"
    bounds = f"FOR VALUES FROM ('{first}T00:00:00Z') TO ('{end}T00:00:00Z')"
    for statement in (
        f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)",
        index,
        f"ALTER TABLE {table} ATTACH PARTITION {name} {bounds}",
    ):
        await connection.execute(text(statement))
