"""Partitions in time: movements and repeats by day, identities by 30 days, by when recorded."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

IDENTITY_DAYS = 30
IDENTITY_KEPT_DAYS = 90
"""A repeat is recognised for this long at least."""

_EPOCH = date(2020, 1, 1)
_LOCK = 7_246_001
"""Advisory lock: two workers must not make the same partition."""


@dataclass(frozen=True, slots=True)
class Periods:
    """The partitions that hold an instant, and which older identities must be asked."""

    day: date
    movement: str
    repeat: str
    identity: str
    identity_starts: datetime
    older_identities: bool
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
        for table, name in (("movement", _day("movement", day)), ("repeat", _day("repeat", day)))
    ] + [
        ("identity", _day("identity", day), day, day + timedelta(days=IDENTITY_DAYS))
        for day in (start, start + timedelta(days=IDENTITY_DAYS))
    ]
    present = await _present(connection)
    identities = {name for name in present if name.startswith("identity_")}
    if any(name not in present for _, name, _, _ in wanted):
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        present = await _present(connection)
        for table, name, first, end in wanted:
            if name not in present:
                await _create(connection, table, name, first, end)
    current = _day("identity", start)
    following = _day("identity", start + timedelta(days=IDENTITY_DAYS))
    oldest = _day("identity", today - timedelta(days=IDENTITY_KEPT_DAYS + IDENTITY_DAYS))
    return Periods(
        day=today,
        movement=_day("movement", today),
        repeat=_day("repeat", today),
        identity=current,
        identity_starts=datetime(start.year, start.month, start.day, tzinfo=UTC),
        older_identities=any(oldest < name < current for name in identities),
        newer_identities=any(name > following for name in identities),
    )


def _day(table: str, day: date) -> str:
    return f"{table}_{day:%Y%m%d}"


async def _present(connection: AsyncConnection) -> set[str]:
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
    await connection.execute(
        text(
            f"CREATE TABLE {name} PARTITION OF {table} "
            f"FOR VALUES FROM ('{first}T00:00:00Z') TO ('{end}T00:00:00Z')"
        )
    )
    if table == "identity":
        index = f"CREATE UNIQUE INDEX ON {name} (hash)"
    else:
        index = f"CREATE INDEX ON {name} (level_id, occurred_at)"
    await connection.execute(text(index))
