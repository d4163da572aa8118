"""The phrases of buttons, and of the page that a link in a mail opens; one set per language."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.notifier.domain.destinations import Language
from shared.events.alert_responses import FeedbackReason, ResponseKind


@dataclass(frozen=True, slots=True)
class ResponseWords:
    """What people may answer, in words; `{}` takes what belongs in between."""

    acts: Mapping[ResponseKind, str]
    ordered: str
    """With a quantity."""
    choice: str
    no_choice: str
    reasons: Mapping[FeedbackReason, str]
    hours: str
    days: str
    links: str
    confirm: str
    done: str
    done_detail: str
    expired: str
    expired_detail: str
    over: str
    which_reason: str
    how_long: str

    def duration(self, minutes: int) -> str:
        """Return a choice of time in words."""
        hours = minutes // 60
        return self.days.format(hours // 24) if hours % 24 == 0 else self.hours.format(hours)


_CHINESE = ResponseWords(
    acts={
        ResponseKind.ACKNOWLEDGE: "接单",
        ResponseKind.FALSE_ALARM: "误报",
        ResponseKind.ORDERED: "已下单",
        ResponseKind.SNOOZE: "暂缓",
    },
    ordered="已下单 {}",
    choice="误报原因/时长",
    no_choice="（不选）",
    reasons={
        FeedbackReason.USEFUL: "有用",
        FeedbackReason.DATA_WRONG: "数据有误",
        FeedbackReason.SHORT_LIVED: "很快会恢复",
        FeedbackReason.KNOWN: "已知，货在路上",
        FeedbackReason.NOT_ACTIONABLE: "无法处理",
        FeedbackReason.LIMIT_UNSUITABLE: "阈值不合适",
    },
    hours="暂缓 {} 小时",
    days="暂缓 {} 天",
    links="一键处理",
    confirm="确认",
    done="已收到",
    done_detail="“{}”已收到，结果会在随后的消息中告知；预警若已结束，则不再有消息。可以关闭此页。",
    expired="链接已失效",
    expired_detail="链接已过期或不完整，请在控制台中处理。",
    over="打开控制台",
    which_reason="为什么是误报？",
    how_long="暂缓多久？",
)

_ENGLISH = ResponseWords(
    acts={
        ResponseKind.ACKNOWLEDGE: "Acknowledge",
        ResponseKind.FALSE_ALARM: "False alarm",
        ResponseKind.ORDERED: "Ordered",
        ResponseKind.SNOOZE: "Snooze",
    },
    ordered="Ordered {}",
    choice="Reason or time",
    no_choice="(none)",
    reasons={
        FeedbackReason.USEFUL: "Useful",
        FeedbackReason.DATA_WRONG: "The data is wrong",
        FeedbackReason.SHORT_LIVED: "It will pass",
        FeedbackReason.KNOWN: "Known, on the way",
        FeedbackReason.NOT_ACTIONABLE: "Nothing to do",
        FeedbackReason.LIMIT_UNSUITABLE: "The limit is wrong",
    },
    hours="Snooze {} hours",
    days="Snooze {} days",
    links="With one click",
    confirm="Confirm",
    done="Received",
    done_detail=(
        '"{}" was received. The next message says what became of it; if the alert is over, none '
        "follows. You may close this page."
    ),
    expired="This link does not work any more",
    expired_detail="It has expired or is not complete. Use the console instead.",
    over="Open the console",
    which_reason="Why is it a false alarm?",
    how_long="For how long?",
)

RESPONSE_WORDS: Mapping[Language, ResponseWords] = {
    Language.CHINESE: _CHINESE,
    Language.ENGLISH: _ENGLISH,
}
