from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.alerting.domain.suppliers import Supplier, is_due, leaves_at

# A Tuesday, 15:30 in Shanghai.
TUESDAY = datetime(2026, 3, 3, 7, 30, tzinfo=UTC)
MOON = Supplier("ACME", "Acme", order_weekdays=(2, 4), minimum=Decimal(1000))


def test_an_order_leaves_at_the_hour_of_the_next_order_day() -> None:
    assert leaves_at(MOON, TUESDAY) == datetime(2026, 3, 3, 8, tzinfo=UTC)
    assert leaves_at(MOON, TUESDAY + timedelta(hours=1)) == datetime(2026, 3, 5, 8, tzinfo=UTC)


def test_a_day_that_was_past_when_it_became_an_order_day_is_none() -> None:
    friday, thursday = TUESDAY - timedelta(days=4), TUESDAY + timedelta(days=2)
    mondays = replace(MOON, order_weekdays=(1,), days_since=TUESDAY)
    assert not is_due(mondays, friday, None, thursday)
    assert leaves_at(mondays, friday) == datetime(2026, 3, 9, 8, tzinfo=UTC)
    assert leaves_at(mondays, TUESDAY + timedelta(days=7)) == datetime(2026, 3, 16, 8, tzinfo=UTC)


@given(
    days=st.sets(st.integers(1, 7), min_size=1),
    hour=st.integers(0, 23),
    opened=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=st.sampled_from(["Asia/Shanghai", "Europe/London", "America/New_York", "UTC"]),
)
def test_it_leaves_later_and_within_a_week_and_a_day(
    days: set[int], hour: int, opened: datetime, zone: str
) -> None:
    supplier = Supplier("S", "S", timezone=zone, order_weekdays=tuple(days), order_hour=hour)
    leaves = leaves_at(supplier, opened)
    assert leaves is not None
    assert opened < leaves <= opened + timedelta(days=8)
    assert leaves.isoweekday() in days


def test_it_leaves_when_it_is_worth_the_minimum_or_its_day_has_come() -> None:
    assert not is_due(MOON, TUESDAY, Decimal(999), TUESDAY)
    assert is_due(MOON, TUESDAY, Decimal(1000), TUESDAY)
    assert is_due(MOON, TUESDAY, None, TUESDAY + timedelta(hours=1))


def test_without_minimum_and_days_it_leaves_by_hand_alone() -> None:
    supplier = Supplier("S", "S")
    assert not is_due(supplier, TUESDAY, Decimal(10**9), TUESDAY + timedelta(days=400))
    assert not is_due(None, TUESDAY, Decimal(10**9), TUESDAY)
