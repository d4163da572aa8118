"""What keeps an episode from opening although a limit holds, always with the reason."""

from datetime import timedelta
from math import inf

from services.alerting.domain.fields import days_of_cover, trend
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.measure import holding
from services.alerting.domain.outcome import Reason
from services.alerting.domain.rule import Filters, Limit, Rule
from services.alerting.domain.standing import Standing
from shared.events.stock_alerts import AlertLevel

_DAY = timedelta(days=1)


def hidden(rule: Rule, at: Standing, units: int, limit: Limit) -> Reason | None:
    """Return why a limit that holds at so many available units opens nothing, or None."""
    if rule.muted:
        return Reason.MUTED
    filters = rule.filters
    if at.days_known < filters.grace_days:
        return Reason.TOO_NEW
    too_little = _sells_too_little(filters, at, units)
    if too_little is not None:
        return too_little
    if filters.covered_by_inbound:
        with_it = units + _in_time(rule, at, units)
        if holding(rule, at, with_it, None) is None:
            return Reason.COVERED_BY_INBOUND
    if filters.inhibited_by_out and limit.level is AlertLevel.WATCH and _is_out(at):
        return Reason.INHIBITED
    if at.is_pooled is not None and limit.level is AlertLevel.WATCH and at.is_pooled():
        return Reason.COVERED_BY_POOL
    return None


def _sells_too_little(filters: Filters, at: Standing, units: int) -> Reason | None:
    # Where too little is known to say, a warning too many is better than one missed.
    if filters.min_daily_sales:
        mean = at.daily_mean
        if mean is not None and mean < filters.min_daily_sales:
            return Reason.BELOW_MINIMUM_DEMAND
    # What is out sells nothing, whatever the demand.
    if filters.trend_at_least and units > 0:
        found = trend(at)
        if not isinstance(found, Reason) and found < filters.trend_at_least:
            return Reason.DEMAND_FALLS
    return None


def _in_time(rule: Rule, at: Standing, units: int) -> int:
    """Return the units incoming but for lines that are overdue or come after so many have run out.

    What has no date counts, and so does what is beyond the eight lines that a level tells of. Where
    it has run out already (`stock_out`), or nobody knows what sells, only overdue lines are late.
    """
    if not at.level.supply:
        return at.level.incoming
    cover = inf if rule.kind is RuleKind.STOCK_OUT else days_of_cover(at, units)
    lasts = inf if isinstance(cover, Reason) else cover
    too_late = sum(
        line.quantity
        for line in at.level.supply
        if line.due_at is not None and not 0 < (line.due_at - at.now) / _DAY <= lasts
    )
    return at.level.incoming - too_late


def _is_out(at: Standing) -> bool:
    return any(each.held is AlertLevel.OUT for each in at.others.values())
