"""Reports as templates are filled with them: the figures in reading order, then the list."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from services.notifier.destinations.report_words import REPORT_WORDS, ReportWords
from services.notifier.destinations.views import Line, Phrasing, View
from shared.events.alert_reports import (
    AlertReport,
    Brief,
    Figures,
    GroupFigures,
    OutOfStock,
    Review,
    Share,
    Spans,
)
from shared.events.stock_alerts import AlertLevel


def listed(report: AlertReport) -> int:
    """Return how many lines a report lists below its figures."""
    worst = 0 if report.brief is None else len(report.brief.worst)
    return worst + (0 if report.review is None else len(report.review.by_owner))


def report_view(
    report: AlertReport, phrasing: Phrasing, *, shown: int, possible_duplicate: bool
) -> View:
    """Return the view of a report with the first `shown` lines of its list."""
    words = REPORT_WORDS[phrasing.language]
    mark = phrasing.words.mark.format(phrasing.words.possible_duplicate)
    title = words.titles[report.kind].format(
        phrasing.day(report.from_at), phrasing.day(report.to_at)
    )
    lines: list[Line] = []
    level = ""
    paragraphs: tuple[str, ...] = ()
    if report.brief is not None:
        lines = _brief(report.brief, words)
        lines += [_out(each, phrasing, words) for each in report.brief.worst[:shown]]
        if report.brief.stock_outs:
            level = AlertLevel.OUT.value
        elif not report.brief.overdue_alerts:
            paragraphs = (words.all_well,)
    if report.review is not None:
        lines += _review(report.review, words)
        lines += [_owner(each, phrasing, words) for each in report.review.by_owner[:shown]]
    link, url = phrasing.words.all_alerts, f"{phrasing.console_url}/alerts"
    if report.review is not None:
        link, url = words.to_review, f"{phrasing.console_url}/review"
    unlisted = listed(report) - shown
    return View(
        title=(mark if possible_duplicate else "") + title,
        level=level,
        lines=lines,
        link=link,
        url=url,
        paragraphs=paragraphs,
        more=words.more.format(unlisted) if unlisted > 0 else "",
        footer=phrasing.words.footer,
    )


def _brief(brief: Brief, words: ReportWords) -> list[Line]:
    return [
        Line(words.stock_outs, f"{brief.stock_outs:,}"),
        Line(words.at_risk, _amount(brief.money_at_risk, brief.units_at_risk, words)),
        Line(words.overdue, f"{brief.overdue_alerts:,}"),
        Line(words.unowned, f"{brief.unowned_alerts:,}"),
        Line(words.overstock, _amount(brief.money_overstocked, brief.units_overstocked, words)),
        Line(words.doubts, f"{brief.data_doubts:,}"),
        Line(words.cases, words.case_counts.format(brief.open_cases, brief.overdue_measures)),
    ]


def _out(each: OutOfStock, phrasing: Phrasing, words: ReportWords) -> Line:
    text = words.out_since.format(
        phrasing.typed(each.sku_name or each.sku),
        phrasing.typed(each.warehouse),
        phrasing.moment(each.since),
    )
    if each.lost_units is not None:
        text += " · " + words.lost.format(_amount(each.lost_money, each.lost_units, words))
    return Line(phrasing.words.levels[AlertLevel.OUT], text, level=AlertLevel.OUT.value)


def _review(review: Review, words: ReportWords) -> list[Line]:
    now, before = review.now, review.before

    def compared(label: str, values: Sequence[str]) -> Line:
        new, old = values
        return Line(label, new if new == old else words.before.format(new, old))

    def counted(label: str, name: str) -> Line:
        return compared(label, [f"{getattr(each, name):,}" for each in (now, before)])

    return [
        counted(words.alerts, "alerts"),
        Line(words.to_acknowledge, _spans(now.to_acknowledge, words)),
        Line(words.to_resolve, _spans(now.to_resolve, words)),
        compared(words.within_sla, [_share(each.within_sla, words) for each in (now, before)]),
        counted(words.escalations, "escalations"),
        Line(words.right, _share(now.right, words)),
        counted(words.prevented, "prevented"),
        counted(words.met_late, "met_late"),
        counted(words.missed, "missed"),
        Line(words.warning, _warning(now, words)),
        compared(
            words.lost_sales,
            [_amount(each.lost_money, each.lost_units, words) for each in (now, before)],
        ),
        Line(words.cases, words.case_counts.format(review.open_cases, review.overdue_measures)),
    ]


def _owner(each: GroupFigures, phrasing: Phrasing, words: ReportWords) -> Line:
    owner = each.name or each.group
    name = words.nobody if owner is None else phrasing.typed(owner)
    figures = each.figures
    text = words.owner_line.format(
        f"{figures.alerts:,}", _share(figures.within_sla, words), figures.missed
    )
    return Line(name, text)


def _spans(spans: Spans, words: ReportWords) -> str:
    if spans.mean is None or spans.median is None:
        return words.unknown
    mean, median = (_minutes(each) for each in (spans.mean, spans.median))
    return words.mean_and_median.format(mean, median, spans.count)


def _minutes(minutes: float) -> str:
    try:
        whole = timedelta(minutes=round(minutes))
    except OverflowError:
        raise ValueError(f"{minutes:g} minutes are longer than any calendar") from None
    hours, rest = divmod(int(whole.total_seconds()) // 60, 60)
    return f"{hours}:{rest:02}"


def _share(share: Share, words: ReportWords) -> str:
    if not share.whole:
        return words.unknown
    return words.share.format(f"{share.part / share.whole:.0%}", share.part, share.whole)


def _warning(figures: Figures, words: ReportWords) -> str:
    mean = figures.warning_days.mean
    return words.unknown if mean is None else words.warning_days.format(f"{mean:,.1f}")


def _amount(money: Decimal | None, units: float, words: ReportWords) -> str:
    counted = f"{units:,.0f}"
    if money is None:
        return words.units.format(counted)
    return words.amount.format(f"{money:,.0f}", counted)
