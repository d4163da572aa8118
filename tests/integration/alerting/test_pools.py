"""Rules over pools: several warehouses that sell as one."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest

from services.alerting.settings import AlertingSettings
from services.alerting.store import acts
from shared.clock import WallClock
from shared.database.engine import create_engine
from shared.events.stock_levels import StockLevel
from tests.integration.alerting.service import Alerting

pytestmark = pytest.mark.stack

POOL = {
    "subject": "pool",
    "pool": "online",
    "scope": {"warehouses": ["N", "S"]},
    "levels": [{"level": "urgent", "enter": 20, "exit": 30}],
    "covers_levels": True,
}


async def test_a_pool_is_watched_as_one_and_keeps_its_levels_quiet(alerting: Alerting) -> None:
    """Through a restart in between: what is known of the pool is what was stored of it."""
    await alerting.put_rule("pool", **POOL)
    await alerting.put_rule("level", levels=[{"level": "watch", "enter": 10}])
    await alerting.tell(*(_in(alerting, name, 50) for name in ("N", "S", "elsewhere")))
    async with alerting.consuming():
        await alerting.caught_up()
        await alerting.tell(_in(alerting, "N", 5), _in(alerting, "elsewhere", 0))
        await alerting.caught_up()
        assert await _open(alerting) == [("level", "level", "elsewhere")]
        quiet = (await _explained(alerting, "N"))["level"]
        assert (quiet["subject"], quiet["reason"]) == ("level", "covered_by_pool")
        assert "库存池" in quiet["words"]["zh-CN"]
        await alerting.tell(_in(alerting, "S", 12))
        await alerting.caught_up()
    opened = [("level", "level", "elsewhere"), ("pool", "pool", "online"), ("level", "level", "N")]
    assert await _open(alerting) == opened
    (pool,) = await alerting.alerts(subject="pool")
    assert (pool["sku"], pool["facts"]["available"]) == ("A", 17)
    explained = await _explained(alerting, "N")
    assert explained["pool"]["alert"]["number"] == pool["number"]
    assert (explained["pool"]["measure"], explained["pool"]["pool"]) == (17, "online")
    assert explained["pool"]["words"]["en"].startswith("Pool online: 17 units are available")
    assert (await _explained(alerting, "elsewhere"))["pool"]["reason"] == "out_of_scope"
    refused = await alerting.ask(
        "POST",
        f"/v1/alerts/{pool['id']}/actions",
        {"kind": "buy", "quantity": 5},
        HTTPStatus.UNPROCESSABLE_ENTITY,
    )
    assert refused["type"].endswith("not_of_a_level")
    async with alerting.consuming(), alerting.relaying():
        await alerting.tell(_in(alerting, "S", 40))
        await alerting.caught_up()
    assert await alerting.history(pool) == [("opened", "urgent"), ("resolved", "urgent")]
    told = [each for each in await alerting.notices() if each.rule.id == "pool"]
    assert [(each.subject, each.warehouse, each.facts.available) for each in told] == [
        ("pool", "online", 17),
        ("pool", "online", 45),
    ]
    assert not await alerting.rows("SELECT FROM condition WHERE subject_kind = 'pool'")


async def test_a_reminder_of_a_pool_has_the_numbers_of_now(
    alerting: Alerting, settings: AlertingSettings
) -> None:
    """Also where the rule adds up other warehouses by now."""
    await alerting.put_rule("pool", **POOL)
    engine = create_engine(settings.database_url.get_secret_value())
    minutes = 0

    async def reminded() -> dict[str, Any]:
        nonlocal minutes
        minutes += 20
        now = WallClock().now() + timedelta(minutes=minutes)
        until = {"until": (now - timedelta(minutes=10)).isoformat()}
        (alert,) = await alerting.alerts()
        await alerting.ask("POST", f"/v1/alerts/{alert['id']}/snooze", until)
        async with engine.begin() as connection:
            assert await acts.remind(connection, now, 10) == 1
        (alert,) = await alerting.alerts()
        facts: dict[str, Any] = alert["facts"]
        return facts

    await alerting.tell(*(_in(alerting, name, 50) for name in ("N", "S", "elsewhere")))
    async with alerting.consuming():
        await alerting.caught_up()
        await alerting.tell(_in(alerting, "N", 2), _in(alerting, "S", 12))
        await alerting.caught_up()
        assert [each["facts"]["available"] for each in await alerting.alerts()] == [14]
        await alerting.tell(_in(alerting, "S", 4))
        await alerting.caught_up()
    now = await reminded()
    assert (now["available"], now["on_hand"], now["low_water"]) == (6, 6, 6)
    await alerting.put_rule("pool", **POOL | {"scope": {}})
    assert (await reminded())["available"] == 56
    await engine.dispose()


def _in(alerting: Alerting, warehouse: str, available: int) -> StockLevel:
    return alerting.level(available, warehouse=warehouse, last_change_at=WallClock().now())


async def _open(alerting: Alerting) -> list[tuple[str, str, str]]:
    """Return (rule, subject, warehouse or pool) of open alerts, the oldest first."""
    return [
        (each["rule"]["id"], each["subject"], each["warehouse"])
        for each in await alerting.alerts(state="open")
    ]


async def _explained(alerting: Alerting, warehouse: str) -> dict[str, Any]:
    answer = await alerting.ask("GET", f"/v1/explain?sku=A&warehouse={warehouse}")
    return {each["rule"]["id"]: each for each in answer["rules"]}
