import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from shared.clock import ManualClock
from shared.testing import dingtalk
from shared.testing.dingtalk import FakeDingtalk
from shared.testing.unruly_http import Misconduct, Reply, Request
from shared.testing.vendor import Fault

TOKEN, OPEN = "3f1d0c6a5e4f439f0a6a", "no-secret"
SECRET = "this is secret"
NOW = datetime.fromtimestamp(1_577_262_236.757, UTC)
# printf '1577262236757\nthis is secret' \
#     | openssl dgst -sha256 -hmac 'this is secret' -binary | base64
SIGNED = {"timestamp": "1577262236757", "sign": "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="}
HEADERS = {"content-type": "application/json; charset=utf-8"}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def fake(clock: ManualClock) -> FakeDingtalk:
    return FakeDingtalk({TOKEN: SECRET, OPEN: None}, clock=clock)


def message(kind: str, **part: object) -> bytes:
    return json.dumps({"msgtype": kind, kind: part}, ensure_ascii=False).encode()


MARKDOWN = message("markdown", title="断货", text="### 断货")


def request(
    raw: bytes = MARKDOWN, token: str = OPEN, query: Mapping[str, str] | None = None
) -> Request:
    return Request("POST", dingtalk.PATH, {"access_token": token, **(query or {})}, raw, HEADERS)


def post(fake: FakeDingtalk, asked: Request) -> object:
    answer = fake.answer(asked)
    assert isinstance(answer, Reply)
    assert answer.status == 200
    return json.loads(answer.body)["errcode"]


def test_a_message_signed_by_another_tool_is_kept(fake: FakeDingtalk) -> None:
    assert post(fake, request(token=TOKEN, query=SIGNED)) == dingtalk.OK
    (kept,) = fake.accepted
    assert (kept.at, kept.token, kept.type, kept.text) == (NOW, TOKEN, "markdown", "### 断货")


@pytest.mark.parametrize(
    "query",
    [
        {},
        SIGNED | {"sign": SIGNED["sign"][:-2] + "A="},
        SIGNED | {"sign": ""},
        SIGNED | {"timestamp": "1577262236758"},
        SIGNED | {"timestamp": "1577262236"},
        SIGNED | {"timestamp": "now"},
    ],
)
def test_what_is_not_signed_as_it_is_is_refused_with_a_text(
    fake: FakeDingtalk, query: dict[str, str]
) -> None:
    assert post(fake, request(token=TOKEN, query=query)) == "310000"
    assert fake.rejected == {dingtalk.UNVERIFIED: 1}


@pytest.mark.parametrize(("minutes", "expected"), [(59, 0), (61, "310000"), (-61, "310000")])
def test_a_signature_is_good_for_an_hour(
    fake: FakeDingtalk, clock: ManualClock, minutes: int, expected: object
) -> None:
    clock.advance(timedelta(minutes=minutes))
    assert post(fake, request(token=TOKEN, query=SIGNED)) == expected


def test_the_twenty_first_message_within_a_minute_blocks_the_bot_for_ten(
    fake: FakeDingtalk, clock: ManualClock
) -> None:
    for _ in range(20):
        assert post(fake, request()) == dingtalk.OK
        clock.advance(timedelta(seconds=2))
    assert post(fake, request()) == dingtalk.TOO_FAST
    clock.advance(timedelta(minutes=10) - timedelta(seconds=1))
    assert post(fake, request()) == dingtalk.TOO_FAST
    clock.advance(timedelta(seconds=1))
    assert post(fake, request()) == dingtalk.OK


@pytest.mark.parametrize(
    ("raw", "errcode"),
    [
        (b"not json", dingtalk.BAD_PARAMETER),
        (b"\xff\xfe", dingtalk.BAD_PARAMETER),
        (b"[]", dingtalk.BAD_PARAMETER),
        (message("template_card", text="x"), dingtalk.UNKNOWN_TYPE),
        (b"{}", dingtalk.UNKNOWN_TYPE),
        (b'{"msgtype":"markdown"}', dingtalk.BAD_PARAMETER),
        (message("markdown", text="x"), dingtalk.BAD_PARAMETER),
        (message("markdown", title="x", text=""), dingtalk.BAD_PARAMETER),
        (message("text", text="x"), dingtalk.BAD_PARAMETER),
    ],
)
def test_what_the_vendor_refuses_is_refused_with_its_code(
    fake: FakeDingtalk, raw: bytes, errcode: int
) -> None:
    assert post(fake, request(raw)) == errcode
    assert (fake.accepted, fake.rejected) == ([], {errcode: 1})


def mentioning(text: str, at: object) -> bytes:
    body = {"msgtype": "markdown", "markdown": {"title": "断货", "text": text}, "at": at}
    return json.dumps(body, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "at", "rung"),
    [
        ("@lin @an.1 断货", {"atUserIds": ["lin", "an.1"], "isAtAll": False}, ["lin", "an.1"]),
        ("断货", {"atUserIds": ["lin"]}, []),
        ("@linda lin a@lin", {"atUserIds": ["lin"]}, []),
        ("@lin @all", {}, []),
        ("断货", {"isAtAll": True}, ["@all"]),
    ],
)
def test_it_rings_those_who_are_both_in_at_and_in_the_text(
    fake: FakeDingtalk, text: str, at: object, rung: list[str]
) -> None:
    assert post(fake, request(mentioning(text, at))) == dingtalk.OK
    assert fake.accepted[0].rung == rung


@pytest.mark.parametrize(
    "at", [None, [], {"atUserIds": "lin"}, {"atUserIds": [7]}, {"atUserIds": [""]}, {"isAtAll": 1}]
)
def test_who_is_to_be_rung_is_a_list_of_userids(fake: FakeDingtalk, at: object) -> None:
    assert post(fake, request(mentioning("@lin", at))) == dingtalk.BAD_PARAMETER


def test_the_whole_body_counts_in_bytes(fake: FakeDingtalk) -> None:
    rest = dingtalk.MAX_BYTES - len(message("text", content=""))
    full = "货" * (rest // 3) + "x" * (rest % 3)
    assert post(fake, request(message("text", content=full))) == dingtalk.OK
    assert post(fake, request(message("text", content=full + "x"))) == dingtalk.TOO_LONG


def test_an_unknown_token_and_an_unannounced_body_are_refused(fake: FakeDingtalk) -> None:
    assert post(fake, request(token="guess")) == dingtalk.UNKNOWN_TOKEN
    bare = Request("POST", dingtalk.PATH, {"access_token": OPEN}, MARKDOWN)
    assert post(fake, bare) == dingtalk.NO_JSON_HEADER


def test_a_lost_answer_leaves_the_message_in_the_group(fake: FakeDingtalk) -> None:
    fake.order(Fault.LOSE_ANSWER)
    assert fake.answer(request()) is Misconduct.DROP
    assert [kept.answer_lost for kept in fake.accepted] == [True]


def test_other_paths_and_methods_are_not_there(fake: FakeDingtalk) -> None:
    for asked, status in (
        (Request("POST", "/elsewhere", {}, b""), 404),
        (Request("GET", dingtalk.PATH, {}, b""), 405),
    ):
        answer = fake.answer(asked)
        assert isinstance(answer, Reply)
        assert answer.status == status


def test_who_asks_for_a_keyword_or_another_address_refuses_the_rest(clock: ManualClock) -> None:
    fake = FakeDingtalk(
        {TOKEN: None, OPEN: None}, keywords={OPEN: ["缺货", "断货"]}, elsewhere={TOKEN}, clock=clock
    )
    assert post(fake, request(token=TOKEN)) == "310000"
    assert post(fake, request(message("markdown", title="提醒", text="到货"))) == "310000"
    assert post(fake, request()) == dingtalk.OK
