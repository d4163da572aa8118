"""`/v1/suppliers`: who is ordered from, and when what is collected leaves."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.alerting.api.desk import AtDesk, Editor, doer_of
from services.alerting.api.ids import GivenId
from services.alerting.domain.office_hours import Zone
from services.alerting.domain.parameter_values import Money
from services.alerting.domain.suppliers import Supplier as StoredSupplier
from services.alerting.domain.texts import Name
from services.alerting.store import suppliers
from services.alerting.store.audit import What
from shared.database import audit
from shared.database.audit import Done
from shared.database.engine import Connection
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, after_text, page_of
from shared.http.problems import not_found
from shared.mail_addresses import MailAddress

router = APIRouter(
    prefix="/v1/suppliers", tags=["actions"], dependencies=[Depends(require(Scope.ALERTS_READ))]
)

_Weekday = Annotated[int, Field(ge=1, le=7)]


class SupplierBody(BaseModel):
    """A supplier; the id is what the parameter `supplier` says.

    What is collected leaves as one order when it is worth the `minimum`, or at `order_hour` of the
    next of `order_weekdays` (1 is Monday) in the supplier's zone; with neither, when somebody
    places it. `language` is that of the page and sheet that the supplier sees.
    """

    model_config = ConfigDict(extra="forbid")

    name: Name
    language: Literal["zh-CN", "en"] = "zh-CN"
    timezone: Zone = "Asia/Shanghai"
    email: MailAddress | None = None
    minimum: Money | None = None
    order_weekdays: Annotated[tuple[_Weekday, ...], Field(max_length=7)] = ()
    order_hour: Annotated[int, Field(ge=0, le=23)] = 16


class Supplier(SupplierBody):
    """A supplier."""

    id: str

    @classmethod
    def of(cls, stored: StoredSupplier) -> Self:
        """Return a stored supplier as it is answered."""
        return cls.model_validate(stored, from_attributes=True)


@router.get("")
async def list_suppliers(at: AtDesk, cursor: Cursor = None, limit: Limit = 100) -> Page[Supplier]:
    """Return suppliers, by id."""
    after = after_text(cursor)
    found = await at.ask(lambda connection: suppliers.page(connection, after, limit))
    return page_of(found, limit, lambda each: [each.id], Supplier.of)


@router.get("/{supplier_id}")
async def get_supplier(supplier_id: GivenId, at: AtDesk) -> Supplier:
    """Return a supplier."""
    found = await at.ask(lambda connection: suppliers.one(connection, supplier_id))
    if found is None:
        raise not_found(f"supplier {supplier_id}")
    return Supplier.of(found)


@router.put("/{supplier_id}")
async def put_supplier(
    supplier_id: GivenId, body: SupplierBody, request: Request, at: AtDesk, editor: Editor
) -> Supplier:
    """Make or change a supplier."""
    doer = doer_of(request, editor, at)
    supplier = StoredSupplier(id=supplier_id, **body.model_dump(), days_since=doer.at)

    async def put(connection: Connection) -> None:
        before = await suppliers.one(connection, supplier_id)
        await suppliers.put(connection, supplier)
        if before != supplier:
            was = None if before is None else _audited(before)
            done = Done(What.SUPPLIER_PUT, supplier_id, was, _audited(supplier))
            await audit.add(connection, doer, done)

    await at.change(put)
    return Supplier.of(supplier)


@router.delete("/{supplier_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_supplier(
    supplier_id: GivenId, request: Request, at: AtDesk, editor: Editor
) -> Response:
    """Delete a supplier; what was ordered stays, and open orders then leave by hand only."""
    doer = doer_of(request, editor, at)

    async def delete(connection: Connection) -> None:
        before = await suppliers.one(connection, supplier_id)
        await suppliers.delete(connection, supplier_id)
        if before is not None:
            done = Done(What.SUPPLIER_DELETED, supplier_id, _audited(before))
            await audit.add(connection, doer, done)

    await at.change(delete)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _audited(supplier: StoredSupplier) -> dict[str, object]:
    values = asdict(supplier)
    del values["days_since"]  # it is when that was done
    return values
