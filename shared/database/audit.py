"""The audit: everything that people do, who, when, from where; only ever added to.

Each service has one in its own schema, written in the transaction that does what it tells of.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database.engine import asking

_TABLE = """
CREATE TABLE audit (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL,
    actor    text        NOT NULL,
    address  text,
    via      text,
    what     text        NOT NULL,
    target   text        NOT NULL,
    before   jsonb,
    after    jsonb
)
"""

# Rights would not do: tables belong to the service's own user, who could give them back to itself.
_REFUSE = """
CREATE OR REPLACE FUNCTION refuse_to_alter_the_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is only ever added to (% refused)', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$
"""

_KEEP = """
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_alter_the_audit()
"""

CREATE = (
    _TABLE,
    "CREATE INDEX audit_by_actor ON audit (actor, id)",
    "CREATE INDEX audit_by_what ON audit (what, id)",
    "CREATE INDEX audit_by_target ON audit (target, id)",
    _REFUSE,
    _KEEP,
)
"""What the migration executes that gives a service its audit."""


@dataclass(frozen=True, slots=True)
class Doer:
    """Who does it, when, and from where: the client's address and what program it is."""

    actor: str
    at: datetime
    address: str | None = None
    via: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Something done to a target; None before: it was not there, None after: it is not now."""

    what: str
    target: str
    before: object = None
    after: object = None


@dataclass(frozen=True, slots=True)
class Audited:
    """An entry of the audit."""

    id: int
    at: datetime
    actor: str
    address: str | None
    via: str | None
    what: str
    target: str
    before: Any
    after: Any


_ADD = text("""
INSERT INTO audit (at, actor, address, via, what, target, before, after)
SELECT :at, :actor, :address, :via, n.what, n.target, n.before::jsonb, n.after::jsonb
FROM unnest(CAST(:what AS text[]), CAST(:target AS text[]), CAST(:before AS text[]),
            CAST(:after AS text[]))
     WITH ORDINALITY AS n (what, target, before, after, position)
ORDER BY n.position
""")

_PAGE = text("""
SELECT id, at, actor, address, via, what, target, before::text AS before, after::text AS after
FROM audit
WHERE id < :before_id
  AND (CAST(:actor AS text) IS NULL OR actor = :actor)
  AND (CAST(:what AS text) IS NULL OR what = :what OR starts_with(what, :what || '.'))
  AND (CAST(:target AS text) IS NULL OR target = :target)
  AND (CAST(:since AS timestamptz) IS NULL OR at >= :since)
  AND (CAST(:until AS timestamptz) IS NULL OR at < :until)
ORDER BY id DESC
LIMIT :limit
""")


async def add(connection: AsyncConnection, doer: Doer, *done: Done) -> None:
    """Note what is done, in the transaction that does it: there is never one without the other."""
    if done:
        await connection.execute(
            _ADD,
            {
                "at": doer.at,
                "actor": doer.actor,
                "address": doer.address,
                "via": doer.via,
                "what": [each.what for each in done],
                "target": [each.target for each in done],
                "before": [_json(each.before) for each in done],
                "after": [_json(each.after) for each in done],
            },
        )


class AuditTrail:
    """The audit as it is asked for."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(
        self,
        *,
        actor: str | None,
        what: str | None,
        target: str | None,
        since: datetime | None,
        until: datetime | None,
        before: int,
        limit: int,
    ) -> list[Audited]:
        """Return entries, the newest first; `what` may be the part in front of the point.

        Raises Unavailable (503) while the database is away.
        """
        parameters = {
            "actor": actor,
            "what": what,
            "target": target,
            "since": since,
            "until": until,
            "before_id": before,
            "limit": limit,
        }

        async def page() -> list[Audited]:
            async with self._engine.connect() as connection:
                rows = await connection.execute(_PAGE, parameters)
                return [_audited(row) for row in rows.mappings()]

        return await asking(page)


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _audited(row: RowMapping) -> Audited:
    parts = {name: row[name] and json.loads(row[name]) for name in ("before", "after")}
    return Audited(**{**row, **parts})
