"""A level with an unusual change: who is told of it, and when anybody is asked to buy."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.alerting.domain.condition import State
from services.alerting.domain.draft import Draft
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.memory import Territory
from services.alerting.domain.outcome import Reason
from services.alerting.domain.parameters import ParameterBook
from services.alerting.domain.rule import Doubts, Limit, Rule
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.subject import LevelSubject
from tests.unit.services.alerting.cases import NOON, OUT, WATCH, AtLevel, level, minutes, rule

DAY = 24 * 60
ODD = ("negative", "unusual")
A = LevelSubject("A", "W")
STOCK_OUT = rule(RuleKind.STOCK_OUT, [Limit(OUT, 0, 0)], id_="stock out")
DOUBT = rule(
    RuleKind.DATA_DOUBT, [Limit(WATCH, 1, 1)], id_="doubt", doubts=Doubts(frozenset({"unusual"}))
)
OF_POOL = rule(id_="pool", pool="all", limits=[Limit(OUT, 1, 1)])


class Worker:
    """A memory of one partition."""

    def __init__(self, *rules: Rule) -> None:
        self.territory = Territory()
        self.book = RuleBook(1, rules)

    def draft(self) -> Draft:
        return Draft({0: self.territory}, self.book, {}, ParameterBook())

    def hear(self, minute: float, *levels: AtLevel) -> Draft:
        draft = self.draft()
        for each in levels:
            draft.hear(0, each, minutes(minute))
        draft.pool()
        draft.adopt()
        return draft

    def fire(self, minute: float) -> Draft:
        draft = self.draft()
        draft.fire(0, minutes(minute), 100)
        draft.pool()
        draft.adopt()
        return draft


def events(draft: Draft) -> list[tuple[str, str, float]]:
    """Return rule, event and minutes after noon of what is announced."""
    return [
        (
            each.rule.id,
            each.transition.event.value,
            (each.transition.occurred_at - NOON) / timedelta(minutes=1),
        )
        for each in draft.announcements
    ]


def test_a_mistyped_sale_raises_a_doubt_and_nobody_is_asked_to_buy() -> None:
    worker = Worker(STOCK_OUT, DOUBT)
    worker.hear(0, level(40))
    draft = worker.hear(1, level(-4960, flags=ODD, version=2))
    assert events(draft) == [("doubt", "opened", 1)]
    assert draft.reasons[RuleKind.STOCK_OUT, Reason.DATA_IN_DOUBT] == 1
    assert events(worker.hear(9, level(40, version=3))) == [("doubt", "resolved", 9)]


def test_what_a_count_confirms_opens_at_once() -> None:
    worker = Worker(STOCK_OUT, DOUBT)
    worker.hear(0, level(0, flags=ODD))
    counted = worker.hear(30, level(0, version=2))
    assert events(counted) == [("doubt", "resolved", 30), ("stock out", "opened", 30)]


def test_what_nobody_counts_opens_after_a_day() -> None:
    worker = Worker(STOCK_OUT, DOUBT)
    worker.hear(0, level(0, flags=ODD))
    worker.hear(DAY - 1, level(-1, flags=ODD, version=2))
    assert worker.territory.subjects[A].conditions["stock out"].state is State.PENDING
    assert events(worker.fire(DAY + 7)) == [("stock out", "opened", DAY)]


@pytest.mark.parametrize(
    "others",
    [
        (),
        (replace(DOUBT, enabled=False),),
        (replace(DOUBT, muted=True),),
        (replace(DOUBT, pending=timedelta(hours=1)),),
        (replace(DOUBT, doubts=Doubts(frozenset({"negative"}))),),
    ],
)
def test_a_shortage_waits_only_where_people_were_told_of_the_doubt(
    others: tuple[Rule, ...],
) -> None:
    worker = Worker(STOCK_OUT, *others)
    worker.hear(0, level(40))
    draft = worker.hear(1, level(0, flags=ODD, version=2))
    assert ("stock out", "opened", 1) in events(draft)


def test_a_shortage_of_a_doubt_that_no_rule_tells_any_more_opens() -> None:
    worker = Worker(STOCK_OUT, DOUBT)
    worker.hear(0, level(0, flags=ODD))
    worker.book = RuleBook(2, [STOCK_OUT])
    draft = worker.draft()
    draft.look(0, [A], minutes(5))
    assert ("stock out", "opened", 5) in events(draft)


def test_a_dip_in_doubt_opens_nothing() -> None:
    worker = Worker(STOCK_OUT, DOUBT)
    worker.hear(0, level(40))
    draft = worker.hear(1, level(40, -4960, flags=ODD, version=2))
    assert events(draft) == [("doubt", "opened", 1)]


def test_what_is_no_shortage_does_not_wait() -> None:
    negative = rule(RuleKind.NEGATIVE, [Limit(OUT, 0, 0)], id_="negative")
    draft = Worker(negative, DOUBT).hear(0, level(-4960, flags=ODD, on_hand=-4960))
    assert ("negative", "opened", 0) in events(draft)


def test_what_was_open_before_goes_on() -> None:
    worker = Worker(STOCK_OUT, DOUBT)
    worker.hear(0, level(0))
    worker.hear(1, level(-4960, flags=ODD, version=2))
    assert worker.territory.subjects[A].conditions["stock out"].state is State.OPEN


def test_a_pool_waits_for_a_level_that_is_in_doubt() -> None:
    worker = Worker(OF_POOL, DOUBT)
    worker.hear(0, level(40, warehouse="N"), level(5, warehouse="S"))
    odd = level(-4960, flags=ODD, version=2, warehouse="N")
    draft = worker.hear(1, odd)
    assert events(draft) == [("doubt", "opened", 1)]
    assert draft.reasons[RuleKind.BELOW, Reason.DATA_IN_DOUBT] == 1
    counted = replace(odd, flags=(), version=3)
    assert ("pool", "opened", 60) in events(worker.hear(60, counted))


def test_a_pool_that_nobody_counts_opens_after_a_day() -> None:
    worker = Worker(OF_POOL, DOUBT)
    worker.hear(0, level(-40, flags=ODD, warehouse="N"))
    assert events(worker.fire(DAY)) == [("pool", "opened", DAY)]
