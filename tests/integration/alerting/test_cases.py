"""What runs out announced late or never becomes a case; people find the others."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.alerting.inbound.catalog_items import Catalogue
from services.alerting.reviewing import CasePolicy, Reviewing
from services.alerting.settings import AlertingSettings
from services.alerting.store import action_rows, stock_outs
from shared.clock import ManualClock
from shared.database.engine import create_engine
from shared.http.auth import Scope
from shared.testing.stack import Database
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting, alerting_on, authorization
from tests.integration.alerting.shop import Shop

pytestmark = pytest.mark.stack

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest_asyncio.fixture
async def alerting(
    settings: AlertingSettings, database: Database, key: Path, clock: ManualClock
) -> AsyncIterator[Alerting]:
    async with alerting_on(settings, database, key, clock) as service:
        # Somebody has looked before: what is out from now on has run out just now.
        await service.rows("INSERT INTO stock_out_look VALUES (true, now() - interval '1 minute')")
        yield service


async def hear(alerting: Alerting, clock: ManualClock, available: int, **fields: object) -> None:
    told = {"last_change_at": clock.now(), "sold_total": 5} | fields
    await alerting.tell(alerting.level(available, **told))
    async with alerting.consuming():
        await alerting.caught_up()


async def reviewed(alerting: Alerting, clock: ManualClock) -> list[dict[str, Any]]:
    """Let `tick` look once at the least, and return the cases, the oldest first."""
    clock.advance(timedelta(seconds=1))
    now = clock.now()
    async with alerting.relaying():

        async def looked() -> bool:
            return bool(
                await alerting.rows("SELECT 1 FROM stock_out_look WHERE looked_at >= $1", now)
            )

        await until(looked)
    items: list[dict[str, Any]] = (await alerting.ask("GET", "/v1/cases"))["items"]
    return items[::-1]


async def test_a_class_a_stock_out_told_with_it_is_a_case_until_a_measure_is_taken(
    alerting: Alerting, clock: ManualClock
) -> None:
    await alerting.ask("PUT", "/v1/people/lin", {"name": "Lin"})
    await alerting.ask("PUT", "/v1/responsibilities", {"items": [{"owner": "lin"}]})
    await alerting.ask("PUT", "/v1/parameters?sku=A", {"stock_class": "AX", "price": "9.50"})
    await alerting.put_rule("gone", kind="stock_out", levels=[{"level": "out"}])
    await hear(alerting, clock, 30)
    await hear(alerting, clock, 0)
    (case,) = await reviewed(alerting, clock)
    assert (case["sku"], case["state"], case["owner"]) == ("A", "open", "lin")
    assert [each["cause"] for each in case["signs"]] == ["limit_too_low"]
    assert case["warned_at"] >= case["ran_out_at"]
    # Once is enough, and it knows when there was stock again.
    clock.advance(DAY)
    await hear(alerting, clock, 50)
    (again,) = await reviewed(alerting, clock)
    assert (again["id"], again["back_at"] > case["ran_out_at"]) == (case["id"], True)

    path = f"/v1/cases/{case['id']}"
    said = {"cause": "limit_too_low", "measure": "Warn at 20", "due": clock.now().date()}
    body = said | {"due": said["due"].isoformat()}  # type: ignore[attr-defined]
    early = await alerting.ask("POST", f"{path}/close", {"outcome": "?"}, HTTPStatus.CONFLICT)
    assert early["type"].endswith("not_confirmed")
    confirmed = await alerting.ask("POST", f"{path}/confirm", body)
    assert (confirmed["state"], confirmed["overdue"], confirmed["confirmed_by"]) == (
        "confirmed",
        False,
        "buyer",
    )
    clock.advance(DAY)
    counts = {"open": 0, "confirmed": 1, "closed": 0, "overdue": 1}
    assert await alerting.ask("GET", "/v1/cases/summary") == counts
    (overdue,) = (await alerting.ask("GET", "/v1/cases?overdue=true"))["items"]
    assert overdue["overdue"]
    closing = {"outcome": "Limit raised"}
    closed = await alerting.ask("POST", f"{path}/close", closing)
    assert (closed["state"], closed["closed_by"], closed["overdue"]) == ("closed", "buyer", False)
    assert await alerting.ask("POST", f"{path}/close", closing) == closed
    late = await alerting.ask("POST", f"{path}/confirm", body, HTTPStatus.CONFLICT)
    assert late["type"].endswith("already_closed")


async def test_what_somebody_ended_before_it_ran_out_was_watched_and_announced(
    alerting: Alerting, clock: ManualClock
) -> None:
    await alerting.ask("PUT", "/v1/attention-policy", {"enabled": False})
    await alerting.ask("PUT", "/v1/parameters?sku=A", {"stock_class": "A"})
    await alerting.put_rule("low")
    await hear(alerting, clock, 30)
    await hear(alerting, clock, 12)
    (alert,) = await alerting.alerts()
    await alerting.ask("POST", f"/v1/alerts/{alert['id']}/resolve", {"note": "more is coming"})
    clock.advance(HOUR)
    await hear(alerting, clock, 0)
    (case,) = await reviewed(alerting, clock)
    assert case["warned_at"] < case["ran_out_at"]
    assert [each["cause"] for each in case["signs"]] == ["nobody_acted"]


async def test_a_stock_out_is_of_the_class_and_at_the_price_that_the_catalogue_says(
    alerting: Alerting, clock: ManualClock
) -> None:
    await alerting.put_rule("gone", kind="stock_out", levels=[{"level": "out"}])
    await alerting.name("A", stock_class="AX", price="9.50")
    await hear(alerting, clock, 30)
    async with alerting.consuming():
        await until(lambda: alerting.has_parameters("A"))
    await hear(alerting, clock, 0)
    assert [case["sku"] for case in await reviewed(alerting, clock)] == ["A"]
    (known,) = await alerting.rows("SELECT stock_class, price FROM stock_out")
    assert tuple(known) == ("AX", Decimal("9.5"))
    (alert,) = await alerting.alerts()
    assert alert["stock_class"] == "AX"


@pytest.mark.parametrize(
    "row", [{"supplier": "ACME"}, {"category": "cups"}], ids=lambda row: next(iter(row))
)
async def test_a_case_is_whose_the_level_is(
    alerting: Alerting, clock: ManualClock, row: dict[str, str]
) -> None:
    """By supplier and category, like an alert; here there never was one."""
    await alerting.ask("PUT", "/v1/people/lin", {"name": "Lin"})
    await alerting.ask("PUT", "/v1/responsibilities", {"items": [row | {"owner": "lin"}]})
    given = {"stock_class": "A", "supplier": "ACME"}
    await alerting.ask("PUT", "/v1/parameters?sku=A", given)
    await alerting.name("A", category="cups")
    await hear(alerting, clock, 0)
    (case,) = await reviewed(alerting, clock)
    assert case["owner"] == "lin"
    assert await alerting.alerts() == []


async def test_a_notice_that_waited_for_others_has_warned_of_nothing_that_came_before_it(
    shop: Shop,
) -> None:
    ask = shop.alerting.ask
    await ask("PUT", "/v1/attention-policy", {"urgent_minutes": 60})
    await ask("PUT", "/v1/parameters?sku=A", {"stock_class": "A"})
    levels = [{"level": "watch", "enter": 20}, {"level": "out", "enter": 1}]
    await shop.alerting.put_rule("low", levels=levels)
    await shop.turn()
    policy = CasePolicy(timedelta(minutes=10), Decimal(1_000))
    reviewing = Reviewing(shop.engine, shop.clock, policy, Catalogue, in_event_time=False)
    await reviewing.step()
    for units in (50, 12, 0):
        await shop.hear(units, sold_total=5)
        shop.clock.advance(timedelta(minutes=30))
    (told,) = await shop.alerting.rows("SELECT tell_at FROM alert_history WHERE event = 'opened'")
    assert told["tell_at"] == shop.clock.now()
    await reviewing.step()
    (case,) = (await ask("GET", "/v1/cases"))["items"]
    assert case["warned_at"] == case["ran_out_at"]
    within = "from=2026-03-01T00:00:00Z&to=2026-03-09T00:00:00Z"
    total = (await ask("GET", f"/v1/review?{within}"))["total"]
    assert (total["met_late"], total["missed"]) == (0, 1)


async def test_what_no_rule_watched_is_found_from_the_levels_and_so_is_what_nobody_did(
    alerting: Alerting, clock: ManualClock
) -> None:
    for sku in ("A", "B", "C", "D"):
        stock_class = "A" if sku in "ABD" else "C"
        await alerting.ask("PUT", f"/v1/parameters?sku={sku}", {"stock_class": stock_class})
    await alerting.put_rule("low", scope={"skus": ["B", "D"]})
    await hear(alerting, clock, 12, sku="B")
    await hear(alerting, clock, 12, sku="D")
    # D was told of in time, B five hours before; A and C by nobody, and C matters little.
    await alerting.rows("UPDATE alert SET opened_at = opened_at - interval '5 hours'")
    await alerting.rows(
        """
        UPDATE alert_history AS h
        SET occurred_at = occurred_at - CASE a.sku WHEN 'B' THEN interval '5 hours'
                                                   ELSE interval '30 hours' END
        FROM alert AS a WHERE a.id = h.alert_id
        """
    )
    for sku in ("A", "B", "C", "D"):
        await hear(alerting, clock, 0, sku=sku)
    found = {each["sku"]: each for each in await reviewed(alerting, clock)}
    assert set(found) == {"A", "B"}
    assert [each["cause"] for each in found["A"]["signs"]] == ["no_rule"]
    assert [each["cause"] for each in found["B"]["signs"]] == ["nobody_acted"]
    assert found["A"]["warned_at"] is None


async def test_a_stock_out_that_is_over_before_anybody_looks_is_on_record(
    alerting: Alerting, clock: ManualClock
) -> None:
    await alerting.ask("PUT", "/v1/parameters?sku=A", {"stock_class": "A"})
    await alerting.put_rule("gone", kind="stock_out", levels=[{"level": "out"}])
    await hear(alerting, clock, 0)
    clock.advance(timedelta(seconds=5))
    await hear(alerting, clock, 9)
    (case,) = await reviewed(alerting, clock)
    assert case["back_at"] is not None
    assert len(await reviewed(alerting, clock)) == 1


async def test_what_runs_out_is_looked_for_while_somebody_changes_actions(
    database: Database, clock: ManualClock
) -> None:
    engine = create_engine(database.url("alerting"))
    async with engine.begin() as buyer, engine.begin() as looking:
        await action_rows.take_turn(buyer)
        assert await stock_outs.look(looking, clock.now(), in_event_time=False)
    await engine.dispose()


async def test_what_was_out_when_it_was_first_looked_at_is_nobodys_fault(
    alerting: Alerting, clock: ManualClock
) -> None:
    await alerting.rows("DELETE FROM stock_out_look")
    await alerting.ask("PUT", "/v1/parameters?sku=A", {"stock_class": "A"})
    await hear(alerting, clock, 0)
    assert await reviewed(alerting, clock) == []
    (row,) = await alerting.rows("SELECT found, ended_at FROM stock_out")
    assert tuple(row) == (True, None)


async def test_a_person_opens_a_case_of_what_no_warning_came_of_and_its_owner_confirms_it(
    alerting: Alerting, clock: ManualClock, key: Path, settings: AlertingSettings
) -> None:
    await alerting.ask("PUT", "/v1/people/lin", {"name": "Lin"})
    await alerting.ask("PUT", "/v1/responsibilities", {"items": [{"owner": "lin"}]})
    body = {"sku": "Z", "warehouse": "W", "note": "The shelf is empty"}
    headers = {"Idempotency-Key": "1"}
    made = [await alerting.client.post("/v1/cases", json=body, headers=headers) for _ in range(2)]
    assert [each.status_code for each in made] == [HTTPStatus.CREATED] * 2
    case = made[0].json()
    assert made[1].json() == case
    another = await alerting.client.post("/v1/cases", json=body | {"sku": "Y"}, headers=headers)
    assert another.json()["type"].endswith("idempotency_key_reused")
    assert (case["opened_by"], case["owner"], case["signs"]) == ("buyer", "lin", [])
    said = {"cause": "no_rule", "measure": "A rule for Z", "due": clock.now().date().isoformat()}
    answer = await alerting.client.post(
        f"/v1/cases/{case['id']}/confirm",
        json=said,
        headers=authorization(key, Scope.ALERTS_READ, Scope.ALERTS_WRITE),
    )
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert answer.json()["type"].endswith("not_the_owner")
