"""What people answer: whose business an alert is, and what they are told when it is not theirs."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final

from services.alerting.domain.people import Responsibility
from services.alerting.domain.words import Text
from shared.events.alert_responses import FeedbackReason


class Answer(StrEnum):
    """What became of a response."""

    DONE = "done"
    UNCHANGED = "unchanged"
    """It was so already."""
    UNKNOWN_ALERT = "unknown_alert"
    RESOLVED = "resolved"
    UNKNOWN_PERSON = "unknown_person"
    OUT_OF_SCOPE = "out_of_scope"
    COVERED = "covered"
    """What is done already covers the shortage: a second order would be one too many."""


TOLD: Final = frozenset({Answer.UNKNOWN_PERSON, Answer.OUT_OF_SCOPE, Answer.COVERED})
"""What whoever answered is told alone, since nothing has changed."""


def may_answer(
    person: str, row: Responsibility | None, owner: str | None, told: Collection[str]
) -> bool:
    """Return whether an alert is a person's business.

    It is for those whom the table of responsibilities names in its row, for its owner, and for
    whoever it was sent to. What is nobody's is everybody's that is known.
    """
    named = {each for each in (owner, *told, *(row.line if row else ())) if each is not None}
    return person in named or not named


_REFUSALS: Final[Mapping[Answer, Text]] = {
    Answer.UNKNOWN_PERSON: Text(
        "没有生效：系统里没有登记这个账号，请管理员在人员中登记。",
        "Nothing changed: nobody is registered under this address; ask for it to be added.",
    ),
    Answer.OUT_OF_SCOPE: Text(
        "没有生效：这个预警不由你负责。",
        "Nothing changed: this alert is not yours to see to.",
    ),
    Answer.COVERED: Text(
        "没有生效：已下单或待批准的已足以补上，不必再下单。",
        "Nothing changed: what is ordered, or waits for approval, is enough; there is no need for "
        "another order.",
    ),
}

_OPINIONS: Final[Mapping[FeedbackReason, Text]] = {
    FeedbackReason.USEFUL: Text("有用", "Useful"),
    FeedbackReason.DATA_WRONG: Text("数据有误", "The data is wrong"),
    FeedbackReason.SHORT_LIVED: Text("很快会恢复", "It will pass"),
    FeedbackReason.KNOWN: Text("已知，货在路上", "Known, stock is on the way"),
    FeedbackReason.NOT_ACTIONABLE: Text("无法处理", "Nothing can be done"),
    FeedbackReason.LIMIT_UNSUITABLE: Text("阈值不合适", "The limit does not suit"),
}
_FALSE_ALARM: Final = Text("误报", "False alarm")
_ORDERED: Final = Text("已下单", "Ordered")


def refusal(answer: Answer, language: str) -> str:
    """Return what somebody is told whose response changed nothing."""
    return _in(_REFUSALS[answer], language)


def opinion(reason: FeedbackReason | None, language: str) -> str:
    """Return a feedback in words; None is a false alarm without a reason."""
    return _in(_FALSE_ALARM if reason is None else _OPINIONS[reason], language)


def order(language: str) -> str:
    """Return that something was ordered; where it is known how much, that is an action."""
    return _in(_ORDERED, language)


def _in(text: Text, language: str) -> str:
    return text.en if language == "en" else text.zh
