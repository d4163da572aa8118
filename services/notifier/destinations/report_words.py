"""The phrases of reports, one set per language."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.notifier.domain.destinations import Language
from shared.events.alert_reports import ReportKind


@dataclass(frozen=True, slots=True)
class ReportWords:
    """Everything a report says that is not data; `{}` takes what belongs in between."""

    titles: Mapping[ReportKind, str]
    """Of a day, or of the days from and until."""
    stock_outs: str
    at_risk: str
    overdue: str
    unowned: str
    overstock: str
    doubts: str
    cases: str
    case_counts: str
    """Open ones, and overdue measures."""
    amount: str
    """Money and units."""
    units: str
    out_since: str
    lost: str
    all_well: str
    alerts: str
    before: str
    """What it was in the period before."""
    to_acknowledge: str
    to_resolve: str
    mean_and_median: str
    within_sla: str
    share: str
    """Per cent, part, whole."""
    escalations: str
    right: str
    prevented: str
    met_late: str
    missed: str
    warning: str
    warning_days: str
    lost_sales: str
    nobody: str
    owner_line: str
    """Alerts, within SLA, missed."""
    unknown: str
    more: str
    to_review: str


_CHINESE = ReportWords(
    titles={
        ReportKind.DAILY_BRIEF: "库存日报 {1}",
        ReportKind.WEEKLY_REVIEW: "预警复盘周报 {0} 至 {1}",
    },
    stock_outs="断货",
    at_risk="有断货风险",
    overdue="超时未处理的预警",
    unowned="无人负责的预警",
    overstock="积压",
    doubts="数据存疑",
    cases="断货案例",
    case_counts="未确认 {} 个，措施逾期 {} 项",
    amount="{}（{} 件）",
    units="{} 件",
    out_since="{} · {} · 自 {}",
    lost="估计已少卖 {}",
    all_well="没有断货，没有超时的预警。",
    alerts="预警数",
    before="{}（上期 {}）",
    to_acknowledge="平均接单时间",
    to_resolve="平均解除时间",
    mean_and_median="{}（中位数 {}，共 {} 个）",
    within_sla="时限内处理",
    share="{}（{}/{}）",
    escalations="升级次数",
    right="反馈认为准确",
    prevented="避免的断货",
    met_late="预警后仍断货",
    missed="漏报的断货",
    warning="平均提前",
    warning_days="{} 天",
    lost_sales="估计少卖",
    nobody="无负责人",
    owner_line="预警 {} · 时限内 {} · 漏报 {}",
    unknown="—",
    more="……另有 {} 行，见控制台",
    to_review="查看复盘",
)

_ENGLISH = ReportWords(
    titles={
        ReportKind.DAILY_BRIEF: "Stock brief {1}",
        ReportKind.WEEKLY_REVIEW: "Review of alerts {0} to {1}",
    },
    stock_outs="Out of stock",
    at_risk="At risk of running out",
    overdue="Alerts nobody saw to in time",
    unowned="Alerts without an owner",
    overstock="Overstock",
    doubts="Numbers in doubt",
    cases="Stock-out cases",
    case_counts="{} to confirm, {} measures overdue",
    amount="{} ({} units)",
    units="{} units",
    out_since="{} · {} · since {}",
    lost="about {} lost so far",
    all_well="Nothing is out of stock, and no alert is overdue.",
    alerts="Alerts",
    before="{} (before: {})",
    to_acknowledge="Mean time to acknowledge",
    to_resolve="Mean time to the end",
    mean_and_median="{} (median {}, of {})",
    within_sla="Seen to in time",
    share="{} ({}/{})",
    escalations="Escalations",
    right="Found right by feedback",
    prevented="Stock-outs prevented",
    met_late="Stock-outs met late",
    missed="Stock-outs missed",
    warning="Mean warning",
    warning_days="{} days",
    lost_sales="Estimated lost sales",
    nobody="Nobody",
    owner_line="{} alerts · in time {} · missed {}",
    unknown="—",
    more="… and {} more lines in the console",
    to_review="Open the review",
)

REPORT_WORDS: Mapping[Language, ReportWords] = {
    Language.CHINESE: _CHINESE,
    Language.ENGLISH: _ENGLISH,
}
