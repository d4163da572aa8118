"""A rule as a person writes it, checked; the form it has over HTTP and in storage."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from services.alerting.domain import cel
from services.alerting.domain.active_hours import ActiveDefinition
from services.alerting.domain.covering import MAY_ASK_TO_BUY
from services.alerting.domain.fields import OF_ONE_WAREHOUSE
from services.alerting.domain.kind import TRAITS, RuleKind
from services.alerting.domain.parameter_values import Label as StockClass
from services.alerting.domain.predicate import (
    MAX_DEPTH,
    MAX_PARTS,
    Custom,
    Predicate,
    compiled,
    depth,
    fields,
    parts,
)
from services.alerting.domain.rule import (
    Doubts,
    Filters,
    Limit,
    Rule,
    Scope,
    ordered,
)
from services.alerting.domain.texts import Text
from services.alerting.domain.unusual import UNUSUAL
from services.alerting.domain.working_time import WorkingCalendar
from shared.events.base import Code
from shared.events.stock_alerts import SEVERITY, AlertLevel, SubjectKind

MAX_SECONDS = 90 * 86_400
NO_CALENDARS: Final[Mapping[str, WorkingCalendar]] = {}
_LARGEST = 10**12

EVERY_WAREHOUSE = "all"
"""The pool of all warehouses, where a rule names none."""

Measure = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST, allow_inf_nan=False)]
Seconds = Annotated[int, Field(ge=0, le=MAX_SECONDS)]
Codes = Annotated[list[Code], Field(max_length=10_000)]
Flag = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,63}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ScopeDefinition(_Strict):
    """Which subjects a rule is for: each list that is not empty must contain the subject's.

    Where pools are watched, the warehouses are those that add up; all of them if none are named.
    """

    skus: Codes = []
    warehouses: Codes = []
    categories: Annotated[list[Text], Field(max_length=1_000)] = []
    tags: Annotated[list[Text], Field(max_length=1_000)] = []
    classes: Annotated[list[StockClass], Field(max_length=1_000)] = []
    """By the parameters, the warehouse's own over those for all; `A` stands for `AX` to `AZ` too.
    Of a pool: those for all warehouses."""
    suppliers: Codes = []
    """By the parameters, likewise."""


class LimitDefinition(_Strict):
    """A level: entered at `enter`, left at `exit`.

    In units, in days (days_of_cover, overstock, inbound_overdue, run_out_before_inbound), in
    multiples of the parameter (below_safety_stock, below_reorder_point), in reasons to doubt
    (data_doubt), or a share from 0 to 1 (broken_size_run); none for custom.
    """

    level: AlertLevel
    enter: Measure | None = None
    """The kind's own when left out, if it has one."""
    exit: Measure | None = None
    """The enter limit when left out."""


class FilterDefinition(_Strict):
    """What keeps an episode from opening although a limit holds; one that is open goes on."""

    min_daily_sales: Annotated[float, Field(ge=0, le=_LARGEST, allow_inf_nan=False)] = 0
    """Nothing opens where fewer are sold a day, in the mean of 28 days; 0: no matter how few."""
    grace_days: Annotated[int, Field(ge=0, le=366)] = 0
    """Nothing opens in the first days after a level was heard of for the first time."""
    covered_by_inbound: bool = False
    """Nothing opens where no limit would hold with what is incoming and comes in time: lines that
    are overdue, or due only after the run-out at mean daily sales, do not count."""
    inhibited_by_out: bool = False
    """No 关注 (watch) opens where another rule has the level as 断货 (out)."""
    trend_at_least: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0
    """Nothing opens where demand falls: where mean daily sales of 7 days are less than this share
    of those of 28 days, and something is available. Of shortages only; 0: whatever the trend."""


class DoubtDefinition(_Strict):
    """What counts as a reason to doubt a level's numbers."""

    flags: Annotated[list[Flag], Field(max_length=20)] = [
        "negative",
        "not_ordered",
        "in_doubt",
        UNUSUAL,
    ]
    """Flags of the level, as `stock.levels` has them. While a rule has told people of `unusual`, a
    shortage of the level opens no episode until it was counted, for a day at the longest."""
    count_older_than_days: Annotated[int, Field(ge=1, le=3_650)] | None = None
    """The last count is longer ago; a level that was never counted is not meant."""
    channel_silent_minutes: Annotated[int, Field(ge=5, le=43_200)] | None = None
    """A channel that tells of the warehouse was not heard for longer."""
    channels: Annotated[list[Code], Field(max_length=1_000)] = []
    """The channels meant; those that told of the level's warehouse in the last 7 days if none."""


def _parsed(said: object) -> object:
    return cel.parse(said) if isinstance(said, str) else said


class RuleDefinition(_Strict):
    """A rule without its identity.

    Levels may be left out where the kind has one of its own, such as 断货 at 0 units for
    `stock_out`.
    """

    name: Annotated[dict[Literal["zh-CN", "en"], Text], Field(min_length=1)]
    kind: RuleKind
    subject: SubjectKind = SubjectKind.LEVEL
    """What it watches: levels, pools of several warehouses that sell as one, or products there."""
    pool: Code | None = None
    """What people call the pool; `all` when left out where no warehouses are named."""
    covers_levels: bool = False
    """Where no limit of this rule holds, no 关注 (watch) of a level in the pool opens."""
    scope: ScopeDefinition = ScopeDefinition()
    levels: Annotated[list[LimitDefinition], Field(max_length=3)] = []
    filters: FilterDefinition = FilterDefinition()
    doubts: DoubtDefinition | None = None
    """For data_doubt; the flags of a level when left out."""
    condition: Annotated[
        Predicate | None,
        BeforeValidator(_parsed, json_schema_input_type=Predicate | str | None),
    ] = None
    """For custom: a tree of comparisons, or the same as CEL text."""
    clear_condition: Annotated[
        Predicate | None,
        BeforeValidator(_parsed, json_schema_input_type=Predicate | str | None),
    ] = None
    """For custom: what must hold before an episode recovers, besides that `condition` does not; as
    the exit limit is for other kinds. That `condition` does not hold when left out."""
    pending_seconds: Seconds = 0
    recovery_seconds: Seconds = 0
    active: ActiveDefinition | None = None
    """When it may open episodes; at any time when left out. What is open goes on at any time."""
    enabled: bool = True
    labels: Annotated[dict[Text, Text], Field(max_length=20)] = {}
    playbook: Code | None = None
    """Which its episodes follow; the default of their level, if there is one, when left out."""
    owner: Code | None = None
    """The person whose its episodes are. While they are away, and when left out: of the row of the
    table of responsibilities the first of owner, deputy and manager who is not away."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        traits = TRAITS[self.kind]
        if not self.levels and traits.level is not None:
            self.levels = [LimitDefinition(level=traits.level)]
        for limit in self.levels:
            limit.enter = traits.enter if limit.enter is None else limit.enter
            limit.exit = limit.enter if limit.exit is None else limit.exit
        if self.kind is RuleKind.DATA_DOUBT and self.doubts is None:
            self.doubts = DoubtDefinition()
        if self.pool is None and self.subject is not SubjectKind.LEVEL:
            self.pool = None if self.scope.warehouses else EVERY_WAREHOUSE
        problem = _problem_of_levels(self) or _problem_of_subject(self) or _problem_of_extras(self)
        if problem is not None:
            raise ValueError(problem)
        return self

    @property
    def calendar(self) -> str | None:
        """The working calendar that it names, if it does."""
        return None if self.active is None else self.active.calendar

    def rule(
        self, rule_id: str, version: int, calendars: Mapping[str, WorkingCalendar] = NO_CALENDARS
    ) -> Rule:
        """Return the rule as it is evaluated; `calendars` are those that rules name."""
        return Rule(
            id=rule_id,
            version=version,
            kind=self.kind,
            name=dict(self.name.items()),
            limits=ordered(tuple(map(_limit, self.levels))),
            scope=Scope(
                skus=frozenset(self.scope.skus),
                warehouses=frozenset(self.scope.warehouses),
                categories=frozenset(self.scope.categories),
                tags=frozenset(self.scope.tags),
                classes=frozenset(self.scope.classes),
                suppliers=frozenset(self.scope.suppliers),
            ),
            pending=timedelta(seconds=self.pending_seconds),
            recovery=timedelta(seconds=self.recovery_seconds),
            enabled=self.enabled,
            labels=dict(self.labels),
            playbook=self.playbook,
            owner=self.owner,
            filters=Filters(**self.filters.model_dump()),
            doubts=_doubts(self.doubts),
            custom=_custom(self.condition),
            clears=_custom(self.clear_condition),
            hours=None if self.active is None else self.active.hours(calendars),
            subject=self.subject,
            pool=self.pool or "",
            covers_levels=self.covers_levels,
        )


def _limit(definition: LimitDefinition) -> Limit:
    enter = 0 if definition.enter is None else definition.enter
    leave = enter if definition.exit is None else definition.exit
    return Limit(definition.level, enter, leave)


def _doubts(definition: DoubtDefinition | None) -> Doubts:
    if definition is None:
        return Doubts()
    minutes = definition.channel_silent_minutes
    return Doubts(
        frozenset(definition.flags),
        definition.count_older_than_days,
        None if minutes is None else timedelta(minutes=minutes),
        frozenset(definition.channels),
    )


def _custom(predicate: Predicate | None) -> Custom | None:
    return None if predicate is None else Custom(cel.write(predicate), compiled(predicate))


def _problem_of_levels(rule: RuleDefinition) -> str | None:
    """Return what is wrong with a rule's levels, in words that say what to do, or None."""
    kind, levels = rule.kind, rule.levels
    if not levels or any(level.enter is None for level in levels):
        return "give at least one level, each with its enter limit"
    if len({level.level for level in levels}) < len(levels):
        return "give each level once"
    if kind is RuleKind.STOCK_OUT and any(level.enter != 0 for level in levels):
        return "stock_out is entered at 0; use the kind below for another limit"
    if kind is RuleKind.STOCK_OUT and len(levels) > 1:
        return "stock_out has one level; use the kind below for several"
    return _problem_of_order(TRAITS[kind].above, list(map(_limit, levels)))


def _problem_of_order(above: bool, limits: list[Limit]) -> str | None:
    worse_way, sign = ("under", -1) if above else ("over", 1)
    if any(sign * (limit.exit - limit.enter) < 0 for limit in limits):
        return f"an exit limit must not be {'over' if above else 'under'} its enter limit"
    by_severity = sorted(limits, key=lambda limit: SEVERITY[limit.level])
    for milder, worse in pairwise(by_severity):
        if sign * (worse.enter - milder.enter) > 0 or sign * (worse.exit - milder.exit) > 0:
            worse_level, milder_level = worse.level.value, milder.level.value
            return f"the limits of {worse_level} must not be {worse_way} those of {milder_level}"
    return None


def _problem_of_subject(rule: RuleDefinition) -> str | None:
    """Return what does not fit the subject of a rule, or None."""
    kind, subject = rule.kind, rule.subject
    if subject not in TRAITS[kind].subjects:
        kinds = [each.value for each in RuleKind if subject in TRAITS[each].subjects]
        subjects = [each.value for each in SubjectKind if each in TRAITS[kind].subjects]
        return (
            f"{kind.value} means nothing for a {subject.value}; "
            f"use one of {', '.join(kinds)}, or the subject {' or '.join(subjects)}"
        )
    if rule.covers_levels and subject is not SubjectKind.POOL:
        return "covers_levels belongs to rules whose subject is a pool; leave it out"
    if subject is SubjectKind.LEVEL:
        return None if rule.pool is None else "a level is in no pool; leave pool out"
    if subject is SubjectKind.PRODUCT:
        return _problem_of_product(rule)
    if rule.pool is None:
        return "say with pool what people call these warehouses"
    if rule.filters.inhibited_by_out:
        return "inhibited_by_out is between rules of one level; leave it out"
    asked = {name for said in _conditions(rule) for name in fields(said)}
    unknown = sorted(asked & OF_ONE_WAREHOUSE)
    if unknown:
        return f"{', '.join(unknown)} belongs to one warehouse; a pool has none"
    return None


def _problem_of_product(rule: RuleDefinition) -> str | None:
    if rule.pool is None:
        return "say with pool what people call these warehouses"
    if rule.pending_seconds or rule.recovery_seconds or rule.active is not None:
        return (
            "nobody waits for a product: its options may be with several workers; leave "
            "pending_seconds, recovery_seconds and active out"
        )
    if rule.scope.classes or rule.scope.suppliers:
        return (
            "a product has no class and no supplier, its options may have different ones; leave "
            "classes and suppliers out, or watch levels or pools"
        )
    if rule.filters != FilterDefinition():
        return "filters are about one SKU; leave them out"
    if any(not 0 < (level.enter or 0) <= 1 for level in rule.levels):
        return "a limit is a share of the options in stock: over 0, at most 1"
    if any((level.exit or 0) > 1 for level in rule.levels):
        return "an exit limit over 1 is never reached: a share is at most 1"
    return None


def _problem_of_extras(rule: RuleDefinition) -> str | None:
    """Return what does not belong to a rule of this kind, or None."""
    if rule.filters.covered_by_inbound and not TRAITS[rule.kind].of_available:
        return (
            f"{rule.kind.value} does not measure what is available, so nothing incoming can cover "
            "it; leave covered_by_inbound out"
        )
    if rule.filters.trend_at_least and rule.kind not in MAY_ASK_TO_BUY:
        return f"{rule.kind.value} warns of no shortage; leave trend_at_least out"
    doubts = rule.doubts
    if doubts is not None and rule.kind is not RuleKind.DATA_DOUBT:
        return "doubts belong to the kind data_doubt; leave them out"
    if doubts is not None and doubts.channels and doubts.channel_silent_minutes is None:
        return "say with channel_silent_minutes for how long channels may be silent"
    if doubts is not None and not (
        doubts.flags or doubts.count_older_than_days or doubts.channel_silent_minutes
    ):
        return "give at least one flag, count_older_than_days or channel_silent_minutes"
    return _problem_of_condition(rule)


def _conditions(rule: RuleDefinition) -> list[Predicate]:
    return [each for each in (rule.condition, rule.clear_condition) if each is not None]


def _problem_of_condition(rule: RuleDefinition) -> str | None:
    condition = rule.condition
    if (condition is None) is (rule.kind is RuleKind.CUSTOM):
        return "a rule of the kind custom needs a condition, no other may have one"
    if condition is None:
        if rule.clear_condition is not None:
            return "clear_condition belongs to the kind custom; leave it out"
        return None
    if len(rule.levels) > 1 or rule.levels[0].enter != 1 or rule.levels[0].exit != 1:
        return "custom has one level and no limits; they are in its condition"
    said = _conditions(rule)
    if sum(map(parts, said)) > MAX_PARTS or max(map(depth, said)) > MAX_DEPTH:
        return f"use at most {MAX_PARTS} comparisons, nested {MAX_DEPTH} deep"
    return None
