"""Playbooks and their versions."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.direct import Direct
from shared.events.stock_alerts import AlertLevel


@dataclass(frozen=True, slots=True)
class StoredPlaybook:
    """One version of a playbook; `body` is JSON."""

    id: str
    version: int
    body: str
    changed_by: str
    changed_at: datetime


_COLUMNS = "id, version, body::text AS body, changed_by, changed_at"

_NEWEST = f"SELECT DISTINCT ON (id) {_COLUMNS} FROM playbook"  # noqa: S608 - the columns are ours

_PAGE = text(f"{_NEWEST} WHERE id > :after ORDER BY id, version DESC LIMIT :limit")

_ONE = text(f"{_NEWEST} WHERE id = :id ORDER BY id, version DESC")

_IN_USE = Direct(f"""
SELECT * FROM ({_NEWEST} ORDER BY id, version DESC) AS newest
WHERE coalesce((body::jsonb ->> 'enabled')::boolean, true)
  AND (id = ANY(CAST(:ids AS text[]))
       OR jsonb_array_length(coalesce(body::jsonb -> 'default_for', '[]')) > 0)
""")  # noqa: S608 - as above

_DEFAULT_FOR = text(f"""
SELECT id FROM ({_NEWEST} ORDER BY id, version DESC) AS newest
WHERE id <> :id AND coalesce((body::jsonb ->> 'enabled')::boolean, true)
  AND body::jsonb -> 'default_for' ?| CAST(:levels AS text[])
ORDER BY id
LIMIT 1
""")  # noqa: S608 - as above

_ADD = text("""
INSERT INTO playbook (id, version, body, changed_by, changed_at)
VALUES (:id, :version, CAST(:body AS jsonb), :changed_by, :changed_at)
""")

# Edits take turns: of two at once one would find a default that the other is about to make.
_LOCK = text("LOCK TABLE playbook IN SHARE ROW EXCLUSIVE MODE")


async def begin_edit(connection: AsyncConnection) -> None:
    """Let other edits wait for this transaction."""
    await connection.execute(_LOCK)


async def page(connection: AsyncConnection, after: str, limit: int) -> list[StoredPlaybook]:
    """Return the newest version of playbooks by id, those after an id."""
    rows = await connection.execute(_PAGE, {"after": after, "limit": limit})
    return [_stored(row) for row in rows.mappings()]


async def one(connection: AsyncConnection, playbook_id: str) -> StoredPlaybook | None:
    """Return the newest version of a playbook."""
    row = (await connection.execute(_ONE, {"id": playbook_id})).mappings().one_or_none()
    return None if row is None else _stored(row)


async def in_use(connection: AsyncConnection, ids: Collection[str]) -> list[StoredPlaybook]:
    """Return the enabled playbooks among some, and all that are the default for some level."""
    return [_stored(row) for row in await _IN_USE.rows(connection, ids=list(ids))]


async def default_besides(
    connection: AsyncConnection, playbook_id: str, levels: Collection[AlertLevel]
) -> str | None:
    """Return another enabled playbook that is the default for one of some levels."""
    values = {"id": playbook_id, "levels": [level.value for level in levels]}
    found: str | None = await connection.scalar(_DEFAULT_FOR, values)
    return found


async def add(connection: AsyncConnection, playbook: StoredPlaybook) -> None:
    """Store a version of a playbook."""
    await connection.execute(
        _ADD,
        {
            "id": playbook.id,
            "version": playbook.version,
            "body": playbook.body,
            "changed_by": playbook.changed_by,
            "changed_at": playbook.changed_at,
        },
    )


def _stored(row: RowMapping) -> StoredPlaybook:
    return StoredPlaybook(**row)
