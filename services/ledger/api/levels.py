"""`/v1/levels`: what there is, asked by other systems and by the console."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from services.ledger.api.dependencies import FromBooks
from services.ledger.domain.changes import NAME_OF
from services.ledger.outbound import stock_levels
from services.ledger.store import statement as statements
from services.ledger.store.books import Books
from services.ledger.store.changes import Level as StoredLevel
from services.ledger.store.levels import LevelRow
from shared.events.base import Code, Instant
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from shared.http.problems import not_found

router = APIRouter(
    prefix="/v1/levels", tags=["levels"], dependencies=[Depends(require(Scope.STOCK_READ))]
)


class Level(BaseModel):
    """A level; quantities in the SKU's base unit, totals cumulative."""

    sku: str
    warehouse: str
    on_hand: int
    reserved: int
    unavailable: int
    incoming: int
    available: int
    version: int
    counted_at: datetime | None
    last_change_at: datetime
    sold_total: int
    returned_total: int
    received_total: int
    flags: tuple[str, ...]

    @classmethod
    def of(cls, row: LevelRow) -> Self:
        """Return a stored level as it is answered."""
        stored = StoredLevel(
            row.id,
            row.version,
            row.on_hand,
            row.reserved,
            row.unavailable,
            row.incoming,
            row.sold_total,
            row.returned_total,
            row.received_total,
            row.counted_at,
            row.last_change_at,
        )
        return cls(
            sku=row.sku,
            warehouse=row.warehouse,
            available=stock_levels.available(stored),
            flags=stock_levels.flags(stored),
            **stored._asdict(),
        )


class Levels(Page[Level]):
    """Levels; `behind_seconds` says how old the oldest change is that is not in them yet."""

    behind_seconds: float | None


class LevelQuery(BaseModel):
    """Which levels to return."""

    skus: Annotated[list[Code], Field(min_length=1, max_length=500)]
    warehouses: Annotated[list[Code], Field(max_length=500)] | None = None


class Again(BaseModel):
    """When a change was told again."""

    received_at: datetime
    recorded_at: datetime


class Movement(BaseModel):
    """A line of a statement, newest first; `balance` is what was on hand after it.

    `late`: newer changes had been recorded before it. `masked`: a count at or after it had been
    taken already, so it moved nothing. `applied` is what it did when it arrived, `change` what
    it does to the balance as known now.
    """

    type: str
    channel: str
    id: str
    line: str
    quantity: int
    change: int
    applied: int
    balance: int
    late: bool
    masked: bool
    repeats: list[Again]
    reason: str | None
    reference: str | None
    actor: str | None
    occurred_at: datetime
    received_at: datetime
    recorded_at: datetime


@router.get("")
async def list_levels(  # noqa: D103 - the response's description says it
    ledger: FromBooks,
    sku: Code | None = None,
    warehouse: Code | None = None,
    q: Annotated[
        str | None, Query(description="Part of a SKU", max_length=128, pattern=r"^[^\x00]*$")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Levels:
    after = ("", "")
    if cursor is not None:
        first, second = decode_cursor(cursor, str, str)
        after = (str(first), str(second))
    rows = await ledger.page(sku=sku, warehouse=warehouse, containing=q, after=after, limit=limit)
    last = rows[-1] if len(rows) == limit else None
    return Levels(
        items=[Level.of(row) for row in rows],
        next_cursor=encode_cursor(last.sku, last.warehouse) if last else None,
        behind_seconds=await ledger.behind_seconds(),
    )


@router.post("/query")
async def query_levels(query: LevelQuery, ledger: FromBooks) -> Levels:
    """Return the levels of up to 500 SKUs at once; those unknown are left out."""
    rows = await ledger.of_skus(query.skus, query.warehouses)
    return Levels(
        items=[Level.of(row) for row in rows], behind_seconds=await ledger.behind_seconds()
    )


@router.get("/{sku}")
async def levels_of_sku(sku: Code, ledger: FromBooks) -> Levels:
    """Return a SKU's level in every warehouse that has ever had it."""
    rows = await ledger.of_skus([sku], None)
    if not rows:
        raise not_found(f"level of SKU {sku}; check its code, or post its first change")
    return Levels(
        items=[Level.of(row) for row in rows], behind_seconds=await ledger.behind_seconds()
    )


@router.get("/{sku}/{warehouse}")
async def level(sku: Code, warehouse: Code, ledger: FromBooks) -> Level:
    """Return one level."""
    return Level.of(await _row(ledger, sku, warehouse))


@router.get("/{sku}/{warehouse}/statement")
async def statement(
    sku: Code,
    warehouse: Code,
    ledger: FromBooks,
    start: Annotated[Instant | None, Query(alias="from", description="First instant")] = None,
    end: Annotated[Instant | None, Query(alias="to", description="First instant after")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Movement]:
    """Return a level's movements, newest first, with the balance after each."""
    row = await _row(ledger, sku, warehouse)
    before = int(decode_cursor(cursor, int)[0]) if cursor else None
    rows, repeats = await ledger.statement(row.id, start=start, end=end, before=before, limit=limit)
    again: dict[tuple[str, str, str], list[Again]] = {}
    for each in repeats:
        again.setdefault((each.channel, each.id, each.line), []).append(
            Again(received_at=each.received_at, recorded_at=each.recorded_at)
        )
    return Page(
        items=[_movement(each, again.get((each.channel, each.id, each.line), [])) for each in rows],
        next_cursor=encode_cursor(rows[-1].place) if len(rows) == limit else None,
    )


def _movement(row: statements.StatementRow, again: list[Again]) -> Movement:
    return Movement(
        type=NAME_OF[row.type],
        channel=row.channel,
        id=row.id,
        line=row.line,
        quantity=row.quantity,
        change=row.change,
        applied=row.applied,
        balance=row.balance,
        late=row.late,
        masked=row.masked,
        repeats=again,
        reason=row.reason,
        reference=row.reference,
        actor=row.actor,
        occurred_at=row.occurred_at,
        received_at=row.received_at,
        recorded_at=row.recorded_at,
    )


async def _row(ledger: Books, sku: str, warehouse: str) -> LevelRow:
    rows = await ledger.of_skus([sku], [warehouse])
    if not rows:
        raise not_found(
            f"level of SKU {sku} in warehouse {warehouse}; check both codes, or post its first "
            "change"
        )
    return rows[0]
