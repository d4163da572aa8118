import json
from datetime import UTC, datetime, timedelta

import pytest

from shared.clock import ManualClock
from shared.testing import feishu
from shared.testing.feishu import FakeFeishu
from shared.testing.unruly_http import Misconduct, Reply, Request
from shared.testing.vendor import Fault

TOKEN, OPEN = "5d6f7e11-0f6b-4f43-9f0a", "no-secret"
SECRET = "demo"
NOW = datetime.fromtimestamp(1_599_360_473, UTC)
# printf '' | openssl dgst -sha256 -binary -mac HMAC \
#     -macopt hexkey:$(printf '1599360473\ndemo' | od -An -tx1 | tr -d ' \n') | base64
SIGNED = {"timestamp": "1599360473", "sign": "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="}
SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def fake(clock: ManualClock) -> FakeFeishu:
    return FakeFeishu({TOKEN: SECRET, OPEN: None}, clock=clock)


def card(**change: object) -> dict[str, object]:
    title = {"tag": "plain_text", "content": "断货"}
    whole: dict[str, object] = {
        "header": {"title": title, "template": "red"},
        "elements": [{"tag": "markdown", "content": "**SKU**：SKU-7"}],
    }
    return {"msg_type": "interactive", "card": whole | change}


TEXT: dict[str, object] = {"msg_type": "text", "content": {"text": "断货"}}


def post(fake: FakeFeishu, body: dict[str, object] | bytes, token: str = OPEN) -> int:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    answer = fake.answer(Request("POST", feishu.PATH + token, {}, raw))
    assert isinstance(answer, Reply)
    assert answer.status == 200
    return int(json.loads(answer.body)["code"])


@pytest.mark.parametrize(
    ("body", "text"), [(TEXT, "断货"), (card(), "断货\n**SKU**：SKU-7")], ids=["text", "card"]
)
def test_a_message_signed_by_another_tool_is_kept_without_its_signature(
    fake: FakeFeishu, body: dict[str, object], text: str
) -> None:
    assert post(fake, SIGNED | body, TOKEN) == feishu.OK
    (kept,) = fake.accepted
    assert (kept.at, kept.token, kept.body, kept.text) == (NOW, TOKEN, body, text)


@pytest.mark.parametrize(
    "proof",
    [
        {},
        SIGNED | {"sign": ""},
        SIGNED | {"sign": None},
        SIGNED | {"timestamp": "1599360474"},
        SIGNED | {"timestamp": "1599360473000"},
        SIGNED | {"timestamp": "now"},
    ],
)
def test_what_is_not_signed_as_it_is_is_refused(fake: FakeFeishu, proof: dict[str, object]) -> None:
    assert post(fake, proof | TEXT, TOKEN) == feishu.UNVERIFIED
    assert (fake.accepted, fake.rejected) == ([], {feishu.UNVERIFIED: 1})


@pytest.mark.parametrize(
    ("minutes", "code"), [(60, feishu.OK), (61, feishu.UNVERIFIED), (-61, feishu.UNVERIFIED)]
)
def test_a_signature_is_good_for_an_hour(
    fake: FakeFeishu, clock: ManualClock, minutes: int, code: int
) -> None:
    clock.advance(timedelta(minutes=minutes))
    assert post(fake, SIGNED | TEXT, TOKEN) == code


def test_five_a_second_and_a_hundred_a_minute_pass(fake: FakeFeishu, clock: ManualClock) -> None:
    for _ in range(20):
        assert [post(fake, TEXT) for _ in range(6)] == [feishu.OK] * 5 + [feishu.TOO_OFTEN]
        clock.advance(SECOND)
    assert post(fake, TEXT) == feishu.TOO_OFTEN
    clock.advance(40 * SECOND)
    assert post(fake, TEXT) == feishu.OK


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"\xff\xfe",
        b"[]",
        {},
        {"msg_type": "markdown", "content": {"text": "x"}},
        {"msg_type": "text", "content": {"text": ""}},
        {"msg_type": "text", "text": "x"},
        {"msg_type": "interactive"},
        card(header={}),
        card(header={"title": {"tag": "lark_md", "content": "x"}}),
        card(header={"title": {"tag": "plain_text", "content": "x"}, "template": "black"}),
        card(elements=[]),
        card(elements=[{"tag": "markdown", "content": ""}]),
        card(elements=[{"tag": "markdown_v2", "content": "x"}]),
        card(elements="x"),
    ],
)
def test_what_the_vendor_refuses_is_refused(
    fake: FakeFeishu, body: dict[str, object] | bytes
) -> None:
    assert post(fake, body) == feishu.BAD_REQUEST
    assert fake.accepted == []


def mentioning(markdown: str) -> dict[str, object]:
    return card(elements=[{"tag": "markdown", "content": markdown}])


@pytest.mark.parametrize(
    ("markdown", "rung"),
    [
        ("<at id=ou_1a></at> <at id=ou_2b></at>", ["ou_1a", "ou_2b"]),
        ("\u2039at id=ou_1a\u203a", []),
        ("<at id=all></at>", ["all"]),
    ],
)
def test_it_remembers_whose_phones_a_card_rings(
    fake: FakeFeishu, markdown: str, rung: list[str]
) -> None:
    assert post(fake, mentioning(markdown)) == feishu.OK
    assert fake.accepted[0].rung == rung


@pytest.mark.parametrize(
    "tag", ["id=lin", "id=lin@example.com", "user_id=ou_1a", "id=ou_9", 'id="ou_1a"', "id=ou_"]
)
def test_a_card_that_mentions_whom_it_does_not_know_is_refused_whole(
    clock: ManualClock, tag: str
) -> None:
    fake = FakeFeishu({OPEN: None}, people={"ou_1a"}, clock=clock)
    assert post(fake, mentioning(f"<at id=ou_1a></at> <at {tag}></at>")) == feishu.BAD_MENTION
    assert fake.accepted == []


def test_the_whole_body_counts_in_bytes(fake: FakeFeishu) -> None:
    bare = len(json.dumps({"msg_type": "text", "content": {"text": ""}}).encode())
    rest = feishu.MAX_BYTES - bare
    full = "货" * (rest // 3) + "x" * (rest % 3)
    assert post(fake, {"msg_type": "text", "content": {"text": full}}) == feishu.OK
    assert post(fake, {"msg_type": "text", "content": {"text": full + "x"}}) == feishu.BAD_REQUEST


def test_an_unknown_token_is_refused(fake: FakeFeishu) -> None:
    assert post(fake, TEXT, "guess") == feishu.UNKNOWN_TOKEN


def test_a_lost_answer_leaves_the_message_in_the_group(fake: FakeFeishu) -> None:
    fake.order(Fault.LOSE_ANSWER)
    raw = json.dumps(TEXT).encode()
    assert fake.answer(Request("POST", feishu.PATH + OPEN, {}, raw)) is Misconduct.DROP
    assert [kept.answer_lost for kept in fake.accepted] == [True]


def test_other_paths_and_methods_are_not_there(fake: FakeFeishu) -> None:
    for asked, status in (
        (Request("POST", "/elsewhere", {}, b""), 404),
        (Request("GET", feishu.PATH + OPEN, {}, b""), 405),
    ):
        answer = fake.answer(asked)
        assert isinstance(answer, Reply)
        assert answer.status == status


def test_who_asks_for_a_keyword_or_another_address_refuses_the_rest(clock: ManualClock) -> None:
    fake = FakeFeishu(
        {TOKEN: None, OPEN: None}, keywords={OPEN: ["缺货", "断货"]}, elsewhere={TOKEN}, clock=clock
    )
    assert post(fake, TEXT, TOKEN) == feishu.NOT_ALLOWED
    arrived: dict[str, object] = {"msg_type": "text", "content": {"text": "到货"}}
    assert post(fake, arrived) == feishu.NO_KEYWORD
    assert post(fake, TEXT) == post(fake, card()) == feishu.OK
