"""Pools: a SKU over several warehouses that sell as one."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.alerting.domain.condition import State
from services.alerting.domain.draft import Draft
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.memory import Territory
from services.alerting.domain.outcome import Reason
from services.alerting.domain.parameters import NOTHING_SET, ParameterBook, Parameters
from services.alerting.domain.pool import sold_together, summed
from services.alerting.domain.rule import Limit, Rule
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.subject import Item, LevelSubject, PoolSubject
from tests.unit.services.alerting.cases import (
    NOON,
    OUT,
    WATCH,
    AtLevel,
    Line,
    level,
    minutes,
    rule,
    sold,
)

ONLINE = PoolSubject("A", "online", "pool")
OF_POOL = rule(limits=[Limit(WATCH, 20, 30)], id_="pool", pool="online", warehouses=["N", "S"])
OF_LEVELS = rule(limits=[Limit(WATCH, 10, 10), Limit(OUT, 1, 1)], id_="levels")
COVERING = rule(
    limits=[Limit(WATCH, 20, 30)], id_="pool", pool="all", warehouses=(), covers_levels=True
)


def run_out(*warehouses: str) -> Rule:
    """Return a rule that waits for the lines of some warehouses."""
    return rule(
        RuleKind.RUN_OUT_BEFORE_INBOUND,
        [Limit(WATCH, 0, 0)],
        id_="pool",
        pool="online",
        warehouses=warehouses,
        covers_levels=True,
    )


class Worker:
    """A memory of one partition."""

    def __init__(self, *rules: Rule) -> None:
        self.territory = Territory()
        self.parameters = ParameterBook()
        self.use(*rules)

    def use(self, *rules: Rule, revision: int = 1) -> None:
        self.book = RuleBook(revision, rules)

    def draft(self) -> Draft:
        return Draft({0: self.territory}, self.book, {}, self.parameters)

    def hear(self, minute: float, *levels: AtLevel) -> Draft:
        draft = self.draft()
        for each in levels:
            draft.hear(0, each, minutes(minute), "trace")
        draft.pool()
        draft.adopt()
        return draft

    def look(self, minute: float = 60) -> Draft:
        draft = self.draft()
        draft.look(0, list(self.territory.subjects), minutes(minute))
        draft.pool()
        draft.adopt()
        return draft

    def fire(self, minute: float) -> Draft:
        draft = self.draft()
        draft.fire(0, minutes(minute), 100)
        draft.pool()
        draft.adopt()
        return draft


def in_(warehouse: str, available: int, version: int = 1, **fields: object) -> AtLevel:
    told = {"version": version, "warehouse": warehouse} | fields
    return level(available, None, **told)


def events(draft: Draft) -> list[tuple[str, str]]:
    """Return (rule and warehouse or pool, event) of what a draft announces."""
    return [
        (f"{each.rule.id} {each.subject.warehouse}", each.transition.event.value)
        for each in draft.announcements
    ]


def test_what_levels_have_adds_up() -> None:
    late, soon = Line(5, minutes(90)), Line(7, minutes(60))
    told = [
        in_("N", 3, 4, on_hand=8, incoming=5, sold_total=100, supply=(late,)),
        in_("S", -1, 2, on_hand=1, incoming=7, sold_total=10, supply=(soon,), flags=("in_doubt",)),
    ]
    pool = summed("A", "online", told)
    assert (pool.available, pool.low_water, pool.on_hand, pool.incoming) == (2, 2, 9, 12)
    assert (pool.version, pool.sold_total, pool.supply) == (6, 110, (late, soon))


def test_sales_of_warehouses_are_those_of_one() -> None:
    """A warehouse that is new has sold nothing before; the days are the newest ones of all."""
    today = sold(1).day
    together = sold_together([sold(3), sold(2, days=7)], today)
    assert together.sold == (3,) * 21 + (5,) * 7
    assert sold_together([sold(3), sold(2)], today + 1).day == today + 1
    assert together.first_day == sold(3).first_day


def test_a_pool_warns_by_its_sum_and_not_by_its_levels() -> None:
    worker = Worker(OF_POOL)
    assert events(worker.hear(0, in_("N", 0), in_("S", 25))) == []
    draft = worker.hear(1, in_("S", 15, 2))
    assert events(draft) == [("pool online", "opened")]
    assert draft.announcements[0].subject == ONLINE
    assert draft.announcements[0].transition.facts.available == 15
    assert draft.announcements[0].trace == "trace"
    assert draft.conditions[ONLINE, "pool"][0] == 0
    assert events(worker.hear(2, in_("N", 40, 2))) == [("pool online", "resolved")]
    assert ONLINE not in worker.territory.subjects


@pytest.mark.parametrize(("available", "then"), [(3, []), (50, [("pool online", "resolved")])])
def test_what_is_open_goes_on_in_warehouses_that_a_rule_has_moved_to(
    available: int, then: list[tuple[str, str]]
) -> None:
    worker = Worker(replace(OF_POOL, scope=replace(OF_POOL.scope, warehouses=frozenset({"N"}))))
    assert events(worker.hear(0, in_("N", 5))) == [("pool online", "opened")]
    moved = replace(OF_POOL, scope=replace(OF_POOL.scope, warehouses=frozenset({"S"})))
    worker.use(moved, revision=2)
    assert events(worker.hear(1, in_("S", available))) == then


def test_a_pool_is_looked_at_once_a_batch_after_all_its_levels() -> None:
    """What moves from one warehouse to another never leaves the pool."""
    worker = Worker(OF_POOL)
    worker.hear(0, in_("N", 50), in_("S", 0))
    draft = worker.hear(1, in_("N", 0, 2), in_("S", 50, 2))
    assert draft.announcements == []
    assert draft.reasons[RuleKind.BELOW, Reason.CLEAR] == 1


def test_a_warehouse_outside_of_the_pool_does_not_count() -> None:
    worker = Worker(OF_POOL)
    worker.hear(0, in_("N", 50))
    assert worker.hear(1, in_("W", 0)).reasons == {}
    assert events(worker.hear(2, in_("N", 10, 2), in_("W", 1_000, 2))) == [
        ("pool online", "opened")
    ]


def test_of_which_pools_a_level_is_is_asked_once() -> None:
    """The answer is kept for as long as the rules and the SKU's master data stay the same."""
    book = RuleBook(1, [OF_POOL])
    item = Item("Mug", None, frozenset())
    level_in = LevelSubject("A", "N")
    assert book.gathered(level_in, item, NOTHING_SET) is book.gathered(level_in, item, NOTHING_SET)
    assert book.gathered(LevelSubject("A", "W"), item, NOTHING_SET) is None


def test_pending_time_passes_for_a_pool() -> None:
    waiting = rule(limits=[Limit(WATCH, 20, 30)], id_="pool", pool="online", pending=10)
    worker = Worker(waiting)
    assert events(worker.hear(0, in_("N", 5), in_("S", 5))) == []
    assert worker.territory.subjects[ONLINE].conditions["pool"].state is State.PENDING
    assert events(worker.fire(9)) == []
    draft = worker.fire(11)
    assert events(draft) == [("pool online", "opened")]
    assert draft.announcements[0].transition.facts.available == 10
    assert draft.announcements[0].transition.occurred_at - NOON == timedelta(minutes=10)


def test_what_was_due_before_a_message_comes_first() -> None:
    waiting = rule(limits=[Limit(WATCH, 20, 30)], id_="pool", pool="online", pending=10)
    worker = Worker(waiting)
    worker.hear(0, in_("N", 5))
    assert [event for _, event in events(worker.hear(11, in_("N", 50, 2)))] == [
        "opened",
        "resolved",
    ]


def test_a_pool_that_is_no_more_ends_its_episode() -> None:
    worker = Worker(OF_POOL)
    worker.hear(0, in_("N", 5))
    worker.use(rule(limits=[Limit(WATCH, 1, 1)], id_="pool"), revision=2)
    draft = worker.look()
    assert events(draft) == [("pool online", "resolved")]
    assert draft.announcements[0].transition.reason is Reason.OUT_OF_SCOPE
    assert ONLINE not in worker.territory.subjects


def test_a_new_rule_finds_pools_that_are_low_already() -> None:
    worker = Worker()
    worker.hear(0, in_("N", 5), in_("S", 5))
    worker.use(OF_POOL, revision=2)
    draft = worker.look()
    assert events(draft) == [("pool online", "opened")]
    assert draft.announcements[0].known == "changed_rule"


def test_a_pool_heard_of_for_the_first_time_is_known() -> None:
    assert Worker(OF_POOL).hear(0, in_("N", 5)).announcements[0].known == "first_import"


def test_a_watch_is_no_news_while_the_pool_has_enough() -> None:
    worker = Worker(OF_LEVELS, COVERING)
    worker.hear(0, in_("N", 50), in_("S", 50))
    draft = worker.hear(1, in_("N", 5, 2))
    assert events(draft) == []
    assert draft.reasons[RuleKind.BELOW, Reason.COVERED_BY_POOL] == 1
    assert events(worker.hear(2, in_("N", 0, 3))) == [("levels N", "opened")]


def test_a_watch_opens_when_the_pool_runs_low() -> None:
    """Of the levels that were kept quiet until then, too, and in the same batch."""
    worker = Worker(OF_LEVELS, COVERING)
    assert events(worker.hear(0, in_("S", 50), in_("N", 5))) == []
    assert events(worker.hear(1, in_("S", 12, 2))) == [
        ("pool all", "opened"),
        ("levels N", "opened"),
    ]


def test_a_watch_opens_when_the_line_that_the_pool_waits_for_does_not_come() -> None:
    worker = Worker()
    supply = (Line(100, minutes(60)),)
    worker.hear(0, in_("N", 50), in_("S", 50, supply=supply))
    for subject, known in worker.territory.subjects.items():
        worker.territory.subjects[subject] = known._replace(sales=sold(2))
    worker.use(OF_LEVELS, run_out())
    covered = worker.hear(1, in_("N", 5, 2))
    assert covered.reasons[RuleKind.BELOW, Reason.COVERED_BY_POOL] == 1
    assert events(worker.fire(59)) == []
    assert events(worker.fire(61)) == [("levels N", "opened")]


def test_a_pool_keeps_its_levels_quiet_only_where_its_rule_says_so() -> None:
    quiet = rule(limits=[Limit(WATCH, 20, 30)], id_="pool", pool="all")
    worker = Worker(OF_LEVELS, quiet)
    worker.hear(0, in_("N", 50), in_("S", 50))
    assert events(worker.hear(1, in_("N", 5, 2))) == [("levels N", "opened")]


@pytest.mark.parametrize("own", [30, 5])
def test_a_new_level_counts_for_its_own_pool(own: int) -> None:
    worker = Worker(OF_LEVELS, COVERING)
    worker.hear(0, in_("S", 15))
    draft = worker.hear(1, in_("N", own))
    assert ("levels N", "opened") not in events(draft)


@pytest.mark.parametrize("name", ["online", "shops"])
def test_a_pool_that_no_level_is_in_any_more_ends_its_episode(name: str) -> None:
    """Its warehouses were changed to some that have nothing of the SKU, under any name."""
    worker = Worker(OF_POOL)
    worker.hear(0, in_("N", 5))
    elsewhere = rule(limits=[Limit(WATCH, 20, 30)], id_="pool", pool=name, warehouses=["W"])
    worker.use(elsewhere, revision=2)
    draft = worker.look()
    assert events(draft) == [("pool online", "resolved")]
    assert draft.announcements[0].transition.reason is Reason.OUT_OF_SCOPE
    assert draft.conditions == {(ONLINE, "pool"): (0, None)}
    assert ONLINE not in worker.territory.subjects


def test_a_pool_that_no_level_is_in_any_more_opens_nothing() -> None:
    """Also where its pending time is over before anybody has looked at it."""
    waiting = rule(limits=[Limit(WATCH, 20, 30)], id_="pool", pool="online", pending=10)
    worker = Worker(waiting)
    worker.hear(0, in_("N", 5))
    worker.use(
        rule(
            limits=[Limit(WATCH, 20, 30)],
            id_="pool",
            pool="online",
            warehouses=["W"],
            pending=10,
        ),
        revision=2,
    )
    assert events(worker.fire(11)) == []
    assert events(worker.look(12)) == []
    assert ONLINE not in worker.territory.subjects


@pytest.mark.parametrize("fires", [True, False])
def test_the_moment_of_a_line_whose_warehouse_is_left_passes(fires: bool) -> None:
    """It is awaited no more, whether time or a message asks for the pool first."""
    worker = Worker(run_out("N", "S"))
    worker.hear(0, in_("N", 20), in_("S", 20, supply=(Line(100, minutes(60)),)))
    assert worker.territory.subjects[ONLINE].wake_at == minutes(60)
    worker.use(run_out("N"), revision=2)
    draft = worker.fire(61) if fires else worker.hear(61, in_("N", 20, 2))
    assert events(draft) == []
    assert ONLINE not in worker.territory.subjects


def test_a_pool_that_is_forgotten_by_its_turn_opens_nothing() -> None:
    """It was to be looked at because of an edit, and no level of it is left to add up."""
    north, west = (
        rule(RuleKind.STOCK_OUT, [Limit(OUT, 0, 0)], id_="pool", pool="online", warehouses=[each])
        for each in ("N", "W")
    )
    worker = Worker(north)
    worker.hear(0, in_("N", 9))
    worker.use(west, revision=2)
    draft = worker.draft()
    draft.look(0, [ONLINE], minutes(1))
    draft.pool()
    draft.adopt()
    assert events(draft) == []
    assert ONLINE not in worker.territory.subjects


def test_a_pool_goes_by_the_class_that_holds_in_all_warehouses() -> None:
    scoped = replace(OF_POOL, scope=replace(OF_POOL.scope, classes=frozenset({"A"})))
    worker = Worker(scoped)
    told = [("A", "N", Parameters(stock_class="A")), ("A", None, Parameters(stock_class="C"))]
    worker.parameters = worker.parameters.after(1, told)
    assert events(worker.hear(0, in_("N", 5))) == []
    worker.parameters = worker.parameters.after(2, [("A", None, Parameters(stock_class="A"))])
    assert events(worker.look()) == [("pool online", "opened")]
    worker.parameters = worker.parameters.after(3, [("A", None, Parameters())])
    assert events(worker.look()) == [("pool online", "resolved")]
