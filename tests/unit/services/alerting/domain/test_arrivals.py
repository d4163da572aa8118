"""When a level runs out, what is late and what comes next; cases worked out by hand."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from services.alerting.domain.arrivals import next_arrival, overdue, runs_out_at
from services.alerting.domain.size_run import SizeRun
from shared.events.stock_alerts import Arrival
from tests.unit.services.alerting.cases import NOON, Line, level, sold, standing

DAY = timedelta(days=1)


def arrival(quantity: int, due_at: datetime, reference: str) -> Arrival:
    return Arrival(quantity=quantity, due_at=due_at, reference=reference)


def test_what_is_available_lasts_at_mean_daily_sales() -> None:
    assert runs_out_at(standing(level(25), sales=sold(10))) == NOON + 2.5 * DAY
    assert runs_out_at(standing(level(25), 60, sales=sold(10))) == NOON + 2.5 * DAY + DAY / 24
    assert runs_out_at(standing(level(366), sales=sold(1))) == NOON + 366 * DAY


def test_what_is_out_or_not_sold_or_lasts_for_years_runs_out_on_no_day() -> None:
    for units, daily in ((0, 10), (-5, 10), (25, 0), (367, 1), (10**12, 1)):
        assert runs_out_at(standing(level(units), sales=sold(daily))) is None
    assert runs_out_at(standing(level(25))) is None


def test_lines_are_told_by_their_day_whatever_their_order() -> None:
    supply = (
        Line(5, NOON + 9 * DAY, "later"),
        Line(6, None, "no day"),
        Line(7, NOON + 2 * DAY, "next"),
        Line(8, NOON - DAY, "late"),
        Line(9, NOON - 3 * DAY, "latest"),
    )
    at = standing(level(25, supply=supply))
    assert next_arrival(at) == arrival(7, NOON + 2 * DAY, "next")
    assert overdue(at) == arrival(9, NOON - 3 * DAY, "latest")


def test_a_line_that_is_due_now_is_not_ahead_any_more() -> None:
    at = standing(level(25, supply=(Line(5, NOON, "PO"),)))
    assert (next_arrival(at), overdue(at)) == (None, arrival(5, NOON, "PO"))


def test_without_dates_and_of_a_product_no_line_is_told() -> None:
    undated = standing(level(25, supply=(Line(6, None),)))
    assert (next_arrival(undated), overdue(undated)) == (None, None)
    days = (datetime(2026, 1, 1, tzinfo=UTC), NOON + DAY)
    at = standing(level(25, supply=tuple(Line(5, day) for day in days)))
    of_product = replace(at, run=SizeRun(("A", "B"), ()))
    assert (next_arrival(of_product), overdue(of_product)) == (None, None)
