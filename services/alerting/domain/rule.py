"""A rule: what is measured, from which limit on it warns, and for whom it is meant."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from services.alerting.domain.subject import Item, Subject
from shared.events.stock_alerts import AlertLevel, AlertRule

SEVERITY = {AlertLevel.WATCH: 1, AlertLevel.URGENT: 2, AlertLevel.OUT: 3}


class RuleKind(StrEnum):
    """What a rule measures."""

    STOCK_OUT = "stock_out"
    """Available units; holds at a limit or under it (the limit is 0)."""
    BELOW = "below"
    """Available units; holds under a limit."""
    DAYS_OF_COVER = "days_of_cover"
    """Available units over mean daily sales; holds under a limit in days."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A level with the measure at which it is entered and the one at which it is left."""

    level: AlertLevel
    enter: float
    exit: float


@dataclass(frozen=True, slots=True)
class Scope:
    """Which subjects a rule is for: each list that is not empty must contain the subject's."""

    skus: frozenset[str] = frozenset()
    warehouses: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    @property
    def asks_catalogue(self) -> bool:
        """Whether a change of the catalogue can change the scope."""
        return bool(self.categories or self.tags)

    def contains(self, subject: Subject, item: Item | None) -> bool:
        """Return whether a subject is in scope; a SKU unknown to the catalogue has no category."""
        if self.skus and subject.sku not in self.skus:
            return False
        if self.warehouses and subject.warehouse not in self.warehouses:
            return False
        if self.categories and (item is None or item.category not in self.categories):
            return False
        return not self.tags or (item is not None and not self.tags.isdisjoint(item.tags))


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

    def holding(self, measure: float, held: AlertLevel | None) -> Limit | None:
        """Return the most severe limit that holds, or None.

        A level is entered at its enter limit; once it (or a worse one) is `held`, it lasts
        until its exit limit is reached.
        """
        rank = 0 if held is None else SEVERITY[held]
        at_limit = self.kind is RuleKind.STOCK_OUT
        for limit in self.limits:
            bound = limit.exit if SEVERITY[limit.level] <= rank else limit.enter
            if measure < bound or (at_limit and measure == bound):
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
