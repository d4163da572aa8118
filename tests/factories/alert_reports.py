"""Reports for tests."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from shared.events.alert_reports import (
    AlertReport,
    Brief,
    Figures,
    GroupFigures,
    OutOfStock,
    ReportKind,
    Review,
    Share,
    Spans,
)

MONDAY = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)

WEEK = Figures(
    alerts=12,
    to_acknowledge=Spans(count=8, mean=95, median=31),
    to_resolve=Spans(count=5, mean=1_440, median=900),
    within_sla=Share(part=6, whole=8),
    escalations=2,
    right=Share(part=3, whole=4),
    prevented=4,
    met_late=2,
    missed=1,
    warning_days=Spans(count=6, mean=2.5, median=2),
    lost_units=14,
    lost_money=Decimal(560),
)


def brief(listed: int = 1, *, name: str = "蓝色马克杯", code: str = "MUG-BLUE") -> AlertReport:
    """Return a daily brief that lists so many stock-outs."""
    out = OutOfStock(
        sku=code,
        sku_name=name,
        warehouse=code,
        since=MONDAY - timedelta(hours=26),
        lost_units=11,
        lost_money=Decimal(429),
    )
    return AlertReport(
        report_id=UUID(int=1),
        kind=ReportKind.DAILY_BRIEF,
        schedule="boss",
        destinations=("boss",),
        from_at=MONDAY - timedelta(days=1),
        to_at=MONDAY,
        recorded_at=MONDAY,
        brief=Brief(
            stock_outs=listed,
            units_at_risk=120,
            money_at_risk=Decimal(4_680),
            overdue_alerts=2,
            unowned_alerts=1,
            units_overstocked=900,
            data_doubts=3,
            open_cases=1,
            overdue_measures=5,
            worst=(out,) * listed,
        ),
    )


def review(listed: int = 1, *, owner: str = "lin", name: str | None = None) -> AlertReport:
    """Return a weekly review that lists so many owners."""
    before = WEEK.model_copy(update={"alerts": 20})
    return AlertReport(
        report_id=UUID(int=2),
        kind=ReportKind.WEEKLY_REVIEW,
        schedule="boss",
        destinations=("boss",),
        from_at=MONDAY - timedelta(days=7),
        to_at=MONDAY,
        recorded_at=MONDAY,
        review=Review(
            now=WEEK,
            before=before,
            by_owner=(GroupFigures(group=owner, name=name, figures=WEEK),) * listed,
            open_cases=1,
            overdue_measures=0,
        ),
    )
