"""`/v1/counts`, `/v1/count-tolerances`, `/v1/accuracy`: counts as people work with them."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from services.ledger.api.deciding import Decider
from services.ledger.api.reservations import Reference
from services.ledger.domain.counts import CountState, Tolerance
from services.ledger.store.sheets import CountRow, Sheets
from shared.database.audit import Doer
from shared.events.base import MAX_QUANTITY, Code, Instant, plain_zero
from shared.events.stock_changes import Bucket
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from shared.http.problems import Problem, not_found

router = APIRouter(tags=["counts"], dependencies=[Depends(require(Scope.STOCK_READ))])
deciding = APIRouter(tags=["counts"])
"""Routes with a scope of their own: who decides need not be able to read."""


class Count(BaseModel):
    """A count of what is on hand, or of another `bucket`, beside what was expected.

    `expected` is what there was of that just before it, in the order in which things happened, as
    known when it arrived. `variance` is counted less expected, `variance_money` at the cost known
    then, null without one. `within` its tolerance; without one, only what was expected is. A
    decision takes effect at `settled_at`, a moment later.
    """

    id: int
    sku: str
    sku_name: str | None
    warehouse: str
    bucket: Bucket
    state: CountState
    counted: int
    expected: int
    variance: int
    variance_money: Decimal | None
    within: bool
    channel: str
    change_id: str
    line: str
    reason: str | None
    reference: str | None
    actor: str | None
    occurred_at: datetime
    received_at: datetime
    recorded_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    settled_at: datetime | None

    @classmethod
    def of(cls, row: CountRow) -> Self:
        """Return a stored count as it is answered."""
        variance = row.counted - row.expected
        money = None if row.cost is None else variance * row.cost
        return cls(variance=variance, variance_money=money, **_without_cost(row))


def _without_cost(row: CountRow) -> dict[str, object]:
    fields: dict[str, object] = asdict(row)
    del fields["cost"]
    return fields


_Percent = Annotated[Decimal, Field(ge=0, le=1000, decimal_places=3), AfterValidator(plain_zero)]
_Money = Annotated[
    Decimal, Field(ge=0, max_digits=18, decimal_places=4), AfterValidator(plain_zero)
]


class Limits(BaseModel):
    """How far a count may be from what was expected; the first limit exceeded is one too many.

    `percent` is of what was expected, `money` at the cost of the goods. A limit left out does not
    matter; one at least is needed.
    """

    units: Annotated[int, Field(ge=0, le=MAX_QUANTITY)] | None = None
    percent: _Percent | None = None
    money: _Money | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.units is None and self.percent is None and self.money is None:
            raise PydanticCustomError(
                "no_limit", "a tolerance needs a limit; send units, percent or money"
            )
        return self


class CountTolerance(Limits):
    """The tolerance of a class of goods in a warehouse; null stands for all of them."""

    stock_class: str | None
    warehouse: str | None


class Accuracy(BaseModel):
    """How right the records of a warehouse were, by its counts of on hand.

    `accuracy` is the share of counts that were within tolerance. Variances are added up without
    their sign; in money, of the counts whose goods had a cost.
    """

    warehouse: str
    counts: int
    within: int
    accuracy: float
    variance_units: int
    variance_money: Decimal
    without_cost: int


async def _sheets(request: Request) -> Sheets:
    found: Sheets = request.app.state.sheets
    return found


FromSheets = Annotated[Sheets, Depends(_sheets)]
Number = Annotated[int, Path(ge=1, lt=2**63)]
Class = Annotated[Code | None, Query(alias="class", description="A class of goods; all without")]
Warehouse = Annotated[Code | None, Query(description="A warehouse; all without")]


@router.get("/v1/counts")
async def list_counts(
    sheets: FromSheets,
    sku: Code | None = None,
    warehouse: Code | None = None,
    state: CountState | None = None,
    reference: Annotated[Reference | None, Query(description="A stocktake's")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Count]:
    """Return counts, the newest recorded first."""
    before = int(decode_cursor(cursor, int)[0]) if cursor else None
    rows = await sheets.page(
        sku=sku,
        warehouse=warehouse,
        state=state,
        reference=reference,
        before=before,
        limit=limit,
    )
    return Page(
        items=[Count.of(row) for row in rows],
        next_cursor=encode_cursor(rows[-1].id) if len(rows) == limit else None,
    )


@router.get("/v1/counts/{number}")
async def count(number: Number, sheets: FromSheets) -> Count:
    """Return one count."""
    return Count.of(_found(number, await sheets.one(number)))


@deciding.post("/v1/counts/{number}/approve")
async def approve(number: Number, sheets: FromSheets, doer: Decider) -> Count:
    """Let a count that waits stand, at the instant at which it was taken."""
    return await _decided(number, CountState.APPROVED, sheets, doer)


@deciding.post("/v1/counts/{number}/reject")
async def reject(number: Number, sheets: FromSheets, doer: Decider) -> Count:
    """Drop a count that waits."""
    return await _decided(number, CountState.REJECTED, sheets, doer)


@deciding.post("/v1/counts/{number}/request-recount")
async def request_recount(number: Number, sheets: FromSheets, doer: Decider) -> Count:
    """Ask for another count: one that is newer and holds settles this one, which waits on."""
    return await _decided(number, CountState.RECOUNT_REQUESTED, sheets, doer)


@router.get("/v1/accuracy")
async def accuracy(
    sheets: FromSheets,
    start: Annotated[Instant | None, Query(alias="from", description="First instant")] = None,
    end: Annotated[Instant | None, Query(alias="to", description="First instant after")] = None,
    warehouse: Code | None = None,
) -> Page[Accuracy]:
    """Return how right the records were when on hand was counted, by warehouse.

    Counts that were rejected or settled by a newer one are left out.
    """
    rows = await sheets.accuracy(start=start, end=end, warehouse=warehouse)
    return Page(items=[Accuracy(**asdict(row), accuracy=row.within / row.counts) for row in rows])


@router.get("/v1/count-tolerances")
async def count_tolerances(sheets: FromSheets) -> Page[CountTolerance]:
    """Return all tolerances, the general ones first."""
    return Page(items=[CountTolerance(**asdict(each)) for each in await sheets.tolerances()])


@deciding.put("/v1/count-tolerances")
async def put_count_tolerance(
    limits: Limits,
    sheets: FromSheets,
    doer: Decider,
    stock_class: Class = None,
    warehouse: Warehouse = None,
) -> CountTolerance:
    """Set how far counts may be off, for a class of goods, a warehouse, both, or all.

    The most specific tolerance holds; a class is more specific than a warehouse. It concerns the
    counts that arrive from now on.
    """
    tolerance = Tolerance(stock_class, warehouse, **limits.model_dump())
    await sheets.put_tolerance(tolerance, doer)
    return CountTolerance(**asdict(tolerance))


@deciding.delete("/v1/count-tolerances", status_code=HTTPStatus.NO_CONTENT)
async def delete_count_tolerance(
    sheets: FromSheets,
    doer: Decider,
    stock_class: Class = None,
    warehouse: Warehouse = None,
) -> Response:
    """Forget the tolerance of a class of goods, a warehouse, both, or all."""
    await sheets.delete_tolerance(stock_class, warehouse, doer)
    return Response(status_code=HTTPStatus.NO_CONTENT)


_UNDONE: Mapping[CountState, str] = {
    CountState.APPLIED: "It was applied when it arrived.",
    CountState.APPROVED: "It was approved.",
    CountState.REJECTED: "It was rejected.",
    CountState.SUPERSEDED: "A newer count of the level holds.",
}


async def _decided(number: int, state: CountState, sheets: Sheets, doer: Doer) -> Count:
    row = _found(number, await sheets.decide(number, state, doer))
    if row.state != state:
        raise Problem(
            HTTPStatus.CONFLICT,
            "count_settled",
            f"Count {number} does not wait any more. {_UNDONE[CountState(row.state)]}",
            state=row.state,
        )
    return Count.of(row)


def _found(number: int, row: CountRow | None) -> CountRow:
    if row is None:
        raise not_found(f"count {number}; see GET /v1/counts")
    return row
