"""What waits on purpose, until when, why, and with what it will be one message."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from services.notifier.domain.manners import Manners
from shared.events.stock_alerts import GatherReason, StockAlert


class HoldReason(StrEnum):
    """Why a delivery waits although it could be sent, and why it is merged with others."""

    FIRST_IMPORT = GatherReason.FIRST_IMPORT.value
    CHANGED_RULE = GatherReason.CHANGED_RULE.value
    CHANGED_PARAMETERS = GatherReason.CHANGED_PARAMETERS.value
    CHANGED_CATALOGUE = GatherReason.CHANGED_CATALOGUE.value
    SAME_OWNER = GatherReason.SAME_OWNER.value
    RHYTHM = "rhythm"
    """The destination is told by the hour or the day."""
    QUIET_HOURS = "quiet_hours"


SUMMARIES = frozenset(
    {
        HoldReason.FIRST_IMPORT,
        HoldReason.CHANGED_RULE,
        HoldReason.CHANGED_PARAMETERS,
        HoldReason.CHANGED_CATALOGUE,
    }
)
"""What was so before anybody looked is told as a summary, even where it is one alert."""


class Hold(NamedTuple):
    """Wait until an instant; all of a destination with the same key are one message then."""

    key: str
    until: datetime
    why: HoldReason


def hold_of(alert: StockAlert, manners: Manners, now: datetime) -> Hold | None:
    """Return how long a notice waits at a destination, or None: it is sent at once.

    What waits for others may be due while it is quiet, and then waits until that is over.
    """
    if manners.of_programs:
        return None
    hold: Hold | None = None
    if alert.gather is not None:
        gather = alert.gather
        hold = Hold(gather.key, gather.by, HoldReason(gather.why.value))
    due = now if hold is None else max(now, hold.until)
    told_at = manners.rhythm.next(due)
    if told_at is not None:
        hold = Hold(f"{HoldReason.RHYTHM}|{told_at:%Y%m%dT%H%M}", told_at, HoldReason.RHYTHM)
        due = told_at
    quiet = manners.quiet
    if quiet is not None and alert.level not in quiet.passes:
        end = quiet.until(due)
        if end is not None:
            hold = Hold(f"{HoldReason.QUIET_HOURS}|{end:%Y%m%dT%H%M}", end, HoldReason.QUIET_HOURS)
    return hold
