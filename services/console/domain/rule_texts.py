"""What the pages about rules say."""

from services.console.domain.text import Text

RULES: dict[str, Text] = {
    "rules.title": Text("规则", "Rules"),
    "rules.lead": Text(
        "什么情况要预警、多急、给谁看。", "What is worth an alert, how urgent, and where."
    ),
    "rules.new": Text("新建规则", "New rule"),
    "rules.download": Text("下载 YAML", "Download YAML"),
    "rules.upload": Text("上传 YAML", "Upload YAML"),
    "rules.none": Text("还没有规则", "No rules yet"),
    "rules.none.hint": Text(
        "从“断货”开始：卖完了就告诉我。", "Begin with “out of stock”: tell me when it is gone."
    ),
    "rules.name": Text("名称", "Name"),
    "rules.limits": Text("界限", "Limits"),
    "rules.scope": Text("范围", "Scope"),
    "rules.version": Text("版本", "Version"),
    "rules.version.n": Text("第 {n} 版", "v{n}"),
    "rules.open": Text("未结预警", "Open alerts"),
    "rules.enabled": Text("启用", "On"),
    "rules.disabled": Text("停用", "Off"),
    "rules.enable": Text("启用规则", "Switch on"),
    "rules.disable": Text("停用规则", "Switch off"),
    "rules.pool": Text("库存池 {name}", "Pool {name}"),
    "rules.everything": Text("全部库存", "All stock"),
    "rules.scope.class": Text("{name} 类", "Class {name}"),
    "rules.scope.supplier": Text("供应商 {name}", "Supplier {name}"),
    "rules.scope.skus": Text("{n} 个 SKU", "{n} SKUs"),
    "rules.scope.skus.one": Text("1 个 SKU", "1 SKU"),
    "rules.failed": Text("没有成功：{reason}", "It did not work: {reason}"),
    "rules.importing": Text("正在导入…", "Importing…"),
    "rules.imported": Text(
        "新建 {created} 条，修改 {changed} 条，{unchanged} 条没有变化。",
        "{created} new, {changed} changed, {unchanged} as before.",
    ),
    # Kinds
    "kind.stock_out": Text("断货", "Out of stock"),
    "kind.stock_out.hint": Text("可售为零就预警", "Nothing left to sell"),
    "kind.below": Text("低于固定数", "Below a number"),
    "kind.below.hint": Text("可售少于你定的件数", "Fewer left than you say"),
    "kind.days_of_cover": Text("可售天数", "Days of cover"),
    "kind.days_of_cover.hint": Text(
        "按近 28 天的销量还能卖几天", "How long it lasts at recent sales"
    ),
    "kind.below_reorder_point": Text("低于补货点", "Below the reorder point"),
    "kind.below_reorder_point.hint": Text(
        "可售低于该 SKU 的补货点", "Less left than the SKU's reorder point"
    ),
    "kind.run_out_before_inbound": Text("到货前断货", "Gone before it arrives"),
    "kind.run_out_before_inbound.hint": Text(
        "在途的货到之前就会卖完", "It runs out before the next stock can arrive"
    ),
    "kind.below_safety_stock": Text("低于安全库存", "Below safety stock"),
    "kind.below_safety_stock.hint": Text(
        "可售低于该 SKU 的安全库存", "Less left than the SKU's safety stock"
    ),
    "kind.inbound_overdue": Text("到货逾期", "Arrival overdue"),
    "kind.inbound_overdue.hint": Text("在途的货过了日子还没到", "What was due has not come"),
    "kind.overstock": Text("积压", "Overstock"),
    "kind.overstock.hint": Text("够卖太多天", "It lasts for too many days"),
    "kind.negative": Text("负库存", "Negative stock"),
    "kind.negative.hint": Text("在手数为负，账多半有误", "Less than nothing on hand: a mistake"),
    "kind.data_doubt": Text("数据可疑", "Data in doubt"),
    "kind.data_doubt.hint": Text("数字可能不准，该盘点了", "The numbers may be wrong; count"),
    "kind.custom": Text("自定义条件", "Own condition"),
    "kind.custom.hint": Text("自己选字段、比较和数值", "Choose fields, comparisons and values"),
    "kind.broken_size_run": Text("断码", "Broken size run"),
    "kind.broken_size_run.hint": Text(
        "一款商品有货的规格（颜色、尺码）占比太低", "Too few options (colours, sizes) in stock"
    ),
    "kind.share": Text("有货占比（0–1）", "in stock (0 to 1)"),
    "kind.units": Text("件", "units"),
    "kind.days": Text("天", "days"),
    "kind.times": Text("倍", "times"),
    "kind.reasons": Text("条理由", "reasons"),
    "kind.times.below_reorder_point": Text("倍补货点", "× reorder point"),
    "kind.times.below_safety_stock": Text("倍安全库存", "× safety stock"),
    # Form
    "rule.new": Text("新建规则", "New rule"),
    "rule.none": Text("没有这条规则", "There is no such rule"),
    "rule.none.hint": Text("链接可能写错了。", "The link may be mistyped."),
    "rule.name": Text("名称", "Name"),
    "rule.name.zh": Text("中文名", "Chinese name"),
    "rule.name.en": Text("英文名", "English name"),
    "rule.name.hint": Text(
        "消息里就这样叫它，至少填一个。", "What messages call it; at least one."
    ),
    "rule.kind": Text("看什么", "What it watches"),
    "rule.kind.more": Text("更多种类", "More kinds"),
    "rule.subject": Text("按什么算", "What adds up"),
    "rule.subject.level": Text("每个仓库单独算", "Each warehouse by itself"),
    "rule.subject.pool": Text("下面选的仓库合起来算", "The warehouses chosen below, together"),
    "rule.subject.hint": Text(
        "线上渠道几个仓库一起卖，就合起来算；不选仓库就是全部。",
        "Together where several warehouses sell as one; with none chosen, all of them.",
    ),
    "rule.pool": Text("合起来叫什么", "What to call them"),
    "rule.covers_levels": Text(
        "合起来够卖时，单个仓库的关注不预警",
        "While together they have enough, no watch of one alone",
    ),
    "rule.limits": Text("什么时候预警", "When it warns"),
    "rule.limits.hint": Text(
        "越过“开始”就预警，回到“恢复”之外才解除；恢复留空就与开始相同。",
        "It opens beyond “enter” and ends beyond “leave”; leave empty for the same.",
    ),
    "rule.level": Text("级别", "Level"),
    "rule.enter.below": Text("开始：少于", "Enter: under"),
    "rule.enter.above": Text("开始：多于", "Enter: over"),
    "rule.enter.reasons": Text("开始：至少", "Enter: at least"),
    "rule.exit.below": Text("恢复：达到", "Leave: at or over"),
    "rule.exit.above": Text("恢复：降到", "Leave: at or under"),
    "rule.exit.reasons": Text("恢复：少于", "Leave: under"),
    "rule.exit.stock_out": Text("恢复：可售多于", "Leave: more than"),
    "rule.same": Text("同开始", "as enter"),
    "rule.stock_out": Text("可售为 0 时预警", "Warns when nothing is available"),
    "rule.times": Text("持续多久才算", "For how long"),
    "rule.pending": Text("持续多久才预警", "Must hold before it warns"),
    "rule.recovery": Text("恢复多久才解除", "Must be over before it ends"),
    "rule.pending.hint": Text("留空就立即。", "Empty: at once."),
    "rule.unit.seconds": Text("秒", "seconds"),
    "rule.unit.minutes": Text("分钟", "minutes"),
    "rule.unit.hours": Text("小时", "hours"),
    "rule.unit.days": Text("天", "days"),
    "rule.active": Text("生效时段", "Hours"),
    "rule.active.hint": Text(
        "时段之外不开始新预警；到时仍未恢复的才预警。已经开始的不受影响。",
        "Outside them nothing new opens; what still holds when they begin does. Open alerts go on.",
    ),
    "rule.active.when": Text("什么时候可以预警", "When it may warn"),
    "rule.active.always": Text("任何时候", "At any time"),
    "rule.active.window": Text("每周固定时段", "In a window of the week"),
    "rule.active.calendar": Text("工作日历 {name}", "Working calendar {name}"),
    "rule.active.as_it_is": Text("已设的多个时段", "Several windows, as they are"),
    "rule.active.days": Text("星期", "Weekdays"),
    "rule.active.day.mon": Text("周一", "Mon"),
    "rule.active.day.tue": Text("周二", "Tue"),
    "rule.active.day.wed": Text("周三", "Wed"),
    "rule.active.day.thu": Text("周四", "Thu"),
    "rule.active.day.fri": Text("周五", "Fri"),
    "rule.active.day.sat": Text("周六", "Sat"),
    "rule.active.day.sun": Text("周日", "Sun"),
    "rule.active.from": Text("从", "From"),
    "rule.active.until": Text("到", "Until"),
    "rule.active.until.hint": Text(
        "不晚于开始时间的，算到第二天。", "Not later than “from”: on the next day."
    ),
    "rule.active.zone": Text("时区", "Time zone"),
    "rule.doubts": Text("哪些算可疑", "What counts as doubt"),
    "rule.doubt.negative": Text("库存为负", "Stock is negative"),
    "rule.doubt.not_ordered": Text("发货多于订单", "More was shipped than ordered"),
    "rule.doubt.in_doubt": Text("有盘点待审", "A count waits for approval"),
    "rule.doubt.unusual": Text("有异常大的变动", "A change was unusually large"),
    "rule.doubt.count_older_than_days": Text("上次盘点早于（天）", "Last count older than (days)"),
    "rule.doubt.count_older_than_days.hint": Text(
        "留空就不看；从没盘点过的不算。",
        "Empty: not looked at. What was never counted is not meant.",
    ),
    "rule.doubt.silent": Text("渠道多久没有消息", "A channel not heard for longer than"),
    "rule.doubt.silent.hint": Text(
        "从 5 分钟到 30 天；留空就不看。", "From 5 minutes to 30 days. Empty: not looked at."
    ),
    "rule.doubt.channels": Text("看哪些渠道", "Which channels"),
    "rule.doubt.channels.hint": Text(
        "都不选，就看平时报该仓库的渠道；选了的，对每个仓库都看。",
        "None chosen: those that usually tell of the warehouse. Those chosen: for every warehouse.",
    ),
    "rule.condition": Text("条件", "Condition"),
    "rule.condition.all": Text("全部满足", "All hold"),
    "rule.condition.any": Text("任一满足", "Any holds"),
    "rule.condition.rows": Text("按行", "Rows"),
    "rule.condition.text": Text("按文本（CEL）", "Text (CEL)"),
    "rule.condition.as_text": Text("同一个条件的文本", "The same as text"),
    "rule.condition.nested": Text(
        "这个条件有嵌套，只能按文本改。", "This condition is nested; edit it as text."
    ),
    "rule.condition.mend": Text(
        "先改好文本，才能按行看。", "Mend the text first, then look at it as rows."
    ),
    "rule.condition.at": Text("第 {line} 行第 {column} 列", "Line {line}, column {column}"),
    "rule.condition.hint": Text(
        "例：available < reorder_point && trend_7d > 1.2",
        "For instance: available < reorder_point && trend_7d > 1.2",
    ),
    "rule.clear": Text("另有条件满足才解除", "It ends only when another condition holds"),
    "rule.clear.condition": Text("解除条件", "Clear condition"),
    "rule.clear.hint": Text(
        "上面的条件不再满足、这个条件满足时才解除。",
        "It ends once the condition above does not hold, and this one does.",
    ),
    "rule.row.add": Text("加一行", "Add a row"),
    "rule.row.remove": Text("去掉这一行", "Remove this row"),
    "rule.row.field": Text("字段", "Field"),
    "rule.row.comparison": Text("比较", "Comparison"),
    "rule.row.of": Text("与谁比", "Compared with"),
    "rule.row.value": Text("数值", "Value"),
    "rule.row.values.hint": Text("用逗号分开", "with commas between"),
    "rule.compare.<": Text("小于", "less than"),
    "rule.compare.<=": Text("不大于", "at most"),
    "rule.compare.>": Text("大于", "more than"),
    "rule.compare.>=": Text("不小于", "at least"),
    "rule.compare.==": Text("等于", "equals"),
    "rule.compare.!=": Text("不等于", "differs from"),
    "rule.compare.in": Text("是其中之一", "is one of"),
    "rule.filters": Text("少打扰", "Less noise"),
    "rule.filters.hint": Text(
        "只挡住新预警，已经开始的不受影响。", "They hold back new alerts; open ones go on."
    ),
    "rule.filter.min_daily_sales": Text(
        "日均销量少于这么多就不预警", "Ignore if fewer are sold a day"
    ),
    "rule.filter.grace_days": Text("新品头几天不预警", "Ignore in the first days of a SKU"),
    "rule.filter.trend_at_least": Text(
        "近 7 天日均低于近 28 天的多少就不预警", "Ignore if sales of 7 days fell under"
    ),
    "rule.filter.trend_at_least.hint": Text(
        "近 28 天日均的百分比；已经卖完的照样预警。",
        "Of the daily mean of 28 days; what is sold out is told all the same.",
    ),
    "rule.filter.covered_by_inbound": Text(
        "在途的货到了就够，不预警", "Ignore if what is on the way suffices"
    ),
    "rule.filter.inhibited_by_out": Text(
        "别的规则已报断货，就不再报关注", "No watch where another rule says out of stock"
    ),
    "rule.scope": Text("范围", "Scope"),
    "rule.scope.hint": Text("都不选就是全部库存。", "Nothing chosen means all stock."),
    "rule.scope.warehouses": Text("仓库", "Warehouses"),
    "rule.scope.categories": Text("品类", "Categories"),
    "rule.scope.tags": Text("标签", "Tags"),
    "rule.scope.skus": Text("SKU", "SKUs"),
    "rule.scope.classes": Text("等级（ABC/XYZ）", "Classes (ABC/XYZ)"),
    "rule.scope.classes.hint": Text(
        "一行一个，例如 A；A 也包括 AX 到 AZ。",
        "One a line, such as A, which stands for AX to AZ too.",
    ),
    "rule.scope.suppliers": Text("供应商", "Suppliers"),
    "rule.scope.suppliers.hint": Text(
        "一行一个，按参数里的供应商。", "One a line, as the parameters name them."
    ),
    "rule.scope.lines": Text("一行一个", "One a line"),
    "rule.playbook": Text("处理流程", "Playbook"),
    "rule.playbook.which": Text("预警走哪个流程", "Which one its alerts follow"),
    "rule.playbook.hint": Text(
        "谁在多久内做什么，超时怎么办。已经开始的预警不受影响。",
        "Who does what by when, and what follows when it is late. Open alerts go on with theirs.",
    ),
    "rule.playbook.default": Text("按级别的默认流程", "The default of the level"),
    "rule.playbook.of": Text("{name}（{levels}的默认）", "{name} (default for {levels})"),
    "rule.playbook.off": Text("{name}（已停用）", "{name} (switched off)"),
    "rule.owner": Text("负责人", "Owner"),
    "rule.owner.whose": Text("预警归谁", "Whose its alerts are"),
    "rule.owner.hint": Text(
        "这个人不在时，归职责表里的负责人。已经开始的预警不受影响。",
        "While they are away, whom the table of responsibilities says. Open alerts stay whose they "
        "are.",
    ),
    "rule.owner.table": Text("按职责表", "As the table of responsibilities says"),
    "rule.labels": Text("路由标签", "Labels for routes"),
    "rule.labels.hint": Text(
        "一行一个，如 team=kitchen；通知按它们分发。",
        "One a line, such as team=kitchen; notices are routed by them.",
    ),
    "rule.save.first": Text("保存规则", "Save rule"),
    "rule.save": Text("保存为第 {n} 版", "Save as version {n}"),
    "rule.saved": Text("已保存为第 {n} 版", "Saved as version {n}"),
    "rule.same_as_saved": Text("与已保存的相同", "Nothing to save"),
    "rule.ready": Text("可以保存", "Ready to save"),
    "rule.checking": Text("正在检查…", "Checking…"),
    "rule.conflict": Text(
        "{who} 刚保存了第 {n} 版。再按一次保存，就以你的为准。",
        "{who} has saved version {n} meanwhile. Save again to put yours on top.",
    ),
    "rule.moved_on": Text(
        "{who} 刚保存了第 {n} 版。请看过后再决定是否恢复。",
        "{who} has saved version {n} meanwhile. Look at it before you go back.",
    ),
    "rule.versions": Text("版本", "Versions"),
    "rule.roll_back": Text("恢复到这版", "Back to this"),
    "rule.roll_back.sure": Text(
        "确定恢复，放弃没保存的修改", "Really go back, without what is not saved"
    ),
    "rule.restored": Text("上次没保存的修改还在。", "What was typed here and not saved is back."),
    "rule.discard": Text("放弃修改", "Discard it"),
    "rule.discard.sure": Text("确定放弃", "Really discard it"),
    "rule.current": Text("当前", "Current"),
    "rule.by": Text("由 {who}", "by {who}"),
    "rule.changed": Text("改了：{parts}", "Changed: {parts}"),
    "rule.part.name": Text("名称", "name"),
    "rule.part.kind": Text("种类", "kind"),
    "rule.part.subject": Text("按什么算", "what adds up"),
    "rule.part.levels": Text("界限", "limits"),
    "rule.part.scope": Text("范围", "scope"),
    "rule.part.filters": Text("少打扰", "filters"),
    "rule.part.condition": Text("条件", "condition"),
    "rule.part.doubts": Text("可疑数据", "doubts"),
    "rule.part.times": Text("时长", "times"),
    "rule.part.active": Text("时段", "hours"),
    "rule.part.labels": Text("标签", "labels"),
    "rule.part.playbook": Text("处理流程", "playbook"),
    "rule.part.owner": Text("负责人", "owner"),
    "rule.part.enabled": Text("启用", "on or off"),
    "rule.part.other": Text("其他", "other things"),
    # Fields of conditions
    "field.available": Text("可售", "available"),
    "field.on_hand": Text("在手", "on hand"),
    "field.incoming": Text("在途", "incoming"),
    "field.daily_sales": Text("日均销量", "daily sales"),
    "field.days_of_cover": Text("可售天数", "days of cover"),
    "field.trend_7d": Text("7 天趋势", "trend of 7 days"),
    "field.days_known": Text("已知天数", "days known"),
    "field.safety_stock": Text("安全库存", "safety stock"),
    "field.reorder_point": Text("补货点", "reorder point"),
    "field.order_quantity": Text("订货量", "order quantity"),
    "field.moq": Text("最小起订量", "MOQ"),
    "field.pack_multiple": Text("装箱数", "pack multiple"),
    "field.lead_time_days": Text("到货天数", "lead time (days)"),
    "field.lead_time_sd_days": Text("到货天数波动", "lead time, SD (days)"),
    "field.unit_cost": Text("单位成本", "unit cost"),
    "field.price": Text("售价", "price"),
    "field.sku": Text("SKU", "SKU"),
    "field.warehouse": Text("仓库编码", "warehouse code"),
    "field.stock_class": Text("分类（ABC/XYZ）", "class (ABC/XYZ)"),
    "field.supplier": Text("供应商", "supplier"),
    "field.own": Text("数值", "a value"),
    "refused.exists": Text("已经有这个编号的规则。", "There is a rule of this id already."),
    "refused.not_yaml": Text("这不是 YAML 文件。", "This is no YAML file."),
    "refused.unknown_playbook": Text(
        "没有规则里写的处理流程。", "There is no such playbook as the rule names."
    ),
    "refused.unknown_calendar": Text(
        "没有规则里写的工作日历。", "There is no such working calendar as the rule names."
    ),
}

MISTAKES: tuple[tuple[str, Text], ...] = (
    (
        r"give at least one level, each with its enter limit",
        Text("至少启用一个级别，并填好开始的界限。", "Switch on a level and give its enter limit."),
    ),
    (
        r"an exit limit must not be under its enter limit",
        Text("恢复的界限不能低于开始的界限。", "Leave must not be under enter."),
    ),
    (
        r"an exit limit must not be over its enter limit",
        Text("恢复的界限不能高于开始的界限。", "Leave must not be over enter."),
    ),
    (
        r"the limits of (?P<worse>\w+) must not be under those of (?P<milder>\w+)",
        Text("更严重的级别，界限不能更低。", "The limits of {worse} must not be under {milder}."),
    ),
    (
        r"the limits of (?P<worse>\w+) must not be over those of (?P<milder>\w+)",
        Text("更严重的级别，界限不能更高。", "The limits of {worse} must not be over {milder}."),
    ),
    (
        r"say with pool what people call these warehouses",
        Text("给选的仓库起个合称。", "Say what to call the warehouses together."),
    ),
    (
        r"a limit is a share of the options in stock: over 0, at most 1",
        Text("界限是有货规格的占比，大于 0、不超过 1。", "A limit is a share: over 0, at most 1."),
    ),
    (
        r"an exit limit over 1 is never reached: a share is at most 1",
        Text("恢复的界限不能超过 1。", "Leave must not be over 1."),
    ),
    (
        r"(?P<names>[\w, ]+) belongs to one warehouse; a pool has none",
        Text("{names} 只属于单个仓库，合起来算不出。", "{names} belongs to one warehouse alone."),
    ),
    (
        r"give at least one flag, count_older_than_days or channel_silent_minutes",
        Text(
            "至少选一项，或填盘点的天数、渠道没有消息的时长。",
            "Choose at least one, or give the days of a count or the time of a silent channel.",
        ),
    ),
    (
        r"say with channel_silent_minutes for how long channels may be silent",
        Text("选了渠道，就填多久没有消息算。", "Say for how long the channels may be silent."),
    ),
    (
        r"write a local time such as .*",
        Text("请填时间，如 09:00。", "Please give a time, such as 09:00."),
    ),
    (
        r"this is no time zone; .*",
        Text("没有这个时区；如 Asia/Shanghai。", "There is no such time zone; try Asia/Shanghai."),
    ),
    (
        r"There is no working calendar (?P<name>\S+); .*",
        Text("没有工作日历 {name}。", "There is no working calendar {name}."),
    ),
    (
        r"There is no playbook (?P<name>\S+); .*",
        Text("没有处理流程 {name}，请另选。", "There is no playbook {name}; choose another."),
    ),
    (
        r"There is no person (?P<name>\S+); .*",
        Text("人员里没有 {name}，请另选。", "There is no person {name}; choose another."),
    ),
    (
        r"List should have at least 1 item.*",
        Text("至少选一天。", "Choose a day at least."),
    ),
    (
        r"use at most (?P<parts>\d+) comparisons, nested (?P<depth>\d+) deep",
        Text(
            "最多 {parts} 个比较，嵌套 {depth} 层。", "At most {parts} comparisons, {depth} deep."
        ),
    ),
    (
        r"there is no field (?P<name>\w+); use one of .*",
        Text("没有字段 {name}。", "There is no field {name}."),
    ),
    (
        r"(?P<name>\w+) is a number; compare it with one",
        Text("{name} 是数字，要和数字比。", "{name} is a number; compare it with one."),
    ),
    (
        r"(?P<name>\w+) is a text; compare it with one",
        Text("{name} 是文字，要和文字比。", "{name} is a text; compare it with one."),
    ),
    (
        r"(?P<name>\w+) is a text; compare it by ==, != or in",
        Text("{name} 是文字，只能用 ==、!= 或 in。", "{name} is a text; use ==, != or in."),
    ),
    (
        r"(?P<name>\w+) can be compared with one of .* only",
        Text("{name} 不能和这个字段比。", "{name} cannot be compared with this field."),
    ),
    (
        r"in takes a list of values, every other comparison takes one",
        Text(
            "in 后面是一组值，其他比较只有一个值。", "“in” takes a list, all else takes one value."
        ),
    ),
    (
        r"in takes a list of values, not a field",
        Text("in 后面是一组值，不是字段。", "“in” takes a list of values, not a field."),
    ),
    (r"go on with && or \|\|", Text("接着用 && 或 ||。", "Go on with && or ||.")),
    (r"close the bracket with \)", Text("缺少右括号 )。", "Close the bracket with ).")),
    (r"close the list with \]", Text("缺少右方括号 ]。", "Close the list with ].")),
    (
        r"compare by <, <=, >, >=, ==, != or in",
        Text(
            "这里要写比较：<、<=、>、>=、==、!= 或 in。",
            "A comparison belongs here: <, <=, >, >=, ==, != or in.",
        ),
    ),
    (r"one side must be a field", Text("有一边要是字段。", "One side must be a field.")),
    (
        r'a field, a number or a "text" belongs here',
        Text("这里要写字段、数字或“文字”。", "A field, a number or a “text” belongs here."),
    ),
    (
        r"this is not understood; .*",
        Text(
            "这里看不懂；请写字段、比较和数值。",
            "This is not understood; compare fields, numbers and “texts”.",
        ),
    ),
    (
        r"String should have at least 1 character",
        Text("请填写。", "Please fill this in."),
    ),
    (
        r"Dictionary should have at least 1 item.*",
        Text("至少填一个名称。", "Give at least one name."),
    ),
    (
        r"Input should be greater than or equal to (?P<least>\S+)",
        Text("不能小于 {least}。", "It must be at least {least}."),
    ),
    (
        r"Input should be less than or equal to (?P<most>\S+)",
        Text("不能大于 {most}。", "It must be at most {most}."),
    ),
    (
        r"Input should be a valid integer.*",
        Text("请填整数。", "Please type a whole number."),
    ),
)
"""What alerting says of rules, by pattern, in both languages; all else is shown as it is."""

MISTAKES_OF: dict[str, Text] = {
    "filters.trend_at_least": Text("要在 0 到 100 之间。", "It must be from 0 to 100."),
    "doubts.channel_silent_minutes": Text(
        "要在 5 分钟到 30 天之间。", "It must be from 5 minutes to 30 days."
    ),
}
"""What is wrong with fields that alerting counts in another unit than the form, by its names."""
