import json
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from services.notifier.destinations.email import recipients_in
from services.notifier.destinations.kinds import Renderer
from services.notifier.domain.addresses import Email, WecomBot
from services.notifier.domain.contents import DigestLine
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.destinations import Language
from shared.events.stock_alerts import StockAlert
from shared.testing.unruly_http import Reply, Request
from shared.testing.wecom import PATH, FakeWecom
from tests.factories.stock_alerts import START, alert_id, stock_alert
from tests.unit.services.notifier.destinations.deliveries import (
    ACTED,
    ENDED_BY_HAND,
    EVERY_KIND,
    LONGEST,
    META,
    NOW,
    REQUESTED,
    TEST,
    delivery,
    destination,
    digest,
)

RENDERER = Renderer("http://console.example/")
KEY = "0f6b2a1c-6a5e-4f43-9f0a-6a0d5d6f7e11"
BOT = WecomBot(SecretStr(KEY), "https://wecom.example")
MAIL = Email(
    to=("buyer@example.com", "boss@example.com"),
    sender="Lowtide <lowtide@example.com>",
    host="mail.example",
    port=25,
)


def accepted(raw: bytes) -> str:
    """Return the content after the strict fake has taken it."""
    fake = FakeWecom({KEY})
    answer = fake.answer(Request("POST", PATH, {"key": KEY}, raw))
    assert isinstance(answer, Reply)
    assert json.loads(answer.body) == {"errcode": 0, "errmsg": "ok"}
    return fake.accepted[0].content


def markdown(one: Delivery, language: Language = Language.CHINESE) -> str:
    return accepted(RENDERER.render(one, destination(language, BOT), NOW))


def mail(one: Delivery, language: Language = Language.ENGLISH) -> EmailMessage:
    raw = RENDERER.render(one, destination(language, MAIL), NOW)
    return message_from_bytes(raw, policy=policy.default)


def part(message: EmailMessage, subtype: str) -> str:
    body = message.get_body((subtype,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


CHANGED: dict[str, dict[str, object]] = {
    "opened": {},
    "level_changed": {"revision": 2, "previous_level": "urgent"},
    "acknowledged": {"revision": 3, "acknowledged_by": "李雷", "note": "已下单 200 件"},
    "resolved": {"revision": 4, "occurred_at": START + timedelta(days=1, hours=2, minutes=3)},
}


def test_an_opening_says_what_where_how_bad_since_when_and_what_to_do() -> None:
    assert markdown(delivery(stock_alert(7))) == "\n".join(
        [
            '**<font color="warning">【断货】#7 蓝色马克杯</font>**',
            "> SKU：SKU-7",
            "> 仓库：UK",
            "> 可用库存：0 (在手 12, 在途 48)",
            "> 阈值：20",
            "> 可售天数：0.0 (日均销量 3.4)",
            "> 开始时间：2026-03-01 16:00 (Asia/Shanghai)",
            "> 规则：缺货",
            "> 建议：立即补货或从其他仓库调拨；到货前停止或下调各渠道的可售数量。",
            f"[查看详情](http://console.example/alerts/{alert_id(7)})",
        ]
    )


@pytest.mark.parametrize(
    ("event", "language", "said"),
    [
        ("level_changed", Language.CHINESE, ["【紧急 → 断货】#1", "立即补货"]),
        ("level_changed", Language.ENGLISH, ["[Urgent → Out of stock] #1", "Reorder now"]),
        ("acknowledged", Language.CHINESE, ["【已接单】#1", "接单人：李雷", "备注：已下单 200 件"]),
        ("acknowledged", Language.ENGLISH, ["[Acknowledged] #1", "Acknowledged by: 李雷"]),
        ("resolved", Language.CHINESE, ["【已恢复】#1", "持续：1 天 2 小时 3 分"]),
        ("resolved", Language.ENGLISH, ["[Resolved] #1", "Lasted: 1 d 2 h 3 min"]),
        (
            "opened",
            Language.ENGLISH,
            ["[Out of stock] #1", "Since: 2026-03-01 08:00 (Europe/London)"],
        ),
    ],
)
def test_each_event_is_told_in_both_languages(
    event: str, language: Language, said: list[str]
) -> None:
    text = markdown(delivery(stock_alert(1, event=event, **CHANGED[event])), language)
    for words in said:
        assert words.replace("[Acknowledged] #1", "Acknowledged") in text
    assert ("建议" in text or "What to do" in text) == (event in {"opened", "level_changed"})


@pytest.mark.parametrize(
    ("fields", "language", "head", "done"),
    [
        (ACTED, Language.CHINESE, "已下单", "采购 1,200 · LT-12 · 预计 2026-03-06 到货"),
        (ACTED, Language.ENGLISH, "Ordered", "Buy 1,200 · LT-12 · due 2026-03-06"),
        (REQUESTED, Language.CHINESE, "待批准", "采购 1,200"),
        (REQUESTED, Language.ENGLISH, "To approve", "Buy 1,200"),
        # A late request says how late in its head, and so how far it is in its line.
        (
            REQUESTED | {"event": "reminded"},
            Language.ENGLISH,
            "Still holds",
            "Buy 1,200 · To approve",
        ),
        (
            ACTED | {"action": {"id": UUID(int=1), "kind": "none", "state": "done"}},
            Language.ENGLISH,
            "Do nothing",
            "Do nothing",
        ),
        (
            ACTED
            | {
                "action": {
                    "id": UUID(int=1),
                    "kind": "transfer",
                    "state": "approved",
                    "quantity": 30,
                    "source": "SZ",
                }
            },
            Language.CHINESE,
            "已安排",
            "调拨 30 · 从 SZ 调入",
        ),
    ],
)
def test_what_is_done_about_an_alert_is_said(
    fields: dict[str, object], language: Language, head: str, done: str
) -> None:
    text = markdown(delivery(stock_alert(7, **fields), Kind.CHANGE), language)
    mark, label = (
        ("【{}】", "处理：") if language is Language.CHINESE else ("[{}] ", "What is done: ")
    )
    assert mark.format(head) in text
    assert f"> {label}{done}\n" in text


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (Language.CHINESE, ["【人工结束】#1", "结束人：林", "备注：已盘点，货在"]),
        (Language.ENGLISH, ["[Ended by hand] #1", "Ended by: 林", "Note: 已盘点，货在"]),
    ],
)
def test_an_end_by_hand_says_who_and_why_and_not_that_stock_is_back(
    language: Language, said: list[str]
) -> None:
    by = ENDED_BY_HAND | {"actor": "lin", "names": {"lin": "林"}, "note": "已盘点，货在"}
    ended = stock_alert(1, **by)
    text = markdown(delivery(ended), language)
    for words in said:
        assert words in text
    merged = digest((DigestLine(alert=ended),), 1)
    together = markdown(delivery(merged, Kind.DIGEST), language)
    assert said[0].split("#")[0].strip("【】[] ") in together
    assert "已盘点，货在" in together
    for each in (text, together):
        assert "已恢复" not in each
        assert "Resolved" not in each


def test_days_are_called_days_and_units_are_not() -> None:
    rule = {"id": "cover", "version": 1, "kind": "days_of_cover", "name": {"en": "Cover"}}
    text = markdown(delivery(stock_alert(rule=rule)), Language.ENGLISH)
    assert "Threshold: 20 days" in text


RUN: dict[str, object] = {
    "subject": "product",
    "sku": "T-1001",
    "sku_name": None,
    "warehouse": "online",
    "level": "watch",
    "facts": {
        "available": 41,
        "on_hand": 43,
        "low_water": 41,
        "threshold": 0.7,
        "options": {
            "in_stock": 3,
            "all": 12,
            "out": [{"sku": f"T-1001-{number}", "name": f"T {number}"} for number in range(9)],
        },
    },
}


@pytest.mark.parametrize(
    ("fields", "language", "said"),
    [
        ({"subject": "pool"}, Language.CHINESE, ["SKU：SKU-1", "库存池：UK", "可用库存：0"]),
        ({"subject": "pool"}, Language.ENGLISH, ["SKU: SKU-1", "Pool: UK", "Available: 0"]),
        (
            RUN,
            Language.CHINESE,
            [
                "【关注】#1 T-1001",
                "商品（款）：T-1001",
                "库存池：online",
                "规格：3 / 12 有货",
                "阈值：70%",
            ],
        ),
        (RUN, Language.ENGLISH, ["Product: T-1001", "Options: 3 of 12 in stock", "T 0 · T 1"]),
    ],
    ids=["pool-zh", "pool-en", "product-zh", "product-en"],
)
def test_a_notice_says_what_it_is_about(
    fields: dict[str, object], language: Language, said: list[str]
) -> None:
    text = markdown(delivery(stock_alert(1, **fields)), language)
    for words in said:
        assert words in text
    assert "仓库：" not in text
    assert "Warehouse" not in text


def dated(kind: str, **fields: object) -> StockAlert:
    """Return an opening with a late line, a run-out and a next arrival among its facts."""

    def line(days: float, reference: str) -> dict[str, object]:
        return {"quantity": 48, "due_at": START + timedelta(days=days), "reference": reference}

    facts = {
        "available": 7,
        "on_hand": 7,
        "low_water": 7,
        "incoming": 96,
        "runs_out_at": START + timedelta(days=2, hours=1),
        "next_arrival": line(4.5, "PO [9]"),
        "overdue": line(-3, "PO 7"),
    }
    rule = {"id": "r", "version": 1, "kind": kind, "name": {"en": "Rule"}}
    return stock_alert(1, rule=rule, level="urgent", **({"facts": facts} | fields))


def test_a_shortage_says_when_it_runs_out_and_what_arrives_next() -> None:
    text = markdown(delivery(dated("run_out_before_inbound")))
    assert (
        "> 可用库存：7 (在手 7, 在途 96)\n"
        "> 预计售罄：2026-03-03 17:00 (Asia/Shanghai)\n"
        "> 下次到货：2026-03-06 · 48 (PO (9))\n"
    ) in text
    assert "逾期" not in text
    english = markdown(delivery(dated("below")), Language.ENGLISH)
    assert "> Runs out: 2026-03-03 09:00 (Europe/London)\n> Next arrival: 2026-03-05 ·" in english


def test_an_overdue_purchase_is_named_with_its_day() -> None:
    text = markdown(delivery(dated("inbound_overdue")))
    assert "> 逾期到货：2026-02-26 · 48 (PO 7)\n> 下次到货：2026-03-06 · 48 " in text
    assert "售罄" not in text
    english = markdown(delivery(dated("inbound_overdue")), Language.ENGLISH)
    assert "> Overdue: 2026-02-26 · 48 (PO 7)\n" in english


def test_an_arrival_that_was_ahead_and_a_run_out_that_has_ended_are_told_no_more() -> None:
    later = START + timedelta(days=5)
    reminded = dated("below", event="reminded", revision=2, occurred_at=later)
    assert "下次到货" not in markdown(delivery(reminded))
    resolved = dated("below", event="resolved", revision=2)
    assert "售罄" not in markdown(delivery(resolved, Kind.CHANGE))


def test_people_are_called_by_name_or_else_by_id() -> None:
    people = {"acknowledged_by": "lin", "owner": "erp", "event": "acknowledged", "revision": 2}
    alert = stock_alert(1, names={"lin": "林"}, **people)
    text = markdown(delivery(alert, Kind.CHANGE))
    assert "> 接单人：林\n" in text
    assert "> 负责人：erp\n" in text


def test_a_doubt_says_why() -> None:
    facts = {
        "available": -2,
        "on_hand": -2,
        "low_water": -2,
        "doubts": {
            "flags": ["negative", "newer_flag"],
            "count_days": 1_040,
            "silent": [f"till-{number}" for number in range(4)],
        },
    }
    alert = stock_alert(level="watch", facts=facts)
    assert (
        "> 存疑原因：在手为负 · newer_flag · 上次盘点在 1,040 天前 · "
        "渠道 till-0, till-1, till-2… 没有消息\n"
    ) in markdown(delivery(alert))
    english = markdown(delivery(alert), Language.ENGLISH)
    assert (
        "> In doubt because: less than nothing on hand · newer_flag · last counted 1,040 days ago "
        "· nothing heard of channel till-0, till-1, till-2…\n"
    ) in english
    assert "In doubt" not in markdown(delivery(stock_alert()), Language.ENGLISH)


def test_only_some_options_that_are_out_are_named() -> None:
    text = markdown(delivery(stock_alert(1, **RUN)), Language.ENGLISH)
    assert "T 7…" in text
    assert "T 8" not in text


def test_large_and_broken_numbers_are_written_out() -> None:
    facts = {"available": -1_234_567, "on_hand": 0, "low_water": 0, "threshold": 1_234_567.5}
    text = markdown(delivery(stock_alert(facts=facts)), Language.ENGLISH)
    assert "Available: -1,234,567 (on hand 0)" in text
    assert "Threshold: 1,234,567.5" in text


def test_a_possible_duplicate_is_marked_and_keeps_its_number() -> None:
    text = markdown(delivery(stock_alert(7), duplicate_possible=True))
    assert text.startswith('**<font color="warning">【可能重复】【断货】#7 ')
    english = mail(delivery(stock_alert(7), duplicate_possible=True))
    assert english["Subject"] == "[Possible duplicate] [Out of stock] #7 蓝色马克杯"


def test_a_name_cannot_ring_phones_or_fake_links() -> None:
    evil = stock_alert(sku_name="<@all> [登录](http://evil.example) **`x`**\n> 假行\u2028")
    text = markdown(delivery(evil))
    assert "<@all>" not in text
    assert "[登录]" not in text
    assert "\n> 假行" not in text
    assert text.count("](") == 1


def test_html_shows_markup_of_others_as_text() -> None:
    message = mail(delivery(stock_alert(sku_name="<script>alert(1)</script>")))
    assert "<script>" not in part(message, "html")
    assert "&lt;script&gt;" in part(message, "html")


def test_a_mail_has_both_parts_and_threads_under_the_first_notice() -> None:
    first = mail(delivery(stock_alert(7)))
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["To"] == "buyer@example.com, boss@example.com"
    assert first["References"] is None
    for form in ("plain", "html"):
        assert f"http://console.example/alerts/{alert_id(7)}" in part(first, form)
        assert "Available" in part(first, form)
    change = mail(delivery(stock_alert(7, revision=2, event="resolved"), Kind.CHANGE))
    assert change["References"] == change["In-Reply-To"] == first["Message-ID"]
    assert change["Message-ID"] != first["Message-ID"]


@pytest.mark.parametrize("name", EVERY_KIND)
def test_what_names_nobody_is_mailed_to_the_fixed_addresses_whatever_it_is(name: str) -> None:
    personal = destination(Language.ENGLISH, replace(MAIL, personal=True))
    raw = RENDERER.render(EVERY_KIND[name], personal, NOW)
    assert recipients_in(raw) == MAIL.to


def test_the_same_delivery_renders_to_the_same_bytes() -> None:
    for target in (destination(Language.CHINESE, BOT), destination(Language.ENGLISH, MAIL)):
        one = delivery(stock_alert())
        assert RENDERER.render(one, target, NOW) == RENDERER.render(one, target, NOW)


@pytest.mark.parametrize("language", list(Language))
def test_a_digest_counts_by_level_and_fills_the_message_with_the_worst(language: Language) -> None:
    text = markdown(delivery(digest(), Kind.DIGEST), language)
    shown = text.count("/alerts/")
    size = len(text.encode())
    assert 10 < shown < 40
    assert WecomBot.longest_bytes - 400 < size <= WecomBot.longest_bytes
    assert "#1 " in text
    assert f"{3_000 - shown:,}" in text
    for count in ("3,456", "1,000", "1,500", "500", "456"):
        assert count in text
    assert text.endswith("(http://console.example/alerts)")


def test_a_small_digest_shows_all_and_marks_possible_duplicates() -> None:
    lines = (
        DigestLine(alert=stock_alert(1), duplicate_possible=True),
        DigestLine(alert=stock_alert(2)),
    )
    text = markdown(delivery(digest(lines, 2), Kind.DIGEST))
    assert text.count("可能重复") == 1
    assert "未列出" not in text


def test_a_mail_digest_lists_every_line_it_has() -> None:
    message = mail(delivery(digest(), Kind.DIGEST))
    for form in ("plain", "html"):
        assert part(message, form).count("/alerts/") == 40


@pytest.mark.parametrize("language", list(Language))
def test_notes_are_rendered_in_both_forms(language: Language) -> None:
    for one, words in ((TEST, "anna"), (META, "errcode 93000")):
        assert words in markdown(one, language)
        assert words in part(mail(one, language), "plain")
        assert words in part(mail(one, language), "html")


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=3_000)
_CODE = st.text(
    st.characters(exclude_characters="|", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=128
)


@settings(deadline=None, max_examples=60)
@given(name=_TEXT, note=_TEXT, rule=_TEXT, by=_TEXT, sku=_CODE, warehouse=_CODE)
@pytest.mark.parametrize("language", list(Language))
def test_whatever_people_typed_the_message_is_accepted_and_keeps_its_link(
    language: Language, name: str, note: str, rule: str, by: str, sku: str, warehouse: str
) -> None:
    alert = stock_alert(
        sku=sku,
        sku_name=name,
        warehouse=warehouse,
        note=note,
        acknowledged_by=by,
        rule={"id": "r", "version": 1, "kind": "below", "name": {"zh-CN": rule, "en": rule}},
    )
    text = markdown(delivery(alert), language)
    assert text.endswith(f"(http://console.example/alerts/{alert.alert_id})")
    message = mail(delivery(alert), language)
    assert str(alert.alert_id) in part(message, "html")


@pytest.mark.parametrize("language", list(Language))
def test_the_longest_of_everything_still_fits(language: Language) -> None:
    alert = LONGEST
    for number, duplicate in ((1, False), (2, True)):
        text = markdown(
            delivery(alert.model_copy(update={"revision": number}), duplicate_possible=duplicate),
            language,
        )
        assert text.endswith(f"/alerts/{alert.alert_id})")
    lines = tuple(DigestLine(alert=alert) for _ in range(40))
    assert "/alerts)" in markdown(delivery(digest(lines), Kind.DIGEST), language)
