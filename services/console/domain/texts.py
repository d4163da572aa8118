"""Every text that a person reads, in both languages side by side.

A value in braces is filled in; numbers come with thousands separated.
"""

from decimal import Decimal

from services.console.domain.action_texts import ACTIONS
from services.console.domain.alerts_texts import ALERTS
from services.console.domain.count_texts import COUNTS
from services.console.domain.delivery_texts import DELIVERIES
from services.console.domain.form_texts import FORMS
from services.console.domain.language import Language
from services.console.domain.order_texts import ORDERS
from services.console.domain.people_texts import PEOPLE
from services.console.domain.review_texts import REVIEW
from services.console.domain.rule_texts import RULES
from services.console.domain.text import Text
from services.console.domain.trouble import trouble_told
from shared.events.stock_alerts import KINDS_IN_DAYS

CATALOGUE: dict[str, Text] = {
    # Everywhere
    "brand": Text("Lowtide 低潮", "Lowtide"),
    "skip": Text("跳到正文", "Skip to content"),
    "navigation": Text("主导航", "Main navigation"),
    "now": Text("看板", "Now"),
    "stock": Text("库存", "Stock"),
    "inbox": Text("收件箱", "Inbox"),
    "language.switch": Text("EN", "中文"),
    "language.switch.label": Text("Switch to English", "切换到中文"),
    "theme.switch.label": Text("切换深色与浅色", "Switch between dark and light"),
    "sign_out": Text("退出", "Sign out"),
    "loading": Text("正在加载…", "Loading…"),
    "away": Text("暂时联系不上{service}", "{service} cannot be reached at the moment"),
    "away.stale": Text(
        "暂时联系不上{service}，显示的是之前的内容",
        "{service} cannot be reached at the moment; this is what it said before",
    ),
    "away.hint": Text("会自动重试，不用刷新。", "It is tried again by itself; no need to reload."),
    "service.ingest": Text("商品目录", "The catalogue"),
    "service.ledger": Text("库存账", "The stock ledger"),
    "service.alerting": Text("预警", "Alerting"),
    "service.notifier": Text("通知", "The notifier"),
    "service.standin": Text("演示收件箱", "The demonstration's inbox"),
    "units": Text("{n} 件", "{n} units"),
    "units.one": Text("{n} 件", "{n} unit"),
    "days": Text("{n} 天", "{n} days"),
    "days.one": Text("{n} 天", "{n} day"),
    "units_a_day": Text("{n} 件/天", "{n} units a day"),
    "seconds": Text("{n} 秒", "{n} s"),
    "span.minutes": Text("{n} 分钟", "{n} min"),
    "span.hours": Text("{hours} 小时 {minutes} 分", "{hours} h {minutes} min"),
    "span.days": Text("{days} 天 {hours} 小时", "{days} d {hours} h"),
    "none": Text("—", "—"),
    "not_found": Text("没有这个页面", "There is no such page"),
    "not_found.hint": Text(
        "链接可能写错了，或者内容已经不在。", "The link may be mistyped, or what it led to is gone."
    ),
    "to_now": Text("回到看板", "Back to Now"),
    # Words of the field
    "on_hand": Text("在手", "On hand"),
    "reserved": Text("已预留", "Reserved"),
    "unavailable": Text("不可用", "Unavailable"),
    "incoming": Text("在途", "Incoming"),
    "available": Text("可售", "Available"),
    "warehouse": Text("仓库", "Warehouse"),
    "product": Text("商品", "Product"),
    "last_change": Text("最近变动", "Last change"),
    "counted": Text("上次盘点", "Last count"),
    "never": Text("从未", "Never"),
    "sold_total": Text("累计售出", "Sold in all"),
    "returned_total": Text("累计退回", "Returned in all"),
    "received_total": Text("累计入库", "Received in all"),
    "level.watch": Text("关注", "Watch"),
    "level.urgent": Text("紧急", "Urgent"),
    "level.out": Text("断货", "Out of stock"),
    # Now
    "now.title": Text("看板", "Now"),
    "now.lead": Text("哪些商品要断货、有多急，一眼看清。", "What is running out, and how badly."),
    "now.flow": Text("每秒变动", "Changes a second"),
    "now.flow.total": Text("共记录 {n} 笔 · {levels} 个库存项", "{n} recorded · {levels} levels"),
    "now.filter": Text("只看{level}", "Show only {level}"),
    "now.alerts": Text("未结预警", "Open alerts"),
    "now.alerts.order": Text("最急的和风险最大的在前", "Most urgent and most at risk first"),
    "now.alerts.more": Text("还有 {n} 条，查看全部", "{n} more: see all"),
    "now.alerts.none": Text("没有未结预警", "No open alerts"),
    "now.alerts.none.hint": Text(
        "库存都在安全线以上。新的预警会自己出现在这里。",
        "Everything is above its limit. New alerts appear here by themselves.",
    ),
    "now.alerts.none_of_level": Text("没有“{level}”的预警", "No alerts of level “{level}”"),
    "now.all": Text("全部", "All"),
    "now.out": Text("正在缺货", "Out of stock now"),
    "now.out.none": Text("没有缺货", "Nothing is out of stock"),
    "now.out.none.hint": Text("每个货架上都还有货。", "There is something on every shelf."),
    "now.current": Text("数据有多新", "How current this is"),
    "now.current.yes": Text("实时", "Up to date"),
    "now.current.unknown": Text("暂时不清楚", "Not known at the moment"),
    "now.current.behind": Text(
        "落后 {seconds}，{n} 条在处理", "{seconds} behind, {n} being worked on"
    ),
    "now.current.waiting": Text("{n} 条在处理", "{n} being worked on"),
    "now.current.ledger": Text("记账", "Recording changes"),
    "now.current.alerting": Text("判断预警", "Checking for alerts"),
    "now.current.notifier": Text("发送通知", "Sending notices"),
    "left": Text("剩 {units}", "{units} left"),
    "acknowledged": Text("已接单", "Acknowledged"),
    "recovering": Text("恢复中", "Recovering"),
    # Stock
    "stock.title": Text("库存", "Stock"),
    "stock.lead": Text(
        "每个商品在每个仓库的数量，随时更新。",
        "How much there is of everything, everywhere, as it changes.",
    ),
    "stock.search": Text("搜索商品名、编码或条码", "Search by name, SKU or barcode"),
    "stock.warehouse.all": Text("全部仓库", "All warehouses"),
    "stock.none": Text("没有找到", "Nothing found"),
    "stock.none.hint": Text(
        "换个词试试，或者选“全部仓库”。", "Try another word, or all warehouses."
    ),
    "stock.empty": Text("还没有库存", "No stock yet"),
    "stock.empty.hint": Text(
        "第一笔销售、入库或盘点到达后，就会出现在这里。",
        "The first sale, receipt or count puts it here.",
    ),
    "stock.no_names": Text(
        "商品目录暂时联系不上：只能按编码搜索，名称不显示。",
        "The catalogue cannot be reached: search by SKU only, names are not shown.",
    ),
    "stock.previous": Text("上一页", "Previous"),
    "stock.next": Text("下一页", "Next"),
    "stock.page": Text("第 {n} 页", "Page {n}"),
    "page.earlier": Text("更早", "Earlier"),
    "page.newer": Text("更新", "Newer"),
    "stock.no_more": Text("没有更多了", "Nothing more"),
    "stock.unrecorded": Text("尚无记录", "Nothing recorded yet"),
    "stock.unrecorded.there": Text("这个仓库尚无记录", "Nothing recorded in this warehouse yet"),
    # Level
    "level.unknown": Text("这里还没有任何记录", "Nothing has been recorded here yet"),
    "level.unknown.hint": Text(
        "{warehouse}还没有过 {sku} 的销售、入库或盘点。",
        "{sku} has never been sold, received or counted in {warehouse}.",
    ),
    "level.live": Text("实时更新", "Live"),
    "level.alerts": Text("未结预警", "Open alerts"),
    "statement": Text("流水", "Statement"),
    "statement.lead": Text(
        "从新到旧，每一笔都带结存。", "Newest first, with the balance after each."
    ),
    "statement.none": Text("还没有流水", "No movements yet"),
    "statement.more": Text("更早的流水", "Earlier movements"),
    "statement.most": Text("这里只显示最近 {n} 笔。", "Only the newest {n} are shown here."),
    "statement.when": Text("发生时间", "When"),
    "statement.what": Text("类型", "What"),
    "statement.change": Text("变动", "Change"),
    "statement.balance": Text("结存", "Balance"),
    "statement.reference": Text("单据", "Reference"),
    "statement.marks": Text("备注", "Notes"),
    "statement.opening": Text("更早的已归档", "Earlier movements are archived"),
    "statement.late": Text("迟到", "Late"),
    "statement.late.hint": Text("晚于后面的流水才送达", "Arrived after later movements"),
    "statement.repeat": Text("重复 {n} 次", "Repeated {n}×"),
    "statement.repeat.hint": Text("同一笔又送来，只记一次", "Sent again; counted once"),
    "statement.masked": Text("已含于盘点", "Contained in a count"),
    "statement.masked.hint": Text(
        "发生在盘点之前，盘点数里已经有它", "Happened before a count, which already contains it"
    ),
    "statement.unusual": Text("数量异常", "Unusual"),
    "statement.unusual.hint": Text(
        "比平常大得多，请核对", "Far more than usual; check whether it is right"
    ),
    "type.sale": Text("销售", "Sale"),
    "type.return": Text("退货", "Return"),
    "type.receipt": Text("入库", "Receipt"),
    "type.adjustment": Text("调整", "Adjustment"),
    "type.count": Text("盘点", "Count"),
    "type.count_waiting": Text("盘点待审", "Count to approve"),
    "type.opening_balance": Text("期初结存", "Opening balance"),
    "type.consumed": Text("领料", "Consumed"),
    "type.produced": Text("完工", "Produced"),
    "type.hold": Text("冻结", "Hold"),
    "type.release": Text("解冻", "Release"),
    "type.order_placed": Text("下单", "Order placed"),
    "type.order_cancelled": Text("取消订单", "Order cancelled"),
    "type.order_fulfilled": Text("发货", "Order shipped"),
    "type.transfer_shipped": Text("调拨出库", "Transfer out"),
    "type.transfer_arriving": Text("调拨在途", "Transfer on its way"),
    "type.transfer_received": Text("调拨入库", "Transfer in"),
    "type.supply_expected": Text("预计到货", "Supply expected"),
    "type.supply_cancelled": Text("取消到货", "Supply cancelled"),
    "type.demand_expected": Text("预计需求", "Demand expected"),
    "type.demand_cancelled": Text("取消需求", "Demand cancelled"),
    # Alert
    "alert.title": Text("预警 {number}", "Alert {number}"),
    "alert.none": Text("没有这条预警", "There is no such alert"),
    "alert.none.hint": Text("链接可能写错了。", "The link may be mistyped."),
    "alert.state.open": Text("未结", "Open"),
    "alert.state.recovering": Text("恢复中", "Recovering"),
    "alert.state.resolved": Text("已解除", "Resolved"),
    "alert.state.retracted": Text("已撤回", "Withdrawn"),
    "alert.opened": Text("开始于", "Since"),
    "alert.resolved": Text("解除于", "Resolved"),
    "subject.pool": Text("库存池 {pool}", "Pool {pool}"),
    "subject.product": Text("商品（款），库存池 {pool}", "Product, pool {pool}"),
    "alert.options": Text("规格", "Options"),
    "alert.options.in_stock": Text("{n} / {all} 有货", "{n} of {all} in stock"),
    "alert.options.out": Text("缺货规格", "Options out"),
    "alert.doubts": Text("存疑原因", "In doubt because"),
    "alert.doubts.count": Text("上次盘点在 {days} 前", "last counted {days} ago"),
    "alert.doubts.silent": Text("渠道 {channel} 没有消息", "channel {channel} is silent"),
    "alert.threshold": Text("触发线", "Limit"),
    "alert.daily_sales": Text("近 28 天日均", "Mean of 28 days"),
    "alert.days_of_cover": Text("可售天数", "Days of cover"),
    "alert.runs_out": Text("预计售罄", "Runs out"),
    "alert.next_arrival": Text("下次到货", "Next arrival"),
    "alert.overdue": Text("逾期到货", "Overdue"),
    "alert.present": Text("现在可售", "Available now:"),
    "alert.facts": Text("当时的数字", "The numbers"),
    "alert.history": Text("经过", "What happened"),
    "alert.acknowledge": Text("接单", "Acknowledge"),
    "alert.acknowledge.hint": Text("告诉大家你在处理。", "Tells everybody that you are on it."),
    "alert.acknowledged_by": Text("{who} 已接单", "Acknowledged by {who}"),
    "alert.somebody": Text("有人", "somebody"),
    "alert.on_the_console": Text("控制台", "the console"),
    "alert.acknowledging": Text("正在接单…", "Acknowledging…"),
    "alert.act.failed": Text("没有成功：{reason}", "It did not work: {reason}"),
    "alert.to_level": Text("看库存与流水", "See stock and statement"),
    "alert.event.opened": Text("开始预警：{level}", "Opened: {level}"),
    "alert.event.level_changed": Text("由{previous}变为{level}", "From {previous} to {level}"),
    "alert.event.acknowledged": Text("已接单", "Acknowledged"),
    "alert.event.assigned": Text("已指派", "Assigned"),
    "alert.event.snoozed": Text("已暂缓", "Snoozed"),
    "alert.event.reminded": Text("仍未恢复，再次提醒", "Still holds: reminded"),
    "alert.event.escalated": Text("无人处理，已升级", "Nobody reacted: escalated"),
    "alert.event.acted": Text("处理有进展", "Something is done about it"),
    "alert.event.feedback": Text("已反馈", "Feedback given"),
    "alert.event.refused": Text("操作未生效", "Tried by somebody whose it is not"),
    "alert.event.retracted": Text("已撤回：并未缺货", "Withdrawn: there was no shortage"),
    "alert.event.resolved": Text("已解除", "Resolved"),
    "alert.event.ended_by_hand": Text("人工结束", "Ended by hand"),
    "alert.hushed.silence": Text("静默中，未通知", "Silenced: nobody was told"),
    "alert.hushed.snooze": Text("暂缓中，未通知", "Snoozed: nobody was told"),
    "alert.hushed.covered": Text(
        "已有处理可覆盖，未通知", "Covered by what is done: nobody was told"
    ),
    "alert.hushed.budget": Text(
        "今日打扰已达上限，未通知", "Interrupted enough today: nobody was told"
    ),
    "alert.hushed.ended": Text("预警已结束，未通知", "The alert had ended: nobody was told"),
    "alert.owner": Text("负责人", "Owner"),
    "alert.owner.none": Text("无人负责", "Nobody"),
    "alert.answered": Text("接单用时", "Acknowledged after"),
    "alert.lasted": Text("持续", "Lasted"),
    "alert.notices.away": Text(
        "暂时联系不上通知，这里只有预警本身的经过",
        "The notifier cannot be reached; only what happened to the alert itself is shown",
    ),
    "alert.assign": Text("指派", "Assign"),
    "alert.assign.to": Text("交给", "To"),
    "alert.assign.nobody": Text("还没有人员，先去添加：", "There is nobody yet; add people first:"),
    "alert.end": Text("人工结束", "End by hand"),
    "alert.end.why": Text("为什么结束", "Why it ends"),
    "alert.end.unsaid": Text("写明原因，大家会看到。", "Say why; everybody will read it."),
    "alert.end.hint": Text(
        "收到过预警的人都会得到通知。库存不变；比现在更严重，或恢复后再次触及，会重新预警。",
        "Whoever was warned is told. The stock stays as it is: what gets worse than now, or "
        "happens again after it has recovered, is a new alert.",
    ),
    "alert.note": Text("备注", "Note"),
    "alert.snooze": Text("暂缓", "Snooze"),
    "alert.snooze.1": Text("1 小时", "1 hour"),
    "alert.snooze.8": Text("8 小时", "8 hours"),
    "alert.snooze.24": Text("1 天", "1 day"),
    "alert.snooze.end": Text("结束暂缓", "End the snooze"),
    "alert.snooze.end.hint": Text(
        "现在就恢复通知；还没好就按打扰额度再提醒一次",
        "Notices come again; where it still holds, people are reminded within their budget",
    ),
    "alert.snoozed_until": Text("暂缓至", "Snoozed until"),
    # Inbox of the demonstration
    "inbox.title": Text("演示收件箱", "Demonstration inbox"),
    "inbox.lead": Text(
        "演示用的企业微信群和邮箱收到的消息；接上真的之后，它们会发到你的手机上。",
        "What the demonstration's WeCom group and mailbox received; real ones reach your phone.",
    ),
    "inbox.wecom": Text("企业微信群", "WeCom group"),
    "inbox.mail": Text("邮箱", "Mailbox"),
    "inbox.none": Text("还没有消息", "No messages yet"),
    "inbox.none.hint": Text(
        "第一条预警会在一分钟内到达。", "The first alert arrives within a minute."
    ),
    # Signing in
    "sign_in.title": Text("需要登录", "Please sign in"),
    "sign_in.how": Text(
        "打开启动 Lowtide 的终端，点开里面的一次性登录链接。",
        "Open the one-time sign-in link in the terminal that started Lowtide.",
    ),
    "sign_in.again": Text(
        "链接用过了或过期了？在那台机器上再取一个：",
        "Used or expired? Get another on that machine:",
    ),
    "sign_in.refused": Text(
        "这个链接已经用过、过期，或者不是这里的。",
        "This link was used before, has expired, or is not from here.",
    ),
    **ACTIONS,
    **ALERTS,
    **COUNTS,
    **FORMS,
    **DELIVERIES,
    **ORDERS,
    **PEOPLE,
    **REVIEW,
    **RULES,
}


class Words:
    """Looks texts up in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._index = 0 if language is Language.CHINESE else 1

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with its values filled in; raises KeyError for an unknown key."""
        text = CATALOGUE[key][self._index]
        return text.format(**values) if values else text

    def units(self, quantity: int | None) -> str:
        """Return a quantity with its unit, or a dash."""
        if quantity is None:
            return self("none")
        return self("units.one" if abs(quantity) == 1 else "units", n=number(quantity))

    def get(self, key: str, otherwise: str) -> str:
        """Return a text that a newer service may have no words for yet."""
        return self(key) if key in CATALOGUE else otherwise

    def why(self, reason: str, kind: str = "") -> str:
        """Return why a delivery is where it is: what is known in words, all else as it is.

        `kind` is that of the destination, whose codes are then told in plain words.
        """
        trouble = trouble_told(kind, reason) if kind else None
        if trouble is not None:
            return self(f"trouble.{trouble}")
        code, _, detail = reason.partition(": ")
        words = self.get(f"delivery.why.{code}", "")
        return " · ".join(part for part in (words, detail) if part) if words else reason

    def risk(self, units: float, money: Decimal | None) -> str:
        """Return what is at risk: units, and money where it is known."""
        parts = [self.units(round(units))]
        if money is not None:
            parts.append(self("alert.worth", n=self.money(money)))
        return " · ".join(parts)

    def money(self, amount: Decimal) -> str:
        """Return money in the currency of the prices, with cents where there are any."""
        return number(amount.quantize(Decimal("0.01"))).removesuffix(".00")

    def share(self, part: int, whole: int) -> str:
        """Return a share of something in per cent, or a dash."""
        return f"{part / whole:.0%}" if whole else self("none")

    def minutes(self, minutes: float | None) -> str:
        """Return a span of minutes, or a dash."""
        return self("none") if minutes is None else self.span(minutes * 60)

    def counted(self, key: str, amount: int) -> str:
        """Return a text with an amount, which has a form of its own for one."""
        return self(f"{key}.one") if amount == 1 else self(key, n=number(amount))

    def limit(self, kind: str, value: float | None) -> str:
        """Return a rule's limit in the unit of its kind: days, a share, or units."""
        if value is None:
            return self("none")
        if kind == "broken_size_run":
            return f"{value:.0%}"
        return self.days(value) if kind in KINDS_IN_DAYS else self.units(round(value))

    def days(self, days: float | None) -> str:
        """Return a span of days with one decimal, or a dash."""
        if days is None:
            return self("none")
        return self("days.one" if days == 1 else "days", n=f"{days:,.1f}".removesuffix(".0"))

    def units_a_day(self, mean: float | None) -> str:
        """Return a mean of units a day with one decimal, or a dash."""
        return self("none") if mean is None else self("units_a_day", n=f"{mean:,.1f}")

    def seconds(self, seconds: float) -> str:
        """Return a span of seconds."""
        return self("seconds", n=number(round(seconds)))

    def span(self, seconds: float) -> str:
        """Return how long something took, in two units at the most."""
        if seconds < 60:
            return self.seconds(max(seconds, 0))
        minutes = int(seconds // 60)
        if minutes < 60:
            return self("span.minutes", n=minutes)
        if minutes < 1440:
            return self("span.hours", hours=minutes // 60, minutes=minutes % 60)
        return self("span.days", days=minutes // 1440, hours=minutes % 1440 // 60)

    def person(self, subject: str | None) -> str:
        """Return who did something; until people have accounts, that is the console itself."""
        if subject is None:
            return self("alert.somebody")
        return self("alert.on_the_console") if subject.startswith("console") else subject

    def named(self, names: dict[str, str]) -> str:
        """Return the name in this language, or any that there is."""
        return names.get(self.language) or next(iter(names.values()), self("none"))


def number(value: float | Decimal) -> str:
    """Return a whole number with thousands separated and a real minus sign."""
    return f"{value:,}".replace("-", "−")


def signed(value: int) -> str:
    """Return a change with its sign."""
    return f"+{value:,}" if value > 0 else number(value)
