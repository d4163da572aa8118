"""What ingest is to be told of orders: an outbox of calls, each repeated until it is taken."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

FIRST_PAUSE = timedelta(seconds=10)
"""Longer than a call may take, so that nobody else makes one that is under way."""

LONGEST_PAUSE = timedelta(minutes=10)


class Call(NamedTuple):
    """A call that is due."""

    id: int
    action_id: UUID
    path: str
    body: str
    attempts: int


class Standing(NamedTuple):
    """How it stands with what ingest is told of an action: what is wrong, and whether for good."""

    trouble: str | None
    refused: bool


_ADD = text("""
INSERT INTO call (action_id, path, body, next_at) VALUES (:action_id, :path, :body, :now)
""")

# The pause is taken first: whatever becomes of this process, the call is made again.
_TAKE = text("""
UPDATE call AS c
SET attempts = c.attempts + 1,
    next_at = CAST(:now AS timestamptz) + least(
        CAST(:first AS interval) * power(2, least(c.attempts, 10)), CAST(:longest AS interval))
FROM (SELECT id FROM call WHERE NOT refused AND next_at <= :now
      ORDER BY next_at, id LIMIT :limit FOR UPDATE SKIP LOCKED) AS due
WHERE c.id = due.id
RETURNING c.id, c.action_id, c.path, c.body, c.attempts
""")

_DONE = text("DELETE FROM call WHERE id = :id")

_TROUBLED = text("UPDATE call SET trouble = :trouble, refused = :refused WHERE id = :id")

_AGAIN = text("""
UPDATE call SET refused = false, trouble = NULL, next_at = :now
WHERE action_id = :action_id AND refused
""")

_STANDING = text("""
SELECT action_id, max(trouble) AS trouble, bool_or(refused) AS refused
FROM call WHERE action_id = ANY(CAST(:actions AS uuid[])) GROUP BY action_id
""")


async def add(
    connection: AsyncConnection, action_id: UUID, path: str, body: object, now: datetime
) -> None:
    """Have something told, once this transaction is durable."""
    text_of = json.dumps(body, ensure_ascii=False)
    values = {"action_id": action_id, "path": path, "body": text_of, "now": now}
    await connection.execute(_ADD, values)


async def take(connection: AsyncConnection, now: datetime, limit: int) -> list[Call]:
    """Return calls that are due, each put off until after the next pause."""
    values = {"now": now, "limit": limit, "first": FIRST_PAUSE, "longest": LONGEST_PAUSE}
    rows = await connection.execute(_TAKE, values)
    return sorted(Call(*row) for row in rows)


async def done(connection: AsyncConnection, call_id: int) -> None:
    """Forget a call that was taken."""
    await connection.execute(_DONE, {"id": call_id})


async def troubled(
    connection: AsyncConnection, call_id: int, trouble: str, *, refused: bool
) -> None:
    """Note why a call was not taken; one that is `refused` is not made again by itself."""
    values = {"id": call_id, "trouble": trouble, "refused": refused}
    await connection.execute(_TROUBLED, values)


async def again(connection: AsyncConnection, action_id: UUID, now: datetime) -> bool:
    """Make the refused calls of an action again, if there are any: what was wrong may be mended."""
    rows = await connection.execute(_AGAIN, {"action_id": action_id, "now": now})
    return bool(rows.rowcount)


async def standing(connection: AsyncConnection, actions: list[UUID]) -> Mapping[UUID, Standing]:
    """Return how it stands with the calls that actions wait for."""
    rows = await connection.execute(_STANDING, {"actions": actions})
    return {row.action_id: Standing(row.trouble, row.refused) for row in rows}
