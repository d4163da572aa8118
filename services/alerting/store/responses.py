"""What people answered from chats and mails, each once, and what became of it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.answering import Answer
from shared.events.alert_responses import AlertResponse

_KNOWN = text("SELECT EXISTS (SELECT FROM response WHERE id = :id)")

_NOTE = text("""
INSERT INTO response (id, alert_id, kind, reason, quantity, minutes, via, who, person, outcome,
                      responded_at, recorded_at)
VALUES (:id, :alert_id, :kind, :reason, :quantity, :minutes, :via, :who, :person, :outcome,
        :responded_at, :recorded_at)
""")

_TOLD = text("""
SELECT DISTINCT unnest(told) FROM alert_history WHERE alert_id = :alert_id AND event <> 'refused'
""")

_REFUSED = text("""
SELECT EXISTS (SELECT FROM alert_history
               WHERE alert_id = :alert_id AND event = 'refused' AND actor = :actor
                 AND reason = :answer AND recorded_at > :since)
""")


async def is_known(connection: AsyncConnection, response_id: UUID) -> bool:
    """Return whether a response has been acted on."""
    return bool(await connection.scalar(_KNOWN, {"id": response_id}))


async def note(
    connection: AsyncConnection,
    response: AlertResponse,
    person: str | None,
    answer: Answer,
    now: datetime,
) -> None:
    """Keep a response with what became of it."""
    await connection.execute(
        _NOTE,
        {
            "id": response.response_id,
            "alert_id": response.alert_id,
            "kind": response.kind.value,
            "reason": response.reason,
            "quantity": response.quantity,
            "minutes": response.minutes,
            "via": response.via.value,
            "who": response.who,
            "person": person,
            "outcome": answer.value,
            "responded_at": response.responded_at,
            "recorded_at": now,
        },
    )


async def was_refused(
    connection: AsyncConnection, alert_id: UUID, actor: str, answer: Answer, since: datetime
) -> bool:
    """Return whether somebody was told this of an alert since an instant."""
    values = {"alert_id": alert_id, "actor": actor, "answer": answer.value, "since": since}
    return bool(await connection.scalar(_REFUSED, values))


async def told(connection: AsyncConnection, alert_id: UUID) -> set[str]:
    """Return the people whom an alert's revisions were for."""
    return set((await connection.scalars(_TOLD, {"alert_id": alert_id})).all())
