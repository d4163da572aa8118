"""A person ends an alert: what is told of it, and what becomes of the condition that goes on."""

import asyncio
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from services.alerting.following import Following
from services.alerting.reminding import Reminding
from services.alerting.store import acts, lateness
from services.alerting.store.acts import By
from shared.database.engine import create_engine
from shared.events.stock_alerts import StockAlert
from shared.observability.metrics import TRANSITIONS_TOTAL
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting
from tests.integration.alerting.shop import Shop as OneShop

pytestmark = pytest.mark.stack

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOTE = {"note": "counted: all is there"}
LEVELS = [
    {"level": "watch", "enter": 20, "exit": 30},
    {"level": "urgent", "enter": 10, "exit": 15},
    {"level": "out", "enter": 1, "exit": 3},
]
STEPS = [
    {
        "whom": [{"role": "owner"}],
        "expects": "acknowledge",
        "within_minutes": 30,
        "late": [{"do": "remind"}],
    }
]


@pytest_asyncio.fixture
async def shop(shop: OneShop) -> OneShop:
    """Lin owns what opens, by a playbook; there was plenty before."""
    ask = shop.alerting.ask
    await ask("PUT", "/v1/people/lin", {"name": "林"})
    await ask("PUT", "/v1/responsibilities", {"items": [{"owner": "lin"}]})
    playbook = {"name": {"zh-CN": "补货", "en": "Replenish"}, "steps": STEPS}
    assert (await shop.alerting.client.put("/v1/playbooks/quick", json=playbook)).is_success
    await shop.alerting.put_rule("low", levels=LEVELS, playbook="quick")
    await shop.hear(100)
    return shop


async def newest(shop: OneShop) -> dict[str, Any]:
    return (await shop.alerting.alerts())[-1]


async def end(
    shop: OneShop, alert: dict[str, Any], status: int = HTTPStatus.OK, **body: object
) -> dict[str, Any]:
    return await shop.alerting.ask(
        "POST", f"/v1/alerts/{alert['id']}/resolve", body or NOTE, status
    )


async def ended_at(shop: OneShop, available: int) -> dict[str, Any]:
    """Let an episode open with so much, and end it."""
    await shop.hear(available)
    return await end(shop, await newest(shop))


async def told(shop: OneShop) -> list[StockAlert]:
    """Return the notices that wait for the broker."""
    rows = await shop.alerting.rows("SELECT value FROM outbox ORDER BY id")
    return [StockAlert.model_validate_json(row["value"]) for row in rows]


async def lives(shop: OneShop) -> list[list[tuple[str, str]]]:
    return [await shop.alerting.history(each) for each in await shop.alerting.alerts()]


async def test_an_end_by_hand_is_told_and_on_record_with_who_and_why(shop: OneShop) -> None:
    await shop.hear(18)
    await shop.hear(16)
    alert = await newest(shop)
    shop.clock.advance(HOUR)
    ended = await end(shop, alert)
    assert ended["state"] == "resolved"
    assert datetime.fromisoformat(ended["resolved_at"]) == shop.clock.now()
    (_, last) = ended["history"]
    assert (last["event"], last["actor"], last["note"]) == ("resolved", "buyer", NOTE["note"])
    notice = (await told(shop))[-1]
    assert (notice.event, notice.actor, notice.note, notice.hush) == (
        "resolved",
        "buyer",
        NOTE["note"],
        None,
    )
    assert ([each.id for each in notice.to], notice.facts.available) == (["lin"], 16)
    (entry,) = (await shop.alerting.ask("GET", "/v1/audit?what=alert.resolved"))["items"]
    assert (entry["actor"], entry["target"], entry["address"]) == (
        "buyer",
        alert["id"],
        "127.0.0.1",
    )
    assert (entry["before"]["resolved_at"], entry["after"]["note"]) == (None, NOTE["note"])


async def test_only_an_open_alert_is_ended_and_a_note_is_needed(shop: OneShop) -> None:
    unknown = {"id": str(UUID(int=5))}
    await end(shop, unknown, HTTPStatus.NOT_FOUND)
    await shop.hear(18)
    alert = await newest(shop)
    for wrong in ({"note": "  "}, {"note": None}, {"why": "x"}, {"note": "x" * 1_001}):
        problem = await end(shop, alert, HTTPStatus.UNPROCESSABLE_ENTITY, **wrong)
        assert "note" in str(problem["errors"]), problem
    ended = await end(shop, alert)
    assert await end(shop, alert) == ended, "the same request again changes nothing"
    for body in ({"note": "something else"}, NOTE):
        if body is NOTE:
            await shop.hear(100)
            await shop.hear(18)
            alert = await newest(shop)
            await shop.hear(100)
        problem = await end(shop, alert, HTTPStatus.CONFLICT, **body)
        assert problem["type"].endswith("already_resolved")
        assert f"Alert {alert['number']} is resolved already" in problem["detail"]
    assert [len(each) for each in await lives(shop)] == [2, 2]


async def test_while_it_holds_at_that_level_or_lower_nothing_is_said_and_worse_is_new(
    shop: OneShop,
) -> None:
    """Through a restart: what a worker knows of the condition has not changed."""
    first = await ended_at(shop, 8)
    for available in (7, 18, 5):  # urgent, watch, urgent again
        await shop.hear(available)
    await shop.restart()
    await shop.hear(9)
    assert await lives(shop) == [[("opened", "urgent"), ("resolved", "urgent")]]
    before = TRANSITIONS_TOTAL.labels("below", "opened")._value.get()
    await shop.hear(0)
    second = await newest(shop)
    assert await lives(shop) == [
        [("opened", "urgent"), ("resolved", "urgent")],
        [("opened", "out")],
    ]
    assert (second["number"], second["owner"]) == (first["number"] + 1, "lin")
    assert TRANSITIONS_TOTAL.labels("below", "opened")._value.get() == before + 1
    followed = await shop.alerting.ask("GET", f"/v1/alerts/{second['id']}")
    assert followed["playbook"]["step"]["expects"] == "acknowledge"
    assert (await told(shop))[-1].previous_level is None
    await shop.hear(18)
    assert (await lives(shop))[1:] == [[("opened", "out"), ("level_changed", "watch")]]


async def test_what_recovers_after_it_is_over_without_a_word_and_opens_anew(shop: OneShop) -> None:
    await ended_at(shop, 8)
    await shop.hear(100)
    assert (await lives(shop))[1:] == []
    assert not await shop.alerting.rows("SELECT FROM condition")
    await shop.hear(18)
    assert (await lives(shop))[1:] == [[("opened", "watch")]]
    await shop.hear(8)
    assert (await lives(shop))[1:] == [[("opened", "watch"), ("level_changed", "urgent")]]


async def test_ended_a_second_time_it_is_silent_at_the_level_of_then(shop: OneShop) -> None:
    await ended_at(shop, 18)
    await ended_at(shop, 8)
    await shop.hear(18)
    await shop.hear(8)
    assert [len(each) for each in await lives(shop)] == [2, 2]
    await shop.hear(0)
    assert (await lives(shop))[2:] == [[("opened", "out")]]


@pytest.mark.parametrize("change", ["disabled", "out of scope", "gone and back"])
async def test_a_rule_that_no_longer_watches_it_says_nothing(shop: OneShop, change: str) -> None:
    await ended_at(shop, 8)
    fields: dict[str, Any] = {"levels": LEVELS}
    without = fields | ({"enabled": False} if change != "out of scope" else {})
    if change == "out of scope":
        without["scope"] = {"skus": ["B"]}
    await shop.alerting.put_rule("low", **without)
    await shop.turn()
    assert [len(each) for each in await lives(shop)] == [2]
    if change == "gone and back":
        await shop.alerting.put_rule("low", **fields)
        await shop.turn()
        assert (await lives(shop))[1:] == [[("opened", "urgent")]]


async def test_a_recovery_that_nobody_hears_of_is_broken_without_a_word(shop: OneShop) -> None:
    await shop.alerting.put_rule("low", levels=LEVELS, recovery_seconds=60)
    await shop.turn()
    await ended_at(shop, 8)
    await shop.hear(100)
    assert (await shop.explained())["reason"] == "recovering"
    await shop.hear(8)
    shop.clock.advance(HOUR)
    await shop.turn()
    assert [len(each) for each in await lives(shop)] == [2]
    await shop.hear(100)
    shop.clock.advance(HOUR)
    await shop.turn()
    assert [len(each) for each in await lives(shop)] == [2]
    assert not await shop.alerting.rows("SELECT FROM ended_by_hand WHERE held_until IS NULL")


async def test_its_clock_ends_and_nobody_is_reminded_or_missed_by_the_auditor(
    shop: OneShop,
) -> None:
    await shop.hear(8)
    alert = await newest(shop)
    path = f"/v1/alerts/{alert['id']}"
    await shop.alerting.ask("POST", f"{path}/snooze", {"minutes": 10})
    ended = await end(shop, alert)
    assert (ended["playbook"]["step"], ended["playbook"]["due_at"]) == (None, None)
    shop.clock.advance(DAY)
    assert await Following(shop.engine, shop.clock).step() == 0
    assert await Reminding(shop.engine, shop.clock).step() == 0
    async with shop.engine.begin() as connection:
        assert await lateness.audit(connection, shop.clock.now(), 10) == []
    assert [len(each) for each in await lives(shop)] == [3]


async def test_why_there_is_nothing_says_that_somebody_has_ended_it(shop: OneShop) -> None:
    await shop.alerting.ask("PUT", "/v1/people/buyer", {"name": "王"})
    alert = await ended_at(shop, 8)
    explained = await shop.explained()
    assert (explained["reason"], explained["alert"]) == ("firing", None)
    assert explained["ended"] == {
        "id": alert["id"],
        "number": alert["number"],
        "level": "urgent",
        "ended_at": alert["resolved_at"],
        "by": "buyer",
        "note": NOTE["note"],
    }
    at = f"{shop.clock.now():%Y-%m-%d}"
    for language, said in (
        ("zh-CN", [f"预警 #{alert['number']} 已由 王 于 ", "人工结束：counted: all is there。"]),
        ("en", [f"Alert #{alert['number']} was ended by 王 at ", "worse than urgent"]),
    ):
        for words in (*said, at[:8]):
            assert words in explained["words"][language]
    await shop.hear(0)
    assert (await shop.explained())["ended"] is None
    await shop.hear(100)
    assert (await shop.explained())["ended"] is None


async def test_of_a_pool_it_is_the_same(shop: OneShop) -> None:
    await shop.alerting.put_rule("low", levels=LEVELS, enabled=False)
    pool = {"subject": "pool", "pool": "online", "scope": {"warehouses": ["N"]}}
    await shop.alerting.put_rule("pool", **pool)
    await shop.turn()
    await shop.hear(100, 12, warehouse="N")
    alert = await end(shop, await newest(shop))
    await shop.hear(5, warehouse="N")
    said = await shop.alerting.ask("GET", "/v1/explain?sku=A&warehouse=N&rule=pool")
    (rule,) = said["rules"]
    assert (rule["alert"], rule["ended"]["id"]) == (None, alert["id"])
    assert len(await lives(shop)) == 1
    for available in (100, 12):
        await shop.hear(available, warehouse="N")
    assert len(await lives(shop)) == 2


@pytest.mark.parametrize(
    ("available", "life"), [(5, []), (18, []), (100, []), (0, [[("opened", "out")]])]
)
async def test_a_batch_that_waits_for_whoever_ends_it_finds_it_ended(
    shop: OneShop, available: int, life: list[list[tuple[str, str]]]
) -> None:
    await shop.hear(8)
    alert = await newest(shop)
    by = By("lin", "checked", shop.clock.now(), None)
    engine = create_engine(shop.alerting.settings.database_url.get_secret_value(), pool=1)
    async with asyncio.TaskGroup() as group, engine.connect() as connection:
        await acts.resolve(connection, UUID(alert["id"]), by)
        hearing = group.create_task(shop.hear(available))
        if available != 5:  # what stays as it is asks for no lock
            await until(lambda: somebody_waits(shop.alerting))
        await connection.commit()
        await hearing
    await engine.dispose()
    assert await lives(shop) == [[("opened", "urgent"), ("resolved", "urgent")], *life]
    goes_on = await shop.alerting.rows("SELECT FROM ended_by_hand WHERE held_until IS NULL")
    assert len(goes_on) == (available in {5, 18})


@pytest.mark.parametrize(
    ("available", "life"),
    [
        (100, [("opened", "urgent"), ("resolved", "urgent")]),
        (0, [("opened", "urgent"), ("level_changed", "out"), ("resolved", "out")]),
    ],
)
async def test_whoever_waits_for_a_batch_ends_what_the_batch_has_left(
    shop: OneShop, available: int, life: list[tuple[str, str]]
) -> None:
    await shop.hear(8)
    alert = await newest(shop)
    connection = await asyncpg.connect(shop.alerting.database.url("alerting"))
    async with asyncio.TaskGroup() as group:
        async with connection.transaction():
            await connection.execute("SELECT FROM alert WHERE id = $1 FOR UPDATE", alert["id"])
            group.create_task(shop.hear(available))
            await until(lambda: somebody_waits(shop.alerting))
            ending = group.create_task(
                shop.alerting.client.post(f"/v1/alerts/{alert['id']}/resolve", json=NOTE)
            )
            await until(lambda: somebody_waits(shop.alerting, 2))
        answer = await ending
    await connection.close()
    is_over = available == 100
    assert answer.status_code == (HTTPStatus.CONFLICT if is_over else HTTPStatus.OK), answer.text
    assert await lives(shop) == [life]


async def somebody_waits(alerting: Alerting, number: int = 1) -> bool:
    found = await alerting.rows(
        "SELECT FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return len(found) >= number
