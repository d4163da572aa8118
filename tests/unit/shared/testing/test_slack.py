import json
from datetime import UTC, datetime, timedelta

import pytest

from shared.clock import ManualClock
from shared.testing import slack
from shared.testing.slack import FakeSlack
from shared.testing.unruly_http import Misconduct, Reply, Request
from shared.testing.vendor import Fault

TOKEN, CHANNEL, OTHER = "xoxb-1-2-x", "C024BE91L", "C024BE92M"
NOW = datetime.fromtimestamp(1_772_352_000, UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def fake(clock: ManualClock) -> FakeSlack:
    return FakeSlack(TOKEN, {CHANNEL, OTHER}, clock=clock)


def request(raw: bytes | None = None, token: str = TOKEN, **body: object) -> Request:
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    whole = {"channel": CHANNEL, "text": "*Out of stock*"} | body
    return Request("POST", slack.PATH, {}, raw or json.dumps(whole).encode(), headers)


def post(fake: FakeSlack, asked: Request) -> dict[str, object]:
    answer = fake.answer(asked)
    assert isinstance(answer, Reply)
    assert answer.status == 200
    found: dict[str, object] = json.loads(answer.body)
    return found


def error(fake: FakeSlack, asked: Request) -> object:
    said = post(fake, asked)
    assert said["ok"] is False
    assert fake.posted == []
    return said["error"]


def test_a_message_is_kept_and_named_by_its_ts(fake: FakeSlack) -> None:
    assert post(fake, request())["ts"] == "1772352000.000001"
    (kept,) = fake.posted
    assert (kept.ts, kept.at, kept.channel, kept.text) == (
        "1772352000.000001",
        NOW,
        CHANNEL,
        "*Out of stock*",
    )
    assert (kept.thread, kept.in_channel) == (None, True)


@pytest.mark.parametrize(("broadcast", "in_channel"), [(True, True), (False, False), (None, False)])
def test_a_reply_hangs_in_its_thread_and_shows_in_the_channel_if_asked(
    fake: FakeSlack, clock: ManualClock, broadcast: bool | None, in_channel: bool
) -> None:
    first = post(fake, request())["ts"]
    clock.advance(SECOND)
    post(fake, request(thread_ts=first, reply_broadcast=broadcast))
    assert (fake.posted[1].thread, fake.posted[1].in_channel) == (first, in_channel)


def test_a_reply_to_what_is_not_there_lands_in_the_channel(
    fake: FakeSlack, clock: ManualClock
) -> None:
    first = post(fake, request())["ts"]
    clock.advance(SECOND)
    post(fake, request(channel=OTHER, thread_ts=first))
    assert (fake.posted[1].thread, fake.posted[1].in_channel) == (None, True)


def test_a_second_message_within_a_second_is_too_many_for_the_channel(
    fake: FakeSlack, clock: ManualClock
) -> None:
    post(fake, request())
    post(fake, request(channel=OTHER))
    answer = fake.answer(request())
    assert isinstance(answer, Reply)
    assert (answer.status, answer.headers) == (429, {"Retry-After": "1"})
    assert fake.rejected == {"ratelimited": 1}
    clock.advance(SECOND)
    assert post(fake, request())["ok"] is True


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        (request(token="xoxb-another"), "invalid_auth"),
        (
            Request("POST", slack.PATH, {}, b"{}", {"content-type": "application/json"}),
            "not_authed",
        ),
        (
            Request("POST", slack.PATH, {}, b"a=b", {"authorization": f"Bearer {TOKEN}"}),
            "invalid_form_data",
        ),
        (request(b"not json"), "invalid_json"),
        (request(b"\xff"), "invalid_json"),
        (request(b"[]"), "json_not_object"),
        (request(channel="C0000000000"), "channel_not_found"),
        (request(channel=None), "channel_not_found"),
        (request(text=""), "no_text"),
        (request(text=7), "no_text"),
        (request(text="x" * 40_001), "msg_too_long"),
        (request(thread_ts=1772352000.000001), "invalid_thread_ts"),
        (request(thread_ts="0"), "invalid_thread_ts"),
    ],
)
def test_what_the_vendor_refuses_is_refused_with_its_word(
    fake: FakeSlack, asked: Request, word: str
) -> None:
    assert error(fake, asked) == word


def test_it_remembers_which_members_a_message_rings(clock: ManualClock) -> None:
    fake = FakeSlack(TOKEN, {CHANNEL}, members={"U012AB3CD", "W1"}, clock=clock)
    assert post(fake, request(text="<@U012AB3CD> <@W1|Wang> <@U9> &lt;@W1&gt; <@u1>"))["ok"]
    clock.advance(SECOND)
    assert post(fake, request(text="<!channel> <!here|all>"))["ok"]
    assert [kept.rung for kept in fake.posted] == [("U012AB3CD", "W1"), ("!channel", "!here")]


def test_it_refuses_as_ordered(fake: FakeSlack) -> None:
    fake.order(Fault.ERRCODE, errcode="fatal_error")
    assert error(fake, request()) == "fatal_error"


def test_a_lost_answer_leaves_the_message_in_the_channel(fake: FakeSlack) -> None:
    fake.order(Fault.LOSE_ANSWER)
    assert fake.answer(request()) is Misconduct.DROP
    assert [kept.answer_lost for kept in fake.posted] == [True]


def test_other_paths_and_methods_are_not_there(fake: FakeSlack) -> None:
    for asked, status in (
        (Request("POST", "/elsewhere", {}, b""), 404),
        (Request("GET", slack.PATH, {}, b""), 405),
    ):
        answer = fake.answer(asked)
        assert isinstance(answer, Reply)
        assert answer.status == status
