"""Previews: what would be sent, without sending it."""

import json
from datetime import timedelta
from itertools import product
from pathlib import Path

import httpx
import pytest

from services.notifier.domain.addresses import ADDRESSES, DestinationKind
from services.notifier.domain.destinations import Language
from shared.events.stock_alerts import AlertEvent
from shared.http.auth import Scope
from shared.http.tokens import mint
from tests.factories.alert_reports import brief, review
from tests.factories.stock_alerts import stock_alert
from tests.integration.notifier.service import Notifier

pytestmark = pytest.mark.stack

ORDER = Path("tests/contract/samples/alert.reports/v1/purchase_order.json").read_text("utf-8")

HEADS = {
    (AlertEvent.OPENED, "zh-CN"): "断货",
    (AlertEvent.OPENED, "en"): "Out of stock",
    (AlertEvent.LEVEL_CHANGED, "zh-CN"): "紧急 → 断货",
    (AlertEvent.LEVEL_CHANGED, "en"): "Urgent → Out of stock",
    (AlertEvent.ACKNOWLEDGED, "zh-CN"): "已接单",
    (AlertEvent.ACKNOWLEDGED, "en"): "Acknowledged",
    (AlertEvent.ASSIGNED, "zh-CN"): "已指派",
    (AlertEvent.ASSIGNED, "en"): "Assigned",
    (AlertEvent.SNOOZED, "zh-CN"): "已暂缓",
    (AlertEvent.SNOOZED, "en"): "Snoozed",
    (AlertEvent.REMINDED, "zh-CN"): "仍未恢复",
    (AlertEvent.REMINDED, "en"): "Still holds",
    (AlertEvent.ESCALATED, "zh-CN"): "已升级",
    (AlertEvent.ESCALATED, "en"): "Escalated",
    (AlertEvent.ACTED, "zh-CN"): "已下单",
    (AlertEvent.ACTED, "en"): "Ordered",
    (AlertEvent.FEEDBACK, "zh-CN"): "已反馈",
    (AlertEvent.FEEDBACK, "en"): "Feedback",
    (AlertEvent.REFUSED, "zh-CN"): "操作未生效",
    (AlertEvent.REFUSED, "en"): "Nothing changed",
    (AlertEvent.RETRACTED, "zh-CN"): "已撤回",
    (AlertEvent.RETRACTED, "en"): "Withdrawn",
    (AlertEvent.RESOLVED, "zh-CN"): "已恢复",
    (AlertEvent.RESOLVED, "en"): "Resolved",
}


async def preview(notifier: Notifier, **body: object) -> httpx.Response:
    return await notifier.client.post("/v1/templates/preview", json=body)


async def test_every_event_can_be_seen_in_every_form_and_language(notifier: Notifier) -> None:
    for kind, language, event in product(DestinationKind, Language, AlertEvent):
        asked = {"kind": kind, "language": language, "sample": event.value}
        answer = (await preview(notifier, **asked)).json()
        head = f"stock.alert.{event}" if kind == "webhook" else HEADS[event, language.value]
        assert head in answer["text"], asked
        assert answer["longest_bytes"] == ADDRESSES[kind].longest_bytes, asked
        assert 100 < answer["counted_bytes"] <= (answer["longest_bytes"] or 10_000), asked
    assert await notifier.states() == []


async def test_an_alert_of_ones_own_is_shortened_as_it_would_be(notifier: Notifier) -> None:
    alert = stock_alert(7, sku_name="杯" * 3_000, note="长" * 3_000)
    answer = await preview(
        notifier,
        kind="wecom_bot",
        language="zh-CN",
        alert=alert.model_dump(mode="json"),
        possible_duplicate=True,
        timezone="Europe/London",
    )
    said = answer.json()
    assert said["longest_bytes"] == 4_096
    assert said["counted_bytes"] == len(said["text"].encode()) <= 4_096
    assert said["text"].startswith('**<font color="warning">【可能重复】【断货】#7 杯杯')
    assert "…" in said["text"]
    assert "08:00 (Europe/London)" in said["text"]


async def test_what_cannot_be_shown_is_refused_with_the_field(notifier: Notifier) -> None:
    body: dict[str, object] = {"kind": "slack", "language": "en"}
    wrong: dict[str, object] = {
        "kind": "fax",
        "language": "xx",
        "timezone": "Mars/Olympus",
        "sample": "born",
        "alert": {"number": 1},
        "surprise": 1,
    }
    for field, value in wrong.items():
        answer = await preview(notifier, **body | {field: value})
        assert answer.status_code == 422, field
        assert all(each["field"].startswith(field) for each in answer.json()["errors"]), field


async def test_whoever_may_read_alerts_may_look(notifier: Notifier) -> None:
    for scopes, status in (([Scope.ALERTS_READ], 200), ([], 403)):
        token = mint(
            notifier.key,
            subject="reader",
            scopes=scopes,
            now=notifier.clock.now(),
            lifetime=timedelta(hours=1),
        )
        answer = await notifier.client.post(
            "/v1/templates/preview",
            json={"kind": "slack", "language": "en"},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == status


async def test_every_report_can_be_seen_in_every_form_and_language(notifier: Notifier) -> None:
    heads = {
        ("daily_brief", Language.CHINESE): "库存日报",
        ("daily_brief", Language.ENGLISH): "Stock brief",
        ("weekly_review", Language.CHINESE): "预警复盘周报",
        ("weekly_review", Language.ENGLISH): "Review of alerts",
    }
    for kind, ((sample, language), head) in product(DestinationKind, heads.items()):
        asked = {"kind": kind, "language": language, "sample": sample}
        answer = (await notifier.client.post("/v1/reports/preview", json=asked)).json()
        wanted = f"stock.report.{sample}" if kind == "webhook" else head
        assert wanted in answer["text"], asked


async def test_a_report_at_the_end_of_the_calendar_is_shown(notifier: Notifier) -> None:
    late = brief().model_dump(mode="json") | {"to_at": "9999-12-31T23:59:59Z"}
    asked = {"kind": "email", "language": "zh-CN", "report": late}
    answer = await notifier.client.post("/v1/reports/preview", json=asked)
    assert (answer.status_code, "9999-12-31" in answer.text) == (200, True)


async def test_an_order_that_cannot_be_mailed_is_refused_and_why_is_said(
    notifier: Notifier,
) -> None:
    report = json.loads(ORDER)
    asked = {"kind": "email", "language": "zh-CN", "report": report}
    assert (await notifier.client.post("/v1/reports/preview", json=asked)).status_code == 200
    for column, value in (
        ("timezone", "Moon"),
        ("timezone", "Asia"),
        ("to", "orders@acme.example\r\nBcc: all@acme.example"),
        ("to", "orders@"),
    ):
        wrong = report | {"order": report["order"] | {column: value}}
        answer = await notifier.client.post("/v1/reports/preview", json=asked | {"report": wrong})
        assert answer.status_code == 422, value
        assert [each["field"] for each in answer.json()["errors"]] == [f"report.order.{column}"]
    report["order"]["reference"] = "LT\u202812"
    answer = await notifier.client.post("/v1/reports/preview", json=asked)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:lowtide:problem:unwritable"


async def test_a_report_whose_figures_cannot_be_written_is_refused_and_why_is_said(
    notifier: Notifier,
) -> None:
    report = review().model_dump(mode="json")
    report["review"]["now"]["to_acknowledge"]["mean"] = 1e300
    asked = {"kind": "slack", "language": "en", "report": report}
    answer = await notifier.client.post("/v1/reports/preview", json=asked)
    assert answer.status_code == 422
    assert "1e+300 minutes are longer than any calendar" in answer.json()["detail"]
