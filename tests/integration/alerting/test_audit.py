"""Who did what, when, and from where; and that nobody makes it undone."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import asyncpg
import pytest

from shared.clock import WallClock
from tests.integration.alerting.service import Alerting

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
        "note": "on it",
    }


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
