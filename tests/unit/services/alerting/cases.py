"""What the tests of alerting speak of: rules, levels and moments, made short."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.alerting.domain.condition import Condition
from services.alerting.domain.evaluation import hear
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.outcome import Evaluation
from services.alerting.domain.parameters import NOTHING_SET, Parameters
from services.alerting.domain.rule import Doubts, Filters, Limit, Rule, Scope, ordered
from services.alerting.domain.sales import SalesHistory
from services.alerting.domain.standing import Standing
from shared.events.stock_alerts import AlertLevel, SubjectKind

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WATCH, URGENT, OUT = AlertLevel.WATCH, AlertLevel.URGENT, AlertLevel.OUT
LADDER = (Limit(WATCH, 20, 30), Limit(URGENT, 5, 10), Limit(OUT, 1, 1))


def minutes(count: float) -> datetime:
    """Return an instant after noon."""
    return NOON + timedelta(minutes=count)


@dataclass(frozen=True)
class Line:
    """An incoming line."""

    quantity: int
    due_at: datetime | None
    reference: str = "PO"


@dataclass(frozen=True)
class Corrected:
    """What came to light late."""

    since: datetime | None
    raised: int = 0
    lowered: int | None = 0
    sold_long_ago: int = 0


@dataclass(frozen=True)
class AtLevel:
    """A level as the ledger told it."""

    available: int
    low_water: int
    version: int = 1
    sku: str = "A"
    warehouse: str = "W"
    on_hand: int = 0
    incoming: int = 0
    last_change_at: datetime = NOON
    sold_total: int = 0
    counted_at: datetime | None = None
    supply: tuple[Line, ...] = ()
    flags: tuple[str, ...] = ()
    corrected: Corrected | None = None


def level(available: int, low_water: int | None = None, **fields: object) -> AtLevel:
    """Return a level that dipped to `low_water`, or did not."""
    dip = available if low_water is None else low_water
    return AtLevel(available, dip, **fields)  # type: ignore[arg-type] # the fields' own types


def rule(
    kind: RuleKind = RuleKind.BELOW,
    limits: Iterable[Limit] = LADDER,
    *,
    pending: float = 0,
    recovery: float = 0,
    enabled: bool = True,
    id_: str = "rule",
    filters: Filters | None = None,
    doubts: Doubts | None = None,
    pool: str | None = None,
    warehouses: Iterable[str] = (),
    covers_levels: bool = False,
) -> Rule:
    """Return a rule; times in minutes. With a `pool` it watches that instead of levels."""
    return Rule(
        id=id_,
        version=1,
        kind=kind,
        name={"en": "Rule"},
        limits=ordered(tuple(limits)),
        pending=timedelta(minutes=pending),
        recovery=timedelta(minutes=recovery),
        enabled=enabled,
        filters=filters or Filters(),
        doubts=doubts or Doubts(),
        scope=Scope(warehouses=frozenset(warehouses)),
        subject=SubjectKind.LEVEL if pool is None else SubjectKind.POOL,
        pool=pool or "",
        covers_levels=covers_levels,
    )


NO_SALES = SalesHistory.begin(NOON, 0)


def sold(daily: int, days: int = 28) -> SalesHistory:
    """Return a history of equal days that ends the day before noon's."""
    today = SalesHistory.begin(NOON, 0).day
    total = daily * days
    return SalesHistory(today, total, total, today - days - 1, (daily,) * days)


def standing(
    at: AtLevel,
    minute: float = 0,
    sales: SalesHistory = NO_SALES,
    parameters: Parameters = NOTHING_SET,
    others: Mapping[str, Condition] | None = None,
) -> Standing:
    """Return a level's standing at a minute after noon."""
    return Standing(at, sales, minutes(minute), parameters, others or {})


def told(
    watching: Rule,
    steps: Iterable[tuple[float, AtLevel]],
    sales: SalesHistory = NO_SALES,
    condition: Condition | None = None,
) -> list[Evaluation]:
    """Tell a rule levels at minutes after noon; returns every evaluation."""
    evaluations = []
    for minute, at in steps:
        for evaluation in hear(watching, standing(at, minute, sales), condition):
            condition = evaluation.condition
            evaluations.append(evaluation)
    return evaluations


def announced(evaluations: Iterable[Evaluation]) -> list[tuple[str, str]]:
    """Return (event, level) of each transition."""
    return [
        (each.transition.event.value, each.transition.level.value)
        for each in evaluations
        if each.transition is not None
    ]


def reasons(evaluations: Iterable[Evaluation]) -> list[str]:
    """Return the reason of each evaluation."""
    return [each.reason.value for each in evaluations]
