import json
from datetime import timedelta
from uuid import UUID

import pytest
from pydantic import SecretStr

from services.notifier.destinations import wecom_app
from services.notifier.destinations.exchange import Answer
from services.notifier.destinations.kinds import Renderer
from services.notifier.destinations.wecom_app import judge
from services.notifier.domain.addresses import WecomApp
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.destinations import Language
from services.notifier.domain.outcomes import Verdict
from shared.events.stock_alerts import AlertEvent, StockAlert
from shared.testing.unruly_http import Reply, Request
from shared.testing.wecom_app import GET_TOKEN, SEND, FakeWecomApp
from tests.factories.stock_alerts import stock_alert
from tests.unit.services.notifier.destinations.deliveries import (
    ENDED_BY_HAND,
    EVERY_KIND,
    LONGEST,
    LONGEST_REQUEST,
    NOW,
    delivery,
    destination,
    digest,
)

RENDERER = Renderer("http://console.example/")
FAKE = FakeWecomApp(("zhangsan", "lin", "boss"))
APP = WecomApp(
    FAKE.corp_id,
    FAKE.agent_id,
    SecretStr(FAKE.secret),
    SecretStr(FAKE.callback_token),
    SecretStr(FAKE.encoding_aes_key),
    ("zhangsan",),
    "https://wecom.example",
)
LIN = {"id": "lin", "name": "林", "language": "zh-CN", "wecom_userid": "lin"}
BOSS = {"id": "boss", "name": "B", "language": "en", "email": "boss@example.com"}


def rendered(one: Delivery, language: Language = Language.CHINESE) -> bytes:
    return RENDERER.render(one, destination(language, APP), NOW)


def sent(raw: bytes) -> dict[str, object]:
    """Return the answer of the strict fake."""
    fake = FakeWecomApp(("zhangsan", "lin", "boss"))
    query = {"corpid": fake.corp_id, "corpsecret": fake.secret}
    token = fake.answer(Request("GET", GET_TOKEN, query, b""))
    assert isinstance(token, Reply)
    access = {"access_token": json.loads(token.body)["access_token"]}
    answer = fake.answer(Request("POST", SEND, access, raw))
    assert isinstance(answer, Reply)
    found: dict[str, object] = json.loads(answer.body)
    return found


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("name", EVERY_KIND)
def test_the_vendor_takes_every_message_and_it_fits(name: str, language: Language) -> None:
    raw = rendered(EVERY_KIND[name], language)
    assert sent(raw)["errcode"] == 0
    assert 0 < wecom_app.read(raw).counted_bytes <= WecomApp.longest_bytes


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize(
    "change",
    [LONGEST.model_copy(update={"event": AlertEvent.ASSIGNED, "revision": 2}), LONGEST_REQUEST],
    ids=["assigned", "acted"],
)
def test_the_longest_change_fits_too(change: StockAlert, language: Language) -> None:
    raw = rendered(delivery(change, Kind.CHANGE), language)
    assert sent(raw)["errcode"] == 0


def test_a_card_says_it_in_both_languages() -> None:
    assert wecom_app.read(rendered(EVERY_KIND["first"])).text.splitlines() == [
        "【断货】#7 蓝色马克杯",
        "立即补货或从其他仓库调拨；到货前停止或下调各渠道的可售数量。",
        "SKU: SKU-7",
        "仓库: UK",
        "可用库存: 0 (在手 12, 在途 48)",
        "阈值: 20",
        "可售天数: 0.0 (日均销量 3.4)",
        "开始时间: 2026-03-01 16:00",
        "[接单] [误报] [已下单] [暂缓]",
    ]
    english = wecom_app.read(rendered(EVERY_KIND["first"], Language.ENGLISH)).text
    assert "[Acknowledge] [False alarm] [Ordered] [Snooze]" in english


def test_a_card_says_who_did_it_by_name_or_else_by_id() -> None:
    taken = {"event": "acknowledged", "revision": 2, "actor": "lin", "acknowledged_by": "lin"}
    for names, who in (({"lin": "林"}, "林"), ({}, "lin")):
        one = delivery(stock_alert(7, names=names, owner="lin", **taken))
        text = wecom_app.read(rendered(one)).text
        assert f"已接单 · {who} · " in text
        assert f"接单人: {who}\n" in text


def test_a_card_says_who_ended_it_by_hand_and_why() -> None:
    by = ENDED_BY_HAND | {"actor": "lin", "names": {"lin": "林"}, "note": "已盘点"}
    text = wecom_app.read(rendered(delivery(stock_alert(7, **by)))).text
    assert "【人工结束】#7" in text
    assert "人工结束 · 林 · " in text
    assert "备注: 已盘点" in text


def test_the_button_for_an_order_carries_what_is_proposed() -> None:
    facts = {"available": 0, "on_hand": 0, "low_water": 0, "proposed": 1_200}
    body = json.loads(rendered(delivery(stock_alert(7, facts=facts))))
    buttons = {each["key"]: each["text"] for each in body["template_card"]["button_list"]}
    assert buttons["ordered:1200"] == "已下单 1,200"


def test_a_message_goes_to_those_it_is_for_else_to_those_of_the_application() -> None:
    def people(one: Delivery) -> object:
        return json.loads(rendered(one))["touser"]

    assert people(delivery(stock_alert(to=[LIN, BOSS]))) == "lin"
    assert people(delivery(stock_alert(to=[BOSS]))) == "zhangsan"
    several = digest().model_copy(update={"to": stock_alert(to=[LIN]).to})
    assert people(delivery(several, Kind.DIGEST)) == "lin|zhangsan"
    alone = several.model_copy(update={"to_others": False})
    assert people(delivery(alone, Kind.DIGEST)) == "lin"


def test_no_two_messages_are_alike_and_each_is_like_itself() -> None:
    one = EVERY_KIND["acknowledged"]
    other = Delivery(**{name: getattr(one, name) for name in one.__slots__} | {"id": UUID(int=8)})
    assert rendered(one) == rendered(one)
    assert rendered(one) != rendered(other)


@pytest.mark.parametrize(
    ("errcode", "verdict"),
    [
        *[(code, Verdict.ACCEPTED) for code in (0, 42014)],
        *[(code, Verdict.TRANSIENT) for code in (-1, 6000, 45033, 45009, 40014, 42001)],
        *[
            (code, Verdict.PERMANENT)
            for code in (40003, 40013, 40033, 40056, 40058, 45002, 48002, 60020, 81013, 301002)
        ],
    ],
)
def test_the_errcode_decides_although_the_status_is_200(errcode: int, verdict: Verdict) -> None:
    body = json.dumps({"errcode": errcode, "errmsg": "ok"}).encode()
    assert judge(Answer(200, body)).verdict is verdict


def test_some_that_are_refused_are_named_and_the_message_has_arrived() -> None:
    body = b'{"errcode": 0, "invaliduser": "a|b", "unlicenseduser": "c", "response_code": "x"}'
    outcome = judge(Answer(200, body))
    assert outcome.verdict is Verdict.ACCEPTED
    assert outcome.receipt == "x"
    assert outcome.recipients is not None
    assert outcome.recipients.refused == ("a (invalid)", "b (invalid)", "c (no licence)")


def test_too_often_leaves_the_application_alone_for_a_minute() -> None:
    assert judge(Answer(200, b'{"errcode": 45009}')).lane_wait == timedelta(minutes=1)
    assert judge(Answer(200, b"{}")).verdict is Verdict.UNKNOWN
    assert judge(Answer(502, b"")).verdict is Verdict.TRANSIENT


def test_its_limit_is_below_the_vendors_two() -> None:
    (limit,) = WecomApp.limits
    assert limit.count <= 30
    minutes_that_an_hour_touches = 61
    assert limit.count * minutes_that_an_hour_touches <= 1_000
