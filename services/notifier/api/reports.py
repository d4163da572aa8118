"""`/v1/reports`: how a report would look, without sending it."""

from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus

from fastapi import APIRouter

from services.notifier.api.desk import AtDesk
from services.notifier.api.destinations import Reader
from services.notifier.api.manners import Zone
from services.notifier.api.templates import SAMPLE_ID, SAMPLE_NAMES, Look, PreviewAnswer, previewed
from services.notifier.domain.addresses import DestinationKind
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.destinations import Language
from shared.events.alert_reports import (
    AlertReport,
    Brief,
    Figures,
    GroupFigures,
    OutOfStock,
    PurchaseOrder,
    ReportKind,
    Review,
    Share,
    Spans,
)
from shared.http.problems import Problem
from shared.mail_addresses import MailAddress

router = APIRouter(prefix="/v1/reports", tags=["reports"])


class ShownOrder(PurchaseOrder):
    """An order as it would be mailed: to an address, on a clock."""

    to: MailAddress
    timezone: Zone


class ShownReport(AlertReport):
    """A report to be shown, an order with it."""

    order: ShownOrder | None = None


class ReportPreviewBody(Look):
    """What to show: a report of your own, or the built-in sample of a kind of report.

    `timezone` is that of the times in the message, as with a destination.
    """

    sample: ReportKind = ReportKind.DAILY_BRIEF
    report: ShownReport | None = None


@router.post("/preview", dependencies=[Reader])
async def preview_report(desk: AtDesk, body: ReportPreviewBody) -> PreviewAnswer:
    """Render a report for a kind of destination and a language; an order, for its supplier."""
    now = desk.clock.now()
    report = body.report or _sample(body.sample, body.language, now)
    if report.order is not None and body.kind is not DestinationKind.EMAIL:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "not_by_mail",
            "Orders go to suppliers by mail alone; ask for the kind email.",
        )
    delivery = Delivery(
        id=SAMPLE_ID,
        kind=Kind.REPORT if report.order is None else Kind.ORDER,
        alert_id=None,
        alert_number=None,
        event=None,
        content=report.model_dump_json(),
        attempts=1,
        duplicate_possible=False,
        has_first=False,
    )
    return previewed(desk, delivery, body)


def _sample(kind: ReportKind, language: Language, now: datetime) -> AlertReport:
    is_brief = kind is ReportKind.DAILY_BRIEF
    is_order = kind is ReportKind.PURCHASE_ORDER
    return AlertReport(
        report_id=SAMPLE_ID,
        kind=kind,
        schedule="preview",
        destinations=("preview",),
        from_at=now - timedelta(days=1 if is_brief else 7),
        to_at=now,
        recorded_at=now,
        brief=_brief(language, now) if is_brief else None,
        review=_REVIEW if kind is ReportKind.WEEKLY_REVIEW else None,
        order=_order(language, now) if is_order else None,
    )


def _brief(language: Language, now: datetime) -> Brief:
    mug = OutOfStock(
        sku="MUG-BLUE",
        sku_name=SAMPLE_NAMES[language],
        warehouse="SH-01",
        since=now - timedelta(hours=26),
        lost_units=11,
        lost_money=Decimal(429),
    )
    return Brief(
        stock_outs=1,
        units_at_risk=120,
        money_at_risk=Decimal(4680),
        overdue_alerts=2,
        unowned_alerts=1,
        units_overstocked=900,
        money_overstocked=Decimal(12600),
        data_doubts=3,
        open_cases=1,
        overdue_measures=0,
        worst=(mug,),
    )


def _order(language: Language, now: datetime) -> PurchaseOrder:
    return PurchaseOrder(
        id=SAMPLE_ID,
        reference="LT-12",
        supplier="ACME",
        supplier_name="Acme",
        to="orders@acme.example",
        language="zh-CN" if language is Language.CHINESE else "en",
        timezone=language.timezone,
        lines=3,
        sheet=b"",
        link="",
        link_until=now + timedelta(days=30),
    )


_WEEK = Figures(
    alerts=42,
    to_acknowledge=Spans(count=38, mean=54, median=31),
    to_resolve=Spans(count=35, mean=2_160, median=1_500),
    within_sla=Share(part=33, whole=40),
    escalations=4,
    right=Share(part=17, whole=20),
    prevented=9,
    met_late=2,
    missed=1,
    warning_days=Spans(count=11, mean=3.4, median=3),
    lost_units=64,
    lost_money=Decimal(2496),
)
_REVIEW = Review(
    now=_WEEK,
    before=_WEEK.model_copy(update={"alerts": 51, "escalations": 7, "missed": 3}),
    by_owner=(GroupFigures(group="lin", figures=_WEEK), GroupFigures(group=None, figures=_WEEK)),
    open_cases=1,
    overdue_measures=1,
)
