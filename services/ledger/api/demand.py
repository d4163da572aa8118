"""`/v1/demand/daily`: what was sold and returned, by level and local day."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from services.ledger.api.dependencies import FromBooks, FromClock
from services.ledger.api.levels import archived, past_of
from services.ledger.domain.demand import Day, Filling, calendar
from services.ledger.store.books import Books
from services.ledger.store.levels import LevelRow
from shared.events.base import Code, Instant
from shared.http.auth import Scope, require
from shared.http.pages import Page, bad_cursor, decode_cursor, encode_cursor
from shared.http.problems import Problem, not_found

router = APIRouter(
    prefix="/v1/demand", tags=["demand"], dependencies=[Depends(require(Scope.STOCK_READ))]
)

MAX_DAYS = 366
MAX_LEVELS = 50
"""On a page: each is worked out from its whole past."""

_EARLIEST, _LATEST = date(1970, 1, 1), date(9998, 12, 31)


def _within(day: date) -> date:
    if not _EARLIEST <= day <= _LATEST:
        raise ValueError(f"send a day from {_EARLIEST} to {_LATEST}")
    return day


LocalDay = Annotated[date, AfterValidator(_within)]


class _Span(BaseModel):
    """Which days, `to` being the last one, and how they are told."""

    first: Annotated[LocalDay, Field(alias="from", description="First day")]
    last: Annotated[LocalDay, Field(alias="to", description="Last day; 366 days at the most")]
    by: Annotated[
        Literal["channel"] | None, Field(description="Tell each day by channel as well")
    ] = None
    known_at: Annotated[Instant | None, Field(description="As it had been recorded by then")] = None
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before")] = None
    limit: Annotated[int, Field(ge=1, le=MAX_LEVELS, description="Levels a page at the most")] = (
        MAX_LEVELS
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not 1 <= (self.last - self.first).days + 1 <= MAX_DAYS:
            raise PydanticCustomError(
                "span",
                "`to` is the last day, from 0 to {most} days after `from`",
                {"most": MAX_DAYS - 1},
            )
        return self


class OfSku(_Span):
    """Which levels of one SKU."""

    sku: Code
    warehouse: Code | None = None


class DemandQuery(_Span):
    """Which levels of up to 500 SKUs."""

    skus: Annotated[list[Code], Field(min_length=1, max_length=500)]
    warehouses: Annotated[list[Code], Field(max_length=500)] | None = None


class Units(BaseModel):
    """Units in the SKU's base unit."""

    sold: int
    returned: int


class DemandDay(Units):
    """A local day; one on which nothing happened has zeros.

    `hours` is how many it has: 23 or 25 where the clock is changed. `stock_out_hours` are those
    in which nothing was available for any length of time, counted from the day's beginning (0 is
    the first), and `stock_out_seconds` how long that was in all: demand may have been lost.
    Before a level's first change nothing was available. Not `complete`: the day is not over.
    `channels` is empty unless asked for by channel.
    """

    day: date
    hours: int
    complete: bool
    stock_out_hours: list[int]
    stock_out_seconds: int
    channels: dict[str, Units]


class LevelDemand(BaseModel):
    """The days of a level, in the IANA time zone of its warehouse.

    None is later than today, or the day of `known_at`.
    """

    sku: str
    warehouse: str
    zone: str
    days: list[DemandDay]


class DailyDemand(Page[LevelDemand]):
    """Demand by level, in order; `behind_seconds` is how old the oldest change is not in it."""

    behind_seconds: float | None


@router.get("/daily")
async def daily_demand(
    ledger: FromBooks, clock: FromClock, query: Annotated[OfSku, Query()]
) -> DailyDemand:
    """Return what was sold and returned of a SKU, by warehouse and local day.

    Of each level the days from `from` to `to`, those without a sale included, none later than
    today, or the day of `known_at`; with the hours in which there was nothing to sell.
    """
    warehouses = None if query.warehouse is None else [query.warehouse]
    rows = await ledger.of_skus([query.sku], warehouses)
    if not rows:
        where = "" if query.warehouse is None else f" in warehouse {query.warehouse}"
        raise not_found(
            f"level of SKU {query.sku}{where}; check the code, or post its first change"
        )
    return await _answer(ledger, rows, query, clock.now())


@router.post("/daily/query")
async def query_daily_demand(
    ledger: FromBooks, clock: FromClock, query: DemandQuery
) -> DailyDemand:
    """Return the same of up to 500 SKUs; those unknown are left out."""
    rows = await ledger.of_skus(query.skus, query.warehouses)
    return await _answer(ledger, rows, query, clock.now())


async def _answer(
    ledger: Books, found: Sequence[LevelRow], query: _Span, now: datetime
) -> DailyDemand:
    if query.known_at is not None:
        now = min(now, query.known_at)  # what had not come yet by then was not known either
    rows = _page(found, query)
    zones = await _zones(ledger, {row.warehouse for row in rows})
    days = {row.id: _calendar(query, zones[row.warehouse], now) for row in rows}
    end = max((each[-1].ends_at for each in days.values() if each), default=now)
    by_id = {row.id: row for row in rows}
    filling: dict[int, Filling] = {}
    gone: list[tuple[datetime, int]] = []
    async with past_of(ledger, rows, end, query.known_at) as stretches:
        async for level, opening, made, movements in stretches:
            own = days[level]
            if not own:
                continue
            if level not in filling:
                if opening is not None and own[0].starts_at <= opening.at:
                    gone.append((opening.at, level))
                filling[level] = Filling(own, made.standing, now)
            changes = [each.change for each in movements]
            for change, standing in zip(changes, made.through(changes), strict=True):
                filling[level].take(change, standing)
    if gone:
        since, level = max(gone)  # what is answered for some levels holds for all of them
        raise archived(by_id[level], since)
    for each in filling.values():
        each.finish()
    last = rows[-1] if rows and rows[-1] is not found[-1] else None
    return DailyDemand(
        items=[
            LevelDemand(
                sku=row.sku,
                warehouse=row.warehouse,
                zone=zones[row.warehouse].key,
                days=[_told(day, query, now) for day in days[row.id]],
            )
            for row in rows
        ],
        next_cursor=encode_cursor(last.sku, last.warehouse) if last else None,
        behind_seconds=await ledger.behind_seconds(),
    )


def _page(found: Sequence[LevelRow], query: _Span) -> Sequence[LevelRow]:
    """Return the page's levels; the last one of the page before is among those found."""
    start = 0
    if query.cursor is not None:
        after = decode_cursor(query.cursor, str, str)
        keys = [(row.sku, row.warehouse) for row in found]
        if after not in keys:
            raise bad_cursor()
        start = keys.index(after) + 1
    return found[start : start + query.limit]


async def _zones(ledger: Books, warehouses: Collection[str]) -> dict[str, ZoneInfo]:
    """Return the zones of warehouses; raises Problem 422 unless all are known."""
    zones: dict[str, ZoneInfo] = {}
    for warehouse, name in (await ledger.zones(warehouses)).items():
        # Known to the machine that took it, but perhaps not to this one's list of zones.
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            zones[warehouse] = ZoneInfo(name)
    unknown = sorted(set(warehouses) - zones.keys())
    if unknown:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "unknown_zone",
            f"The time zone of warehouse {', '.join(unknown)} is not known, and so neither are "
            "its days; put the warehouse with its zone at ingest (PUT /v1/warehouses/{id}), or "
            "ask again in a moment if that was just done.",
            warehouses=unknown,
        )
    return zones


def _calendar(query: _Span, zone: ZoneInfo, now: datetime) -> list[Day]:
    last = min(query.last, now.astimezone(zone).date())
    return calendar(query.first, last, zone) if query.first <= last else []


def _told(day: Day, query: _Span, now: datetime) -> DemandDay:
    channels = day.channels if query.by == "channel" else {}
    return DemandDay(
        day=day.day,
        hours=day.hours,
        complete=day.ends_at <= now,
        sold=day.demand.sold,
        returned=day.demand.returned,
        stock_out_hours=day.stock_out_hours,
        stock_out_seconds=day.stock_out_seconds,
        channels={
            name: Units(sold=each.sold, returned=each.returned)
            for name, each in sorted(channels.items())
        },
    )
