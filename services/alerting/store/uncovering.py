"""Whether alerts are covered by what is left, once some of what covered them together is lost."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.covering import counted_upon, covering
from services.alerting.domain.subject import LevelSubject
from services.alerting.store import covering as covers
from services.alerting.store.episodes import Episode


async def uncovered(
    connection: AsyncConnection, episodes: Sequence[Episode], now: datetime
) -> list[Episode]:
    """Return those episodes, locked and with present facts, that nothing covers.

    Of what was noted as covering them some is lost; where what is left is enough, it is noted.
    """
    lost = await covers.lost(connection, [each.id for each in episodes], now) if episodes else {}
    if not lost:
        return list(episodes)
    coming = await covers.on_the_way(connection, {each.subject for each in episodes}, now)
    still: dict[UUID, list[UUID]] = {}
    for episode in episodes:
        level, kind = episode.subject, episode.rule.kind
        if episode.id not in lost or not isinstance(level, LevelSubject):
            continue
        left = [each for each in coming.get(level, ()) if each.id not in lost[episode.id]]
        ids = [each.id for each in counted_upon(kind, left)]
        gone = await covers.still_incoming(connection, level, ids) if ids else 0
        incoming = max(episode.facts.incoming - gone, 0)
        facts = episode.facts.model_copy(update={"incoming": incoming})
        if covering(kind, facts, left) is not None:
            still[episode.id] = ids
    await covers.note(connection, still)
    return [each for each in episodes if each.id not in still]
