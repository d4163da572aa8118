from datetime import UTC, date, datetime, timedelta

import pytest

from services.alerting.domain.schedule import last_due, period
from shared.events.alert_reports import ReportKind

BRIEF, REVIEW = ReportKind.DAILY_BRIEF, ReportKind.WEEKLY_REVIEW
SHANGHAI = "Asia/Shanghai"
SUNDAY_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)  # 20:00 in Shanghai


@pytest.mark.parametrize(
    ("kind", "hour", "weekday", "day"),
    [
        (BRIEF, 20, None, date(2026, 3, 1)),
        (BRIEF, 21, None, date(2026, 2, 28)),
        (REVIEW, 8, None, date(2026, 2, 23)),
        (REVIEW, 20, 6, date(2026, 3, 1)),
        (REVIEW, 21, 6, date(2026, 2, 22)),
    ],
)
def test_a_report_is_due_on_the_clock_of_its_readers(
    kind: ReportKind, hour: int, weekday: int | None, day: date
) -> None:
    due = last_due(kind, hour, weekday, SHANGHAI, SUNDAY_NOON)
    assert due.day == day
    assert due.at <= SUNDAY_NOON
    assert (due.at.astimezone(UTC).hour, due.at.utcoffset()) == (
        (hour - 8) % 24,
        timedelta(hours=8),
    )


def test_an_hour_that_summer_time_leaves_out_is_the_one_after_it() -> None:
    noon = datetime(2026, 3, 29, 12, tzinfo=UTC)
    due = last_due(BRIEF, 2, None, "Europe/Berlin", noon)
    assert due.at == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert due.day == date(2026, 3, 29)


def test_a_brief_is_of_a_day_and_a_review_of_a_week() -> None:
    assert period(BRIEF, SUNDAY_NOON) == (SUNDAY_NOON - timedelta(days=1), SUNDAY_NOON)
    assert period(REVIEW, SUNDAY_NOON) == (SUNDAY_NOON - timedelta(days=7), SUNDAY_NOON)
