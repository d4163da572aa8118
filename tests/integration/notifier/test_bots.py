"""What arrives at the groups of the other vendors' bots, over real HTTP."""

from datetime import timedelta

import pytest

from shared.clock import ManualClock, WallClock
from shared.testing import dingtalk, feishu
from shared.testing.dingtalk import FakeDingtalk
from shared.testing.feishu import FakeFeishu
from shared.testing.vendor import Fault
from shared.testing.waiting import until
from tests.factories.stock_alerts import stock_alert
from tests.integration.notifier.service import Notifier, Row

pytestmark = pytest.mark.stack

TOKEN = "3f1d0c6a5e4f439f0a6a0d5d6f7e11aa"
SECRET = "SEC0f6b2a1c6a5e4f439f0a6a0d5d6f7e11"


async def test_a_dingtalk_group_is_told_signed_from_opening_to_end(notifier: Notifier) -> None:
    fake = FakeDingtalk({TOKEN: SECRET})
    async with fake.serving() as url, notifier.sending():
        await notifier.put("ding", "dingtalk_bot", {"token": TOKEN, "secret": SECRET, "url": url})
        await notifier.tell(stock_alert(7), stock_alert(7, revision=2, event="resolved"))
        await notifier.until_states("sent", "sent")
    assert ["【断货】#7" in kept.text for kept in fake.accepted] == [True, False]
    assert fake.rejected == {}


async def test_a_dingtalk_bot_blocked_for_ten_minutes_is_left_alone_for_ten(
    notifier: Notifier,
) -> None:
    clock = ManualClock(WallClock().now())
    fake = FakeDingtalk({TOKEN: SECRET}, clock=clock)
    async with fake.serving() as url, notifier.sending(clock=clock):
        await notifier.put("ding", "dingtalk_bot", {"token": TOKEN, "secret": SECRET, "url": url})
        fake.order(Fault.ERRCODE, errcode=dingtalk.TOO_FAST)
        await notifier.tell(stock_alert(1))
        await notifier.until_states("failed")
        (lease,) = await notifier.rows("SELECT paused_until FROM lease")
        assert lease["paused_until"] == clock.now() + timedelta(minutes=10)
        clock.advance(timedelta(minutes=10))
        await notifier.tell(stock_alert(2))
        await notifier.until_states("sent", "sent")
    assert fake.rejected == {dingtalk.TOO_FAST: 1}


async def test_a_burst_at_dingtalk_is_merged_before_the_vendor_blocks(notifier: Notifier) -> None:
    fake = FakeDingtalk({TOKEN: None})
    async with fake.serving() as url:
        await notifier.put("ding", "dingtalk_bot", {"token": TOKEN, "url": url})
        await notifier.tell(*(stock_alert(number) for number in range(1, 101)))
        async with notifier.sending():
            await notifier.until_settled()
    assert fake.rejected == {}
    assert len(fake.accepted) == 17
    assert "汇总 84 条" in fake.accepted[-1].text


async def test_an_answer_lost_by_dingtalk_repeats_a_first_notice_marked(
    notifier: Notifier,
) -> None:
    fake = FakeDingtalk({TOKEN: None})
    async with fake.serving() as url, notifier.sending():
        await notifier.put("ding", "dingtalk_bot", {"token": TOKEN, "url": url})
        fake.order(Fault.LOSE_ANSWER)
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
    assert ["可能重复" in kept.text for kept in fake.accepted] == [False, True]


KEYWORDS = {TOKEN: ["库存提醒"]}


@pytest.mark.parametrize(
    ("kind", "fake", "code"),
    [
        ("dingtalk_bot", FakeDingtalk({TOKEN: None}, keywords=KEYWORDS), dingtalk.UNVERIFIED),
        ("feishu_bot", FakeFeishu({TOKEN: None}, keywords=KEYWORDS), feishu.NO_KEYWORD),
    ],
    ids=["dingtalk", "feishu"],
)
async def test_what_a_bot_with_a_keyword_is_sent_has_it(
    notifier: Notifier, kind: str, fake: FakeDingtalk | FakeFeishu, code: int
) -> None:
    async with fake.serving() as url, notifier.sending():
        await notifier.put("group", kind, {"token": TOKEN, "url": url})
        await notifier.tell(stock_alert(7))
        await notifier.until_states("dead")
        await notifier.put("group", kind, {"url": url, "keyword": "库存提醒"})
        await notifier.tell(stock_alert(8))
        await notifier.until_states("dead", "sent")
    assert fake.rejected == {code: 1}
    assert [kept.text.endswith("\n\n库存提醒") for kept in fake.accepted] == [True]


async def test_a_feishu_group_is_told_signed_from_opening_to_end(notifier: Notifier) -> None:
    fake = FakeFeishu({TOKEN: SECRET})
    async with fake.serving() as url, notifier.sending():
        await notifier.put("fei", "feishu_bot", {"token": TOKEN, "secret": SECRET, "url": url})
        await notifier.tell(stock_alert(7), stock_alert(7, revision=2, event="resolved"))
        await notifier.until_states("sent", "sent")
    assert ["【断货】#7" in kept.text for kept in fake.accepted] == [True, False]
    assert fake.rejected == {}


async def test_a_repeat_at_feishu_an_hour_later_is_signed_anew(notifier: Notifier) -> None:
    """The stored bytes carry no signature: it would be stale."""
    clock = ManualClock(WallClock().now())
    fake = FakeFeishu({TOKEN: SECRET}, clock=clock)
    async with fake.serving() as url, notifier.sending(clock=clock):
        await notifier.put("fei", "feishu_bot", {"token": TOKEN, "secret": SECRET, "url": url})
        fake.order(Fault.ERRCODE, errcode=feishu.TOO_OFTEN)
        await notifier.tell(stock_alert(1))
        await notifier.until_states("failed")
        clock.advance(timedelta(hours=2))
        await notifier.tell(stock_alert(2))
        await notifier.until_states("sent", "sent")
    assert fake.rejected == {feishu.TOO_OFTEN: 1}
    (stored,) = await notifier.rows("SELECT DISTINCT rendered FROM attempt WHERE number = 2")
    assert b"sign" not in stored["rendered"]


async def test_a_burst_at_feishu_keeps_to_five_a_second(notifier: Notifier) -> None:
    clock = ManualClock(WallClock().now())
    fake = FakeFeishu({TOKEN: None}, clock=clock)
    async with fake.serving() as url:
        await notifier.put("fei", "feishu_bot", {"token": TOKEN, "url": url})
        await notifier.tell(*(stock_alert(number) for number in range(1, 11)))
        async with notifier.sending(clock=clock):
            await until(lambda: _sent(notifier, 5))
            clock.advance(timedelta(seconds=2))
            await notifier.until_settled()
    assert fake.rejected == {}
    assert len(fake.accepted) == 10


async def _sent(notifier: Notifier, number: int) -> bool:
    return (await notifier.states()).count("sent") == number


@pytest.mark.parametrize("kind", ["dingtalk_bot", "feishu_bot"])
async def test_a_bot_keeps_what_is_left_out_and_parts_with_a_secret_that_is_null(
    notifier: Notifier, kind: str
) -> None:
    both: Row = {
        "token": f"****{TOKEN[-4:]}",
        "secret": f"****{SECRET[-4:]}",
        "url": "https://x.example",
    }
    bare: Row = {name: both[name] for name in ("token", "url")}
    steps: list[tuple[Row, Row]] = [
        ({"token": TOKEN, "secret": SECRET}, both),
        ({}, both),
        ({"secret": None}, bare),
    ]
    for part, shown in steps:
        answer = await notifier.put("bot", kind, {"url": both["url"], **part})
        assert answer[kind] == shown
    new = {"kind": kind, "name": "x", "language": "en", kind: {"secret": SECRET}}
    refused = await notifier.client.put("/v1/destinations/new", json=new)
    assert [each["field"] for each in refused.json()["errors"]] == [f"{kind}.token"]


OU = "ou_7d8a6e6df7621556ce0d21922b67670"


async def test_a_card_that_feishu_refuses_for_somebodys_id_is_told_without_mentions(
    notifier: Notifier,
) -> None:
    """One stale id is no reason to warn nobody."""
    fake = FakeFeishu({TOKEN: SECRET}, people={f"{OU}1"})
    people = [
        {"id": each, "name": each, "language": "en", "feishu_open_id": f"{OU}{number}"}
        for number, each in enumerate(("gone", "lin"))
    ]
    async with fake.serving() as url, notifier.sending():
        await notifier.put("fei", "feishu_bot", {"token": TOKEN, "secret": SECRET, "url": url})
        await notifier.tell(stock_alert(7, to=people))
        await notifier.until_states("sent")
        await notifier.tell(stock_alert(8, to=people[1:]))
        await notifier.until_states("sent", "sent")
    assert fake.rejected == {feishu.BAD_MENTION: 1}
    assert [kept.rung for kept in fake.accepted] == [[], [f"{OU}1"]]
    assert "请处理**：— —\n" in fake.accepted[0].text
    attempts = await notifier.rows("SELECT code, detail FROM attempt ORDER BY started_at")
    # Each post counts, as it does for the vendor.
    assert [each["code"] for each in attempts] == ["11246", "0", "0"]
    assert "invalid user resource" in attempts[0]["detail"]


GROUPS: dict[str, Row] = {
    "wecom_bot": {"key": TOKEN},
    "dingtalk_bot": {"token": TOKEN},
    "feishu_bot": {"token": TOKEN},
    "slack": {"token": TOKEN, "channel": "C024BE91L"},
}


@pytest.mark.parametrize("kind", GROUPS)
async def test_a_group_is_rung_unless_it_is_switched_off(notifier: Notifier, kind: str) -> None:
    assert (await notifier.put("group", kind, GROUPS[kind]))["mentions"] is True
    off = await notifier.put("group", kind, GROUPS[kind], mentions=False)
    assert off["mentions"] is False
    assert await notifier.ask("GET", "/v1/destinations/group") == off
    # A destination from before there was the setting rings too.
    await notifier.rows("UPDATE destination SET manners = manners - 'mentions'")
    assert (await notifier.ask("GET", "/v1/destinations/group"))["mentions"] is True
    answer = await notifier.client.get("/v1/audit", params={"what": "destination.put"})
    assert [each["after"]["mentions"] for each in answer.json()["items"]] == [False, True]


async def test_only_groups_have_mentions(notifier: Notifier) -> None:
    part = {"url": "https://erp.example/hooks", "secret": f"whsec_{'A' * 32}"}
    body = {"kind": "webhook", "name": "ERP", "language": "en", "webhook": part}
    answer = await notifier.client.put("/v1/destinations/erp", json=body | {"mentions": False})
    assert "leave mentions out" in answer.text
    assert "mentions" not in await notifier.ask("PUT", "/v1/destinations/erp", body)
