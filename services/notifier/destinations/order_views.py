"""Orders as mails are filled with them: for the supplier, in its language and on its clock."""

from dataclasses import replace

from services.notifier.destinations.order_words import ORDER_WORDS
from services.notifier.destinations.views import Line, Phrasing, View
from services.notifier.domain.contents import FailedOrder
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.destinations import Language
from shared.events.alert_reports import AlertReport, PurchaseOrder
from shared.events.stock_alerts import AlertLevel

LINK_PLACE = "supplier-link:"
"""Stands in a written mail where the link belongs, which is put there when the mail leaves."""


def order_in(delivery: Delivery) -> tuple[AlertReport, PurchaseOrder]:
    """Return the report that a delivery mails, and its order. Raises ValueError for any other."""
    report = AlertReport.model_validate_json(delivery.content)
    if report.order is None:
        raise ValueError("no order")
    return report, report.order


def sealed_link(delivery: Delivery) -> str | None:
    """Return the link that belongs into a delivery as it leaves, sealed; None without one."""
    return order_in(delivery)[1].link if delivery.kind is Kind.ORDER else None


def for_supplier(order: PurchaseOrder, phrasing: Phrasing) -> Phrasing:
    """Return how texts are put for a supplier."""
    return replace(phrasing, language=Language(order.language), timezone=order.timezone)


def order_view(
    report: AlertReport, order: PurchaseOrder, phrasing: Phrasing, *, possible_duplicate: bool
) -> View:
    """Return the view of an order's mail; `phrasing` is the supplier's."""
    words = ORDER_WORDS[phrasing.language]
    mark = phrasing.words.mark.format(phrasing.words.possible_duplicate)
    has_link = order.link is not None
    lines = [
        Line(words.reference, phrasing.typed(order.reference)),
        Line(words.placed, phrasing.moment(report.to_at)),
        Line(words.lines, f"{order.lines:,}"),
    ]
    if order.link_until is not None:
        lines.append(Line(words.until, phrasing.moment(order.link_until)))
    return View(
        title=(mark if possible_duplicate else "") + words.title.format(order.reference),
        level="",
        lines=lines,
        link=words.confirm if has_link else "",
        url=LINK_PLACE if has_link else "",
        paragraphs=((words.sheet_and_link if has_link else words.sheet_alone).format(order.lines),),
    )


def failed_order_view(failed: FailedOrder, detail: str, phrasing: Phrasing) -> View:
    """Return the view of a note to buyers that an order did not reach its supplier."""
    words = ORDER_WORDS[phrasing.language]
    body = words.failed_body.format(
        *map(phrasing.typed, (failed.reference, failed.supplier_name, failed.address, detail))
    )
    return View(
        title=words.failed.format(phrasing.typed(failed.reference)),
        level=AlertLevel.URGENT.value,
        lines=(),
        link=words.to_order,
        url=f"{phrasing.console_url}/orders/{failed.id}",
        paragraphs=(body, words.failed_advice),
    )
