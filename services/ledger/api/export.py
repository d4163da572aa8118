"""`/v1/export/levels`: all levels at one moment, as a table for people or lines for programs."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from services.ledger.api.dependencies import FromBooks
from services.ledger.api.levels import Level
from services.ledger.domain.flags import flags
from services.ledger.domain.past import Standing
from services.ledger.store.books import Frozen
from services.ledger.store.levels import LevelRow
from shared.events.base import Code
from shared.http.auth import Scope, require
from shared.http.problems import Problem
from shared.http.streaming import TimedStream

router = APIRouter(tags=["levels"])

MOST = 2
"""Exports at a time in a process: each holds a connection and a snapshot until it has ended."""

RETRY_SECONDS = 30
SEND_SECONDS = 10.0
"""A client that takes nothing for so long is given up, before the database ends the snapshot."""

PAGE = 500
"""Levels read and written at a time: some 15 ms in which the process answers nobody else."""

COLUMNS = (
    "sku", "warehouse", "on_hand", "reserved", "unavailable", "incoming", "available",
    "counted_at", "last_change_at", "sold_total", "returned_total", "received_total", "flags",
    "version",
)  # fmt: skip

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_BOM = "\ufeff".encode()


class Form(StrEnum):
    """How an export is written."""

    CSV = "csv"
    NDJSON = "ndjson"


_MEDIA_TYPES = {Form.CSV: "text/csv; charset=utf-8", Form.NDJSON: "application/x-ndjson"}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    HTTPStatus.OK.value: {
        "description": "All levels",
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/x-ndjson": {"itemSchema": {"$ref": "#/components/schemas/Level"}},
        },
    }
}


async def _frozen(request: Request, ledger: FromBooks) -> AsyncIterator[Frozen]:
    exports = request.app.state.exports
    if exports.locked():
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "too_many_exports",
            f"As many exports as may be are under way; try again in {RETRY_SECONDS} seconds.",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )
    async with exports, ledger.frozen() as frozen:
        yield frozen


@router.get(
    "/v1/export/levels",
    dependencies=[Depends(require(Scope.STOCK_READ))],
    response_class=TimedStream,
    responses=_ANSWERS,
)
async def export_levels(
    frozen: Annotated[Frozen, Depends(_frozen)],
    form: Annotated[Form, Query(alias="format", description="A table, or a level a line")],
    warehouse: Annotated[Code | None, Query(description="Only this one")] = None,
    bom: Annotated[
        bool, Query(description="Begin a CSV with a byte order mark, which Excel needs")
    ] = False,
) -> TimedStream:
    """Return all levels as they are at one moment, by SKU and warehouse.

    CSV is RFC 4180 in UTF-8, instants in ISO 8601; a code that a spreadsheet would take for a
    formula (`=`, `+`, `-`, `@` or a tab in front) gets an apostrophe in front. NDJSON has each
    level as `GET /v1/levels/{sku}/{warehouse}` answers it, and codes as they are. A client that
    takes nothing for 10 seconds is hung up on, and so is any when the database takes more than half
    a minute for the next levels; an export cut short ends without its last chunk.
    """
    return TimedStream(
        _table(frozen, warehouse, bom=bom) if form is Form.CSV else _lines(frozen, warehouse),
        send_seconds=SEND_SECONDS,
        media_type=_MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="levels.{form}"'},
    )


async def _table(frozen: Frozen, warehouse: str | None, *, bom: bool) -> AsyncIterator[bytes]:
    yield (_BOM if bom else b"") + as_csv([COLUMNS])
    async for rows in _pages(frozen, warehouse):
        yield as_csv(map(_cells, rows))


async def _lines(frozen: Frozen, warehouse: str | None) -> AsyncIterator[bytes]:
    async for rows in _pages(frozen, warehouse):
        yield "".join(f"{Level.of(row).model_dump_json()}\n" for row in rows).encode()


async def _pages(frozen: Frozen, warehouse: str | None) -> AsyncIterator[Sequence[LevelRow]]:
    after = ("", "")
    while rows := await frozen.page(warehouse=warehouse, after=after, limit=PAGE):
        yield rows
        after = (rows[-1].sku, rows[-1].warehouse)


def _cells(row: LevelRow) -> tuple[object, ...]:
    standing = Standing(row.on_hand, row.reserved, row.unavailable, row.incoming)
    return (
        row.sku,
        row.warehouse,
        *standing,
        standing.available,
        row.counted_at,
        row.last_change_at,
        row.sold_total,
        row.returned_total,
        row.received_total,
        " ".join(flags(row.on_hand, row.reserved, row.doubt)),
        row.version,
    )


def as_csv(rows: Iterable[Sequence[object]]) -> bytes:
    """Return rows as RFC 4180 says; texts that a spreadsheet would calculate are made harmless."""
    written = io.StringIO()
    csv.writer(written).writerows([_shown(cell) for cell in row] for row in rows)
    return written.getvalue().encode()


def _shown(cell: object) -> object:
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    if isinstance(cell, datetime):
        return cell.isoformat().replace("+00:00", "Z")
    return cell
