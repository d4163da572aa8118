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
from shared.database.direct import Direct
from shared.events.stock_alerts import ActionKind, ActionState

# Of what was proposed nobody has said yet that it will come: there is no `late_at`.
_ON_THE_WAY = Direct("""
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
""")

_FORGET = Direct("DELETE FROM covered_alert WHERE alert_id = ANY(CAST(:alerts AS uuid[]))")

_LOSE = text("""
UPDATE covered_alert SET is_lost = true WHERE action_id = ANY(CAST(:actions AS uuid[]))
""")

_LOST = """
    (v.is_lost OR c.state NOT IN ('approved', 'ordered') OR c.late_at <= :now)
"""
"""Whether an action `c` does not cover any more, at `:now`, what `v` says it did with others."""

IS_COVERED = f"""
    (EXISTS (SELECT FROM covered_alert AS v WHERE v.alert_id = a.id)
     AND NOT EXISTS (SELECT FROM covered_alert AS v JOIN action AS c ON c.id = v.action_id
                     WHERE v.alert_id = a.id AND {_LOST}))
"""  # noqa: S608 - the condition is ours
"""Whether an alert `a` was kept from people because of actions that all still count at `:now`."""

_NOTED = text(f"""
SELECT v.alert_id, v.action_id, {_LOST} AS is_lost
FROM covered_alert AS v JOIN action AS c ON c.id = v.action_id
WHERE v.alert_id = ANY(CAST(:alerts AS uuid[]))
""")  # noqa: S608 - the condition is ours

# What is late may still be incoming, as may what ingest was told not to wait for any more.
_STILL_INCOMING = text("""
SELECT coalesce(sum(coalesce(t.confirmed_quantity, t.quantity)), 0)
FROM action AS t JOIN known_level AS k USING (sku, warehouse)
WHERE t.sku = :sku AND t.warehouse = :warehouse AND t.kind IN ('buy', 'transfer')
  AND NOT t.id = ANY(CAST(:counted AS uuid[]))
  AND EXISTS (SELECT FROM jsonb_array_elements(k.supply::jsonb) AS l WHERE l ->> 2 = t.reference)
""")


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
    for row in await _ON_THE_WAY.rows(connection, **values):
        found[LevelSubject(row["sku"], row["warehouse"])].append(
            OnTheWay(
                row["id"],
                row["number"],
                ActionKind(row["kind"]),
                ActionState(row["state"]),
                row["quantity"],
                row["is_incoming"],
                row["late_at"],
            )
        )
    return found


async def note(connection: AsyncConnection, covered: Mapping[UUID, Collection[UUID]]) -> None:
    """Remember by which actions together alerts were covered when people were not told of them.

    By none: nothing that was noted of such an alert keeps it from people any more.
    """
    await forget(connection, covered)
    pairs = [(alert, action) for alert, actions in covered.items() for action in actions]
    if pairs:
        columns = zip(*pairs, strict=True)
        values = dict(zip(("alert_id", "action_id"), map(list, columns), strict=True))
        await connection.execute(_NOTE, values)


async def forget(connection: AsyncConnection, alerts: Collection[UUID]) -> None:
    """Forget that alerts were covered: people know of them now."""
    if alerts:
        await _FORGET.rows(connection, alerts=list(alerts))


async def lose(connection: AsyncConnection, actions: Collection[UUID]) -> None:
    """Let actions not count any more in what covers alerts that people were not told of."""
    if actions:
        await connection.execute(_LOSE, {"actions": list(actions)})


async def lost(
    connection: AsyncConnection, alerts: Collection[UUID], now: datetime
) -> Mapping[UUID, set[UUID]]:
    """Return by alert, of those that were covered, the actions that do not count any more."""
    found: dict[UUID, set[UUID]] = defaultdict(set)
    for row in await connection.execute(_NOTED, {"alerts": list(alerts), "now": now}):
        found[row.alert_id].update([row.action_id] if row.is_lost else [])
    return found


async def still_incoming(
    connection: AsyncConnection, level: LevelSubject, counted: Collection[UUID]
) -> int:
    """Return the units incoming at a level by actions that are not among those counted upon."""
    values = level._asdict() | {"counted": list(counted)}
    return int(await connection.scalar(_STILL_INCOMING, values) or 0)
