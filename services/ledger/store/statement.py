"""A level's movements with the balance after each, in the order that promise 3 defines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A movement. `balance` is what was on hand after it, as known now.

    `applied` is what it did to on hand when it arrived, `change` what it does to the balance:
    they differ for what was late.
    """

    type: int
    channel: str
    id: str
    line: str
    quantity: int
    applied: int
    change: int
    balance: int
    late: bool
    masked: bool
    reason: str | None
    reference: str | None
    actor: str | None
    occurred_at: datetime
    received_at: datetime
    recorded_at: datetime
    place: int


@dataclass(frozen=True, slots=True)
class RepeatRow:
    """A repeat of a movement: when it came again."""

    channel: str
    id: str
    line: str
    received_at: datetime
    recorded_at: datetime


# A count starts a section: the balance is its quantity plus what follows it within the section.
_STATEMENT = text("""
WITH told AS (
    SELECT m.*, m.type = 5 AS is_count,
           CASE m.type WHEN 1 THEN -m.quantity WHEN 5 THEN 0 ELSE m.quantity END AS nominal
    FROM movement AS m WHERE m.level_id = :level
), sections AS (
    SELECT told.*,
           count(*) FILTER (WHERE is_count) OVER in_order AS section,
           row_number() OVER in_order AS place
    FROM told
    WINDOW in_order AS (ORDER BY occurred_at, is_count, channel COLLATE "C", id COLLATE "C",
                        line COLLATE "C")
), balanced AS (
    SELECT sections.*,
           sum(CASE WHEN is_count THEN quantity ELSE nominal END)
               OVER (PARTITION BY section ORDER BY place) AS balance,
           max(section) OVER () AS sections
    FROM sections
)
SELECT type::int, channel, id, line, quantity, applied,
       (balance - COALESCE(lag(balance) OVER (ORDER BY place), 0))::bigint AS change,
       balance::bigint, late, NOT is_count AND section < sections AND applied = 0 AS masked,
       reason, reference, actor, occurred_at, received_at, recorded_at, place
FROM balanced
ORDER BY place
""")

_PAGE = text(f"""
SELECT * FROM ({_STATEMENT.text}) AS statement
WHERE (CAST(:before AS bigint) IS NULL OR place < :before)
  AND (CAST(:from AS timestamptz) IS NULL OR occurred_at >= :from)
  AND (CAST(:to AS timestamptz) IS NULL OR occurred_at < :to)
ORDER BY place DESC
LIMIT :limit
""")  # noqa: S608 - nothing from outside is in it

_REPEATS = text("""
SELECT channel, id, line, received_at, recorded_at FROM repeat
WHERE level_id = :level AND occurred_at = ANY(CAST(:instants AS timestamptz[]))
ORDER BY recorded_at
""")


async def page(
    connection: AsyncConnection,
    level: int,
    *,
    start: datetime | None,
    end: datetime | None,
    before: int | None,
    limit: int,
) -> list[StatementRow]:
    """Return up to `limit` movements of a level, newest first.

    `start` and `end` bound `occurred_at` (end excluded); `before` is the place to go on from.
    """
    rows = await connection.execute(
        _PAGE, {"level": level, "from": start, "to": end, "before": before, "limit": limit}
    )
    return [StatementRow(**row) for row in rows.mappings()]


async def repeats(
    connection: AsyncConnection, level: int, instants: Sequence[datetime]
) -> list[RepeatRow]:
    """Return the repeats of movements that happened at given instants."""
    rows = await connection.execute(_REPEATS, {"level": level, "instants": list(instants)})
    return [RepeatRow(**row) for row in rows.mappings()]
