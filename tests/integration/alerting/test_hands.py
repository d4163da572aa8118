"""What people do with alerts, and what they are not told meanwhile."""

from collections.abc import AsyncIterator
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.alerting.settings import AlertingSettings
from shared.clock import ManualClock
from shared.events.stock_alerts import HushKind, StockAlert
from shared.testing.stack import Database
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting, alerting_on

pytestmark = pytest.mark.stack

HOUR = timedelta(hours=1)


@pytest_asyncio.fixture
async def alerting(
    settings: AlertingSettings, database: Database, key: Path, clock: ManualClock
) -> AsyncIterator[Alerting]:
    async with alerting_on(settings, database, key, clock) as service:
        await service.put_rule(
            "low",
            levels=[
                {"level": "watch", "enter": 20, "exit": 30},
                {"level": "urgent", "enter": 10, "exit": 15},
            ],
            labels={"team": "kitchen"},
        )
        yield service


async def hear(alerting: Alerting, available: int) -> dict[str, Any]:
    """Tell a level, let it be evaluated, and return the newest alert."""
    await alerting.tell(alerting.level(available))
    async with alerting.consuming():
        await alerting.caught_up()
    return (await alerting.alerts())[-1]


async def silence(alerting: Alerting, clock: ManualClock, **fields: object) -> dict[str, Any]:
    body = {"sku": "A", "ends_at": (clock.now() + HOUR).isoformat(), "comment": "stocktake"}
    return await alerting.ask("POST", "/v1/silences", body | fields, HTTPStatus.CREATED)


async def told(alerting: Alerting, number: int) -> list[StockAlert]:
    """Return so many notices, as soon as they are on the topic."""
    async with alerting.relaying():

        async def there() -> bool:
            return len(await alerting.notices()) >= number

        await until(there)
    return await alerting.notices()


async def nothing_to_relay(alerting: Alerting) -> bool:
    return (await alerting.rows("SELECT 1 FROM outbox")) == []


async def test_who_takes_an_alert_on_owns_it_until_it_is_given_to_another(
    alerting: Alerting,
) -> None:
    await alerting.ask("PUT", "/v1/people/lin", {"name": "Lin"})
    alert = await hear(alerting, 18)
    path = f"/v1/alerts/{alert['id']}"
    assert (await alerting.ask("POST", f"{path}/acknowledge"))["owner"] == "buyer"
    given = await alerting.ask("POST", f"{path}/assign", {"to": "lin", "note": "your supplier"})
    assert (given["owner"], given["acknowledged_by"]) == ("lin", "buyer")
    assert await alerting.ask("POST", f"{path}/assign", {"to": "lin"}) == given
    assert [each["id"] for each in await alerting.alerts(owner="lin")] == [alert["id"]]
    assert await alerting.alerts(owner="buyer") == []
    notices = await told(alerting, 3)
    assert [(each.event, each.owner, each.note) for each in notices] == [
        ("opened", None, None),
        ("acknowledged", "buyer", None),
        ("assigned", "lin", "your supplier"),
    ]


async def test_a_snoozed_alert_is_quiet_until_it_gets_worse(alerting: Alerting) -> None:
    alert = await hear(alerting, 9)
    path = f"/v1/alerts/{alert['id']}/snooze"
    snoozed = await alerting.ask("POST", path, {"minutes": 60})
    assert snoozed["snoozed_until"] is not None
    eased = await hear(alerting, 18)
    assert (eased["level"], eased["snoozed_until"]) == ("watch", snoozed["snoozed_until"])
    worse = await hear(alerting, 8)
    assert (worse["level"], worse["snoozed_until"]) == ("urgent", None)
    notices = await told(alerting, 4)
    assert [(each.event, each.hush and each.hush.by) for each in notices] == [
        ("opened", None),
        ("snoozed", None),
        ("level_changed", "snooze"),
        ("level_changed", None),
    ]


async def test_when_a_snooze_is_over_and_it_still_holds_people_are_reminded_once(
    alerting: Alerting, clock: ManualClock
) -> None:
    alert = await hear(alerting, 9)
    await alerting.ask("POST", f"/v1/alerts/{alert['id']}/snooze", {"minutes": 60})
    await hear(alerting, 7)
    assert [each.event for each in await told(alerting, 2)] == ["opened", "snoozed"]
    clock.advance(HOUR)
    *_, reminder = await told(alerting, 3)
    # With the numbers of now, not those of when it was last told of.
    assert (reminder.event, reminder.facts.available) == ("reminded", 7)
    async with alerting.relaying():
        clock.advance(HOUR)
        await hear(alerting, 50)
        await until(lambda: nothing_to_relay(alerting))
    assert [each.event for each in await alerting.notices()] == [
        "opened",
        "snoozed",
        "reminded",
        "resolved",
    ]


async def test_a_snooze_that_is_ended_is_over_at_once(
    alerting: Alerting, clock: ManualClock
) -> None:
    alert = await hear(alerting, 9)
    path = f"/v1/alerts/{alert['id']}/snooze"
    before = await alerting.ask("DELETE", path)
    assert before["snoozed_until"] is None
    await alerting.ask("POST", path, {"minutes": 600})
    ended = await alerting.ask("DELETE", path)
    assert ended["snoozed_until"] == clock.now().isoformat().replace("+00:00", "Z")
    assert await alerting.ask("DELETE", path) == ended
    notices = await told(alerting, 3)
    assert [each.event for each in notices] == ["opened", "snoozed", "reminded"]
    assert (await alerting.alerts())[-1]["snoozed_until"] is None
    audited = await alerting.rows("SELECT actor FROM audit WHERE what = 'alert.snooze_ended'")
    assert [each["actor"] for each in audited] == ["buyer"]

    await alerting.ask("POST", path, {"minutes": 60})
    await alerting.ask("POST", f"/v1/alerts/{alert['id']}/resolve", {"note": "gone for good"})
    refused = await alerting.ask("DELETE", path, status=HTTPStatus.CONFLICT)
    assert refused["type"].endswith("already_resolved")


async def test_an_alert_cannot_be_given_to_a_stranger(alerting: Alerting) -> None:
    alert = await hear(alerting, 18)
    path = f"/v1/alerts/{alert['id']}/assign"
    problem = await alerting.ask("POST", path, {"to": "nobody"}, HTTPStatus.UNPROCESSABLE_ENTITY)
    assert problem["type"].endswith("unknown_person")


@pytest.mark.parametrize(
    "body",
    [{}, {"minutes": 0}, {"minutes": 60, "until": "2099-01-01T00:00:00Z"}, {"minutes": 99_999}],
)
async def test_a_snooze_says_until_when_in_one_way_and_within_thirty_days(
    alerting: Alerting, body: dict[str, object]
) -> None:
    alert = await hear(alerting, 9)
    path = f"/v1/alerts/{alert['id']}/snooze"
    await alerting.ask("POST", path, body, HTTPStatus.UNPROCESSABLE_ENTITY)
    for when in ("2001-01-01T00:00:00Z", "2099-01-01T00:00:00Z"):
        problem = await alerting.ask("POST", path, {"until": when}, HTTPStatus.UNPROCESSABLE_ENTITY)
        assert problem["type"].endswith("snooze_out_of_range")


async def test_what_opens_in_silence_is_told_once_when_the_silence_ends_and_it_still_holds(
    alerting: Alerting, clock: ManualClock
) -> None:
    made = await silence(alerting, clock)
    alert = await hear(alerting, 9)
    history = (await alerting.ask("GET", f"/v1/alerts/{alert['id']}"))["history"]
    assert [each["hush"]["silence"] for each in history] == [made["id"]]
    (opened,) = await told(alerting, 1)
    assert opened.hush is not None
    clock.advance(HOUR)
    assert [each.event for each in await told(alerting, 2)] == ["opened", "reminded"]
    async with alerting.relaying():
        await hear(alerting, 50)
        await until(lambda: nothing_to_relay(alerting))
    assert [each.event for each in await alerting.notices()][2:] == ["resolved"]


async def test_what_a_silence_kept_back_costs_an_owner_no_more_than_openings_do(
    alerting: Alerting, clock: ManualClock
) -> None:
    """One message for each supplier, so many a day; a stock-out of class A is told at once."""
    await alerting.ask("PUT", "/v1/people/lin", {"name": "Lin"})
    await alerting.ask("PUT", "/v1/responsibilities", {"items": [{"owner": "lin"}]})
    await alerting.ask("PUT", "/v1/attention-policy", {"interruptions_a_day": 1})
    await alerting.put_rule("gone", kind="stock_out", levels=[])
    supplied = {f"{supplier}{number}": supplier for supplier in "ST" for number in range(4)}
    given = [
        {"sku": sku, "stock_class": "C", "supplier": supplier} for sku, supplier in supplied.items()
    ]
    given.append({"sku": "X", "stock_class": "A", "supplier": "S"})
    assert (await alerting.client.post("/v1/parameters/import", json=given)).is_success
    await silence(alerting, clock, sku=None, warehouse="W")
    async with alerting.consuming():
        await alerting.tell(*(alerting.level(100, sku=each["sku"]) for each in given))
        await alerting.caught_up()
        await alerting.tell(*(alerting.level(9, sku=sku) for sku in supplied))
        await alerting.tell(alerting.level(0, sku="X"))
        await alerting.caught_up()
    opened = await told(alerting, len(given) + 1)
    assert {each.hush and each.hush.by for each in opened} == {"silence"}
    clock.advance(HOUR)
    await told(alerting, 2 * len(opened))
    async with alerting.relaying():
        await until(lambda: nothing_to_relay(alerting))
    reminders = [each for each in await alerting.notices() if each.event == "reminded"]
    assert len(reminders) == len(opened)
    gathered = {each.sku: each.gather.key for each in reminders if each.gather is not None}
    kept = {each.sku for each in reminders if each.hush is not None}
    at_once = [each for each in reminders if each.gather is None and each.hush is None]
    assert [(each.sku, each.level) for each in at_once] == [("X", "out")]
    # Of X the rule of low stock is told with the others of its supplier, or waits with them.
    assert len({*gathered.values()}) == 1
    assert {supplied.get(sku, "S") for sku in gathered}.isdisjoint(
        supplied.get(sku, "S") for sku in kept
    )
    assert gathered.keys() | kept == {*supplied, "X"}
    assert {each.hush.by for each in reminders if each.hush is not None} == {"budget"}
    listed = {each["sku"] for each in await alerting.alerts() if each["held_back"]}
    assert listed == kept


@pytest.mark.parametrize("meanwhile", [True, False], ids=["in the silence", "after it"])
async def test_who_was_told_of_worse_hears_that_it_has_eased_whatever_is_left_of_the_day(
    alerting: Alerting, clock: ManualClock, meanwhile: bool
) -> None:
    await alerting.ask("PUT", "/v1/people/lin", {"name": "Lin"})
    await alerting.ask("PUT", "/v1/responsibilities", {"items": [{"owner": "lin"}]})
    # About noon: the reminder is of the day on which the opening was told.
    zone = f"Etc/GMT{clock.now().hour - 12:+d}"
    policy = {"interruptions_a_day": 1, "zone": zone}
    await alerting.ask("PUT", "/v1/attention-policy", policy)
    given = [{"sku": sku, "stock_class": "C", "supplier": f"of {sku}"} for sku in "AB"]
    assert (await alerting.client.post("/v1/parameters/import", json=given)).is_success
    async with alerting.consuming():
        await alerting.tell(*(alerting.level(100, sku=sku) for sku in "AB"))
        await alerting.caught_up()
        await alerting.tell(alerting.level(18, sku="B"))  # takes the next morning
        await alerting.caught_up()
    alert = await hear(alerting, 9)
    if meanwhile:
        await silence(alerting, clock)
        await hear(alerting, 18)
    else:
        await alerting.ask("POST", f"/v1/alerts/{alert['id']}/snooze", {"minutes": 60})
    await told(alerting, 3)
    clock.advance(HOUR)
    if not meanwhile:
        *_, kept = [each for each in await told(alerting, 4) if each.sku == "A"]
        assert kept.hush is not None
        assert kept.hush.by is HushKind.BUDGET
        await hear(alerting, 18)
    notices = await told(alerting, 4 if meanwhile else 5)
    *_, eased = [each for each in notices if each.sku == "A"]
    assert (eased.event, eased.previous_level, eased.level) == ("level_changed", "urgent", "watch")
    assert eased.hush is None
    assert not any(each["held_back"] for each in await alerting.alerts())


async def test_a_silence_may_end_before_its_time(alerting: Alerting, clock: ManualClock) -> None:
    made = await silence(alerting, clock)
    await hear(alerting, 9)
    assert len(await told(alerting, 1)) == 1
    clock.advance(timedelta(minutes=1))
    ended = await alerting.ask("DELETE", f"/v1/silences/{made['id']}")
    assert ended["ends_at"] < made["ends_at"]
    assert await alerting.ask("DELETE", f"/v1/silences/{made['id']}") == ended
    assert [each.event for each in await told(alerting, 2)] == ["opened", "reminded"]


@pytest.mark.parametrize(
    ("what", "covered"),
    [
        ({"sku": "A"}, True),
        ({"sku": "B"}, False),
        ({"sku": None, "warehouse": "W"}, True),
        ({"sku": None, "rule": "low"}, True),
        ({"rule": "high"}, False),
        ({"sku": None, "labels": {"team": "kitchen"}}, True),
        ({"labels": {"team": "office"}}, False),
    ],
)
async def test_a_silence_covers_what_agrees_in_all_that_it_names(
    alerting: Alerting, clock: ManualClock, what: dict[str, object], covered: bool
) -> None:
    await silence(alerting, clock, **what)
    alert = await hear(alerting, 9)
    (step,) = (await alerting.ask("GET", f"/v1/alerts/{alert['id']}"))["history"]
    assert (step["hush"] is not None) is covered


async def test_one_that_has_not_begun_covers_nothing_yet(
    alerting: Alerting, clock: ManualClock
) -> None:
    begins = clock.now() + HOUR
    await silence(
        alerting, clock, starts_at=begins.isoformat(), ends_at=(begins + HOUR).isoformat()
    )
    alert = await hear(alerting, 9)
    (step,) = (await alerting.ask("GET", f"/v1/alerts/{alert['id']}"))["history"]
    assert step["hush"] is None


async def test_silences_are_listed_the_newest_first_without_those_that_are_over(
    alerting: Alerting, clock: ManualClock
) -> None:
    made = []
    for _ in range(3):
        made.append((await silence(alerting, clock))["id"])
        clock.advance(timedelta(minutes=1))
    first = await alerting.ask("GET", "/v1/silences?limit=2")
    second = await alerting.ask("GET", f"/v1/silences?limit=2&cursor={first['next_cursor']}")
    assert [each["id"] for each in first["items"] + second["items"]] == made[::-1]
    clock.advance(HOUR - timedelta(minutes=2))
    assert [each["id"] for each in (await alerting.ask("GET", "/v1/silences"))["items"]] == [
        made[2]
    ]
    everything = await alerting.ask("GET", "/v1/silences?ended=true")
    assert [each["id"] for each in everything["items"]] == made[::-1]


async def test_a_silence_names_something_and_ends(alerting: Alerting, clock: ManualClock) -> None:
    for wrong in (
        {"sku": None},
        {"ends_at": clock.now().isoformat()},
        {"ends_at": (clock.now() + timedelta(days=400)).isoformat()},
        {"comment": ""},
    ):
        body = {"sku": "A", "ends_at": (clock.now() + HOUR).isoformat(), "comment": "x"} | wrong
        await alerting.ask("POST", "/v1/silences", body, HTTPStatus.UNPROCESSABLE_ENTITY)
    last = {"starts_at": "9999-06-01T00:00:00Z", "ends_at": "9999-06-02T00:00:00Z"}
    await alerting.ask(
        "POST", "/v1/silences", last | {"sku": "A", "comment": "x"}, HTTPStatus.CREATED
    )


async def test_a_repeated_request_makes_one_silence(alerting: Alerting, clock: ManualClock) -> None:
    body = {"sku": "A", "ends_at": (clock.now() + HOUR).isoformat(), "comment": "x"}
    answers = [
        await alerting.client.post(
            "/v1/silences", json=body, headers={"Idempotency-Key": "stocktake 7"}
        )
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert len((await alerting.ask("GET", "/v1/silences"))["items"]) == 1
    another = await alerting.client.post(
        "/v1/silences", json=body | {"sku": "B"}, headers={"Idempotency-Key": "stocktake 7"}
    )
    assert another.json()["type"].endswith("idempotency_key_reused")


async def test_nothing_can_be_done_with_what_is_resolved_but_to_repeat_what_was(
    alerting: Alerting,
) -> None:
    alert = await hear(alerting, 9)
    taken_on = f"/v1/alerts/{alert['id']}/acknowledge"
    await alerting.ask("POST", taken_on)
    await hear(alerting, 50)
    again = await alerting.ask("POST", taken_on)
    assert (again["state"], again["acknowledged_by"]) == ("resolved", "buyer")
    await alerting.ask("PUT", "/v1/people/lin", {"name": "Lin"})
    for act, body in (("assign", {"to": "lin"}), ("snooze", {"minutes": 5})):
        problem = await alerting.ask(
            "POST", f"/v1/alerts/{alert['id']}/{act}", body, HTTPStatus.CONFLICT
        )
        assert problem["type"].endswith("already_resolved")
