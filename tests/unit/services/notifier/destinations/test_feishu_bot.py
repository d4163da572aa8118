import json

import pytest
from pydantic import SecretStr

from services.notifier.destinations import feishu_bot
from services.notifier.destinations.exchange import Answer
from services.notifier.destinations.feishu_bot import judge, read, signature, signed
from services.notifier.destinations.kinds import Renderer
from services.notifier.domain.addresses import FeishuBot
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.destinations import Language
from services.notifier.domain.outcomes import Verdict
from shared.clock import ManualClock
from shared.testing.feishu import PATH, FakeFeishu
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

TOKEN, SECRET = "5d6f7e11-0f6b-4f43-9f0a-6a0d3f1d0c6a", "demo"
BOT = FeishuBot(SecretStr(TOKEN), "https://feishu.example", SecretStr(SECRET))
RENDERER = Renderer("http://console.example/")


def rendered(one: Delivery, language: Language = Language.CHINESE) -> bytes:
    return RENDERER.render(one, destination(language, BOT), NOW)


def accepted(raw: bytes) -> str:
    """Return the text after the strict fake has taken it, signed."""
    fake = FakeFeishu({TOKEN: SECRET}, clock=ManualClock(NOW))
    body = signed(raw, SECRET, int(NOW.timestamp()))
    answer = fake.answer(Request("POST", PATH + TOKEN, {}, body))
    assert isinstance(answer, Reply)
    assert json.loads(answer.body)["code"] == 0
    return fake.accepted[0].text


def test_a_signature_is_that_of_another_tool() -> None:
    # printf '' | openssl dgst -sha256 -binary -mac HMAC \
    #     -macopt hexkey:$(printf '1599360473\ndemo' | od -An -tx1 | tr -d ' \n') | base64
    assert signature("demo", 1599360473) == "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="


def test_a_body_is_signed_without_touching_the_rest_of_it() -> None:
    raw = rendered(delivery(stock_alert(7)))
    body = signed(raw, SECRET, 1599360473)
    assert body.endswith(raw[1:])
    proof = {"timestamp": "1599360473", "sign": signature(SECRET, 1599360473)}
    assert json.loads(body) == proof | json.loads(raw)
    assert len(body) - len(raw) <= feishu_bot.SIGNATURE_BYTES


def test_an_opening_is_a_card_in_the_colour_of_its_level() -> None:
    raw = rendered(delivery(stock_alert(7)))
    assert json.loads(raw)["card"]["header"]["template"] == "red"
    assert accepted(raw) == "\n".join(
        [
            "【断货】#7 蓝色马克杯",
            "**SKU**：SKU-7",
            "**仓库**：UK",
            "**可用库存**：0 (在手 12, 在途 48)",
            "**阈值**：20",
            "**可售天数**：0.0 (日均销量 3.4)",
            "**开始时间**：2026-03-01 16:00 (Asia/Shanghai)",
            "**规则**：缺货",
            "**建议**：立即补货或从其他仓库调拨；到货前停止或下调各渠道的可售数量。",
            f"[查看详情](http://console.example/alerts/{alert_id(7)})",
        ]
    )


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("name", EVERY_KIND)
def test_everything_is_taken_and_ends_with_its_link(name: str, language: Language) -> None:
    raw = rendered(EVERY_KIND[name], language)
    text = accepted(raw)
    assert f"({link_of(name)}" in text.splitlines()[-1]
    assert read(raw) == (text, len(raw) + feishu_bot.SIGNATURE_BYTES)


def test_a_name_rings_nobody_and_is_no_link() -> None:
    text = accepted(rendered(delivery(EVIL)))
    assert "<at" not in text
    assert text.count("](") == 1


def test_a_digest_shows_all_it_has_room_for() -> None:
    text = accepted(rendered(delivery(digest(), Kind.DIGEST)))
    assert text.count("/alerts/") == 40


def test_a_digest_is_shortened_to_what_the_vendor_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FeishuBot, "longest_bytes", 4_000)
    raw = rendered(delivery(digest(), Kind.DIGEST))
    assert 3_500 < len(raw) + feishu_bot.SIGNATURE_BYTES <= 4_000
    assert "/alerts)" in accepted(raw)


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, {"code": 0, "msg": "success"}, Verdict.ACCEPTED),
        (200, {"StatusCode": 0, "StatusMessage": "success"}, Verdict.ACCEPTED),
        (200, {"StatusCode": 0, "code": 19021}, Verdict.PERMANENT),
        (200, {"code": 9499, "msg": "too many request"}, Verdict.TRANSIENT),
        (200, {"code": 11232, "msg": "frequency limited"}, Verdict.TRANSIENT),
        (400, {"code": 11232, "msg": "frequency limited"}, Verdict.TRANSIENT),
        (400, {"code": 19024, "msg": "Key Words Not Found"}, Verdict.PERMANENT),
        (400, {"code": 0}, Verdict.PERMANENT),
        (400, {}, Verdict.PERMANENT),
        (429, {"code": 11232}, Verdict.TRANSIENT),
        (502, {}, Verdict.TRANSIENT),
        (404, {"code": 0}, Verdict.PERMANENT),
        (200, {"code": 19022}, Verdict.PERMANENT),
        (200, {}, Verdict.UNKNOWN),
        (200, {"code": None}, Verdict.UNKNOWN),
    ],
)
def test_the_code_decides(status: int, body: dict[str, object], verdict: Verdict) -> None:
    assert judge(Answer(status, json.dumps(body).encode())).verdict is verdict
