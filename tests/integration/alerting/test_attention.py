"""What an owner is told at once, with other alerts, or not at all; and what is at risk."""

import asyncio
from collections import Counter
from decimal import Decimal
from http import HTTPStatus
from zoneinfo import ZoneInfo

import pytest

from services.alerting.domain.attention import News, Way
from services.alerting.store import attention
from shared.clock import WallClock
from shared.database.engine import create_engine
from shared.events.stock_alerts import AlertLevel, AtRisk, GatherReason, StockAlert
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting

pytestmark = pytest.mark.stack

LEVELS = [{"level": "urgent", "enter": 10, "exit": 20}, {"level": "out", "enter": 1}]
# Where it is about noon: what is gathered goes out an hour later, and that should be the same day.
NOON = f"Etc/GMT{WallClock().now().hour - 12:+d}"
POLICY = {"interruptions_a_day": 2, "money": "500", "urgent_minutes": 60, "zone": NOON}


async def responsible(alerting: Alerting, person: str) -> None:
    """Make everything one person's."""
    await alerting.ask("PUT", f"/v1/people/{person}", {"name": person})
    rows = [{"owner": person}]
    await alerting.ask("PUT", "/v1/responsibilities", {"items": rows})


async def parameters(alerting: Alerting, sku: str, **values: object) -> None:
    answer = await alerting.client.post("/v1/parameters/import", json=[{"sku": sku} | values])
    assert answer.is_success, answer.text


async def notices(alerting: Alerting, count: int) -> list[StockAlert]:
    """Return so many notices, as soon as they are on the topic."""
    async with alerting.relaying():

        async def there() -> bool:
            return len(await alerting.notices()) >= count

        await until(there)
    return await alerting.notices()


async def test_an_owner_is_interrupted_so_often_and_the_rest_stands_in_the_list(
    alerting: Alerting,
) -> None:
    await responsible(alerting, "lin")
    await alerting.ask("PUT", "/v1/attention-policy", POLICY)
    await alerting.put_rule("low", levels=LEVELS)
    for number in range(4):
        await parameters(alerting, f"C{number}", stock_class="C", supplier=f"S{number}")
    await parameters(alerting, "A", stock_class="A", supplier="S9")
    await parameters(alerting, "M", stock_class="C", supplier="S9", price="1000")
    skus = ["C0", "C1", "C2", "C3", "A", "M"]
    async with alerting.consuming():
        await alerting.tell(*(alerting.level(100, sku=sku) for sku in skus))
        await alerting.caught_up()
        for sku, available in (("C0", 5), ("C1", 5), ("C2", 5), ("C3", 5), ("A", 0), ("M", -3)):
            await alerting.tell(alerting.level(available, sku=sku))
            await alerting.caught_up()
    told = {each.sku: each for each in await notices(alerting, 6)}
    gathered = {sku: each.gather for sku, each in told.items() if each.gather is not None}
    assert set(gathered) == {"C0", "C1"}
    assert {each.why for each in gathered.values()} == {GatherReason.SAME_OWNER}
    assert {sku for sku, each in told.items() if each.hush is not None} == {"C2", "C3"}
    assert (told["M"].at_risk, told["M"].supplier, told["M"].stock_class) == (
        AtRisk(units=3, money=Decimal("3000.00")),
        "S9",
        "C",
    )
    today = told["A"].recorded_at.astimezone(ZoneInfo(NOON)).date()
    day = await alerting.ask("GET", f"/v1/attention?day={today}")
    ((counts),) = day["items"]
    assert {name: counts[name] for name in counts if name not in {"day", "person"}} == {
        "interruptions": 2,
        "left": 0,
        "at_once": 2,
        "gathered": 2,
        "held_back": 2,
    }
    riskiest = (await alerting.ask("GET", "/v1/alerts?order=at_risk"))["items"]
    assert riskiest[0]["sku"] == "M"
    assert riskiest[0]["at_risk"] == {"units": 3.0, "money": "3000.00", "left_out": 0}
    assert {each["sku"] for each in riskiest if each["held_back"]} == {"C2", "C3"}
    # Held back it stays, whether it gets worse by what can wait or better.
    async with alerting.consuming():
        await alerting.tell(alerting.level(0, sku="C2"), alerting.level(5, sku="C2"))
        await alerting.caught_up()
    later = [each for each in await notices(alerting, 8) if each.sku == "C2"]
    assert [(each.level, each.hush and each.hush.by) for each in later] == [
        ("urgent", "budget"),
        ("out", "budget"),
        ("urgent", "budget"),
    ]


async def test_pages_by_what_is_at_risk_meet_each_alert_once(alerting: Alerting) -> None:
    await alerting.put_rule("low")
    for number in range(5):
        await parameters(alerting, f"S{number}", price=str(number % 3))
    async with alerting.consuming():
        await alerting.tell(*(alerting.level(-number, sku=f"S{number}") for number in range(5)))
        await alerting.caught_up()
    path, seen = "/v1/alerts?order=at_risk&limit=2", []
    cursor = ""
    while True:
        page = await alerting.ask("GET", path + cursor)
        seen += [each["sku"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["S4", "S2", "S1", "S3", "S0"]
    for wrong in ("bm90IGEgY3Vyc29y", "WyJOYU4iLCAiMSIsIDFd"):
        await alerting.ask("GET", f"{path}&cursor={wrong}", status=HTTPStatus.UNPROCESSABLE_ENTITY)


async def test_two_workers_that_count_one_person_do_not_exceed_the_budget(
    alerting: Alerting,
) -> None:
    await alerting.ask("PUT", "/v1/attention-policy", POLICY | {"interruptions_a_day": 4})
    now = WallClock().now()
    engine = create_engine(alerting.database.url("alerting"), pool=2)

    def news(worker: int) -> dict[int, News]:
        return {
            number: News(AlertLevel.URGENT, "low", "lin", "C", f"S{worker}{number}", None, None)
            for number in range(3)
        }

    async def waits_for_a_lock() -> bool:
        return bool(
            await alerting.rows(
                """SELECT 1 FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'"""
            )
        )

    async def other() -> list[Way]:
        async with engine.begin() as connection:
            found = await attention.decide(connection, news(2), now)
        return [each.way for each in found.values()]

    async with engine.begin() as connection, asyncio.TaskGroup() as group:
        first = await attention.decide(connection, news(1), now)
        second = group.create_task(other())
        await until(waits_for_a_lock)
        await connection.commit()
    await engine.dispose()
    ways = Counter([each.way for each in first.values()] + await second)
    assert ways == {Way.GATHERED: 4, Way.BUDGET: 2}


async def test_the_policy_is_answered_as_it_was_put(alerting: Alerting) -> None:
    default = await alerting.ask("GET", "/v1/attention-policy")
    assert (default["version"], default["classes"], default["watch_at"]) == (0, ["A"], "09:00")
    put = await alerting.ask("PUT", "/v1/attention-policy", POLICY)
    assert (put["version"], put["changed_by"], put["money"]) == (1, "buyer", "500")
    assert await alerting.ask("GET", "/v1/attention-policy") == put
    sundays = {"zone": "Asia/Shanghai", "hours": {"sun": [{"from": "09:00", "until": "18:00"}]}}
    await alerting.ask("PUT", "/v1/working-calendars/sundays", sundays)
    put = await alerting.ask(
        "PUT", "/v1/attention-policy", POLICY | {"zone": "UTC", "calendar": "sundays"}
    )
    assert (await alerting.ask("GET", "/v1/attention-policy"))["calendar"] == "sundays"
    engine = create_engine(alerting.database.url("alerting"))
    try:
        async with engine.connect() as connection:
            stored = (await attention.policy(connection)).policy
    finally:
        await engine.dispose()
    morning = stored.next_morning(WallClock().now())
    assert morning.astimezone(ZoneInfo("Asia/Shanghai")).isoweekday() == 7
    wrongs: list[dict[str, object]] = [
        {"zone": "Moon"},
        {"calendar": "nowhere"},
        {"working_days": []},
        {"clases": ["A"]},
    ]
    for wrong in wrongs:
        await alerting.ask("PUT", "/v1/attention-policy", wrong, HTTPStatus.UNPROCESSABLE_ENTITY)


async def test_a_pending_time_that_began_at_the_first_message_is_known_to_the_next_process_too(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("low", pending_seconds=3_600)
    await alerting.tell(alerting.level(5))
    async with alerting.consuming():
        await alerting.caught_up()
    assert [tuple(row) for row in await alerting.rows("SELECT state, known FROM condition")] == [
        ("pending", "first_import")
    ]
    await alerting.rows(
        "UPDATE condition SET since = since - interval '1 day', due_at = due_at - interval '1 day'"
    )
    async with alerting.consuming():

        async def opened() -> bool:
            return bool(await alerting.alerts())

        await until(opened)
    (notice,) = await notices(alerting, 1)
    assert notice.gather is not None
    assert notice.gather.why is GatherReason.FIRST_IMPORT
