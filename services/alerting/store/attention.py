"""The policy of attention as stored, and what is spent of it.

Workers count the same people. Each takes the rows of the people and days concerned, in their order,
after the rows of its alerts and before those of the windows, and keeps them until it commits.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.attention import (
    AttentionPolicy,
    Budget,
    Decision,
    News,
    PersonDay,
    Spent,
    concerned,
    key_of,
)
from services.alerting.store import schedules
from shared.database.direct import Direct


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """The policy in force; version 0 are the defaults, which nobody has set."""

    policy: AttentionPolicy
    version: int = 0
    changed_by: str | None = None
    changed_at: datetime | None = None


_body = TypeAdapter(AttentionPolicy)

_POLICY = Direct("SELECT body::text AS body, version, changed_by, changed_at FROM attention_policy")

_PUT = text("""
INSERT INTO attention_policy (version, body, changed_by, changed_at)
VALUES (1, CAST(:body AS jsonb), :by, :at)
ON CONFLICT (one) DO UPDATE SET
    version = attention_policy.version + 1, body = excluded.body,
    changed_by = excluded.changed_by, changed_at = excluded.changed_at
""")

# Locks them whether they are new or not, in the order in which they are given.
_TAKE = text("""
INSERT INTO attention_day (person, day)
SELECT person, day
FROM unnest(CAST(:person AS text[]), CAST(:day AS date[])) AS n (person, day)
ORDER BY person, day
ON CONFLICT (person, day) DO UPDATE SET at_once = attention_day.at_once
RETURNING person, day, at_once, interruptions, gathered, held_back
""")

_COUNT = text("""
UPDATE attention_day AS d
SET at_once = n.at_once, interruptions = n.interruptions, gathered = n.gathered,
    held_back = n.held_back
FROM unnest(CAST(:person AS text[]), CAST(:day AS date[]), CAST(:at_once AS int[]),
            CAST(:interruptions AS int[]), CAST(:gathered AS int[]), CAST(:held_back AS int[]))
     AS n (person, day, at_once, interruptions, gathered, held_back)
WHERE d.person = n.person AND d.day = n.day
""")

# As above; what is nobody's is counted for nobody, so it is these rows that keep workers apart.
_WINDOWS = text("""
INSERT INTO gathering (key, by)
SELECT key, CAST('-infinity' AS timestamptz) FROM unnest(CAST(:key AS text[])) AS n (key)
ORDER BY key
ON CONFLICT (key) DO UPDATE SET by = gathering.by
RETURNING key, nullif(by, '-infinity') AS by
""")

_OPEN = text("""
UPDATE gathering AS g SET by = n.by
FROM unnest(CAST(:key AS text[]), CAST(:by AS timestamptz[])) AS n (key, by)
WHERE g.key = n.key
""")

_OF_DAY = text("""
SELECT person, day, at_once, interruptions, gathered, held_back
FROM attention_day
WHERE day = :day AND person > :after
ORDER BY person
LIMIT :limit
""")


async def policy(connection: AsyncConnection) -> StoredPolicy:
    """Return the policy in force."""
    rows = await _POLICY.rows(connection)
    if not rows:
        return StoredPolicy(AttentionPolicy())
    body, *rest = rows[0]
    found = _body.validate_json(body)
    if found.calendar is not None:
        known = await schedules.calendars(connection, [found.calendar])
        found = replace(found, days=known.get(found.calendar))
    return StoredPolicy(found, *rest)


async def put_policy(
    connection: AsyncConnection, new: AttentionPolicy, by: str, at: datetime
) -> None:
    """Store a policy; it holds from the next transaction of a worker on."""
    body = _body.dump_json(new, exclude={"days"}).decode()
    await connection.execute(_PUT, {"body": body, "by": by, "at": at})


async def decide(
    connection: AsyncConnection, news: Mapping[int, News], now: datetime
) -> dict[int, Decision]:
    """Return how each of some news is told, by its place, and book what it spends."""
    if not news:
        return {}
    in_force = (await policy(connection)).policy
    people = dict.fromkeys(each for one in news.values() for each in concerned(one, in_force, now))
    keys = dict.fromkeys(
        key for one in news.values() if (key := key_of(one, in_force, now)) is not None
    )
    before = await _take(connection, people)
    budget = Budget(in_force, await _windows(connection, keys), before)
    decisions = {place: budget.decide(one, now) for place, one in news.items()}
    if people:
        await connection.execute(_COUNT, _columns(budget.spent))
    if budget.opened:
        opened = list(budget.opened.values())
        await connection.execute(
            _OPEN, {"key": [each.key for each in opened], "by": [each.by for each in opened]}
        )
    return decisions


async def of_day(
    connection: AsyncConnection, day: date, after: str, limit: int
) -> list[tuple[str, Spent]]:
    """Return what is spent of people's attention on a day, by person, those after an id."""
    rows = await connection.execute(_OF_DAY, {"day": day, "after": after, "limit": limit})
    return [(row.person, Spent(*row[2:])) for row in rows]


async def _take(connection: AsyncConnection, people: Iterable[PersonDay]) -> dict[PersonDay, Spent]:
    wanted = list(people)
    if not wanted:
        return {}
    columns = {"person": [person for person, _ in wanted], "day": [day for _, day in wanted]}
    rows = await connection.execute(_TAKE, columns)
    return {(row.person, row.day): Spent(*row[2:]) for row in rows}


async def _windows(connection: AsyncConnection, keys: Iterable[str]) -> dict[str, datetime]:
    wanted = list(keys)
    if not wanted:
        return {}
    rows = await connection.execute(_WINDOWS, {"key": wanted})
    return {row.key: row.by for row in rows if row.by is not None}


def _columns(spent: Mapping[PersonDay, Spent]) -> dict[str, list[object]]:
    counts = list(spent.values())
    return {
        "person": [person for person, _ in spent],
        "day": [day for _, day in spent],
        "at_once": [each.at_once for each in counts],
        "interruptions": [each.interruptions for each in counts],
        "gathered": [each.gathered for each in counts],
        "held_back": [each.held_back for each in counts],
    }
