"""`/v1/warehouses`: where stock lies, each with the time zone its days are counted in."""

from functools import cache
from http import HTTPStatus
from typing import Annotated
from zoneinfo import available_timezones

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict

from services.ingest.api.changes import replay_waiting
from services.ingest.api.parts import MAY_READ, Editor, Given
from services.ingest.domain.catalogue import Label
from services.ingest.store import configuration
from services.ingest.store.database import Row
from services.ingest.store.quarantine import Filter
from shared.events.base import Code
from shared.http.pages import Cursor, Limit, Page, after_text, page_of
from shared.http.problems import Problem

routes = APIRouter(tags=["warehouses"])


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _iana(zone: str) -> str:
    if zone not in _zones():
        raise ValueError(f"{zone!r} is no IANA time zone; send one such as Asia/Shanghai")
    return zone


class WarehouseBody(BaseModel):
    """A warehouse as it is put."""

    model_config = ConfigDict(extra="forbid")

    name: Label
    zone: Annotated[str, AfterValidator(_iana)]


@routes.put("/v1/warehouses/{warehouse}")
async def put_warehouse(
    parts: Given, warehouse: Code, body: WarehouseBody, editor: Editor
) -> dict[str, object]:
    """Create or change a warehouse, and replay what waited for it."""
    try:
        row = await parts.database.write(
            configuration.put_warehouse, warehouse, body.name, body.zone, editor
        )
    except configuration.MappedError as error:
        raise Problem(HTTPStatus.CONFLICT, "is_mapped", f"{error}.") from error
    parts.publisher.wake()
    done = await replay_waiting(parts, Filter(spellings=(warehouse,)))
    return {**row, "replayed": done.replayed}


@routes.get("/v1/warehouses", dependencies=[MAY_READ])
async def get_warehouses(parts: Given, limit: Limit = 100, cursor: Cursor = None) -> Page[Row]:
    """List warehouses by id."""
    rows = await parts.database.read(configuration.warehouses, after_text(cursor), limit)
    return page_of(rows, limit, lambda row: [str(row["id"])], dict)
