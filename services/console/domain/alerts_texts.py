"""What the list of alerts says."""

from services.console.domain.text import Text

ALERTS: dict[str, Text] = {
    "alerts.title": Text("全部预警", "All alerts"),
    "alerts.lead": Text(
        "每一条预警，包括没有通知的和已经结束的。",
        "Every alert, with those that nobody was told of and those that have ended.",
    ),
    "alerts.all": Text("查看全部预警", "See all alerts"),
    "alerts.level": Text("级别", "Level"),
    "alerts.level.all": Text("全部级别", "Every level"),
    "alerts.mine": Text("我负责的", "Mine"),
    "alerts.state": Text("状态", "State"),
    "alerts.state.open": Text("未结", "Open"),
    "alerts.state.resolved": Text("已结束", "Ended"),
    "alerts.state.all": Text("未结和已结束", "Open and ended"),
    "alerts.owner.all": Text("全部负责人", "Every owner"),
    "alerts.rule": Text("规则", "Rule"),
    "alerts.rule.all": Text("全部规则", "Every rule"),
    "alerts.sku": Text("按编码查找（完整编码）", "Find by SKU (the whole code)"),
    "alerts.clear": Text("清除筛选", "Clear filters"),
    "alerts.order.at_risk": Text("风险最大的在前", "Most at risk first"),
    "alerts.order.newest": Text("最新的在前", "Newest first"),
    "alerts.none": Text("没有这样的预警", "No such alerts"),
    "alerts.none.hint": Text("换个筛选条件看看。", "Try other filters."),
    "alerts.held_back": Text("打扰已达上限，未通知", "Interrupted enough: not told"),
    "alerts.ended": Text("结束于", "Ended"),
}
