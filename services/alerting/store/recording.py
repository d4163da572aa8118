"""Store what evaluations have made of episodes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.draft import Announcement
from services.alerting.domain.hush import NEWS, hush_of
from services.alerting.domain.outcome import Transition
from services.alerting.domain.people import Responsibilities
from services.alerting.domain.rule import SEVERITY
from services.alerting.store import episodes, people, silences
from services.alerting.store.episodes import Entry, Episode
from shared.events.stock_alerts import ENDINGS, AlertEvent, Hush


async def record(
    connection: AsyncConnection, announcements: Sequence[Announcement], recorded_at: datetime
) -> None:
    """Store what happened to episodes, in order, each as a new revision of its alert.

    Alerts are locked in the order of their ids first, so revisions never cross what a person
    does, and a later revision enters the outbox after an earlier one has committed.
    """
    if not announcements:
        return
    known = await episodes.open_episodes(connection, announcements)
    silenced = await silences.covering(connection, announcements, recorded_at)
    openings = sum(each.transition.event is AlertEvent.OPENED for each in announcements)
    numbers = iter(await episodes.numbers(connection, openings))
    table = await people.responsibilities(connection) if openings else Responsibilities()
    touched: dict[UUID, Episode] = {}
    entries = []
    for place, each in enumerate(announcements):
        key = (each.rule.id, each.subject)
        if each.transition.event is AlertEvent.OPENED:
            episode = known[key] = _opened(each, next(numbers))
            episode.owner = table.of(each.category, each.subject.warehouse, recorded_at)
        else:
            episode = known[key]
            _move(episode, each)
        touched[episode.id] = episode
        entries.append(_entry(episode, each, silenced.get(place), recorded_at))
    await episodes.write(connection, touched.values(), entries)


def _opened(announcement: Announcement, number: int) -> Episode:
    rule, transition = announcement.rule, announcement.transition
    return Episode(
        id=uuid4(),
        number=number,
        revision=1,
        rule=rule.named(),
        subject=announcement.subject,
        sku_name=announcement.sku_name,
        labels=dict(rule.labels),
        level=transition.level,
        facts=transition.facts,
        opened_at=transition.occurred_at,
        is_new=True,
    )


def _move(episode: Episode, announcement: Announcement) -> None:
    rule, transition = announcement.rule, announcement.transition
    episode.revision += 1
    episode.rule = rule.named()
    episode.labels = dict(rule.labels)
    episode.sku_name = announcement.sku_name or episode.sku_name
    episode.level = transition.level
    episode.facts = transition.facts
    if transition.event in ENDINGS:
        episode.resolved_at = max(transition.occurred_at, episode.opened_at)


def _entry(
    episode: Episode, announcement: Announcement, silence: Hush | None, recorded_at: datetime
) -> Entry:
    transition = announcement.transition
    rose = _rose(transition)
    if rose:
        episode.snoozed_until = None  # it was put off as less than it is now
    hush = hush_of(
        transition.event,
        rose=rose,
        silence=silence,
        snoozed_until=episode.snoozed_until,
        now=recorded_at,
    )
    if transition.event in NEWS:
        episode.untold = hush is not None
    notice = episodes.notice_of(
        episode,
        transition.event,
        occurred_at=transition.occurred_at,
        recorded_at=recorded_at,
        previous_level=transition.previous_level,
        hush=hush,
    )
    return Entry(notice, transition.reason.value, None, announcement.trace)


def _rose(transition: Transition) -> bool:
    previous = transition.previous_level
    return previous is not None and SEVERITY[transition.level] > SEVERITY[previous]
