"""Occasions: promotions and holidays in whose window rules warn otherwise than on other days."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from services.alerting.domain.kind import TRAITS
from services.alerting.domain.rule import Limit, Rule, ordered
from services.alerting.domain.subject import Subject
from shared.events.stock_alerts import SEVERITY, AlertLevel

_BY_SEVERITY: Final = {rank: level for level, rank in SEVERITY.items()}


@dataclass(frozen=True, slots=True)
class Occasion:
    """A window, what it is about (None: whatever it is), and what it does to rules there.

    `factor` multiplies limits, `shift` makes levels so many steps more (or less) severe, `mute`
    lets nothing open. All agree in what they do: several at once add up.
    """

    id: UUID
    name: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    rule: str | None = None
    sku: str | None = None
    warehouse: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    factor: float = 1
    shift: int = 0
    mute: bool = False

    def is_about(self, rule: Rule) -> bool:
        """Return whether it is about a rule, on some subjects at least."""
        return self.rule in {None, rule.id} and self.labels.items() <= rule.labels.items()

    def concerns(self, rule: Rule, subject: Subject) -> bool:
        """Return whether it is about a rule on a subject."""
        return (
            self.sku in {None, subject.sku}
            and self.warehouse in {None, subject.warehouse}
            and self.is_about(rule)
        )

    def applied(self, rule: Rule) -> Rule:
        """Return a rule as it is in the window."""
        return replace(
            rule,
            limits=_shifted(_scaled(rule, self.factor), self.shift),
            muted=rule.muted or self.mute,
            occasions=(*rule.occasions, self.name),
        )


class Calendar:
    """All occasions, and which of them are on: that changes at a few instants only."""

    def __init__(self, occasions: Iterable[Occasion] = ()) -> None:
        self._occasions = tuple(occasions)
        begins = {each.starts_at for each in self._occasions}
        self._bounds = sorted(begins | {each.ends_at for each in self._occasions})

    def __bool__(self) -> bool:
        return bool(self._occasions)

    def season(self, now: datetime) -> int:
        """Return the number of the stretch of time without a change that an instant is in."""
        return bisect_right(self._bounds, now)

    def on(self, now: datetime) -> Sequence[Occasion]:
        """Return the occasions whose window an instant is in."""
        return [each for each in self._occasions if each.starts_at <= now < each.ends_at]


def by_sku(occasions: Iterable[Occasion]) -> Mapping[str | None, Sequence[Occasion]]:
    """Return occasions by the SKU that they are about; None: whatever it is."""
    found: defaultdict[str | None, list[Occasion]] = defaultdict(list)
    for each in occasions:
        found[each.sku].append(each)
    return dict(found)


def _scaled(rule: Rule, factor: float) -> tuple[Limit, ...]:
    if TRAITS[rule.kind].without_unit:
        return rule.limits
    return tuple(limit.times(factor) for limit in rule.limits)


def _shifted(limits: tuple[Limit, ...], steps: int) -> tuple[Limit, ...]:
    """Return limits at other levels; of several at one level the one that holds first."""
    if not steps:
        return limits
    shifted: dict[AlertLevel, Limit] = {}
    for limit in reversed(limits):
        rank = min(max(SEVERITY[limit.level] + steps, 1), len(SEVERITY))
        level = _BY_SEVERITY[rank]
        shifted.setdefault(level, replace(limit, level=level, shifted_from=limit.own))
    return ordered(tuple(shifted.values()))
