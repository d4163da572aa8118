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
from services.alerting.store import audit
from services.alerting.store.audit import Doer, Done, What

Table = Literal["working_calendar", "rotation"]


class Stored(NamedTuple):
    """One of them; `body` is JSON."""

    id: str
    body: str


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
