"""What keeps an episode from opening, each with its reason."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from services.alerting.domain.condition import Condition, State
from services.alerting.domain.evaluation import evaluate, hear
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.outcome import Reason
from services.alerting.domain.rule import Filters, Limit, Rule
from services.alerting.domain.sales import SalesHistory
from shared.events.stock_alerts import AlertLevel
from tests.unit.services.alerting.cases import (
    LADDER,
    NO_SALES,
    NOON,
    OUT,
    URGENT,
    WATCH,
    Line,
    level,
    minutes,
    rule,
    sold,
    standing,
)


def below(filters: Filters, pending: float = 0) -> Rule:
    return rule(RuleKind.BELOW, LADDER, filters=filters, pending=pending)


# --- minimum demand ---


@pytest.mark.parametrize(
    ("sales", "expected"),
    [
        (sold(1), Reason.BELOW_MINIMUM_DEMAND),
        (sold(2), Reason.FIRED),
        (sold(1, days=6), Reason.FIRED),  # too little is known to say that it is too little
    ],
)
def test_what_hardly_sells_is_not_warned_about(sales: SalesHistory, expected: Reason) -> None:
    watching = below(Filters(min_daily_sales=2))
    step = evaluate(watching, standing(level(3), sales=sales), None)
    assert step.reason is expected


# --- trend ---


def selling(*last_week: int) -> SalesHistory:
    """Return a history of 10 a day, but for the last days."""
    history = sold(10)
    days = (*history.sold[: -len(last_week)], *last_week)
    return replace(history, sold=days)


@pytest.mark.parametrize(
    ("sales", "units", "expected"),
    [
        (selling(*[4] * 7), 3, Reason.DEMAND_FALLS),  # 4 of 8.5 a day
        (selling(*[7] * 7), 3, Reason.FIRED),
        (sold(10), 3, Reason.FIRED),
        (selling(*[0] * 7), 0, Reason.FIRED),  # what is out sells nothing
        (sold(10, days=6), 3, Reason.FIRED),  # too little is known to say
    ],
)
def test_what_sells_less_and_less_is_not_warned_about(
    sales: SalesHistory, units: int, expected: Reason
) -> None:
    watching = below(Filters(trend_at_least=0.6))
    assert evaluate(watching, standing(level(units), sales=sales), None).reason is expected
    assert evaluate(below(Filters()), standing(level(units), sales=sales), None).reason is (
        Reason.FIRED
    )


def test_a_trend_changes_with_the_day() -> None:
    assert below(Filters(trend_at_least=0.6)).asks_day


# --- grace ---


@pytest.mark.parametrize(("days", "expected"), [(6, Reason.TOO_NEW), (7, Reason.FIRED)])
def test_a_level_is_left_alone_in_its_first_days(days: int, expected: Reason) -> None:
    first = SalesHistory.begin(NOON - timedelta(days=days), 0)
    watching = below(Filters(grace_days=7))
    assert evaluate(watching, standing(level(3), sales=first), None).reason is expected


# --- covered by inbound ---


@pytest.mark.parametrize(
    ("units", "incoming", "expected"),
    [
        (3, 17, Reason.COVERED_BY_INBOUND),
        (3, 16, Reason.FIRED),
        (25, 0, Reason.CLEAR),
    ],
)
def test_what_is_incoming_covers_what_is_missing(
    units: int, incoming: int, expected: Reason
) -> None:
    watching = below(Filters(covered_by_inbound=True))
    assert evaluate(watching, standing(level(units, incoming=incoming)), None).reason is expected


def test_what_is_incoming_covers_a_stock_out_and_days_of_cover_too() -> None:
    filters = Filters(covered_by_inbound=True)
    out = rule(RuleKind.STOCK_OUT, [Limit(OUT, 0, 0)], filters=filters)
    assert evaluate(out, standing(level(0, incoming=1)), None).reason is Reason.COVERED_BY_INBOUND
    cover = rule(RuleKind.DAYS_OF_COVER, [Limit(WATCH, 7, 9)], filters=filters)
    for incoming, expected in ((67, Reason.COVERED_BY_INBOUND), (66, Reason.FIRED)):
        at = standing(level(3, incoming=incoming), sales=sold(10))
        assert evaluate(cover, at, None).reason is expected


@pytest.mark.parametrize(
    ("sales", "due", "expected"),
    [
        (NO_SALES, -1, Reason.FIRED),
        (NO_SALES, 0, Reason.FIRED),
        (NO_SALES, 1, Reason.COVERED_BY_INBOUND),
        (NO_SALES, 1_000, Reason.COVERED_BY_INBOUND),
        (sold(1), 3 * 24 * 60, Reason.COVERED_BY_INBOUND),
        (sold(1), 3 * 24 * 60 + 1, Reason.FIRED),
        (sold(0), 90 * 24 * 60, Reason.COVERED_BY_INBOUND),
    ],
)
def test_what_is_overdue_or_comes_after_the_run_out_covers_nothing(
    sales: SalesHistory, due: float, expected: Reason
) -> None:
    """Three are left and 20 are enough; `due` is in minutes."""
    watching = below(Filters(covered_by_inbound=True))
    at = level(3, incoming=17, supply=(Line(17, minutes(due)),))
    assert evaluate(watching, standing(at, sales=sales), None).reason is expected


def test_lines_without_a_date_and_those_a_level_does_not_tell_of_cover() -> None:
    watching = below(Filters(covered_by_inbound=True))
    for lines in ((Line(17, None),), (Line(5, minutes(-1)), Line(10, minutes(1)))):
        at = level(3, incoming=22, supply=lines)
        assert evaluate(watching, standing(at), None).reason is Reason.COVERED_BY_INBOUND


def test_a_stock_out_is_covered_by_whatever_is_not_overdue() -> None:
    out = rule(RuleKind.STOCK_OUT, [Limit(OUT, 0, 0)], filters=Filters(covered_by_inbound=True))
    for due, expected in ((-1, Reason.FIRED), (1_000, Reason.COVERED_BY_INBOUND)):
        at = level(0, incoming=17, supply=(Line(17, minutes(due)),))
        assert evaluate(out, standing(at, sales=sold(5)), None).reason is expected


@pytest.mark.parametrize(
    ("incoming", "expected"),
    [
        (17, [Reason.COVERED_BY_INBOUND, Reason.CLEAR]),
        (16, [Reason.DIPPED, Reason.RECOVERED]),
    ],
)
def test_what_is_incoming_covers_a_dip_by_what_the_dip_left(
    incoming: int, expected: list[Reason]
) -> None:
    watching = below(Filters(covered_by_inbound=True))
    steps = hear(watching, standing(level(50, low_water=3, incoming=incoming)), None)
    assert [step.reason for step in steps] == expected


# --- inhibition ---


@pytest.mark.parametrize(
    ("units", "other", "expected"),
    [
        (15, Condition(State.OPEN, OUT, NOON), Reason.INHIBITED),
        (15, Condition(State.RECOVERING, OUT, NOON, NOON), Reason.INHIBITED),
        (15, Condition(State.PENDING, OUT, NOON, NOON), Reason.FIRED),
        (15, Condition(State.OPEN, URGENT, NOON), Reason.FIRED),
        (3, Condition(State.OPEN, OUT, NOON), Reason.FIRED),  # urgent is more than a watch
    ],
)
def test_a_level_that_is_out_already_is_not_watched_as_well(
    units: int, other: Condition, expected: Reason
) -> None:
    watching = below(Filters(inhibited_by_out=True))
    at = standing(level(units), others={"out": other})
    assert evaluate(watching, at, None).reason is expected


# --- all of them ---

HIDING = Filters(min_daily_sales=5, grace_days=0, covered_by_inbound=False)


def test_a_filter_does_not_end_what_is_open() -> None:
    for state in (State.OPEN, State.RECOVERING):
        is_open = Condition(state, WATCH, NOON, minutes(10))
        step = evaluate(below(HIDING), standing(level(15), 1, sold(1)), is_open)
        assert step.condition is not None
        assert step.condition.held is AlertLevel.WATCH


def test_a_filter_ends_what_is_pending_and_lets_none_begin() -> None:
    watching = below(HIDING, pending=10)
    pending = Condition(State.PENDING, WATCH, NOON, minutes(10))
    for condition in (None, pending):
        step = evaluate(watching, standing(level(15), 20, sold(1)), condition)
        assert (step.condition, step.reason) == (None, Reason.BELOW_MINIMUM_DEMAND)


def test_without_filters_nothing_is_hidden() -> None:
    at = standing(
        level(15, incoming=100), sales=NO_SALES, others={"out": Condition(State.OPEN, OUT, NOON)}
    )
    assert evaluate(below(Filters()), at, None).reason is Reason.FIRED
