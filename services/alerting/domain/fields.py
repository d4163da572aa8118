"""What a custom condition can ask of a level, by name."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Final

from services.alerting.domain.outcome import Reason
from services.alerting.domain.parameters import Parameters
from services.alerting.domain.standing import Standing

TREND_DAYS = 7
"""A week, so that every weekday counts in both means of a trend."""

Field = Callable[[Standing, int], float | str | Reason]
"""Returns a value, or why there is none; the number stands for what is available (units)."""


def trend(at: Standing, _: int = 0) -> float | Reason:
    """Return mean daily sales of the last 7 days over those of up to 28; 1 where none are."""
    mean = at.daily_mean
    if mean is None:
        return Reason.TOO_LITTLE_HISTORY
    return sum(at.history.sold[-TREND_DAYS:]) / TREND_DAYS / mean if mean else 1


def _daily_sales(at: Standing, _: int) -> float | Reason:
    mean = at.daily_mean
    return Reason.TOO_LITTLE_HISTORY if mean is None else mean


def days_of_cover(at: Standing, units: int) -> float | Reason:
    """Return for how many days so many units last, at mean daily sales."""
    mean = at.daily_mean
    if mean is None:
        return Reason.TOO_LITTLE_HISTORY
    # What nobody buys lasts for ever.
    return units / mean if mean else inf


def _parameter(name: str) -> Field:
    def value(at: Standing, _: int) -> float | str | Reason:
        found: float | str | None = getattr(at.parameters, name)
        return Reason.NO_PARAMETER if found is None else found

    return value


_TEXT_PARAMETERS = ("stock_class", "supplier")

NUMBERS: Final[Mapping[str, Field]] = {
    "available": lambda _, units: units,
    "on_hand": lambda at, _: at.level.on_hand,
    "incoming": lambda at, _: at.level.incoming,
    "daily_sales": _daily_sales,
    "days_of_cover": days_of_cover,
    "trend_7d": trend,
    "days_known": lambda at, _: at.days_known,
} | {name: _parameter(name) for name in Parameters._fields if name not in _TEXT_PARAMETERS}

TEXTS: Final[Mapping[str, Field]] = {
    "sku": lambda at, _: at.level.sku,
    "warehouse": lambda at, _: at.level.warehouse,
} | {name: _parameter(name) for name in _TEXT_PARAMETERS}

OF_ONE_WAREHOUSE: Final = frozenset(
    {"warehouse", "safety_stock", "reorder_point", "order_quantity"}
)
"""Fields that a pool has not: what is set for each warehouse of a SKU does not add up by itself."""
