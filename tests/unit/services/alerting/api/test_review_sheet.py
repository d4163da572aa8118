import io
from datetime import UTC, datetime

from openpyxl import load_workbook

from services.alerting.api.review_sheet import write
from services.alerting.domain.review import NOTHING
from shared.events.alert_reports import GroupFigures, Share

MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)


def test_a_workbook_has_a_line_for_all_and_for_each_group_and_no_formula() -> None:
    all_of_it = NOTHING.model_copy(update={"alerts": 3, "within_sla": Share(part=1, whole=2)})
    groups = [
        GroupFigures(group='=HYPERLINK("http://example.com")', figures=NOTHING),
        GroupFigures(group="lin", name="林晓", figures=NOTHING),
        GroupFigures(group=None, figures=NOTHING),
    ]
    sheet = load_workbook(io.BytesIO(write(MARCH, APRIL, all_of_it, groups, "en"))).worksheets[0]
    rows = list(sheet.iter_rows(min_row=3, values_only=True))
    assert [row[0] for row in rows] == [None, "All", groups[0].group, "林晓", "(none)"]
    assert dict(zip(rows[0], rows[1], strict=True))["Within SLA"] == 0.5
    assert "f" not in {cell.data_type for row in sheet.iter_rows() for cell in row}


def test_heads_are_in_the_language_asked_for() -> None:
    sheet = load_workbook(io.BytesIO(write(MARCH, APRIL, NOTHING, [], "zh-CN"))).worksheets[0]
    assert (sheet.title, sheet["B3"].value) == ("预警复盘", "预警数")
