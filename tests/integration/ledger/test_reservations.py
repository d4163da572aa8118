"""Promise 4 end to end: no oversell, all or nothing, each dip told, every number explained."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

import asyncpg
import httpx
import pytest
import pytest_asyncio
from fastapi import Request
from pydantic import SecretStr

from services.ledger import deciding, pipeline
from services.ledger.api import desk, reservations
from services.ledger.api.desk import Desk
from services.ledger.api.desk import _Waiting as Waiting
from services.ledger.commands.verify import Difference, Report, verify
from services.ledger.deciding import decide
from services.ledger.domain.reservations import Fulfil, Once, Reserve, Wanted
from services.ledger.store.codecs import prepare
from services.ledger.store.items import keep
from shared.database.engine import create_engine, driver
from shared.events.catalog_items import CatalogItem, Component
from shared.events.stock_changes import StockChange
from shared.events.stock_levels import StockLevel
from shared.http.auth import Caller, Scope, admit
from shared.kafka.handler import Batch
from shared.testing.waiting import until
from tests.integration.ledger.lossy import lossy
from tests.integration.ledger.service import START, Ledger, change, neighbours
from tests.integration.ledger.test_owners import Dying, run_until_crash

LINE = (Wanted("0", "A", "W", 1),)


@pytest_asyncio.fixture
async def api(ledger: Ledger) -> AsyncIterator[httpx.AsyncClient]:
    async with ledger.api() as client:
        yield client


def wanted(quantity: int, sku: str = "A", warehouse: str = "W") -> dict[str, object]:
    return {"sku": sku, "warehouse": warehouse, "quantity": quantity}


async def reserve(
    api: httpx.AsyncClient, *lines: dict[str, object], key: str | None = None, **fields: object
) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await api.post("/v1/reservations", json={"lines": lines, **fields}, headers=headers)


async def stock(ledger: Ledger, **on_hand: int) -> None:
    """Count SKUs in W and wait until they are recorded."""
    before = (await ledger.tallies()).get("movements", 0)
    await ledger.publish(
        *(
            change(id=f"count {sku}", type="count", sku=sku, quantity=quantity)
            for sku, quantity in on_hand.items()
        )
    )
    await ledger.until_recorded(before + len(on_hand))


async def level(api: httpx.AsyncClient, sku: str = "A") -> tuple[int, int, int]:
    """Return what is on hand, reserved and available."""
    found = (await api.get(f"/v1/levels/{sku}/W")).json()
    return found["on_hand"], found["reserved"], found["available"]


async def differences(ledger: Ledger) -> list[Difference]:
    """Return where levels are not what their movements make them."""
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    found: list[Difference] = []
    report: Report = await verify(engine, progress=lambda *_: None, found=found.append)
    await engine.dispose()
    assert report.levels
    return found


async def told(ledger: Ledger, available: int, sku: str = "A") -> list[StockLevel]:
    """Wait until a level is told with so much available; returns all that was told of it."""
    levels: list[StockLevel] = []

    async def heard() -> bool:
        levels[:] = [each for each in await ledger.published() if each.sku == sku]
        return bool(levels) and levels[-1].available == available

    await until(heard)
    return levels


async def test_a_reservation_holds_stock_until_it_is_fulfilled(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    async with ledger.consuming():
        await stock(ledger, A=10, B=5)
        made = await reserve(
            api, wanted(3), wanted(2, "B"), wanted(1), reference="order 1", expires_in_seconds=60
        )
        assert made.status_code == 201, made.text
        held = made.json()
        assert (held["state"], held["reference"], held["behind_seconds"]) == ("held", "order 1", 0)
        assert [(each["line"], each["sku"], each["quantity"]) for each in held["lines"]] == [
            ("0", "A", 3),
            ("1", "B", 2),
            ("2", "A", 1),
        ]
        assert await level(api) == (10, 4, 6)
        levels = await told(ledger, 6)
        assert [each.low_water for each in levels] == [10, 6]

        short = await reserve(api, wanted(1, "B"), wanted(4), wanted(5), wanted(1, "C"))
        problem = short.json()
        assert (short.status_code, problem["type"]) == (
            409,
            "urn:lowtide:problem:insufficient_stock",
        )
        assert problem["lacking"] == [
            {
                "lines": ["1", "2"],
                "sku": "A",
                "warehouse": "W",
                "wanted": 9,
                "available": 6,
                "lacking": 3,
            },
            {
                "lines": ["3"],
                "sku": "C",
                "warehouse": "W",
                "wanted": 1,
                "available": 0,
                "lacking": 1,
            },
        ]
        assert problem["behind_seconds"] == 0
        assert await level(api, "B") == (5, 2, 3)

        path = f"/v1/reservations/{held['id']}"
        done = (await api.post(f"{path}/fulfil")).json()
        assert done["state"] == "fulfilled"
        assert done["ended_at"] is not None
        assert (await api.post(f"{path}/fulfil")).json()["ended_at"] == done["ended_at"]
        refused = await api.delete(path)
        assert (refused.status_code, refused.json()["state"]) == (409, "fulfilled")
        assert await level(api) == (6, 0, 6)
        assert await level(api, "B") == (3, 0, 3)
        shown = (await api.get(path)).json()
        assert (shown["state"], shown["lines"]) == ("fulfilled", held["lines"])
        assert (await api.get("/v1/reservations/0")).status_code == 404

        async def told_of_the_sale() -> bool:
            # Available is what it was while they were held.
            return (await told(ledger, 3, "B"))[-1].sold_total == 2

        await until(told_of_the_sale)

    statement = (await api.get("/v1/levels/A/W/statement")).json()["items"]
    assert [
        (each["type"], each["line"], each["change"], each["reserved"], each["channel"])
        for each in statement
    ] == [
        ("reservation_fulfilled", "2", -1, 0, "reservations"),
        ("reservation_fulfilled", "0", -3, 1, "reservations"),
        ("reserved", "2", 0, 4, "reservations"),
        ("reserved", "0", 0, 3, "reservations"),
        ("count", "0", 10, 0, "shop"),
    ]
    assert {each["id"] for each in statement[:4]} == {held["id"]}
    before = {"known_at": statement[2]["recorded_at"]}
    assert (await api.get("/v1/levels/A/W", params=before)).json()["reserved"] == 4
    assert await differences(ledger) == []


async def test_what_is_released_or_expires_can_be_had_again(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    async with ledger.consuming():
        await stock(ledger, A=5)
        first = (await reserve(api, wanted(5))).json()
        assert (await reserve(api, wanted(1))).status_code == 409
        released = await api.delete(f"/v1/reservations/{first['id']}")
        assert (released.status_code, released.json()["state"]) == (200, "released")
        again = await api.delete(f"/v1/reservations/{first['id']}")
        assert again.json()["state"] == "released"
        second = (await reserve(api, wanted(5), expires_in_seconds=1)).json()

        async def has_expired() -> bool:
            found = (await api.get(f"/v1/reservations/{second['id']}")).json()
            return bool(found["state"] == "expired")

        await until(has_expired)
        late = await api.post(f"/v1/reservations/{second['id']}/fulfil")
        assert (late.status_code, late.json()["state"]) == (409, "expired")
        assert (await reserve(api, wanted(5))).status_code == 201
        levels = await told(ledger, 0)
        assert min(each.low_water for each in levels) == 0
    statement = (await api.get("/v1/levels/A/W/statement")).json()["items"]
    reasons = [each["reason"] for each in statement if each["type"] == "reservation_released"]
    assert reasons == ["expired", None]
    listed = (await api.get("/v1/reservations", params={"sku": "A", "limit": 2})).json()
    rest = (
        await api.get("/v1/reservations", params={"cursor": listed["next_cursor"], "limit": 2})
    ).json()
    assert [each["state"] for each in listed["items"] + rest["items"]] == [
        "held",
        "expired",
        "released",
    ]
    assert await differences(ledger) == []


async def test_reservations_that_expire_keep_nobody_from_hearing_of_the_others(
    ledger: Ledger, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "EXPIRED_AT_ONCE", 1)
    _, beside = neighbours("A")
    async with ledger.consuming():
        await stock(ledger, **{"A": 20, beside: 5})
    for _ in range(20):
        assert (await reserve(api, wanted(1))).status_code == 201
    await ledger.rows("UPDATE reservation SET expires_at = created_at")
    assert (await reserve(api, wanted(2, beside))).status_code == 201
    async with ledger.consuming():

        async def all_given_back() -> bool:
            _, *since = [each for each in await ledger.published() if each.sku == "A"]
            return bool(since) and since[-1].available == 20

        await until(all_given_back)
    heard = [(each.sku, each.available) for each in await ledger.published()]
    after = heard[heard.index((beside, 3)) :]
    assert len([sku for sku, _ in after if sku == "A"]) > 1


async def test_the_same_key_answers_the_same_whatever_has_happened_since(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    async with ledger.consuming():
        await stock(ledger, A=5)
        several = await asyncio.gather(*(reserve(api, wanted(4), key="one") for _ in range(5)))
        assert {(each.status_code, each.text) for each in several} == {(201, several[0].text)}
        refused = await reserve(api, wanted(4), key="two")
        assert refused.status_code == 409
        path = f"/v1/reservations/{several[0].json()['id']}"
        done = await api.post(f"{path}/fulfil", headers={"Idempotency-Key": "three"})
        assert done.json()["state"] == "fulfilled"
        async with ledger.api() as another:  # whoever is asked
            again = await reserve(another, wanted(4), key="one")
            assert (again.status_code, again.json()["state"]) == (201, "held")
            again = await reserve(another, wanted(4), key="two")
            assert (again.status_code, again.text) == (409, refused.text)
            other = await reserve(another, wanted(3), key="one")
            assert (other.status_code, other.json()["type"]) == (
                422,
                "urn:lowtide:problem:idempotency_key_reused",
            )
            again = await another.post(f"{path}/fulfil", headers={"Idempotency-Key": "three"})
            assert again.text == done.text
        assert [tuple(row) for row in await ledger.rows("SELECT count(*) FROM answer")] == [(3,)]
    assert await level(api) == (1, 0, 1)
    assert await differences(ledger) == []


async def test_two_hundred_who_want_fifty_get_exactly_fifty(ledger: Ledger) -> None:
    """Across three processes, all at once, while sales of other SKUs go through the same worker."""
    async with ledger.consuming():
        await stock(ledger, A=50, B=30)
        async with AsyncExitStack() as stack:
            desks = [await stack.enter_async_context(ledger.api()) for _ in range(3)]
            # Both lines in either order, so that locks would cross if they could.
            both = [wanted(1), wanted(1, "B")]
            asked = [
                reserve(desks[number % 3], *(both if number % 8 else both[::-1]))
                if number % 4 == 0
                else reserve(desks[number % 3], wanted(1))
                for number in range(200)
            ]
            sales = [change(id=f"sale {number}", sku="B") for number in range(5)]
            answers, _ = await asyncio.gather(asyncio.gather(*asked), ledger.publish(*sales))
            statuses = [each.status_code for each in answers]
            assert statuses.count(201) == 50
            assert statuses.count(409) == 150
            assert (await level(desks[0]))[1:] == (50, 0)
        levels = await told(ledger, 0)
        assert min(each.available for each in levels) == 0
    versions = [each.version for each in levels]
    assert versions == sorted(set(versions))
    assert await differences(ledger) == []


@pytest.mark.parametrize("placed_first", [True, False])
async def test_an_order_and_its_reservation_are_never_counted_twice(
    ledger: Ledger, api: httpx.AsyncClient, placed_first: bool
) -> None:
    def told(type_: str, id_: str) -> StockChange:
        return change(id=id_, type=type_, quantity=3, reference="order 1", occurred_at=now())

    def now() -> datetime:
        return ledger.clock.now()

    async with ledger.consuming():
        await stock(ledger, A=3)
        if placed_first:
            await ledger.publish(told("order_placed", "1"))
            await ledger.until_recorded(2)
        made = await reserve(api, wanted(3), reference="order 1")
        assert made.status_code == 201, made.text
        if not placed_first:
            await ledger.publish(told("order_placed", "1"))
            await ledger.until_recorded(2)
        assert await level(api) == (3, 3, 0)
        await ledger.publish(told("order_fulfilled", "2"))
        await ledger.until_recorded(3)
        assert await level(api) == (0, 0, 0)
        done = await api.post(f"/v1/reservations/{made.json()['id']}/fulfil")
        assert done.json()["state"] == "fulfilled"
        assert await level(api) == (0, 0, 0)
    (newest, *_) = (await api.get("/v1/levels/A/W/statement")).json()["items"]
    assert (newest["quantity"], newest["reason"]) == (0, "met")
    # Three units are one sale, whoever tells of it.
    assert await ledger.rows("SELECT sold_total, sold_changes FROM level") == [(3, 1)]
    assert await differences(ledger) == []


async def test_giving_back_what_a_channel_has_shipped_is_refused_the_same_each_time(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    async with ledger.consuming():
        await stock(ledger, A=3)
        held = (await reserve(api, wanted(3), reference="order 1")).json()
        await ledger.publish(
            change(
                id="shipped",
                type="order_fulfilled",
                quantity=3,
                reference="order 1",
                occurred_at=ledger.clock.now(),
            )
        )
        await ledger.until_recorded(2)
        path = f"/v1/reservations/{held['id']}"
        first, again = [await api.delete(path) for _ in range(2)]
        assert (first.status_code, again.status_code) == (409, 409)
        assert first.json()["state"] == "fulfilled"
        assert first.json()["detail"].endswith("report a return if they come back.")
        assert first.json()["detail"] == again.json()["detail"]
        assert (await api.get(path)).json()["state"] == "fulfilled"
        assert await level(api) == (0, 0, 0)
    assert await differences(ledger) == []


async def test_a_fulfilment_that_commits_while_a_count_waits_for_it_is_not_lost(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    async with ledger.consuming():
        await stock(ledger, A=10)
        held = (await reserve(api, wanted(3))).json()
        await told(ledger, 7)
        counted_at = ledger.clock.now()
        async with fulfilling(ledger, held["id"]):
            # It happened before the fulfilment that its batch has to wait for.
            await ledger.publish(
                change(id="recount", type="count", quantity=9, occurred_at=counted_at)
            )
            await until(partial(somebody_waits, ledger))
        await ledger.until_recorded(2)
        assert await level(api) == (6, 0, 6)
    assert await differences(ledger) == []


async def test_a_reservation_that_commits_after_a_turn_has_looked_is_told_by_the_next(
    ledger: Ledger, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(pipeline.StockChanges, "due", nothing_is_due)
        async with ledger.consuming():
            await stock(ledger, A=10)
            held = (await reserve(api, wanted(3))).json()
            await ledger.publish(change(id="sale", occurred_at=ledger.clock.now()))
            await told(ledger, 6)  # by the batch: the level is still noted
    monkeypatch.setattr(pipeline, "LOOK_SECONDS", float("inf"))
    ((noted,),) = await ledger.rows("SELECT partition FROM dirty_level")
    batch = Batch([], {noted: 100}, {noted: 99})
    handler = ledger.handler()
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    async with engine.connect() as connection:
        async with fulfilling(ledger, held["id"]):
            assert await handler.due(connection, [noted], {}) == {noted}
            await connection.rollback()
            async with connection.begin():
                assert not await handler.turn(connection, batch, {})
            handler.turned()
            # It waits for the next look.
            assert not await handler.due(connection, [noted], {})
        assert await ledger.rows(_TOLD_BY_NOBODY) == []

        handler = ledger.handler()
        assert await handler.due(connection, [noted], {}) == {noted}
        await connection.rollback()
        async with connection.begin():
            (levels,) = await handler.turn(connection, batch, {})
        handler.turned()
        assert len(levels.messages) == 1
        assert not await handler.due(connection, [noted], {})
    await engine.dispose()
    assert await ledger.rows("SELECT FROM level WHERE dip IS NOT NULL") == []


@asynccontextmanager
async def fulfilling(ledger: Ledger, reservation_id: str) -> AsyncIterator[None]:
    """Fulfil a reservation in a transaction that is open meanwhile."""
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    async with engine.connect() as connection:
        own = await driver(connection)
        await prepare(own)
        async with own.transaction():
            await decide(
                own,
                [Fulfil(reservation_id, "test")],
                ledger.clock,
                partial(reservations.present, None),
                wait=True,
            )
            yield
    await engine.dispose()


_TOLD_BY_NOBODY = """
SELECT l.id FROM level AS l LEFT JOIN dirty_level AS d ON d.level_id = l.id
WHERE l.dip IS NOT NULL AND d.level_id IS NULL
"""


async def somebody_waits(ledger: Ledger) -> bool:
    rows = await ledger.rows(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return bool(rows[0][0])


async def all_is_noted(ledger: Ledger) -> bool:
    """Return whether the next claim has nothing to tell."""
    rows = await ledger.rows(
        "SELECT bool_and(published = batch), sum(batch) FROM consumer_position"
    )
    return bool(rows[0][0] and rows[0][1])


async def test_a_dip_that_is_over_is_told_by_the_next_batch(
    ledger: Ledger, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.StockChanges, "due", nothing_is_due)  # no turn comes first
    async with ledger.consuming(workers=1):
        await stock(ledger, A=10)
        held = (await reserve(api, wanted(9))).json()
        await api.delete(f"/v1/reservations/{held['id']}")
        await ledger.publish(change(id="sale", occurred_at=ledger.clock.now()))
        levels = await told(ledger, 9)
        assert [each.low_water for each in levels] == [10, 1]
        await ledger.publish(change(id="another", occurred_at=ledger.clock.now()))
        levels = await told(ledger, 8)
        assert levels[-1].low_water == 8


@pytest.mark.parametrize("teller", ["turn", "batch"])
async def test_a_crash_before_a_reservation_is_told_hides_no_dip(
    ledger: Ledger, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, teller: str
) -> None:
    async with ledger.consuming():
        await stock(ledger, A=10)
        await until(partial(all_is_noted, ledger))
    held = (await reserve(api, wanted(9))).json()
    await api.delete(f"/v1/reservations/{held['id']}")
    if teller == "batch":
        monkeypatch.setattr(pipeline.StockChanges, "due", nothing_is_due)
        await ledger.publish(change(id="sale", occurred_at=ledger.clock.now()))
    async with (
        Dying(ledger.settings.kafka, ledger.settings.topic_prefix) as producer,
        ledger.consumer(producer=producer) as consumer,
    ):
        await run_until_crash(consumer)
    assert await ledger.rows("SELECT 1 FROM level WHERE dip IS NOT NULL") == []
    async with ledger.consuming():
        await ledger.until_published(version=4)
    last = [each for each in await ledger.published() if each.sku == "A"][-1]
    assert (last.available, last.low_water) == (10 if teller == "turn" else 9, 1)


async def nothing_is_due(*_: object) -> tuple[int, ...]:
    return ()


@pytest.mark.parametrize("lost", ["the answer", "the commit"])
async def test_a_reservation_whose_commit_is_lost_is_made_once(
    ledger: Ledger, lost: Literal["the answer", "the commit"]
) -> None:
    async with ledger.consuming():
        await stock(ledger, A=5)
    async with lossy(ledger.settings.database_url.get_secret_value()) as way:
        there = SecretStr(way.url)
        settings = ledger.settings.model_copy(update={"database_url": there})
        async with replace(ledger, settings=settings).api() as api:
            await reserve(api, wanted(1))
            way.loses = lost
            made = await reserve(api, wanted(4))
            assert made.status_code == 201, made.text
            assert await level(api) == (5, 5, 0)
    assert way.lost == 1


async def test_a_group_that_waits_too_long_for_a_level_gives_way_and_comes_again(
    ledger: Ledger, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "LOCK_TIMEOUT_MS", 50)
    async with ledger.consuming():
        await stock(ledger, A=5)
    other = await asyncpg.connect(ledger.database.administrator_url)
    try:
        async with asyncio.TaskGroup() as group:
            async with other.transaction():
                await other.execute("UPDATE ledger.level SET sku = sku")
                asked = group.create_task(reserve(api, wanted(5)))
                for _ in range(2):
                    await until(partial(somebody_waits, ledger))

                    async def has_given_way() -> bool:
                        return not await somebody_waits(ledger)

                    await until(has_given_way)
            assert (await asked).status_code == 201
    finally:
        await other.close()


async def test_a_level_that_somebody_holds_keeps_nobody_from_the_others(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    async with ledger.consuming():
        await stock(ledger, A=5, B=5)
    other = await asyncpg.connect(ledger.database.administrator_url)
    try:
        async with asyncio.TaskGroup() as group:
            async with other.transaction():
                await other.execute("UPDATE ledger.level SET sku = sku WHERE sku = 'A'")
                first = group.create_task(reserve(api, wanted(1, "A")))
                both = group.create_task(reserve(api, wanted(2, "A"), wanted(2, "B")))
                for _ in range(3):
                    assert (await reserve(api, wanted(1, "B"))).status_code == 201
                assert not first.done()
                assert not both.done()
            assert (await first).status_code == 201
            assert (await both).status_code == 201
    finally:
        await other.close()
    assert [await level(api, sku) for sku in "AB"] == [(5, 3, 2), (5, 5, 0)]


async def test_a_reservation_that_somebody_holds_keeps_nobody_from_the_others(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    async with ledger.consuming():
        await stock(ledger, A=5, B=5)
    held, free = [(await reserve(api, wanted(1, sku))).json()["id"] for sku in "AB"]
    other = await asyncpg.connect(ledger.database.administrator_url)
    try:
        async with asyncio.TaskGroup() as group:
            async with other.transaction():
                await other.execute(
                    "SELECT 1 FROM ledger.reservation WHERE id = $1 FOR UPDATE", held
                )
                asked = group.create_task(api.post(f"/v1/reservations/{held}/fulfil"))
                for _ in range(3):
                    assert (await reserve(api, wanted(1, "A"))).status_code == 201
                assert (await api.post("/v1/reservations/0/fulfil")).status_code == 404
                assert (await api.post(f"/v1/reservations/{free}/fulfil")).status_code == 200
                assert not asked.done()
            assert (await asked).json()["state"] == "fulfilled"
    finally:
        await other.close()
    assert [await level(api, sku) for sku in "AB"] == [(4, 3, 1), (4, 0, 4)]
    assert await differences(ledger) == []


async def test_two_with_one_key_who_have_waited_long_are_answered_the_same(ledger: Ledger) -> None:
    async with ledger.consuming():
        await stock(ledger, A=5)
    engine = create_engine(ledger.settings.database_url.get_secret_value())

    async def nobody_says() -> None:
        return None

    at = Desk(engine, ledger.clock, nobody_says, reservations.present)
    once = Once(b"0123456789abcdef", 1)
    late = [
        Waiting(Reserve(at.new_id(), LINE, None, timedelta(minutes=1), "test", key))
        for key in (once, None, once)
    ]
    for each in late:
        at._late.put_nowait(each)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(at.run())
        first, another, again = [await each.answer for each in late]
        running.cancel()
    await engine.dispose()
    assert first == again
    assert [first[0], another[0]] == [201, 201]
    assert [tuple(row) for row in await ledger.rows("SELECT reserved FROM level")] == [(2,)]


async def test_a_few_who_come_one_after_the_other_are_decided_together(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "COMPANY_MOST_SECONDS", 60.0)
    async with ledger.consuming():
        await stock(ledger, A=100)
    engine = create_engine(ledger.settings.database_url.get_secret_value())

    async def nobody_says() -> None:
        return None

    at = Desk(engine, ledger.clock, nobody_says, reservations.present)
    at._took_seconds = 120.0

    async def has_taken_it() -> bool:
        return at._queue.empty()

    async with asyncio.TaskGroup() as group:
        running = group.create_task(at.run())
        asked = []
        for _ in range(desk.FEW):
            one = Reserve(at.new_id(), LINE, None, timedelta(minutes=1), "test", None)
            asked.append(group.create_task(at.ask(one)))
            await asyncio.sleep(0)
            await until(has_taken_it)
        assert {(await each)[0] for each in asked} == {201}
        running.cancel()
    await engine.dispose()
    transactions = await ledger.rows("SELECT count(*) FROM reservation GROUP BY xmin")
    assert [tuple(row) for row in transactions] == [(desk.FEW,)]


async def test_kits_are_held_by_component_and_policy_allows_more_than_there_is(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    parts = [Component(sku="A", quantity=2), Component(sku="B", quantity=1)]
    await know(
        ledger,
        item("KIT", kit=parts),
        item("A"),
        item("B", oversell=True),
        item("D", oversell=True),
    )
    async with ledger.consuming():
        await stock(ledger, A=7, B=1)
        made = await reserve(api, wanted(1, "B"), wanted(3, "KIT"), wanted(2, "D"))
        assert made.status_code == 201, made.text
        assert [(each["line"], each["quantity"]) for each in made.json()["lines"]] == [
            ("0", 1),
            ("1/A", 6),
            ("1/B", 3),
            ("2", 2),
        ]
        assert [await level(api, sku) for sku in "ABD"] == [(7, 6, 1), (1, 4, -3), (0, 2, -2)]
        short = (await reserve(api, wanted(1, "KIT"))).json()
        assert [(each["lines"], each["lacking"]) for each in short["lacking"]] == [(["0/A"], 1)]
        await api.post(f"/v1/reservations/{made.json()['id']}/fulfil")
        assert [await level(api, sku) for sku in "ABD"] == [(1, 0, 1), (-3, 0, -3), (-2, 0, -2)]
        await ledger.publish(change(id="r", type="receipt", sku="D", quantity=5))
        await told(ledger, 3, "D")
    assert await differences(ledger) == []


def item(sku: str, **fields: object) -> CatalogItem:
    return CatalogItem.model_validate({"sku": sku, "version": 1, "updated_at": START} | fields)


async def know(ledger: Ledger, *items: CatalogItem) -> None:
    """Tell the ledger of SKUs, as its copy of the catalogue would."""
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    async with engine.connect() as connection:
        await keep(await driver(connection), items)
    await engine.dispose()


async def test_the_short_way_and_the_documented_one_reserve_the_same(
    ledger: Ledger, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ledger.consuming():
        await stock(ledger, A=10)
    taken: list[str] = []

    async def noting(request: Request, *scopes: Scope) -> Caller:
        taken.append(request.headers.get("idempotency-key", ""))
        return await admit(request, *scopes)

    monkeypatch.setattr(reservations, "admit", noting)

    async def ask(media_type: str, body: str, key: str) -> httpx.Response:
        headers = {"Content-Type": media_type, "Idempotency-Key": key}
        answer = await api.post("/v1/reservations", content=body, headers=headers)
        assert answer.headers.pop("traceparent")
        return answer

    one = json.dumps({"lines": [wanted(1)]})
    for key, body, status in (
        ("made", one, 201),
        ("too many", json.dumps({"lines": [wanted(11)]}), 409),
        ("made", json.dumps({"lines": [wanted(2)]}), 422),  # the key has asked for another thing
    ):
        short = await ask("application/json", body, key)
        assert taken.pop() == key
        documented = await ask("application/json; charset=utf-8", body, key)
        assert not taken, "the documented one is FastAPI's"
        assert (short.status_code, short.content) == (status, documented.content)
        assert short.headers == documented.headers
    for key, body in (
        ("k" * 201, one),
        ("", one),
        ("half", one[:-1]),
        ("fractions", one.replace("1", "1.0")),
        ("nobody's", json.dumps({"lines": []})),
    ):
        refused = await ask("application/json", body, key)
        documented = await ask("application/json; charset=utf-8", body, key)
        assert (refused.status_code, refused.content) == (422, documented.content) or (
            refused.status_code == 400 and refused.content == documented.content
        )
        assert not taken, "what is not as it should be is FastAPI's"


async def test_only_who_may_reserve_can(ledger: Ledger, api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/reservations", json={}, headers={"Authorization": "Bearer x"})
    assert answer.status_code == 401
    wrongs: list[dict[str, object]] = [
        {"lines": []},
        {"lines": [wanted(0)]},
        {"lines": [wanted(1)], "expires_in_seconds": 10**9},
        {"lines": [wanted(1)], "reference": "\x00"},
    ]
    for wrong in wrongs:
        assert (await api.post("/v1/reservations", json=wrong)).status_code == 422
