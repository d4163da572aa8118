"""The calendar: occasions and who entered them. An edit is one of the rules' configuration."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.calendar import Occasion


@dataclass(frozen=True, slots=True)
class StoredOccasion:
    """An occasion as it was entered."""

    kind: str
    occasion: Occasion
    created_by: str
    created_at: datetime


_OCCASION = """
SELECT id, kind, name::text AS name, starts_at, ends_at, rule_id, sku, warehouse,
       labels::text AS labels, factor, shift, mute, created_by, created_at
FROM occasion
"""

_NOT_OVER = text(f"{_OCCASION} WHERE ends_at > :at ORDER BY starts_at, id")

_PAGE = text(f"""
{_OCCASION}
WHERE (starts_at, id) < (:before_at, :before_id) AND (NOT :in_force OR ends_at > :now)
ORDER BY starts_at DESC, id DESC
LIMIT :limit
""")

_ONE = text(f"{_OCCASION} WHERE id = :id")

_ADD = text("""
INSERT INTO occasion (id, kind, name, starts_at, ends_at, rule_id, sku, warehouse, labels, factor,
                      shift, mute, created_by, created_at)
VALUES (:id, :kind, CAST(:name AS jsonb), :starts_at, :ends_at, :rule_id, :sku, :warehouse,
        CAST(:labels AS jsonb), :factor, :shift, :mute, :created_by, :created_at)
""")

# One that has not begun yet must not end before it begins.
_END = text("""
UPDATE occasion SET ends_at = greatest(:now, starts_at) WHERE id = :id AND ends_at > :now
""")


async def not_over(connection: AsyncConnection, at: datetime) -> list[StoredOccasion]:
    """Return the occasions that are not over at an instant."""
    return [_stored(row) for row in (await connection.execute(_NOT_OVER, {"at": at})).mappings()]


async def page(
    connection: AsyncConnection,
    *,
    in_force: bool,
    now: datetime,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[StoredOccasion]:
    """Return occasions, the latest first; `in_force` leaves out those that are over."""
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
    return [_stored(row) for row in rows.mappings()]


async def one(connection: AsyncConnection, occasion_id: UUID) -> StoredOccasion | None:
    """Return an occasion."""
    row = (await connection.execute(_ONE, {"id": occasion_id})).mappings().one_or_none()
    return None if row is None else _stored(row)


async def add(connection: AsyncConnection, stored: StoredOccasion) -> None:
    """Store an occasion that is none yet."""
    occasion = stored.occasion
    await connection.execute(
        _ADD,
        {
            "id": occasion.id,
            "kind": stored.kind,
            "name": _written(occasion.name),
            "starts_at": occasion.starts_at,
            "ends_at": occasion.ends_at,
            "rule_id": occasion.rule,
            "sku": occasion.sku,
            "warehouse": occasion.warehouse,
            "labels": _written(occasion.labels),
            "factor": occasion.factor,
            "shift": occasion.shift,
            "mute": occasion.mute,
            "created_by": stored.created_by,
            "created_at": stored.created_at,
        },
    )


async def end(connection: AsyncConnection, occasion_id: UUID, now: datetime) -> None:
    """Let an occasion end now; one that is over already stays as it is."""
    await connection.execute(_END, {"id": occasion_id, "now": now})


def _written(texts: Mapping[str, str]) -> str:
    return json.dumps(dict(texts), ensure_ascii=False)


def _stored(row: RowMapping) -> StoredOccasion:
    occasion = Occasion(
        id=row["id"],
        name=json.loads(row["name"]),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        rule=row["rule_id"],
        sku=row["sku"],
        warehouse=row["warehouse"],
        labels=json.loads(row["labels"]),
        factor=row["factor"],
        shift=row["shift"],
        mute=row["mute"],
    )
    return StoredOccasion(row["kind"], occasion, row["created_by"], row["created_at"])
