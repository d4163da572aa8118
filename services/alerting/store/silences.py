"""Silences: for a while people are not told of some alerts."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.draft import Announcement
from shared.database.direct import Direct
from shared.events.stock_alerts import Hush, HushKind


@dataclass(frozen=True, slots=True)
class Silence:
    """What is silenced (None: whatever it is), from when until when, why, and by whom."""

    id: UUID
    rule: str | None
    sku: str | None
    warehouse: str | None
    labels: dict[str, str]
    starts_at: datetime
    ends_at: datetime
    comment: str
    created_by: str
    created_at: datetime


COVERS = """
    s.starts_at <= :now AND s.ends_at > :now
    AND (s.rule_id IS NULL OR s.rule_id = a.rule_id)
    AND (s.sku IS NULL OR s.sku = a.sku)
    AND (s.warehouse IS NULL OR s.warehouse = a.warehouse)
    AND a.labels @> s.labels
"""
"""Whether a silence `s` covers an alert `a` at `:now`."""

# Of several the one that ends last, since until then nobody is told.
_COVERING = Direct(f"""
SELECT DISTINCT ON (a.position) a.position, s.id, s.ends_at
FROM (SELECT position, rule_id, sku, warehouse, labels::jsonb AS labels
      FROM unnest(CAST(:rule_id AS text[]), CAST(:sku AS text[]), CAST(:warehouse AS text[]),
                  CAST(:labels AS text[]))
           WITH ORDINALITY AS u (rule_id, sku, warehouse, labels, position)) AS a
JOIN silence AS s ON {COVERS}
ORDER BY a.position, s.ends_at DESC
""")  # noqa: S608 - the condition is ours

_SILENCE = """
SELECT id, rule_id AS rule, sku, warehouse, labels::text AS labels, starts_at, ends_at, comment,
       created_by, created_at
FROM silence
"""

_PAGE = text(f"""
{_SILENCE}
WHERE (created_at, id) < (:before_at, :before_id)
  AND (NOT :in_force OR ends_at > :now)
ORDER BY created_at DESC, id DESC
LIMIT :limit
""")

_ONE = text(f"{_SILENCE} WHERE id = :id")

_ADD = text("""
INSERT INTO silence (id, rule_id, sku, warehouse, labels, starts_at, ends_at, comment, created_by,
                     created_at)
VALUES (:id, :rule, :sku, :warehouse, CAST(:labels AS jsonb), :starts_at, :ends_at, :comment,
        :created_by, :created_at)
ON CONFLICT (id) DO NOTHING
RETURNING id
""")

# One that has not begun yet must not end before it begins.
_END = text("""
UPDATE silence SET ends_at = greatest(:now, starts_at) WHERE id = :id AND ends_at > :now
""")


async def covering(
    connection: AsyncConnection, announcements: Sequence[Announcement], now: datetime
) -> dict[int, Hush]:
    """Return by what announcements are silenced, by their place; nothing for those that are not."""
    return await covering_each(
        connection,
        [
            (each.rule.id, each.subject.sku, each.subject.warehouse, dict(each.rule.labels))
            for each in announcements
        ],
        now,
    )


async def covering_each(
    connection: AsyncConnection,
    alerts: Sequence[tuple[str, str, str, dict[str, str]]],
    now: datetime,
) -> dict[int, Hush]:
    """Return by what alerts (rule, SKU, warehouse, labels) are silenced, by their place."""
    rows = await _COVERING.rows(
        connection,
        rule_id=[rule_id for rule_id, _, _, _ in alerts],
        sku=[sku for _, sku, _, _ in alerts],
        warehouse=[warehouse for _, _, warehouse, _ in alerts],
        labels=[json.dumps(labels, ensure_ascii=False) for _, _, _, labels in alerts],
        now=now,
    )
    return {
        row["position"] - 1: Hush(by=HushKind.SILENCE, until=row["ends_at"], silence=row["id"])
        for row in rows
    }


async def covering_one(
    connection: AsyncConnection,
    rule_id: str,
    sku: str,
    warehouse: str,
    labels: dict[str, str],
    now: datetime,
) -> Hush | None:
    """Return by what an alert is silenced, if it is."""
    found = await covering_each(connection, [(rule_id, sku, warehouse, labels)], now)
    return found.get(0)


async def page(
    connection: AsyncConnection,
    *,
    in_force: bool,
    now: datetime,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Silence]:
    """Return silences, the newest first; `in_force` leaves out those that have ended."""
    before_at, before_id = before or (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))
    rows = await connection.execute(
        _PAGE,
        {
            "in_force": in_force,
            "now": now,
            "before_at": before_at,
            "before_id": before_id,
            "limit": limit,
        },
    )
    return [_silence(row) for row in rows.mappings()]


async def one(connection: AsyncConnection, silence_id: UUID) -> Silence | None:
    """Return a silence."""
    row = (await connection.execute(_ONE, {"id": silence_id})).mappings().one_or_none()
    return None if row is None else _silence(row)


async def add(connection: AsyncConnection, silence: Silence) -> bool:
    """Store a silence; returns False for one with the id of another, which stays as it is."""
    labels = json.dumps(silence.labels, ensure_ascii=False)
    added = await connection.scalar(_ADD, asdict(silence) | {"labels": labels})
    return added is not None


async def end(connection: AsyncConnection, silence_id: UUID, now: datetime) -> None:
    """Let a silence end now; one that has ended already stays as it is."""
    await connection.execute(_END, {"id": silence_id, "now": now})


def _silence(row: RowMapping) -> Silence:
    return Silence(**{**row, "labels": json.loads(row["labels"])})
