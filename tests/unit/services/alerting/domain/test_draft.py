"""A batch on a view of the memory."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest
from typing_extensions import override

from services.alerting.domain.condition import State
from services.alerting.domain.draft import Draft
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.memory import Settled, Territory
from services.alerting.domain.outcome import Reason
from services.alerting.domain.parameters import ParameterBook, Parameters
from services.alerting.domain.rule import Filters, Limit, Rule, Scope
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.subject import Item, LevelSubject
from services.alerting.domain.working_time import WorkingCalendar
from shared.events.stock_alerts import AtRisk, GatherReason
from tests.unit.services.alerting.cases import (
    NOON,
    OUT,
    URGENT,
    WATCH,
    AtLevel,
    Corrected,
    Line,
    level,
    minutes,
    rule,
)

A = LevelSubject("A", "W")
LIMIT = 100


class Worker:
    """A memory of one partition, and drafts that become known."""

    def __init__(self, *rules: Rule) -> None:
        self.territories = {0: Territory()}
        self.book = RuleBook(1, rules)
        self.items: dict[str, Item] = {}
        self.parameters = ParameterBook()

    def draft(self) -> Draft:
        return Draft(self.territories, self.book, self.items, self.parameters)

    def hear(self, *levels: tuple[float, AtLevel]) -> Draft:
        draft = self.draft()
        for minute, told in levels:
            draft.hear(0, told, minutes(minute))
        draft.adopt()
        return draft


def events(draft: Draft) -> list[tuple[str, float]]:
    """Return (event, minutes after noon) of what a draft announces."""
    return [
        (each.transition.event.value, (each.transition.occurred_at - NOON) / timedelta(minutes=1))
        for each in draft.announcements
    ]


def test_a_draft_changes_nothing_until_it_is_adopted() -> None:
    worker = Worker(rule())
    draft = worker.draft()
    draft.hear(0, level(3), NOON)
    assert worker.territories[0].subjects == {}
    draft.adopt()
    assert worker.territories[0].subjects[A].conditions["rule"].state is State.OPEN


def test_a_draft_made_again_says_the_same() -> None:
    worker = Worker(rule())
    drafts = [worker.draft(), worker.draft()]
    for draft in drafts:
        draft.hear(0, level(3), NOON)
    assert drafts[0].announcements == drafts[1].announcements


def test_messages_of_one_batch_see_each_other() -> None:
    draft = Worker(rule()).hear((0, level(3)), (1, level(50, version=2)))
    assert events(draft) == [("opened", 0), ("resolved", 1)]
    assert draft.conditions == {(A, "rule"): (0, None)}


def test_a_version_that_is_not_newer_is_dropped() -> None:
    worker = Worker(rule())
    worker.hear((0, level(50, version=7)))
    for version in (7, 6):
        draft = worker.hear((1, level(3, version=version)))
        assert (draft.announcements, draft.staged) == ([], {})
        assert draft.reasons[None, Reason.STALE_VERSION] == 1


def test_within_a_batch_a_repeated_version_is_dropped_too() -> None:
    draft = Worker(rule()).hear((0, level(50, low_water=3)), (0, level(50, low_water=3)))
    assert events(draft) == [("opened", 0), ("resolved", 0)]


def test_what_was_due_before_a_message_comes_before_it() -> None:
    worker = Worker(rule(pending=10))
    worker.hear((0, level(3)))
    draft = worker.hear((25, level(50, version=2)))
    assert events(draft) == [("opened", 10), ("resolved", 25)]


def test_a_timer_fires_at_the_moment_it_was_due() -> None:
    worker = Worker(rule(pending=10))
    worker.hear((0, level(3)))
    assert not worker.territories[0].is_due(minutes(9))
    assert worker.territories[0].is_due(minutes(30))
    draft = worker.draft()
    draft.fire(0, minutes(30), LIMIT)
    assert events(draft) == [("opened", 10)]


def test_a_timer_whose_condition_has_ended_is_stale() -> None:
    worker = Worker(rule(pending=10))
    worker.hear((0, level(3)))
    worker.hear((5, level(50, version=2)))
    worker.hear((8, level(3, version=3)))
    assert not worker.territories[0].is_due(minutes(17))
    assert worker.territories[0].is_due(minutes(18))


def test_looking_anew_under_a_new_rule_opens_what_is_low_already() -> None:
    worker = Worker()
    worker.hear((0, level(3)))
    worker.book = RuleBook(2, [rule()])
    draft = worker.draft()
    draft.look(0, [A], minutes(5))
    assert events(draft) == [("opened", 5)]
    assert not draft.staged[A].heard


def test_looking_anew_hears_no_dip_a_second_time() -> None:
    worker = Worker(rule())
    worker.hear((0, level(50, low_water=3)))
    draft = worker.draft()
    draft.look(0, [A], minutes(5))
    assert draft.announcements == []


def test_a_disabled_rule_resolves_at_the_next_message() -> None:
    worker = Worker(rule())
    worker.hear((0, level(3)))
    worker.book = RuleBook(2, [rule(enabled=False)])
    draft = worker.hear((1, level(2, version=2)))
    assert [each.transition.reason for each in draft.announcements] == [Reason.RULE_DISABLED]


def test_a_timer_of_a_disabled_rule_does_not_fire() -> None:
    worker = Worker(rule(pending=10))
    worker.hear((0, level(3)))
    worker.book = RuleBook(2, [rule(pending=10, enabled=False)])
    draft = worker.draft()
    draft.fire(0, minutes(30), LIMIT)
    assert draft.announcements == []
    assert draft.conditions == {(A, "rule"): (0, None)}


def test_a_notice_carries_the_name_the_catalogue_has() -> None:
    worker = Worker(rule())
    worker.items["A"] = Item("Lamp", None, frozenset())
    (announcement,) = worker.hear((0, level(3))).announcements
    assert announcement.sku_name == "Lamp"


def test_a_notice_says_that_nobody_is_to_buy_what_is_being_phased_out() -> None:
    worker = Worker(rule())
    worker.items["A"] = Item("Lamp", None, frozenset(), is_bought=False)
    opened, resolved = worker.hear((0, level(3)), (1, level(50, version=2))).announcements
    assert not opened.transition.facts.is_bought
    assert not resolved.transition.facts.is_bought
    worker.items["A"] = Item("Lamp", None, frozenset())
    (reopened,) = worker.hear((2, level(3, version=3))).announcements
    assert reopened.transition.facts.is_bought


def test_a_subject_that_leaves_the_scope_is_resolved() -> None:
    tagged = Rule(
        "rule",
        1,
        RuleKind.BELOW,
        {"en": "Rule"},
        (Limit(WATCH, 20, 30),),
        scope=Scope(tags=frozenset({"seasonal"})),
    )
    worker = Worker(tagged)
    worker.items["A"] = Item(None, None, frozenset({"seasonal"}))
    worker.hear((0, level(3)))
    worker.items["A"] = Item(None, None, frozenset())
    draft = worker.draft()
    draft.look(0, [A], minutes(1))
    assert [each.transition.reason for each in draft.announcements] == [Reason.OUT_OF_SCOPE]


# --- sales ---


def test_what_was_sold_long_ago_is_in_no_mean() -> None:
    """Two a day are sold, and on the fifth day last year's 5,000 are imported."""
    worker = Worker(rule(RuleKind.DAYS_OF_COVER, [Limit(WATCH, 7, 9)]))
    total, day = 0, 24 * 60
    for number in range(12):
        imported = Corrected(None, 0, None, 5_000) if number == 5 else None
        total += 2 if imported is None else 5_002
        told = level(100, version=number + 1, sold_total=total, corrected=imported)
        told = replace(told, last_change_at=minutes(number * day))
        assert events(worker.hear((number * day, told))) == []
    assert worker.territories[0].subjects[A].sales.sold == (2,) * 10


# --- parameters ---


SAFETY = rule(RuleKind.BELOW_SAFETY_STOCK, [Limit(WATCH, 1, 1)])
B = LevelSubject("B", "W")


def test_a_rule_compares_with_the_parameters_of_its_subject() -> None:
    worker = Worker(SAFETY)
    worker.parameters = ParameterBook().after(1, [("A", "W", Parameters(safety_stock=40))])
    draft = worker.hear((0, level(39)), (0, level(39, sku="B")))
    assert [each.subject for each in draft.announcements] == [A]
    assert draft.reasons[SAFETY.kind, Reason.NO_PARAMETER] == 1


def test_changed_parameters_ask_for_the_subjects_concerned_only() -> None:
    worker = Worker(SAFETY)
    worker.hear((0, level(3)), (0, level(3, sku="B")))
    territory = worker.territories[0]
    first = ParameterBook().after(1, [])
    territory.follow(first)
    assert territory.unseen == [A, B]
    territory.unseen.clear()
    second = first.after(2, [("B", "W", Parameters(safety_stock=40))])
    territory.follow(second)
    assert territory.unseen == [B]
    territory.follow(second.after(3, [("A", None, Parameters(safety_stock=40))]))
    assert territory.unseen == [A, B]


def test_who_waits_longest_has_the_next_turn_whatever_is_edited_meanwhile() -> None:
    worker = Worker(SAFETY)
    worker.hear(*((0, level(3, sku=sku)) for sku in "ABC"))
    territory = worker.territories[0]
    looked_at = []
    for revision in range(3):
        territory.follow(ParameterBook(revision))
        looked_at.append(territory.unseen.pop().sku)
    assert sorted(looked_at) == ["A", "B", "C"]


def test_parameters_that_changed_unseen_ask_for_all_subjects() -> None:
    worker = Worker(SAFETY)
    worker.hear((0, level(3)), (0, level(3, sku="B")))
    territory = worker.territories[0]
    first = ParameterBook().after(1, [])
    territory.follow(first)
    territory.unseen.clear()
    missed = first.after(2, [("A", "W", Parameters(safety_stock=40))])
    territory.follow(missed.after(3, [("B", "W", Parameters(safety_stock=40))]))
    assert territory.unseen == [A, B]


def test_edits_without_end_ask_for_each_subject_once() -> None:
    worker = Worker(SAFETY)
    worker.hear((0, level(3)), (0, level(3, sku="B")))
    book = ParameterBook().after(1, [])
    territory = worker.territories[0]
    for revision in range(2, 10):
        territory.follow(book)
        book = book.after(revision, [("A", "W", Parameters(safety_stock=revision))])
    assert sorted(territory.unseen) == [A, B]


# --- inhibition ---


STOCK_OUT = rule(RuleKind.STOCK_OUT, [Limit(OUT, 0, 0)], id_="out", recovery=10)
QUIET_BELOW = rule(limits=[Limit(WATCH, 20, 30)], id_="low", filters=Filters(inhibited_by_out=True))


def opened(draft: Draft) -> list[str]:
    """Return the rules whose episodes a draft opens."""
    return [each.rule.id for each in draft.announcements if each.transition.event == "opened"]


def test_a_stock_out_keeps_the_watch_of_another_rule_quiet_whatever_their_order() -> None:
    for rules in ((STOCK_OUT, QUIET_BELOW), (QUIET_BELOW, STOCK_OUT)):
        draft = Worker(*rules).hear((0, level(0)))
        assert opened(draft) == ["out"]
        assert draft.reasons[QUIET_BELOW.kind, Reason.INHIBITED] == 1


def test_what_a_stock_out_kept_quiet_opens_when_its_recovery_time_has_passed() -> None:
    worker = Worker(STOCK_OUT, QUIET_BELOW)
    worker.hear((0, level(0)), (1, level(5, version=2)))
    draft = worker.draft()
    draft.fire(0, minutes(30), LIMIT)
    assert events(draft) == [("resolved", 11), ("opened", 11)]
    assert opened(draft) == ["low"]


def test_a_stock_out_rule_that_is_disabled_keeps_nothing_quiet() -> None:
    worker = Worker(STOCK_OUT, QUIET_BELOW)
    worker.hear((0, level(0)))
    disabled = rule(RuleKind.STOCK_OUT, [Limit(OUT, 0, 0)], id_="out", enabled=False)
    worker.book = RuleBook(2, [disabled, QUIET_BELOW])
    draft = worker.draft()
    draft.look(0, [A], minutes(1))
    assert events(draft) == [("resolved", 1), ("opened", 1)]


def known(draft: Draft) -> list[GatherReason | None]:
    """Return why what a draft announces was so before anybody looked."""
    return [each.known for each in draft.announcements]


def settled(*rules: Rule) -> Worker:
    """Return a worker who has evaluated everything by its rules."""
    worker = Worker(*rules)
    worker.territories[0].settled = Settled(worker.book, worker.parameters, 0)
    return worker


def test_what_is_low_when_it_is_first_heard_of_was_known_and_a_crossing_later_is_news() -> None:
    worker = settled(rule())
    assert known(worker.hear((0, level(3)))) == [GatherReason.FIRST_IMPORT]
    assert known(worker.hear((1, level(50, version=2)), (2, level(3, version=3)))) == [None, None]
    assert known(worker.hear((0, level(50, sku="B")), (1, level(3, version=2, sku="B")))) == [None]


def test_what_was_known_stays_so_over_its_pending_time() -> None:
    worker = settled(rule(pending=10))
    worker.hear((0, level(3)), (1, level(2, version=2)))
    draft = worker.draft()
    draft.fire(0, minutes(30), LIMIT)
    assert known(draft) == [GatherReason.FIRST_IMPORT]
    other = settled(rule(pending=10))
    other.hear((0, level(50)), (1, level(3, version=2)))
    draft = other.draft()
    draft.fire(0, minutes(30), LIMIT)
    assert known(draft) == [None]


def test_what_a_new_rule_finds_low_was_known() -> None:
    worker = settled()
    worker.hear((0, level(3)))
    worker.book = RuleBook(2, [rule()])
    draft = worker.draft()
    draft.look(0, [A], minutes(5))
    assert known(draft) == [GatherReason.CHANGED_RULE]


def test_a_message_that_comes_before_the_look_is_news_only_if_it_was_not_low_before() -> None:
    for before, expected in ((3, GatherReason.CHANGED_RULE), (50, None)):
        worker = settled()
        worker.hear((0, level(before)))
        worker.book = RuleBook(2, [rule()])
        assert known(worker.hear((1, level(2, version=2)))) == [expected]


def test_what_changed_limits_make_worse_was_known() -> None:
    worker = settled(rule(limits=[Limit(WATCH, 20, 30)]))
    worker.hear((0, level(3)))
    worker.book = RuleBook(2, [rule(limits=[Limit(WATCH, 20, 30), Limit(URGENT, 5, 10)])])
    draft = worker.draft()
    draft.look(0, [A], minutes(5))
    assert events(draft) == [("level_changed", 5)]
    assert known(draft) == [GatherReason.CHANGED_RULE]


def test_what_changed_parameters_make_low_was_known() -> None:
    below = rule(RuleKind.BELOW_SAFETY_STOCK, [Limit(URGENT, 1, 1)])
    worker = settled(below)
    worker.hear((0, level(8)))
    worker.parameters = worker.parameters.after(1, [("A", None, Parameters(safety_stock=10))])
    draft = worker.draft()
    draft.look(0, [A], minutes(5))
    assert known(draft) == [GatherReason.CHANGED_PARAMETERS]


def test_what_a_new_day_opens_is_news() -> None:
    worker = settled(rule(RuleKind.INBOUND_OVERDUE, [Limit(WATCH, 1, 1)]))
    worker.hear((0, level(8, supply=(Line(5, minutes(60)),))))
    draft = worker.draft()
    draft.look(0, [A], minutes(3 * 24 * 60))
    assert (events(draft), known(draft)) == ([("opened", 3 * 24 * 60)], [None])


def test_what_comes_into_scope_by_the_catalogue_was_known() -> None:
    scoped = replace(rule(), scope=Scope(tags=frozenset({"hero"})))
    worker = settled(scoped)
    worker.hear((0, level(3)))
    worker.items["A"] = Item(None, None, frozenset({"hero"}))
    draft = Draft(worker.territories, worker.book, worker.items, worker.parameters, 1)
    draft.look(0, [A], minutes(5))
    assert known(draft) == [GatherReason.CHANGED_CATALOGUE]


def test_levels_follow_their_class_and_the_warehouses_own_wins() -> None:
    scoped = replace(rule(), scope=Scope(classes=frozenset({"A"})))
    worker = settled(scoped)
    worker.hear((0, level(3)))
    territory = worker.territories[0]
    territory.followed = worker.parameters.revision
    for minute, warehouse, stock_class, said in (
        (1, None, "AX", ["opened"]),
        (2, "W", "C", ["resolved"]),
        (3, "W", "A", ["opened"]),
    ):
        values = Parameters(stock_class=stock_class)
        worker.parameters = worker.parameters.after(minute, [("A", warehouse, values)])
        territory.follow(worker.parameters)
        assert territory.unseen == [A]
        draft = worker.draft()
        draft.look(0, territory.unseen, minutes(minute))
        draft.adopt()
        territory.unseen.clear()
        assert [event for event, _ in events(draft)] == said
        if said == ["opened"]:
            assert known(draft) == [GatherReason.CHANGED_PARAMETERS]


def test_after_a_claim_what_is_low_and_not_open_was_known() -> None:
    worker = Worker()
    worker.hear((0, level(3)))
    worker.book = RuleBook(2, [rule()])
    draft = worker.draft()
    draft.look(0, [A], minutes(5))
    assert known(draft) == [GatherReason.CHANGED_RULE]


def test_an_announcement_says_what_is_at_risk_though_no_rule_asks_for_parameters() -> None:
    worker = settled(rule())
    parameters = Parameters(stock_class="A", supplier="S1", price=Decimal(3))
    worker.parameters = ParameterBook().after(1, [("A", None, parameters)])
    (opened,) = worker.hear((0, level(-4))).announcements
    assert opened.at_risk == AtRisk(units=4, money=Decimal(12))
    assert (opened.parameters.stock_class, opened.parameters.supplier) == ("A", "S1")


# --- hours ---


class Asked(Exception):  # noqa: N818 - no mistake
    """Somebody wants to know the hours."""


class Unasked(WorkingCalendar):
    """Hours that nobody may ask for."""

    @override
    def spans(self, day: date) -> list[tuple[datetime, datetime]]:
        raise Asked


AFTERNOON = replace(rule(), hours=WorkingCalendar("UTC", {6: ((time(13), time(14)),)}))
"""In its hours from 60 to 120 minutes after noon, and then in a week."""


def fired(worker: Worker, minute: float) -> Draft:
    draft = worker.draft()
    draft.fire(0, minutes(minute), LIMIT)
    draft.adopt()
    return draft


def test_what_crosses_outside_the_hours_opens_as_news_when_they_begin() -> None:
    worker = settled(AFTERNOON)
    draft = worker.hear((0, level(50)), (1, level(12, version=2)), (2, level(3, version=3)))
    assert draft.reasons[AFTERNOON.kind, Reason.OUTSIDE_HOURS] == 2
    assert draft.announcements == []
    assert not worker.territories[0].is_due(minutes(59))
    draft = fired(worker, 90)
    assert events(draft) == [("opened", 60)]
    assert [each.transition.level for each in draft.announcements] == [URGENT]
    assert known(draft) == [None]


def test_what_has_recovered_before_the_hours_begin_opens_nothing() -> None:
    worker = settled(AFTERNOON)
    worker.hear((0, level(3)), (30, level(50, version=2)), (40, level(60, 3, version=3)))
    assert events(fired(worker, 90)) == []


def test_what_is_open_goes_on_and_ends_outside_the_hours() -> None:
    worker = Worker(AFTERNOON)
    draft = worker.hear(
        (70, level(12)),
        (130, level(3, version=2)),
        (140, level(50, version=3)),
        (150, level(3, version=4)),
    )
    assert events(draft) == [("opened", 70), ("level_changed", 130), ("resolved", 140)]
    week = 7 * 24 * 60
    assert events(fired(worker, week + 90)) == [("opened", week + 60)]


def test_a_dip_opens_in_the_hours_only() -> None:
    assert events(Worker(AFTERNOON).hear((0, level(50, 3)), (70, level(50, 3, version=2)))) == [
        ("opened", 70),
        ("resolved", 70),
    ]


def test_a_pending_time_passes_outside_the_hours_too() -> None:
    patient = replace(AFTERNOON, pending=timedelta(minutes=30))
    worker = Worker(patient)
    worker.hear((50, level(3)))
    assert events(fired(worker, 100)) == [("opened", 80)]
    late = Worker(patient)
    # Its hours are over when it has held for long enough, and when the message comes.
    late.hear((100, level(3)), (131, level(2, version=2)))
    assert events(fired(late, 200)) == []
    assert late.territories[0].subjects[A].conditions["rule"].since == minutes(100)


def test_other_hours_hold_at_once_for_what_waits() -> None:
    worker = Worker(AFTERNOON)
    worker.hear((0, level(3)))
    worker.book = RuleBook(2, [rule()])
    draft = worker.draft()
    draft.look(0, [A], minutes(5))
    assert events(draft) == [("opened", 5)]


def test_hours_that_are_over_open_nothing_afterwards() -> None:
    worker = Worker(rule(pending=200))
    worker.hear((0, level(3)))
    worker.book = RuleBook(2, [replace(AFTERNOON, pending=timedelta(minutes=10))])
    draft = worker.draft()
    draft.look(0, [A], minutes(130))
    assert events(draft) == []
    assert draft.reasons[AFTERNOON.kind, Reason.OUTSIDE_HOURS] == 1


def test_hours_are_asked_for_only_where_something_may_open() -> None:
    worker = Worker(replace(rule(), hours=Unasked("UTC", {})), rule(id_="other"))
    worker.hear((0, level(50)), (1, level(40, version=2)))
    with pytest.raises(Asked):
        worker.hear((2, level(3, version=3)))
