"""The phrases of messages, one set per language."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.notifier.domain.contents import Failure
from services.notifier.domain.destinations import Language
from services.notifier.domain.holding import HoldReason
from shared.events.stock_alerts import (
    Action,
    ActionKind,
    ActionState,
    AlertEvent,
    AlertLevel,
    StockAlert,
)


@dataclass(frozen=True, slots=True)
class Words:
    """Everything a template says that is not data; `{}` takes what belongs in between."""

    levels: Mapping[AlertLevel, str]
    events: Mapping[AlertEvent, str]
    """For heads and counts; what was opened is called by its level."""
    ended_by_hand: str
    """For heads: of an end that a person has made, not the stock."""
    ended: str
    """For counts, which have both."""
    action_kinds: Mapping[ActionKind, str]
    action_states: Mapping[ActionState, str]
    """For heads: how far it is with what is done about an episode."""
    mark: str
    """In front of a number, name or label: brackets, as `{}`."""
    possible_duplicate: str
    called: str
    """In front of those whom a message is for, in a group."""
    sku: str
    warehouse: str
    pool: str
    product: str
    options: str
    options_in_stock: str
    """Of a product: how many are in stock, and how many there are."""
    options_out: str
    doubts: str
    doubt_flags: Mapping[str, str]
    """Of those that a level has, as the ledger calls them."""
    doubt_count: str
    doubt_silent: str
    available: str
    on_hand: str
    incoming: str
    overdue: str
    runs_out: str
    next_arrival: str
    threshold: str
    cover: str
    daily_sales: str
    days: str
    since: str
    lasted: str
    rule: str
    acknowledged_by: str
    ended_by: str
    owner: str
    snoozed_until: str
    action: str
    action_source: str
    action_due: str
    """When what is ordered is expected, a day as `{}`."""
    note: str
    advice: str
    duration: str
    """Days, hours, minutes."""
    colon: str
    details: str
    all_alerts: str
    digest: str
    digest_reason: str
    held_titles: Mapping[HoldReason, str]
    """Of a digest that was held until it could be one message: the number of episodes, as `{}`."""
    held_reasons: Mapping[HoldReason, str]
    supplier: str
    nobody: str
    changes: str
    more_lines: str
    test_head: str
    test_body: str
    failure_heads: Mapping[Failure, str]
    failure_bodies: Mapping[Failure, str]
    """With the destination's name and id, what was wrong, and since when, as `{}`."""
    failure_alert: str
    footer: str

    def happened(self, alert: StockAlert) -> str:
        """Return what happened to an episode at a revision."""
        if alert.event is AlertEvent.RESOLVED and alert.actor is not None:
            return self.ended_by_hand
        if alert.event is AlertEvent.ACTED and alert.action is not None:
            return self.progress(alert.action)
        return self.events[alert.event]

    def progress(self, action: Action) -> str:
        """Return how far an action is; to do nothing is no way to go."""
        if action.kind is ActionKind.NONE:
            return self.action_kinds[action.kind]
        return self.action_states[action.state]


_CHINESE = Words(
    levels={AlertLevel.WATCH: "关注", AlertLevel.URGENT: "紧急", AlertLevel.OUT: "断货"},
    events={
        AlertEvent.OPENED: "新预警",
        AlertEvent.LEVEL_CHANGED: "级别变化",
        AlertEvent.ACKNOWLEDGED: "已接单",
        AlertEvent.ASSIGNED: "已指派",
        AlertEvent.SNOOZED: "已暂缓",
        AlertEvent.REMINDED: "仍未恢复",
        AlertEvent.ESCALATED: "已升级",
        AlertEvent.ACTED: "处理进展",
        AlertEvent.FEEDBACK: "已反馈",
        AlertEvent.REFUSED: "操作未生效",
        AlertEvent.RETRACTED: "已撤回",
        AlertEvent.RESOLVED: "已恢复",
    },
    ended_by_hand="人工结束",
    ended="已结束",
    action_kinds={
        ActionKind.BUY: "采购",
        ActionKind.EXPEDITE: "催货",
        ActionKind.TRANSFER: "调拨",
        ActionKind.SUBSTITUTE: "换货替代",
        ActionKind.COUNT: "盘点",
        ActionKind.STOP_SELLING: "停售",
        ActionKind.LOWER_SHARE: "少放库存给渠道",
        ActionKind.NONE: "不处理",
    },
    action_states={
        ActionState.PROPOSED: "待批准",
        ActionState.APPROVED: "已安排",
        ActionState.ORDERED: "已下单",
        ActionState.RECEIVED: "已到货",
        ActionState.DONE: "已完成",
        ActionState.REJECTED: "已驳回",
        ActionState.CANCELLED: "已取消",
    },
    mark="【{}】",
    possible_duplicate="可能重复",
    called="请处理",
    sku="SKU",
    warehouse="仓库",
    pool="库存池",
    product="商品（款）",
    options="规格",
    options_in_stock="{} / {} 有货",
    options_out="缺货规格",
    doubts="存疑原因",
    doubt_flags={
        "negative": "在手为负",
        "not_ordered": "发货多于订单",
        "in_doubt": "有盘点待确认",
        "unusual": "有异常大的变动",
    },
    doubt_count="上次盘点在 {} 天前",
    doubt_silent="渠道 {} 没有消息",
    available="可用库存",
    on_hand="在手",
    incoming="在途",
    overdue="逾期到货",
    runs_out="预计售罄",
    next_arrival="下次到货",
    threshold="阈值",
    cover="可售天数",
    daily_sales="日均销量",
    days="天",
    since="开始时间",
    lasted="持续",
    rule="规则",
    acknowledged_by="接单人",
    ended_by="结束人",
    owner="负责人",
    snoozed_until="暂缓至",
    action="处理",
    action_source="从 {} 调入",
    action_due="预计 {} 到货",
    note="备注",
    advice="建议",
    duration="{} 天 {} 小时 {} 分",
    colon="：",
    details="查看详情",
    all_alerts="查看全部预警",
    digest="汇总{}条库存消息",
    digest_reason="消息超过每分钟上限，合并为一条；最严重的在前。",
    held_titles={
        HoldReason.FIRST_IMPORT: "已知 {} 项，首次导入",
        HoldReason.CHANGED_RULE: "已知 {} 项，规则有变",
        HoldReason.CHANGED_PARAMETERS: "已知 {} 项，参数有变",
        HoldReason.CHANGED_CATALOGUE: "已知 {} 项，商品目录有变",
        HoldReason.SAME_OWNER: "{} 个库存预警",
        HoldReason.RHYTHM: "{} 个库存预警，定时汇总",
        HoldReason.QUIET_HOURS: "{} 个库存预警，免打扰时段",
    },
    held_reasons={
        HoldReason.FIRST_IMPORT: "首次收到库存时已低于阈值，不再逐条提醒；风险金额最高的在前。",
        HoldReason.CHANGED_RULE: "规则启用或修改时已低于阈值，不再逐条提醒；风险金额最高的在前。",
        HoldReason.CHANGED_PARAMETERS: (
            "参数修改后低于阈值，库存本身没有变化，不再逐条提醒；风险金额最高的在前。"
        ),
        HoldReason.CHANGED_CATALOGUE: (
            "商品目录修改后进入规则范围，不再逐条提醒；风险金额最高的在前。"
        ),
        HoldReason.SAME_OWNER: "同一负责人、同一供应商的预警合并为一条；风险金额最高的在前。",
        HoldReason.RHYTHM: "该渠道按小时或按天接收；风险金额最高的在前。",
        HoldReason.QUIET_HOURS: "免打扰时段内的消息，现合并为一条；风险金额最高的在前。",
    },
    supplier="供应商",
    nobody="无",
    changes="变化",
    more_lines="……另有 {} 个预警未列出",
    test_head="测试消息",
    test_body="{} 测试了通知渠道“{}”。能看到这条消息，说明渠道可用。",
    failure_heads={
        Failure.REFUSED: "通知渠道失效",
        Failure.AWAY: "通知渠道中断",
        Failure.BACK: "通知渠道已恢复",
    },
    failure_bodies={
        Failure.REFUSED: "渠道“{0}”（{1}）拒收消息，已停止重试：{2}",
        Failure.AWAY: "渠道“{0}”（{1}）自 {3} 起收不到消息：{2}。"
        "未送达的消息会在一天内自动重发，急事请另行通知。",
        Failure.BACK: "渠道“{0}”（{1}）自 {3} 起中断，现已恢复，积压的消息正在补发。",
    },
    failure_alert="未送达的预警：#{}",
    footer="由 Lowtide 自动发送，请勿回复。",
)

_ENGLISH = Words(
    levels={AlertLevel.WATCH: "Watch", AlertLevel.URGENT: "Urgent", AlertLevel.OUT: "Out of stock"},
    events={
        AlertEvent.OPENED: "New alert",
        AlertEvent.LEVEL_CHANGED: "Level changed",
        AlertEvent.ACKNOWLEDGED: "Acknowledged",
        AlertEvent.ASSIGNED: "Assigned",
        AlertEvent.SNOOZED: "Snoozed",
        AlertEvent.REMINDED: "Still holds",
        AlertEvent.ESCALATED: "Escalated",
        AlertEvent.ACTED: "In progress",
        AlertEvent.FEEDBACK: "Feedback",
        AlertEvent.REFUSED: "Nothing changed",
        AlertEvent.RETRACTED: "Withdrawn",
        AlertEvent.RESOLVED: "Resolved",
    },
    ended_by_hand="Ended by hand",
    ended="Ended",
    action_kinds={
        ActionKind.BUY: "Buy",
        ActionKind.EXPEDITE: "Expedite",
        ActionKind.TRANSFER: "Transfer",
        ActionKind.SUBSTITUTE: "Substitute",
        ActionKind.COUNT: "Count",
        ActionKind.STOP_SELLING: "Stop selling",
        ActionKind.LOWER_SHARE: "Lower the channels' share",
        ActionKind.NONE: "Do nothing",
    },
    action_states={
        ActionState.PROPOSED: "To approve",
        ActionState.APPROVED: "Going ahead",
        ActionState.ORDERED: "Ordered",
        ActionState.RECEIVED: "Received",
        ActionState.DONE: "Done",
        ActionState.REJECTED: "Turned down",
        ActionState.CANCELLED: "Cancelled",
    },
    mark="[{}] ",
    possible_duplicate="Possible duplicate",
    called="For",
    sku="SKU",
    warehouse="Warehouse",
    pool="Pool",
    product="Product",
    options="Options",
    options_in_stock="{} of {} in stock",
    options_out="Options out",
    doubts="In doubt because",
    doubt_flags={
        "negative": "less than nothing on hand",
        "not_ordered": "more shipped for orders than ordered",
        "in_doubt": "a count waits to be confirmed",
        "unusual": "an unusually large change",
    },
    doubt_count="last counted {} days ago",
    doubt_silent="nothing heard of channel {}",
    available="Available",
    on_hand="on hand",
    incoming="incoming",
    overdue="Overdue",
    runs_out="Runs out",
    next_arrival="Next arrival",
    threshold="Threshold",
    cover="Days of cover",
    daily_sales="sold a day",
    days="days",
    since="Since",
    lasted="Lasted",
    rule="Rule",
    acknowledged_by="Acknowledged by",
    ended_by="Ended by",
    owner="Owner",
    snoozed_until="Snoozed until",
    action="What is done",
    action_source="from {}",
    action_due="due {}",
    note="Note",
    advice="What to do",
    duration="{} d {} h {} min",
    colon=": ",
    details="Open in the console",
    all_alerts="All alerts",
    digest="Summary of {} stock notices",
    digest_reason="More than the limit per minute, so merged into one; the worst come first.",
    held_titles={
        HoldReason.FIRST_IMPORT: "{} known before: first import",
        HoldReason.CHANGED_RULE: "{} known before: a rule has changed",
        HoldReason.CHANGED_PARAMETERS: "{} known before: parameters have changed",
        HoldReason.CHANGED_CATALOGUE: "{} known before: the catalogue has changed",
        HoldReason.SAME_OWNER: "{} stock alerts",
        HoldReason.RHYTHM: "{} stock alerts, by the clock",
        HoldReason.QUIET_HOURS: "{} stock alerts from the quiet hours",
    },
    held_reasons={
        HoldReason.FIRST_IMPORT: (
            "Low when they were first heard of, so told once and together; the most at risk first."
        ),
        HoldReason.CHANGED_RULE: (
            "Low when the rule was made or changed, so told together; the most at risk first."
        ),
        HoldReason.CHANGED_PARAMETERS: (
            "Low by the new parameters, the stock is as it was; the most at risk first."
        ),
        HoldReason.CHANGED_CATALOGUE: (
            "In a rule's scope since the catalogue has changed; the most at risk first."
        ),
        HoldReason.SAME_OWNER: "One message for one owner and supplier; the most at risk first.",
        HoldReason.RHYTHM: "This destination is told by the hour or day; the most at risk first.",
        HoldReason.QUIET_HOURS: "What came while it was quiet; the most at risk first.",
    },
    supplier="Supplier",
    nobody="none",
    changes="Changes",
    more_lines="… and {} more not listed",
    test_head="Test message",
    test_body='{} tested the destination "{}". If you can read this, it works.',
    failure_heads={
        Failure.REFUSED: "A destination refuses messages",
        Failure.AWAY: "A destination takes no messages",
        Failure.BACK: "A destination takes messages again",
    },
    failure_bodies={
        Failure.REFUSED: 'Destination "{0}" ({1}) refused a message for good: {2}',
        Failure.AWAY: 'Destination "{0}" ({1}) has taken nothing since {3}: {2}. What is for it is '
        "tried again for a day; tell its readers what cannot wait.",
        Failure.BACK: 'Destination "{0}" ({1}), which took nothing from {3} on, takes messages '
        "again; what has waited is on its way.",
    },
    failure_alert="Alert not delivered: #{}",
    footer="Sent automatically by Lowtide; replies are not read.",
)

WORDS: Mapping[Language, Words] = {Language.CHINESE: _CHINESE, Language.ENGLISH: _ENGLISH}
