"""The review as a workbook: a sheet of the period, a line for all and one for each group."""

import io
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet

from shared.events.alert_reports import Figures, GroupFigures, Share

MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Value = str | float | None

_TITLE: Final = {"zh-CN": "预警复盘", "en": "Review of alerts"}
_ALL: Final = {"zh-CN": "合计", "en": "All"}
_NONE: Final = {"zh-CN": "（无）", "en": "(none)"}


def _share(share: Share) -> float | None:
    return share.part / share.whole if share.whole else None


_COLUMNS: Final[Sequence[tuple[str, str, Callable[[Figures], Value]]]] = (
    ("预警数", "Alerts", lambda each: each.alerts),
    ("接单数", "Acknowledged", lambda each: each.to_acknowledge.count),
    ("平均接单（分钟）", "Mean to acknowledge (min)", lambda each: each.to_acknowledge.mean),
    ("接单中位数（分钟）", "Median to acknowledge (min)", lambda each: each.to_acknowledge.median),
    ("解除数", "Ended", lambda each: each.to_resolve.count),
    ("平均解除（分钟）", "Mean to the end (min)", lambda each: each.to_resolve.mean),
    ("解除中位数（分钟）", "Median to the end (min)", lambda each: each.to_resolve.median),
    ("撤回数", "Retracted", lambda each: each.retracted),
    ("时限内占比", "Within SLA", lambda each: _share(each.within_sla)),
    ("升级次数", "Escalations", lambda each: each.escalations),
    ("反馈准确率", "Right by feedback", lambda each: _share(each.right)),
    ("避免断货", "Stock-outs prevented", lambda each: each.prevented),
    ("断货（已预警）", "Stock-outs met late", lambda each: each.met_late),
    ("断货（漏报）", "Stock-outs missed", lambda each: each.missed),
    ("平均提前天数", "Mean days of warning", lambda each: each.warning_days.mean),
    ("估计少卖（件）", "Lost sales (units)", lambda each: each.lost_units),
    (
        "估计少卖（金额）",
        "Lost sales (money)",
        lambda each: None if each.lost_money is None else float(each.lost_money),
    ),
)


def write(
    from_at: datetime,
    to_at: datetime,
    total: Figures,
    groups: Sequence[GroupFigures],
    language: str,
) -> bytes:
    """Return the workbook; `groups` come below the sums."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = _TITLE[language]
    _put(sheet, 1, [_TITLE[language], f"{from_at:%Y-%m-%d %H:%M} – {to_at:%Y-%m-%d %H:%M} UTC"])
    head = [zh if language == "zh-CN" else en for zh, en, _ in _COLUMNS]
    _put(sheet, 3, ["", *head], bold=True)
    _put(sheet, 4, [_ALL[language], *_values(total)])
    for row, each in enumerate(groups, 5):
        _put(sheet, row, [each.name or each.group or _NONE[language], *_values(each.figures)])
    sheet.freeze_panes = "B4"
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _values(figures: Figures) -> list[Value]:
    return [value_of(figures) for _, _, value_of in _COLUMNS]


def _put(sheet: Worksheet, row: int, values: Sequence[Value], *, bold: bool = False) -> None:
    for column, value in enumerate(values, 1):
        cell = sheet.cell(row, column, value)
        if isinstance(value, str):
            # A name that begins with "=" is a name: nothing that was typed may calculate.
            cell.data_type = "s"
        if bold:
            cell.font = Font(bold=True)
