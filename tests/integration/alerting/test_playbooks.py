"""Playbooks: what is expected of whom, and what follows, once, when they are late."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerting.following import Following
from services.alerting.settings import AlertingSettings
from services.alerting.store import acts, lateness, steps
from services.alerting.store.acts import By
from shared.clock import ManualClock, WallClock
from shared.database.engine import create_engine
from shared.events.stock_alerts import Expected, StockAlert
from shared.observability.metrics import TIMERS_LOST_TOTAL
from shared.testing.stack import Database
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting, alerting_on

pytestmark = pytest.mark.stack

MINUTE = timedelta(minutes=1)
PLAYBOOK: dict[str, Any] = {
    "name": {"zh-CN": "补货", "en": "Replenish"},
    "steps": [
        {
            "whom": [{"role": "owner"}],
            "expects": "acknowledge",
            "within_minutes": 30,
            "late": [
                {"do": "remind"},
                {"do": "escalate", "after_minutes": 10, "to": [{"role": "manager"}]},
            ],
        },
        {"expects": "act", "within_minutes": 60, "late": [{"do": "remind"}]},
    ],
}


@pytest_asyncio.fixture
async def alerting(
    settings: AlertingSettings, database: Database, key: Path, clock: ManualClock
) -> AsyncIterator[Alerting]:
    """An owns the alerts, and the boss is told when An is late."""
    async with alerting_on(settings, database, key, clock) as service:
        for each in ("an", "boss", "night"):
            body = {"name": each.title(), "email": f"{each}@shop.example"}
            await service.ask("PUT", f"/v1/people/{each}", body)
        table = {"items": [{"owner": "an", "manager": "boss"}]}
        await service.ask("PUT", "/v1/responsibilities", table)
        # Everything is told at once, and nothing is known from before.
        await service.ask("PUT", "/v1/attention-policy", {"enabled": False})
        await service.tell(service.level(100))
        await put_playbook(service)
        await service.put_rule(
            "low",
            levels=[
                {"level": "watch", "enter": 20, "exit": 30},
                {"level": "urgent", "enter": 10, "exit": 15},
            ],
            playbook="replenish",
        )
        yield service


@pytest_asyncio.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    made = create_engine(database.url("alerting"))
    yield made
    await made.dispose()


@pytest.fixture
def following(engine: AsyncEngine, clock: ManualClock) -> Following:
    return Following(engine, clock)


async def put_playbook(alerting: Alerting, **fields: object) -> dict[str, Any]:
    answer = await alerting.client.put("/v1/playbooks/replenish", json=PLAYBOOK | fields)
    assert answer.is_success, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def hear(alerting: Alerting, available: int) -> dict[str, Any]:
    """Tell a level, let it be evaluated, and return the newest alert with its history."""
    await alerting.tell(alerting.level(available))
    async with alerting.consuming():
        await alerting.caught_up()
    return await alerting.ask("GET", f"/v1/alerts/{(await alerting.alerts())[-1]['id']}")


async def noted(alerting: Alerting) -> list[StockAlert]:
    """Return the notices that wait for the relay."""
    rows = await alerting.rows("SELECT value FROM outbox ORDER BY id")
    return [StockAlert.model_validate_json(row["value"]) for row in rows]


def told(notices: list[StockAlert]) -> list[tuple[str, list[str], int | None]]:
    """Return (event, who is told, step) of each notice."""
    return [
        (each.event, [to.name for to in each.to], None if each.step is None else each.step.number)
        for each in notices
    ]


async def test_late_is_reminded_and_escalated_until_somebody_does_what_is_expected(
    alerting: Alerting, clock: ManualClock, following: Following
) -> None:
    alert = await hear(alerting, 18)
    assert alert["playbook"]["step"]["expects"] == "acknowledge"
    clock.advance(29 * MINUTE)
    assert await following.step() == 0
    clock.advance(2 * MINUTE)
    assert (await following.step(), await following.step()) == (1, 0)
    clock.advance(10 * MINUTE)
    assert (await following.step(), await following.step()) == (1, 0)
    summary = await alerting.ask("GET", "/v1/alerts/summary")
    assert (summary["overdue"], summary["escalated"], summary["unowned"]) == (1, 1, 0)
    taken = await alerting.ask("POST", f"/v1/alerts/{alert['id']}/acknowledge")
    assert taken["playbook"]["step"]["expects"] == "act"
    summary = await alerting.ask("GET", "/v1/alerts/summary")
    assert (summary["overdue"], summary["escalated"]) == (0, 0)
    clock.advance(61 * MINUTE)
    assert await following.step() == 1
    resolved = await hear(alerting, 50)
    assert resolved["playbook"]["step"] is None
    clock.advance(timedelta(days=1))
    assert await following.step() == 0
    notices = await noted(alerting)
    assert told(notices) == [
        ("opened", ["An"], 1),
        ("reminded", ["An"], 1),
        ("escalated", ["Boss"], 1),
        ("acknowledged", ["An", "Boss"], 2),
        ("reminded", ["An"], 2),
        ("resolved", ["An", "Boss"], None),
    ]
    note = str(notices[2].note)
    assert "起无人接单，已升级给 Boss" in note
    assert "escalated to Boss" in note
    assert [each["note"] for each in resolved["history"]] == [each.note for each in notices]


async def test_an_open_episode_keeps_its_playbook_whatever_becomes_of_that(
    alerting: Alerting, clock: ManualClock, following: Following
) -> None:
    alert = await hear(alerting, 18)
    edited = await put_playbook(alerting, steps=PLAYBOOK["steps"][1:])
    assert edited["version"] == 2
    assert (await put_playbook(alerting, steps=PLAYBOOK["steps"][1:]))["version"] == 2
    disabled = await alerting.ask("DELETE", "/v1/playbooks/replenish")
    assert (disabled["version"], disabled["enabled"]) == (3, False)
    assert await alerting.ask("DELETE", "/v1/playbooks/replenish") == disabled
    clock.advance(31 * MINUTE)
    assert await following.step() == 1
    shown = (await alerting.ask("GET", f"/v1/alerts/{alert['id']}"))["playbook"]
    assert (shown["version"], len(shown["steps"]), shown["step"]["expects"]) == (
        1,
        2,
        "acknowledge",
    )
    await hear(alerting, 50)
    assert (await hear(alerting, 18))["playbook"] is None


async def test_a_snooze_stops_the_clock_and_what_gets_worse_sets_it_anew(
    alerting: Alerting, clock: ManualClock, following: Following
) -> None:
    alert = await hear(alerting, 18)
    clock.advance(20 * MINUTE)
    await alerting.ask("POST", f"/v1/alerts/{alert['id']}/snooze", {"minutes": 60})
    clock.advance(59 * MINUTE)
    assert await following.step() == 0
    clock.advance(5 * MINUTE)
    assert await following.step() == 0
    clock.advance(7 * MINUTE)
    assert await following.step() == 1
    clock.set(WallClock().now())
    worse = await hear(alerting, 8)
    generations = await alerting.rows("SELECT generation, taken FROM timer")
    assert [(row["generation"], row["taken"]) for row in generations] == [(4, 0)]
    assert worse["playbook"]["step"]["by"] > (clock.now() + 29 * MINUTE).isoformat()


async def test_the_clock_goes_on_where_a_snooze_is_ended(
    alerting: Alerting, clock: ManualClock, following: Following
) -> None:
    alert = await hear(alerting, 18)
    path = f"/v1/alerts/{alert['id']}/snooze"
    clock.advance(20 * MINUTE)
    await alerting.ask("POST", path, {"minutes": 600})
    clock.advance(5 * MINUTE)
    await alerting.ask("DELETE", path)
    clock.advance(9 * MINUTE)
    assert await following.step() == 0
    clock.advance(2 * MINUTE)
    assert await following.step() == 1


async def test_an_alert_given_to_another_is_taken_on_and_the_clock_is_theirs(
    alerting: Alerting, engine: AsyncEngine, clock: ManualClock, following: Following
) -> None:
    alert = await hear(alerting, 18)
    path = f"/v1/alerts/{alert['id']}/assign"
    given = await alerting.ask("POST", path, {"to": "night"})
    assert given["playbook"]["step"]["number"] == 2
    clock.advance(40 * MINUTE)
    again = await alerting.ask("POST", path, {"to": "an"})
    assert again["playbook"]["step"]["by"] > given["playbook"]["step"]["by"]
    clock.advance(61 * MINUTE)
    assert await following.step() == 1
    assert told(await noted(alerting))[-1] == ("reminded", ["An"], 2)
    async with engine.begin() as connection:
        await steps.met(connection, UUID(alert["id"]), Expected.ACT, clock.now())
    shown = (await alerting.ask("GET", f"/v1/alerts/{alert['id']}"))["playbook"]
    assert (shown["step"], shown["due_at"]) == (None, None)


async def test_in_silence_the_clock_goes_on_and_the_record_says_who_was_not_told(
    alerting: Alerting, clock: ManualClock, following: Following
) -> None:
    ends = (clock.now() + timedelta(days=1)).isoformat()
    body = {"sku": "A", "ends_at": ends, "comment": "stocktake"}
    await alerting.ask("POST", "/v1/silences", body, HTTPStatus.CREATED)
    await hear(alerting, 18)
    for minutes in (31, 10):
        clock.advance(minutes * MINUTE)
        assert await following.step() == 1
    assert [(each.event, each.hush and each.hush.by) for each in await noted(alerting)] == [
        ("opened", "silence"),
        ("reminded", "silence"),
        ("escalated", "silence"),
    ]


async def test_nobody_is_late_for_what_waits_to_be_told_with_others(alerting: Alerting) -> None:
    await alerting.ask("PUT", "/v1/attention-policy", {"enabled": True, "urgent_minutes": 120})
    alert = await hear(alerting, 8)
    (opened,) = await noted(alerting)
    assert opened.gather is not None
    assert alert["playbook"]["since"] == opened.gather.by.isoformat().replace("+00:00", "Z")


async def test_nobody_is_late_for_a_reminder_that_waits_to_be_told_with_others(
    alerting: Alerting, clock: ManualClock
) -> None:
    await alerting.ask("PUT", "/v1/attention-policy", {"enabled": True, "urgent_minutes": 120})
    ends = (clock.now() + 5 * MINUTE).isoformat()
    body = {"sku": "A", "ends_at": ends, "comment": "stocktake"}
    await alerting.ask("POST", "/v1/silences", body, HTTPStatus.CREATED)
    alert = await hear(alerting, 8)
    clock.advance(6 * MINUTE)

    async def reminded() -> bool:
        return [each.event for each in await alerting.notices()][1:] == ["reminded"]

    async with alerting.relaying():
        await until(reminded)
    gather = (await alerting.notices())[-1].gather
    assert gather is not None
    assert gather.by > clock.now() + 30 * MINUTE
    shown = await alerting.ask("GET", f"/v1/alerts/{alert['id']}")
    assert datetime.fromisoformat(shown["playbook"]["due_at"]) > gather.by


async def test_in_a_replay_of_history_nobody_is_expected_to_act(alerting: Alerting) -> None:
    await alerting.tell(alerting.level(18))
    async with alerting.consuming(clock="event"):
        await alerting.caught_up()
    (alert,) = await alerting.alerts()
    shown = await alerting.ask("GET", f"/v1/alerts/{alert['id']}")
    assert shown["playbook"] is None
    assert shown["history"][0]["event"] == "opened"


async def test_two_processes_side_by_side_act_once(alerting: Alerting, clock: ManualClock) -> None:
    for available in (100, 5):
        await alerting.tell(*(alerting.level(available, sku=f"S{number}") for number in range(60)))
    async with alerting.consuming():
        await alerting.caught_up()
    async with alerting.relaying(), alerting.relaying():
        clock.advance(31 * MINUTE)

        async def all_reminded() -> bool:
            return len(await alerting.notices()) >= 120

        await until(all_reminded)
        clock.advance(10 * MINUTE)

        async def all_escalated() -> bool:
            return len(await alerting.notices()) >= 180

        await until(all_escalated)
    rows = await alerting.rows("SELECT event, count(*) AS n FROM alert_history GROUP BY event")
    assert {row["event"]: row["n"] for row in rows} == {
        "opened": 60,
        "reminded": 60,
        "escalated": 60,
    }


async def test_what_a_killed_process_was_about_to_do_is_done_once(
    alerting: Alerting, clock: ManualClock, engine: AsyncEngine, following: Following
) -> None:
    alert = await hear(alerting, 18)
    clock.advance(31 * MINUTE)
    connection = await engine.connect()
    assert len(await lateness.follow(connection, clock.now(), 10)) == 1
    # While one has it in hand, another leaves it alone.
    assert await following.step() == 0
    pid = await connection.scalar(text("SELECT pg_backend_pid()"))
    await alerting.rows("SELECT pg_terminate_backend($1)", pid)
    with pytest.raises(DBAPIError):
        await connection.commit()
    await connection.invalidate()
    await connection.close()

    async def acted() -> bool:
        return await following.step() == 1

    await until(acted)
    assert await following.step() == 0
    assert await alerting.history(alert) == [("opened", "watch"), ("reminded", "watch")]


async def test_nothing_follows_while_it_recovers(
    alerting: Alerting, clock: ManualClock, following: Following
) -> None:
    await alerting.put_rule("low", playbook="replenish", recovery_seconds=3_600)
    alert = await hear(alerting, 18)
    overdue = TIMERS_LOST_TOTAL.labels("overdue")
    before = overdue._value.get()
    assert (await hear(alerting, 50))["state"] == "recovering"
    clock.advance(40 * MINUTE)
    assert await following.step() == 0
    assert overdue._value.get() == before
    assert (await hear(alerting, 18))["id"] == alert["id"]
    assert await following.step() == 1


async def test_who_has_ordered_no_matter_how_much_has_acted(
    alerting: Alerting, clock: ManualClock, following: Following, engine: AsyncEngine
) -> None:
    alert = await hear(alerting, 18)
    async with engine.begin() as connection:
        await acts.ordered(connection, UUID(alert["id"]), By("an", None, clock.now(), None))
    shown = await alerting.ask("GET", f"/v1/alerts/{alert['id']}")
    assert shown["playbook"]["step"] is None
    clock.advance(timedelta(days=1))
    assert await following.step() == 0


async def test_the_auditor_finds_timers_that_nobody_acts_on_and_those_that_are_lost(
    alerting: Alerting, clock: ManualClock, engine: AsyncEngine, following: Following
) -> None:
    alert = await hear(alerting, 18)
    missing, overdue = (TIMERS_LOST_TOTAL.labels(each) for each in ("missing", "overdue"))
    before = missing._value.get(), overdue._value.get()
    clock.advance(40 * MINUTE)
    async with engine.begin() as held:
        # Somebody hangs with the alert in hand.
        await held.execute(text("SELECT 1 FROM alert FOR UPDATE"))
        assert await following.step() == 0
    assert overdue._value.get() == before[1] + 1
    assert await following.step() == 1
    await alerting.ask("POST", f"/v1/alerts/{alert['id']}/acknowledge")
    await alerting.rows("DELETE FROM timer")
    clock.advance(MINUTE)
    await following.step()
    assert missing._value.get() == before[0] + 1
    shown = (await alerting.ask("GET", f"/v1/alerts/{alert['id']}"))["playbook"]
    assert shown["step"]["expects"] == "act"
    clock.advance(61 * MINUTE)
    assert await following.step() == 1


async def test_a_level_without_a_playbook_of_its_rules_has_the_default_of_the_level(
    alerting: Alerting,
) -> None:
    await put_playbook(alerting, default_for=["urgent"])
    other = await alerting.client.put(
        "/v1/playbooks/other", json=PLAYBOOK | {"default_for": ["urgent", "out"]}
    )
    assert other.status_code == HTTPStatus.CONFLICT
    assert other.json()["type"].endswith("default_taken")
    await alerting.put_rule(
        "low",
        levels=[
            {"level": "watch", "enter": 20, "exit": 30},
            {"level": "urgent", "enter": 10, "exit": 15},
        ],
    )
    assert (await hear(alerting, 18))["playbook"] is None
    assert (await hear(alerting, 8))["playbook"]["id"] == "replenish"


@pytest.mark.parametrize(
    ("act", "body"), [("acknowledge", None), ("assign", {"to": "boss"})], ids=["taken", "given"]
)
async def test_what_is_taken_on_before_it_follows_a_playbook_is_not_asked_for_again(
    alerting: Alerting, act: str, body: object
) -> None:
    await put_playbook(alerting, default_for=["urgent"])
    levels = [{"level": "watch", "enter": 20, "exit": 30}, {"level": "urgent", "enter": 10}]
    await alerting.put_rule("low", levels=levels)
    alert = await hear(alerting, 18)
    assert alert["playbook"] is None
    await alerting.ask("POST", f"/v1/alerts/{alert['id']}/{act}", body)
    alert = await hear(alerting, 8)
    assert (alert["level"], alert["playbook"]["step"]["expects"]) == ("urgent", "act")


async def test_the_next_step_is_for_whoever_took_the_alert_on_by_acting(alerting: Alerting) -> None:
    await put_playbook(
        alerting, steps=[*PLAYBOOK["steps"], {"expects": "confirm", "within_minutes": 60}]
    )
    alert = await hear(alerting, 18)
    await alerting.rows("UPDATE alert SET owner = NULL")
    path = f"/v1/alerts/{alert['id']}"
    await alerting.ask("POST", f"{path}/actions", {"kind": "count"}, HTTPStatus.CREATED)
    found = await alerting.ask("GET", path)
    assert (found["owner"], found["playbook"]["step"]["expects"]) == ("buyer", "confirm")
    assert found["playbook"]["told"] == [], "An does not own it"


async def test_a_rotation_is_told_when_its_step_begins(alerting: Alerting) -> None:
    body = {"people": ["night", "boss"], "zone": "Asia/Shanghai", "starts_on": "2026-01-01"}
    duty = await alerting.ask("PUT", "/v1/rotations/nights", body | {"every_days": 1})
    assert duty["on_duty"] in body["people"]
    assert await alerting.ask("GET", "/v1/rotations/nights") == duty
    assert (await alerting.ask("GET", "/v1/rotations"))["items"] == [duty]
    step = PLAYBOOK["steps"][0] | {"whom": [{"rotation": "nights"}], "calendar": "office"}
    await put_playbook(alerting, steps=[step])
    await hear(alerting, 18)
    (opened,) = await noted(alerting)
    assert [each.id for each in opened.to] == ["an", duty["on_duty"]]


async def test_nothing_may_be_named_that_there_is_not(alerting: Alerting) -> None:
    refused = HTTPStatus.UNPROCESSABLE_ENTITY
    step = PLAYBOOK["steps"][0]
    whom = [{"person": "nobody"}, {"rotation": "never"}]
    body = PLAYBOOK | {"steps": [step | {"whom": whom, "calendar": "nowhere"}]}
    problem = await alerting.ask("PUT", "/v1/playbooks/replenish", body, refused)
    assert [each["code"] for each in problem["errors"]] == [
        "unknown_person",
        "unknown_rotation",
        "unknown_calendar",
    ]
    rule = {"name": {"en": "x"}, "kind": "stock_out", "playbook": "nothing"}
    problem = await alerting.ask("PUT", "/v1/rules/x", rule, refused)
    assert problem["type"].endswith("unknown_playbook")
    rotation = {"people": ["nobody"], "zone": "UTC", "starts_on": "2026-01-01"}
    problem = await alerting.ask("PUT", "/v1/rotations/x", rotation, refused)
    assert problem["type"].endswith("unknown_person")
    for path in ("playbooks", "rotations", "working-calendars"):
        await alerting.ask("GET", f"/v1/{path}/nothing", None, HTTPStatus.NOT_FOUND)


async def test_what_somebody_goes_by_is_not_deleted(alerting: Alerting) -> None:
    await alerting.ask("PUT", "/v1/people/bo", {"name": "Bo"})
    duty = {"people": ["bo"], "zone": "UTC", "starts_on": "2026-01-01"}
    await alerting.ask("PUT", "/v1/rotations/duty", duty)
    hours = {"zone": "UTC", "hours": {"mon": [{"from": "09:00", "until": "18:00"}]}}
    await alerting.ask("PUT", "/v1/working-calendars/shop", hours)
    step = {"whom": [{"rotation": "duty"}], "expects": "act", "within_minutes": 30}
    body = {"name": {"en": "Shop"}, "steps": [step | {"calendar": "shop"}]}
    made = await alerting.client.put("/v1/playbooks/shop", json=body)
    assert made.is_success, made.text
    await alerting.put_rule("always", playbook="shop")
    await alerting.put_rule("low", active={"calendar": "shop"})
    await alerting.ask("PUT", "/v1/attention-policy", {"calendar": "shop"})
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await alerting.caught_up()

    async def used_by(path: str) -> list[str]:
        problem = await alerting.ask("DELETE", f"/v1/{path}", status=HTTPStatus.CONFLICT)
        assert problem["type"].endswith("in_use")
        assert all(each in problem["detail"] for each in problem["used_by"])
        return list(problem["used_by"])

    following = "open alerts that follow shop"
    assert await used_by("rotations/duty") == [following, "playbook shop"]
    assert await used_by("working-calendars/shop") == [
        following,
        "playbook shop",
        "rule low",
        "the attention policy",
    ]
    await alerting.ask("DELETE", "/v1/playbooks/shop")
    await alerting.ask("DELETE", "/v1/rules/low")
    await alerting.ask("PUT", "/v1/attention-policy", {})
    assert await used_by("rotations/duty") == [following]
    assert await used_by("working-calendars/shop") == [following]
    await alerting.rows("UPDATE alert SET resolved_at = opened_at")
    for path in ("rotations/duty", "working-calendars/shop"):
        for status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND):
            assert (await alerting.client.delete(f"/v1/{path}")).status_code == status
    audited = (await alerting.ask("GET", "/v1/audit"))["items"]
    assert [(each["what"], each["target"], each["before"]) for each in audited[:2]] == [
        (
            "working_calendar.deleted",
            "shop",
            hours | {"country": None, "days_on": [], "days_off": []},
        ),
        ("rotation.deleted", "duty", audited[1]["before"]),
    ]


async def test_there_are_playbooks_to_begin_with_that_can_be_put_as_they_are(
    alerting: Alerting,
) -> None:
    found = (await alerting.ask("GET", "/v1/playbooks"))["items"]
    begun_with = [each for each in found if each["changed_by"] == "lowtide"]
    assert [each["id"] for each in begun_with] == [
        "data_doubt_count",
        "sold_out_at_one_shop",
        "urgent_replenishment",
    ]
    for each in begun_with:
        assert set(each["name"]) == {"zh-CN", "en"}
        said = {name: each[name] for name in ("name", "steps", "default_for", "enabled")}
        assert await alerting.ask("PUT", f"/v1/playbooks/{each['id']}", said) == each
    office = await alerting.ask("GET", "/v1/working-calendars/office")
    said = {name: office[name] for name in ("zone", "hours", "country")}
    assert await alerting.ask("PUT", "/v1/working-calendars/office", said) == office
    assert (await alerting.ask("GET", "/v1/working-calendars"))["items"] == [office]
