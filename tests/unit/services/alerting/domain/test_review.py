from datetime import UTC, datetime, timedelta
from decimal import Decimal

from services.alerting.domain.review import NOTHING, NOTHING_DEALT, Dealt, Period, figures, spans
from services.alerting.domain.stock_out import Shortage, StockOut
from shared.events.alert_reports import Share, Spans

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

PREVENTED = Shortage("A", "W", NOON, NOON + DAY, 10, 2.5, 60, ran_out=False)
MET_LATE = StockOut(NOON, NOON + DAY, NOON - 12 * HOUR, 3.0, Decimal(10))
MISSED = StockOut(NOON, None, None, 2.0)


def test_the_figures_of_a_small_week_are_those_found_by_hand() -> None:
    dealt = Dealt(
        alerts=5,
        to_acknowledge=Spans(count=2, mean=15, median=15),
        to_resolve=Spans(count=0),
        within_sla=Share(part=1, whole=2),
        escalations=1,
        right=Share(part=2, whole=3),
    )
    found = figures(dealt, [MET_LATE, MISSED], [PREVENTED], NOON + 2 * DAY)
    assert (found.prevented, found.met_late, found.missed) == (1, 1, 1)
    # 2.5 days before the one prevented, half a day before the one met late.
    assert found.warning_days == Spans(count=2, mean=1.5, median=1.5)
    # A day of 3 at 10 each; two days of 2, whose price nobody knows.
    assert (found.lost_units, found.lost_money) == (7.0, Decimal("30.00"))
    assert (found.alerts, found.within_sla, found.right) == (5, dealt.within_sla, dealt.right)


def test_nothing_happened_is_no_figure_rather_than_nought() -> None:
    assert (NOTHING.warning_days.mean, NOTHING.lost_money, NOTHING.alerts) == (None, None, 0)


def test_mean_and_median_differ_where_one_takes_long() -> None:
    assert spans([1, 2, 9]) == Spans(count=3, mean=4, median=2)


def test_groups_have_their_own_figures_and_what_is_nobodys_comes_last() -> None:
    period = Period(
        dealt={None: NOTHING_DEALT, "wu": NOTHING_DEALT},
        stock_outs=[("lin", MISSED), (None, MET_LATE)],
        shortages=[("lin", PREVENTED)],
    )
    found = period.figures(NOON + DAY)
    assert list(found) == ["lin", "wu", None]
    assert (found["lin"].missed, found["lin"].prevented, found[None].met_late) == (1, 1, 1)
