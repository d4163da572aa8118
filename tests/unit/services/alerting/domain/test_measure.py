"""What each kind measures, and where its limits are; cases worked out by hand."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.alerting.domain.condition import Condition, State
from services.alerting.domain.evaluation import evaluate, hear
from services.alerting.domain.kind import TRAITS, RuleKind
from services.alerting.domain.measure import measure
from services.alerting.domain.outcome import Evaluation, Reason
from services.alerting.domain.parameters import NOTHING_SET, Parameters
from services.alerting.domain.rule import Doubts, Limit, Rule
from shared.events.stock_alerts import AlertEvent
from tests.unit.services.alerting.cases import (
    NO_SALES,
    NOON,
    OUT,
    URGENT,
    WATCH,
    AtLevel,
    Line,
    level,
    minutes,
    rule,
    sold,
    standing,
    told,
)

DAY = timedelta(days=1)
SAFETY = rule(RuleKind.BELOW_SAFETY_STOCK, [Limit(WATCH, 1, 1.2), Limit(URGENT, 0.5, 0.5)])
REORDER = rule(RuleKind.BELOW_REORDER_POINT, [Limit(WATCH, 1, 1)])
OVERSTOCK = rule(RuleKind.OVERSTOCK, [Limit(WATCH, 90, 60), Limit(URGENT, 180, 150)])
NEGATIVE = rule(RuleKind.NEGATIVE, [Limit(URGENT, 0, 0)])
OVERDUE = rule(RuleKind.INBOUND_OVERDUE, [Limit(WATCH, 1, 1)])
GAP = rule(RuleKind.RUN_OUT_BEFORE_INBOUND, [Limit(URGENT, 0, 0)])
SETS = Parameters(safety_stock=40, reorder_point=100)


def reason(
    watching: Rule,
    at: AtLevel,
    daily: int | None = None,
    parameters: Parameters = NOTHING_SET,
) -> str:
    sales = NO_SALES if daily is None else sold(daily)
    return evaluate(watching, standing(at, sales=sales, parameters=parameters), None).reason.value


def gap(at: AtLevel, daily: int, lead_time: float | None = None) -> float | Reason:
    parameters = Parameters(lead_time_days=lead_time)
    return measure(GAP, standing(at, sales=sold(daily), parameters=parameters), at.available)


# --- multiples of a parameter ---


@pytest.mark.parametrize(
    ("watching", "units", "expected"),
    [(SAFETY, 40, "clear"), (SAFETY, 39, "fired"), (REORDER, 100, "clear"), (REORDER, 99, "fired")],
)
def test_limits_are_multiples_of_the_parameter(watching: Rule, units: int, expected: str) -> None:
    assert reason(watching, level(units), parameters=SETS) == expected


def test_each_level_has_a_multiple_of_its_own_and_the_limit_is_told_in_units() -> None:
    opened = evaluate(SAFETY, standing(level(19), parameters=SETS), None).transition
    assert opened is not None
    assert (opened.level, opened.facts.threshold) == (URGENT, 20)


def test_an_episode_lasts_until_the_multiple_at_its_exit() -> None:
    is_open = Condition(State.OPEN, WATCH, NOON)
    for units, expected in ((47, Reason.FIRING), (48, Reason.RECOVERED)):
        at = standing(level(units), parameters=SETS)
        assert evaluate(SAFETY, at, is_open).reason is expected


@pytest.mark.parametrize("watching", [SAFETY, REORDER])
def test_without_its_parameter_a_rule_is_not_evaluated_and_ends_its_condition(
    watching: Rule,
) -> None:
    for step in hear(watching, standing(level(500, low_water=0)), None):
        assert step == Evaluation(None, None, Reason.NO_PARAMETER)
    for state, ending in ((State.OPEN, AlertEvent.RESOLVED), (State.PENDING, None)):
        end = evaluate(watching, standing(level(0)), Condition(state, WATCH, NOON))
        assert (end.reason, end.condition) == (Reason.NO_PARAMETER, None)
        assert (None if end.transition is None else end.transition.event) == ending


@pytest.mark.parametrize("due_at", [NOON - DAY, None])
def test_a_run_out_goes_on_when_nobody_knows_when_its_line_comes(due_at: datetime | None) -> None:
    is_open = Condition(State.OPEN, URGENT, NOON)
    late = standing(level(0, supply=(Line(5, due_at),)), sales=sold(10))
    assert evaluate(GAP, late, is_open) == Evaluation(is_open, None, Reason.ARRIVAL_UNKNOWN)


def test_a_run_out_ends_when_nothing_is_on_its_way_any_more() -> None:
    # The goods have arrived, and nobody has said how long an order takes.
    is_open = Condition(State.OPEN, URGENT, NOON)
    arrived = evaluate(GAP, standing(level(500), sales=sold(10)), is_open)
    assert (arrived.condition, arrived.reason) == (None, Reason.NO_PARAMETER)
    assert arrived.transition is not None
    assert arrived.transition.event is AlertEvent.RESOLVED


@pytest.mark.parametrize("state", [State.PENDING, State.RECOVERING])
def test_what_cannot_be_measured_when_it_is_due_is_due_no_more(state: State) -> None:
    waits = Condition(state, URGENT, NOON, due_at=minutes(10))
    late = level(0, supply=(Line(5, NOON - DAY),))
    for minute, due_at in ((9, minutes(10)), (10, None)):
        step = evaluate(GAP, standing(late, minute, sales=sold(10)), waits)
        assert step.condition == replace(waits, due_at=due_at)
        assert step.transition is None


def test_what_can_be_measured_again_opens_as_it_would_have() -> None:
    patient = replace(GAP, pending=timedelta(minutes=10))
    waits = Condition(State.PENDING, URGENT, NOON, due_at=None)
    dated = level(0, supply=(Line(5, NOON + DAY),))
    assert evaluate(patient, standing(dated, 9, sales=sold(10)), waits).reason is Reason.PENDING
    assert evaluate(patient, standing(dated, 10, sales=sold(10)), waits).reason is Reason.FIRED


def test_a_safety_stock_of_nothing_is_undercut_below_zero_only() -> None:
    nothing = Parameters(safety_stock=0)
    assert reason(SAFETY, level(0), parameters=nothing) == "clear"
    assert reason(SAFETY, level(-1), parameters=nothing) == "fired"


# --- over a limit ---


@pytest.mark.parametrize(
    ("units", "daily", "expected"),
    [(900, 10, "clear"), (901, 10, "fired"), (5, 0, "fired"), (0, 0, "clear"), (-5, 0, "clear")],
)
def test_too_much_is_more_days_of_cover_than_the_limit(
    units: int, daily: int, expected: str
) -> None:
    assert reason(OVERSTOCK, level(units), daily) == expected


def test_too_much_needs_seven_days_of_history() -> None:
    assert reason(OVERSTOCK, level(900)) == "too_little_history"


def test_a_worse_limit_over_which_it_is_wins_and_lasts_until_its_exit() -> None:
    evaluations = told(
        OVERSTOCK,
        [(0, level(1_801)), (1, level(1_501)), (2, level(1_500)), (3, level(600))],
        sold(10),
    )
    assert [each.reason.value for each in evaluations] == [
        "fired",
        "firing",
        "level_fell",
        "recovered",
    ]


def test_a_dip_is_no_surplus_and_hides_none() -> None:
    evaluations = told(OVERSTOCK, [(0, level(901, low_water=0))], sold(10))
    assert [each.reason.value for each in evaluations] == ["fired"]


# --- on hand, doubts ---


def test_negative_looks_at_what_is_on_hand_not_at_what_is_available() -> None:
    assert reason(NEGATIVE, level(-5, on_hand=0)) == "clear"
    assert reason(NEGATIVE, level(5, on_hand=-1)) == "fired"


DOUBTS = Doubts(frozenset({"in_doubt", "negative"}), count_days=30)


@pytest.mark.parametrize(
    ("flags", "counted_days_ago", "reasons"),
    [
        ((), None, 0),
        (("unusual",), None, 0),
        (("in_doubt",), None, 1),
        (("negative", "in_doubt", "unusual"), None, 2),
        ((), 30, 0),
        ((), 31, 1),
        (("in_doubt",), 31, 2),
    ],
)
def test_doubts_are_the_flags_that_are_meant_and_a_count_that_is_too_old(
    flags: tuple[str, ...], counted_days_ago: int | None, reasons: int
) -> None:
    counted = None if counted_days_ago is None else NOON - counted_days_ago * DAY
    watching = rule(RuleKind.DATA_DOUBT, [Limit(WATCH, 1, 1), Limit(URGENT, 2, 2)], doubts=DOUBTS)
    at = standing(level(5, flags=flags, counted_at=counted))
    assert measure(watching, at, 5) == reasons
    expected = {0: "clear", 1: "watch", 2: "urgent"}[reasons]
    step = evaluate(watching, at, None)
    assert expected == (step.transition.level.value if step.transition else step.reason.value)


# --- incoming lines ---


def test_the_oldest_line_that_is_due_decides_how_overdue_it_is() -> None:
    lines = (Line(5, NOON - 3 * DAY), Line(5, NOON + DAY), Line(5, None))
    assert measure(OVERDUE, standing(level(9, supply=lines)), 9) == 3


@pytest.mark.parametrize(
    ("due", "expected"), [(-1.0, "clear"), (-1.01, "fired"), (5, "clear"), (None, "clear")]
)
def test_an_overdue_line_is_one_whose_date_is_more_days_ago_than_the_limit(
    due: float | None, expected: str
) -> None:
    at = None if due is None else NOON + due * DAY
    assert reason(OVERDUE, level(9, supply=(Line(5, at),))) == expected


def test_nothing_incoming_is_not_overdue() -> None:
    assert reason(OVERDUE, level(9)) == "clear"


def test_the_shelf_is_empty_from_the_run_out_to_the_next_line() -> None:
    # 30 units last 3 days; the next line comes in 8.
    assert gap(level(30, supply=(Line(100, NOON + 8 * DAY),)), daily=10) == 5


def test_what_comes_earlier_lasts_until_the_next_line() -> None:
    # 30 and 20 units last 5 days; the second line comes in 12, the first one in time.
    lines = (Line(20, NOON + 2 * DAY), Line(500, NOON + 12 * DAY))
    assert gap(level(30, supply=lines), daily=10) == 7


def test_an_order_placed_now_bounds_how_long_one_has_to_wait() -> None:
    # Nobody needs to wait 60 days for the line when ordering takes 6.
    lines = (Line(500, NOON + 60 * DAY),)
    assert gap(level(30, supply=lines), daily=10, lead_time=6) == 3
    assert gap(level(30), daily=10, lead_time=6) == 3


def test_a_line_that_is_overdue_is_not_counted_on() -> None:
    lines = (Line(500, NOON - DAY),)
    assert gap(level(30, supply=lines), daily=10, lead_time=6) == 3
    assert gap(level(30, supply=lines), daily=10) is Reason.ARRIVAL_UNKNOWN


def test_what_nobody_buys_does_not_run_out() -> None:
    assert reason(GAP, level(3), 0, Parameters(lead_time_days=6)) == "clear"


def test_a_run_out_needs_a_rate_and_something_that_could_arrive() -> None:
    assert reason(GAP, level(0), None, Parameters(lead_time_days=6)) == "too_little_history"
    assert reason(GAP, level(0), 10) == "no_parameter"


def test_a_run_out_is_told_when_the_shelf_would_be_empty_at_all() -> None:
    lines = (Line(100, NOON + 3 * DAY),)
    assert reason(GAP, level(30, supply=lines), 10) == "clear"
    assert reason(GAP, level(29, supply=lines), 10) == "fired"


# --- all kinds ---


@pytest.mark.parametrize("kind", RuleKind)
def test_every_kind_measures_something(kind: RuleKind) -> None:
    watching = rule(kind, [Limit(OUT, 1, 1)])
    parameters = Parameters(safety_stock=1, reorder_point=1, lead_time_days=1)
    at = standing(level(5), sales=sold(1), parameters=parameters)
    assert not isinstance(measure(watching, at, 5), Reason)
    assert kind in TRAITS
