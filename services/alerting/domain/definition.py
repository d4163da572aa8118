"""A rule as a person writes it, checked; the form it has over HTTP and in storage."""

from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.alerting.domain.rule import SEVERITY, Limit, Rule, RuleKind, Scope, ordered
from shared.events.base import Code
from shared.events.stock_alerts import AlertLevel

MAX_SECONDS = 90 * 86_400
_LARGEST = 10**12

Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Measure = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST, allow_inf_nan=False)]
Seconds = Annotated[int, Field(ge=0, le=MAX_SECONDS)]
Codes = Annotated[list[Code], Field(max_length=10_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ScopeDefinition(_Strict):
    """Which subjects a rule is for: each list that is not empty must contain the subject's."""

    skus: Codes = []
    warehouses: Codes = []
    categories: Annotated[list[Text], Field(max_length=1_000)] = []
    tags: Annotated[list[Text], Field(max_length=1_000)] = []


class LimitDefinition(_Strict):
    """A level: entered at `enter`, left at `exit`; units, or days for days_of_cover."""

    level: AlertLevel
    enter: Measure
    exit: Measure | None = None
    """The enter limit when left out."""


class RuleDefinition(_Strict):
    """A rule without its identity.

    For `stock_out` the levels may be left out: 断货 at 0 units.
    """

    name: Annotated[dict[Literal["zh-CN", "en"], Text], Field(min_length=1)]
    kind: RuleKind
    scope: ScopeDefinition = ScopeDefinition()
    levels: Annotated[list[LimitDefinition], Field(max_length=3)] = []
    pending_seconds: Seconds = 0
    recovery_seconds: Seconds = 0
    enabled: bool = True
    labels: Annotated[dict[Text, Text], Field(max_length=20)] = {}

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind is RuleKind.STOCK_OUT and not self.levels:
            self.levels = [LimitDefinition(level=AlertLevel.OUT, enter=0)]
        for limit in self.levels:
            limit.exit = limit.enter if limit.exit is None else limit.exit
        problem = _problem(self.kind, [_limit(limit) for limit in self.levels])
        if problem is not None:
            raise ValueError(problem)
        return self

    def rule(self, rule_id: str, version: int) -> Rule:
        """Return the rule as it is evaluated."""
        return Rule(
            id=rule_id,
            version=version,
            kind=self.kind,
            name=dict(self.name.items()),
            limits=ordered(tuple(_limit(limit) for limit in self.levels)),
            scope=Scope(
                skus=frozenset(self.scope.skus),
                warehouses=frozenset(self.scope.warehouses),
                categories=frozenset(self.scope.categories),
                tags=frozenset(self.scope.tags),
            ),
            pending=timedelta(seconds=self.pending_seconds),
            recovery=timedelta(seconds=self.recovery_seconds),
            enabled=self.enabled,
            labels=dict(self.labels),
        )


def _limit(definition: LimitDefinition) -> Limit:
    leave = definition.enter if definition.exit is None else definition.exit
    return Limit(definition.level, definition.enter, leave)


def _problem(kind: RuleKind, limits: list[Limit]) -> str | None:
    """Return what is wrong with a rule's levels, in words that say what to do, or None."""
    if not limits:
        return "give at least one level with its enter limit"
    if len({limit.level for limit in limits}) < len(limits):
        return "give each level once"
    if any(limit.exit < limit.enter for limit in limits):
        return "an exit limit must not be under its enter limit"
    if kind is RuleKind.STOCK_OUT and any(limit.enter != 0 for limit in limits):
        return "stock_out is entered at 0; use the kind below for another limit"
    if kind is RuleKind.STOCK_OUT and len(limits) > 1:
        return "stock_out has one level; use the kind below for several"
    by_severity = sorted(limits, key=lambda limit: SEVERITY[limit.level])
    for milder, worse in pairwise(by_severity):
        if worse.enter > milder.enter or worse.exit > milder.exit:
            return (
                f"the limits of {worse.level.value} must not be over those of {milder.level.value}"
            )
    return None
