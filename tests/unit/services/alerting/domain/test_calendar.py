"""Promotions and holidays: in their windows rules warn otherwise."""

from datetime import timedelta
from itertools import count
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerting.domain.calendar import Calendar, Occasion
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.memory import Settled
from services.alerting.domain.outcome import Reason
from services.alerting.domain.parameters import NOTHING_SET
from services.alerting.domain.rule import Limit, Rule
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.subject import LevelSubject
from shared.events.stock_alerts import AlertLevel, GatherReason
from tests.unit.services.alerting.cases import LADDER, OUT, URGENT, WATCH, level, minutes, rule
from tests.unit.services.alerting.domain.test_draft import A, Worker, events, opened

NAME = {"zh-CN": "双11", "en": "Singles' Day"}
LOW = rule(limits=[Limit(WATCH, 20, 30)])


_numbers = count()


def occasion(**fields: object) -> Occasion:
    """Return an occasion from a minute to an hour after noon."""
    given: dict[str, object] = {"id": UUID(int=next(_numbers)), "name": NAME}
    window = given | {"starts_at": minutes(1), "ends_at": minutes(60)}
    return Occasion(**window | fields)  # type: ignore[arg-type] # the fields' own types


def worker(*occasions: Occasion, watching: Rule = LOW) -> Worker:
    """Return a memory whose rules go by a calendar."""
    made = Worker()
    made.book = RuleBook(1, [watching], Calendar(occasions))
    return made


def test_in_the_window_limits_are_multiplied_and_after_it_they_are_not() -> None:
    doubled = worker(occasion(factor=2))
    assert events(doubled.hear((0, level(35)))) == []
    assert events(doubled.hear((1, level(35, version=2)))) == [("opened", 1)]
    assert events(doubled.hear((59, level(45, version=3)))) == []
    assert events(doubled.hear((60, level(45, version=4)))) == [("resolved", 60)]


def test_in_the_window_levels_are_more_severe_and_fall_back_after_it() -> None:
    shifted = worker(occasion(shift=1), watching=rule())
    draft = shifted.hear((5, level(15)), (70, level(15, version=2)))
    assert [each.transition.level for each in draft.announcements] == [URGENT, WATCH]


@pytest.mark.parametrize(
    ("shift", "limit", "levels"),
    [
        (1, Limit(WATCH, 20, 30), [WATCH, URGENT, WATCH]),
        (-1, Limit(URGENT, 20, 30), [URGENT, WATCH, URGENT]),
    ],
)
def test_what_is_open_goes_on_until_its_exit_whatever_a_window_calls_it(
    shift: int, limit: Limit, levels: list[AlertLevel]
) -> None:
    shifted = worker(occasion(shift=shift), watching=rule(limits=[limit]))
    between = [level(25, version=version) for version in (2, 3, 4)]
    told = shifted.hear((0, level(15)), *zip((0, 5, 61), between, strict=True))
    assert [each.transition.level for each in told.announcements] == levels
    ended = shifted.hear((62, level(31, version=5)))
    assert events(ended) == [("resolved", 62)]


def test_a_level_that_was_never_entered_does_not_hold_because_of_a_window() -> None:
    ladder = [Limit(WATCH, 20, 30), Limit(URGENT, 10, 15)]
    shifted = worker(occasion(shift=1), watching=rule(limits=ladder))
    draft = shifted.hear((2, level(18)), (3, level(12, version=2)), (61, level(12, version=3)))
    assert [each.transition.level for each in draft.announcements] == [URGENT, WATCH]


def test_a_mute_lets_nothing_open_and_what_is_open_go_on() -> None:
    muted = worker(occasion(mute=True))
    draft = muted.hear((5, level(15)), (10, level(14, version=2)), (60, level(14, version=3)))
    assert events(draft) == [("opened", 60)]
    assert draft.reasons[LOW.kind, Reason.MUTED] == 2
    before = worker(occasion(mute=True))
    told = before.hear((0, level(15)), (5, level(14, version=2)), (6, level(40, version=3)))
    assert events(told) == [("opened", 0), ("resolved", 6)]


@pytest.mark.parametrize(
    ("scope", "concerned"),
    [
        ({}, True),
        ({"rule": "rule"}, True),
        ({"rule": "other"}, False),
        ({"sku": "A", "warehouse": "W"}, True),
        ({"warehouse": "X"}, False),
        ({"labels": {"team": "buyers"}}, False),
    ],
)
def test_it_is_about_what_agrees_in_all_that_it_names(
    scope: dict[str, object], concerned: bool
) -> None:
    draft = worker(occasion(factor=2, **scope)).hear((1, level(35)))
    assert opened(draft) == (["rule"] if concerned else [])


def test_a_pending_time_that_passes_in_the_window_is_judged_as_in_the_window() -> None:
    patient = worker(occasion(mute=True), watching=rule(limits=[Limit(WATCH, 20, 30)], pending=10))
    patient.hear((0, level(15)))
    draft = patient.draft()
    draft.fire(0, minutes(20), 10)
    assert draft.announcements == []


def test_what_was_due_before_the_window_is_judged_as_before_it_however_late() -> None:
    patient = worker(
        occasion(mute=True, starts_at=minutes(15), ends_at=minutes(60)),
        watching=rule(limits=[Limit(WATCH, 20, 30)], pending=10),
    )
    patient.hear((0, level(15)))
    draft = patient.draft()
    draft.fire(0, minutes(20), 10)
    assert events(draft) == [("opened", 10)]


def test_what_opens_as_a_window_begins_is_news_and_what_an_edit_of_it_opens_is_not() -> None:
    doubled = worker(occasion(factor=2))
    doubled.hear((0, level(35)))
    territory = doubled.territories[0]
    for settled, why in (
        (doubled.book, None),
        (RuleBook(0, [LOW]), GatherReason.CHANGED_RULE),
    ):
        territory.settled = Settled(settled, doubled.parameters, 0)
        draft = doubled.draft()
        draft.look(0, [A], minutes(5))
        assert [each.known for each in draft.announcements] == [why]


def test_conditions_doubts_and_shares_have_no_unit_to_multiply() -> None:
    for kind in (RuleKind.CUSTOM, RuleKind.DATA_DOUBT, RuleKind.BROKEN_SIZE_RUN):
        watching = rule(kind, [Limit(WATCH, 1, 1)])
        assert occasion(factor=3).applied(watching).limits == watching.limits


def test_several_occasions_at_once_add_up_and_are_all_named() -> None:
    both = RuleBook(1, [LOW], Calendar([occasion(factor=2), occasion(factor=1.5, shift=2)]))
    in_season = both.at(minutes(5)).in_season(LOW, A)
    assert in_season.limits == (Limit(OUT, 60, 90, shifted_from=WATCH),)
    assert in_season.occasions == (NAME, NAME)
    assert both.at(minutes(0)).in_season(LOW, A) is LOW


@given(st.integers(-2, 2))
def test_shifted_limits_are_one_a_level_and_ordered_as_before(steps: int) -> None:
    shifted = occasion(shift=steps).applied(rule(limits=LADDER)).limits
    severities = [each.level for each in shifted]
    assert severities == [each for each in (OUT, URGENT, WATCH) if each in severities]
    assert [each.enter for each in shifted] == sorted(each.enter for each in shifted)
    assert max(each.enter for each in shifted) == 20


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=6), st.integers(-5, 110)
)
def test_between_two_bounds_of_the_calendar_the_same_occasions_are_on(
    windows: list[tuple[int, int]], minute: int
) -> None:
    calendar = Calendar(
        occasion(starts_at=minutes(start), ends_at=minutes(start + length), factor=1 + index)
        for index, (start, length) in enumerate(windows)
    )
    now = minutes(minute)
    for other in (now + timedelta(seconds=30), *map(minutes, range(-5, minute))):
        if calendar.season(other) == calendar.season(now):
            assert calendar.on(other) == calendar.on(now)


def test_books_of_seasons_that_are_over_are_let_go() -> None:
    two = [occasion(factor=2), occasion(factor=3, ends_at=minutes(90))]
    book = RuleBook(1, [LOW], Calendar(two))
    for minute in (0, 5, 70, 100):
        book.at(minutes(minute)).watching(LevelSubject("A", "W"), None, NOTHING_SET)
    assert len(book._seasons) == 2
