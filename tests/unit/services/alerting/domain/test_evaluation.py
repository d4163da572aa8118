"""The decision, case by case; then what must hold for every course of events."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerting.domain.condition import Condition, State
from services.alerting.domain.evaluation import evaluate, retire
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.outcome import Reason
from services.alerting.domain.rule import Limit, Rule
from shared.events.stock_alerts import SEVERITY, AlertEvent, AlertLevel
from tests.unit.services.alerting.cases import (
    NO_SALES,
    NOON,
    OUT,
    URGENT,
    WATCH,
    AtLevel,
    announced,
    level,
    minutes,
    reasons,
    rule,
    sold,
    standing,
    told,
)

STOCK_OUT = rule(RuleKind.STOCK_OUT, [Limit(OUT, 0, 0)])
COVER = rule(RuleKind.DAYS_OF_COVER, [Limit(WATCH, 7, 9)])


@pytest.mark.parametrize(
    ("watching", "units", "opens"),
    [
        (STOCK_OUT, 1, None),
        (STOCK_OUT, 0, "out"),
        (STOCK_OUT, -3, "out"),
        (rule(), 20, None),
        (rule(), 19, "watch"),
        (rule(), 5, "watch"),
        (rule(), 4, "urgent"),
        (rule(), 0, "out"),
    ],
)
def test_the_most_severe_limit_that_holds_opens_the_episode(
    watching: Rule, units: int, opens: str | None
) -> None:
    evaluations = told(watching, [(0, level(units))])
    assert announced(evaluations) == ([("opened", opens)] if opens else [])
    assert reasons(evaluations) == ["fired" if opens else "clear"]


@pytest.mark.parametrize(
    ("units", "expected", "reason"),
    [
        (29, [], "firing"),
        (30, [("resolved", "watch")], "recovered"),
        (4, [("level_changed", "urgent")], "level_rose"),
    ],
)
def test_an_open_level_lasts_until_its_exit_limit(
    units: int, expected: list[tuple[str, str]], reason: str
) -> None:
    evaluations = told(rule(), [(0, level(19)), (1, level(units))])
    assert announced(evaluations)[1:] == expected
    assert reasons(evaluations)[1:] == [reason]


def test_a_level_falls_to_the_milder_one_whose_exit_limit_is_not_reached() -> None:
    evaluations = told(rule(), [(0, level(3)), (1, level(9)), (2, level(10)), (3, level(30))])
    assert announced(evaluations) == [
        ("opened", "urgent"),
        ("level_changed", "watch"),
        ("resolved", "watch"),
    ]
    assert reasons(evaluations) == ["fired", "firing", "level_fell", "recovered"]


def test_a_milder_level_was_in_force_all_along_and_lasts_until_its_own_exit_limit() -> None:
    evaluations = told(rule(), [(0, level(3)), (1, level(25))])
    assert announced(evaluations) == [("opened", "urgent"), ("level_changed", "watch")]


def test_a_stock_out_lasts_until_more_than_its_exit_limit_is_there() -> None:
    patient = rule(RuleKind.STOCK_OUT, [Limit(OUT, 0, 5)])
    evaluations = told(patient, [(0, level(0)), (1, level(5)), (2, level(6))])
    assert reasons(evaluations) == ["fired", "firing", "recovered"]


def test_a_transition_carries_the_numbers_of_its_moment() -> None:
    (evaluation,) = told(rule(), [(3, level(4, on_hand=6, incoming=8))], sold(2))
    assert evaluation.transition is not None
    assert evaluation.transition.occurred_at == minutes(3)
    assert evaluation.transition.facts.model_dump() == {
        "available": 4,
        "on_hand": 6,
        "low_water": 4,
        "threshold": 5,
        "daily_sales": 2,
        "days_of_cover": 2,
        "incoming": 8,
        "proposed": None,  # worked out only where the transition is told
        "options": None,
        "is_bought": True,
        "doubts": None,
        "runs_out_at": minutes(3) + timedelta(days=2),
        "next_arrival": None,
        "overdue": None,
    }


# --- dips ---


def test_a_dip_opens_an_episode_that_resolves_the_usual_way() -> None:
    evaluations = told(rule(), [(0, level(50, low_water=3))])
    assert announced(evaluations) == [("opened", "urgent"), ("resolved", "urgent")]
    assert reasons(evaluations) == ["dipped", "recovered"]


def test_a_dip_opens_an_episode_that_recovers_for_the_recovery_time() -> None:
    evaluations = told(rule(recovery=10), [(0, level(50, low_water=3)), (10, level(50))])
    assert reasons(evaluations) == ["dipped", "recovering", "recovered"]


def test_a_dip_worsens_an_open_episode_and_is_followed_by_the_present_level() -> None:
    evaluations = told(rule(), [(0, level(19)), (1, level(18, low_water=0))])
    assert announced(evaluations) == [
        ("opened", "watch"),
        ("level_changed", "out"),
        ("level_changed", "watch"),
    ]


def test_a_dip_never_eases_an_episode() -> None:
    evaluations = told(rule(), [(0, level(0)), (1, level(50, low_water=15))])
    assert announced(evaluations) == [("opened", "out"), ("resolved", "out")]


def test_a_dip_does_not_start_a_pending_time() -> None:
    evaluations = told(rule(pending=10), [(0, level(50, low_water=3))])
    assert reasons(evaluations) == ["clear"]
    assert evaluations[-1].condition is None


def test_a_dip_does_not_worsen_an_episode_of_a_rule_with_pending_time() -> None:
    evaluations = told(
        rule(pending=10), [(0, level(19)), (10, level(19)), (11, level(19, low_water=0))]
    )
    assert announced(evaluations) == [("opened", "watch")]


def test_nor_does_it_while_that_episode_recovers() -> None:
    evaluations = told(
        rule(pending=10, recovery=10),
        [(0, level(19)), (10, level(19)), (11, level(50)), (12, level(50, low_water=0))],
    )
    assert announced(evaluations) == [("opened", "watch")]


@pytest.mark.parametrize("pending", [0, 10])
def test_a_dip_breaks_a_recovery(pending: int) -> None:
    evaluations = told(
        rule(pending=pending, recovery=10),
        [
            (0, level(19)),
            (10, level(19)),
            (20, level(50)),
            (29, level(50, low_water=15)),
            (30, level(50)),
            (39, level(50)),
        ],
    )
    assert reasons(evaluations)[-4:] == [
        "recovery_broken",
        "recovering",
        "recovering",
        "recovered",
    ]


def test_a_dip_is_measured_in_days_of_cover_too() -> None:
    evaluations = told(COVER, [(0, level(200, low_water=60))], sold(10))
    assert reasons(evaluations) == ["dipped", "recovered"]


# --- time ---


def test_a_limit_that_holds_for_the_pending_time_fires_when_it_has_passed() -> None:
    waiting = rule(pending=10)
    evaluations = told(waiting, [(0, level(19)), (9, level(18)), (10, level(17))])
    assert reasons(evaluations) == ["pending", "pending", "fired"]
    assert evaluations[0].condition == Condition(State.PENDING, WATCH, NOON, minutes(10))


def test_a_limit_left_within_the_pending_time_never_fires() -> None:
    evaluations = told(rule(pending=10), [(0, level(19)), (9, level(20)), (19, level(20))])
    assert reasons(evaluations) == ["pending", "pending_ended", "clear"]


def test_a_pending_episode_opens_at_the_level_of_its_end() -> None:
    evaluations = told(rule(pending=10), [(0, level(19)), (10, level(3))])
    assert announced(evaluations) == [("opened", "urgent")]


def test_an_exit_limit_held_for_the_recovery_time_resolves() -> None:
    evaluations = told(
        rule(recovery=10), [(0, level(19)), (1, level(30)), (10, level(31)), (11, level(31))]
    )
    assert reasons(evaluations) == ["fired", "recovering", "recovering", "recovered"]


def test_a_recovery_that_is_broken_announces_nothing_and_starts_anew() -> None:
    evaluations = told(
        rule(recovery=10),
        [(0, level(19)), (1, level(30)), (5, level(29)), (6, level(30)), (15, level(30))],
    )
    assert reasons(evaluations)[2:] == ["recovery_broken", "recovering", "recovering"]
    assert announced(evaluations) == [("opened", "watch")]


def test_a_recovery_broken_at_a_worse_level_announces_it() -> None:
    evaluations = told(rule(recovery=10), [(0, level(19)), (1, level(30)), (2, level(0))])
    assert announced(evaluations) == [("opened", "watch"), ("level_changed", "out")]


def test_a_shorter_pending_time_counts_from_the_beginning() -> None:
    (pending,) = told(rule(pending=60), [(0, level(19))])
    after = evaluate(rule(pending=10), standing(level(19), 10), pending.condition)
    assert after.reason is Reason.FIRED


def test_a_longer_recovery_time_moves_the_end() -> None:
    evaluations = told(rule(recovery=10), [(0, level(19)), (0, level(30))])
    after = evaluate(rule(recovery=60), standing(level(30), 10), evaluations[-1].condition)
    assert after.reason is Reason.RECOVERING
    assert after.condition is not None
    assert after.condition.due_at == minutes(60)


# --- not evaluated, no longer watched ---


@pytest.mark.parametrize("days", range(7))
def test_days_of_cover_are_not_evaluated_under_seven_days_of_history(days: int) -> None:
    evaluations = told(COVER, [(0, level(0))], sold(10, days))
    assert reasons(evaluations) == ["too_little_history"]


@pytest.mark.parametrize(
    ("units", "daily", "reason"), [(69, 10, "fired"), (70, 10, "clear"), (5, 0, "clear")]
)
def test_days_of_cover_are_units_over_mean_daily_sales(units: int, daily: int, reason: str) -> None:
    assert reasons(told(COVER, [(0, level(units))], sold(daily, 7))) == [reason]


def test_what_is_not_evaluated_keeps_its_condition() -> None:
    is_open = Condition(State.OPEN, WATCH, NOON)
    evaluations = told(COVER, [(0, level(10_000, low_water=0))], NO_SALES, is_open)
    assert {each.reason for each in evaluations} == {Reason.TOO_LITTLE_HISTORY}
    assert {each.condition for each in evaluations} == {is_open}


@pytest.mark.parametrize("state", [State.OPEN, State.RECOVERING])
def test_an_episode_whose_rule_no_longer_watches_is_resolved(state: State) -> None:
    condition = Condition(state, URGENT, NOON)
    ended = retire(rule(), standing(level(3), 1), condition, Reason.RULE_DISABLED)
    assert ended.condition is None
    assert announced([ended]) == [("resolved", "urgent")]
    assert ended.reason is Reason.RULE_DISABLED


def test_a_pending_condition_whose_rule_no_longer_watches_ends_in_silence() -> None:
    condition = Condition(State.PENDING, URGENT, NOON, minutes(10))
    ended = retire(rule(), standing(level(3), 1), condition, Reason.OUT_OF_SCOPE)
    assert (ended.condition, ended.transition) == (None, None)


# --- whatever happens ---

UNITS = st.integers(-5, 45)
RULES = st.builds(rule, pending=st.sampled_from([0, 5]), recovery=st.sampled_from([0, 5]))


@st.composite
def courses(draw: st.DrawFn) -> list[tuple[float, AtLevel]]:
    """Levels at minutes that only grow, some of them dipped."""
    minute, steps = 0, []
    for units, depth, gap in draw(
        st.lists(st.tuples(UNITS, st.integers(0, 10), st.integers(0, 15)), max_size=40)
    ):
        minute += gap
        steps.append((float(minute), level(units, units - depth)))
    return steps


@given(RULES, courses())
def test_episodes_open_change_and_resolve_in_turn(
    watching: Rule, course: list[tuple[float, AtLevel]]
) -> None:
    current: AlertLevel | None = None
    for evaluation in told(watching, course):
        transition = evaluation.transition
        if transition is not None and transition.event is AlertEvent.OPENED:
            assert current is None
            current = transition.level
        elif transition is not None and transition.event is AlertEvent.LEVEL_CHANGED:
            assert transition.previous_level is current is not transition.level
            current = transition.level
        elif transition is not None:
            assert transition.level is current
            current = None
        held = None if evaluation.condition is None else evaluation.condition.held
        assert held is current


@given(RULES, courses(), UNITS)
def test_evaluating_the_same_again_changes_nothing(
    watching: Rule, course: list[tuple[float, AtLevel]], units: int
) -> None:
    evaluations = told(watching, course)
    condition = evaluations[-1].condition if evaluations else None
    at = standing(level(units), 10_000)
    once = evaluate(watching, at, condition)
    again = evaluate(watching, at, once.condition)
    assert again.condition == once.condition
    assert again.transition is None


@given(courses())
def test_without_times_the_worst_limit_ever_crossed_was_announced(
    course: list[tuple[float, AtLevel]],
) -> None:
    lowest = min((at.low_water for _, at in course), default=100)
    expected = next((limit.level.value for limit in rule().limits if lowest < limit.enter), None)
    worst = max(
        (name for _, name in announced(told(rule(), course))),
        key=lambda name: SEVERITY[AlertLevel(name)],
        default=None,
    )
    assert worst == expected


@given(courses())
def test_a_rule_with_pending_time_opens_only_after_it(
    course: list[tuple[float, AtLevel]],
) -> None:
    for before, after in pairwise([None, *told(rule(pending=5), course)]):
        opened = None if after is None else after.transition
        if opened is not None and opened.event is AlertEvent.OPENED:
            assert before is not None
            assert before.condition is not None
            assert before.condition.state is State.PENDING
            assert opened.occurred_at - before.condition.since >= timedelta(minutes=5)
