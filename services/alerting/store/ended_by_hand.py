"""Episodes that a person has ended, and until when what they warned of went on.

A row is added with the end; nobody but the worker that has the condition says when it is over. So
ended alerts need not be locked for it.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.ended_by_hand import EndedByHand
from services.alerting.domain.subject import Subject, subject_of
from services.alerting.store.episodes import Episode, Key
from shared.events.stock_alerts import AlertLevel, SubjectKind

HELD_AT = """
    (a.resolved_at IS NULL OR a.resolved_at >= {at}
     OR EXISTS (SELECT FROM ended_by_hand AS e
                WHERE e.alert_id = a.id AND coalesce(e.held_until, 'infinity') >= {at}))
"""
"""Whether what an alert `a` warned of had not ended before a moment, whoever ended the alert."""

_ADD = text("""
INSERT INTO ended_by_hand (alert_id, rule_id, subject_kind, sku, warehouse)
VALUES (:alert_id, :rule_id, :kind, :sku, :warehouse)
""")

_KEYS = """
    CAST(:rule_id AS text[]), CAST(:kind AS text[]), CAST(:sku AS text[]),
    CAST(:warehouse AS text[])
"""

_LEVELS = text(f"""
SELECT e.rule_id, e.subject_kind, e.sku, e.warehouse, a.level
FROM unnest({_KEYS}) AS n (rule_id, kind, sku, warehouse)
JOIN ended_by_hand AS e
  ON e.rule_id = n.rule_id AND e.subject_kind = n.kind
     AND e.sku = n.sku AND e.warehouse = n.warehouse
JOIN alert AS a ON a.id = e.alert_id
WHERE e.held_until IS NULL
""")  # noqa: S608 - the columns are ours

_OVER = text(f"""
UPDATE ended_by_hand AS e SET held_until = n.at
FROM unnest({_KEYS}, CAST(:at AS timestamptz[])) AS n (rule_id, kind, sku, warehouse, at)
WHERE e.rule_id = n.rule_id AND e.subject_kind = n.kind
  AND e.sku = n.sku AND e.warehouse = n.warehouse AND e.held_until IS NULL
""")  # noqa: S608 - the columns are ours

_ENDED = """
SELECT a.id, a.number, a.rule_id, a.level, a.resolved_at AS ended_at, h.actor AS by,
       coalesce(p.name, h.actor) AS name, h.note
FROM ended_by_hand AS e
JOIN alert AS a ON a.id = e.alert_id
JOIN alert_history AS h ON h.alert_id = a.id AND h.event = 'resolved'
LEFT JOIN person AS p ON p.id = h.actor
"""

_ONE = text(f"{_ENDED} WHERE e.alert_id = :alert_id")

_OF_SUBJECT = text(f"""
{_ENDED}
WHERE e.held_until IS NULL AND e.rule_id = ANY(CAST(:rules AS text[]))
  AND e.subject_kind = :kind AND e.sku = :sku
  AND (CAST(:warehouse AS text) IS NULL OR e.warehouse = :warehouse)
""")


async def add(connection: AsyncConnection, episode: Episode) -> None:
    """Note that a person ends an episode, which is locked."""
    subject = episode.subject
    await connection.execute(
        _ADD,
        {
            "alert_id": episode.id,
            "rule_id": episode.rule.id,
            "kind": subject.kind.value,
            "sku": subject.sku,
            "warehouse": subject.warehouse,
        },
    )


async def one(connection: AsyncConnection, alert_id: UUID) -> EndedByHand | None:
    """Return who has ended an episode; None where nobody did."""
    row = (await connection.execute(_ONE, {"alert_id": alert_id})).mappings().one_or_none()
    return None if row is None else _ended(row)


async def levels(connection: AsyncConnection, keys: Collection[Key]) -> dict[Key, AlertLevel]:
    """Return the levels at which people ended episodes whose condition still goes on."""
    if not keys:
        return {}
    found = {}
    for row in await connection.execute(_LEVELS, _columns(keys)):
        kind = SubjectKind(row.subject_kind)
        subject: Subject = subject_of(kind, row.sku, row.warehouse, row.rule_id)
        found[row.rule_id, subject] = AlertLevel(row.level)
    return found


async def over(connection: AsyncConnection, ended: Mapping[Key, datetime]) -> None:
    """Note since when what people ended goes on no longer, or is an episode again."""
    if ended:
        await connection.execute(_OVER, _columns(ended) | {"at": list(ended.values())})


async def of_subject(
    connection: AsyncConnection,
    kind: SubjectKind,
    sku: str,
    warehouse: str | None,
    rules: Collection[str],
) -> dict[str, EndedByHand]:
    """Return by rule what people ended and still goes on; None: in any warehouse."""
    asked = {"kind": kind.value, "sku": sku, "warehouse": warehouse, "rules": list(rules)}
    rows = await connection.execute(_OF_SUBJECT, asked)
    return {row["rule_id"]: _ended(row) for row in rows.mappings()}


def _ended(row: RowMapping) -> EndedByHand:
    names = ("id", "number", "ended_at", "by", "name", "note")
    said = {name: row[name] for name in names}
    return EndedByHand(level=AlertLevel(row["level"]), **said)


def _columns(keys: Collection[Key]) -> dict[str, list[object]]:
    return {
        "rule_id": [rule_id for rule_id, _ in keys],
        "kind": [subject.kind.value for _, subject in keys],
        "sku": [subject.sku for _, subject in keys],
        "warehouse": [subject.warehouse for _, subject in keys],
    }
