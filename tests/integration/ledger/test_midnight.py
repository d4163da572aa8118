"""Midnight (UTC), when a new day's partitions begin: nobody notices who is in the middle of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio

from services.ledger.api import desk
from services.ledger.domain.changes import Type
from shared.clock import ManualClock, WallClock
from shared.http.auth import Scope
from shared.http.tokens import mint
from shared.testing.waiting import until
from tests.integration.ledger.service import Ledger, change
from tests.integration.ledger.test_reservations import (
    differences,
    reserve,
    somebody_waits,
    stock,
    told,
    wanted,
)

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
RESERVED, RELEASED = int(Type.RESERVED), int(Type.RESERVATION_RELEASED)


@pytest.fixture
def clock(ledger: Ledger) -> ManualClock:
    """Return the ledger's clock, two minutes before midnight."""
    evening = WallClock().now().replace(hour=23, minute=58, second=0, microsecond=0)
    ledger.clock = manual = ManualClock(evening)
    return manual


@pytest_asyncio.fixture
async def api(ledger: Ledger, clock: ManualClock, key: Path) -> AsyncIterator[httpx.AsyncClient]:
    scopes = [Scope.STOCK_READ, Scope.RESERVATIONS_WRITE]
    token = mint(key, subject="shop", scopes=scopes, now=WallClock().now(), lifetime=3 * DAY)
    async with ledger.api(token, clock) as client:
        yield client


@asynccontextmanager
async def held(ledger: Ledger, rows: str) -> AsyncIterator[None]:
    """Hold rows of a table until the end."""
    other = await asyncpg.connect(ledger.database.administrator_url)
    try:
        async with other.transaction():
            await other.execute(f"SELECT * FROM ledger.{rows} FOR UPDATE")  # noqa: S608 - ours
            yield
    finally:
        await other.close()


async def recorded_on(ledger: Ledger, type_: int) -> list[date]:
    rows = await ledger.rows("SELECT recorded_at FROM movement WHERE type = $1", type_)
    return [row[0].date() for row in rows]


async def test_who_waits_for_a_level_until_after_midnight_has_it(
    ledger: Ledger, clock: ManualClock, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "LOCK_TIMEOUT_MS", 60_000)  # it must not come again
    async with ledger.consuming():
        await stock(ledger, A=5)
    today = clock.now().date()
    async with asyncio.TaskGroup() as group:
        async with held(ledger, "level"):
            asked = group.create_task(reserve(api, wanted(5)))
            await until(partial(somebody_waits, ledger))
            clock.advance(3 * MINUTE)
        assert (await asked).status_code == 201, asked.result().text
    assert await recorded_on(ledger, RESERVED) == [today + DAY]
    assert await differences(ledger) == []


async def test_what_expires_at_midnight_is_given_back(
    ledger: Ledger, clock: ManualClock, api: httpx.AsyncClient
) -> None:
    async with ledger.consuming():
        await stock(ledger, A=5)
        made = (await reserve(api, wanted(5), expires_in_seconds=60)).json()
        await told(ledger, 0)
        today = clock.now().date()
        async with held(ledger, "level"):
            clock.advance(MINUTE)
            await until(partial(somebody_waits, ledger))
            clock.advance(2 * MINUTE)

        async def has_expired() -> bool:
            found = (await api.get(f"/v1/reservations/{made['id']}")).json()
            return bool(found["state"] == "expired")

        await until(has_expired)
    assert await recorded_on(ledger, RELEASED) == [today + DAY]
    assert await differences(ledger) == []


async def test_at_midnight_nobody_waits_for_old_answers(
    ledger: Ledger, clock: ManualClock, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "LOCK_TIMEOUT_MS", 60_000)  # whoever waits does not give up
    async with ledger.consuming():
        await stock(ledger, A=5)
        assert (await reserve(api, wanted(1), key="one")).status_code == 201
        long_ago: datetime = clock.now() - 30 * DAY
        await ledger.rows("INSERT INTO answer VALUES (gen_random_uuid(), 1, 201, '', $1)", long_ago)
        async with held(ledger, "answer WHERE status = 201"):
            clock.advance(3 * MINUTE)
            assert (await reserve(api, wanted(1), key="two")).status_code == 201
            await ledger.publish(change(id="sale", occurred_at=clock.now()))
            await ledger.until_recorded(2)
