"""A purchase order as an XLSX sheet, for the supplier's own system."""

import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from services.alerting.domain.suppliers import Supplier
from services.alerting.store.orders import StoredOrder, wanted
from services.alerting.store.stored_action import StoredAction, reference_of

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Cell = str | int | float | datetime | Decimal | None

_HEADS = {
    "zh-CN": ("行号", "货号", "品名", "收货仓库", "数量", "单价", "金额", "要求到货", "确认数量"),
    "en": (
        "Line",
        "SKU",
        "Name",
        "Deliver to",
        "Quantity",
        "Unit cost",
        "Amount",
        "Due",
        "Confirmed",
    ),
}
_TITLES = {
    "zh-CN": ("采购订单", "供应商", "下单时间"),
    "en": ("Purchase order", "Supplier", "Placed"),
}


def sheet(order: StoredOrder, lines: Sequence[StoredAction], supplier: Supplier | None) -> bytes:
    """Return an order as a workbook of one sheet.

    Whatever a text says, a cell of it is a text: names come from many hands, and a program that
    opens the sheet must not take one for a formula.
    """
    language = "zh-CN" if supplier is None else supplier.language
    zone = ZoneInfo("UTC" if supplier is None else supplier.timezone)
    number, by, placed = _TITLES[language]
    workbook = Workbook(write_only=True)
    page = workbook.create_sheet(reference_of(order.number))
    name = order.supplier if supplier is None else supplier.name
    _append(page, (number, reference_of(order.number)))
    _append(page, (by, name))
    _append(page, (placed, _local(order.placed_at, zone)))
    _append(page, ())
    _append(page, _HEADS[language])
    for line in wanted(lines):
        _append(page, _row(line, zone))
    written = io.BytesIO()
    workbook.save(written)
    return written.getvalue()


def _row(line: StoredAction, zone: ZoneInfo) -> tuple[Cell, ...]:
    return (
        line.line,
        line.sku,
        line.sku_name,
        line.warehouse,
        line.quantity,
        line.unit_cost,
        line.cost,
        _local(line.due_at, zone),
        line.confirmed_quantity,
    )


def _append(page: WriteOnlyWorksheet, values: Iterable[Cell]) -> None:
    page.append([_cell(page, value) for value in values])


def _cell(page: WriteOnlyWorksheet, value: Cell) -> object:
    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(page, ILLEGAL_CHARACTERS_RE.sub(" ", value))
    cell.data_type = "s"
    # Says to a program that whoever edits the cell does not make a formula of it either.
    cell.quotePrefix = True
    return cell


def _local(instant: datetime | None, zone: ZoneInfo) -> datetime | None:
    """Return an instant as sheets have it: without a zone, in the supplier's."""
    return None if instant is None else instant.astimezone(zone).replace(tzinfo=None, microsecond=0)
