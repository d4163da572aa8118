"""Put alerts off once, however often the request is repeated."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.refusals import KeyReused
from services.alerting.store import acts, episodes
from services.alerting.store.acts import By
from services.alerting.store.episodes import Episode

_ADD = text("""
INSERT INTO snooze (id, alert_id, asked) VALUES (:id, :alert_id, :asked)
ON CONFLICT (id) DO NOTHING
RETURNING id
""")

_ONE = text("SELECT alert_id, asked FROM snooze WHERE id = :id")


async def once(
    connection: AsyncConnection, made: UUID, alert_id: UUID, asked: str, until: datetime, by: By
) -> Episode | None:
    """Put an alert off, unless a request of the same id has done so; see `acts.snooze`.

    Raises KeyReused where that one has asked for something else.
    """
    episode = await episodes.locked(connection, alert_id)
    if episode is None:
        return None
    if await connection.scalar(_ADD, {"id": made, "alert_id": alert_id, "asked": asked}) is None:
        before = (await connection.execute(_ONE, {"id": made})).one()
        if (before.alert_id, before.asked) != (alert_id, asked):
            raise KeyReused("This Idempotency-Key has asked for something else.")
        return episode
    return await acts.snooze(connection, alert_id, until, by)
