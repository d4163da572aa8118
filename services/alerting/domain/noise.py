"""What keeps an episode from opening although a limit holds, always with the reason."""

from services.alerting.domain.measure import holding
from services.alerting.domain.outcome import Reason
from services.alerting.domain.rule import Limit, Rule
from services.alerting.domain.standing import Standing
from shared.events.stock_alerts import AlertLevel


def hidden(rule: Rule, at: Standing, units: int, limit: Limit) -> Reason | None:
    """Return why a limit that holds at so many available units opens nothing, or None."""
    if rule.muted:
        return Reason.MUTED
    filters = rule.filters
    if at.days_known < filters.grace_days:
        return Reason.TOO_NEW
    if filters.min_daily_sales:
        mean = at.daily_mean
        # Where too little is known to say, a warning too many is better than one missed.
        if mean is not None and mean < filters.min_daily_sales:
            return Reason.BELOW_MINIMUM_DEMAND
    if filters.covered_by_inbound and holding(rule, at, units + at.level.incoming, None) is None:
        return Reason.COVERED_BY_INBOUND
    if filters.inhibited_by_out and limit.level is AlertLevel.WATCH and _is_out(at):
        return Reason.INHIBITED
    if at.is_pooled is not None and limit.level is AlertLevel.WATCH and at.is_pooled():
        return Reason.COVERED_BY_POOL
    return None


def _is_out(at: Standing) -> bool:
    return any(each.held is AlertLevel.OUT for each in at.others.values())
