"""`alert.reports`: the daily brief, the weekly review, and orders for suppliers; one message each.

Key: the report's id, which a repeated message has again. Figures, not texts: who sends it puts
it into the language of each destination, or of the supplier. Money is in the currency of the
prices; None where none is known.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Base64Bytes, Field, model_validator

from shared.events.base import Code, Event, Instant
from shared.events.stock_alerts import Recipient

TOPIC = "alert.reports"
VERSION = 1

LONGEST_LIST = 20
"""Lines of a report at the most: it is to be read, the console has the rest."""


class ReportKind(StrEnum):
    """What there is to be read regularly."""

    DAILY_BRIEF = "daily_brief"
    """How things stand, for who answers for all of it."""
    WEEKLY_REVIEW = "weekly_review"
    """How warnings were dealt with (复盘)."""
    PURCHASE_ORDER = "purchase_order"
    """A purchase order, for the supplier alone."""


SCHEDULED = (ReportKind.DAILY_BRIEF, ReportKind.WEEKLY_REVIEW)
"""What is made by schedule."""


class OutOfStock(Event):
    """A level with nothing left: since when, and what was lost by it so far, as far as known."""

    sku: Code
    sku_name: str | None = None
    warehouse: Code
    since: Instant
    lost_units: float | None = None
    lost_money: Decimal | None = None


class Brief(Event):
    """How things stand at one moment; `worst` are the stock-outs that lose most."""

    stock_outs: int
    units_at_risk: float
    money_at_risk: Decimal | None = None
    overdue_alerts: int
    unowned_alerts: int
    units_overstocked: float
    money_overstocked: Decimal | None = None
    data_doubts: int
    open_cases: int
    overdue_measures: int
    worst: tuple[OutOfStock, ...] = ()


class Spans(Event):
    """How long something took: so many were measured; minutes, None of none."""

    count: int
    mean: float | None = None
    median: float | None = None


class Share(Event):
    """How many of how many."""

    part: int
    whole: int


class Figures(Event):
    """How warnings were dealt with in a period, by all or by one group."""

    alerts: int
    to_acknowledge: Spans
    to_resolve: Spans
    within_sla: Share
    escalations: int
    right: Share
    """Of the alerts on which somebody said whether they were right, those that were."""
    retracted: int = 0
    """Alerts of what turned out never to have been: neither recovered nor prevented."""
    prevented: int
    """Stock-outs that a warning came before and that did not come."""
    met_late: int
    """Stock-outs that a warning came before."""
    missed: int
    """Stock-outs that no warning came before."""
    warning_days: Spans
    """Days (not minutes) between the first warning and the stock-out, prevented or met."""
    lost_units: float
    lost_money: Decimal | None = None


class GroupFigures(Event):
    """The figures of one group; None: of what belongs to none."""

    group: str | None
    name: str | None = None
    """Of an owner who is a person."""
    figures: Figures


class Review(Event):
    """The figures of a period, those of the one before, and by owner."""

    now: Figures
    before: Figures
    by_owner: tuple[GroupFigures, ...] = ()
    open_cases: int
    overdue_measures: int


class PurchaseOrder(Event):
    """An order for its supplier, to whom it is mailed through a destination's server.

    `sheet` is an XLSX workbook. `link` is where the supplier confirms the lines, until
    `link_until`: sealed (`shared.sealing`), since whoever has it may confirm them. `buyers` are
    told when it cannot be delivered.
    """

    id: UUID
    reference: Code
    supplier: Code
    supplier_name: str
    to: str
    language: Literal["zh-CN", "en"]
    timezone: str
    lines: int
    sheet: Base64Bytes
    link: str | None = None
    link_until: Instant | None = None
    buyers: tuple[Recipient, ...] = ()


class AlertReport(Event):
    """A report for some destinations of the notifier; it speaks of [`from_at`, `to_at`).

    Those of an order are when its first line was collected and when it was placed; it has no
    `schedule`.
    """

    v: Literal[1] = 1
    report_id: UUID
    kind: ReportKind
    schedule: Code | None = None
    destinations: Annotated[tuple[Code, ...], Field(max_length=100)]
    from_at: Instant
    to_at: Instant
    recorded_at: Instant
    brief: Brief | None = None
    review: Review | None = None
    order: PurchaseOrder | None = None

    @model_validator(mode="after")
    def _has_its_figures(self) -> "AlertReport":
        there = {
            ReportKind.DAILY_BRIEF: self.brief,
            ReportKind.WEEKLY_REVIEW: self.review,
            ReportKind.PURCHASE_ORDER: self.order,
        }
        if there[self.kind] is None:
            raise ValueError("the figures of this kind of report are missing")
        return self
