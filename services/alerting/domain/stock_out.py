"""Stock-outs and the warnings before them: what was prevented, met late or missed, and lost."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from services.alerting.domain.at_risk import worth
from services.alerting.domain.kind import RuleKind

SHORTAGE_KINDS: Final = frozenset(RuleKind) - {
    RuleKind.OVERSTOCK,
    RuleKind.NEGATIVE,
    RuleKind.DATA_DOUBT,
}
"""Kinds of rule whose alerts warn that something may run out."""

_DAY = timedelta(days=1)


class Course(StrEnum):
    """How a stock-out and the warning of it went."""

    PREVENTED = "prevented"
    MET_LATE = "met_late"
    MISSED = "missed"


class StockOut(NamedTuple):
    """A level with nothing available, since and until when (None: still).

    `warned_at` is the first notice that people had of it by any rule. `daily_sales` are those
    before it, `price` that of then; None where not known.
    """

    began_at: datetime
    ended_at: datetime | None
    warned_at: datetime | None
    daily_sales: float | None = None
    price: Decimal | None = None

    @property
    def course(self) -> Course:
        """Whether a warning came before it; one that came with it warned of nothing."""
        return Course.MISSED if self.warned_before is None else Course.MET_LATE

    @property
    def warned_before(self) -> timedelta | None:
        """How long before it the first warning came; None where none did."""
        if self.warned_at is None or self.warned_at >= self.began_at:
            return None
        return self.began_at - self.warned_at

    def lost(self, until: datetime) -> tuple[float, Decimal | None]:
        """Return the units, and the money where a price is known, that were not sold by `until`.

        What is sold on a mean day, for as long as there was nothing; (0, None) where no mean is
        known.
        """
        if self.daily_sales is None:
            return 0.0, None
        end = min(self.ended_at or until, until)
        units = self.daily_sales * (max(timedelta(), end - self.began_at) / _DAY)
        return units, None if self.price is None else worth(units, self.price)


class Shortage(NamedTuple):
    """An episode that people were told of and that ended because stock came back.

    `available` and `cover_days` as at its opening; None: sales were not known.
    """

    sku: str
    warehouse: str
    warned_at: datetime
    ended_at: datetime
    available: int
    cover_days: float | None
    available_at_end: int
    ran_out: bool
    """Whether there was nothing left at any time during it."""

    @property
    def prevented(self) -> bool:
        """Whether it would have been a stock-out: it sold, did not run out, and stock came.

        Without sales nothing runs out, and where no stock came the limit was left for another
        reason, such as a returned parcel or a rule changed since.
        """
        return (
            not self.ran_out
            and self.cover_days is not None
            and self.available_at_end > self.available > 0
        )


def spells(shortages: Iterable[Shortage]) -> list[Shortage]:
    """Return shortages with those of a level that overlap made one: several rules saw the same.

    The first to warn counts; the end is the last end.
    """
    found: list[Shortage] = []
    for each in sorted(shortages, key=lambda each: (each.sku, each.warehouse, each.warned_at)):
        last = found[-1] if found else None
        same = last is not None and (last.sku, last.warehouse) == (each.sku, each.warehouse)
        if last is not None and same and each.warned_at <= last.ended_at:
            later = each if each.ended_at > last.ended_at else last
            found[-1] = last._replace(
                ended_at=later.ended_at,
                available_at_end=later.available_at_end,
                cover_days=last.cover_days if last.cover_days is not None else each.cover_days,
                ran_out=last.ran_out or each.ran_out,
            )
        else:
            found.append(each)
    return found
