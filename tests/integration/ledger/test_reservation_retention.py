"""Reservations that ended long ago are forgotten; those that somebody may still need are not."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from services.ledger.commands import archive as command
from services.ledger.settings import LedgerSettings
from services.ledger.store.periods import IDENTITY_KEPT_DAYS
from services.ledger.store.retention import ANSWERS_KEPT
from shared.clock import ManualClock, WallClock
from shared.database.engine import create_engine
from shared.http.auth import Scope
from shared.http.tokens import mint
from tests.integration.ledger.service import Ledger
from tests.integration.ledger.test_reservations import differences, reserve, stock, wanted

DAY = timedelta(days=1)
LONG_AGO = WallClock().now() - 200 * DAY


@pytest.fixture
def clock(ledger: Ledger) -> ManualClock:
    ledger.clock = manual = ManualClock(LONG_AGO)
    return manual


@pytest_asyncio.fixture
async def api(ledger: Ledger, clock: ManualClock, key: Path) -> AsyncIterator[httpx.AsyncClient]:
    token = mint(
        key,
        subject="shop",
        scopes=[Scope.STOCK_READ, Scope.RESERVATIONS_WRITE],
        now=clock.now(),
        lifetime=400 * DAY,
    )
    async with ledger.api(token, clock) as client:
        yield client


async def archive(
    ledger: Ledger,
    clock: ManualClock,
    folder: Path,
    what: str = "reservations",
    *,
    dry_run: bool = False,
) -> int:
    """Do what is done every day; returns how much of something was forgotten."""
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    try:
        report = await command.archive(
            engine,
            folder,
            now=clock.now(),
            keep_days=ledger.settings.ledger_keep_days,
            keep_reservations_days=ledger.settings.ledger_keep_reservations_days,
            progress=lambda *_: None,
            tell=lambda _: None,
            dry_run=dry_run,
        )
    finally:
        await engine.dispose()
    forgotten: int = asdict(report)[what]
    return forgotten


async def listed(api: httpx.AsyncClient) -> set[str]:
    return {each["id"] for each in (await api.get("/v1/reservations")).json()["items"]}


def test_reservations_are_kept_for_as_long_as_anything_is_repeated() -> None:
    least = timedelta(days=LedgerSettings().ledger_keep_reservations_days)
    assert least == timedelta(days=IDENTITY_KEPT_DAYS) > ANSWERS_KEPT
    with pytest.raises(ValueError, match="ledger_keep_reservations_days"):
        LedgerSettings(ledger_keep_reservations_days=IDENTITY_KEPT_DAYS - 1)


async def test_what_ended_long_ago_is_forgotten_and_what_is_open_or_still_answered_is_not(
    ledger: Ledger,
    api: httpx.AsyncClient,
    clock: ManualClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "FORGOTTEN_AT_ONCE", 2)
    async with ledger.consuming():
        await stock(ledger, A=100)
    # Nobody lets anything expire from here on.
    made = [await reserve(api, wanted(2), wanted(1)) for _ in range(5)]
    *shipped, late, held = [each.json()["id"] for each in made]
    key = {"Idempotency-Key": "k"}
    first = await api.post(f"/v1/reservations/{shipped[0]}/fulfil", headers=key)
    for id_ in shipped[1:]:
        assert (await api.post(f"/v1/reservations/{id_}/fulfil")).status_code == 200

    clock.advance(6 * DAY)
    assert await archive(ledger, clock, tmp_path) == 0
    again = await api.post(f"/v1/reservations/{shipped[0]}/fulfil", headers=key)
    assert (again.status_code, again.content) == (200, first.content)
    assert (await api.get(f"/v1/reservations/{shipped[0]}")).status_code == 200
    clock.advance(4 * DAY)
    assert (await api.delete(f"/v1/reservations/{late}")).status_code == 200

    clock.set(LONG_AGO + 90 * DAY)
    assert await archive(ledger, clock, tmp_path) == 0
    assert await listed(api) == {*shipped, late, held}
    clock.advance(timedelta(seconds=1))
    assert await archive(ledger, clock, tmp_path, dry_run=True) == 3
    assert await listed(api) == {*shipped, late, held}
    assert await archive(ledger, clock, tmp_path) == 3
    assert await listed(api) == {late, held}
    lines = await ledger.rows("SELECT DISTINCT reservation_id FROM reservation_line")
    assert {row[0] for row in lines} == {late, held}
    gone = await api.post(f"/v1/reservations/{shipped[0]}/fulfil")
    assert (gone.status_code, gone.json()["type"]) == (404, "urn:lowtide:problem:not_found")

    clock.advance(10 * DAY)
    assert await archive(ledger, clock, tmp_path) == 1
    assert await listed(api) == {held}
    fulfilled = await api.post(f"/v1/reservations/{held}/fulfil")
    assert (fulfilled.status_code, fulfilled.json()["state"]) == (200, "fulfilled")
    assert await ledger.on_hand() == 100 - 4 * 3
    # What they did stays explained by their movements.
    assert await differences(ledger) == []


async def test_answers_are_forgotten_when_seven_days_are_over_a_portion_at_a_time(
    ledger: Ledger,
    api: httpx.AsyncClient,
    clock: ManualClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "FORGOTTEN_AT_ONCE", 2)
    async with ledger.consuming():
        await stock(ledger, A=100)
    for number in range(5):
        clock.advance(timedelta(seconds=number // 3))  # some at one instant
        assert (await reserve(api, wanted(1), key=f"old {number}")).status_code == 201
    first = await reserve(api, wanted(90), key="old")
    clock.advance(timedelta(hours=1))
    newer = await reserve(api, wanted(1), key="newer")

    clock.set(LONG_AGO + 7 * DAY)
    assert await archive(ledger, clock, tmp_path, "answers") == 0
    assert (await reserve(api, wanted(90), key="old")).content == first.content
    clock.advance(timedelta(minutes=1))
    assert await archive(ledger, clock, tmp_path, "answers", dry_run=True) == 6
    assert await archive(ledger, clock, tmp_path, "answers") == 6
    assert (await reserve(api, wanted(90), key="old")).status_code == 409
    assert (await reserve(api, wanted(1), key="newer")).content == newer.content
