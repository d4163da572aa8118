"""Buttons in Slack: pressed, noted, and shown by the messages that have them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from shared.clock import Clock, ManualClock, WallClock
from shared.events.alert_responses import AlertResponse
from shared.testing import slack
from shared.testing.slack import FakeSlack
from shared.testing.vendor import Fault
from tests.factories.stock_alerts import stock_alert
from tests.integration.notifier.service import Notifier, Row

pytestmark = pytest.mark.stack

TOKEN = "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy"
CHANNEL, OTHER = "C024BE91L", "C024BE92M"
LIN = "U024BE7LH"


@asynccontextmanager
async def installed(notifier: Notifier, clock: Clock | None = None) -> AsyncIterator[FakeSlack]:
    """Serve a workspace and put a channel of it whose buttons come back."""
    fake = FakeSlack(TOKEN, {CHANNEL, OTHER}, members={LIN}, clock=clock)
    async with fake.serving() as url:
        await put(notifier, fake, url)
        yield fake


async def put(
    notifier: Notifier, fake: FakeSlack, url: str, channel: str = CHANNEL, id_: str = "channel"
) -> None:
    part: Row = {"token": TOKEN, "channel": channel, "url": url}
    await notifier.put(id_, "slack", part | {"signing_secret": fake.signing_secret})


async def test_a_press_is_noted_once_however_often_it_is_told(notifier: Notifier) -> None:
    async with installed(notifier) as fake, notifier.sending(), notifier.answering() as url:
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        callback = f"{url}/callbacks/slack/channel"
        told = await fake.press(callback, LIN, "false_alarm", "reason:data_wrong")
        assert told.statuses == [200, 200, 200]
        (row,) = await notifier.rows("SELECT value FROM response_outbox")
        response = AlertResponse.model_validate_json(row["value"])
        assert response.alert_id == stock_alert(7).alert_id
        assert (response.kind, response.reason, response.via, response.who) == (
            "false_alarm",
            "data_wrong",
            "slack",
            LIN,
        )
        assert len(await notifier.rows("SELECT id FROM response")) == 1


async def test_callbacks_that_are_none_are_refused(
    notifier: Notifier, capsys: pytest.CaptureFixture[str]
) -> None:
    async with installed(notifier) as fake, notifier.sending(), notifier.answering() as url:
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        await notifier.put("plain", "slack", {"token": "xoxb-2", "channel": OTHER, "url": url})
        body = fake.payload(LIN, fake.posted[0], "acknowledge")
        good = fake.signed(body)
        ago = fake.signed(body, WallClock().now() - timedelta(minutes=6))
        ahead = fake.signed(body, WallClock().now() + timedelta(minutes=6))
        callback = f"{url}/callbacks/slack/channel"
        async with httpx.AsyncClient(trust_env=False) as client:

            async def status(path: str, headers: dict[str, str], content: bytes = body) -> int:
                return (await client.post(path, headers=headers, content=content)).status_code

            altered = body.replace(LIN.encode(), b"U0STRANGER")
            assert await status(callback, good, altered) == 401
            assert await status(callback, ago) == 401
            assert await status(callback, ahead) == 401
            assert await status(callback, good | {"X-Slack-Signature": "v0=" + "0" * 64}) == 401
            assert await status(callback, {}) == 401
            nonsense = b"payload=x"
            assert await status(callback, fake.signed(nonsense), nonsense) == 401
            assert await status(callback, good, b"x" * 600_000) == 413
            for elsewhere in ("plain", "nobody"):
                assert await status(f"{url}/callbacks/slack/{elsewhere}", good) == 404
            assert await notifier.rows("SELECT id FROM response") == []
            assert await status(callback, good) == 200
        assert len(await notifier.rows("SELECT id FROM response")) == 1
    output = capsys.readouterr()
    assert "callback refused" in output.out + output.err
    assert fake.signing_secret[:11] not in output.out + output.err


async def test_an_apps_one_url_takes_presses_in_all_of_its_channels(notifier: Notifier) -> None:
    another = FakeSlack("xoxb-2", {CHANNEL}, signing_secret="another-apps-signing-secret-0123")
    fake = FakeSlack(TOKEN, {CHANNEL, OTHER})
    async with (
        fake.serving() as vendor,
        another.serving() as elsewhere,
        notifier.sending(),
        notifier.answering() as url,
    ):
        callback = f"{url}/callbacks/slack/channel"
        await put(notifier, fake, vendor)
        await put(notifier, fake, vendor, OTHER, "other")
        part: Row = {"token": "xoxb-2", "channel": CHANNEL, "url": elsewhere}
        part |= {"signing_secret": another.signing_secret}
        await notifier.put("theirs", "slack", part)
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent", "sent", "sent")
        (there,) = [each for each in fake.posted if each.channel == OTHER]
        assert (await fake.press(callback, LIN, "acknowledge", shown=there)).statuses == [200] * 3
        # Signed by this app, about a message of another one: as if it were none of ours.
        (theirs,) = another.posted
        assert (await fake.press(callback, LIN, "acknowledge", shown=theirs)).statuses == [200] * 3
    rows = await notifier.rows("SELECT destination FROM response")
    assert [row["destination"] for row in rows] == ["other"]


async def test_the_first_message_says_who_did_what_and_loses_the_buttons(
    notifier: Notifier,
) -> None:
    clock = ManualClock(WallClock().now())
    async with installed(notifier, clock) as fake, notifier.sending(clock=clock):
        seen = []
        for revision, fields in enumerate(
            (
                {"event": "opened"},
                {"event": "acknowledged", "actor": "林", "acknowledged_by": "林"},
                {"event": "resolved", "acknowledged_by": "林"},
            ),
            1,
        ):
            await notifier.tell(stock_alert(7, revision=revision, **fields))
            await notifier.until_states(*["sent"] * revision)
            seen.append((fake.posted[0].changes, fake.posted[0].actions))
            clock.advance(timedelta(seconds=2))
        first, *replies = fake.posted
    assert seen == [
        (0, ["acknowledge", "false_alarm", "ordered", "snooze"]),
        (1, ["false_alarm", "ordered", "snooze"]),
        (2, []),
    ]
    assert "已恢复" in first.shown
    assert "接单人" in first.shown
    assert [(each.thread, each.changes, each.actions) for each in replies] == [
        (first.ts, 0, []),
        (first.ts, 0, []),
    ]
    assert fake.rejected == {}


async def test_what_asks_again_has_buttons_and_loses_them_too(notifier: Notifier) -> None:
    clock = ManualClock(WallClock().now())
    async with installed(notifier, clock) as fake, notifier.sending(clock=clock):
        for revision, event in enumerate(("opened", "reminded", "escalated", "acknowledged"), 1):
            await notifier.tell(stock_alert(7, revision=revision, event=event))
            await notifier.until_states(*["sent"] * revision)
            clock.advance(timedelta(seconds=2))
    assert [each.changes for each in fake.posted] == [1, 0, 1, 0]


@pytest.mark.parametrize("fault", [Fault.STATUS_500, Fault.LOSE_ANSWER, Fault.DROP])
async def test_a_change_that_fails_or_whose_answer_is_lost_is_made_again_before_the_reply(
    notifier: Notifier, fault: Fault
) -> None:
    async with installed(notifier) as fake, notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        fake.order(fault, key=slack.CHANGE)
        await notifier.tell(stock_alert(7, revision=2, event="acknowledged", actor="lin"))
        await notifier.until_states("sent", "sent")
    first, reply = fake.posted
    assert first.changes == (2 if fault is Fault.LOSE_ANSWER else 1)
    assert (reply.thread, "可能重复" in reply.text) == (first.ts, False)


async def test_a_reply_that_may_be_there_is_not_posted_again_but_the_change_is_made(
    notifier: Notifier,
) -> None:
    async with installed(notifier) as fake, notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        fake.order(Fault.LOSE_ANSWER, key=slack.PATH)
        await notifier.tell(stock_alert(7, revision=2, event="acknowledged", actor="lin"))
        await notifier.until_states("sent", "sent")
    assert [each.changes for each in fake.posted] == [2, 0]


async def test_a_change_that_a_crash_cut_off_is_made_by_the_next_sender(
    notifier: Notifier,
) -> None:
    async with installed(notifier) as fake:
        async with notifier.sending():
            await notifier.tell(stock_alert(7))
            await notifier.until_states("sent")
        done = {"event": "acknowledged", "actor": "lin", "acknowledged_by": "lin"}
        await notifier.tell(stock_alert(7, revision=2, **done))
        await notifier.rows(
            "UPDATE delivery SET state = 'sending', attempts = 1 WHERE event = 'acknowledged'"
        )
        async with notifier.sending("another"):
            await notifier.until_states("sent", "sent")
    (first,) = fake.posted
    assert (first.changes, "acknowledge" in first.actions) == (1, False)


async def test_a_message_that_is_gone_changes_no_more_and_the_reply_says_it(
    notifier: Notifier,
) -> None:
    async with installed(notifier) as fake, notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        fake.order(Fault.ERRCODE, key=slack.CHANGE, errcode="message_not_found")
        await notifier.tell(stock_alert(7, revision=2, event="acknowledged", actor="lin"))
        await notifier.until_states("sent", "sent")
        rows = await notifier.rows("SELECT detail FROM attempt ORDER BY started_at")
    assert [row["detail"] for row in rows] == ["ok", "ok; not changed: message_not_found"]
    assert len(fake.posted) == 2


async def test_too_many_changes_wait_as_long_as_slack_says_and_what_is_new_does_not(
    notifier: Notifier,
) -> None:
    clock = ManualClock(WallClock().now())
    async with installed(notifier, clock) as fake, notifier.sending(clock=clock):
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        clock.advance(timedelta(seconds=2))
        fake.retry_after = 45
        fake.order(Fault.ERRCODE, key=slack.CHANGE, errcode=slack.RATE_LIMITED)
        await notifier.tell(stock_alert(7, revision=2, event="acknowledged", actor="lin"))
        await notifier.until_states("sent", "failed")
        (waits,) = await notifier.rows("SELECT next_at FROM delivery WHERE state = 'failed'")
        assert waits["next_at"] == clock.now() + timedelta(seconds=45)
        clock.advance(timedelta(seconds=2))
        await notifier.tell(stock_alert(8))
        await notifier.until_states("sent", "failed", "sent")
        assert [each.changes for each in fake.posted] == [0, 0]
        clock.advance(timedelta(seconds=45))
        await notifier.rows("SELECT pg_notify('notifier_waiting', '*')")
        await notifier.until_states("sent", "sent", "sent")
    assert [each.changes for each in fake.posted] == [1, 0, 0]


async def test_a_refusal_is_shown_to_whoever_pressed_and_to_nobody_else(
    notifier: Notifier,
) -> None:
    await notifier.bot("group")
    async with installed(notifier) as fake, notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent", "sent")
        stranger: Row = {"name": "x", "language": "zh-CN"}
        for revision, user in ((2, LIN), (3, "U0ABSENT")):
            to = [stranger | {"slack_user_id": user}]
            fields = {"event": "refused", "revision": revision, "to": to, "note": "没有生效"}
            await notifier.tell(stock_alert(7, **fields))
        await notifier.until_settled()
        found = await notifier.rows(
            """SELECT d.state, a.code FROM delivery AS d JOIN attempt AS a ON a.delivery = d.id
               WHERE d.event = 'refused' ORDER BY d.revision"""
        )
    assert [(each.user, "没有生效" in each.text) for each in fake.alone] == [(LIN, True)]
    assert [tuple(row) for row in found] == [("sent", "ok"), ("sent", "user_not_in_channel")]
    assert [each.changes for each in fake.posted] == [0]
    reasons = await notifier.rows("SELECT reason FROM delivery WHERE state = 'suppressed'")
    assert [row["reason"] for row in reasons] == ["for_one_person"] * 2


async def test_a_refusal_does_not_wait_for_what_is_told_by_the_hour(notifier: Notifier) -> None:
    async with installed(notifier) as fake, notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        shown = (await notifier.ask("GET", "/v1/destinations/channel"))["slack"]
        assert isinstance(shown, dict)
        part: Row = {"channel": CHANNEL, "url": shown["url"]}
        await notifier.put("channel", "slack", part, digest={"every": "hourly"})
        await notifier.tell(stock_alert(7, revision=2, event="acknowledged", actor="lin"))
        to: list[Row] = [{"name": "x", "language": "zh-CN", "slack_user_id": LIN}]
        refusal = {"event": "refused", "to": to, "note": "没有生效"}
        await notifier.tell(stock_alert(7, revision=3, **refusal))
        await notifier.until_states("sent", "waiting", "sent")
    assert [(each.user, "没有生效" in each.text) for each in fake.alone] == [(LIN, True)]


async def test_the_signing_secret_stays_until_it_is_taken_away(notifier: Notifier) -> None:
    async with installed(notifier) as fake, notifier.sending():
        found = await notifier.ask("GET", "/v1/destinations/channel")
        shown = found["slack"]
        assert isinstance(shown, dict)
        assert shown["signing_secret"] == f"****{fake.signing_secret[-4:]}"
        part: Row = {"channel": CHANNEL, "url": shown["url"]}
        await notifier.put("channel", "slack", part)
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        answer = await notifier.put("channel", "slack", part | {"signing_secret": None})
        assert "signing_secret" not in str(answer["slack"])
        await notifier.tell(stock_alert(7, revision=2, event="acknowledged"), stock_alert(8))
        await notifier.until_settled()
    first, *others = fake.posted
    assert (first.changes, first.actions) == (1, [])
    assert [each.actions for each in others] == [[], []]
