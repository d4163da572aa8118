"""What the options of a product have together, and what is lost while some of them are missing."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from services.alerting.domain.at_risk import at_risk, in_all
from services.alerting.domain.parameters import Parameters
from services.alerting.domain.pool import PoolLevel, sold_together, summed
from services.alerting.domain.rule import Rule
from services.alerting.domain.sales import SalesHistory, day_of
from services.alerting.domain.size_run import SizeRun
from services.alerting.domain.standing import Standing
from services.alerting.domain.subject import Level, PoolSubject, ProductSubject, Subject
from shared.events.stock_alerts import AtRisk


class Sold(Protocol):
    """A level with its sales."""

    @property
    def level(self) -> Level: ...  # noqa: D102
    @property
    def sales(self) -> SalesHistory: ...  # noqa: D102


def together(subject: ProductSubject, rule: Rule, levels: Mapping[Subject, Sold]) -> PoolLevel:
    """Return what all options have in the rule's pool; `levels` are theirs."""
    pooled = [each.level for at, each in levels.items() if rule.pools(at.warehouse)]
    return summed(subject.sku, subject.warehouse, pooled)


def lost(
    rule: Rule,
    run: SizeRun,
    levels: Mapping[Subject, Sold],
    parameters: Callable[[Subject], Parameters],
    now: datetime,
) -> AtRisk | None:
    """Return what the options that are out lose, each as its pool by itself would (ADR 105)."""
    return in_all(
        at_risk(_standing(pool, rule, levels, now), parameters(pool))
        for pool in (PoolSubject(option.sku, rule.pool, rule.id) for option in run.out)
    )


def _standing(
    pool: PoolSubject, rule: Rule, levels: Mapping[Subject, Sold], now: datetime
) -> Standing:
    pooled = [
        each for at, each in levels.items() if at.sku == pool.sku and rule.pools(at.warehouse)
    ]
    level = summed(pool.sku, pool.warehouse, [each.level for each in pooled])
    return Standing(level, sold_together((each.sales for each in pooled), day_of(now)), now)
