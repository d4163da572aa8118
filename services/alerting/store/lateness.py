"""What follows when people are late, and what is found when a timer was lost."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain import progress
from services.alerting.domain.hush import hush_of
from services.alerting.domain.late_notes import late_note
from services.alerting.domain.playbook import Doing
from services.alerting.domain.progress import Calendars, Deed
from services.alerting.domain.staffing import Staffing
from services.alerting.store import episodes, offers, people, silences, steps, timers
from services.alerting.store.episodes import Entry, Episode
from services.alerting.store.timers import Lost, Running
from shared.events.stock_alerts import AlertEvent, Hush, Recipient

TOO_LATE = timedelta(minutes=1)
"""A timer that is due for longer is not acted on as it should be."""


async def follow(connection: AsyncConnection, now: datetime, limit: int) -> list[Episode]:
    """Do what is due about people who are late, and set the next timers; returns the episodes."""
    running = await timers.due(connection, now, limit)
    if not running:
        return []
    calendars = await steps.calendars_of(connection, [each.followed for each in running.values()])
    deeds: dict[UUID, Deed] = {}
    moved: dict[UUID, Running] = {}
    for alert_id, each in running.items():
        at = each.progress
        what = progress.late(each.followed.steps, at, at.generation, now, calendars)
        if what is not None:
            deeds[alert_id], after = what
            moved[alert_id] = each.moved(after)
    whom = [each for deed in deeds.values() for each in deed.whom]
    meant = _meant(deeds, moved, await steps.staffing(connection, whom), now)
    await timers.save(
        connection,
        {id_: each.moved(each.progress, meant[id_]) for id_, each in moved.items()},
    )
    return await _tell(connection, deeds, meant, calendars, now)


async def audit(connection: AsyncConnection, now: datetime, limit: int) -> list[Lost]:
    """Find open episodes whose timer is missing, or was not acted on although it is due.

    One that is missing is set anew: its step begins again, as far as what people did shows which
    one it is. One that is due stays so until somebody acts on it.
    """
    found = await timers.lost(connection, now - TOO_LATE, limit)
    missing = [each.alert_id for each in found if each.cause == "missing"]
    begun = {}
    for each in await timers.unfollowed(connection, missing) if missing else ():
        calendars = await steps.calendars_of(connection, [each.followed])
        at = progress.begun(each.followed.steps, now, calendars)
        for what in each.done:
            at = progress.met(each.followed.steps, at, what, now, calendars)
        begun[each.alert_id] = Running(each.followed, at, each.place)
    await timers.save(connection, begun)
    return found


def _meant(
    deeds: Mapping[UUID, Deed], moved: Mapping[UUID, Running], there: Staffing, now: datetime
) -> dict[UUID, list[str]]:
    return {
        alert_id: there.people(deed.whom, moved[alert_id].place, now)
        for alert_id, deed in deeds.items()
    }


async def _tell(
    connection: AsyncConnection,
    deeds: Mapping[UUID, Deed],
    meant: Mapping[UUID, list[str]],
    calendars: Calendars,
    now: datetime,
) -> list[Episode]:
    found = await episodes.present(connection, deeds)
    await offers.renew(connection, found, now)
    known = await people.recipients(connection, {each for ids in meant.values() for each in ids})
    silenced = await silences.covering_each(
        connection,
        [(each.rule.id, each.subject.sku, each.subject.warehouse, each.labels) for each in found],
        now,
    )
    entries = []
    for place, episode in enumerate(found):
        to = [known[each] for each in meant[episode.id] if each in known]
        entries.append(_entry(episode, deeds[episode.id], to, silenced.get(place), calendars, now))
    await episodes.write(connection, found, entries)
    return found


def _entry(
    episode: Episode,
    deed: Deed,
    to: list[Recipient],
    silence: Hush | None,
    calendars: Calendars,
    now: datetime,
) -> Entry:
    reminds = deed.doing is Doing.REMIND
    event = AlertEvent.REMINDED if reminds else AlertEvent.ESCALATED
    hush = hush_of(event, rose=False, silence=silence, snoozed_until=episode.snoozed_until, now=now)
    calendar = calendars.get(deed.step.calendar or "")
    note = late_note(
        deed.step.expects,
        deed.since,
        "UTC" if calendar is None else calendar.zone,
        () if reminds else [each.name for each in to],
    )
    episode.revision += 1
    if hush is None:
        episode.untold = episode.held_back = False
    notice = episodes.notice_of(
        episode,
        event,
        occurred_at=max(now, episode.opened_at),
        recorded_at=now,
        hush=hush,
        note=note,
    )
    return Entry(notice.model_copy(update={"to": tuple(to)}), None, None, None)
