"""`/v1/stocktakes`: the counts of one reference that wait, decided on together."""

from dataclasses import asdict
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from services.ledger.api.deciding import Decider
from services.ledger.api.reservations import Reference
from services.ledger.domain.counts import CountState
from services.ledger.store.stocktakes import (
    Chosen,
    Decision,
    MoreThanSeenError,
    Stocktakes,
    Undecided,
)
from shared.database.audit import Doer
from shared.events.base import Code
from shared.http.auth import Scope, require
from shared.http.pages import LAST, Cursor, Limit, Page, decode_cursor, page_of
from shared.http.problems import Problem

router = APIRouter(tags=["counts"], dependencies=[Depends(require(Scope.STOCK_READ))])
deciding = APIRouter(prefix="/v1/stocktakes", tags=["counts"])
"""Routes with a scope of their own: who decides need not be able to read."""


class Stocktake(BaseModel):
    """The counts of a reference in a warehouse that wait in one state, added up.

    `variance` is counted less expected, in base units; `absolute_variance` the same without signs.
    `variance_money` is of the counts whose goods had a cost, null without one; `without_cost` the
    number of the others. `up_to` is the id of the newest: who decides says that this was seen.
    """

    reference: str
    warehouse: str
    state: Undecided
    counts: int
    variance: int
    absolute_variance: int
    variance_money: Decimal | None
    without_cost: int
    up_to: int


class Choice(BaseModel):
    """Which counts are decided on: those of a reference that wait in `state`, up to an id.

    `up_to` and `counts` are those of the stocktake as it was looked at, added up where there is no
    warehouse (then those of all are meant). By default counts that somebody has asked to be taken
    again are left alone.
    """

    reference: Reference
    up_to: Annotated[int, Field(ge=1, lt=2**63)]
    counts: Annotated[int, Field(ge=1, lt=2**63)]
    warehouse: Code | None = None
    state: Undecided = CountState.WAITING


class Decided(BaseModel):
    """How many counts were decided on, and how many of those chosen are left."""

    decided: int
    left: int


async def _stocktakes(request: Request) -> Stocktakes:
    found: Stocktakes = request.app.state.stocktakes
    return found


FromStocktakes = Annotated[Stocktakes, Depends(_stocktakes)]


@router.get("/v1/stocktakes")
async def list_stocktakes(
    stocktakes: FromStocktakes,
    reference: Annotated[Reference | None, Query()] = None,
    warehouse: Code | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Stocktake]:
    """Return the stocktakes of which counts wait, the one with the newest such count first."""
    seen, before = (LAST, LAST) if cursor is None else decode_cursor(cursor, int, int)
    rows = await stocktakes.page(
        reference=reference, warehouse=warehouse, seen=int(seen), before=int(before), limit=limit
    )
    newest = rows[0].place if rows and cursor is None else seen
    return page_of(
        rows,
        limit,
        lambda each: [newest, each.place],
        lambda each: Stocktake.model_validate(asdict(each)),
    )


@deciding.post("/approve")
async def approve(choice: Choice, stocktakes: FromStocktakes, doer: Decider) -> Decided:
    """Let all chosen counts stand, each at the instant at which it was taken.

    A thousand are decided on at once, 20,000 in one request. Send it again with `left` for `counts`
    until nothing is left; after a 503 look at the stocktake again first. What was decided on stays
    so.
    """
    return await _decided(choice, CountState.APPROVED, stocktakes, doer)


@deciding.post("/reject")
async def reject(choice: Choice, stocktakes: FromStocktakes, doer: Decider) -> Decided:
    """Drop all chosen counts, as `approve` lets them stand."""
    return await _decided(choice, CountState.REJECTED, stocktakes, doer)


@deciding.post("/request-recount")
async def request_recount(choice: Choice, stocktakes: FromStocktakes, doer: Decider) -> Decided:
    """Ask for another count of each that is chosen, as `approve` lets them stand."""
    return await _decided(choice, CountState.RECOUNT_REQUESTED, stocktakes, doer)


async def _decided(choice: Choice, state: Decision, stocktakes: Stocktakes, doer: Doer) -> Decided:
    chosen = Chosen(choice.reference, choice.warehouse, choice.state, choice.up_to, choice.counts)
    try:
        decided, left = await stocktakes.decide(chosen, state, doer)
    except MoreThanSeenError as error:
        raise Problem(
            HTTPStatus.CONFLICT,
            "stocktake_changed",
            "More counts wait than were seen; look at the stocktake again, and decide anew.",
            decided=error.decided,
        ) from error
    return Decided(decided=decided, left=left)
