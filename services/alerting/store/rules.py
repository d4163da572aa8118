"""Rules and their versions."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class StoredRule:
    """One version of a rule; `body` is JSON."""

    id: str
    version: int
    body: str
    changed_by: str
    changed_at: datetime


_REVISION = text("SELECT revision FROM rule_book")

_NEXT_REVISION = text("UPDATE rule_book SET revision = revision + 1 RETURNING revision")

_NEWEST = text("""
SELECT DISTINCT ON (id) id, version, body::text, changed_by, changed_at
FROM rule
ORDER BY id, version DESC
""")

_PAGE = text("""
SELECT DISTINCT ON (id) id, version, body::text, changed_by, changed_at
FROM rule
WHERE id > :after
ORDER BY id, version DESC
LIMIT :limit
""")

_ONE = text("""
SELECT id, version, body::text, changed_by, changed_at
FROM rule
WHERE id = :id
ORDER BY version DESC
LIMIT 1
""")

_VERSIONS = text("""
SELECT id, version, body::text, changed_by, changed_at
FROM rule
WHERE id = :id AND version < :before
ORDER BY version DESC
LIMIT :limit
""")

_VERSION = text("""
SELECT id, version, body::text, changed_by, changed_at
FROM rule
WHERE id = :id AND version = :version
""")

_BY_IDEMPOTENCY_KEY = text("""
SELECT id, version, body::text, changed_by, changed_at FROM rule WHERE idempotency_key = :key
""")

_ADD = text("""
INSERT INTO rule (id, version, revision, body, changed_by, changed_at, idempotency_key)
VALUES (:id, :version, :revision, CAST(:body AS jsonb), :changed_by, :changed_at, :key)
""")


async def revision(connection: AsyncConnection) -> int:
    """Return the revision of the configuration, which grows with every edit."""
    found = await connection.scalar(_REVISION)
    return int(found or 0)


async def begin_edit(connection: AsyncConnection) -> int:
    """Take the next revision; other edits wait for this transaction."""
    return int((await connection.execute(_NEXT_REVISION)).scalar_one())


async def newest(connection: AsyncConnection) -> list[StoredRule]:
    """Return the newest version of every rule."""
    return [_stored(row) for row in (await connection.execute(_NEWEST)).mappings()]


async def page(connection: AsyncConnection, after: str, limit: int) -> list[StoredRule]:
    """Return the newest version of rules by id, those after an id."""
    rows = await connection.execute(_PAGE, {"after": after, "limit": limit})
    return [_stored(row) for row in rows.mappings()]


async def one(connection: AsyncConnection, rule_id: str) -> StoredRule | None:
    """Return the newest version of a rule."""
    row = (await connection.execute(_ONE, {"id": rule_id})).mappings().one_or_none()
    return None if row is None else _stored(row)


async def versions(
    connection: AsyncConnection, rule_id: str, before: int, limit: int
) -> list[StoredRule]:
    """Return the versions of a rule under a number, the newest first."""
    values = {"id": rule_id, "before": before, "limit": limit}
    rows = await connection.execute(_VERSIONS, values)
    return [_stored(row) for row in rows.mappings()]


async def version(connection: AsyncConnection, rule_id: str, number: int) -> StoredRule | None:
    """Return a version of a rule."""
    values = {"id": rule_id, "version": number}
    row = (await connection.execute(_VERSION, values)).mappings().one_or_none()
    return None if row is None else _stored(row)


async def by_idempotency_key(connection: AsyncConnection, key: str) -> StoredRule | None:
    """Return the rule that a request with this key has made."""
    row = (await connection.execute(_BY_IDEMPOTENCY_KEY, {"key": key})).mappings().one_or_none()
    return None if row is None else _stored(row)


async def add(
    connection: AsyncConnection, rule: StoredRule, at_revision: int, key: str | None = None
) -> None:
    """Store a version of a rule; `at_revision` comes from `begin_edit`."""
    await connection.execute(
        _ADD,
        {
            "id": rule.id,
            "version": rule.version,
            "revision": at_revision,
            "body": rule.body,
            "changed_by": rule.changed_by,
            "changed_at": rule.changed_at,
            "key": key,
        },
    )


def _stored(row: RowMapping) -> StoredRule:
    return StoredRule(**row)
