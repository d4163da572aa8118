"""A rule names the person whose what it opens is."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest

from shared.clock import WallClock
from tests.integration.alerting.service import Alerting

pytestmark = pytest.mark.stack

UNKNOWN = "There is no person zoe; see /v1/people, or make one with PUT."
YAML = {"Content-Type": "application/yaml"}


async def people(alerting: Alerting, *ids: str, **fields: object) -> None:
    for each in ids:
        await alerting.ask("PUT", f"/v1/people/{each}", {"name": each} | fields)


async def opened(alerting: Alerting, sku: str, warehouse: str = "W") -> dict[str, Any]:
    """Let a SKU run low and return its alert."""
    await alerting.tell(alerting.level(5, sku=sku, warehouse=warehouse))
    async with alerting.consuming():
        await alerting.caught_up()
    return (await alerting.alerts(sku=sku))[-1]


async def test_what_a_rule_opens_is_its_owners_and_the_rows_while_they_are_away(
    alerting: Alerting,
) -> None:
    await people(alerting, "an", "bo", "cai", "ru")
    row = {"warehouse": "W", "owner": "an", "deputy": "bo", "manager": "cai"}
    await alerting.ask("PUT", "/v1/responsibilities", {"items": [row]})
    made = await alerting.put_rule("low", owner="ru")
    assert made["owner"] == "ru"
    assert (await opened(alerting, "A"))["owner"] == "ru"
    assert (await opened(alerting, "B", "V"))["owner"] == "ru", "no row is for V"
    later = (WallClock().now() + timedelta(days=1)).isoformat()
    await people(alerting, "ru", away_until=later)
    assert (await opened(alerting, "C"))["owner"] == "an"
    await people(alerting, "an", away_until=later)
    assert (await opened(alerting, "D"))["owner"] == "bo"
    await people(alerting, "bo", "cai", away_until=later)
    assert (await opened(alerting, "E"))["owner"] == "ru"
    await people(alerting, "ru", "an")
    await alerting.put_rule("low")
    assert (await opened(alerting, "F"))["owner"] == "an"


async def test_an_escalation_goes_to_the_manager_of_the_row_of_the_table(
    alerting: Alerting,
) -> None:
    await people(alerting, "an", "cai", "ru")
    row = {"warehouse": "W", "owner": "an", "manager": "cai"}
    await alerting.ask("PUT", "/v1/responsibilities", {"items": [row]})
    await alerting.ask("PUT", "/v1/attention-policy", {"enabled": False})
    step = {"whom": [{"role": "manager"}], "expects": "act", "within_minutes": 5}
    playbook = {"name": {"en": "Quick"}, "steps": [step]}
    assert (await alerting.client.put("/v1/playbooks/quick", json=playbook)).is_success
    await alerting.put_rule("low", owner="ru", playbook="quick")
    async with alerting.consuming():
        for units in (50, 5):
            await alerting.tell(alerting.level(units))
            await alerting.caught_up()
    (alert,) = await alerting.alerts()
    (told,) = await alerting.rows("SELECT told FROM alert_history ORDER BY revision DESC LIMIT 1")
    assert (alert["owner"], told["told"]) == ("ru", ["ru", "cai"])


async def test_somebody_unknown_is_refused_with_what_to_do(alerting: Alerting) -> None:
    body = {"name": {"en": "Out"}, "kind": "stock_out", "owner": "zoe"}
    verdict = await alerting.ask("POST", "/v1/rules/validate", body)
    wrong = {"field": "owner", "code": "unknown_person", "message": UNKNOWN}
    assert (verdict["valid"], verdict["errors"]) == (False, [wrong])
    refused = HTTPStatus.UNPROCESSABLE_ENTITY
    problem = await alerting.ask("PUT", "/v1/rules/out", body, refused)
    assert (problem["detail"], problem["errors"]) == (UNKNOWN, [wrong])
    file = "rules:\n- {id: neg, name: {en: N}, kind: negative}\n"
    file += "- {id: out, name: {en: Out}, kind: stock_out, owner: zoe}\n"
    answer = await alerting.client.post("/v1/rules/import", content=file, headers=YAML)
    assert answer.json()["errors"] == [wrong | {"field": "rules.1.owner"}]
    assert (await alerting.ask("GET", "/v1/rules"))["items"] == []
    await people(alerting, "zoe")
    answer = await alerting.client.post("/v1/rules/import", content=file, headers=YAML)
    assert answer.json()["created"] == ["neg", "out"]
    assert "owner: zoe" in (await alerting.client.get("/v1/rules/export")).text


async def test_who_owns_a_rule_in_force_cannot_be_deleted_and_is_not_named_again_later(
    alerting: Alerting,
) -> None:
    await people(alerting, "zoe")
    await alerting.put_rule("low", owner="zoe")
    problem = await alerting.ask("DELETE", "/v1/people/zoe", None, HTTPStatus.CONFLICT)
    assert problem["detail"] == "zoe is named in rule low; name somebody else there first."
    await alerting.ask("DELETE", "/v1/rules/low")
    answer = await alerting.client.delete("/v1/people/zoe")
    assert answer.status_code == HTTPStatus.NO_CONTENT
    refused = HTTPStatus.UNPROCESSABLE_ENTITY
    problem = await alerting.ask("POST", "/v1/rules/low/rollback", {"version": 1}, refused)
    assert problem["detail"] == UNKNOWN


async def test_an_explanation_says_whose_a_rule_is(alerting: Alerting) -> None:
    await people(alerting, "ru")
    await alerting.put_rule("low", owner="ru")
    await alerting.put_rule("out", kind="stock_out", levels=[])
    await opened(alerting, "A")
    explained = await alerting.ask("GET", "/v1/explain?sku=A&warehouse=W")
    owners = {each["rule"]["id"]: each["owner"] for each in explained["rules"]}
    assert owners == {"low": "ru", "out": None}
