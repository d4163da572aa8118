"""Who did what, when, and from where; and that nobody makes it undone."""

from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shared.clock import WallClock
from shared.http.auth import Scope
from tests.integration.alerting.service import Alerting, authorization
from tests.integration.alerting.test_responses import respond, response

pytestmark = pytest.mark.stack


async def entries(alerting: Alerting, **asked: str) -> list[dict[str, Any]]:
    """Return the audit, the oldest first."""
    answer = await alerting.client.get("/v1/audit", params=asked)
    assert answer.is_success, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items[::-1]


async def test_everything_that_people_do_is_in_it_with_who_when_and_from_where(
    alerting: Alerting,
) -> None:
    began = WallClock().now()
    await alerting.put_rule("low")
    await alerting.put_rule("low")
    await alerting.put_rule("low", enabled=False)
    await alerting.put_rule("low")
    await alerting.ask("PUT", "/v1/parameters?sku=A&warehouse=W", {"price": "9.50", "moq": 6})
    await alerting.ask("PUT", "/v1/parameters?sku=A&warehouse=W", {"price": "9.90", "moq": 6})
    await alerting.client.post(
        "/v1/parameters/import", json=[{"sku": "B", "moq": 2}, {"sku": "C", "moq": 3}]
    )
    await alerting.client.delete("/v1/parameters", params={"sku": "B"})
    await alerting.ask("PUT", "/v1/people/lin", {"name": "Lin"})
    await alerting.ask("PUT", "/v1/people/wu", {"name": "Wu"})
    await alerting.client.delete("/v1/people/wu")
    await alerting.ask("PUT", "/v1/responsibilities", {"items": [{"owner": "lin"}]})
    ends_at = (began + timedelta(hours=1)).isoformat()
    silence = {"sku": "B", "ends_at": ends_at, "comment": "stocktake"}
    made = await alerting.ask("POST", "/v1/silences", silence, HTTPStatus.CREATED)
    await alerting.ask("DELETE", f"/v1/silences/{made['id']}")
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await alerting.caught_up()
    (alert,) = await alerting.alerts()
    path = f"/v1/alerts/{alert['id']}"
    await alerting.ask("POST", f"{path}/acknowledge", {"note": "on it"})
    await alerting.ask("POST", f"{path}/acknowledge")
    await alerting.ask("POST", f"{path}/snooze", {"minutes": 60})
    body = {"kind": "daily_brief", "hour": 8, "destinations": ["boss"]}
    await alerting.ask("PUT", "/v1/report-schedules/boss", body)
    await alerting.ask("PUT", "/v1/report-schedules/boss", body)
    await alerting.client.delete("/v1/report-schedules/boss")

    found = await entries(alerting)
    assert [(each["what"], each["target"]) for each in found] == [
        ("rule.put", "low"),
        ("rule.put", "low"),
        ("rule.put", "low"),
        ("parameters.put", "A|W"),
        ("parameters.put", "A|W"),
        ("parameters.put", "B"),
        ("parameters.put", "C"),
        ("parameters.put", "B"),
        ("person.put", "lin"),
        ("person.put", "wu"),
        ("person.deleted", "wu"),
        ("responsibilities.put", "responsibilities"),
        ("silence.added", made["id"]),
        ("silence.ended", made["id"]),
        ("alert.acknowledged", alert["id"]),
        ("alert.snoozed", alert["id"]),
        ("report_schedule.put", "boss"),
        ("report_schedule.deleted", "boss"),
    ]
    assert {(each["actor"], each["address"]) for each in found} == {("buyer", "127.0.0.1")}
    assert all(each["via"].startswith("python-httpx/") for each in found)
    assert all(each["at"] >= began.isoformat()[:19] for each in found)
    # What it was and what it is; of parameters only what changed, and of what is new nothing.
    assert (found[0]["before"], found[1]["before"]["enabled"]) == (None, True)
    assert found[1]["after"]["enabled"] is False
    assert (found[4]["before"], found[4]["after"]) == ({"price": "9.50"}, {"price": "9.90"})
    taken = found[14]
    assert (taken["before"]["owner"], taken["after"]["owner"]) == ("lin", "lin")
    assert taken["after"] | {"owner": None} == {
        "owner": None,
        "acknowledged_by": "buyer",
        "snoozed_until": None,
        "resolved_at": None,
        "note": "on it",
    }


async def test_so_is_what_they_set_up_what_they_order_and_what_they_answer_elsewhere(
    alerting: Alerting, key: Path
) -> None:
    for person in ("lin", "wu"):
        await alerting.ask("PUT", f"/v1/people/{person}", {"name": person, "wecom_userid": person})
    hours = {"zone": "Asia/Shanghai", "hours": {"mon": [{"from": "09:00", "until": "18:00"}]}}
    turns = {"people": ["lin", "wu"], "zone": "Asia/Shanghai", "starts_on": "2026-03-02"}
    steps = [{"whom": [{"role": "owner"}], "expects": "act", "within_minutes": 30}]
    playbook = {"name": {"zh-CN": "快", "en": "Quick"}, "steps": steps}
    limits = {"items": [{"role": "owner", "amount": "100"}, {"person": "wu"}]}
    for path, body in (
        ("working-calendars/office-2", hours),
        ("rotations/duty", turns),
        ("playbooks/quick", playbook),
        ("attention-policy", {"urgent_minutes": 7}),
        ("suppliers/ACME", {"name": "Acme", "minimum": "500"}),
        ("approval-limits", limits),
    ):
        for _ in range(2):  # the second time it changes nothing
            answer = await alerting.client.put(f"/v1/{path}", json=body)
            assert answer.is_success, answer.text
    await alerting.ask("DELETE", "/v1/playbooks/quick")
    window = {"starts_at": "2099-11-10T20:00:00Z", "ends_at": "2099-11-12T00:00:00Z"}
    occasion = {"name": {"en": "Sale"}, "factor": 2, **window}
    made = await alerting.ask("POST", "/v1/calendar", occasion, HTTPStatus.CREATED)
    for _ in range(2):
        await alerting.ask("DELETE", f"/v1/calendar/{made['id']}")

    await alerting.ask("PUT", "/v1/responsibilities", {"items": [{"owner": "lin"}]})
    await alerting.ask("PUT", "/v1/parameters?sku=A", {"supplier": "ACME", "unit_cost": "2"})
    await alerting.put_rule("low")
    async with alerting.consuming():
        await alerting.tell(alerting.level(12))
        await alerting.caught_up()
        (alert,) = await alerting.alerts()
        path = f"/v1/alerts/{alert['id']}/actions"
        buy, count, other = [
            (await alerting.ask("POST", path, body, HTTPStatus.CREATED))["id"]
            for body in ({"kind": "buy", "quantity": 99}, {"kind": "count"}, {"kind": "count"})
        ]
        approver = authorization(key, Scope.ALERTS_READ, Scope.ALERTS_WRITE, subject="wu")
        answer = await alerting.client.post(f"/v1/actions/{buy}/approve", headers=approver)
        assert answer.is_success, answer.text
        order = answer.json()["order"]["id"]
        await alerting.ask("POST", f"/v1/actions/{count}/done", {"note": "12 there"})
        await alerting.ask("POST", f"/v1/actions/{other}/cancel")
        for _ in range(2):
            await alerting.ask("POST", f"/v1/orders/{order}/place")
        await respond(alerting, response(alert["id"], "snooze"))

    found = [
        each
        for each in await entries(alerting)
        if each["what"].split(".")[0] not in {"person", "responsibilities", "parameters", "rule"}
    ]
    assert [(each["actor"], each["what"], each["target"]) for each in found] == [
        ("buyer", "working_calendar.put", "office-2"),
        ("buyer", "rotation.put", "duty"),
        ("buyer", "playbook.put", "quick"),
        ("buyer", "attention_policy.put", "policy"),
        ("buyer", "supplier.put", "ACME"),
        ("buyer", "approval_limits.put", "approval_limits"),
        ("buyer", "playbook.put", "quick"),
        ("buyer", "occasion.added", made["id"]),
        ("buyer", "occasion.ended", made["id"]),
        ("buyer", "action.request", buy),
        ("buyer", "action.request", count),
        ("buyer", "action.request", other),
        ("wu", "action.approve", buy),
        ("buyer", "action.finish", count),
        ("buyer", "action.cancel", other),
        ("buyer", "order.placed", order),
        ("buyer", "action.order", buy),
        ("lin", "alert.snoozed", alert["id"]),
    ]
    assert {each["address"] for each in found[:-1]} == {"127.0.0.1"}
    assert (found[-1]["address"], found[-1]["via"]) == (None, "wecom")
    assert [(found[6][side] or {}).get("enabled") for side in ("before", "after")] == [True, False]
    assert (found[3]["before"]["urgent_minutes"], found[3]["after"]["urgent_minutes"]) == (5, 7)
    assert found[9]["before"] is None
    states = [(each["before"]["state"], each["after"]["state"]) for each in found[12:15]]
    assert states == [("proposed", "approved"), ("approved", "done"), ("approved", "cancelled")]
    assert found[13]["after"]["note"] == "12 there"


async def test_it_is_asked_by_person_thing_and_time_page_by_page(alerting: Alerting) -> None:
    for number in range(3):
        await alerting.put_rule(f"r{number}")
    await alerting.ask("PUT", "/v1/people/lin", {"name": "Lin"})
    assert len(await entries(alerting, what="rule")) == 3
    assert [each["target"] for each in await entries(alerting, what="rule.put", target="r1")] == [
        "r1"
    ]
    assert await entries(alerting, actor="lin") == []
    assert await entries(alerting, what="rul") == []
    assert await entries(alerting, **{"from": "2099-01-01T00:00:00Z"}) == []
    first = (await alerting.client.get("/v1/audit", params={"limit": 3})).json()
    rest = await entries(alerting, limit="3", cursor=first["next_cursor"])
    assert [each["target"] for each in first["items"]] == ["lin", "r2", "r1"]
    assert [each["target"] for each in rest] == ["r0"]


@pytest.mark.parametrize(
    "undoing", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"]
)
async def test_the_service_itself_cannot_alter_it(alerting: Alerting, undoing: str) -> None:
    await alerting.put_rule("low")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
        await alerting.rows(undoing)
    assert len(await entries(alerting)) == 1


async def test_what_is_refused_leaves_nothing_in_it(alerting: Alerting) -> None:
    await alerting.ask("PUT", "/v1/people/lin", {"name": "Lin", "email": "lin@example.com"})
    taken = {"name": "Wu", "email": "lin@example.com"}
    await alerting.ask("PUT", "/v1/people/wu", taken, HTTPStatus.CONFLICT)
    await alerting.ask("PUT", "/v1/responsibilities", {"items": [{"owner": "x"}]}, 422)
    assert [each["target"] for each in await entries(alerting)] == ["lin"]
