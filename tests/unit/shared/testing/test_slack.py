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
    assert [kept.rung for kept in fake.posted] == [["U012AB3CD", "W1"], ["!channel", "!here"]]


BUTTON = {
    "type": "button",
    "action_id": "acknowledge",
    "text": {"type": "plain_text", "text": "Acknowledge"},
    "value": "acknowledge",
}
MENU = {
    "type": "static_select",
    "action_id": "snooze",
    "placeholder": {"type": "plain_text", "text": "Snooze"},
    "options": [{"text": {"type": "plain_text", "text": "4 hours"}, "value": "minutes:240"}],
}


def section(text: object = "x") -> dict[str, object]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def actions(*elements: object, block_id: str = "lowtide-1") -> dict[str, object]:
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


BLOCKS = [section(), actions(BUTTON, MENU)]


def plain(text: str) -> dict[str, object]:
    return {"type": "plain_text", "text": text}


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        {},
        [section()] * 51,
        [section("x" * 3_001)],
        [section("")],
        [section(None)],
        [{"type": "section", "text": plain("x") | {"verbatim": True}}],
        [{"type": "context", "elements": []}],
        [{"type": "context", "elements": [plain("x")] * 11}],
        [{"type": "dialog"}],
        [actions()],
        [actions(*(BUTTON | {"action_id": f"a{number}"} for number in range(26)))],
        [actions(BUTTON, BUTTON)],
        [actions(BUTTON), actions(MENU)],
        [actions(BUTTON, block_id="x" * 256)],
        [actions(BUTTON | {"action_id": "x" * 256})],
        [actions(BUTTON | {"value": "x" * 2_001})],
        [actions(BUTTON | {"text": plain("x" * 76)})],
        [actions(BUTTON | {"text": {"type": "mrkdwn", "text": "x"}})],
        [actions(BUTTON | {"style": "default"})],
        [actions(MENU | {"placeholder": plain("x" * 151)})],
        [actions(MENU | {"options": []})],
        [actions(MENU | {"options": [{"text": plain("x" * 76), "value": "x"}]})],
        [actions(MENU | {"options": [{"text": plain("x"), "value": "x" * 151}]})],
        [actions({"type": "plain_text_input", "action_id": "x"})],
    ],
)
def test_blocks_beyond_the_vendors_limits_are_refused(fake: FakeSlack, blocks: object) -> None:
    assert error(fake, request(blocks=blocks)) == "invalid_blocks"


def asking(path: str, **body: object) -> Request:
    whole = {"channel": CHANNEL, "text": "*Out of stock*"} | body
    return Request("POST", path, {}, json.dumps(whole).encode(), request().headers)


def test_a_message_changes_in_place_as_often_as_it_is_told_to(fake: FakeSlack) -> None:
    ts = post(fake, request(blocks=BLOCKS))["ts"]
    (message,) = fake.posted
    assert message.actions == ["acknowledge", "snooze"]
    for _ in range(2):
        said = post(fake, asking(slack.CHANGE, ts=ts, text="taken on", blocks=[section("y")]))
        assert (said["ok"], said["ts"]) == (True, ts)
    assert (message.text, message.actions, message.changes) == ("taken on", [], 2)


def test_only_ones_own_messages_change(fake: FakeSlack, clock: ManualClock) -> None:
    others = fake.say(CHANNEL, "hello")
    ts = post(fake, request())["ts"]
    for channel, wanted, word in (
        (CHANNEL, "1772352000.000009", "message_not_found"),
        (OTHER, ts, "message_not_found"),
        (CHANNEL, others.ts, "cant_update_message"),
    ):
        said = post(fake, asking(slack.CHANGE, channel=channel, ts=wanted))
        assert said["error"] == word
    assert [each.changes for each in fake.posted] == [0, 0]


def test_the_fiftieth_change_of_a_minute_is_the_last(fake: FakeSlack, clock: ManualClock) -> None:
    ts = post(fake, request())["ts"]
    for _ in range(50):
        assert post(fake, asking(slack.CHANGE, ts=ts))["ok"] is True
    answer = fake.answer(asking(slack.CHANGE, ts=ts))
    assert isinstance(answer, Reply)
    assert answer.status == 429
    clock.advance(timedelta(minutes=1))
    assert post(fake, asking(slack.CHANGE, ts=ts))["ok"] is True


def test_somebody_alone_is_shown_something_where_they_are(clock: ManualClock) -> None:
    fake = FakeSlack(TOKEN, {CHANNEL}, members={"U024BE7LH"}, clock=clock)
    assert post(fake, asking(slack.ALONE, user="U024BE7LH", text="no"))["ok"] is True
    for user in ("U0STRANGER", None):
        said = post(fake, asking(slack.ALONE, user=user, text="no"))
        assert said["error"] == "user_not_in_channel"
    assert fake.alone == [slack.Alone(CHANNEL, "U024BE7LH", "no")]
    assert fake.posted == []


@pytest.mark.parametrize(
    ("action", "option"),
    [("ordered", None), ("snooze", None), ("snooze", "minutes:1"), ("acknowledge", "minutes:240")],
)
def test_nobody_presses_what_they_do_not_see(
    fake: FakeSlack, action: str, option: str | None
) -> None:
    post(fake, request(blocks=BLOCKS))
    with pytest.raises(ValueError, match=r"sees no|nothing is chosen"):
        fake.payload("U024BE7LH", fake.posted[0], action, option)


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
