"""Rules that are checked, taken back, and kept as a file."""

import asyncio
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest

from services.alerting.api import rule_file
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting

pytestmark = pytest.mark.stack

YAML = {"Content-Type": "application/yaml"}


async def test_a_roll_back_makes_a_new_version_that_says_what_the_old_one_said(
    alerting: Alerting,
) -> None:
    first = await alerting.put_rule("low")
    await alerting.put_rule("low", levels=[{"level": "urgent", "enter": 5}])
    back = await alerting.ask("POST", "/v1/rules/low/rollback", {"version": 1})
    assert (back["version"], back["levels"]) == (3, first["levels"])
    again = await alerting.ask("POST", "/v1/rules/low/rollback", {"version": 1})
    assert again == back
    versions = (await alerting.ask("GET", "/v1/rules/low/versions"))["items"]
    assert [each["version"] for each in versions] == [3, 2, 1]


async def test_consumers_follow_a_roll_back(alerting: Alerting) -> None:
    await alerting.put_rule("low")
    await alerting.put_rule("low", levels=[{"level": "watch", "enter": 5}])
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await alerting.caught_up()
        assert await alerting.alerts() == []
        await alerting.ask("POST", "/v1/rules/low/rollback", {"version": 1})

        async def is_open() -> bool:
            return len(await alerting.alerts()) == 1

        await until(is_open)


async def test_a_version_that_never_was_cannot_be_rolled_back_to(alerting: Alerting) -> None:
    await alerting.put_rule("low")
    path = "/v1/rules/low/rollback"
    problem = await alerting.ask("POST", path, {"version": 2}, HTTPStatus.NOT_FOUND)
    assert "version 2 of rule low" in problem["detail"]


async def test_a_rule_is_checked_without_being_saved(alerting: Alerting) -> None:
    body = {"name": {"en": "Out"}, "kind": "stock_out"}
    verdict = await alerting.ask("POST", "/v1/rules/validate", body)
    assert verdict["valid"] is True
    assert verdict["rule"]["levels"] == [{"level": "out", "enter": 0, "exit": 0}]
    wrong = body | {"kind": "below", "levels": [{"level": "watch", "enter": "many"}]}
    verdict = await alerting.ask("POST", "/v1/rules/validate", wrong)
    assert (verdict["valid"], verdict["rule"]) == (False, None)
    assert [each["field"] for each in verdict["errors"]] == ["levels.0.enter"]
    assert (await alerting.ask("GET", "/v1/rules"))["items"] == []


async def test_a_file_of_rules_may_be_taken_elsewhere(alerting: Alerting) -> None:
    low = await alerting.put_rule("low", filters={"grace_days": 7})
    await alerting.put_rule("off", enabled=False)
    written = await alerting.client.get("/v1/rules/export")
    assert written.headers["content-type"] == "application/yaml"
    await alerting.put_rule("low", levels=[{"level": "urgent", "enter": 5}])
    text = written.text + "- {id: new, name: {en: New}, kind: negative}\n"
    for created, changed, unchanged in (
        (["new"], ["low"], ["off"]),
        ([], [], ["low", "off", "new"]),
    ):
        answer = await alerting.client.post("/v1/rules/import", content=text, headers=YAML)
        assert answer.json() == {"created": created, "changed": changed, "unchanged": unchanged}
    newest = await alerting.ask("GET", "/v1/rules/low")
    assert (newest["version"], newest["levels"], newest["filters"]) == (
        3,
        low["levels"],
        low["filters"],
    )


async def test_others_are_answered_while_a_file_is_read_or_written(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large one takes seconds; here each takes until somebody else is answered."""
    begun, answered = threading.Event(), threading.Event()

    def behind(done: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def wait(said: object) -> object:
            begun.set()
            assert answered.wait(10)
            return done(said)

        return wait

    monkeypatch.setattr(rule_file, "read", behind(rule_file.read))
    monkeypatch.setattr(rule_file, "write", behind(rule_file.write))
    file = alerting.client.post("/v1/rules/import", content="rules: []", headers=YAML)
    for request in (file, alerting.client.get("/v1/rules/export")):
        begun.clear()
        answered.clear()
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(request)
            await asyncio.to_thread(begun.wait, 10)
            await alerting.client.get("/healthz")
            answered.set()
        assert asking.result().is_success


async def test_a_file_with_a_mistake_changes_nothing(alerting: Alerting) -> None:
    text = "rules: [{id: a, name: {en: A}, kind: negative}, {id: b, kind: negative}]"
    answer = await alerting.client.post("/v1/rules/import", content=text, headers=YAML)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert [each["field"] for each in answer.json()["errors"]] == ["rules.1.name"]
    assert (await alerting.ask("GET", "/v1/rules"))["items"] == []


async def test_an_id_that_is_a_path_is_refused(alerting: Alerting) -> None:
    body = {"name": {"en": "Out"}, "kind": "stock_out"}
    await alerting.ask("PUT", "/v1/rules/export", body, HTTPStatus.UNPROCESSABLE_ENTITY)
