"""`/v1/warehouse-groups`: warehouses that the table of responsibilities names together."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.alerting.api.desk import AtDesk, Editor, doer_of
from services.alerting.api.ids import MadeId
from services.alerting.api.working_calendars import deleted
from services.alerting.domain.texts import Name
from services.alerting.store import people, warehouse_groups
from services.alerting.store.audit import What
from services.alerting.store.warehouse_groups import WarehouseGroup as StoredGroup
from shared.database import audit
from shared.database.audit import Done
from shared.database.engine import Connection
from shared.events.base import Code
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, after_text, page_of
from shared.http.problems import not_found

router = APIRouter(
    prefix="/v1/warehouse-groups",
    tags=["people"],
    dependencies=[Depends(require(Scope.ALERTS_READ))],
)


class WarehouseGroupBody(BaseModel):
    """A group of warehouses, each once; a warehouse may be in several groups."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    warehouses: Annotated[list[Code], Field(min_length=1, max_length=5_000)]


class WarehouseGroup(WarehouseGroupBody):
    """A group of warehouses."""

    id: str

    @classmethod
    def of(cls, stored: StoredGroup) -> Self:
        """Return a stored group as it is answered."""
        return cls(id=stored.id, name=stored.name, warehouses=list(stored.warehouses))


@router.get("")
async def list_warehouse_groups(
    at: AtDesk, cursor: Cursor = None, limit: Limit = 100
) -> Page[WarehouseGroup]:
    """Return groups, by id."""
    after = after_text(cursor)
    found = await at.ask(lambda connection: warehouse_groups.page(connection, after, limit))
    return page_of(found, limit, lambda each: [each.id], WarehouseGroup.of)


@router.get("/{group_id}")
async def get_warehouse_group(group_id: MadeId, at: AtDesk) -> WarehouseGroup:
    """Return a group."""
    found = await at.ask(lambda connection: warehouse_groups.one(connection, group_id))
    if found is None:
        raise not_found(f"warehouse group {group_id}")
    return WarehouseGroup.of(found)


@router.put("/{group_id}")
async def put_warehouse_group(
    group_id: MadeId, body: WarehouseGroupBody, request: Request, at: AtDesk, editor: Editor
) -> WarehouseGroup:
    """Make or change a group; what opens from then on goes by it."""
    group = StoredGroup(group_id, body.name, tuple(sorted(set(body.warehouses))))
    doer = doer_of(request, editor, at)

    async def put(connection: Connection) -> None:
        await people.begin_edit(connection)
        before = await warehouse_groups.one(connection, group_id)
        if before != group:
            await warehouse_groups.put(connection, group)
            was = None if before is None else asdict(before)
            done = Done(What.WAREHOUSE_GROUP_PUT, group_id, was, asdict(group))
            await audit.add(connection, doer, done)

    await at.change(put)
    return WarehouseGroup.of(group)


@router.delete("/{group_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_warehouse_group(
    group_id: MadeId, request: Request, at: AtDesk, editor: Editor
) -> Response:
    """Delete a group; 409 `in_use` says which rows of the table name it."""
    doer = doer_of(request, editor, at)

    async def delete(connection: Connection) -> list[str] | None:
        await people.begin_edit(connection)
        before = await warehouse_groups.one(connection, group_id)
        if before is None:
            return None
        places = await warehouse_groups.delete(connection, group_id)
        if not places:
            done = Done(What.WAREHOUSE_GROUP_DELETED, group_id, asdict(before))
            await audit.add(connection, doer, done)
        return places

    return deleted(f"warehouse group {group_id}", await at.change(delete))
