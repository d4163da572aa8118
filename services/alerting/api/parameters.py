"""`/v1/parameters`: what was set for SKUs, by whom and when."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from services.alerting.api import parameter_import
from services.alerting.api.desk import AtDesk, Editor, doer_of
from services.alerting.api.parameter_import import Imported
from services.alerting.domain.parameter_values import ParameterLine, ParameterValues
from services.alerting.domain.parameters import (
    NOTHING_SET,
    Parameters,
    ParameterSet,
    Provenance,
    Source,
)
from services.alerting.store import parameters
from services.alerting.store.audit import What
from shared.database import audit
from shared.database.audit import Doer, Done
from shared.database.engine import Connection
from shared.events.base import Code
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, after_text, decode_cursor, page_of
from shared.http.problems import Problem, not_found

router = APIRouter(
    prefix="/v1/parameters", tags=["parameters"], dependencies=[Depends(require(Scope.ALERTS_READ))]
)

Sku = Annotated[Code, Query(description="In the query, since a code may hold a slash")]
Warehouse = Annotated[Code | None, Query(description="Left out: what holds for all warehouses")]


class Origin(BaseModel):
    """Where a value comes from: typed in or imported, by whom, when."""

    source: Source
    by: str
    at: datetime


class ParametersOfSku(BaseModel):
    """What is set for a SKU; without a warehouse: for all that have no value of their own.

    Quantities in base units, lead time in days from ordering to receiving (mean and standard
    deviation), money in the currency of the books. `provenance` by name of the value.
    """

    sku: str
    warehouse: str | None
    safety_stock: int | None
    reorder_point: int | None
    order_quantity: int | None
    moq: int | None
    pack_multiple: int | None
    lead_time_days: float | None
    lead_time_sd_days: float | None
    stock_class: str | None
    supplier: str | None
    unit_cost: Decimal | None
    price: Decimal | None
    provenance: dict[str, Origin]

    @classmethod
    def of(cls, stored: ParameterSet) -> Self:
        """Return a stored set as it is answered."""
        return cls(
            sku=stored.sku,
            warehouse=stored.warehouse,
            provenance={
                name: Origin(source=each.source, by=each.by, at=each.at)
                for name, each in sorted(stored.provenance.items())
            },
            **stored.values._asdict(),
        )


@router.get("")
async def list_parameters(
    at: AtDesk,
    sku: Code | None = None,
    warehouse: Code | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[ParametersOfSku]:
    """Return what is set, by SKU and warehouse; what is for all warehouses comes first."""
    after = ("", "")
    if cursor is not None:
        after_sku, after_warehouse = decode_cursor(cursor, str, str)
        after = (str(after_sku), str(after_warehouse))
    found = await at.ask(
        lambda connection: parameters.page(connection, after, limit, sku=sku, warehouse=warehouse)
    )
    return page_of(found, limit, lambda each: [each.sku, each.warehouse or ""], ParametersOfSku.of)


class Deciding(StrEnum):
    """A parameter that scopes of rules and the table of responsibilities go by."""

    STOCK_CLASS = "stock_class"
    SUPPLIER = "supplier"


class UnknownOfSku(BaseModel):
    """A SKU of which a parameter is not known, in these of the warehouses that have it."""

    sku: str
    name: str | None
    warehouses: list[str]


class UnknownCounts(BaseModel):
    """Of how many SKUs each is not known, in one warehouse at least."""

    stock_class: int
    supplier: int


@router.get("/unknown")
async def list_unknown(
    of: Deciding, at: AtDesk, cursor: Cursor = None, limit: Limit = 100
) -> Page[UnknownOfSku]:
    """Return stocked SKUs of which class or supplier is not known, by SKU.

    Neither was set, nor does the catalogue say it; in each warehouse that ever told of a level.
    """
    after = after_text(cursor)
    found = await at.ask(lambda connection: parameters.unknown(connection, of, after, limit))
    items = at.catalogue.items

    def shown(each: parameters.Unknown) -> UnknownOfSku:
        item = items.get(each.sku)
        return UnknownOfSku(**each._asdict(), name=item.name if item else None)

    return page_of(found, limit, lambda each: [each.sku], shown)


@router.get("/unknown/summary")
async def count_unknown(at: AtDesk) -> UnknownCounts:
    """Return of how many stocked SKUs class or supplier is not known."""
    counts = await at.ask(lambda connection: parameters.count_unknown(connection, [*Deciding]))
    return UnknownCounts(**counts)


@router.put("")
async def put_parameters(
    values: ParameterValues,
    request: Request,
    at: AtDesk,
    editor: Editor,
    sku: Sku,
    warehouse: Warehouse = None,
) -> ParametersOfSku:
    """Set the parameters of a SKU, all of them: what is left out is not set any more.

    Consumers go by them within a second. A value said again as it was keeps its provenance.
    """
    doer = doer_of(request, editor, at)
    provenance = Provenance(Source.TYPED, doer.actor, doer.at)

    async def put(connection: Connection) -> ParameterSet:
        revision = await parameters.begin_edit(connection)
        before = await _known(connection, sku, warehouse)
        after = before.told(values.parameters(), Parameters._fields, provenance)
        if after is not before:
            await _store(connection, [(before, after)], revision, doer)
        return after

    return ParametersOfSku.of(await at.change(put))


@router.delete("")
async def delete_parameters(
    request: Request, at: AtDesk, editor: Editor, sku: Sku, warehouse: Warehouse = None
) -> ParametersOfSku:
    """Take away what is set for a SKU in a warehouse (or for all of them); returns what it was."""
    doer = doer_of(request, editor, at)

    async def delete(connection: Connection) -> ParameterSet:
        revision = await parameters.begin_edit(connection)
        before = await _known(connection, sku, warehouse)
        if before.values == NOTHING_SET:
            where = "all warehouses" if warehouse is None else f"warehouse {warehouse}"
            raise not_found(f"parameter of {sku} for {where}")
        await _store(connection, [(before, ParameterSet(sku, warehouse))], revision, doer)
        return before

    return ParametersOfSku.of(await at.change(delete))


@router.post("/import", openapi_extra=parameter_import.request_body())
async def import_parameters(request: Request, at: AtDesk, editor: Editor) -> Imported:
    """Set the parameters of up to 20,000 SKUs and warehouses at once.

    Each line is taken as a whole or rejected with what to do about it; sending the same again
    changes nothing. Values left out (in CSV: empty cells) stay as they are, null takes one away.
    422 when no line can be taken.
    """
    body, kind = await request.body(), request.headers.get("content-type", "")
    sheet = await asyncio.to_thread(parameter_import.read, body, kind)
    if sheet.rejected and not sheet.lines:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid",
            "No line can be taken; see errors.",
            errors=[each.model_dump() for each in sheet.rejected],
        )
    doer = doer_of(request, editor, at)
    created, changed = await at.change(lambda connection: _take(connection, sheet.lines, doer))
    return Imported(
        created=created,
        changed=changed,
        unchanged=len(sheet.lines) - created - changed,
        rejected=sheet.rejected,
    )


async def _take(
    connection: Connection, lines: Sequence[ParameterLine], doer: Doer
) -> tuple[int, int]:
    """Store lines; returns how many sets are new, and how many others have changed."""
    provenance = Provenance(Source.IMPORTED, doer.actor, doer.at)
    revision = await parameters.begin_edit(connection)
    keys = [(line.sku, line.warehouse) for line in lines]
    known = await parameters.of_keys(connection, keys)
    differing: list[tuple[ParameterSet, ParameterSet]] = []
    created = 0
    for line, key in zip(lines, keys, strict=True):
        before = known.get(key) or ParameterSet(*key)
        after = before.told(line.parameters(), line.said, provenance)
        if after is not before:
            differing.append((before, after))
            created += before.values == NOTHING_SET
    if differing:
        await _store(connection, differing, revision, doer)
    return created, len(differing) - created


async def _store(
    connection: Connection,
    changed: Sequence[tuple[ParameterSet, ParameterSet]],
    revision: int,
    doer: Doer,
) -> None:
    """Store sets that differ from what they were, and note by what values."""
    await parameters.put(connection, [after for _, after in changed], revision)
    await audit.add(connection, doer, *(_done(before, after) for before, after in changed))


def _done(before: ParameterSet, after: ParameterSet) -> Done:
    names = [
        name
        for name, old, new in zip(Parameters._fields, before.values, after.values, strict=True)
        if old != new
    ]
    where = after.sku if after.warehouse is None else f"{after.sku}|{after.warehouse}"
    was, now = before.values._asdict(), after.values._asdict()
    return Done(
        What.PARAMETERS_PUT,
        where,
        {name: was[name] for name in names},
        {name: now[name] for name in names},
    )


async def _known(connection: Connection, sku: str, warehouse: str | None) -> ParameterSet:
    known = await parameters.of_keys(connection, [(sku, warehouse)])
    return known.get((sku, warehouse)) or ParameterSet(sku, warehouse)
