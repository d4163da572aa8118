"""Requests that wait for an approval for too long: who may approve is told again, then others.

Nothing here approves anything.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.late_notes import late_note
from services.alerting.domain.working_time import WorkingCalendar, add_working_time
from services.alerting.store import action_rows, episodes, people, schedules, silences
from services.alerting.store.action_rows import Change
from services.alerting.store.acts import By
from services.alerting.store.episodes import RECOVERS
from services.alerting.store.spending import approvers
from services.alerting.store.stored_action import StoredAction
from shared.events.stock_alerts import AlertEvent, Expected, Recipient

STEPS: Final = (("remind", AlertEvent.REMINDED), ("escalate", AlertEvent.ESCALATED))
"""What follows one after the other; the words of the action's history."""


class Patience(NamedTuple):
    """How long a request may wait before each step; in the working time of a calendar."""

    within: timedelta
    calendar: str


class _Waiting(NamedTuple):
    """A request, since when it waits for the next step, and how many steps were taken."""

    id: UUID
    since: datetime
    taken: int
    category: str | None


# Working time is never over sooner than time itself. A playbook that waits for the approval sees to
# it by its own clock; while an alert is put off or silenced, or its shortage recovers, nothing
# follows.
_WAITING = text(f"""
SELECT t.id, max(h.at) AS since, count(*) - 1 AS taken, a.category
FROM action AS t
JOIN alert AS a ON a.id = t.alert_id
JOIN action_history AS h ON h.action_id = t.id AND h.step IN ('request', 'remind', 'escalate')
LEFT JOIN timer AS p ON p.alert_id = a.id AND p.by IS NOT NULL
WHERE t.state = 'proposed' AND a.resolved_at IS NULL
  AND (a.snoozed_until IS NULL OR a.snoozed_until <= :now)
  AND NOT EXISTS (SELECT FROM silence AS s WHERE {silences.COVERS})
  AND NOT {RECOVERS}
  AND a.playbook -> 'steps' -> (p.number - 1) ->> 'expects' IS DISTINCT FROM 'approve'
GROUP BY t.id, a.category
HAVING max(h.at) <= :since AND count(*) <= :steps
ORDER BY max(h.at), t.id
LIMIT :limit
""")  # noqa: S608 - the condition is ours


async def follow(connection: AsyncConnection, now: datetime, limit: int, patience: Patience) -> int:
    """Tell of requests that nobody has approved in time; returns of how many."""
    calendar = (await schedules.calendars(connection, [patience.calendar])).get(patience.calendar)
    if not await _due(connection, now, limit, patience, calendar):
        return 0
    await action_rows.take_turn(connection)
    found = await _due(connection, now, limit, patience, calendar)
    actions = [
        (action, each)
        for each in found
        if (action := await action_rows.one(connection, each.id)) is not None
    ]
    present = {
        each.id: each
        for each in await episodes.present(connection, {action.alert_id for action, _ in actions})
    }
    changes = []
    for action, each in actions:
        step, event = STEPS[each.taken]
        is_first = event is AlertEvent.REMINDED
        to = await approvers(connection, action, each.category)
        if not is_first:
            to = await _next_in_line(connection, action, each.category, now) or to
        note = late_note(
            Expected.APPROVE,
            action.requested_at,
            "UTC" if calendar is None else calendar.zone,
            () if is_first else [person.name for person in to],
            action.quantity,
        )
        changes.append(Change(present[action.alert_id], action, step, note, to, event=event))
    await action_rows.write(connection, changes, By(None, None, now, None))
    return len(changes)


async def _due(
    connection: AsyncConnection,
    now: datetime,
    limit: int,
    patience: Patience,
    calendar: WorkingCalendar | None,
) -> Sequence[_Waiting]:
    values = {
        "now": now,
        "since": now - patience.within,
        "steps": len(STEPS),
        "limit": limit,
    }
    rows = [_Waiting(*row) for row in await connection.execute(_WAITING, values)]
    return [row for row in rows if add_working_time(row.since, patience.within, calendar) <= now]


async def _next_in_line(
    connection: AsyncConnection, action: StoredAction, category: str | None, now: datetime
) -> tuple[Recipient, ...]:
    """Return the manager of the row, or who stands in; nobody who has asked for it."""
    table = await people.responsibilities(connection)
    row = table.row(category, action.warehouse, action.supplier)
    line = () if row is None else (row.manager, row.deputy, row.owner)
    person = table.first_there((each for each in line if each != action.requested_by), now)
    known = await people.recipients(connection, set() if person is None else {person})
    return tuple(known.values())
