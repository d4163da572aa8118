"""Working calendars and rotations: kept as they were written."""

import json
from collections.abc import Collection
from typing import Literal, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.office_hours import CalendarDefinition
from services.alerting.domain.rotation import Rotation
from services.alerting.domain.turns import RotationDefinition
from services.alerting.domain.working_time import WorkingCalendar
from services.alerting.store.audit import What
from shared.database import audit
from shared.database.audit import Doer, Done

Table = Literal["working_calendar", "rotation"]


class Stored(NamedTuple):
    """One of them; `body` is JSON."""

    id: str
    body: str


_NEWEST = "SELECT DISTINCT ON (id) id, body::jsonb AS body FROM {} ORDER BY id, version DESC"
_IS_IT = "jsonb_path_exists({}, '{} ? (@ == $id)', jsonb_build_object('id', CAST(:id AS text)))"


def _followed(path: str) -> str:
    """Return the query for playbooks in force, and open alerts following one, that name it."""
    return f"""
SELECT 'playbook ' || id AS place FROM ({_NEWEST.format("playbook")}) AS p
WHERE coalesce((body ->> 'enabled')::boolean, true) AND {_IS_IT.format("body", path)}
UNION ALL
SELECT 'open alerts that follow ' || (playbook ->> 'id') FROM alert
WHERE resolved_at IS NULL AND playbook IS NOT NULL AND {_IS_IT.format("playbook", path)}
GROUP BY playbook ->> 'id'
"""  # noqa: S608 - the names and paths are ours


_USERS = {
    "rotation": text(f"{_followed('$.steps.**.rotation')} ORDER BY place"),
    "working_calendar": text(f"""
{_followed("$.steps[*].calendar")}
UNION ALL
SELECT 'rule ' || id FROM ({_NEWEST.format("rule")}) AS r
WHERE (body ->> 'enabled')::boolean AND body -> 'active' ->> 'calendar' = :id
UNION ALL
SELECT 'the attention policy' FROM attention_policy WHERE body ->> 'calendar' = :id
ORDER BY place
"""),  # noqa: S608 - as above
}


async def page(connection: AsyncConnection, table: Table, after: str, limit: int) -> list[Stored]:
    """Return some by id, those after an id."""
    statement = text(
        f"SELECT id, body::text FROM {table} WHERE id > :after ORDER BY id LIMIT :limit"  # noqa: S608 - the names are ours
    )
    rows = await connection.execute(statement, {"after": after, "limit": limit})
    return [Stored(*row) for row in rows]


async def some(connection: AsyncConnection, table: Table, ids: Collection[str]) -> dict[str, str]:
    """Return the bodies of those of some ids that there are."""
    if not ids:
        return {}
    statement = text(
        f"SELECT id, body::text FROM {table} WHERE id = ANY(CAST(:ids AS text[]))"  # noqa: S608 - as above
    )
    return {row[0]: row[1] for row in await connection.execute(statement, {"ids": list(ids)})}


async def put(
    connection: AsyncConnection, table: Table, id_: str, body: str, what: What, doer: Doer
) -> None:
    """Store one, in the place of what was there; `what` it is in the audit."""
    before = (await some(connection, table, [id_])).get(id_)
    was, is_ = (each and json.loads(each) for each in (before, body))
    if was == is_:
        return
    statement = text(
        f"INSERT INTO {table} (id, body) VALUES (:id, CAST(:body AS jsonb)) "  # noqa: S608 - as above
        "ON CONFLICT (id) DO UPDATE SET body = EXCLUDED.body"
    )
    await connection.execute(statement, {"id": id_, "body": body})
    await audit.add(connection, doer, Done(what, id_, was, is_))


async def delete(
    connection: AsyncConnection, table: Table, id_: str, what: What, doer: Doer
) -> list[str] | None:
    """Delete one, unless it is named somewhere still: returns where; None if there is none.

    Whoever names one has to wait for this transaction.
    """
    before = (await some(connection, table, [id_])).get(id_)
    if before is None:
        return None
    places = [row.place for row in await connection.execute(_USERS[table], {"id": id_})]
    if not places:
        await connection.execute(text(f"DELETE FROM {table} WHERE id = :id"), {"id": id_})  # noqa: S608 - as above
        await audit.add(connection, doer, Done(what, id_, json.loads(before)))
    return places


async def calendars(
    connection: AsyncConnection, ids: Collection[str]
) -> dict[str, WorkingCalendar]:
    """Return the working calendars of some ids."""
    found = await some(connection, "working_calendar", ids)
    return {
        id_: CalendarDefinition.model_validate_json(body).calendar() for id_, body in found.items()
    }


async def rotations(connection: AsyncConnection, ids: Collection[str]) -> dict[str, Rotation]:
    """Return the rotations of some ids."""
    found = await some(connection, "rotation", ids)
    return {
        id_: RotationDefinition.model_validate_json(body).rotation() for id_, body in found.items()
    }
