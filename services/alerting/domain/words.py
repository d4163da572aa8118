"""Explanations in words: zh-CN and en."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from services.alerting.domain.ended_by_hand import EndedByHand
from services.alerting.domain.explanation import Explanation
from services.alerting.domain.kind import TRAITS, RuleKind
from services.alerting.domain.outcome import Reason
from services.alerting.domain.rule import Limit
from shared.events.stock_alerts import AlertLevel, DoubtReasons, SubjectKind


class Text(NamedTuple):
    """The same in both languages."""

    zh: str
    en: str


_AVAILABLE = Text("可用 {} 件", "{} units are available")
_COVER = Text("可售 {} 天", "what is available lasts {} days")

_MEASURES: Final[Mapping[RuleKind, Text]] = {
    RuleKind.STOCK_OUT: _AVAILABLE,
    RuleKind.BELOW: _AVAILABLE,
    RuleKind.BELOW_SAFETY_STOCK: _AVAILABLE,
    RuleKind.BELOW_REORDER_POINT: _AVAILABLE,
    RuleKind.DAYS_OF_COVER: _COVER,
    RuleKind.OVERSTOCK: _COVER,
    RuleKind.NEGATIVE: Text("在手 {} 件", "{} units are on hand"),
    RuleKind.DATA_DOUBT: Text("有 {} 个存疑理由", "there are {} reasons to doubt the numbers"),
    RuleKind.INBOUND_OVERDUE: Text(
        "最早一笔在途已过期 {} 天", "the oldest incoming line was due {} days ago"
    ),
    RuleKind.BROKEN_SIZE_RUN: Text("{} 的规格有货", "{} of the options are in stock"),
    RuleKind.RUN_OUT_BEFORE_INBOUND: Text(
        "到货之前货架会空 {} 天", "the shelf would be empty for {} days before stock can arrive"
    ),
}

_LEVELS: Final[Mapping[AlertLevel, Text]] = {
    AlertLevel.WATCH: Text("关注", "watch"),
    AlertLevel.URGENT: Text("紧急", "urgent"),
    AlertLevel.OUT: Text("断货", "out"),
}

_UNDER = Text("{}：低于 {}", "{} under {}")
_OVER = Text("{}：高于 {}", "{} over {}")
_AT_MOST = Text("{}：不高于 {}", "{} at {} or less")
_AT_LEAST = Text("{}：不低于 {}", "{} at {} or more")

_FLAGS: Final[Mapping[str, Text]] = {
    "negative": Text("在手为负", "less than nothing is on hand"),
    "not_ordered": Text("发货多于订单", "more was shipped for orders than was ordered"),
    "in_doubt": Text("有盘点待确认", "a count waits to be confirmed"),
    "unusual": Text("有异常大的变动", "a change was unusually large"),
}
_COUNT = Text("上次盘点在 {} 天前", "it was last counted {} days ago")
_SILENT = Text("渠道 {} 没有消息", "nothing was heard of channel {}")

_REASONS: Final[Mapping[Reason, Text]] = {
    Reason.CLEAR: Text("没有触及任何限值。", "No limit holds."),
    Reason.PENDING: Text(
        "触及限值，但持续时间还不够。", "A limit holds, but not yet for the pending time."
    ),
    Reason.PENDING_ENDED: Text(
        "等待期未满就已恢复。", "The limit no longer holds; the pending time had not passed."
    ),
    Reason.FIRED: Text("触及限值，现在预警。", "A limit holds: it warns now."),
    Reason.DIPPED: Text(
        "两次消息之间曾触及限值。", "A limit held for a moment between two messages."
    ),
    Reason.FIRING: Text("已经预警，仍未恢复。", "It has warned already, and still holds."),
    Reason.LEVEL_ROSE: Text("更严重的限值已触及。", "A more severe limit holds now."),
    Reason.LEVEL_FELL: Text("已降到较轻的级别。", "A milder limit holds now."),
    Reason.RECOVERING: Text(
        "已回到解除限值，但持续时间还不够。",
        "The exit limit is reached, but not yet for the recovery time.",
    ),
    Reason.RECOVERY_BROKEN: Text(
        "恢复期未满又再次触及。",
        "The exit limit was left again before the recovery time had passed.",
    ),
    Reason.RECOVERED: Text("已恢复，预警解除。", "It has recovered: the episode ends."),
    Reason.NEVER_WAS: Text(
        "后到的记录表明从未触及限值，预警撤回。",
        "What came to light late shows that no limit was ever reached: the warning is withdrawn.",
    ),
    Reason.TOO_LITTLE_HISTORY: Text(
        "销售不足七个完整日，无法计算日均销量。",
        "Not evaluated: mean daily sales need seven complete days.",
    ),
    Reason.NO_PARAMETER: Text(
        "所需参数没有设置，无法判断。", "Not evaluated: a parameter that it needs is not set."
    ),
    Reason.ARRIVAL_UNKNOWN: Text(
        "在途已过期或没有到货日期，提前期也没有设置，无法判断。",
        "Not evaluated: what is incoming is late or has no date, and no lead time is set.",
    ),
    Reason.CHANNELS_UNHEARD: Text(
        "刚启动或中断后恢复，渠道是否沉默还需收听五分钟才能判断；已有的预警保持不变。",
        "Not evaluated: after a start or an outage it takes five minutes of listening to say which "
        "channels are silent. What is open goes on.",
    ),
    Reason.TOO_NEW: Text(
        "触及限值，但还在新品宽限期内。", "A limit holds, but the level is too new."
    ),
    Reason.BELOW_MINIMUM_DEMAND: Text(
        "触及限值，但销量低于最低需求。", "A limit holds, but too few are sold to warn."
    ),
    Reason.DEMAND_FALLS: Text(
        "触及限值，但近 7 天销量相对 28 天在下降，低于规则要求的趋势。",
        "A limit holds, but sales of the last 7 days are falling against those of 28, by more than "
        "the rule allows.",
    ),
    Reason.COVERED_BY_INBOUND: Text(
        "触及限值，但在途足以补足。", "A limit holds, but what is incoming covers it."
    ),
    Reason.INHIBITED: Text(
        "触及限值，但同一库存已由另一规则报断货。",
        "A limit holds, but another rule has the level as out already.",
    ),
    Reason.COVERED_BY_POOL: Text(
        "触及限值，但所在库存池仍充足，关注不单独预警。",
        "A limit holds, but the pool that the level is in has enough.",
    ),
    Reason.DATA_IN_DOUBT: Text(
        "触及限值，但库存刚有异常大的变动，已通知核实：盘点之后，或最迟一天后仍未恢复才预警。",
        "A limit holds, but a change was unusually large and people were told to check it; it "
        "warns once that is counted, or after a day at the latest.",
    ),
    Reason.MUTED: Text(
        "触及限值，但日历规定此时不预警。", "A limit holds, but the calendar keeps it quiet now."
    ),
    Reason.OUTSIDE_HOURS: Text(
        "触及限值，但不在规则的生效时段内，到时仍未恢复才预警。",
        "A limit holds, but the rule is outside its hours; it warns when they begin if it still "
        "does.",
    ),
    Reason.STALE_VERSION: Text("这一版本已处理过。", "This version was seen before."),
    Reason.RULE_DISABLED: Text("规则已停用。", "The rule is disabled."),
    Reason.OUT_OF_SCOPE: Text("不在规则范围内。", "The rule is not for this."),
}


_ENDED = Text(
    "预警 #{number} 已由 {name} 于 {at} 人工结束：{note}。比当时的“{level}”更严重，"
    "或恢复后再次触及，才会再预警。",
    "Alert #{number} was ended by {name} at {at}: {note}. It warns again once it is worse than "
    "{level}, or holds anew after it has recovered.",
)


def in_words(explanation: Explanation, ended: EndedByHand | None = None) -> Text:
    """Return what is measured, the limits and the reason as a sentence or two.

    Occasions of the calendar that have a say are named; so is who has `ended` the episode.
    """
    said = _in_season(explanation)
    if ended is None:
        return said
    level = _LEVELS[ended.level]
    told = {
        "number": ended.number,
        "name": ended.name,
        "at": f"{ended.ended_at:%Y-%m-%d %H:%M} UTC",
        "note": ended.note.rstrip("。."),
    }
    zh, en = _ENDED.zh.format(**told, level=level.zh), _ENDED.en.format(**told, level=level.en)
    return Text(said.zh + zh, f"{said.en} {en}")


def _in_season(explanation: Explanation) -> Text:
    said, occasions = _of_whom(explanation), explanation.rule.occasions
    if not occasions:
        return said
    zh = "、".join(_named(each, "zh-CN") for each in occasions)
    en = ", ".join(_named(each, "en") for each in occasions)
    return Text(f"{said.zh}日历：{zh}。", f"{said.en} Calendar: {en}.")


def _named(name: Mapping[str, str], language: str) -> str:
    return name.get(language) or next(iter(name.values()))


def _of_whom(explanation: Explanation) -> Text:
    said, rule = _what_and_why(explanation), explanation.rule
    if rule.subject is SubjectKind.POOL:
        return Text(f"库存池 {rule.pool}：{said.zh}", f"Pool {rule.pool}: {said.en}")
    if rule.subject is SubjectKind.PRODUCT:
        return Text(f"商品（{rule.pool}）：{said.zh}", f"Product ({rule.pool}): {said.en}")
    return said


def _what_and_why(explanation: Explanation) -> Text:
    reason = _REASONS[explanation.reason]
    measured = explanation.measure
    if measured is None:
        return reason
    rule, kind = explanation.rule, explanation.rule.kind
    if rule.custom is not None:
        zh = en = rule.custom.text
        if rule.clears is not None:
            zh, en = f"{zh}（直到 {rule.clears.text}）", f"{en} (until {rule.clears.text})"
        return Text(f"{zh}：{reason.zh}", f"{en}: {reason.en}")
    shown = [_limit(kind, limit) for limit in explanation.limits]
    what = Text(*(each.format(_shown(kind, measured)) for each in _MEASURES[kind]))
    if explanation.doubts is not None:
        why = _doubted(explanation.doubts)
        what = Text(f"{what.zh}（{why.zh}）", f"{what.en} ({why.en})")
    zh = "，".join([what.zh, *(each.zh for each in shown)])
    en = ", ".join([what.en[0].upper() + what.en[1:], *(each.en for each in shown)])
    return Text(f"{zh}。{reason.zh}", f"{en}. {reason.en}")


def _doubted(found: DoubtReasons) -> Text:
    said = [_FLAGS.get(flag, Text(flag, flag)) for flag in found.flags]
    if found.count_days is not None:
        said.append(Text(*(each.format(f"{found.count_days:,}") for each in _COUNT)))
    if found.silent:
        zh, en = "、".join(found.silent), ", ".join(found.silent)
        said.append(Text(_SILENT.zh.format(zh), _SILENT.en.format(en)))
    return Text("；".join(each.zh for each in said), "; ".join(each.en for each in said))


def _limit(kind: RuleKind, limit: Limit) -> Text:
    holds = TRAITS[kind].holds
    at_limit = holds(0, 0)
    if TRAITS[kind].above:
        words = _AT_LEAST if at_limit else _OVER
    else:
        words = _AT_MOST if at_limit else _UNDER
    number = _shown(kind, limit.enter)
    level = _LEVELS[limit.level]
    return Text(words.zh.format(level.zh, number), words.en.format(level.en, number))


def _shown(kind: RuleKind, value: float) -> str:
    return f"{value:.0%}" if kind is RuleKind.BROKEN_SIZE_RUN else _number(value)


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0").replace("-", "−")
