"""What the page about counts says."""

from services.console.domain.text import Text

COUNTS: dict[str, Text] = {
    "counts.title": Text("盘点审核", "Counts to approve"),
    "counts.lead": Text(
        "超出允许差异的盘点先等审核，批准后才改库存。",
        "Counts beyond their tolerance wait, and change stock only once they are approved.",
    ),
    # Whole stocktakes
    "counts.stocktakes": Text("按盘点单", "By stocktake"),
    "counts.stocktakes.more": Text(
        "只列出最近 {n} 张；按盘点单号查找更早的。",
        "The newest {n} are listed; search by reference for others.",
    ),
    "counts.lines": Text("{n} 条", "{n} counts"),
    "counts.lines.one": Text("1 条", "1 count"),
    "counts.variance": Text("差异 {n}", "variance {n}"),
    "counts.absolute": Text("差异绝对值合计 {units}", "{units} off in all"),
    "counts.worth": Text("金额 {n}", "{n} in money"),
    "counts.without_cost": Text("{n} 条没有单价，未计入金额", "{n} without a cost not counted"),
    "counts.without_cost.one": Text("1 条没有单价，未计入金额", "one without a cost not counted"),
    # Deciding
    "counts.approve": Text("批准", "Approve"),
    "counts.reject": Text("驳回", "Reject"),
    "counts.request-recount": Text("要求重盘", "Count again"),
    "counts.all": Text("{step} {counts}（{variance}）", "{step} {counts} ({variance})"),
    "counts.sure.approve": Text(
        "{reference}（{warehouse}）的 {counts} 按盘点数改库存，净差 {variance}。",
        "{counts} of {reference} in {warehouse}: stock changes to what was counted, {variance} in "
        "sum.",
    ),
    "counts.sure.reject": Text(
        "{reference}（{warehouse}）的 {counts} 作废，库存不变；净差 {variance}。",
        "{counts} of {reference} in {warehouse}, {variance} in sum: dropped, and stock stays as "
        "it is.",
    ),
    "counts.sure.request-recount": Text(
        "{reference}（{warehouse}）的 {counts} 要重盘，之前库存不变；净差 {variance}。",
        "{counts} of {reference} in {warehouse}, {variance} in sum: to be taken again, and stock "
        "stays as it is until then.",
    ),
    "counts.sure.later": Text(
        "之后送达的盘点不在其中。", "Counts that arrive from now on are not among them."
    ),
    "counts.changed": Text(
        "等待的盘点有变化。刚才：{before}。现在：{now}。请核对后再确认。",
        "What waits has changed. Before: {before}. Now: {now}. Check it before you confirm.",
    ),
    "counts.changed.decided": Text(
        "其中 {n} 条已经处理。", "{n} counts have been decided on already."
    ),
    "counts.changed.decided.one": Text(
        "其中 1 条已经处理。", "One count has been decided on already."
    ),
    "counts.confirm.approve": Text("确认批准 {counts}", "Yes, approve {counts}"),
    "counts.confirm.reject": Text("确认驳回 {counts}", "Yes, reject {counts}"),
    "counts.confirm.request-recount": Text("确认重盘 {counts}", "Yes, take {counts} again"),
    "counts.deciding": Text("正在处理…", "Working…"),
    "counts.done.approve": Text(
        "{reference}：已批准 {counts}，库存马上更新。",
        "{reference}: {counts} approved; stock follows in a moment.",
    ),
    "counts.done.reject": Text("{reference}：已驳回 {counts}。", "{reference}: {counts} rejected."),
    "counts.done.request-recount": Text(
        "{reference}：已要求重盘 {counts}。", "{reference}: {counts} to be taken again."
    ),
    "counts.done.one.approve": Text(
        "{product}：已批准，库存马上更新。", "{product}: approved; stock follows in a moment."
    ),
    "counts.done.one.reject": Text("{product}：已驳回。", "{product}: rejected."),
    "counts.done.one.request-recount": Text(
        "{product}：已要求重盘。", "{product}: to be taken again."
    ),
    # One by one
    "counts.search": Text("盘点单号", "Reference of a stocktake"),
    "counts.state.waiting": Text("待审核", "To approve"),
    "counts.state.recount_requested": Text("待重盘", "To count again"),
    "counts.none": Text("没有等待的盘点", "No counts wait"),
    "counts.none.hint": Text(
        "超出允许差异的盘点会出现在这里。", "Counts beyond their tolerance appear here."
    ),
    "counts.counted": Text("盘点数", "Counted"),
    "counts.expected": Text("账面数", "Expected"),
    "counts.off": Text("差异", "Variance"),
    "refused.stocktake_changed": Text(
        "等待的盘点比看到的多了，请再看一遍后决定。",
        "More counts wait than you have seen; look again, and decide anew.",
    ),
    "refused.count_settled": Text(
        "已经处理过了，或者有更新的盘点。", "It was decided on already, or a newer count holds."
    ),
}
