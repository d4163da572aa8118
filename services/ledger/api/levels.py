"""`/v1/levels`: what there is, asked by other systems and by the console."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from services.ledger.api.dependencies import FromBooks
from services.ledger.domain.flags import flags
from services.ledger.domain.past import Opening, Standing, in_order
from services.ledger.domain.recomputed import Recomputation
from services.ledger.domain.statement import (
    Line,
    as_document,
    lines_of,
    opening_as_document,
)
from services.ledger.store.books import Books
from services.ledger.store.levels import LevelRow
from services.ledger.store.stretches import ArchivedError, Stretch, TooLongError
from shared.events.base import Code, Instant
from shared.http.auth import Scope, admit, require
from shared.http.pages import Cursor, Limit, Page, bad_cursor, decode_cursor, encode_cursor
from shared.http.problems import Problem, not_found
from shared.http.short_way import ShortWay
from shared.turns import in_turns

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
    def of_past(cls, row: LevelRow, made: Recomputation) -> Self:
        """Return a level as its past, which has begun, makes it."""
        standing, state = made.standing, made.state
        return cls(
            sku=row.sku,
            warehouse=row.warehouse,
            **standing._asdict(),
            available=standing.available,
            version=None,
            counted_at=state.counted_at,
            last_change_at=state.last_change_at or row.last_change_at,
            sold_total=state.sold_total,
            returned_total=state.returned_total,
            received_total=state.received_total,
            supply=[DueLine(**due._asdict()) for due in state.supply],
            demand=[DueLine(**due._asdict()) for due in state.demand],
            flags=flags(standing.on_hand, standing.reserved),
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


@router.post("/query", response_model=Levels)
async def query_levels(query: LevelQuery, ledger: FromBooks) -> Response:
    """Return the levels of up to 500 SKUs at once; those unknown are left out."""
    rows = await ledger.of_skus(query.skus, query.warehouses)
    found, level_of = await _found(ledger, rows, query.as_of, query.known_at)
    # Written one by one: so many objects at once would stop everybody while they are collected.
    written = await in_turns(found, lambda row: level_of(row).model_dump_json())
    frame = Levels(items=[], behind_seconds=await ledger.behind_seconds()).model_dump_json()
    begin, _, end = frame.partition("[]")
    return Response(f"{begin}[{','.join(written)}]{end}", media_type="application/json")


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
    before = _before(cursor)

    def covered(at: datetime) -> bool:
        return (start is None or at >= start) and (end is None or at < end)

    newest: deque[Line] = deque(maxlen=limit)
    opening: Opening | None = None
    until = end if before is None else before[0] if end is None else min(end, before[0])
    async with past_of(ledger, [row], as_of, known_at, until) as stretches:
        async for each in stretches:
            opening = each.opening
            newest += (
                line
                for line in lines_of(each.made, each.movements)
                if covered(line.recorded.change.occurred_at)
                and (before is None or in_order(line.recorded.change) < before)
            )
    if opening is not None and end is not None and end <= opening.at:
        raise archived(row, opening.at)
    again = await ledger.repeats(newest, known_at)
    lines = [*reversed(newest)]
    items = [Movement.model_validate(as_document(line, again)) for line in lines]
    if len(items) == limit:
        return Page(items=items, next_cursor=_after(lines[-1]))
    if opening is not None and covered(opening.at):
        items.append(Movement.model_validate(opening_as_document(opening)))
    return Page(items=items)


_Place = tuple[datetime, bool, str, str, str]
"""Where a change is in the order of a level's changes, whatever is recorded between them later."""


def _after(line: Line) -> str:
    at, is_count, channel, id_, number = in_order(line.recorded.change)
    return encode_cursor(at.isoformat(), int(is_count), channel, id_, number)


def _before(cursor: str | None) -> _Place | None:
    if cursor is None:
        return None
    at, is_count, channel, id_, number = decode_cursor(cursor, str, int, str, str, str)
    try:
        instant = datetime.fromisoformat(str(at)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise bad_cursor() from None
    return instant, bool(is_count), str(channel), str(id_), str(number)


async def _levels(
    ledger: Books, rows: Sequence[LevelRow], as_of: datetime | None, known_at: datetime | None
) -> list[Level]:
    """Return stored levels as they are, or those that there were at an instant as they were."""
    return await in_turns(*await _found(ledger, rows, as_of, known_at))


async def _found(
    ledger: Books, rows: Sequence[LevelRow], as_of: datetime | None, known_at: datetime | None
) -> tuple[Sequence[LevelRow], Callable[[LevelRow], Level]]:
    """Return which of some stored levels there were, and what makes levels of them."""
    if as_of is None and known_at is None:
        return rows, Level.of
    made: dict[int, Recomputation] = {}
    async with past_of(ledger, rows, as_of, known_at) as stretches:
        async for each in stretches:
            each.made.take([movement.change for movement in each.movements])
            made[each.level] = each.made
    begun = [row for row in rows if made[row.id].movements]
    return begun, lambda row: Level.of_past(row, made[row.id])


@asynccontextmanager
async def past_of(
    ledger: Books,
    rows: Sequence[LevelRow],
    as_of: datetime | None,
    known_at: datetime | None,
    until: datetime | None = None,
) -> AsyncIterator[AsyncIterator[Stretch]]:
    """Yield the past of levels, or answer that a part of it is archived or it is too long."""
    levels = [row.id for row in rows]
    try:
        async with ledger.stretches(levels, as_of=as_of, known_at=known_at, until=until) as found:
            yield found
    except ArchivedError as error:
        row = next(row for row in rows if row.id == error.level)
        raise archived(row, error.since) from error
    except TooLongError as error:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "too_long",
            f"More than {error.most:,} movements would have to be gone through, or more than the "
            "database puts in order in its time; ask for fewer levels at once, or move more days "
            "to the archive (python -m services.ledger archive).",
        ) from error


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
