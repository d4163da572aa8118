"""What arrives in Slack channels, over real HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from shared.clock import Clock, ManualClock, WallClock
from shared.testing import slack
from shared.testing.slack import FakeSlack
from shared.testing.vendor import Fault
from tests.factories.stock_alerts import stock_alert
from tests.integration.notifier.service import Notifier

pytestmark = pytest.mark.stack

TOKEN = "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy"
CHANNEL, OTHER = "C024BE91L", "C024BE92M"


async def put(notifier: Notifier, url: str, channel: str = CHANNEL) -> None:
    await notifier.put("channel", "slack", {"token": TOKEN, "channel": channel, "url": url})


@asynccontextmanager
async def posting(notifier: Notifier, clock: Clock | None = None) -> AsyncIterator[FakeSlack]:
    """Serve a workspace and put a channel of it."""
    fake = FakeSlack(TOKEN, {CHANNEL, OTHER}, clock=clock)
    async with fake.serving() as url:
        await put(notifier, url)
        yield fake


async def test_an_episode_is_one_thread_and_the_channel_sees_what_matters(
    notifier: Notifier,
) -> None:
    clock = ManualClock(WallClock().now())
    async with posting(notifier, clock) as fake, notifier.sending(clock=clock):
        for revision, event in enumerate(
            ("opened", "level_changed", "acknowledged", "resolved"), 1
        ):
            await notifier.tell(
                stock_alert(7, revision=revision, event=event, previous_level="urgent")
            )
            await notifier.until_states(*["sent"] * revision)
            clock.advance(timedelta(seconds=2))
    first, *replies = fake.posted
    assert [each.thread for each in fake.posted] == [None, *[first.ts] * 3]
    assert [each.in_channel for each in replies] == [True, False, True]
    assert fake.rejected == {}


async def test_another_channel_has_no_such_thread(notifier: Notifier) -> None:
    clock = ManualClock(WallClock().now())
    fake = FakeSlack(TOKEN, {CHANNEL, OTHER}, clock=clock)
    async with fake.serving() as url, notifier.sending(clock=clock):
        await put(notifier, url)
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        await put(notifier, url, OTHER)
        await notifier.tell(stock_alert(7, revision=2, event="resolved"))
        await notifier.until_states("sent", "sent")
        (attempt,) = await notifier.rows("SELECT rendered FROM attempt WHERE receipt LIKE '%2'")
    assert [each.channel for each in fake.posted] == [CHANNEL, OTHER]
    assert b"thread_ts" not in attempt["rendered"]


async def test_what_one_channel_refused_is_written_anew_for_the_one_that_is_put_instead(
    notifier: Notifier,
) -> None:
    fake = FakeSlack(TOKEN, {CHANNEL})
    async with fake.serving() as url, notifier.sending():
        await put(notifier, url, OTHER)
        await notifier.tell(stock_alert(7))
        await notifier.until_states("dead")
        await put(notifier, url)
        (row,) = await notifier.rows("SELECT id FROM delivery")
        await notifier.ask("POST", f"/v1/deliveries/{row['id']}/retry")
        await notifier.until_states("sent")
    assert [each.channel for each in fake.posted] == [CHANNEL]


async def test_too_many_wait_as_long_as_slack_says(notifier: Notifier) -> None:
    clock = ManualClock(WallClock().now())
    async with posting(notifier, clock) as fake, notifier.sending(clock=clock):
        fake.retry_after = 45
        fake.order(Fault.ERRCODE, errcode=slack.RATE_LIMITED)
        await notifier.tell(stock_alert(1))
        await notifier.until_states("failed")
        (lease,) = await notifier.rows("SELECT paused_until FROM lease")
        assert lease["paused_until"] == clock.now() + timedelta(seconds=45)
        clock.advance(timedelta(seconds=45))
        await notifier.tell(stock_alert(1, revision=2, event="resolved"))
        await notifier.until_states("sent", "waiting")
        clock.advance(timedelta(seconds=2))
        await notifier.until_states("sent", "sent")


async def test_an_error_that_leaves_it_open_repeats_a_first_notice_marked(
    notifier: Notifier,
) -> None:
    async with posting(notifier) as fake, notifier.sending():
        fake.order(Fault.ERRCODE, errcode="fatal_error")
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
    (posted,) = fake.posted
    assert "可能重复" in posted.text


async def test_a_wrong_token_is_dead_at_once(notifier: Notifier) -> None:
    fake = FakeSlack("xoxb-another", {CHANNEL})
    async with fake.serving() as url, notifier.sending():
        await put(notifier, url)
        await notifier.tell(stock_alert(7))
        await notifier.until_states("dead")
    (row,) = await notifier.rows("SELECT reason FROM delivery")
    assert row["reason"] == "refused: invalid_auth"


@pytest.mark.parametrize(
    "channel", ["#stock", "stock", "C1", "https://slack.com/archives/C024BE91L"]
)
async def test_a_channel_is_named_by_its_id(notifier: Notifier, channel: str) -> None:
    body = {
        "kind": "slack",
        "name": "x",
        "language": "en",
        "slack": {"token": TOKEN, "channel": channel},
    }
    answer = await notifier.client.put("/v1/destinations/x", json=body)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == ["slack.channel"]
    assert TOKEN not in answer.text
