import pytest

from services.alerting.domain.answering import Answer, may_answer, opinion, order, refusal
from services.alerting.domain.people import Responsibilities, Responsibility
from shared.events.alert_responses import FeedbackReason

ROW = Responsibility(None, None, "lin", "deng", "wang")


@pytest.mark.parametrize("person", ["lin", "deng", "wang", "owner", "told"])
def test_an_alert_is_the_business_of_those_it_concerns(person: str) -> None:
    assert may_answer(person, ROW, "owner", {"told"})


def test_it_is_nobody_elses() -> None:
    assert not may_answer("anna", ROW, "owner", {"told"})
    assert not may_answer("anna", None, "owner", ())
    assert not may_answer("anna", None, None, {"told"})


def test_what_is_nobodys_is_everybodys() -> None:
    assert may_answer("anna", None, None, ())


def test_the_row_that_says_most_decides() -> None:
    cups = Responsibility("cups", None, "anna")
    table = Responsibilities([ROW, cups])
    assert table.row("cups", "W") == cups
    assert table.row("plates", "W") == ROW
    assert Responsibilities([cups]).row(None, "W") is None


def test_people_are_told_in_their_language() -> None:
    assert refusal(Answer.OUT_OF_SCOPE, "zh-CN").startswith("没有生效")
    assert refusal(Answer.UNKNOWN_PERSON, "en").startswith("Nothing changed")
    assert opinion(None, "zh-CN") == "误报"
    assert opinion(FeedbackReason.DATA_WRONG, "en") == "The data is wrong"
    assert (order("zh-CN"), order("en")) == ("已下单", "Ordered")
