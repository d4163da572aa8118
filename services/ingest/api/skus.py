"""`/v1/skus`: the catalogue of what is stocked, upserted in bulk."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from services.ingest.api.changes import check_size, error, refused, replay_waiting
from services.ingest.api.parts import MAY_READ, Editor, Given
from services.ingest.domain.catalogue import Conflict, SkuItem, repeated
from services.ingest.store import catalogue
from services.ingest.store.database import Row
from services.ingest.store.quarantine import Filter
from shared.events.base import Code
from shared.http.pages import Cursor, Limit, Page, after_text, page_of
from shared.http.problems import Problem, not_found

routes = APIRouter(tags=["catalogue"])


class SkusBody(BaseModel):
    """SKUs to create or change; those not named stay as they are."""

    model_config = ConfigDict(extra="forbid")

    items: list[SkuItem]


@routes.post("/v1/skus")
async def post_skus(parts: Given, body: SkusBody, editor: Editor) -> dict[str, int]:
    """Create or change up to 1,000 SKUs, and replay what waited for them.

    All or nothing. Fields left out stay as they are; sending the same again changes nothing.
    """
    check_size(body.items)
    conflicts = repeated(item.sku for item in body.items)
    if conflicts:
        raise _refused(conflicts)
    done = await parts.database.write(catalogue.upsert, body.items, editor)
    if done.conflicts:
        raise _refused(done.conflicts)
    parts.publisher.wake()
    # Unchanged items as well: it may be their first request's answer that was lost.
    codes = {code for item in body.items for code in (item.sku, *item.spellings)}
    waited = await replay_waiting(parts, Filter(spellings=tuple(codes)))
    return {
        "created": done.created,
        "updated": done.updated,
        "unchanged": done.unchanged,
        "replayed": waited.replayed,
    }


@routes.get("/v1/skus", dependencies=[MAY_READ])
async def get_skus(
    parts: Given,
    q: Annotated[str | None, Query(max_length=128, pattern=r"^[^\x00]*$")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Row]:
    """List SKUs by code; `q` looks into codes, names, aliases and barcodes."""
    rows = await parts.database.read(catalogue.search, q, after_text(cursor), limit)
    return page_of(rows, limit, lambda row: [str(row["sku"])], _public)


@routes.get("/v1/skus/{sku:path}", dependencies=[MAY_READ])
async def get_sku(parts: Given, sku: Code) -> dict[str, object]:
    """Return one SKU."""
    row = await parts.database.read(catalogue.find, sku)
    if row is None:
        raise not_found(f"SKU {sku}")
    return _public(row)


def _public(row: Row) -> Row:
    """Return a SKU as it is answered: money as decimal text, which no reader rounds."""
    money = {name: None if row[name] is None else str(row[name]) for name in ("cost", "price")}
    return {**row, **money}


def _refused(conflicts: Sequence[Conflict]) -> Problem:
    return refused([error(each.index, each.field, each.code, each.message) for each in conflicts])
