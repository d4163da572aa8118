"""A rule: what is measured, from which limit on it warns, and for whom it is meant."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.alerting.domain.channels import Channels
from services.alerting.domain.kind import TRAITS, RuleKind
from services.alerting.domain.parameters import NOTHING_SET, Parameters
from services.alerting.domain.predicate import Custom
from services.alerting.domain.stock_class import is_of
from services.alerting.domain.subject import (
    Item,
    LevelSubject,
    PoolSubject,
    ProductSubject,
    Subject,
)
from services.alerting.domain.working_time import WorkingCalendar, working_from
from shared.events.stock_alerts import SEVERITY, AlertLevel, AlertRule, SubjectKind


@dataclass(frozen=True, slots=True)
class Limit:
    """A level with the measure at which it is entered and the one at which it is left.

    `shifted_from` is the level that the rule itself gives it, where an occasion gives it another.
    """

    level: AlertLevel
    enter: float
    exit: float
    shifted_from: AlertLevel | None = None

    @property
    def own(self) -> AlertLevel:
        """The level that the rule itself gives it."""
        return self.shifted_from or self.level

    def times(self, factor: float) -> "Limit":
        """Return so many times the limit."""
        return replace(self, enter=self.enter * factor, exit=self.exit * factor)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which subjects a rule is for: each list that is not empty must contain the subject's.

    The warehouses of a rule that watches pools are those that add up; all if none are named.
    """

    skus: frozenset[str] = frozenset()
    warehouses: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    """"A" stands for "AX" to "AZ" as well."""
    suppliers: frozenset[str] = frozenset()

    @property
    def asks_catalogue(self) -> bool:
        """Whether a change of the catalogue can change the scope."""
        return bool(self.categories or self.tags)

    @property
    def asks_parameters(self) -> bool:
        """Whether a changed parameter can change the scope."""
        return bool(self.classes or self.suppliers)

    def contains(self, subject: LevelSubject, item: Item | None, given: Parameters) -> bool:
        """Return whether a level is in scope; `given` are its parameters."""
        if self.warehouses and subject.warehouse not in self.warehouses:
            return False
        return self.has(subject.sku, item, given)

    def has(self, sku: str, item: Item | None, given: Parameters = NOTHING_SET) -> bool:
        """Return whether a SKU is in scope; one unknown to the catalogue has no category.

        `given` are its parameters whatever the warehouse, or those of one level.
        """
        if self.skus and sku not in self.skus:
            return False
        if self.suppliers and given.supplier not in self.suppliers:
            return False
        if self.classes and (
            given.stock_class is None or not is_of(given.stock_class, self.classes)
        ):
            return False
        if self.categories and (item is None or item.category not in self.categories):
            return False
        return not self.tags or (item is not None and not self.tags.isdisjoint(item.tags))


@dataclass(frozen=True, slots=True)
class Filters:
    """What keeps an episode from opening although a limit holds; one that is open goes on."""

    min_daily_sales: float = 0
    """Mean daily sales under this are too few to warn about; unknown ones are not."""
    grace_days: int = 0
    """A level is too new to warn about for so many UTC days from the first message on."""
    covered_by_inbound: bool = False
    """No warning where no limit would hold with what comes in time."""
    inhibited_by_out: bool = False
    """No 关注 (watch) where another rule has the level as 断货 (out)."""
    trend_at_least: float = 0
    """Mean daily sales of 7 days over those of 28: under this, demand falls too fast to warn."""

    @property
    def asks_day(self) -> bool:
        """Whether a new day can change what they say."""
        return bool(
            self.min_daily_sales
            or self.grace_days
            or self.covered_by_inbound
            or self.trend_at_least
        )


@dataclass(frozen=True, slots=True)
class Doubts:
    """What counts as a reason to doubt a level's numbers."""

    flags: frozenset[str] = frozenset()
    """Flags of `stock.levels`."""
    count_days: int | None = None
    """A count of more UTC days ago is too old; a level that never was counted is not meant."""
    silence: timedelta | None = None
    """A channel that was not heard for longer is silent."""
    channels: frozenset[str] = frozenset()
    """The channels that must not be silent; those that tell of the level's warehouse if none."""

    def silent(self, channels: Channels, warehouse: str, now: datetime) -> list[str]:
        """Return the channels that are silent and should tell of a warehouse."""
        if self.silence is None:
            return []
        return channels.silent(warehouse, self.channels, self.silence, now)


@dataclass(frozen=True, slots=True)
class Rule:
    """One version of a rule. `limits` are ordered by severity, the most severe first."""

    id: str
    version: int
    kind: RuleKind
    name: Mapping[str, str]
    limits: tuple[Limit, ...]
    scope: Scope = field(default_factory=Scope)
    pending: timedelta = timedelta(0)
    """How long it must hold before it fires."""
    recovery: timedelta = timedelta(0)
    """How long the exit limit must hold before it resolves."""
    enabled: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    playbook: str | None = None
    """Which its episodes follow; None: the default of their level, if there is one."""
    owner: str | None = None
    """The person whose its episodes are; None: whom the table of responsibilities says."""
    filters: Filters = field(default_factory=Filters)
    doubts: Doubts = field(default_factory=Doubts)
    """For data_doubt."""
    custom: Custom | None = None
    """For custom."""
    clears: Custom | None = None
    """For custom: what must hold before an episode recovers, besides that `custom` does not."""
    hours: WorkingCalendar | None = None
    """Outside them it opens nothing; None: it may at any time."""
    muted: bool = False
    """Nothing opens: an occasion of the calendar says so."""
    occasions: tuple[Mapping[str, str], ...] = ()
    """The names of the calendar's occasions that have changed it."""
    subject: SubjectKind = SubjectKind.LEVEL
    pool: str = ""
    """What people call the warehouses that add up; of a rule that watches no levels."""
    covers_levels: bool = False
    """Where no limit of this rule holds, no 关注 (watch) of a level in the pool opens."""

    @property
    def asks_catalogue(self) -> bool:
        """Whether a change of the catalogue can change what it watches."""
        return self.scope.asks_catalogue or self.subject is SubjectKind.PRODUCT

    def watches(self, subject: Subject, item: Item | None, given: Parameters) -> bool:
        """Return whether a subject is of the rule's sort and in its scope, enabled or not.

        `given` are the subject's parameters.
        """
        if isinstance(subject, LevelSubject):
            return self.subject is SubjectKind.LEVEL and self.scope.contains(subject, item, given)
        if isinstance(subject, ProductSubject):
            return self.is_of(subject)  # each of its options is asked about by itself
        return self.is_of(subject) and self.scope.has(subject.sku, item, given)

    def is_of(self, subject: PoolSubject | ProductSubject) -> bool:
        """Return whether a subject's pool is the one that the rule watches, as it does."""
        said = subject.kind, subject.warehouse, subject.rule
        return (self.subject, self.pool, self.id) == said

    def pools(self, warehouse: str) -> bool:
        """Return whether a warehouse is one of those that add up."""
        return not self.scope.warehouses or warehouse in self.scope.warehouses

    @property
    def asks_day(self) -> bool:
        """Whether a new day can change an evaluation."""
        return TRAITS[self.kind].asks_day or self.filters.asks_day

    @property
    def asks_parameters(self) -> bool:
        """Whether a changed parameter can change an evaluation, or what it watches."""
        traits = TRAITS[self.kind]
        asks = traits.asks_parameters or traits.parameter is not None
        return asks or self.scope.asks_parameters

    def opens_from(self, instant: datetime) -> datetime:
        """Return the first instant from one on at which it may open an episode."""
        return instant if self.hours is None else working_from(instant, self.hours)

    def holding(self, measure: float, held: AlertLevel | None, scale: float = 1) -> Limit | None:
        """Return the most severe limit that holds, or None; limits are multiples of `scale`.

        A level is entered at its enter limit; once it (or a worse one) is `held`, it lasts
        until its exit limit is reached. `held` is the rule's own level of the limit: what an
        occasion calls it ends nothing.
        """
        rank = 0 if held is None else SEVERITY[held]
        holds = TRAITS[self.kind].holds
        for limit in self.limits:
            bound = limit.exit if SEVERITY[limit.own] <= rank else limit.enter
            if holds(measure, bound * scale):
                return limit
        return None

    def named(self) -> AlertRule:
        """Return what a notice says of the rule."""
        return AlertRule(
            id=self.id, version=self.version, kind=self.kind.value, name=dict(self.name)
        )


def ordered(limits: tuple[Limit, ...]) -> tuple[Limit, ...]:
    """Return limits as a rule holds them, the most severe first."""
    return tuple(sorted(limits, key=lambda limit: SEVERITY[limit.level], reverse=True))
