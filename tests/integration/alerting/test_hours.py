"""A rule that opens episodes in its hours only, by a clock that a test holds."""

from datetime import datetime
from http import HTTPStatus

import pytest

from tests.integration.alerting.shop import Shop, monday

pytestmark = pytest.mark.stack

WORKDAYS = ["mon", "tue", "wed", "thu", "fri"]
OFFICE = {
    "zone": "Asia/Shanghai",
    "windows": [{"days": WORKDAYS, "from": "09:00", "until": "18:00"}],
}


async def test_what_crosses_in_the_night_opens_in_the_morning_and_may_end_at_any_time(
    shop: Shop,
) -> None:
    await shop.alerting.put_rule("low", active=OFFICE)
    await shop.turn()
    await shop.hear(50, 12)
    assert await shop.times() == []
    said = await shop.explained()
    assert (said["reason"], said["condition"]["state"]) == ("outside_hours", "pending")
    assert datetime.fromisoformat(said["condition"]["due_at"]) == monday(9)
    assert "不在规则的生效时段内" in said["words"]["zh-CN"]
    assert "outside its hours" in said["words"]["en"]
    await shop.restart()
    shop.clock.set(monday(9, 1))
    await shop.turn()
    assert await shop.times() == [(monday(9), None)]
    shop.clock.set(monday(20))
    await shop.hear(50, 12)
    assert await shop.times() == [(monday(9), monday(20))]


async def test_the_hours_of_a_working_calendar_are_followed_as_they_change(shop: Shop) -> None:
    alerting = shop.alerting
    rule = {"name": {"en": "Low"}, "kind": "below", "levels": [{"level": "watch", "enter": 20}]}
    named = rule | {"active": {"calendar": "shop"}}
    for method, path, field in (
        ("PUT", "/v1/rules/low", "active.calendar"),
        ("POST", "/v1/rules/import", "rules.0.active.calendar"),
    ):
        body = named if method == "PUT" else {"rules": [named | {"id": "low"}]}
        answer = await alerting.ask(method, path, body, HTTPStatus.UNPROCESSABLE_ENTITY)
        assert answer["type"].endswith("unknown_calendar")
        assert [each["field"] for each in answer["errors"]] == [field]
    verdict = await alerting.ask("POST", "/v1/rules/validate", named)
    assert [each["field"] for each in verdict["errors"]] == ["active.calendar"]

    calendar = {"zone": "Asia/Shanghai", "hours": {"mon": [{"from": "09:00", "until": "18:00"}]}}
    await alerting.ask("PUT", "/v1/working-calendars/shop", calendar)
    made = await alerting.put_rule("low", active={"calendar": "shop"})
    assert made["active"] == {"calendar": "shop", "zone": None, "windows": []}
    exported = await alerting.client.get("/v1/rules/export")
    assert "active:\n    calendar: shop\n" in exported.text
    await shop.turn()
    await shop.hear(50, 12)
    assert await shop.times() == []
    calendar["hours"] = {"mon": [{"from": "06:00", "until": "18:00"}]}
    await alerting.ask("PUT", "/v1/working-calendars/shop", calendar)
    await shop.turn()
    assert await shop.times() == [(monday(7), None)]


async def test_an_edit_has_only_those_looked_at_whom_it_concerns(shop: Shop) -> None:
    """Working calendars of people alone concern no level, nor do promotions of other SKUs."""
    alerting = shop.alerting
    shop.clock.set(monday(9))  # the UTC day that began at eight goes on
    calendar = {"zone": "Asia/Shanghai", "hours": {"mon": [{"from": "12:00", "until": "18:00"}]}}
    longer = calendar | {"hours": {"mon": [{"from": "08:00", "until": "18:00"}]}}
    await alerting.ask("PUT", "/v1/working-calendars/shop", calendar)
    await alerting.put_rule("low", active={"calendar": "shop"}, scope={"warehouses": ["W"]})
    await alerting.put_rule("all")
    condition = {"kind": "custom", "levels": [{"level": "watch"}], "condition": "available < 5"}
    await alerting.put_rule("mine", **condition)
    await shop.turn()
    for sku, warehouse in (("A", "W"), ("B", "W"), ("A", "N")):
        await shop.hear(50, sku=sku, warehouse=warehouse)
    for path, body, evaluated in (
        ("/v1/working-calendars/people", calendar, 0),
        ("/v1/working-calendars/people", longer, 0),
        ("/v1/working-calendars/shop", calendar, 0),
        ("/v1/working-calendars/shop", longer, 6),
    ):
        await alerting.ask("PUT", path, body)
        assert await shop.evaluations() == evaluated, (path, body)

    promotion = {"name": {"en": "Sale"}, "factor": 3, "sku": "B"}
    times = {"starts_at": monday(10).isoformat(), "ends_at": monday(11).isoformat()}
    await alerting.ask("POST", "/v1/calendar", promotion | times, HTTPStatus.CREATED)
    assert await shop.evaluations() == 0
    shop.clock.set(monday(10))
    assert await shop.evaluations() == 3
    assert [each["sku"] for each in await alerting.alerts()] == ["B", "B"]
    shop.clock.set(monday(11))
    assert await shop.evaluations() == 3
    assert await alerting.alerts(state="open") == []
    await alerting.put_rule("low", enabled=False)
    assert await shop.evaluations() == 4
