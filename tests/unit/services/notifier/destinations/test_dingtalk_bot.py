import json
from datetime import timedelta

import pytest
from pydantic import SecretStr

from services.notifier.destinations.dingtalk_bot import judge, read, signature
from services.notifier.destinations.exchange import Answer
from services.notifier.destinations.kinds import Renderer
from services.notifier.domain.addresses import DingtalkBot
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.destinations import Language
from services.notifier.domain.outcomes import Verdict
from shared.testing.dingtalk import PATH, FakeDingtalk
from shared.testing.unruly_http import Reply, Request
from tests.factories.stock_alerts import alert_id, stock_alert
from tests.unit.services.notifier.destinations.deliveries import (
    EVERY_KIND,
    EVIL,
    NOW,
    delivery,
    destination,
    digest,
    link_of,
)

TOKEN = "3f1d0c6a5e4f439f0a6a0d5d6f7e11"
BOT = DingtalkBot(SecretStr(TOKEN), "https://dingtalk.example")
RENDERER = Renderer("http://console.example/")


def rendered(one: Delivery, language: Language = Language.CHINESE) -> bytes:
    return RENDERER.render(one, destination(language, BOT), NOW)


def accepted(raw: bytes) -> str:
    """Return the text after the strict fake has taken it."""
    fake = FakeDingtalk({TOKEN: None})
    headers = {"content-type": "application/json"}
    answer = fake.answer(Request("POST", PATH, {"access_token": TOKEN}, raw, headers))
    assert isinstance(answer, Reply)
    assert json.loads(answer.body) == {"errcode": 0, "errmsg": "ok"}
    return fake.accepted[0].text


def test_a_signature_is_that_of_another_tool() -> None:
    # printf '1577262236757\nthis is secret' \
    #     | openssl dgst -sha256 -hmac 'this is secret' -binary | base64
    assert (
        signature("this is secret", 1577262236757) == "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="
    )


def test_an_opening_says_all_and_has_a_title_for_the_list_of_chats() -> None:
    raw = rendered(delivery(stock_alert(7)))
    assert json.loads(raw)["markdown"]["title"] == "【断货】#7 蓝色马克杯"
    assert accepted(raw) == "\n".join(
        [
            "### 【断货】#7 蓝色马克杯",
            "",
            "- SKU：SKU-7",
            "- 仓库：UK",
            "- 可用库存：0 (在手 12, 在途 48)",
            "- 阈值：20",
            "- 可售天数：0.0 (日均销量 3.4)",
            "- 开始时间：2026-03-01 16:00 (Asia/Shanghai)",
            "- 规则：缺货",
            "- 建议：立即补货或从其他仓库调拨；到货前停止或下调各渠道的可售数量。",
            "",
            f"[查看详情](http://console.example/alerts/{alert_id(7)})",
        ]
    )


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("name", EVERY_KIND)
def test_everything_is_taken_and_ends_with_its_link(name: str, language: Language) -> None:
    raw = rendered(EVERY_KIND[name], language)
    text = accepted(raw)
    assert f"({link_of(name)}" in text.splitlines()[-1]
    assert read(raw) == (text, len(raw))


def test_a_name_is_no_markup() -> None:
    text = accepted(rendered(delivery(EVIL)))
    assert text.count("](") == 1
    assert "`" not in text


def test_a_digest_shows_all_it_has_room_for() -> None:
    text = accepted(rendered(delivery(digest(), Kind.DIGEST)))
    assert text.count("/alerts/") == 40


def test_a_digest_is_shortened_to_what_the_vendor_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DingtalkBot, "longest_bytes", 4_000)
    raw = rendered(delivery(digest(), Kind.DIGEST))
    assert 3_500 < len(raw) <= 4_000
    assert "/alerts)" in accepted(raw)


@pytest.mark.parametrize(
    ("errcode", "verdict"),
    [
        (0, Verdict.ACCEPTED),
        ("0", Verdict.ACCEPTED),
        (-1, Verdict.TRANSIENT),
        (130101, Verdict.TRANSIENT),
        ("410100", Verdict.TRANSIENT),
        (310000, Verdict.PERMANENT),
        ("310000", Verdict.PERMANENT),
        (300005, Verdict.PERMANENT),
        (460101, Verdict.PERMANENT),
        ("soon", Verdict.UNKNOWN),
        (None, Verdict.UNKNOWN),
    ],
)
def test_the_errcode_decides_be_it_a_number_or_a_text(errcode: object, verdict: Verdict) -> None:
    body = json.dumps({"errcode": errcode, "errmsg": "ok"}).encode()
    assert judge(Answer(200, body)).verdict is verdict


@pytest.mark.parametrize("errcode", [130101, 410100])
def test_too_fast_keeps_the_bot_quiet_for_ten_minutes(errcode: int) -> None:
    outcome = judge(Answer(200, json.dumps({"errcode": errcode}).encode()))
    assert outcome.lane_wait == timedelta(minutes=10)


def test_another_status_decides_by_itself() -> None:
    assert judge(Answer(502, b'{"errcode": 0}')).verdict is Verdict.TRANSIENT
