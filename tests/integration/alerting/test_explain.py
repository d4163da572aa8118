"""Why a level is, or is not, warned about."""

from http import HTTPStatus
from typing import Any

import pytest

from shared.clock import WallClock
from shared.testing.waiting import until
from tests.integration.alerting.service import NOON, Alerting

pytestmark = pytest.mark.stack

PATH = "/v1/explain?sku=A&warehouse=W"


async def test_every_rule_is_explained_from_what_is_stored(alerting: Alerting) -> None:
    await alerting.put_rule("low", name={"zh-CN": "低", "en": "Low"})
    await alerting.put_rule("other", scope={"skus": ["B"]})
    await alerting.put_rule("off", enabled=False)
    await alerting.put_rule("reorder", kind="below_reorder_point", levels=[])
    await alerting.put_rule("cover", kind="days_of_cover")
    await alerting.put_rule("safe", kind="below_safety_stock", levels=[])
    await alerting.ask("PUT", "/v1/parameters?sku=A", {"safety_stock": 10, "unit_cost": "1.50"})
    await alerting.ask("PUT", "/v1/parameters?sku=A&warehouse=W", {"safety_stock": 12})
    await alerting.tell(alerting.level(12, incoming=3, last_change_at=WallClock().now()))
    async with alerting.consuming():
        await alerting.caught_up()
    explained = await alerting.ask("GET", PATH)
    rules = {each["rule"]["id"]: each for each in explained["rules"]}
    assert {name: (each["in_scope"], each["reason"]) for name, each in rules.items()} == {
        "low": (True, "firing"),
        "other": (False, "out_of_scope"),
        "off": (True, "rule_disabled"),
        "reorder": (True, "no_parameter"),
        "cover": (True, "too_little_history"),
        "safe": (True, "clear"),
    }
    assert (explained["level"]["available"], explained["level"]["incoming"]) == (12, 3)
    assert explained["parameters"]["safety_stock"] == 12
    assert explained["parameters"]["unit_cost"] == "1.50"
    (alert,) = await alerting.alerts()
    low = rules["low"]
    assert low["alert"] == {name: alert[name] for name in ("id", "number", "level", "opened_at")}
    assert (low["condition"]["state"], low["measure"]) == ("open", 12)
    assert low["limits"] == [{"level": "watch", "enter": 20, "exit": 30}]
    assert low["words"] == {
        "zh-CN": "可用 12 件，关注：低于 20。已经预警，仍未恢复。",
        "en": "12 units are available, watch under 20. It has warned already, and still holds.",
    }
    assert rules["safe"]["limits"] == [{"level": "urgent", "enter": 12, "exit": 12}]
    assert (rules["reorder"]["limits"], rules["reorder"]["alert"]) == ([], None)


async def test_one_rule_may_be_asked_about(alerting: Alerting) -> None:
    await alerting.put_rule("low")
    await alerting.put_rule("out", kind="stock_out", levels=[])
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await alerting.caught_up()
    explained = await alerting.ask("GET", f"{PATH}&rule=out")
    assert [each["rule"]["id"] for each in explained["rules"]] == ["out"]
    await alerting.ask("GET", f"{PATH}&rule=none", None, HTTPStatus.NOT_FOUND)


async def test_a_level_that_was_never_heard_of_is_not_found(alerting: Alerting) -> None:
    problem = await alerting.ask("GET", PATH, None, HTTPStatus.NOT_FOUND)
    assert "heard of" in problem["detail"]


async def test_a_scope_that_asks_the_catalogue_is_answered_by_it(alerting: Alerting) -> None:
    await alerting.put_rule("seasonal", scope={"tags": ["seasonal"]})
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await alerting.caught_up()
    await alerting.name("A", tags=["seasonal"])

    async def in_scope() -> bool:
        answer = await alerting.client.get(PATH)
        # 503 for as long as the catalogue is being read.
        return answer.is_success and _only(answer.json())["in_scope"] is True

    await until(in_scope)


async def test_another_rules_stock_out_is_told_as_what_hides_a_watch(alerting: Alerting) -> None:
    await alerting.put_rule("low", filters={"inhibited_by_out": True})
    await alerting.put_rule("out", kind="stock_out", levels=[])
    await alerting.tell(alerting.level(0))
    async with alerting.consuming():
        await alerting.caught_up()
    explained = await alerting.ask("GET", f"{PATH}&rule=low")
    assert _only(explained)["reason"] == "inhibited"
    assert [each["rule"]["id"] for each in await alerting.alerts()] == ["out"]


async def test_in_a_replay_the_moment_is_the_levels_own(alerting: Alerting) -> None:
    replay = alerting.settings.model_copy(update={"clock": "event"})
    await alerting.tell(alerting.level(12))
    async with alerting.consuming(clock="event"):
        await alerting.caught_up()
    async with alerting.answering(replay) as client:
        explained = (await client.get(PATH)).json()
    assert explained["evaluated_at"] == NOON.isoformat().replace("+00:00", "Z")


def _only(explained: dict[str, Any]) -> dict[str, Any]:
    (rule,) = explained["rules"]
    found: dict[str, Any] = rule
    return found
