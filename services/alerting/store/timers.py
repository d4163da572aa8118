"""The timers of episodes that follow a playbook: where each is, and when something follows.

A row has the generation of its timer: whoever moves an episode on makes a newer one, and an older
one is never written over it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.playbook import Followed
from services.alerting.domain.progress import Progress
from services.alerting.domain.staffing import Place
from services.alerting.store.episodes import RECOVERS
from shared.events.stock_alerts import Expected


@dataclass(frozen=True, slots=True)
class Running:
    """An episode on its way through its playbook.

    `told` are all who were drawn in so far besides its owner, who is told in any case.
    """

    followed: Followed
    progress: Progress
    place: Place
    told: tuple[str, ...] = ()

    def moved(self, progress: Progress, drawn_in: Collection[str] = ()) -> "Running":
        """Return it at another point, with more people drawn in."""
        others = [each for each in drawn_in if each != self.place.owner]
        told = tuple(dict.fromkeys((*self.told, *others)))
        return replace(self, progress=progress, told=told)


class Counts(NamedTuple):
    """Open episodes whose step is late, and those that were escalated for it."""

    overdue: int
    escalated: int


class Lost(NamedTuple):
    """An episode whose timer is missing, or long due and not acted on."""

    alert_id: UUID
    cause: Literal["missing", "overdue"]


class Unfollowed(NamedTuple):
    """An open episode without a timer, and what was done about it so far."""

    alert_id: UUID
    followed: Followed
    place: Place
    done: tuple[Expected, ...]


_RUNNING = """
SELECT t.alert_id, t.generation, t.number, t.taken, t.since, t.by, t.due_at, t.stands_until,
       t.escalated, t.told, a.playbook::text AS playbook, a.owner, a.category, a.warehouse,
       a.supplier
FROM timer AS t JOIN alert AS a ON a.id = t.alert_id
"""

_SOME = text(f"{_RUNNING} WHERE t.alert_id = ANY(CAST(:ids AS uuid[]))")

# Whoever else has an episode in hand moves it on, or leaves it due: nothing waits here.
_DUE = text(f"""
{_RUNNING}
WHERE t.due_at <= :now AND a.resolved_at IS NULL
  AND (a.snoozed_until IS NULL OR a.snoozed_until <= :now)
  AND NOT {RECOVERS}
ORDER BY t.due_at
LIMIT :limit
FOR UPDATE OF a, t SKIP LOCKED
""")

_SAVE = text("""
INSERT INTO timer AS t (alert_id, generation, number, taken, since, by, due_at, stands_until,
                        escalated, told, first_by)
VALUES (:alert_id, :generation, :number, :taken, :since, :by, :due_at, :stands_until, :escalated,
        :told, CASE WHEN :number = 1 THEN CAST(:by AS timestamptz) END)
ON CONFLICT (alert_id) DO UPDATE SET
    generation = EXCLUDED.generation, number = EXCLUDED.number, taken = EXCLUDED.taken,
    since = EXCLUDED.since, by = EXCLUDED.by, due_at = EXCLUDED.due_at,
    stands_until = EXCLUDED.stands_until, escalated = EXCLUDED.escalated, told = EXCLUDED.told,
    first_by = coalesce(EXCLUDED.first_by, t.first_by)
WHERE t.generation < EXCLUDED.generation
""")

LATE = """
t.by < :now AND (t.stands_until IS NULL OR t.stands_until <= :now)
"""
"""Whether people are late with the present step of a timer `t`."""

_COUNTS = text(f"""
SELECT count(*) FILTER (WHERE {LATE}), count(*) FILTER (WHERE t.by IS NOT NULL AND t.escalated)
FROM timer AS t JOIN alert AS a ON a.id = t.alert_id
WHERE a.resolved_at IS NULL
""")  # noqa: S608 - the condition is ours

_LOST = text(f"""
SELECT a.id, CASE WHEN t.alert_id IS NULL THEN 'missing' ELSE 'overdue' END
FROM alert AS a LEFT JOIN timer AS t ON t.alert_id = a.id
WHERE a.resolved_at IS NULL AND a.playbook IS NOT NULL
  AND (t.alert_id IS NULL
       OR (t.due_at < :since AND (a.snoozed_until IS NULL OR a.snoozed_until < :since)
           AND NOT {RECOVERS}))
ORDER BY a.id
LIMIT :limit
""")  # noqa: S608 - the condition is ours

# Giving it to somebody counts as acknowledging.
_DONE = """
       a.acknowledged_at IS NOT NULL
           OR EXISTS (SELECT FROM alert_history AS h
                      WHERE h.alert_id = a.id AND h.event = 'assigned') AS acknowledged,
       EXISTS (SELECT FROM alert_history AS h
               WHERE h.alert_id = a.id AND h.event = 'acted') AS acted
"""

_DONE_OF = text(f"""
SELECT a.id AS alert_id, {_DONE}
FROM alert AS a WHERE a.id = ANY(CAST(:ids AS uuid[]))
""")  # noqa: S608 - the columns are ours

_UNFOLLOWED = text(f"""
SELECT a.id AS alert_id, a.playbook::text AS playbook, a.owner, a.category, a.warehouse,
       a.supplier, {_DONE}
FROM alert AS a
WHERE a.id = ANY(CAST(:ids AS uuid[])) AND a.resolved_at IS NULL
  AND NOT EXISTS (SELECT FROM timer AS t WHERE t.alert_id = a.id)
ORDER BY a.id
FOR UPDATE OF a SKIP LOCKED
""")  # noqa: S608 - the columns are ours


async def some(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, Running]:
    """Return those of some episodes that follow a playbook; lock the alerts before."""
    if not ids:
        return {}
    rows = await connection.execute(_SOME, {"ids": list(ids)})
    return {row["alert_id"]: _running(row) for row in rows.mappings()}


async def due(connection: AsyncConnection, now: datetime, limit: int) -> dict[UUID, Running]:
    """Return episodes whose timer is due, with their alerts locked; others have theirs."""
    rows = await connection.execute(_DUE, {"now": now, "limit": limit})
    return {row["alert_id"]: _running(row) for row in rows.mappings()}


async def save(connection: AsyncConnection, moved: Mapping[UUID, Running]) -> None:
    """Store where episodes are now."""
    rows = [
        {
            "alert_id": alert_id,
            "generation": each.progress.generation,
            "number": each.progress.number,
            "taken": each.progress.taken,
            "since": each.progress.since,
            "by": each.progress.by,
            "due_at": each.progress.due_at,
            "stands_until": each.progress.stands_until,
            "escalated": each.progress.escalated,
            "told": list(each.told),
        }
        for alert_id, each in moved.items()
    ]
    if rows:
        await connection.execute(_SAVE, rows)


async def counts(connection: AsyncConnection, now: datetime) -> Counts:
    """Return how many open episodes are late, and how many of their steps were escalated."""
    overdue, escalated = (await connection.execute(_COUNTS, {"now": now})).one()
    return Counts(overdue, escalated)


async def lost(connection: AsyncConnection, since: datetime, limit: int) -> list[Lost]:
    """Return open episodes whose timer is missing, or was due before an instant."""
    rows = await connection.execute(_LOST, {"since": since, "limit": limit})
    return [Lost(*row) for row in rows]


async def unfollowed(connection: AsyncConnection, ids: Collection[UUID]) -> list[Unfollowed]:
    """Return those of some episodes that still have no timer, locked."""
    rows = await connection.execute(_UNFOLLOWED, {"ids": list(ids)})
    return [
        Unfollowed(
            row["alert_id"],
            Followed.model_validate_json(row["playbook"]),
            _place(row),
            _done(row),
        )
        for row in rows.mappings()
    ]


async def done(
    connection: AsyncConnection, ids: Collection[UUID]
) -> dict[UUID, tuple[Expected, ...]]:
    """Return what people have done about some episodes so far, of what playbooks expect."""
    if not ids:
        return {}
    rows = await connection.execute(_DONE_OF, {"ids": list(ids)})
    return {row["alert_id"]: _done(row) for row in rows.mappings()}


def _done(row: RowMapping) -> tuple[Expected, ...]:
    shown = {Expected.ACKNOWLEDGE: row["acknowledged"], Expected.ACT: row["acted"]}
    return tuple(what for what, is_done in shown.items() if is_done)


def _running(row: RowMapping) -> Running:
    return Running(
        Followed.model_validate_json(row["playbook"]),
        Progress(
            generation=row["generation"],
            number=row["number"],
            taken=row["taken"],
            since=row["since"],
            by=row["by"],
            due_at=row["due_at"],
            stands_until=row["stands_until"],
            escalated=row["escalated"],
        ),
        _place(row),
        tuple(row["told"]),
    )


def _place(row: RowMapping) -> Place:
    return Place(row["owner"], row["category"], row["warehouse"], row["supplier"])
