"""What people answered, until the broker has it; and what it was an answer to."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.outbox import Shelf
from shared.events.alert_responses import AlertResponse
from shared.observability import tracing

RESPONSES = Shelf("response_outbox", "alert_id", 7_402_004)
"""Where they wait for the broker."""

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

_PLACE = text("SELECT destination FROM delivery WHERE id = :delivery")

_MAILED = text("""
SELECT d.content, d.destination, t.language
FROM delivery AS d JOIN destination AS t ON t.id = d.destination
WHERE d.id = :delivery AND d.alert_id IS NOT NULL
""")


class Answered(NamedTuple):
    """A delivery that somebody answers: the alert, and the message that they saw."""

    content: str
    alert_id: UUID


class Mailed(NamedTuple):
    """A delivery that a link belongs to, and the language that it was written in."""

    content: str
    destination: str
    language: str


async def answered(
    connection: AsyncConnection, delivery: UUID, destination: str
) -> Answered | None:
    """Return what a delivery of a destination was about; None when it is not there."""
    parameters = {"delivery": delivery, "destination": destination}
    row = (await connection.execute(_ANSWERED, parameters)).one_or_none()
    return None if row is None else Answered(*row)


async def place_of(connection: AsyncConnection, delivery: UUID) -> str | None:
    """Return where a delivery went; None when it is gone, or went nowhere."""
    place: str | None = await connection.scalar(_PLACE, {"delivery": delivery})
    return place


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
