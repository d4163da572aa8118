"""What people answered, until the broker has it; and what it was an answer to."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.events.alert_responses import AlertResponse
from shared.observability import tracing

_LOCK = 7_402_004
"""Advisory lock: one relay at a time, so what people do about an alert keeps its order."""

_NOTE = text("""
INSERT INTO response (id, destination, alert_id, via, who, task, act, responded_at, received_at)
VALUES (:id, :destination, :alert_id, :via, :who, :task, :act, :responded_at, :received_at)
ON CONFLICT DO NOTHING
RETURNING id
""")

_QUEUE = text("""
INSERT INTO response_outbox (alert_id, value, traceparent)
VALUES (:alert_id, :value, :traceparent)
""")

_ANSWERED = text("""
SELECT content, alert_id FROM delivery
WHERE id = :delivery AND destination = :destination AND alert_id IS NOT NULL
""")

_MAILED = text("""
SELECT d.content, d.destination, t.language
FROM delivery AS d JOIN destination AS t ON t.id = d.destination
WHERE d.id = :delivery AND d.alert_id IS NOT NULL
""")

_ANY = text("SELECT EXISTS (SELECT FROM response_outbox)")

_TAKE_TURN = text("SELECT pg_try_advisory_xact_lock(:lock)")

_OLDEST = text("""
SELECT id, alert_id::text, value, traceparent FROM response_outbox ORDER BY id LIMIT :limit
""")

_DELETE = text("DELETE FROM response_outbox WHERE id = ANY(:ids)")


class Answered(NamedTuple):
    """A delivery that somebody answers: the alert, and the message that they saw."""

    content: str
    alert_id: UUID


class Mailed(NamedTuple):
    """A delivery that a link belongs to, and the language that it was written in."""

    content: str
    destination: str
    language: str


class Waiting(NamedTuple):
    """A response that waits to be published."""

    id: int
    alert_id: str
    value: str
    traceparent: str


async def answered(
    connection: AsyncConnection, delivery: UUID, destination: str
) -> Answered | None:
    """Return what a delivery of a destination was about; None when it is not there."""
    parameters = {"delivery": delivery, "destination": destination}
    row = (await connection.execute(_ANSWERED, parameters)).one_or_none()
    return None if row is None else Answered(*row)


async def mailed(connection: AsyncConnection, delivery: UUID) -> Mailed | None:
    """Return the delivery that a link belongs to; None when it is gone."""
    row = (await connection.execute(_MAILED, {"delivery": delivery})).one_or_none()
    return None if row is None else Mailed(*row)


async def record(
    connection: AsyncConnection,
    response: AlertResponse,
    *,
    destination: str,
    task: str,
    act: str,
    traceparent: str | None,
) -> bool:
    """Note a response and queue it for the broker; returns False for one that is noted already."""
    noted = await connection.scalar(
        _NOTE,
        {
            "id": response.response_id,
            "destination": destination,
            "alert_id": response.alert_id,
            "via": response.via.value,
            "who": response.who.lower(),
            "task": task,
            "act": act,
            "responded_at": response.responded_at,
            "received_at": response.received_at,
        },
    )
    if noted is None:
        return False
    await connection.execute(
        _QUEUE,
        {
            "alert_id": response.alert_id,
            "value": response.model_dump_json(),
            "traceparent": tracing.continued(traceparent),
        },
    )
    return True


class ResponseOutbox:
    """One relay's view of what waits for the broker."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def any_waiting(self) -> bool:
        """Return whether anything waits."""
        async with self._engine.connect() as connection:
            return bool(await connection.scalar(_ANY))

    @asynccontextmanager
    async def taken(self, limit: int) -> AsyncIterator[Sequence[Waiting]]:
        """Yield the oldest; they are deleted when the block ends without an error.

        Nothing is yielded while another relay is at work.
        """
        async with self._engine.begin() as connection:
            rows: list[Waiting] = []
            if await connection.scalar(_TAKE_TURN, {"lock": _LOCK}):
                oldest = await connection.execute(_OLDEST, {"limit": limit})
                rows = [Waiting(*row) for row in oldest]
            yield rows
            if rows:
                await connection.execute(_DELETE, {"ids": [row.id for row in rows]})
