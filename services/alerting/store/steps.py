"""Move episodes along their playbooks, in the transaction of what moves them.

The alert's row is locked by whoever calls; the revision is written afterwards, so that it says the
new step.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain import progress
from services.alerting.domain.people import Responsibilities
from services.alerting.domain.playbook import Followed, PlaybookDefinition, Step, Whom
from services.alerting.domain.progress import Calendars, Progress
from services.alerting.domain.rotation import Rotation
from services.alerting.domain.staffing import Place, Staffing
from services.alerting.store import people, playbooks, schedules, timers
from services.alerting.store.timers import Running
from shared.events.stock_alerts import AlertLevel, Expected


@dataclass(frozen=True, slots=True)
class Wanted:
    """An episode that should follow a playbook: the one its rule names, or its level's default.

    Its clock begins when people are told: nobody is late for what waits to be told with others.
    """

    named: str | None
    level: AlertLevel
    place: Place
    told_at: datetime


async def record(
    connection: AsyncConnection,
    wanted: Mapping[UUID, Wanted],
    risen: Collection[UUID],
    ended: Collection[UUID],
    table: Responsibilities,
    now: datetime,
) -> dict[UUID, str]:
    """Begin, set anew and end what evaluations ask for.

    Returns the playbooks that episodes have taken up, as JSON.
    """
    before = await timers.some(connection, {*risen, *ended})
    chosen = await _chosen(
        connection, {alert_id: each for alert_id, each in wanted.items() if alert_id not in before}
    )
    calendars = await calendars_of(
        connection, [*chosen.values(), *(each.followed for each in before.values())]
    )
    whom = [whom for followed in chosen.values() for step in followed.steps for whom in step.whom]
    there = Staffing(table, await _rotations(connection, whom))
    # What was known before, or in the list, is taken up once it gets worse: perhaps it is in hand.
    done = await timers.done(connection, chosen.keys() & risen)
    moved: dict[UUID, Running] = {}
    for alert_id, followed in chosen.items():
        place, told_at = wanted[alert_id].place, wanted[alert_id].told_at
        begins = progress.begun(followed.steps, told_at, calendars)
        for what in done.get(alert_id, ()):
            begins = progress.met(followed.steps, begins, what, told_at, calendars)
        present = followed.steps[begins.number - 1 : begins.number]
        told = there.people([each for step in present for each in step.whom], place, now)
        moved[alert_id] = Running(followed, begins, place).moved(begins, told)
    for alert_id in before.keys() & risen:
        each = before[alert_id]
        awake = progress.roused(each.progress)
        told_at = wanted[alert_id].told_at
        again = progress.restarted(each.followed.steps, awake, told_at, calendars)
        moved[alert_id] = each.moved(again)
    for alert_id in ended:
        over = moved.get(alert_id) or before.get(alert_id)
        if over is not None:
            moved[alert_id] = over.moved(progress.ended(over.progress))
    await timers.save(connection, moved)
    return {alert_id: followed.model_dump_json() for alert_id, followed in chosen.items()}


async def met(
    connection: AsyncConnection,
    alert_id: UUID,
    what: Expected,
    now: datetime,
    owner: str | None = None,
) -> None:
    """Note that something expected was done; nothing for an episode without a playbook.

    `owner` is the owner from now on, where that is not stored yet.
    """
    await _moved(connection, alert_id, progress.met, what, now, owner)


async def undone(
    connection: AsyncConnection, alert_id: UUID, what: Expected, now: datetime
) -> None:
    """Note that nothing has come of something expected that was done, so it is expected again."""
    await _moved(connection, alert_id, progress.undone, what, now, None)


async def _moved(
    connection: AsyncConnection,
    alert_id: UUID,
    move: Callable[[Sequence[Step], Progress, Expected, datetime, Calendars], Progress],
    what: Expected,
    now: datetime,
    owner: str | None,
) -> None:
    found = await _one(connection, alert_id, owner)
    if found is None:
        return
    calendars = await calendars_of(connection, [found.followed])
    after = move(found.followed.steps, found.progress, what, now, calendars)
    if after != found.progress:
        await _step_begins(connection, alert_id, found.moved(after), now)


async def handed_over(
    connection: AsyncConnection, alert_id: UUID, owner: str, now: datetime
) -> None:
    """Note that an episode was given to somebody: taken on, and the clock is theirs."""
    found = await _one(connection, alert_id, owner)
    if found is None:
        return
    steps = found.followed.steps
    calendars = await calendars_of(connection, [found.followed])
    after = progress.met(steps, found.progress, Expected.ACKNOWLEDGE, now, calendars)
    if after == found.progress:
        after = progress.restarted(steps, found.progress, now, calendars)
    await _step_begins(connection, alert_id, found.moved(after), now)


async def put_off(
    connection: AsyncConnection, alert_id: UUID, until: datetime, now: datetime
) -> None:
    """Let the clock stand still until an instant."""
    found = await _one(connection, alert_id, None)
    if found is None:
        return
    calendars = await calendars_of(connection, [found.followed])
    after = progress.stood(found.followed.steps, found.progress, until, now, calendars)
    await timers.save(connection, {alert_id: found.moved(after)})


async def ended(connection: AsyncConnection, alert_id: UUID) -> None:
    """Let nothing be due any more of an episode that is over."""
    found = await _one(connection, alert_id, None)
    if found is not None:
        await timers.save(connection, {alert_id: found.moved(progress.ended(found.progress))})


async def staffing(connection: AsyncConnection, whom: Iterable[Whom]) -> Staffing:
    """Return who is meant by what, as of this transaction."""
    table = await people.responsibilities(connection)
    return Staffing(table, await _rotations(connection, whom))


async def calendars_of(connection: AsyncConnection, followed: Iterable[Followed]) -> Calendars:
    """Return the working calendars that playbooks count time with."""
    ids = {step.calendar for each in followed for step in each.steps if step.calendar is not None}
    return await schedules.calendars(connection, ids)


async def _one(connection: AsyncConnection, alert_id: UUID, owner: str | None) -> Running | None:
    found = (await timers.some(connection, [alert_id])).get(alert_id)
    if found is None or owner is None:
        return found
    return replace(found, place=replace(found.place, owner=owner))


async def _step_begins(
    connection: AsyncConnection, alert_id: UUID, moved: Running, now: datetime
) -> None:
    """Store it, with those the new step is for among the people who are told."""
    steps, number = moved.followed.steps, moved.progress.number
    if moved.progress.by is not None:
        whom = steps[number - 1].whom
        there = await staffing(connection, whom)
        moved = moved.moved(moved.progress, there.people(whom, moved.place, now))
    await timers.save(connection, {alert_id: moved})


async def _chosen(
    connection: AsyncConnection, wanted: Mapping[UUID, Wanted]
) -> dict[UUID, Followed]:
    """Return the playbooks of those episodes that find an enabled one."""
    if not wanted:
        return {}
    names = {each.named for each in wanted.values() if each.named is not None}
    by_id: dict[str, Followed] = {}
    by_level: dict[AlertLevel, Followed] = {}
    for stored in await playbooks.in_use(connection, names):
        definition = PlaybookDefinition.model_validate_json(stored.body)
        followed = Followed(
            id=stored.id,
            version=stored.version,
            name=dict(definition.name.items()),
            steps=definition.steps,
        )
        by_id[stored.id] = followed
        by_level |= dict.fromkeys(definition.default_for, followed)
    found = {}
    for alert_id, each in wanted.items():
        follows = by_level.get(each.level) if each.named is None else by_id.get(each.named)
        if follows is not None:
            found[alert_id] = follows
    return found


async def _rotations(connection: AsyncConnection, whom: Iterable[Whom]) -> Mapping[str, Rotation]:
    ids = {each.rotation for each in whom if each.rotation is not None}
    return await schedules.rotations(connection, ids)
