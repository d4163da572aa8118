"""`/v1/levels/{sku}/{warehouse}/projection`: what is to come (库存展望)."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from services.ledger.api.dependencies import FromBooks, FromClock
from services.ledger.domain.past import Standing
from services.ledger.domain.projection import Direction, project
from shared.events.base import Code, Instant
from shared.http.auth import Scope, require
from shared.http.problems import not_found

router = APIRouter(tags=["levels"], dependencies=[Depends(require(Scope.STOCK_READ))])


class LineAhead(BaseModel):
    """A dated line; `balance` is what would be available after it, `overdue`: its date is past."""

    type: Direction
    quantity: int
    due_at: datetime
    reference: str
    balance: int
    overdue: bool


class UndatedLine(BaseModel):
    """A supply without a date; it is in no balance."""

    type: Direction
    quantity: int
    reference: str


class Projection(BaseModel):
    """What is available at `now`, and how each dated line would change it.

    Lines are ordered by date, so overdue ones come first; they are counted as if they came now.
    At one instant supply comes before demand. `below_zero_at` is when the balance is below zero
    for the first time, null when it never is. What orders have reserved is not in `available`.
    """

    sku: str
    warehouse: str
    now: datetime
    until: datetime | None
    available: int
    lines: list[LineAhead]
    below_zero_at: datetime | None
    undated: list[UndatedLine]
    behind_seconds: float | None


@router.get("/v1/levels/{sku}/{warehouse}/projection")
async def projection(
    sku: Code,
    warehouse: Code,
    ledger: FromBooks,
    clock: FromClock,
    until: Annotated[Instant | None, Query(description="Leave out what is due later")] = None,
) -> Projection:
    """Return dated supply, demand and the balance ahead of a level."""
    found = await ledger.with_lines(sku, warehouse)
    if found is None:
        raise not_found(
            f"level of SKU {sku} in warehouse {warehouse}; check both codes, or post its first "
            "change"
        )
    row, lines = found
    now = clock.now()
    standing = Standing(row.on_hand, row.reserved, row.unavailable, row.incoming)
    projected = project(lines, row.id, standing.available, now, until)
    return Projection(
        sku=sku,
        warehouse=warehouse,
        now=now,
        until=until,
        available=standing.available,
        lines=[
            LineAhead(
                type=each.direction,
                quantity=each.quantity,
                due_at=each.due_at,
                reference=each.reference,
                balance=each.balance,
                overdue=each.overdue,
            )
            for each in projected.lines
        ],
        below_zero_at=projected.below_zero_at,
        undated=[
            UndatedLine(type=each.direction, quantity=each.quantity, reference=each.reference)
            for each in projected.undated
        ],
        behind_seconds=await ledger.behind_seconds(),
    )
