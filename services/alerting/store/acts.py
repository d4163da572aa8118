"""Store what people do with alerts, and that they are reminded of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.hush import hush_of
from services.alerting.store import episodes, silences, steps
from services.alerting.store.episodes import Entry, Episode
from shared.errors import LowtideError
from shared.events.stock_alerts import AlertEvent, Expected


class Resolved(LowtideError):  # noqa: N818 - a state, not a mistake
    """The alert is resolved: nobody can do anything about it any more."""


@dataclass(frozen=True, slots=True)
class By:
    """Who does it, what they say to it, when, and the request's trace context."""

    actor: str
    note: str | None
    at: datetime
    trace: str | None


async def acknowledge(connection: AsyncConnection, alert_id: UUID, by: By) -> Episode | None:
    """Take an alert on; who does so owns it, unless somebody else does already.

    Like everything here: returns the episode as it stands, or None if it is unknown, and changes
    nothing that is so already. Raises Resolved for one that is.
    """

    def change(episode: Episode) -> bool:
        if episode.acknowledged_at is not None:
            return False
        episode.acknowledged_at = by.at
        episode.acknowledged_by = by.actor
        episode.owner = episode.owner or by.actor
        return True

    async def move(episode: Episode) -> None:
        done = Expected.ACKNOWLEDGE
        await steps.met(connection, episode.id, done, by.at, owner=episode.owner)

    return await _act(connection, alert_id, AlertEvent.ACKNOWLEDGED, change, by, move)


async def assign(connection: AsyncConnection, alert_id: UUID, owner: str, by: By) -> Episode | None:
    """Give an alert to somebody."""

    def change(episode: Episode) -> bool:
        if episode.owner == owner:
            return False
        episode.owner = owner
        return True

    async def move(episode: Episode) -> None:
        await steps.handed_over(connection, episode.id, owner, by.at)

    return await _act(connection, alert_id, AlertEvent.ASSIGNED, change, by, move)


async def snooze(
    connection: AsyncConnection, alert_id: UUID, until: datetime, by: By
) -> Episode | None:
    """Put an alert off: until then people hear only of what makes it worse."""

    def change(episode: Episode) -> bool:
        if episode.snoozed_until == until:
            return False
        episode.snoozed_until = until
        return True

    async def move(episode: Episode) -> None:
        await steps.put_off(connection, episode.id, until, by.at)

    return await _act(connection, alert_id, AlertEvent.SNOOZED, change, by, move)


async def remind(connection: AsyncConnection, now: datetime, limit: int) -> int:
    """Tell of open episodes that nothing keeps from people any more; returns how many."""
    found = await episodes.to_remind(connection, now, limit)
    entries = []
    for episode in found:
        episode.revision += 1
        episode.untold, episode.held_back, episode.snoozed_until = False, False, None
        notice = episodes.notice_of(
            episode,
            AlertEvent.REMINDED,
            occurred_at=max(now, episode.opened_at),
            recorded_at=now,
        )
        entries.append(Entry(notice, None, None, None))
    if found:
        await episodes.write(connection, found, entries)
    return len(found)


async def _act(
    connection: AsyncConnection,
    alert_id: UUID,
    event: AlertEvent,
    change: Callable[[Episode], bool],
    by: By,
    move: Callable[[Episode], Awaitable[None]],
) -> Episode | None:
    episode = await episodes.locked(connection, alert_id)
    if episode is None or not change(episode):
        return episode
    if episode.resolved_at is not None:
        raise Resolved(f"Alert {episode.number} is resolved already; there is nothing left to do.")
    episode.revision += 1
    await move(episode)
    silence = await silences.covering_one(
        connection,
        episode.rule.id,
        episode.subject.sku,
        episode.subject.warehouse,
        episode.labels,
        by.at,
    )
    hush = hush_of(
        event, rose=False, silence=silence, snoozed_until=episode.snoozed_until, now=by.at
    )
    notice = episodes.notice_of(
        episode, event, occurred_at=by.at, recorded_at=by.at, hush=hush, note=by.note
    )
    await episodes.write(connection, [episode], [Entry(notice, None, by.actor, by.trace)])
    return episode
