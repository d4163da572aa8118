"""What time alone changes within a day is seen at its moment."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.alerting.domain.evaluation import evaluate
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.moments import next_moment
from services.alerting.domain.parameters import ParameterBook, Parameters
from services.alerting.domain.rule import Filters, Limit, Rule
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.sales import SalesHistory
from services.alerting.domain.standing import Standing
from tests.unit.services.alerting.cases import (
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
)
from tests.unit.services.alerting.domain.test_draft import LIMIT, A, Worker, events

HOUR = timedelta(hours=1)
OVERDUE = rule(RuleKind.INBOUND_OVERDUE, [Limit(WATCH, 0.5 / 24, 0), Limit(URGENT, 1 / 24, 0)])
EMPTY = rule(RuleKind.RUN_OUT_BEFORE_INBOUND, [Limit(OUT, 0, 0)], id_="empty")


def due(*hours: float, available: int = 50, version: int = 1) -> AtLevel:
    """Return a level with lines due at hours after noon."""
    lines = tuple(Line(10, NOON + hour * HOUR) for hour in hours)
    return level(available, supply=lines, incoming=10 * len(lines), version=version)


def test_a_line_becomes_overdue_without_a_message() -> None:
    worker = Worker(OVERDUE)
    worker.hear((0, due(1)))
    territory = worker.territories[0]
    assert not territory.is_due(minutes(90))
    for until, expected in ((91, [("opened", 90)]), (200, [("level_changed", 120)])):
        assert territory.is_due(minutes(until))
        draft = worker.draft()
        draft.fire(0, minutes(until), LIMIT)
        draft.adopt()
        assert [(event, round(minute, 3)) for event, minute in events(draft)] == expected
        assert not territory.is_due(minutes(until))
    assert not territory.is_due(minutes(100_000))


def test_what_a_moment_brings_comes_before_the_message_that_ends_it() -> None:
    worker = Worker(OVERDUE)
    draft = worker.hear((0, due(1)), (300, level(60, version=2)))
    happened = [event for event, _ in events(draft)]
    assert happened == ["opened", "level_changed", "resolved"]


def test_a_pending_time_counts_from_the_moment() -> None:
    patient = rule(RuleKind.INBOUND_OVERDUE, [Limit(WATCH, 0, 0)], pending=10)
    worker = Worker(patient)
    draft = worker.hear((0, due(1)), (300, level(60, version=2)))
    assert [(event, round(minute, 3)) for event, minute in events(draft)] == [
        ("opened", 70),
        ("resolved", 300),
    ]


def test_a_line_that_does_not_come_leaves_the_shelf_empty() -> None:
    """Two a day of 2: with the line in an hour all is well until the lead time, without it not."""
    worker = Worker(EMPTY)
    worker.parameters = ParameterBook().after(1, [("A", "W", Parameters(lead_time_days=3))])
    territory = worker.territories[0]
    worker.hear((0, due(1, available=2)))
    known = territory.subjects[A]
    territory.subjects[A] = known._replace(sales=sold(2), wake_at=None)
    draft = worker.draft()
    draft.look(0, [A], minutes(1))
    draft.adopt()
    assert territory.subjects[A].conditions == {}
    assert territory.is_due(minutes(61))
    draft = worker.draft()
    draft.fire(0, minutes(61), LIMIT)
    assert events(draft) == [("opened", 60)]


def test_a_line_that_does_not_come_covers_nothing_any_more() -> None:
    covered = rule(limits=[Limit(WATCH, 20, 30)], filters=Filters(covered_by_inbound=True))
    worker = Worker(covered)
    assert events(worker.hear((0, due(1, 2, available=10)))) == []
    draft = worker.draft()
    draft.fire(0, minutes(90), LIMIT)
    draft.adopt()
    assert events(draft) == []
    draft = worker.draft()
    draft.fire(0, minutes(150), LIMIT)
    assert events(draft) == [("opened", 120)]


def test_a_message_that_moves_the_line_moves_the_moment() -> None:
    worker = Worker(OVERDUE)
    worker.hear((0, due(1)))
    worker.hear((30, due(5, version=2)))
    assert not worker.territories[0].is_due(minutes(240))
    assert worker.territories[0].is_due(minutes(331))


def test_a_new_rule_finds_its_moments_in_what_is_known() -> None:
    worker = Worker()
    worker.hear((0, due(1)))
    assert not worker.territories[0].is_due(minutes(1_000))
    worker.book = RuleBook(2, [OVERDUE])
    draft = worker.draft()
    draft.look(0, [A], minutes(5))
    draft.adopt()
    assert worker.territories[0].is_due(minutes(91))


@given(
    hours=st.lists(st.integers(-60, 60), max_size=8),
    enters=st.lists(st.floats(0, 3), min_size=1, max_size=3, unique=True),
    available=st.integers(0, 20),
    at=st.integers(0, 3_000),
)
def test_between_two_moments_of_a_day_nothing_that_is_well_becomes_bad(
    hours: list[int], enters: list[float], available: int, at: int
) -> None:
    severities = (WATCH, URGENT, OUT)
    limits = [
        Limit(each, enter, 0) for each, enter in zip(severities, sorted(enters), strict=False)
    ]
    told = due(*hours, available=available)
    parameters = Parameters(lead_time_days=2)
    for watching in (rule(RuleKind.INBOUND_OVERDUE, limits), EMPTY):
        now = NOON
        state = _state(watching, told, parameters, now)
        moment = next_moment([watching], told, now)
        later = NOON + timedelta(minutes=at)
        if moment is None or later < moment:
            after = _state(watching, told, parameters, later)
            assert after is None or (state is not None and after <= state)
        else:
            assert moment > now


def _state(watching: Rule, told: AtLevel, parameters: Parameters, now: datetime) -> int | None:
    """Return how bad it is; sales are those of one day, whatever the time."""
    history: SalesHistory = sold(2)
    frozen = Standing(told, history, now, parameters)
    frozen._past = (history, 2.0)
    found = evaluate(watching, frozen, None).transition
    return None if found is None else {WATCH: 1, URGENT: 2, OUT: 3}[found.level]
