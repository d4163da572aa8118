"""What is on its way to levels, and which alerts it covers."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.actions import COVERING, GOING_ON
from services.alerting.domain.covering import OnTheWay
from services.alerting.domain.subject import LevelSubject, Subject
from shared.events.stock_alerts import ActionKind, ActionState

# Of what was proposed nobody has said yet that it will come: there is no `late_at`.
_ON_THE_WAY = text("""
SELECT a.sku, a.warehouse, a.id, a.number, a.kind, a.state,
       coalesce(a.confirmed_quantity, a.quantity, 0) AS quantity, a.is_incoming, a.late_at
FROM action AS a
JOIN unnest(CAST(:sku AS text[]), CAST(:warehouse AS text[])) AS n (sku, warehouse)
  USING (sku, warehouse)
WHERE a.state IN ('proposed', 'approved', 'ordered') AND a.state = ANY(:states)
  AND a.kind IN ('buy', 'transfer') AND (a.late_at IS NULL OR a.late_at > :now)
""")

_NOTE = text("""
INSERT INTO covered_alert (alert_id, action_id)
SELECT * FROM unnest(CAST(:alert_id AS uuid[]), CAST(:action_id AS uuid[]))
ON CONFLICT (alert_id) DO UPDATE SET action_id = excluded.action_id
""")

_FORGET = text("DELETE FROM covered_alert WHERE alert_id = ANY(CAST(:alerts AS uuid[]))")

_UNCOVER = text("DELETE FROM covered_alert WHERE action_id = ANY(CAST(:actions AS uuid[]))")

IS_COVERED = """
    EXISTS (SELECT FROM covered_alert AS v JOIN action AS c ON c.id = v.action_id
            WHERE v.alert_id = a.id AND c.state IN ('approved', 'ordered') AND c.late_at > :now)
"""
"""Whether an alert `a` was kept from people because of an action that still covers it at `:now`."""


async def on_the_way(
    connection: AsyncConnection,
    subjects: Collection[Subject],
    now: datetime,
    *,
    proposed: bool = False,
) -> Mapping[Subject, list[OnTheWay]]:
    """Return what is bought for levels or moved to them, without what is late; nothing for pools.

    `proposed`: with what is not approved yet.
    """
    levels = [subject for subject in subjects if isinstance(subject, LevelSubject)]
    values = {
        "sku": [level.sku for level in levels],
        "warehouse": [level.warehouse for level in levels],
        "states": [state.value for state in (GOING_ON if proposed else COVERING)],
        "now": now,
    }
    found: dict[Subject, list[OnTheWay]] = defaultdict(list)
    for row in await connection.execute(_ON_THE_WAY, values):
        found[LevelSubject(row.sku, row.warehouse)].append(
            OnTheWay(
                row.id,
                row.number,
                ActionKind(row.kind),
                ActionState(row.state),
                row.quantity,
                row.is_incoming,
                row.late_at,
            )
        )
    return found


async def note(connection: AsyncConnection, covered: Mapping[UUID, UUID]) -> None:
    """Remember by which actions alerts were covered when people were not told of them."""
    if covered:
        values = {"alert_id": list(covered), "action_id": list(covered.values())}
        await connection.execute(_NOTE, values)


async def forget(connection: AsyncConnection, alerts: Collection[UUID]) -> None:
    """Forget that alerts were covered: people know of them now."""
    if alerts:
        await connection.execute(_FORGET, {"alerts": list(alerts)})


async def uncover(connection: AsyncConnection, actions: Collection[UUID]) -> None:
    """Let actions cover nothing any more of what people were not told because of them."""
    if actions:
        await connection.execute(_UNCOVER, {"actions": list(actions)})
