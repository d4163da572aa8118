"""Units sold by UTC day, kept from a total that only grows."""

from datetime import UTC, datetime

import msgspec

WINDOW_DAYS = 28
"""Four whole weeks, so that every weekday counts alike."""

MIN_DAYS = 7
"""A mean over less than a week would depend on the weekdays it happens to hold."""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_IDLE = (0,) * WINDOW_DAYS


class SalesHistory(msgspec.Struct, frozen=True, gc=False):
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
        day = day_of(at)
        if day > self.day:
            return SalesHistory(day, total, self.total, self.first_day, self._sold_before(day))
        if total == self.total:
            return self
        return SalesHistory(self.day, total, self.opening, self.first_day, self.sold)

    def without(self, units: int) -> "SalesHistory":
        """Return the history without units of the present day: they were sold on none of these."""
        if self.opening is None or not units:
            return self
        return SalesHistory(self.day, self.total, self.opening + units, self.first_day, self.sold)

    def on(self, day: int) -> "SalesHistory":
        """Return the history as it stands on a day; an earlier day than known is the present."""
        if day <= self.day:
            return self
        return SalesHistory(day, self.total, self.total, self.first_day, self._sold_before(day))

    def _sold_before(self, day: int) -> tuple[int, ...]:
        """Return what was sold on the last complete days before a later day."""
        sold = self.sold
        if self.opening is not None:
            sold += (max(0, self.total - self.opening),)
        sold += _IDLE[: day - self.day - 1]
        return sold[-WINDOW_DAYS:]

    @property
    def daily_mean(self) -> float | None:
        """Mean units a day; None with fewer than MIN_DAYS complete days."""
        if len(self.sold) < MIN_DAYS:
            return None
        return sum(self.sold) / len(self.sold)


def day_of(at: datetime) -> int:
    """Return the UTC day of an instant, in days since 1970-01-01."""
    return (at - _EPOCH).days
