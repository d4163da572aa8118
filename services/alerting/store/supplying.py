"""What became of actions without anybody saying so: they arrived, were counted, or are late."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.actions import Step
from services.alerting.store import action_rows
from services.alerting.store.action_rows import Change
from services.alerting.store.acts import By
from services.alerting.store.stored_action import StoredAction
from shared.events.stock_alerts import ActionState

LINES_SHOWN = 8
"""Lines of supply that a level tells of at the most; of one that is further off it is silent."""

# A line is named by its reference; what has left the list of lines, and was there, has come. A
# list that is full may only have no room for it any more.
_FOLLOWED = text(f"""
WITH seen AS (
    SELECT t.*, k.counted_at, jsonb_array_length(k.supply::jsonb) AS lines,
           EXISTS (SELECT FROM jsonb_array_elements(k.supply::jsonb) AS l
                   WHERE l ->> 2 = t.reference) AS is_there
    FROM action AS t LEFT JOIN known_level AS k ON k.sku = t.sku AND k.warehouse = t.warehouse
    WHERE t.state IN ('proposed', 'approved', 'ordered')
)
SELECT id, CASE
    WHEN state = 'ordered' AND NOT is_incoming AND is_there THEN 'link'
    WHEN state = 'ordered' AND is_incoming AND NOT is_there AND lines < {LINES_SHOWN}
        THEN 'receive'
    WHEN kind = 'count' AND state = 'approved' AND counted_at > requested_at THEN 'finish'
    WHEN late_at <= :now AND NOT is_late THEN 'late'
END AS step
FROM seen
WHERE (state = 'ordered' AND NOT is_incoming AND is_there)
   OR (state = 'ordered' AND is_incoming AND NOT is_there AND lines < {LINES_SHOWN})
   OR (kind = 'count' AND state = 'approved' AND counted_at > requested_at)
   OR (late_at <= :now AND NOT is_late)
ORDER BY number
LIMIT :limit
""")  # noqa: S608 - the number is ours

_LATE = text("""
UPDATE alert SET untold = true
WHERE id = ANY(CAST(:ids AS uuid[])) AND resolved_at IS NULL
""")


async def follow(connection: AsyncConnection, now: datetime, limit: int) -> int:
    """Take down what became of actions; returns of how many.

    Who asked for what is late is reminded of the alert, if it still holds.
    """
    if not (await connection.execute(_FOLLOWED, {"now": now, "limit": 1})).first():
        return 0
    await action_rows.take_turn(connection)
    found = [
        (row.id, row.step)
        for row in await connection.execute(_FOLLOWED, {"now": now, "limit": limit})
    ]
    actions = [
        (action, step)
        for action_id, step in found
        if (action := await action_rows.one(connection, action_id)) is not None
    ]
    episodes = await action_rows.locked_episodes(connection, [action for action, _ in actions])
    changes = [
        Change(
            episodes[action.alert_id],
            _after(action, step, now),
            step,
            quiet=step in {"link", "late"},
        )
        for action, step in actions
    ]
    await action_rows.write(connection, changes, By(None, None, now, None))
    late: list[UUID] = [each.episode.id for each in changes if each.step == "late"]
    if late:
        await connection.execute(_LATE, {"ids": late})
    return len(found)


def _after(action: StoredAction, step: str, now: datetime) -> StoredAction:
    if step == "late":
        return replace(action, is_late=True)
    if step == "link":
        return replace(action, is_incoming=True)
    state = ActionState.RECEIVED if step == Step.RECEIVE else ActionState.DONE
    return replace(action, state=state, ended_at=now)
