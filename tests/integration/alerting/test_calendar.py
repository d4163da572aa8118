"""A promotion is entered, begins, and ends."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from services.alerting.store.rule_watch import read_book
from shared.clock import WallClock
from shared.database.engine import create_engine
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting

pytestmark = pytest.mark.stack


async def test_a_promotion_raises_limits_from_its_beginning_to_its_end(alerting: Alerting) -> None:
    await alerting.put_rule("low")
    await alerting.tell(alerting.level(35), alerting.level(35, sku="B"))
    now = WallClock().now()
    promotion = {
        "name": {"zh-CN": "双11", "en": "Singles' Day"},
        "starts_at": (now + timedelta(seconds=2)).isoformat(),
        "ends_at": (now + timedelta(days=1)).isoformat(),
        "sku": "A",
        "factor": 2,
    }

    async def states(*expected: str) -> bool:
        return [each["state"] for each in await alerting.alerts()] == list(expected)

    async with alerting.consuming():
        made = await alerting.ask("POST", "/v1/calendar", promotion, 201)
        await until(lambda: states("open"))
        (alert,) = await alerting.alerts()
        assert (alert["sku"], alert["facts"]["threshold"]) == ("A", 40)
        said = await alerting.ask("GET", "/v1/explain?sku=A&warehouse=W&rule=low")
        (low,) = said["rules"]
        assert low["occasions"] == [promotion["name"]]
        assert low["limits"] == [{"level": "watch", "enter": 40, "exit": 60}]
        assert low["words"]["zh-CN"].endswith("日历：双11。")
        listed = await alerting.ask("GET", "/v1/calendar")
        assert [each["id"] for each in listed["items"]] == [made["id"]]
        await alerting.ask("DELETE", f"/v1/calendar/{made['id']}")
        await until(lambda: states("resolved"))
    assert (await alerting.ask("GET", "/v1/calendar"))["items"] == []
    (kept,) = (await alerting.ask("GET", "/v1/calendar?ended=true"))["items"]
    assert kept["id"] == made["id"]


async def test_an_occasion_that_does_nothing_or_ends_before_it_begins_is_refused(
    alerting: Alerting,
) -> None:
    window = {"starts_at": "2026-11-11T00:00:00+08:00", "ends_at": "2026-11-12T00:00:00+08:00"}
    plain: dict[str, object] = {"name": {"en": "Sale"}, **window}
    for wrong in ({}, {"factor": 0}, {"shift": 3}, {"mute": True, "ends_at": window["starts_at"]}):
        await alerting.ask("POST", "/v1/calendar", plain | wrong, 422)
    answers = [
        await alerting.client.post(
            "/v1/calendar", json=plain | effect, headers={"Idempotency-Key": "one"}
        )
        for effect in ({"mute": True}, {"mute": True}, {"shift": 1})
    ]
    assert [each.status_code for each in answers] == [201, 201, 422]
    assert answers[0].json() == answers[1].json()
    await alerting.ask("DELETE", "/v1/calendar/6f1c0a52-8a55-4c5e-9f43-4a8d41e2c6b1", status=404)


async def test_what_was_over_long_ago_is_read_for_replays_only(alerting: Alerting) -> None:
    now, hour = WallClock().now(), timedelta(hours=1)
    begun = [now - timedelta(days=days) for days in (400, 2)]
    for starts_at in begun:
        window = {"starts_at": starts_at.isoformat(), "ends_at": (starts_at + hour).isoformat()}
        sale = {"name": {"en": "Sale"}, "mute": True, **window}
        await alerting.ask("POST", "/v1/calendar", sale, 201)
    engine = create_engine(alerting.database.url("alerting"))
    async with engine.connect() as connection:
        for clock, expected in ((now, [0, 1]), (None, [1, 1])):
            calendar = (await read_book(connection, 1, clock)).calendar
            assert [len(calendar.on(each)) for each in begun] == expected
    await engine.dispose()


async def test_of_two_at_once_with_one_key_one_is_entered(alerting: Alerting) -> None:
    now = WallClock().now()
    window = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(days=1)).isoformat()}

    async def both_wait() -> bool:
        waiting = await alerting.rows(
            """SELECT 1 FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'"""
        )
        return len(waiting) == len(asked)

    other = await asyncpg.connect(alerting.database.url("alerting"))
    try:
        async with asyncio.TaskGroup() as group:
            edit = other.transaction()
            await edit.start()
            await other.execute("UPDATE rule_book SET revision = revision + 1")
            asked = [
                group.create_task(
                    alerting.client.post(
                        "/v1/calendar",
                        json=window | {"name": {"en": name}, "mute": True},
                        headers={"Idempotency-Key": "two"},
                    )
                )
                for name in ("One", "Two")
            ]
            await until(both_wait)
            await edit.rollback()
    finally:
        await other.close()
    answers = [each.result() for each in asked]
    assert sorted(each.status_code for each in answers) == [201, 422]
    (made,) = [each.json() for each in answers if each.is_success]
    assert (await alerting.ask("GET", "/v1/calendar"))["items"] == [made]
