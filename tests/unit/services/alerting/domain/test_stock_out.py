from datetime import UTC, datetime, timedelta
from decimal import Decimal

from services.alerting.domain.stock_out import Course, Shortage, StockOut, spells

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def shortage(**fields: object) -> Shortage:
    """Return a shortage of ten units for two days that ended with a hundred; or otherwise."""
    usual: dict[str, object] = {
        "sku": "A",
        "warehouse": "W",
        "warned_at": NOON,
        "ended_at": NOON + DAY,
        "available": 10,
        "cover_days": 2.0,
        "available_at_end": 100,
        "ran_out": False,
    }
    return Shortage(**(usual | fields))  # type: ignore[arg-type]


def test_a_stock_out_with_a_warning_before_it_is_met_late_and_without_one_missed() -> None:
    warned = StockOut(NOON, None, NOON - 6 * HOUR)
    assert (warned.course, warned.warned_before) == (Course.MET_LATE, 6 * HOUR)
    for too_late in (None, NOON, NOON + HOUR):
        missed = StockOut(NOON, None, too_late)
        assert (missed.course, missed.warned_before) == (Course.MISSED, None)


def test_what_is_lost_is_what_is_sold_in_as_many_mean_days() -> None:
    # 4 a day at 2.50, out for 36 hours: 6 units, 15.00.
    ended = StockOut(NOON, NOON + 1.5 * DAY, None, 4.0, Decimal("2.50"))
    assert ended.lost(NOON + 9 * DAY) == (6.0, Decimal("15.00"))
    lasting = StockOut(NOON, None, None, 4.0)
    assert lasting.lost(NOON + 6 * HOUR) == (1.0, None)
    assert lasting.lost(NOON - HOUR) == (0.0, None)


def test_the_largest_sales_at_the_largest_price_can_be_told() -> None:
    largest = StockOut(NOON, None, None, 1e12, Decimal("99999999999999.9999"))
    assert largest.lost(NOON + 400 * DAY) == (4e14, Decimal("39999999999999999960000000000.00"))


def test_where_no_sales_are_known_no_loss_is_made_up() -> None:
    assert StockOut(NOON, None, None, None, Decimal(9)).lost(NOON + DAY) == (0.0, None)


def test_a_shortage_that_new_stock_ended_was_a_stock_out_prevented() -> None:
    assert shortage().prevented


def test_nothing_was_prevented_where_it_ran_out_did_not_sell_or_no_stock_came() -> None:
    assert not shortage(ran_out=True).prevented
    assert not shortage(cover_days=None).prevented
    assert not shortage(available_at_end=10).prevented
    assert not shortage(available=0).prevented


def test_rules_that_saw_the_same_shortage_are_one_and_the_first_to_warn_counts() -> None:
    first = shortage(available=10, cover_days=2.0, ended_at=NOON + DAY)
    second = shortage(warned_at=NOON + HOUR, available=6, cover_days=1.2, ended_at=NOON + 2 * DAY)
    (spell,) = spells([second, first])
    assert (spell.warned_at, spell.ended_at, spell.cover_days) == (NOON, NOON + 2 * DAY, 2.0)


def test_shortages_apart_in_time_or_place_are_each_one() -> None:
    apart = [
        shortage(),
        shortage(warned_at=NOON + 3 * DAY, ended_at=NOON + 4 * DAY),
        shortage(warehouse="X"),
        shortage(sku="B"),
    ]
    assert len(spells(apart)) == len(apart)


def test_a_spell_in_which_any_rule_saw_it_run_out_prevented_nothing() -> None:
    (spell,) = spells([shortage(), shortage(warned_at=NOON + HOUR, ran_out=True)])
    assert not spell.prevented
