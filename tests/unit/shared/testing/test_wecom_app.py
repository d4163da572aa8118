import json
from datetime import UTC, datetime, timedelta

import pytest

from shared.clock import ManualClock
from shared.testing.unruly_http import Reply, Request, serving
from shared.testing.wecom_app import CHANGE, GET_TOKEN, SEND, FakeWecomApp

NOW = datetime.fromtimestamp(1_772_352_000, UTC)
CARD = {
    "card_type": "button_interaction",
    "main_title": {"title": "断货"},
    "button_list": [{"text": "接单", "key": "acknowledge"}],
    "task_id": "t-1",
}
NOTICE = {
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


def ask(fake: FakeWecomApp, method: str, path: str, raw: bytes = b"", **query: str) -> dict:  # type: ignore[type-arg]
    answer = fake.answer(Request(method, path, query, raw))
    assert isinstance(answer, Reply)
    assert answer.status == 200
    found: dict[str, object] = json.loads(answer.body)
    return found


def token(fake: FakeWecomApp) -> str:
    given = ask(fake, "GET", GET_TOKEN, corpid=fake.corp_id, corpsecret=fake.secret)
    return str(given["access_token"])


def post(fake: FakeWecomApp, path: str = SEND, **fields: object) -> dict[str, object]:
    raw = json.dumps({"agentid": fake.agent_id} | fields, ensure_ascii=False).encode()
    return ask(fake, "POST", path, raw, access_token=token(fake))


def send(fake: FakeWecomApp, card: object = CARD, to: str = "lin", **more: object) -> object:
    return post(fake, touser=to, msgtype="template_card", template_card=card, **more)["errcode"]


def text(fake: FakeWecomApp, said: str = "x", to: str = "lin", **more: object) -> object:
    return post(fake, touser=to, msgtype="text", text={"content": said}, **more)["errcode"]


def test_the_token_is_the_same_until_it_lapses_or_is_taken_back(
    fake: FakeWecomApp, clock: ManualClock
) -> None:
    first = token(fake)
    clock.advance(timedelta(seconds=7_199))
    assert token(fake) == first
    clock.advance(timedelta(seconds=1))
    assert ask(fake, "POST", SEND, b"{}", access_token=first)["errcode"] == 42001
    second = token(fake)
    assert second != first
    assert ask(fake, "POST", SEND, b"{}", access_token=first)["errcode"] == 42001
    fake.revoke()
    assert ask(fake, "POST", SEND, b"{}", access_token=second)["errcode"] == 40014
    assert ask(fake, "POST", SEND, b"{}")["errcode"] == 41001
    assert fake.fetches == 3


@pytest.mark.parametrize(
    ("query", "errcode"),
    [({"corpid": "x", "corpsecret": "y"}, 40013), ({"corpid": "wx5823bf96d3bd56c7"}, 40001)],
)
def test_a_token_wants_its_secret(
    fake: FakeWecomApp, query: dict[str, str], errcode: int
) -> None:
    assert ask(fake, "GET", GET_TOKEN, **query)["errcode"] == errcode


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
    answer = post(fake, touser="LIN|gone|old", msgtype="text", text={"content": "x"})
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
    check = {"enable_duplicate_check": 1, "duplicate_check_interval": 60}
    assert [text(fake, **check), text(fake, **check), text(fake, "y", **check)] == [0, 0, 0]
    clock.advance(timedelta(seconds=60))
    assert text(fake, **check) == 0
    assert (len(fake.phones["lin"]), len(fake.repeats)) == (3, 1)
    assert text(fake, enable_duplicate_check=1, duplicate_check_interval=14_401) == 40058


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
    def change(code: object, card: object = NOTICE, **more: object) -> object:
        to = {"atall": 1} | more
        return post(fake, CHANGE, response_code=code, template_card=card, **to)["errcode"]

    code = post(fake, touser="lin|wang", msgtype="template_card", template_card=CARD)[
        "response_code"
    ]
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
    assert ask(fake, "POST", SEND, b'{"a": "\\u4e2d"}', access_token=access)["errcode"] == 40033
    assert ask(fake, "POST", SEND, b"{", access_token=access)["errcode"] == 40033
    assert ask(fake, "POST", SEND, b"{}", access_token=access)["errcode"] == 40056
    assert post(fake, touser="lin", msgtype="carrier pigeon")["errcode"] == 40008
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
