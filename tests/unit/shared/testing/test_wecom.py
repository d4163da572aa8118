import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from shared.clock import ManualClock
from shared.testing import wecom
from shared.testing.unruly_http import Misconduct, Reply, Request
from shared.testing.vendor import Fault
from shared.testing.wecom import FakeWecom

KEY = "0f6b2a1c-6a5e-4f43-9f0a-6a0d5d6f7e11"
OTHER = "77aa2a1c-6a5e-4f43-9f0a-6a0d5d6f7e22"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, 8, tzinfo=UTC))


@pytest.fixture
def fake(clock: ManualClock) -> FakeWecom:
    return FakeWecom({KEY, OTHER}, clock=clock)


def post(fake: FakeWecom, raw: bytes, key: str = KEY) -> int:
    answer = fake.answer(Request("POST", wecom.PATH, {"key": key}, raw))
    assert isinstance(answer, Reply)
    assert answer.status == 200
    return int(json.loads(answer.body)["errcode"])


def message(kind: str, **part: object) -> bytes:
    return json.dumps({"msgtype": kind, kind: part}, ensure_ascii=False).encode()


MARKDOWN = message("markdown", content="**断货**")


def test_a_message_is_kept_with_its_time_and_key(fake: FakeWecom, clock: ManualClock) -> None:
    assert post(fake, MARKDOWN) == wecom.OK
    (kept,) = fake.accepted
    assert (kept.key, kept.at, kept.type, kept.content) == (
        KEY,
        clock.now(),
        "markdown",
        "**断货**",
    )


@pytest.mark.parametrize(
    ("kind", "limit"), [("text", 2_048), ("markdown", 4_096), ("markdown_v2", 4_096)]
)
def test_the_byte_limit_counts_utf8_not_characters(fake: FakeWecom, kind: str, limit: int) -> None:
    full = "货" * (limit // 3) + "x" * (limit % 3)
    assert post(fake, message(kind, content=full)) == wecom.OK
    assert post(fake, message(kind, content=full + "x")) == wecom.TOO_LONG


def test_the_twenty_first_message_within_a_minute_blocks_the_key_for_a_minute(
    fake: FakeWecom, clock: ManualClock
) -> None:
    for _ in range(20):
        assert post(fake, MARKDOWN) == wecom.OK
        clock.advance(timedelta(seconds=2))
    assert post(fake, MARKDOWN) == wecom.TOO_OFTEN
    clock.advance(timedelta(seconds=59))
    assert post(fake, MARKDOWN) == wecom.TOO_OFTEN
    clock.advance(timedelta(seconds=1))
    assert post(fake, MARKDOWN) == wecom.OK


def test_the_window_slides(fake: FakeWecom, clock: ManualClock) -> None:
    for _ in range(20):
        post(fake, MARKDOWN)
        clock.advance(timedelta(seconds=2))
    clock.advance(timedelta(seconds=20))
    assert post(fake, MARKDOWN) == wecom.OK
    assert post(fake, MARKDOWN) == wecom.TOO_OFTEN


def test_keys_have_limits_of_their_own(fake: FakeWecom) -> None:
    for _ in range(20):
        post(fake, MARKDOWN)
    assert post(fake, MARKDOWN, OTHER) == wecom.OK


@pytest.mark.parametrize(
    ("raw", "errcode"),
    [
        (rb'{"msgtype":"markdown","markdown":{"content":"\u65ad"}}', wecom.BAD_ENCODING),
        (rb'{"msgtype":"markdown","markdown":{"content":"\\\u65ad"}}', wecom.BAD_ENCODING),
        (b"not json", wecom.BAD_ENCODING),
        (b"\xff\xfe", wecom.BAD_ENCODING),
        (b"[]", wecom.BAD_PARAMETER),
        (message("sticker", content="x"), wecom.UNKNOWN_TYPE),
        (b'{"msgtype":"markdown"}', wecom.BAD_PARAMETER),
        (message("markdown", content=""), wecom.BAD_PARAMETER),
        (message("markdown", content="x", mentioned_list=["@all"]), wecom.BAD_PARAMETER),
        (message("markdown_v2", content="<@zhang>"), wecom.BAD_PARAMETER),
        (message("template_card", card_type="button_interaction"), wecom.BAD_PARAMETER),
        (message("template_card", card_type="text_notice"), wecom.BAD_PARAMETER),
        (message("image", base64="eA=="), wecom.BAD_PARAMETER),
    ],
)
def test_what_the_vendor_refuses_is_refused_with_its_code(
    fake: FakeWecom, raw: bytes, errcode: int
) -> None:
    assert post(fake, raw) == errcode
    assert fake.accepted == []
    assert fake.rejected == {errcode: 1}


@pytest.mark.parametrize(
    "raw",
    [
        rb'{"msgtype":"markdown","markdown":{"content":"\\u65ad"}}',
        message("text", content="x", mentioned_list=["@all"]),
        message("markdown", content="<@zhang>"),
        message(
            "template_card",
            card_type="text_notice",
            main_title={"title": "x"},
            card_action={"type": 1, "url": "https://example.com"},
        ),
    ],
)
def test_what_the_vendor_takes_is_taken(fake: FakeWecom, raw: bytes) -> None:
    assert post(fake, raw) == wecom.OK


@pytest.mark.parametrize(
    ("raw", "rung"),
    [
        (message("markdown", content="**断货** <@lin> <@An.1>"), ["lin", "An.1"]),
        (message("markdown", content="@lin \u2039@lin\u203a <@lin wang>"), []),
        (message("markdown", content="<@all>"), ["all"]),
        (message("text", content="<@lin>"), []),
        (message("text", content="断货", mentioned_list=["lin", "@all"]), ["lin", "@all"]),
        (message("markdown_v2", content="断货"), []),
    ],
)
def test_it_remembers_whose_phones_a_message_rings(
    fake: FakeWecom, raw: bytes, rung: list[str]
) -> None:
    assert post(fake, raw) == wecom.OK
    assert fake.accepted[0].rung == rung


@pytest.mark.parametrize("named", ["lin", [7], {"lin": True}])
def test_a_list_of_the_mentioned_is_one_of_user_ids(fake: FakeWecom, named: object) -> None:
    raw = message("text", content="断货", mentioned_list=named)
    assert post(fake, raw) == wecom.BAD_PARAMETER


def test_an_unknown_key_is_refused(fake: FakeWecom) -> None:
    assert post(fake, MARKDOWN, "guess") == wecom.UNKNOWN_KEY


def test_a_refused_message_does_not_count_against_the_limit(fake: FakeWecom) -> None:
    for _ in range(30):
        post(fake, message("markdown", content=""))
    assert post(fake, MARKDOWN) == wecom.OK


def test_a_lost_answer_leaves_the_message_in_the_group(fake: FakeWecom) -> None:
    fake.order(Fault.LOSE_ANSWER)
    request = Request("POST", wecom.PATH, {"key": KEY}, MARKDOWN)
    assert fake.answer(request) is Misconduct.DROP
    assert [kept.answer_lost for kept in fake.accepted] == [True]
    assert fake.answers_lost == 1
    assert post(fake, MARKDOWN) == wecom.OK


def test_an_order_is_for_its_key_and_its_number_of_times(fake: FakeWecom) -> None:
    fake.order(Fault.ERRCODE, key=OTHER, times=2, errcode=6000)
    assert post(fake, MARKDOWN) == wecom.OK
    assert [post(fake, MARKDOWN, OTHER) for _ in range(3)] == [6000, 6000, 0]


async def test_over_http_it_answers_drops_and_hangs(fake: FakeWecom) -> None:
    async with fake.serving() as url, httpx.AsyncClient(timeout=0.2) as client:
        address = f"{url}{wecom.PATH}?key={KEY}"
        assert (await client.post(address, content=MARKDOWN)).json()["errcode"] == 0
        fake.order(Fault.STATUS_500)
        assert (await client.post(address, content=MARKDOWN)).status_code == 500
        fake.order(Fault.LOSE_ANSWER)
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await client.post(address, content=MARKDOWN)
        fake.order(Fault.HANG)
        with pytest.raises(httpx.ReadTimeout):
            await client.post(address, content=MARKDOWN)
        assert (await client.get(f"{url}/elsewhere")).status_code == 404
    assert [kept.answer_lost for kept in fake.accepted] == [False, True]
