"""What arrives at another program's endpoint, over real HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest

from services.notifier.store import configuration
from shared.clock import Clock, ManualClock, WallClock
from shared.testing import webhook
from shared.testing.vendor import Fault
from shared.testing.waiting import until
from shared.testing.webhook import FakeReceiver
from tests.factories.stock_alerts import alert_id, stock_alert
from tests.integration.notifier.service import KEY, Notifier, Row

pytestmark = pytest.mark.stack

SECRET = "whsec_bG93dGlkZSB3YXJucyBiZWZvcmUgdGhlIHNoZWxm"


@asynccontextmanager
async def receiving(notifier: Notifier, clock: Clock | None = None) -> AsyncIterator[FakeReceiver]:
    """Serve a receiver and put it as the destination `program`."""
    fake = FakeReceiver(SECRET, clock=clock)
    async with fake.serving() as url:
        await notifier.put("program", "webhook", {"url": url + webhook.PATH, "secret": SECRET})
        yield fake


async def test_an_episode_arrives_as_signed_events_in_order(notifier: Notifier) -> None:
    async with receiving(notifier) as fake, notifier.sending():
        await notifier.tell(stock_alert(7), stock_alert(7, revision=2, event="resolved"))
        await notifier.until_states("sent", "sent")
    assert [event.type for event in fake.events] == ["stock.alert.opened", "stock.alert.resolved"]
    assert {event.data["alert_id"] for event in fake.events} == {str(alert_id(7))}
    rows = await notifier.rows("SELECT id FROM delivery ORDER BY id")
    assert [event.id for event in fake.events] == [str(row["id"]) for row in rows]


async def test_a_lost_answer_repeats_the_same_event_whatever_it_is_and_marks_nothing(
    notifier: Notifier,
) -> None:
    async with receiving(notifier) as fake, notifier.sending():
        for revision, event in ((1, "opened"), (2, "resolved")):
            fake.order(Fault.LOSE_ANSWER)
            await notifier.tell(stock_alert(7, revision=revision, event=event))
            await notifier.until_states(*["sent"] * revision)
    assert fake.repeats == [event.id for event in fake.events]
    rows = await notifier.rows("SELECT duplicate_possible FROM delivery")
    assert [row["duplicate_possible"] for row in rows] == [False, False]
    attempts = await notifier.rows("SELECT DISTINCT rendered FROM attempt")
    assert len(attempts) == 2


async def test_more_than_any_bot_takes_in_a_minute_goes_event_by_event(notifier: Notifier) -> None:
    async with receiving(notifier) as fake:
        await notifier.tell(*(stock_alert(number) for number in range(1, 101)))
        async with notifier.sending():
            await notifier.until_settled()
    assert {event.type for event in fake.events} == {"stock.alert.opened"}
    assert len(fake.events) == 100


async def test_a_program_that_was_away_misses_nothing_that_people_are_spared(
    notifier: Notifier,
) -> None:
    """What somebody ordered for an alert that the budget held back, say, and in a silence."""
    ordered = {"id": UUID(int=1), "kind": "buy", "state": "ordered", "quantity": 50}
    steps: list[dict[str, object]] = [
        {"event": "opened", "hush": {"by": "budget"}},
        {"event": "acted", "action": ordered, "hush": {"by": "silence"}},
        {"event": "assigned", "owner": "lin"},
        {"event": "resolved"},
    ]
    async with receiving(notifier) as fake:
        for revision, step in enumerate(steps, 1):
            await notifier.tell(stock_alert(7, revision=revision, **step))
            await notifier.until_states(*["waiting"] * revision)
        async with notifier.sending():
            await notifier.until_states(*["sent"] * len(steps))
    assert [each.type for each in fake.events] == [f"stock.alert.{each['event']}" for each in steps]
    assert fake.events[1].data["action"]["quantity"] == 50


async def _pass_hours(notifier: Notifier, clock: ManualClock, begin: int, hours: int) -> None:
    """Let time pass, with another alert every five minutes, until nothing of alert 7 waits."""
    finished = "SELECT FROM attempt WHERE finished_at IS NOT NULL"
    for number in range(begin, begin + 12 * hours):
        before = len(await notifier.rows(finished))
        clock.advance(timedelta(minutes=5))
        await notifier.tell(stock_alert(number))

        async def tried(before: int = before) -> bool:
            some = len(await notifier.rows(finished)) > before
            return some and "sending" not in await notifier.states()

        await until(tried)
        if (await notifier.states(alert_number=7))[-1] == "sent":
            return


async def test_one_revision_that_a_program_fails_at_does_not_hold_up_the_later_ones(
    notifier: Notifier,
) -> None:
    clock = ManualClock(WallClock().now())
    async with receiving(notifier, clock) as fake, notifier.sending(clock=clock):
        fake.chokes_on = lambda data: data["number"] == 7 and data["revision"] == 1
        await notifier.tell(stock_alert(7))
        await notifier.until_states("failed")
        await notifier.tell(stock_alert(7, revision=2, event="resolved"))
        await _pass_hours(notifier, clock, 100, hours=3)
        assert await notifier.states(alert_number=7) == ["failed", "sent"]
    types = [event.type for event in fake.events if event.data["number"] == 7]
    assert types == ["stock.alert.resolved"]


async def test_a_program_that_was_away_for_hours_is_told_in_order(notifier: Notifier) -> None:
    clock = ManualClock(WallClock().now())
    async with receiving(notifier, clock) as fake, notifier.sending(clock=clock):
        fake.chokes_on = lambda _: True
        await notifier.tell(stock_alert(7))
        await notifier.until_states("failed")
        await notifier.tell(stock_alert(7, revision=2, event="resolved"))
        await _pass_hours(notifier, clock, 100, hours=2)
        assert await notifier.states(alert_number=7) == ["failed", "waiting"]
        fake.chokes_on = lambda _: False
        await _pass_hours(notifier, clock, 200, hours=3)
    types = [event.type for event in fake.events if event.data["number"] == 7]
    assert types == ["stock.alert.opened", "stock.alert.resolved"]


async def test_a_program_that_was_disabled_is_told_all_that_it_has_missed(
    notifier: Notifier,
) -> None:
    events = ("opened", "acted", "acknowledged", "resolved")
    async with receiving(notifier) as fake, notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        shown = (await notifier.ask("GET", "/v1/destinations/program"))["webhook"]
        assert isinstance(shown, dict)
        part: Row = {"url": shown["url"], "secret": SECRET}
        await notifier.put("program", "webhook", part, enabled=False)
        for revision, event in enumerate(events[1:], 2):
            await notifier.tell(stock_alert(7, revision=revision, event=event))
        await notifier.until_states("sent", *["waiting"] * 3)
        await notifier.put("program", "webhook", part, enabled=True)
        await notifier.until_states(*["sent"] * 4)
    assert [each.type for each in fake.events] == [f"stock.alert.{each}" for each in events]


async def test_an_endpoint_that_is_gone_is_disabled_and_another_destination_is_told(
    notifier: Notifier,
) -> None:
    await notifier.bot()
    route = {"destination": "buyers", "match": {"rules": ["none"]}}
    await notifier.ask("PUT", "/v1/routes/r", route)
    async with receiving(notifier) as fake, notifier.sending():
        fake.order(Fault.ERRCODE, errcode=410)
        await notifier.tell(stock_alert(1), stock_alert(2))
        await notifier.until_states("sent", kind="meta")
        assert await notifier.states(destination="program") == ["dead", "waiting"]
        shown = await notifier.ask("GET", "/v1/destinations/program")
        assert shown["enabled"] is False
        audit = await notifier.client.get("/v1/audit", params={"what": "destination.disabled"})
        (entry,) = audit.json()["items"]
        assert (entry["actor"], entry["target"]) == ("notifier", "program")
        assert (entry["before"], entry["after"]) == ({"enabled": True}, {"enabled": False})
        (note,) = notifier.wecom.of(KEY)
        assert "410" in note.content
        await notifier.put("program", "webhook", {"url": fake_url(shown)})
        await notifier.until_states("dead", "sent", destination="program")
    assert [event.data["number"] for event in fake.events] == [2]


def fake_url(shown: dict[str, object]) -> object:
    part = shown["webhook"]
    assert isinstance(part, dict)
    return part["url"]


async def test_what_was_changed_meanwhile_is_not_disabled(notifier: Notifier) -> None:
    async with receiving(notifier):
        await notifier.put(
            "program", "webhook", {"url": "http://127.0.0.1:9/new", "secret": SECRET}
        )
        for version, enabled in ((1, True), (2, False)):
            async with notifier.engine.begin() as connection:
                await configuration.disable(connection, "program", version, notifier.clock.now())
            shown = await notifier.ask("GET", "/v1/destinations/program")
            assert shown["enabled"] is enabled


@pytest.mark.parametrize("status", [429, 503])
async def test_who_asks_for_a_wait_is_left_alone_for_that_long(
    notifier: Notifier, status: int
) -> None:
    clock = ManualClock(WallClock().now())
    async with receiving(notifier, clock) as fake, notifier.sending(clock=clock):
        fake.order(Fault.ERRCODE, errcode=status)
        fake.retry_after = 90
        await notifier.tell(stock_alert(1))
        await notifier.until_states("failed")
        (lease,) = await notifier.rows("SELECT paused_until FROM lease")
        assert lease["paused_until"] == clock.now() + timedelta(seconds=90)
        await notifier.tell(stock_alert(2))
        clock.advance(timedelta(seconds=90))
        await notifier.tell(stock_alert(3))
        await notifier.until_settled()
    assert fake.rejected == {status: 1}
    assert sorted(event.data["number"] for event in fake.events) == [1, 2, 3]


async def test_a_refusal_is_dead_at_once(notifier: Notifier) -> None:
    async with receiving(notifier) as fake, notifier.sending():
        fake.order(Fault.ERRCODE, errcode=404)
        await notifier.tell(stock_alert(1))
        await notifier.until_states("dead")
    (row,) = await notifier.rows("SELECT reason FROM delivery")
    assert row["reason"] == "refused: HTTP 404"


async def test_a_destination_that_became_a_webhook_gets_what_waited_as_events(
    notifier: Notifier,
) -> None:
    """What was written for the bot is of no use to a program."""
    clock = ManualClock(WallClock().now())
    fake = FakeReceiver(SECRET, clock=clock)
    notifier.wecom.order(Fault.STATUS_500)
    await notifier.bot("program")
    async with fake.serving() as url, notifier.sending(clock=clock):
        await notifier.tell(stock_alert(1))
        await notifier.until_states("failed")
        await notifier.put("program", "webhook", {"url": url + webhook.PATH, "secret": SECRET})
        clock.advance(timedelta(seconds=5))
        await notifier.tell(stock_alert(2))
        await notifier.until_states("sent", "sent")
        (first, _) = await notifier.rows("SELECT id FROM delivery ORDER BY id")
        shown = (await notifier.client.get(f"/v1/deliveries/{first['id']}")).json()
    assert sorted(event.data["number"] for event in fake.events) == [1, 2]
    texts = [attempt["rendered"] for attempt in shown["attempts"]]
    assert "断货" in texts[0]
    assert texts[1].startswith('{"type":"stock.alert.opened"')


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"url": "https://x.example/h"}, "webhook.secret"),
        ({"url": "https://x.example/h", "secret": "tide"}, "webhook.secret"),
        ({"url": "https://x.example/h", "secret": "whsec_c2hvcnQ="}, "webhook.secret"),
        ({"url": "https://x.example/h", "secret": "whsec_%%%"}, "webhook.secret"),
        ({"url": "https://x.example/h", "secret": f"x{SECRET}"}, "webhook.secret"),
        ({"url": "x.example/h", "secret": SECRET}, "webhook.url"),
        ({"url": "ftp://x.example/h", "secret": SECRET}, "webhook.url"),
        ({"url": "https://user:pass@x.example/h", "secret": SECRET}, "webhook.url"),
        ({"url": "https://x.example/h#here", "secret": SECRET}, "webhook.url"),
    ],
)
async def test_an_endpoint_that_makes_no_sense_is_refused_with_the_field(
    notifier: Notifier, part: dict[str, object], field: str
) -> None:
    body = {"kind": "webhook", "name": "x", "language": "en", "webhook": part}
    answer = await notifier.client.put("/v1/destinations/x", json=body)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert SECRET not in answer.text
