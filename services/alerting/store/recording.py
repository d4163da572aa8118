"""Store what evaluations have made of episodes."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.actions import COVERING
from services.alerting.domain.attention import Decision, News, Way
from services.alerting.domain.covering import OnTheWay, counted_upon, covering
from services.alerting.domain.draft import Announcement
from services.alerting.domain.ended_by_hand import sift
from services.alerting.domain.hush import NEWS, has_eased, hush_of
from services.alerting.domain.outcome import Transition
from services.alerting.domain.people import Responsibilities
from services.alerting.domain.proposal import on_card
from services.alerting.domain.staffing import Place
from services.alerting.domain.subject import LevelSubject, Subject
from services.alerting.store import (
    attention,
    ended_by_hand,
    episodes,
    last_told,
    silences,
    steps,
)
from services.alerting.store import covering as covers
from services.alerting.store.episodes import Entry, Episode, Key
from services.alerting.store.steps import Wanted
from shared.events.stock_alerts import (
    ENDINGS,
    SEVERITY,
    AlertEvent,
    AlertFacts,
    AlertLevel,
    Hush,
    HushKind,
    StockAlert,
)

_UNFOLLOWED = frozenset({HushKind.COVERED, HushKind.BUDGET})
"""Kept back for these reasons it is not for anybody to act on, until it gets worse."""


async def record(
    connection: AsyncConnection,
    announcements: Sequence[Announcement],
    recorded_at: datetime,
    *,
    responsibilities: Callable[[AsyncConnection], Awaitable[Responsibilities]],
    follows_playbooks: bool = True,
) -> Sequence[Announcement]:
    """Store what happened to episodes, in order, each as a new revision of its alert.

    Returns what is on record of it: where a person has ended the episode, all is left out but
    what is worse than it was then, which opens another one (ADR 134).

    Alerts are locked in the order of their ids first, so revisions never cross what a person
    does, and a later revision enters the outbox after an earlier one has committed. What is
    counted of people's attention is locked after them.
    """
    known, announcements = await _open(connection, announcements)
    if not announcements:
        return ()
    silenced = await silences.covering(connection, announcements, recorded_at)
    openings = sum(each.transition.event is AlertEvent.OPENED for each in announcements)
    numbers = iter(await episodes.numbers(connection, openings))
    known_table = await responsibilities(connection) if openings else None
    table = known_table or Responsibilities()
    asked_for = await covers.on_the_way(
        connection, {each.subject for each in announcements}, recorded_at, proposed=True
    )
    coming = {
        subject: [each for each in asked if each.state in COVERING]
        for subject, asked in asked_for.items()
    }
    owners = {key: episode.owner for key, episode in known.items()}
    news: dict[int, News] = {}
    for place, each in enumerate(announcements):
        if each.transition.event is AlertEvent.OPENED:
            whose = _whose(each, table, recorded_at)
            owners[each.rule.id, each.subject] = whose
        is_told = place not in silenced and _covered_by(each, coming, untold=False) is None
        if is_told and _is_news(each.transition):
            news[place] = _news(each, owners)
    decisions = await attention.decide(connection, news, recorded_at)
    told = await _told(connection, known, announcements)
    touched: dict[UUID, Episode] = {}
    entries: list[Entry] = []
    wanted: dict[UUID, Wanted] = {}
    covered: dict[UUID, list[UUID]] = {}
    for place, each in enumerate(announcements):
        key = (each.rule.id, each.subject)
        if each.transition.event is AlertEvent.OPENED:
            episode = known[key] = _opened(each, next(numbers))
            episode.category = each.category
            episode.owner = owners[key]
            _renew(episode, each, asked_for)
        else:
            episode = known[key]
            _move(episode, each, asked_for)
        touched[episode.id] = episode
        eased = _is_change(each) and has_eased(episode.level, told.get(episode.id))
        by = _covered_by(each, coming, untold=episode.untold and not eased)
        if by is not None or eased:
            there = () if by is None else counted_upon(each.rule.kind, coming[each.subject])
            covered[episode.id] = [one.id for one in there]
        decision = _decided(decisions.get(place), eased=eased)
        entry = _entry(episode, each, silenced.get(place), by, decision, recorded_at)
        entries.append(entry)
        told |= _tells(entry.notice)
        if _is_news(each.transition) and not _is_left_alone(each, entry.notice.hush):
            stands = Place(
                episode.owner, each.category, each.subject.warehouse, each.parameters.supplier
            )
            gather = entry.notice.gather
            told_at = recorded_at if gather is None else max(recorded_at, gather.by)
            wanted[episode.id] = Wanted(each.rule.playbook, episode.level, stands, told_at)
    if follows_playbooks:
        await _follow(connection, touched, entries, wanted, table, recorded_at)
    await episodes.write(connection, touched.values(), entries, known_table)
    await covers.note(connection, covered)
    return announcements


async def _open(
    connection: AsyncConnection, announcements: Sequence[Announcement]
) -> tuple[dict[Key, Episode], Sequence[Announcement]]:
    """Return the open episodes that announcements speak of, locked, and what is told of them.

    Somebody may have ended one while its lock was waited for: then it is not among them.
    """
    if not announcements:
        return {}, ()
    known = await episodes.open_episodes(connection, announcements)
    keys = {
        (each.rule.id, each.subject)
        for each in announcements
        if each.transition.event is not AlertEvent.OPENED
    }
    ended = await ended_by_hand.levels(connection, keys - known.keys())
    told, over = sift(announcements, known.keys(), ended)
    await ended_by_hand.over(connection, over)
    return known, told


async def _follow(
    connection: AsyncConnection,
    touched: Mapping[UUID, Episode],
    entries: Sequence[Entry],
    wanted: Mapping[UUID, Wanted],
    table: Responsibilities,
    now: datetime,
) -> None:
    ended = {each.notice.alert_id for each in entries if each.notice.event in ENDINGS}
    risen = {alert_id for alert_id in wanted if not touched[alert_id].is_new}
    for alert_id, playbook in (
        await steps.record(connection, wanted, risen, ended, table, now)
    ).items():
        touched[alert_id].playbook = playbook


async def _told(
    connection: AsyncConnection, known: Mapping[Key, Episode], announcements: Sequence[Announcement]
) -> dict[UUID, AlertLevel]:
    """Return the level that people take those open episodes for whose level changes."""
    changing = {(each.rule.id, each.subject) for each in announcements if _is_change(each)}
    return await last_told.levels(connection, [known[key].id for key in changing & known.keys()])


def _is_change(announcement: Announcement) -> bool:
    return announcement.transition.event is AlertEvent.LEVEL_CHANGED


def _decided(decision: Decision | None, *, eased: bool) -> Decision | None:
    """Return how it is told; what has eased since people heard of it, whatever that costs them."""
    if eased and (decision is None or decision.way is Way.BUDGET):
        return Decision(Way.AT_ONCE)
    return decision


def _tells(notice: StockAlert) -> dict[UUID, AlertLevel]:
    """Return of what level of which alert people learn by a notice, if any."""
    is_told = notice.event in NEWS and notice.hush is None
    return {notice.alert_id: notice.level} if is_told else {}


def _is_news(transition: Transition) -> bool:
    return transition.event is AlertEvent.OPENED or _rose(transition)


def _is_left_alone(announcement: Announcement, hush: Hush | None) -> bool:
    """Return whether it begins without a playbook: known before, or kept back on purpose."""
    return announcement.known is not None or (hush is not None and hush.by in _UNFOLLOWED)


def _news(announcement: Announcement, owners: Mapping[Key, str | None]) -> News:
    return News(
        level=announcement.transition.level,
        rule=announcement.rule.id,
        owner=owners[announcement.rule.id, announcement.subject],
        stock_class=announcement.parameters.stock_class,
        supplier=announcement.parameters.supplier,
        at_risk=announcement.at_risk,
        known=announcement.known,
    )


def _whose(each: Announcement, table: Responsibilities, now: datetime) -> str | None:
    place = each.category, each.subject.warehouse, now, each.parameters.supplier
    return table.of(*place, rule_owner=each.rule.owner)


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


def _move(
    episode: Episode,
    announcement: Announcement,
    asked_for: Mapping[Subject, Collection[OnTheWay]],
) -> None:
    rule, transition = announcement.rule, announcement.transition
    episode.revision += 1
    episode.rule = rule.named()
    episode.labels = dict(rule.labels)
    episode.sku_name = announcement.sku_name or episode.sku_name
    episode.level = transition.level
    episode.facts = transition.facts
    _renew(episode, announcement, asked_for)
    if transition.event in ENDINGS:
        episode.resolved_at = max(transition.occurred_at, episode.opened_at)


def _covered_by(
    announcement: Announcement,
    coming: Mapping[Subject, Iterable[OnTheWay]],
    *,
    untold: bool,
) -> OnTheWay | None:
    """Return the action because of which people need not be told, or None.

    It covers what opens, and what was kept from people before (`untold`) until that gets worse;
    what they know of already goes on.
    """
    transition = announcement.transition
    is_new = transition.event is AlertEvent.OPENED
    if not is_new and (not untold or _rose(transition)):
        return None
    return covering(announcement.rule.kind, transition.facts, coming.get(announcement.subject, ()))


def _renew(
    episode: Episode,
    announcement: Announcement,
    asked_for: Mapping[Subject, Collection[OnTheWay]],
) -> None:
    episode.at_risk = announcement.at_risk
    episode.stock_class = announcement.parameters.stock_class
    episode.supplier = announcement.parameters.supplier
    if _is_news(announcement.transition):
        facts = announcement.transition.facts
        proposed = _proposed(announcement, facts, asked_for)
        episode.facts = facts.model_copy(update={"proposed": proposed})


def _proposed(
    announcement: Announcement,
    facts: AlertFacts,
    asked_for: Mapping[Subject, Collection[OnTheWay]],
) -> int | None:
    """Return the units to buy of a level's SKU; what brings stock to pools is bought for levels."""
    subject = announcement.subject
    if not isinstance(subject, LevelSubject):
        return None
    return on_card(
        announcement.rule.kind,
        facts,
        asked_for.get(subject, ()),
        subject.warehouse,
        announcement.parameters,
    )


def _entry(
    episode: Episode,
    announcement: Announcement,
    silence: Hush | None,
    covered_by: OnTheWay | None,
    decision: Decision | None,
    recorded_at: datetime,
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
    if transition.event in NEWS and hush is None and covered_by is not None:
        hush = Hush(by=HushKind.COVERED, until=covered_by.late_at)
    if transition.event in NEWS:
        episode.untold = hush is not None
    if decision is not None:
        episode.held_back = decision.way is Way.BUDGET
    if hush is None and episode.held_back and transition.event in NEWS:
        hush = Hush(by=HushKind.BUDGET)
    notice = episodes.notice_of(
        episode,
        transition.event,
        occurred_at=transition.occurred_at,
        recorded_at=recorded_at,
        previous_level=transition.previous_level,
        hush=hush,
        gather=None if decision is None else decision.gather,
    )
    return Entry(notice, transition.reason.value, None, announcement.trace)


def _rose(transition: Transition) -> bool:
    previous = transition.previous_level
    return previous is not None and SEVERITY[transition.level] > SEVERITY[previous]
