"""When a destination wants to be told: quiet hours, and digests by the hour or the day."""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from shared.events.stock_alerts import AlertLevel

_DAY = timedelta(days=1)
_LONGEST_QUIET_DAYS = 8


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From when until when nobody wants to be disturbed, on the clock of `zone`.

    `days` are those on which it begins (1 is Monday); where `ends` is not after `begins`, it ends
    on the next day. `passes`: alerts of these levels come through.
    """

    begins: time
    ends: time
    zone: str
    days: frozenset[int] = frozenset(range(1, 8))
    passes: frozenset[AlertLevel] = frozenset({AlertLevel.OUT})

    def until(self, at: datetime) -> datetime | None:
        """Return when the quiet that an instant falls into is over; None where it is not quiet.

        Quiet hours that meet (a whole Saturday, a whole Sunday) are one.
        """
        end: datetime | None = None
        for _ in range(_LONGEST_QUIET_DAYS):
            found = self._end_of_one(at if end is None else end)
            if found is None:
                break
            end = found
        return end

    def _end_of_one(self, at: datetime) -> datetime | None:
        zone = ZoneInfo(self.zone)
        today = at.astimezone(zone).date()
        for day in (today - _DAY, today):
            if day.isoweekday() not in self.days:
                continue
            begin = datetime.combine(day, self.begins, zone).astimezone(at.tzinfo)
            last = day if self.begins < self.ends else day + _DAY
            end = datetime.combine(last, self.ends, zone).astimezone(at.tzinfo)
            if begin <= at < end:
                return end
        return None


class Every(StrEnum):
    """How often a destination is told."""

    IMMEDIATELY = "immediately"
    HOURLY = "hourly"
    DAILY = "daily"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """At once, on the hour, or each day at a time on the clock of `zone`."""

    every: Every = Every.IMMEDIATELY
    at: time = time(9)
    zone: str = "UTC"

    def next(self, now: datetime) -> datetime | None:
        """Return the next moment at which it is told, now included; None: at once."""
        zone = ZoneInfo(self.zone)
        local = now.astimezone(zone)
        match self.every:
            case Every.IMMEDIATELY:
                return None
            case Every.HOURLY:
                # Some zones are half an hour off: theirs is the hour people see.
                past = timedelta(
                    minutes=local.minute, seconds=local.second, microseconds=local.microsecond
                )
                return now - past + timedelta(hours=1) if past else now
            case Every.DAILY:
                today = datetime.combine(local.date(), self.at, zone).astimezone(now.tzinfo)
                if today >= now:
                    return today
                following = local.date() + _DAY
                return datetime.combine(following, self.at, zone).astimezone(now.tzinfo)


@dataclass(frozen=True, slots=True)
class Manners:
    """How a destination wants to be told.

    `of_programs`: what listens is a program, which wants everything at once and by itself.
    `mentions`: in a group, those whom a message is for are rung.
    """

    rhythm: Rhythm = field(default_factory=Rhythm)
    quiet: QuietHours | None = None
    of_programs: bool = False
    mentions: bool = True
