"""Previews: what would be sent, without sending it."""

import json
from datetime import timedelta
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
    (AlertEvent.ACTED, "zh-CN"): "处理进展",
    (AlertEvent.ACTED, "en"): "In progress",
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


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("kind", list(DestinationKind))
async def test_every_event_can_be_seen_in_every_form_and_language(
    notifier: Notifier, kind: DestinationKind, language: Language
) -> None:
    for event in AlertEvent:
        asked = {"kind": kind, "language": language, "sample": event.value}
        answer = (await preview(notifier, **asked)).json()
        head = f"stock.alert.{event}" if kind == "webhook" else HEADS[event, language.value]
        assert head in answer["text"]
        assert answer["longest_bytes"] == ADDRESSES[kind].longest_bytes
        assert 100 < answer["counted_bytes"] <= (answer["longest_bytes"] or 10_000)
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


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "fax"}, "kind"),
        ({"language": "xx"}, "language"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"sample": "born"}, "sample"),
        ({"alert": {"number": 1}}, "alert"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_what_cannot_be_shown_is_refused_with_the_field(
    notifier: Notifier, change: dict[str, object], field: str
) -> None:
    body: dict[str, object] = {"kind": "slack", "language": "en"}
    answer = await preview(notifier, **body | change)
    assert answer.status_code == 422
    assert all(each["field"].startswith(field) for each in answer.json()["errors"])


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


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("kind", list(DestinationKind))
async def test_every_report_can_be_seen_in_every_form_and_language(
    notifier: Notifier, kind: DestinationKind, language: Language
) -> None:
    for sample, zh, en in (
        ("daily_brief", "库存日报", "Stock brief"),
        ("weekly_review", "预警复盘周报", "Review of alerts"),
    ):
        asked = {"kind": kind, "language": language, "sample": sample}
        answer = (await notifier.client.post("/v1/reports/preview", json=asked)).json()
        head = zh if language is Language.CHINESE else en
        assert (f"stock.report.{sample}" if kind == "webhook" else head) in answer["text"]


async def test_a_report_at_the_end_of_the_calendar_is_shown(notifier: Notifier) -> None:
    late = brief().model_dump(mode="json") | {"to_at": "9999-12-31T23:59:59Z"}
    asked = {"kind": "email", "language": "zh-CN", "report": late}
    answer = await notifier.client.post("/v1/reports/preview", json=asked)
    assert (answer.status_code, "9999-12-31" in answer.text) == (200, True)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"timezone": "Moon"}, "report.order.timezone"),
        ({"timezone": "Asia"}, "report.order.timezone"),
        ({"to": "orders@acme.example\r\nBcc: all@acme.example"}, "report.order.to"),
        ({"to": "orders@"}, "report.order.to"),
        ({"reference": "LT\u202812"}, None),
    ],
)
async def test_an_order_that_cannot_be_mailed_is_refused_and_why_is_said(
    notifier: Notifier, change: dict[str, str], field: str | None
) -> None:
    report = json.loads(ORDER)
    asked = {"kind": "email", "language": "zh-CN", "report": report}
    assert (await notifier.client.post("/v1/reports/preview", json=asked)).status_code == 200
    report["order"] |= change
    answer = await notifier.client.post("/v1/reports/preview", json=asked)
    assert answer.status_code == 422
    if field is None:
        assert answer.json()["type"] == "urn:lowtide:problem:unwritable"
    else:
        assert [each["field"] for each in answer.json()["errors"]] == [field]


async def test_a_report_whose_figures_cannot_be_written_is_refused_and_why_is_said(
    notifier: Notifier,
) -> None:
    report = review().model_dump(mode="json")
    report["review"]["now"]["to_acknowledge"]["mean"] = 1e300
    asked = {"kind": "slack", "language": "en", "report": report}
    answer = await notifier.client.post("/v1/reports/preview", json=asked)
    assert answer.status_code == 422
    assert "1e+300 minutes are longer than any calendar" in answer.json()["detail"]
