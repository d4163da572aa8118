import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from shared.clock import ManualClock
from shared.testing.unruly_http import Reply, Request, serving
from shared.testing.wecom_app import CHANGE, GET_TOKEN, SEND, FakeWecomApp

NOW = datetime.fromtimestamp(1_772_352_000, UTC)
CARD: dict[str, object] = {
    "card_type": "button_interaction",
    "main_title": {"title": "断货"},
    "button_list": [{"text": "接单", "key": "acknowledge"}],
    "task_id": "t-1",
}
NOTICE: dict[str, object] = {
    "card_type": "text_notice",
    "main_title": {"title": "已恢复"},
    "card_action": {"type": 1, "url": "https://console.example"},
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def fake(clock: ManualClock) -> FakeWecomApp:
    return FakeWecomApp(("lin", "wang", "old"), unlicensed=("old",), clock=clock)


Row = dict[str, object]


def ask(fake: FakeWecomApp, method: str, path: str, query: Mapping[str, str], raw: bytes) -> Row:
    answer = fake.answer(Request(method, path, dict(query), raw))
    assert isinstance(answer, Reply)
    assert answer.status == 200
    found: Row = json.loads(answer.body)
    return found


def fetch(fake: FakeWecomApp, query: Mapping[str, str]) -> Row:
    return ask(fake, "GET", GET_TOKEN, query, b"")


def token(fake: FakeWecomApp) -> str:
    return str(fetch(fake, {"corpid": fake.corp_id, "corpsecret": fake.secret})["access_token"])


def raw_send(fake: FakeWecomApp, raw: bytes = b"{}", access: str | None = None) -> object:
    query = {} if access is None else {"access_token": access}
    return ask(fake, "POST", SEND, query, raw)["errcode"]


def post(fake: FakeWecomApp, fields: Row, path: str = SEND) -> Row:
    raw = json.dumps({"agentid": fake.agent_id} | fields, ensure_ascii=False).encode()
    return ask(fake, "POST", path, {"access_token": token(fake)}, raw)


def card(fake: FakeWecomApp, fields: Row, to: str = "lin") -> Row:
    return post(fake, {"touser": to, "msgtype": "template_card", "template_card": fields})


def send(fake: FakeWecomApp, fields: Row = CARD) -> object:
    return card(fake, fields)["errcode"]


def text(fake: FakeWecomApp, said: str = "x", to: str = "lin", more: Row | None = None) -> object:
    body = {"touser": to, "msgtype": "text", "text": {"content": said}} | (more or {})
    return post(fake, body)["errcode"]


def test_the_token_is_the_same_until_it_lapses_or_is_taken_back(
    fake: FakeWecomApp, clock: ManualClock
) -> None:
    first = token(fake)
    clock.advance(timedelta(seconds=7_199))
    assert token(fake) == first
    clock.advance(timedelta(seconds=1))
    assert raw_send(fake, access=first) == 42001
    second = token(fake)
    assert second != first
    assert raw_send(fake, access=first) == 42001
    fake.revoke()
    assert raw_send(fake, access=second) == 40014
    assert raw_send(fake) == 41001
    assert fake.fetches == 3


@pytest.mark.parametrize(
    ("query", "errcode"),
    [({"corpid": "x", "corpsecret": "y"}, 40013), ({"corpid": "wx5823bf96d3bd56c7"}, 40001)],
)
def test_a_token_wants_its_secret(fake: FakeWecomApp, query: dict[str, str], errcode: int) -> None:
    assert fetch(fake, query)["errcode"] == errcode


def test_a_task_id_is_used_once(fake: FakeWecomApp) -> None:
    assert (send(fake), send(fake)) == (0, 42014)
    assert len(fake.phones["lin"]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"task_id": None},
        {"task_id": "a b"},
        {"task_id": "x" * 129},
        {"button_list": []},
        {"button_list": [{"text": "a", "key": str(number)} for number in range(7)]},
        {"button_list": [{"text": "a", "key": "k" * 1_025}]},
        {"button_list": [{"text": "", "key": "k"}]},
        {"main_title": {}},
        {"card_type": "vote"},
        {"horizontal_content_list": [{"keyname": "k"}] * 7},
        {"horizontal_content_list": [{"value": "v"}]},
        {"card_action": {"type": 1}},
        {"button_selection": {"question_key": "q", "option_list": []}},
        {"button_selection": {"question_key": "q", "option_list": [{"id": "1", "text": "t"}] * 2}},
        {"button_selection": {"question_key": "q", "option_list": [{"id": "1"}]}},
    ],
    ids=str,
)
def test_a_card_that_is_none_is_refused(fake: FakeWecomApp, change: dict[str, object]) -> None:
    assert send(fake, CARD | change) == 40058


def test_texts_are_counted_in_bytes(fake: FakeWecomApp) -> None:
    assert text(fake, "字" * 682) == 0
    assert text(fake, "字" * 683) == 45002


def test_people_are_known_by_name_and_those_who_are_not_are_told_of(fake: FakeWecomApp) -> None:
    answer = post(fake, {"touser": "LIN|gone|old", "msgtype": "text", "text": {"content": "x"}})
    assert (answer["errcode"], answer["invaliduser"], answer["unlicenseduser"]) == (
        0,
        "gone",
        "old",
    )
    assert text(fake, to="gone|old") == 81013
    assert text(fake, to="") == 40003
    assert text(fake, to="|".join(["lin"] * 1_001)) == 40003


def test_the_same_message_is_shown_once_while_it_is_checked_for(
    fake: FakeWecomApp, clock: ManualClock
) -> None:
    check: Row = {"enable_duplicate_check": 1, "duplicate_check_interval": 60}
    assert [text(fake, said, more=check) for said in "xxy"] == [0, 0, 0]
    clock.advance(timedelta(seconds=60))
    assert text(fake, more=check) == 0
    assert (len(fake.phones["lin"]), len(fake.repeats)) == (3, 1)
    assert text(fake, more=check | {"duplicate_check_interval": 14_401}) == 40058


def test_more_than_a_person_may_get_vanishes_without_a_word(
    fake: FakeWecomApp, clock: ManualClock
) -> None:
    assert {text(fake, str(number)) for number in range(31)} == {0}
    assert (len(fake.phones["lin"]), len(fake.dropped)) == (30, 1)
    assert text(fake, "other", to="wang") == 0
    clock.advance(timedelta(minutes=1))
    text(fake, "later")
    assert len(fake.phones["lin"]) == 31


def test_a_code_changes_a_card_once_and_not_for_ever(
    fake: FakeWecomApp, clock: ManualClock
) -> None:
    def change(code: object, fields: Row = NOTICE, atall: int = 1) -> object:
        body = {"response_code": code, "template_card": fields, "atall": atall}
        return post(fake, body, CHANGE)["errcode"]

    code = card(fake, CARD, "lin|wang")["response_code"]
    assert change("other") == 40058
    assert change(code, CARD) == 40058  # it has a task id of its own
    assert change(code, NOTICE | {"card_action": None}) == 40058
    assert change(code, atall=0) == 40003
    assert (change(code), change(code)) == (0, 40058)
    assert [fake.phones[user][0].body for user in ("lin", "wang")] == [NOTICE] * 2
    fake.envelope("lin", "acknowledge", "t-1")
    clock.advance(timedelta(hours=72))
    assert change("code-2") == 40058


def test_it_wants_raw_utf8_json_of_its_own_application(fake: FakeWecomApp) -> None:
    access = token(fake)
    assert raw_send(fake, b'{"a": "\\u4e2d"}', access) == 40033
    assert raw_send(fake, b"{", access) == 40033
    assert raw_send(fake, b"{}", access) == 40056
    assert post(fake, {"touser": "lin", "msgtype": "carrier pigeon"})["errcode"] == 40008
    assert fake.answer(Request("GET", SEND, {}, b"")) == Reply(404, b"")


async def test_only_a_button_that_is_shown_can_be_pressed(fake: FakeWecomApp) -> None:
    send(fake)
    with pytest.raises(ValueError, match="sees no button"):
        await fake.press("http://127.0.0.1:1/", "lin", "snooze")
    with pytest.raises(ValueError, match="sees no button"):
        await fake.press("http://127.0.0.1:1/", "wang", "acknowledge")


async def test_a_callback_is_told_four_times_at_the_most(fake: FakeWecomApp) -> None:
    answers = [Reply(503, b""), Reply(200, b"busy"), Reply(200, b"")]
    told = []

    def callback(request: Request) -> Reply:
        told.append(request)
        return answers[min(len(told), len(answers)) - 1]

    send(fake)
    async with serving(callback) as port:
        url = f"http://127.0.0.1:{port}/"
        assert (await fake.press(url, "lin", "acknowledge")).statuses == [503, 200, 200]
        answers[:] = [Reply(503, b"")]
        assert (await fake.press(url, "lin", "acknowledge")).statuses == [503] * 4
    assert len({request.body for request in told[:3]}) == 1
