"""What a shortage costs until stock can arrive: units that cannot be sold, and their money.

Mean daily sales × the days between the run-out and the next possible arrival, and what is already
promised beyond what there is. An incoming line that is overdue comes on no known day, and does not
count as coming (as for the rules about run-outs).
"""

from collections.abc import Iterable
from decimal import Context, Decimal
from functools import reduce

from services.alerting.domain.parameters import Parameters
from services.alerting.domain.standing import Standing
from shared.events.stock_alerts import AtRisk

USUAL_LEAD_TIME_DAYS = 7.0
"""Where neither an incoming line nor a lead time says when stock can arrive: an order's week."""

_DAY_S = 86_400
_CENT = Decimal("0.01")
_EXACT = Context(prec=60)
"""The largest quantities, times and prices that can be said, multiplied, have 30 digits."""


def at_risk(at: Standing, parameters: Parameters) -> AtRisk | None:
    """Return what is lost until stock can arrive; None where nothing can be said.

    Units to a tenth; money (units × price) to a hundredth, None without a price.
    """
    available, mean = at.level.available, at.daily_mean
    missing = float(max(0, -available))
    if mean is None:
        if not missing:
            return None
    elif mean:
        run_out = max(0, available) / mean
        missing += mean * max(0.0, _days_to_arrival(at, parameters) - run_out)
    units = round(missing, 1)
    price = parameters.price
    return AtRisk(units=units, money=None if price is None else worth(units, price))


def in_all(lost: Iterable[AtRisk | None]) -> AtRisk | None:
    """Return what several lose together; None where nothing can be said of any.

    Says of how many something is missing: the units (None), or the money where others have it.
    """
    each = list(lost)
    if not each:
        return AtRisk(units=0)
    known = [one for one in each if one is not None]
    if not known:
        return None
    money = [one.money for one in known if one.money is not None]
    return AtRisk(
        units=round(sum(one.units for one in known), 1),
        money=reduce(_EXACT.add, money) if money else None,
        left_out=len(each) - len(money or known),
    )


def worth(units: float, price: Decimal) -> Decimal:
    """Return the money that units are, to a hundredth."""
    return _EXACT.quantize(_EXACT.multiply(Decimal(str(units)), price), _CENT)


def _days_to_arrival(at: Standing, parameters: Parameters) -> float:
    ahead = [
        line.due_at for line in at.level.supply if line.due_at is not None and line.due_at > at.now
    ]
    if ahead:
        return (min(ahead) - at.now).total_seconds() / _DAY_S
    lead_time = parameters.lead_time_days
    return USUAL_LEAD_TIME_DAYS if lead_time is None else lead_time
