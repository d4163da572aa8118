"""Rules over HTTP, and how fast running consumers follow them."""

import asyncio
from http import HTTPStatus
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from services.alerting.store.rule_watch import RuleWatch
from services.alerting.wiring import consume
from shared.database.engine import create_engine
from shared.errors import Stopped
from shared.testing.proxy import Direction, Fate, Passing, proxied
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting
from tests.integration.ledger.lossy import through

pytestmark = pytest.mark.stack


async def test_a_new_rule_opens_episodes_for_what_is_low_already(alerting: Alerting) -> None:
    await alerting.tell(alerting.level(12), alerting.level(100, sku="B"))
    async with alerting.consuming():
        await alerting.caught_up()
        await alerting.put_rule("low")
        await until(lambda: _states(alerting, ["open"]))
    (alert,) = await alerting.alerts()
    assert alert["sku"] == "A"


async def test_a_rule_made_while_nobody_evaluates_is_followed_by_the_next_process(
    alerting: Alerting,
) -> None:
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await alerting.caught_up()
    await alerting.put_rule("low")
    async with alerting.consuming():
        await until(lambda: _states(alerting, ["open"]))


async def test_a_changed_limit_moves_the_open_episode_and_is_a_new_version(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("low")
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await until(lambda: _states(alerting, ["open"]))
        changed = await alerting.put_rule("low", levels=[{"level": "urgent", "enter": 15}])
        assert changed["version"] == 2

        async def urgent() -> bool:
            return [each["level"] for each in await alerting.alerts()] == ["urgent"]

        await until(urgent)
    versions = (await alerting.ask("GET", "/v1/rules/low/versions"))["items"]
    assert [each["version"] for each in versions] == [2, 1]
    assert versions[1]["levels"] == [{"level": "watch", "enter": 20, "exit": 30}]
    assert versions[0]["changed_by"] == "buyer"


async def test_an_edit_is_followed_though_the_connection_that_told_of_edits_fell_silent(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others go on, so nothing else ends the wait."""
    monkeypatch.setattr(consume, "ANSWER_SECONDS", 0.5)
    await alerting.tell(alerting.level(12))
    url = alerting.settings.database_url.get_secret_value()
    telling: set[int] = set()
    silent: set[int] = set()
    over = asyncio.Event()

    async def watch(passing: Passing) -> Fate:
        if passing.direction is Direction.TO_SERVER and b"rule_book" in passing.data:
            telling.add(passing.connection)
        if passing.connection in silent:
            await over.wait()
        return Fate.PASS

    async with proxied(urlsplit(url).port or 0) as proxy:
        proxy.watcher = watch
        async with alerting.consuming(database_url=SecretStr(through(url, proxy.port))):
            await alerting.caught_up()
            assert telling
            silent |= telling
            await alerting.put_rule("low")
            await until(lambda: _states(alerting, ["open"]))
            over.set()


async def test_rules_of_a_newer_release_leave_those_in_force_as_they_are(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("low")
    engine = create_engine(alerting.database.url("alerting"))
    running, started = RuleWatch(engine), RuleWatch(engine)
    await running.look()
    await alerting.rows("""
        WITH edit AS (UPDATE rule_book SET revision = revision + 1 RETURNING revision)
        INSERT INTO rule (id, version, revision, body, changed_by, changed_at)
        SELECT id, version + 1, edit.revision, body || '{"novel": 1}', changed_by, changed_at
        FROM rule, edit
    """)
    for _ in range(2):
        await running.look()
        assert [each.version for each in running.book.rules] == [1]
        told = await running.check()
        assert told is not None
        assert "rule low version 2" in told
    with pytest.raises(Stopped, match=r"novel.*upgrade alerting"):
        await started.look()
    await alerting.rows("UPDATE rule SET body = body - 'novel'")
    await alerting.rows("UPDATE rule_book SET revision = revision + 1")
    await running.look()
    assert [each.version for each in running.book.rules] == [2]
    await engine.dispose()


async def test_a_disabled_rule_resolves_its_episodes(alerting: Alerting) -> None:
    await alerting.put_rule("low")
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await until(lambda: _states(alerting, ["open"]))
        await alerting.ask("DELETE", "/v1/rules/low")
        await until(lambda: _states(alerting, ["resolved"]))
    (alert,) = await alerting.alerts()
    history = (await alerting.ask("GET", f"/v1/alerts/{alert['id']}"))["history"]
    assert history[-1]["reason"] == "rule_disabled"


async def test_a_tag_that_comes_and_goes_takes_a_sku_into_scope_and_out(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("low", scope={"tags": ["seasonal"]})
    await alerting.tell(alerting.level(12), alerting.level(12, sku="B"))
    async with alerting.consuming():
        await alerting.caught_up()
        await alerting.name("A", version=1, tags=["seasonal"])
        await until(lambda: _states(alerting, ["open"]))
        await alerting.name("A", version=2, tags=[])
        await until(lambda: _states(alerting, ["resolved"]))


async def test_saying_the_same_rule_again_changes_nothing(alerting: Alerting) -> None:
    first = await alerting.put_rule("low")
    assert await alerting.put_rule("low") == first


async def test_a_stock_out_rule_needs_no_levels(alerting: Alerting) -> None:
    made = await alerting.put_rule("out", kind="stock_out", levels=[])
    assert made["levels"] == [{"level": "out", "enter": 0, "exit": 0}]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"levels": []}, "at least one level"),
        ({"levels": [{"level": "watch", "enter": 20, "exit": 10}]}, "exit"),
        (
            {"levels": [{"level": "watch", "enter": 5}, {"level": "out", "enter": 20}]},
            "limits of out",
        ),
        ({"kind": "stock_out", "levels": [{"level": "out", "enter": 3}]}, "stock_out"),
        ({"levels": [{"level": "watch", "enter": 1}] * 2}, "once"),
        ({"pending_seconds": -1}, "pending_seconds"),
        ({"name": {}}, "name"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused_with_what_to_do(
    alerting: Alerting, fields: dict[str, object], field: str
) -> None:
    body = {
        "name": {"en": "Rule"},
        "kind": "below",
        "levels": [{"level": "watch", "enter": 20}],
    } | fields
    answer = await alerting.client.put("/v1/rules/low", json=body)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in answer.text
    assert answer.json()["errors"]


async def test_an_idempotency_key_makes_one_rule(alerting: Alerting) -> None:
    body = {"name": {"en": "Out"}, "kind": "stock_out"}
    key = {"Idempotency-Key": "one"}
    first = await alerting.client.post("/v1/rules", json=body, headers=key)
    again = await alerting.client.post("/v1/rules", json=body, headers=key)
    assert (first.status_code, again.status_code) == (HTTPStatus.CREATED, HTTPStatus.CREATED)
    assert first.json() == again.json()
    other = await alerting.client.post("/v1/rules", json=body | {"enabled": False}, headers=key)
    assert other.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert other.json()["type"].endswith("idempotency_key_reused")
    assert len((await alerting.ask("GET", "/v1/rules"))["items"]) == 1


async def test_a_rule_that_exists_is_not_made_twice(alerting: Alerting) -> None:
    await alerting.put_rule("low")
    body = {"id": "low", "name": {"en": "Low"}, "kind": "stock_out"}
    problem = await alerting.ask("POST", "/v1/rules", body, HTTPStatus.CONFLICT)
    assert problem["type"].endswith("exists")


async def test_rules_come_in_pages(alerting: Alerting) -> None:
    for name in ("c", "a", "b"):
        await alerting.put_rule(name)
    first = await alerting.ask("GET", "/v1/rules?limit=2")
    second = await alerting.ask("GET", f"/v1/rules?limit=2&cursor={first['next_cursor']}")
    assert [each["id"] for each in first["items"] + second["items"]] == ["a", "b", "c"]
    assert second["next_cursor"] is None


async def _states(alerting: Alerting, wanted: list[str]) -> bool:
    return [each["state"] for each in await alerting.alerts()] == wanted
