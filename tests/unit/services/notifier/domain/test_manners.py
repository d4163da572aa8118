"""When destinations want to be told, and what waits therefore."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.holding import Hold, HoldReason, hold_of
from services.notifier.domain.manners import Every, Manners, QuietHours, Rhythm
from shared.events.stock_alerts import AlertLevel
from tests.factories.stock_alerts import stock_alert

SHANGHAI = "Asia/Shanghai"
NIGHT = QuietHours(time(22), time(7, 30), SHANGHAI)
WEEKEND = QuietHours(time(0), time(0), SHANGHAI, days=frozenset({6, 7}))


def at(text: str) -> datetime:
    """Return an instant in UTC, of a time in Shanghai in March 2026 (the 1st is a Sunday)."""
    return datetime.fromisoformat(f"2026-03-{text}+08:00").astimezone(UTC)


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        (NIGHT, "02T21:59", None),
        (NIGHT, "02T22:00", "03T07:30"),
        (NIGHT, "03T03:00", "03T07:30"),
        (NIGHT, "03T07:30", None),
        (QuietHours(time(12), time(14), SHANGHAI), "02T13:00", "02T14:00"),
        (QuietHours(time(22), time(7), SHANGHAI, frozenset({5})), "07T06:59", "07T07:00"),
        (QuietHours(time(22), time(7), SHANGHAI, frozenset({5})), "07T22:30", None),
        (WEEKEND, "07T00:00", "09T00:00"),
        (WEEKEND, "08T23:59", "09T00:00"),
        (WEEKEND, "09T00:00", None),
        (QuietHours(time(22), time(7), "America/New_York"), "02T11:00", "02T20:00"),
    ],
)
def test_quiet_hours_end_when_they_say(quiet: QuietHours, now: str, until: str | None) -> None:
    assert quiet.until(at(now)) == (None if until is None else at(until))


@given(
    st.times(timezones=st.none()),
    st.times(timezones=st.none()),
    st.frozensets(st.integers(1, 7), min_size=1, max_size=6),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    st.sampled_from([SHANGHAI, "Europe/Berlin", "America/New_York"]),
)
def test_when_quiet_is_over_it_is_not_quiet(
    begins: time, ends: time, days: frozenset[int], now: datetime, zone: str
) -> None:
    quiet = QuietHours(begins, ends, zone, days)
    end = quiet.until(now)
    if end is not None:
        assert end > now
        assert quiet.until(end) is None


@pytest.mark.parametrize(
    ("rhythm", "now", "told"),
    [
        (Rhythm(), "02T10:00", None),
        (Rhythm(Every.HOURLY, zone=SHANGHAI), "02T10:00", "02T10:00"),
        (Rhythm(Every.HOURLY, zone=SHANGHAI), "02T10:59", "02T11:00"),
        (Rhythm(Every.HOURLY, zone="Asia/Kolkata"), "02T10:15", "02T10:30"),
        (Rhythm(Every.DAILY, time(9), SHANGHAI), "02T08:59", "02T09:00"),
        (Rhythm(Every.DAILY, time(9), SHANGHAI), "02T09:00", "02T09:00"),
        (Rhythm(Every.DAILY, time(9), SHANGHAI), "02T09:01", "03T09:00"),
    ],
)
def test_a_rhythm_has_a_next_moment(rhythm: Rhythm, now: str, told: str | None) -> None:
    assert rhythm.next(at(now)) == (None if told is None else at(told))


URGENT = stock_alert(level="urgent")


def test_in_quiet_hours_everything_waits_but_what_passes() -> None:
    manners = Manners(quiet=NIGHT)
    hold = hold_of(URGENT, manners, at("02T23:00"))
    assert hold == Hold("quiet_hours|20260302T2330", at("03T07:30"), HoldReason.QUIET_HOURS)
    assert hold_of(stock_alert(level="out"), manners, at("02T23:00")) is None
    loud = Manners(quiet=QuietHours(time(22), time(7), SHANGHAI, passes=frozenset(AlertLevel)))
    assert hold_of(URGENT, loud, at("02T23:00")) is None


def test_what_would_be_due_while_it_is_quiet_waits_until_that_is_over() -> None:
    by = at("02T22:02")
    gathered = stock_alert(
        level="urgent", gather={"key": "k", "by": by.isoformat(), "why": "same_owner"}
    )
    assert hold_of(gathered, Manners(), at("02T21:57")) == Hold("k", by, HoldReason.SAME_OWNER)
    hold = hold_of(gathered, Manners(quiet=NIGHT), at("02T21:57"))
    assert hold is not None
    assert (hold.why, hold.until) == (HoldReason.QUIET_HOURS, at("03T07:30"))


def test_a_daily_digest_takes_in_what_comes_until_then() -> None:
    manners = Manners(Rhythm(Every.DAILY, time(9), SHANGHAI))
    first = hold_of(URGENT, manners, at("02T10:00"))
    assert first == hold_of(stock_alert(level="out"), manners, at("03T08:59"))
    assert first is not None
    assert (first.why, first.until) == (HoldReason.RHYTHM, at("03T09:00"))
    assert first != hold_of(URGENT, manners, at("03T09:00") + timedelta(seconds=1))


@pytest.mark.parametrize("every", [Every.HOURLY, Every.DAILY])
def test_what_is_gathered_until_the_moment_of_a_digest_is_in_it(every: Every) -> None:
    by = at("03T09:00")
    watch = stock_alert(
        level="watch", gather={"key": "k", "by": by.isoformat(), "why": "same_owner"}
    )
    hold = hold_of(watch, Manners(Rhythm(every, time(9), SHANGHAI)), at("02T10:00"))
    assert hold is not None
    assert (hold.why, hold.until) == (HoldReason.RHYTHM, by)
