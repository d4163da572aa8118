"""Store what people do with alerts, and that they are reminded of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.attention import News, Way
from services.alerting.domain.hush import has_eased, hush_of
from services.alerting.domain.outcome import Reason
from services.alerting.store import (
    attention,
    ended_by_hand,
    episodes,
    last_heard,
    last_told,
    offers,
    silences,
    steps,
)
from services.alerting.store import feedback as opinions
from services.alerting.store.audit import What
from services.alerting.store.episodes import Entry, Episode
from services.alerting.store.uncovering import uncovered
from shared.database import audit
from shared.database.audit import Doer, Done
from shared.errors import LowtideError
from shared.events.alert_responses import FeedbackReason
from shared.events.stock_alerts import AlertEvent, Expected, Hush, HushKind, Recipient


class Resolved(LowtideError):  # noqa: N818 - a state, not a mistake
    """The alert is resolved: nobody can do anything about it any more."""


@dataclass(frozen=True, slots=True)
class By:
    """Who does it (None: nobody, it followed), what they say to it, when, the trace context.

    `doer` is whoever does it with from where, for the audit.
    """

    actor: str | None
    note: str | None
    at: datetime
    trace: str | None
    doer: Doer | None = None

    @property
    def person(self) -> str:
        """Whoever does it, where it must be somebody."""
        if self.actor is None:
            raise AssertionError("only people do this")
        return self.actor

    @property
    def audited(self) -> Doer:
        """Whoever does it, for the audit."""
        return self.doer or Doer(self.person, self.at)


async def acknowledge(connection: AsyncConnection, alert_id: UUID, by: By) -> Episode | None:
    """Take an alert on; who does so owns it, unless somebody else does already.

    Like everything here: returns the episode as it stands, or None if it is unknown, and changes
    nothing that is so already. Raises Resolved for one that is.
    """
    return await _take_on(connection, alert_id, AlertEvent.ACKNOWLEDGED, by)


async def ordered(connection: AsyncConnection, alert_id: UUID, by: By) -> Episode | None:
    """Note that somebody says to have ordered, not how much, and so has taken the alert on.

    It is on record each time; there is no action, and nothing is known to be on its way.
    """
    return await _take_on(connection, alert_id, AlertEvent.ACTED, by)


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


async def wake(connection: AsyncConnection, alert_id: UUID, by: By) -> Episode | None:
    """End the snooze of an alert now; people are reminded as when it runs out."""
    episode = await episodes.locked(connection, alert_id)
    if episode is None or episode.snoozed_until is None or episode.snoozed_until <= by.at:
        return episode
    if episode.resolved_at is not None:
        raise _is_over(episode)
    before = _hands(episode)
    episode.snoozed_until = by.at
    await steps.put_off(connection, episode.id, by.at, by.at)
    await episodes.write(connection, [episode], [])
    done = Done(What.SNOOZE_ENDED, str(episode.id), before, _hands(episode))
    await audit.add(connection, by.audited, done)
    return episode


async def resolve(connection: AsyncConnection, alert_id: UUID, by: By) -> Episode | None:
    """End an alert by hand; the note says why. What it warned of goes on as it is.

    Said once more by the same person, in the same words, it changes nothing.
    """
    before = await episodes.locked(connection, alert_id)
    if before is not None and before.resolved_at is not None:
        ended = await ended_by_hand.one(connection, alert_id)
        if ended is not None and (ended.by, ended.note) == (by.person, by.note):
            return before

    def change(episode: Episode) -> bool:
        episode.resolved_at = max(by.at, episode.opened_at)
        return True

    async def move(episode: Episode) -> None:
        heard = await last_heard.of_alerts(connection, [episode.id])
        if episode.id in heard:
            episode.facts = heard[episode.id].told(episode.facts)
        await steps.ended(connection, episode.id)
        await ended_by_hand.add(connection, episode)

    return await _act(connection, alert_id, AlertEvent.RESOLVED, change, by, move)


async def feedback(
    connection: AsyncConnection,
    alert_id: UUID,
    reason: FeedbackReason | None,
    by: By,
    *,
    words: str,
) -> Episode | None:
    """Keep what somebody thinks of an alert; `words` say it to those who are told.

    Of one that has ended, too, though it has no more revisions. None for a reason is a false alarm
    for which none was given.
    """
    episode = await episodes.locked(connection, alert_id)
    if episode is None:
        return None
    if not await opinions.add(connection, alert_id, by.person, reason, by.note, by.at):
        return episode
    if episode.resolved_at is not None:
        what = f"{What.ALERT_ACT}{AlertEvent.FEEDBACK}"
        done = Done(what, str(alert_id), None, {"reason": reason, "note": by.note})
        await audit.add(connection, by.audited, done)
        return episode
    told = replace(by, note=words if by.note is None else f"{words}: {by.note}")

    async def move(_: Episode) -> None:
        """What people think asks nothing of anybody."""

    return await _act(connection, alert_id, AlertEvent.FEEDBACK, lambda _: True, told, move, reason)


async def refuse(
    connection: AsyncConnection, alert_id: UUID, to: Recipient, reason: str, by: By
) -> None:
    """Tell one person that what they tried has changed nothing; the note says why."""
    episode = await episodes.locked(connection, alert_id)
    if episode is None:
        return
    episode.revision += 1
    notice = episodes.notice_of(
        episode,
        AlertEvent.REFUSED,
        occurred_at=by.at,
        recorded_at=by.at,
        note=by.note,
        actor=by.actor,
        to=(to,),
    )
    await episodes.write(connection, [episode], [Entry(notice, reason, by.actor, by.trace)])


async def remind(connection: AsyncConnection, now: datetime, limit: int) -> int:
    """Tell of open episodes that nothing keeps from people any more; returns how many.

    It costs them the attention that an opening does: what ends for one ends for many at once.
    Where they have none left, they hear of what has eased since they were told, as at any time.
    """
    found = await uncovered(connection, await episodes.to_remind(connection, now, limit), now)
    await offers.renew(connection, found, now)
    news = {place: _news(episode) for place, episode in enumerate(found)}
    decisions = await attention.decide(connection, news, now)
    too_many = [found[place].id for place, each in decisions.items() if each.way is Way.BUDGET]
    told = await last_told.levels(connection, too_many)
    entries = []
    for place, episode in enumerate(found):
        decision = decisions[place]
        eased = has_eased(episode.level, told.get(episode.id))
        episode.revision += 1
        episode.untold, episode.snoozed_until = False, None
        episode.held_back = decision.way is Way.BUDGET and not eased
        notice = episodes.notice_of(
            episode,
            AlertEvent.LEVEL_CHANGED if eased else AlertEvent.REMINDED,
            occurred_at=max(now, episode.opened_at),
            recorded_at=now,
            previous_level=told[episode.id] if eased else None,
            hush=Hush(by=HushKind.BUDGET) if episode.held_back else None,
            gather=decision.gather,
        )
        entries.append(Entry(notice, Reason.LEVEL_FELL if eased else None, None, None))
        if decision.gather is not None:  # as at an opening: the clock begins when people are told
            await steps.put_off(connection, episode.id, decision.gather.by, now)
    if found:
        await episodes.write(connection, found, entries)
    return len(found)


def _news(episode: Episode) -> News:
    return News(
        level=episode.level,
        rule=episode.rule.id,
        owner=episode.owner,
        stock_class=episode.stock_class,
        supplier=episode.supplier,
        at_risk=episode.at_risk,
        known=None,
    )


async def _take_on(
    connection: AsyncConnection, alert_id: UUID, event: AlertEvent, by: By
) -> Episode | None:
    def change(episode: Episode) -> bool:
        is_first = episode.take_on(by.actor, by.at)
        return is_first or event is AlertEvent.ACTED

    async def move(episode: Episode) -> None:
        done = Expected.ACT if event is AlertEvent.ACTED else Expected.ACKNOWLEDGE
        await steps.met(connection, episode.id, done, by.at, owner=episode.owner)

    return await _act(connection, alert_id, event, change, by, move)


async def _act(
    connection: AsyncConnection,
    alert_id: UUID,
    event: AlertEvent,
    change: Callable[[Episode], bool],
    by: By,
    move: Callable[[Episode], Awaitable[None]],
    reason: str | None = None,
) -> Episode | None:
    episode = await episodes.locked(connection, alert_id)
    if episode is None:
        return None
    before, is_over = _hands(episode), episode.resolved_at is not None
    if not change(episode):
        return episode
    if is_over:
        raise _is_over(episode)
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
        episode,
        event,
        occurred_at=by.at,
        recorded_at=by.at,
        hush=hush,
        note=by.note,
        actor=by.actor,
    )
    await episodes.write(connection, [episode], [Entry(notice, reason, by.actor, by.trace)])
    after = _hands(episode) | {"note": by.note}
    done = Done(f"{What.ALERT_ACT}{event}", str(episode.id), before, after)
    await audit.add(connection, by.audited, done)
    return episode


def _is_over(episode: Episode) -> Resolved:
    return Resolved(f"Alert {episode.number} is resolved already; there is nothing left to do.")


def _hands(episode: Episode) -> dict[str, object]:
    """Return whose hands an episode is in, or when it was taken out of them."""
    return {
        "owner": episode.owner,
        "acknowledged_by": episode.acknowledged_by,
        "snoozed_until": episode.snoozed_until,
        "resolved_at": episode.resolved_at,
    }
