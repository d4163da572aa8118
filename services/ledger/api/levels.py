"""`/v1/levels`: what there is, asked by other systems and by the console."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from services.ledger.api.dependencies import FromBooks
from services.ledger.domain.changes import NAME_OF
from services.ledger.domain.flags import flags
from services.ledger.domain.openings import resumed
from services.ledger.domain.past import Opening, Standing
from services.ledger.domain.statement import OPENING_BALANCE, Line, Past
from services.ledger.domain.statement import statement as lines_of
from services.ledger.store.books import Books
from services.ledger.store.levels import LevelRow
from services.ledger.store.past import ArchivedError
from services.ledger.store.repeats import RepeatRow
from shared.events.base import Code, Instant
from shared.http.auth import Scope, admit, require
from shared.http.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from shared.http.problems import Problem, not_found
from shared.http.short_way import ShortWay

router = APIRouter(
    prefix="/v1/levels", tags=["levels"], dependencies=[Depends(require(Scope.STOCK_READ))]
)


class DueLine(BaseModel):
    """Something to come; `due_at` is null without a date."""

    quantity: int
    due_at: datetime | None
    reference: str


class Level(BaseModel):
    """A level; quantities in the SKU's base unit, totals cumulative.

    `supply` and `demand` are the next lines of each, eight at the most. A level of the past has
    no version.
    """

    sku: str
    warehouse: str
    on_hand: int
    reserved: int
    unavailable: int
    incoming: int
    available: int
    version: int | None
    counted_at: datetime | None
    last_change_at: datetime
    sold_total: int
    returned_total: int
    received_total: int
    supply: list[DueLine]
    demand: list[DueLine]
    flags: tuple[str, ...]

    @classmethod
    def of(cls, row: LevelRow) -> Self:
        """Return a stored level as it is answered."""
        standing = Standing(row.on_hand, row.reserved, row.unavailable, row.incoming)
        return cls(
            sku=row.sku,
            warehouse=row.warehouse,
            **standing._asdict(),
            available=standing.available,
            version=row.version,
            counted_at=row.counted_at,
            last_change_at=row.last_change_at,
            sold_total=row.sold_total,
            returned_total=row.returned_total,
            received_total=row.received_total,
            supply=_DUE.validate_json(row.supply or "[]"),
            demand=_DUE.validate_json(row.demand or "[]"),
            flags=flags(row.on_hand, row.reserved, row.doubt),
        )

    @classmethod
    def of_past(cls, row: LevelRow, past: Past) -> Self:
        """Return a level as its past, which has begun, makes it."""
        made = resumed(row.id, past.opening)
        made.take(past.changes)
        state = made.state
        return cls.model_validate(
            {
                **state._asdict(),
                "sku": row.sku,
                "warehouse": row.warehouse,
                "available": made.standing.available,
                "version": None,
                "supply": [due._asdict() for due in state.supply],
                "demand": [due._asdict() for due in state.demand],
                "flags": flags(state.on_hand, state.reserved),
            }
        )


_DUE = TypeAdapter(list[DueLine])


class Levels(Page[Level]):
    """Levels; `behind_seconds` says how old the oldest change is that is not in them yet."""

    behind_seconds: float | None


class LevelQuery(BaseModel):
    """Which levels to return."""

    skus: Annotated[list[Code], Field(min_length=1, max_length=500)]
    warehouses: Annotated[list[Code], Field(max_length=500)] | None = None
    as_of: Instant | None = None
    known_at: Instant | None = None


class Again(BaseModel):
    """When a change was told again."""

    received_at: datetime
    recorded_at: datetime


class Movement(BaseModel):
    """A line of a statement, newest first; `balance` is what was on hand after it.

    `reserved`, `unavailable` and `incoming` stood so after it, too. `late`: newer changes had
    been recorded before it. `masked`: a count at or after it had been taken already, so it moved
    nothing. `applied` is what it did when it arrived, `change` what it does to the balance as
    known now. `unusual`: far more than the level usually sells. A `count_waiting` moves nothing;
    once it is approved, a `count` of the same identity does. The oldest line may be an
    `opening_balance`: what all movements before, which are archived, came to.
    """

    type: str
    channel: str
    id: str
    line: str
    quantity: int
    change: int
    applied: int
    balance: int
    reserved: int
    unavailable: int
    incoming: int
    late: bool
    masked: bool
    unusual: bool
    repeats: list[Again]
    reason: str | None
    reference: str | None
    counterparty: str | None
    bucket: str | None
    eta: datetime | None
    actor: str | None
    occurred_at: datetime
    received_at: datetime
    recorded_at: datetime


AsOf = Annotated[
    Instant | None,
    Query(description="What had happened by then, as known now (or at known_at)"),
]
KnownAt = Annotated[Instant | None, Query(description="What had been recorded by then")]


@router.get("")
async def list_levels(  # noqa: D103 - the response's description says it
    ledger: FromBooks,
    sku: Code | None = None,
    warehouse: Code | None = None,
    q: Annotated[
        str | None, Query(description="Part of a SKU", max_length=128, pattern=r"^[^\x00]*$")
    ] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
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
        items=await _levels(ledger, rows, as_of, known_at),
        next_cursor=encode_cursor(last.sku, last.warehouse) if last else None,
        behind_seconds=await ledger.behind_seconds(),
    )


@router.post("/query")
async def query_levels(query: LevelQuery, ledger: FromBooks) -> Levels:
    """Return the levels of up to 500 SKUs at once; those unknown are left out."""
    rows = await ledger.of_skus(query.skus, query.warehouses)
    return Levels(
        items=await _levels(ledger, rows, query.as_of, query.known_at),
        behind_seconds=await ledger.behind_seconds(),
    )


@router.get("/{sku}")
async def levels_of_sku(
    sku: Code, ledger: FromBooks, as_of: AsOf = None, known_at: KnownAt = None
) -> Levels:
    """Return a SKU's level in every warehouse that has ever had it."""
    rows = await ledger.of_skus([sku], None)
    if not rows:
        raise not_found(f"level of SKU {sku}; check its code, or post its first change")
    return Levels(
        items=await _levels(ledger, rows, as_of, known_at),
        behind_seconds=await ledger.behind_seconds(),
    )


@router.get("/{sku}/{warehouse}")
async def level(
    sku: Code,
    warehouse: Code,
    ledger: FromBooks,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> Level:
    """Return one level, as it is or as it was."""
    row = await _row(ledger, sku, warehouse)
    levels = await _levels(ledger, [row], as_of, known_at)
    if not levels:
        raise not_found(
            f"change of SKU {sku} in warehouse {warehouse} by then; ask for a later instant"
        )
    return levels[0]


async def _level_as_it_is(request: Request) -> Response | None:
    """Answer for a level as it is now; instants, and codes that cannot be, are left."""
    if request.scope["query_string"]:
        return None
    try:
        sku, warehouse = _KEY.validate_python(tuple(request.path_params.values()))
    except ValidationError:
        return None
    await admit(request, Scope.STOCK_READ)
    row = await _row(request.app.state.books, sku, warehouse)
    return Response(Level.of(row).model_dump_json(), media_type="application/json")


_KEY = TypeAdapter(tuple[Code, Code])

SHORT_WAY = ShortWay("GET", "/v1/levels/{sku}/{warehouse}", _level_as_it_is)


@router.get("/{sku}/{warehouse}/statement")
async def statement(
    sku: Code,
    warehouse: Code,
    ledger: FromBooks,
    start: Annotated[Instant | None, Query(alias="from", description="First instant")] = None,
    end: Annotated[Instant | None, Query(alias="to", description="First instant after")] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Movement]:
    """Return a level's movements, newest first, with the balance after each."""
    row = await _row(ledger, sku, warehouse)
    before = int(decode_cursor(cursor, int)[0]) if cursor else None
    past = (await pasts_of(ledger, [row], as_of, known_at))[row.id]
    lines = [
        line
        for line in reversed(lines_of(past))
        if (before is None or line.place < before)
        and (start is None or line.recorded.change.occurred_at >= start)
        and (end is None or line.recorded.change.occurred_at < end)
    ][:limit]
    again: dict[tuple[str, str, str], list[Again]] = {}
    for each in await _repeats(ledger, row, lines):
        again.setdefault((each.channel, each.id, each.line), []).append(
            Again(received_at=each.received_at, recorded_at=each.recorded_at)
        )
    items = [_movement(line, again) for line in lines]
    places = [line.place for line in lines]
    opening = past.opening
    if (
        opening is not None
        and len(items) < limit
        and (before is None or opening.movements < before)
        and (start is None or opening.at >= start)
        and (end is None or opening.at < end)
    ):
        items.append(_opening_balance(opening))
        places.append(opening.movements)
    return Page(items=items, next_cursor=encode_cursor(places[-1]) if len(items) == limit else None)


def _opening_balance(opening: Opening) -> Movement:
    """Return the line that stands for all movements that are archived."""
    standing = opening.standing
    return Movement(
        type=OPENING_BALANCE,
        channel="ledger",
        id="opening",
        line="0",
        quantity=standing.on_hand,
        change=standing.on_hand,
        applied=standing.on_hand,
        balance=standing.on_hand,
        reserved=standing.reserved,
        unavailable=standing.unavailable,
        incoming=standing.incoming,
        late=False,
        masked=False,
        unusual=False,
        repeats=[],
        reason=None,
        reference=None,
        counterparty=None,
        bucket=None,
        eta=None,
        actor=None,
        occurred_at=opening.at,
        received_at=opening.recorded_until,
        recorded_at=opening.recorded_until,
    )


async def _repeats(ledger: Books, row: LevelRow, lines: Sequence[Line]) -> list[RepeatRow]:
    if not lines:
        return []
    first, last = (lines[end].recorded.change.occurred_at for end in (-1, 0))
    return await ledger.repeats(row.id, first, last)


def _movement(line: Line, again: Mapping[tuple[str, str, str], list[Again]]) -> Movement:
    change, applied, late, recorded_at, unusual = line.recorded
    return Movement(
        type=NAME_OF[change.type],
        channel=change.channel,
        id=change.id,
        line=change.line,
        quantity=change.quantity,
        change=line.moved,
        applied=applied,
        balance=line.standing.on_hand,
        reserved=line.standing.reserved,
        unavailable=line.standing.unavailable,
        incoming=line.standing.incoming,
        late=late,
        masked=line.masked,
        unusual=unusual,
        repeats=again.get((change.channel, change.id, change.line), []),
        reason=change.reason,
        reference=change.reference,
        counterparty=change.counterparty,
        bucket=change.bucket,
        eta=change.eta,
        actor=change.actor,
        occurred_at=change.occurred_at,
        received_at=change.received_at,
        recorded_at=recorded_at,
    )


async def _levels(
    ledger: Books, rows: Sequence[LevelRow], as_of: datetime | None, known_at: datetime | None
) -> list[Level]:
    """Return stored levels as they are, or those that there were at an instant as they were."""
    if as_of is None and known_at is None:
        return [Level.of(row) for row in rows]
    pasts = await pasts_of(ledger, rows, as_of, known_at)
    return [Level.of_past(row, pasts[row.id]) for row in rows if pasts[row.id].begun]


async def pasts_of(
    ledger: Books, rows: Sequence[LevelRow], as_of: datetime | None, known_at: datetime | None
) -> dict[int, Past]:
    """Return the past of levels, or answer that a part of it is archived."""
    try:
        return await ledger.pasts([row.id for row in rows], as_of=as_of, known_at=known_at)
    except ArchivedError as error:
        row = next(row for row in rows if row.id == error.level)
        raise archived(row, error.since) from error


def archived(row: LevelRow, since: datetime) -> Problem:
    """Return the problem for a past of a level that is told from an instant on only."""
    return Problem(
        HTTPStatus.GONE,
        "archived",
        f"What happened to SKU {row.sku} in warehouse {row.warehouse} then is archived; ask for "
        f"{since.isoformat()} or later, or look into the archive.",
        since=since.isoformat(),
    )


async def _row(ledger: Books, sku: str, warehouse: str) -> LevelRow:
    row = await ledger.level(sku, warehouse)
    if row is None:
        raise not_found(
            f"level of SKU {sku} in warehouse {warehouse}; check both codes, or post its first "
            "change"
        )
    return row
