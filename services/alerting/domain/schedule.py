"""When a report is due: at an hour of the day or the week, on the clock of its readers."""

from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from shared.events.alert_reports import ReportKind

_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
MONDAY = 0


class Due(NamedTuple):
    """The day that a report is of, by which it is known, and the moment from which it is due."""

    day: date
    at: datetime


def last_due(kind: ReportKind, hour: int, weekday: int | None, zone: str, now: datetime) -> Due:
    """Return when a report was last due; the review is weekly, on Mondays unless said otherwise.

    An hour that the clock leaves out in spring is the one after it.
    """
    tz = ZoneInfo(zone)
    local = now.astimezone(tz)
    day, step = local.date(), _DAY
    if kind is ReportKind.WEEKLY_REVIEW:
        wanted = MONDAY if weekday is None else weekday
        day, step = day - timedelta(days=(day.weekday() - wanted) % 7), _WEEK
    if _instant(day, hour, tz) > now:
        day -= step
    return Due(day, _instant(day, hour, tz))


def period(kind: ReportKind, due_at: datetime) -> tuple[datetime, datetime]:
    """Return what a report speaks of: the day or the week before it is due."""
    return due_at - (_DAY if kind is ReportKind.DAILY_BRIEF else _WEEK), due_at


def _instant(day: date, hour: int, tz: ZoneInfo) -> datetime:
    local = datetime(day.year, day.month, day.day, hour, tzinfo=tz)
    return datetime.fromtimestamp(local.timestamp(), tz)
