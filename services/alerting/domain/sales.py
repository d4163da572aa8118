"""Units sold by UTC day, kept from a total that only grows."""

from dataclasses import dataclass, replace
from datetime import datetime

WINDOW_DAYS = 28
"""Four whole weeks, so that every weekday counts alike."""

MIN_DAYS = 7
"""A mean over less than a week would depend on the weekdays it happens to hold."""


@dataclass(frozen=True, slots=True)
class SalesHistory:
    """What was sold on the last complete days, and where the total stood this morning.

    The first day is seen in part only and never counts; nor does the present one until it is
    over. Losing or repeating a message changes nothing, because `total` is cumulative.
    """

    day: int
    """The present UTC day, in days since 1970-01-01."""
    total: int
    """The total as last told."""
    opening: int | None
    """The total at the beginning of the day; None on the first day."""
    first_day: int
    """The day of the first message."""
    sold: tuple[int, ...] = ()
    """Units on each of the last complete days, oldest first, at most WINDOW_DAYS."""

    @classmethod
    def begin(cls, at: datetime, total: int) -> "SalesHistory":
        """Return the history of a subject that is seen for the first time."""
        day = day_of(at)
        return cls(day=day, total=total, opening=None, first_day=day)

    def told(self, at: datetime, total: int) -> "SalesHistory":
        """Return the history after a message with a new total; days may have ended before it."""
        rolled = self.on(day_of(at))
        return rolled if total == rolled.total else replace(rolled, total=total)

    def on(self, day: int) -> "SalesHistory":
        """Return the history as it stands on a day; an earlier day than known is the present."""
        if day <= self.day:
            return self
        ended = () if self.opening is None else (max(0, self.total - self.opening),)
        idle = (0,) * min(day - self.day - 1, WINDOW_DAYS)
        sold = (self.sold + ended + idle)[-WINDOW_DAYS:]
        return SalesHistory(
            day=day, total=self.total, opening=self.total, first_day=self.first_day, sold=sold
        )

    @property
    def daily_mean(self) -> float | None:
        """Mean units a day; None with fewer than MIN_DAYS complete days."""
        if len(self.sold) < MIN_DAYS:
            return None
        return sum(self.sold) / len(self.sold)


def day_of(at: datetime) -> int:
    """Return the UTC day of an instant, in days since 1970-01-01."""
    return int(at.timestamp() // 86_400)
