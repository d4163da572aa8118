from datetime import UTC, datetime

import pytest

from services.notifier.destinations.rendering import plain
from services.notifier.destinations.report_views import report_view
from services.notifier.destinations.views import Phrasing, View
from services.notifier.domain.destinations import Language
from shared.events.alert_reports import AlertReport, Spans
from tests.factories.alert_reports import brief, review


def seen(report: AlertReport, language: Language, shown: int = 40) -> View:
    phrasing = Phrasing(language, "Asia/Shanghai", "http://console.example", plain)
    return report_view(report, phrasing, shown=shown, possible_duplicate=False)


def said(view: View) -> dict[str, str]:
    return {line.label: line.text for line in view.lines}


def test_a_brief_says_what_is_out_at_risk_overdue_too_much_and_in_doubt() -> None:
    view = seen(brief(), Language.ENGLISH)
    assert view.title == "Stock brief 2026-03-02"
    assert said(view) == {
        "Out of stock": "蓝色马克杯 · MUG-BLUE · since 2026-03-01 06:30 (Asia/Shanghai)"
        " · about 429 (11 units) lost so far",
        "At risk of running out": "4,680 (120 units)",
        "Alerts nobody saw to in time": "2",
        "Alerts without an owner": "1",
        "Overstock": "900 units",
        "Numbers in doubt": "3",
        "Stock-out cases": "1 to confirm, 5 measures overdue",
    }


def test_a_review_compares_with_the_week_before_where_that_was_otherwise() -> None:
    view = seen(review(), Language.CHINESE)
    assert view.title == "预警复盘周报 2026-02-23 至 2026-03-02"
    told = said(view)
    assert (told["预警数"], told["升级次数"]) == ("12（上期 20）", "2")
    assert told["平均接单时间"] == "1:35（中位数 0:31，共 8 个）"
    assert told["时限内处理"] == "75%（6/8）"
    assert told["lin"] == "预警 12 · 时限内 75%（6/8） · 漏报 1"


def test_the_colour_says_whether_something_is_out_and_all_well_is_said_in_words() -> None:
    assert seen(brief(), Language.ENGLISH).level == "out"
    calm = brief(0)
    assert calm.brief is not None
    calm = calm.model_copy(update={"brief": calm.brief.model_copy(update={"overdue_alerts": 0})})
    view = seen(calm, Language.ENGLISH)
    assert (view.level, view.paragraphs) == (
        "",
        ("Nothing is out of stock, and no alert is overdue.",),
    )


def test_an_owner_who_is_a_person_is_called_by_name() -> None:
    told = said(seen(review(name="林晓"), Language.CHINESE))
    assert "林晓" in told
    assert "lin" not in told


@pytest.mark.parametrize("language", list(Language))
def test_what_does_not_fit_is_counted(language: Language) -> None:
    view = seen(brief(20), language, shown=3)
    assert len(view.lines) == 7 + 3
    assert "17" in view.more


def test_a_review_leads_to_its_page_and_a_brief_to_what_is_open() -> None:
    view = seen(review(), Language.CHINESE)
    assert (view.link, view.url) == ("查看复盘", "http://console.example/review")
    assert seen(brief(), Language.ENGLISH).url == "http://console.example/alerts"


def test_the_last_hours_of_the_calendar_have_a_day() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    view = seen(brief().model_copy(update={"to_at": last}), Language.ENGLISH)
    assert view.title == "Stock brief 9999-12-31"


def test_a_span_that_no_calendar_has_cannot_be_said() -> None:
    report = review()
    assert report.review is not None
    endless = Spans(count=1, mean=1e300, median=1)
    now = report.review.now.model_copy(update={"to_resolve": endless})
    told = report.review.model_copy(update={"now": now})
    with pytest.raises(ValueError, match="1e\\+300 minutes are longer than any calendar"):
        seen(report.model_copy(update={"review": told}), Language.ENGLISH)
