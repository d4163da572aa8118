"""Why something ran out unannounced, as far as the log tells; a person confirms or corrects it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from services.alerting.domain.stock_class import is_of
from services.alerting.domain.stock_out import StockOut

CLASSES: Final = frozenset({"A"})
"""A stock-out of these that was announced late is a case, whatever it loses."""

LATE_DATA: Final = timedelta(minutes=30)
"""Older news than this is late: channels are asked every few minutes."""

SURGE: Final = 3.0
"""Sales of so many mean days in one day are no usual day."""


class Cause(StrEnum):
    """Why a stock-out was announced late or never."""

    DATA_LATE = "data_late"
    COUNT_WRONG = "count_wrong"
    LIMIT_TOO_LOW = "limit_too_low"
    SUPPLIER_LATE = "supplier_late"
    NOBODY_ACTED = "nobody_acted"
    DEMAND_UNFORESEEN = "demand_unforeseen"
    NO_RULE = "no_rule"
    OTHER = "other"
    """Only a person says this."""


class Sign(NamedTuple):
    """What speaks for a cause, in values that a person can check."""

    cause: Cause
    evidence: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Log:
    """What the log has on a stock-out."""

    stock_out: StockOut
    heard_at: datetime
    """When it became known here."""
    watched_by: tuple[str, ...] = ()
    """Rules with an episode on the level by then, told or not."""
    doubts: tuple[str, ...] = ()
    """Reasons to doubt the level's numbers: flags, and `negative` for less than nothing."""
    overdue: tuple[tuple[str, datetime], ...] = ()
    """Incoming lines that were due by then: reference, due at."""
    busiest_day: int | None = None
    """Units sold on the busier one of the last two days before."""
    acknowledged_at: datetime | None = None
    """When somebody first took any of the warnings on."""
    hushed_by: str | None = None
    """What kept the warnings from people, where none was told before."""


def is_late(stock_out: StockOut, notice: timedelta) -> bool:
    """Return whether people were told too late, or never: less than `notice` before."""
    before = stock_out.warned_before
    return before is None or before < notice


def deserves_case(
    stock_out: StockOut, stock_class: str | None, limit: Decimal, now: datetime
) -> bool:
    """Return whether a stock-out matters enough: of a class that does, or money lost so far."""
    if stock_class is not None and is_of(stock_class, CLASSES):
        return True
    _, money = stock_out.lost(now)
    return money is not None and money >= limit


def proposed(log: Log) -> tuple[Sign, ...]:
    """Return what speaks for which cause, the most telling first; there is always one.

    Wrong numbers explain all that follows from them, so they come first. A limit is too low when
    nothing else is wrong: it was watched, and not early enough.
    """
    return tuple(_signs(log)) or (Sign(Cause.LIMIT_TOO_LOW, {"rules": log.watched_by}),)


def _signs(log: Log) -> Iterator[Sign]:
    stock_out = log.stock_out
    if log.doubts:
        yield Sign(Cause.COUNT_WRONG, {"doubts": log.doubts})
    if log.heard_at - stock_out.began_at > LATE_DATA:
        yield Sign(Cause.DATA_LATE, {"ran_out_at": stock_out.began_at, "heard_at": log.heard_at})
    if not log.watched_by:
        yield Sign(Cause.NO_RULE, {})
    for reference, due_at in log.overdue[:1]:
        yield Sign(Cause.SUPPLIER_LATE, {"reference": reference, "due_at": due_at})
    mean, busiest = stock_out.daily_sales, log.busiest_day
    if mean and busiest is not None and busiest > SURGE * mean:
        yield Sign(Cause.DEMAND_UNFORESEEN, {"sold_in_a_day": busiest, "mean": mean})
    warned = stock_out.warned_before is not None
    acted = log.acknowledged_at is not None and log.acknowledged_at < stock_out.began_at
    if (warned and not acted) or log.hushed_by is not None:
        yield Sign(
            Cause.NOBODY_ACTED, {"warned_at": stock_out.warned_at, "kept_back_by": log.hushed_by}
        )
