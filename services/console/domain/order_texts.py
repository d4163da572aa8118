"""What the pages about purchase orders say."""

from services.console.domain.text import Text

ORDERS: dict[str, Text] = {
    "orders": Text("订单", "Orders"),
    "orders.title": Text("采购订单", "Purchase orders"),
    "orders.lead": Text(
        "批准过的采购按供应商汇成一张订单；达到起订金额或到了订货日就自动下单，也可以随时手动下单。",
        "Approved purchases are collected by supplier. An order leaves when it is worth the "
        "supplier's minimum, on its order day, or when you place it.",
    ),
    # What waits
    "orders.waiting": Text("等待批准", "Waiting for approval"),
    "orders.waiting.none": Text("没有等待批准的采购", "Nothing waits for approval"),
    "orders.own": Text("你提出的，要由别人批准", "Yours: somebody else has to approve it"),
    "orders.lone": Text("没有供应商的采购", "Purchases without a supplier"),
    "orders.lone.hint": Text(
        "不知道向谁采购，没有汇入订单。先在参数里填供应商，或者在预警里直接标记已下单。",
        "Nobody knows whom to order from. Set the supplier among the parameters, or say on the "
        "alert that it is ordered.",
    ),
    # What is collected
    "orders.collected": Text("正在汇集", "Being collected"),
    "orders.collected.none": Text("没有正在汇集的订单", "Nothing is being collected"),
    "orders.collected.none.hint": Text(
        "在预警里选择“采购”，批准后就会出现在这里。",
        "Choose “Buy” on an alert; once approved it appears here.",
    ),
    "orders.lines": Text("{n} 行", "{n} lines"),
    "orders.lines.one": Text("1 行", "1 line"),
    "orders.sum": Text("金额", "Sum"),
    "orders.of_minimum": Text("起订金额 {n}", "minimum {n}"),
    "orders.short": Text("还差 {n}", "{n} short"),
    "orders.reached": Text("已达起订金额", "minimum reached"),
    "orders.no_minimum": Text("没有起订金额", "no minimum"),
    "orders.without_cost": Text("{n} 行没有单价，未计入", "{n} lines without a cost not counted"),
    "orders.without_cost.one": Text("1 行没有单价，未计入", "One line without a cost not counted"),
    "orders.leaves": Text("自动下单", "Leaves by itself"),
    "orders.leaves.never": Text("等手动下单", "when you place it"),
    "orders.leaves.minimum": Text("达到起订金额时", "at the minimum"),
    "orders.covers": Text("最少可售", "Covers at least"),
    "orders.place": Text("下单", "Place the order"),
    "orders.place.sure": Text(
        "向{supplier}下单：{lines}，{sum}。下单后不能再加减行。",
        "Order from {supplier}: {lines}, {sum}. No line can be added or taken out afterwards.",
    ),
    "orders.place.unknown_sum": Text("金额不明", "sum unknown"),
    "orders.place.confirm": Text("确认下单", "Yes, place it"),
    "orders.placing": Text("正在下单…", "Placing…"),
    "orders.placed_and_mailed": Text(
        "{reference} 已下单，正在发邮件到 {address}。",
        "{reference} is placed and on its way to {address}.",
    ),
    "orders.place.by_mail": Text(
        "表格和确认链接会发到 {address}。", "Sheet and link are mailed to {address}."
    ),
    "orders.placed_now": Text(
        "{reference} 已下单。把表格或链接发给供应商。",
        "{reference} is placed. Send the supplier the sheet or the link.",
    ),
    "orders.take_out": Text("移出", "Take out"),
    "orders.take_out.sure": Text(
        "移出后这次采购就取消了，缺口仍会预警。",
        "The purchase is then given up, and its shortage is warned of again.",
    ),
    "orders.take_out.confirm": Text("确认移出", "Yes, take it out"),
    "orders.sheet": Text("下载表格", "Download XLSX"),
    "orders.reason": Text("原因", "Reason"),
    # Lines
    "orders.unit_cost": Text("单价", "Unit cost"),
    "orders.money": Text("金额", "Amount"),
    "orders.quantity": Text("数量", "Quantity"),
    "orders.covered": Text("可售天数", "Days covered"),
    "orders.confirmed": Text("确认数量", "Confirmed"),
    "orders.due": Text("到货日期", "Arrives"),
    "orders.standing": Text("进度", "State"),
    "orders.moq": Text("起订 {n}", "MOQ {n}"),
    "orders.pack": Text("每包 {n}", "packs of {n}"),
    "orders.trouble.moq": Text("低于起订量", "Under the MOQ"),
    "orders.trouble.pack": Text("不是整包", "Not full packs"),
    "orders.fewer": Text("少 {units}", "{units} fewer"),
    "orders.more": Text("多 {units}", "{units} more"),
    "orders.later": Text("晚 {days}", "{days} later"),
    "orders.earlier": Text("早 {days}", "{days} earlier"),
    "orders.asked_due": Text("原定", "asked for"),
    "orders.differs": Text("{n} 处与订单不同", "{n} differences"),
    "orders.differs.one": Text("1 处与订单不同", "One difference"),
    "orders.standing.approved": Text("已批准", "Approved"),
    "orders.standing.ordered": Text("已下单", "Ordered"),
    "orders.standing.confirmed": Text("已确认", "Confirmed"),
    "orders.standing.incoming": Text("在途", "On its way"),
    "orders.standing.received": Text("已到货", "Received"),
    "orders.standing.cancelled": Text("已取消", "Cancelled"),
    # History
    "orders.history": Text("已下的订单", "Placed orders"),
    "orders.history.none": Text("还没有下过订单", "No order was placed yet"),
    "orders.history.none.hint": Text("下单之后都在这里。", "What you place is kept here."),
    "orders.stage.open": Text("汇集中", "Being collected"),
    "orders.stage.placed": Text("等供应商确认", "To be confirmed"),
    "orders.stage.confirmed": Text("供应商已确认", "Confirmed"),
    "orders.stage.received": Text("已到齐", "All received"),
    "orders.stage.cancelled": Text("已取消", "Cancelled"),
    "orders.received": Text("到货 {part}/{whole}", "{part} of {whole} received"),
    "orders.late": Text("{n} 行逾期", "{n} lines late"),
    "orders.late.one": Text("1 行逾期", "One line late"),
    "orders.by_itself": Text("自动下单", "by itself"),
    # One order
    "order.unknown": Text("没有这张订单", "There is no such order"),
    "order.unknown.hint": Text(
        "链接可能写错了，或者它的行都移出了。",
        "The link may be mistyped, or all its lines were taken out.",
    ),
    "order.placed": Text("下单", "Placed"),
    "order.placed_by": Text("下单人", "Placed by"),
    "order.opened": Text("供应商打开", "Opened"),
    "order.opened.never": Text("还没打开", "not yet"),
    "order.opened.hint": Text(
        "在链接的页面上点击、滚动、输入或提交过，才算打开；只跟链接的邮件扫描和预览不算。",
        "Opened: somebody has clicked, scrolled or typed on the link's page, or sent it. Mail "
        "scanners and previews that only follow links do not count.",
    ),
    "order.confirmed": Text("供应商确认", "Confirmed"),
    "order.confirmed.never": Text("还没确认", "not yet"),
    "order.lines": Text("订单行", "Lines"),
    "order.link": Text("供应商链接", "Link for the supplier"),
    "order.link.hint": Text(
        "供应商不用登录，在这里逐行确认数量和日期。谁有链接谁就能确认，只发给供应商。30 天内有效。",
        "The supplier confirms quantity and date of each line there, without signing in. Whoever "
        "has the link can, so give it to the supplier only. Good for 30 days.",
    ),
    "order.link.get": Text("取得链接", "Get the link"),
    "order.link.copy": Text("复制", "Copy"),
    "order.link.copied": Text("已复制", "Copied"),
    "order.link.none": Text(
        "还不能生成链接：预警没有配置密钥，请找维护人员。",
        "No link can be made: alerting has no key. Ask whoever runs it.",
    ),
    "order.mails": Text("发给供应商的邮件", "Mails to the supplier"),
    "order.mails.none": Text("还没有发过邮件", "None was sent yet"),
    "order.mails.unreachable": Text(
        "发不了邮件：供应商没有填邮箱，或者没有设置寄出订单的邮箱。请自己把表格和链接发给对方。",
        "It cannot be mailed: the supplier has no address, or no mailbox for orders is set. Send "
        "sheet and link yourself.",
    ),
    "order.mails.handed": Text("正在交给通知", "On its way to the notices"),
    "order.mail": Text("发邮件", "Send by mail"),
    "order.mail.again": Text("再发一次", "Send it again"),
    "order.mailing": Text("正在发送…", "Sending…"),
    "refused.not_placed": Text("先下单，下单时会发邮件。", "Place it first; that mails it."),
    "refused.no_mail": Text(
        "供应商没有填邮箱，或者没有设置寄出订单的邮箱。",
        "The supplier has no address, or no mailbox for orders is set.",
    ),
    "refused.empty_order": Text("订单里已经没有行了。", "There is no line left in the order."),
    "refused.order_changed": Text(
        "订单的行刚有变化，没有下单；请再看一遍。",
        "Its lines have just changed, so it was not placed; look at it again.",
    ),
}
