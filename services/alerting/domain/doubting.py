"""Why a level's numbers are in doubt, by what a rule takes for a reason."""

from services.alerting.domain.kind import RuleKind
from services.alerting.domain.rule import Rule
from services.alerting.domain.sales import day_of
from services.alerting.domain.standing import Standing
from shared.events.stock_alerts import DoubtReasons

NAMED_AT_MOST = 20
"""Silent channels that a notice names; more than a person reads."""


def reasons(rule: Rule, at: Standing) -> DoubtReasons | None:
    """Return what a rule of data_doubt doubts a level's numbers for; None where nothing."""
    if rule.kind is not RuleKind.DATA_DOUBT:
        return None
    level, doubts = at.level, rule.doubts
    flags = doubts.flags.intersection(level.flags) if level.flags else ()
    days = None
    if doubts.count_days is not None and level.counted_at is not None:
        days = day_of(at.now) - day_of(level.counted_at)
        days = days if days > doubts.count_days else None
    silent = doubts.silent(at.channels, level.warehouse, at.now)
    if not flags and days is None and not silent:
        return None  # nearly always: nothing is made then
    return DoubtReasons(
        flags=tuple(sorted(flags)), count_days=days, silent=tuple(silent[:NAMED_AT_MOST])
    )
