"""What the Now page shows, put together once for all viewers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar

from shared.events.stock_alerts import SEVERITY, AlertLevel

T = TypeVar("T")


@dataclass(frozen=True)  # slots and Generic do not go together in Python 3.11
class Section(Generic[T]):
    """One service's part: what it said last, and whether it answers at the moment.

    Neither a value nor `away` means that it has not been asked yet.
    """

    value: T | None = None
    away: bool = False

    def without_answer(self) -> "Section[T]":
        """Return the section after a question that got no answer."""
        return Section(self.value, away=True)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is behind what has happened; None where it does not know itself."""

    behind_seconds: float | None
    waiting: int | None

    @property
    def is_known(self) -> bool:
        """Whether the stage said anything about it."""
        return self.behind_seconds is not None or self.waiting is not None

    @property
    def is_current(self) -> bool:
        """Whether a person would call it up to date."""
        if self.behind_seconds is None:
            return not self.waiting
        # A batch under way shows as a few records for a moment; below this nobody can tell.
        return self.behind_seconds < 2 and (self.waiting or 0) < 1000


@dataclass(frozen=True, slots=True)
class Flow:
    """Changes recorded: per second now, the same over the last minutes, and in all."""

    per_second: float | None
    history: tuple[float, ...]
    total: int
    levels: int


@dataclass(frozen=True, slots=True)
class Episode:
    """An open episode as a line of a list; names are for people."""

    id: str
    number: int
    level: str
    state: str
    sku: str
    sku_name: str
    warehouse: str
    warehouse_name: str
    rule_names: dict[str, str]
    available: int | None
    opened_at: datetime
    acknowledged: bool
    subject: str = "level"
    """What it is about; the name of a pool stands for the warehouse's where it is no level."""
    units_at_risk: float | None = None
    """What is lost until stock can arrive; None where nothing can be said."""
    money_at_risk: Decimal | None = None

    @property
    def urgency(self) -> tuple[int, Decimal, float, int]:
        """What open episodes are ordered by, the most first; as alerting has it within a level."""
        return (
            SEVERITY[AlertLevel(self.level)],
            self.money_at_risk or Decimal(0),
            self.units_at_risk or 0.0,
            self.number,
        )


def most_urgent_first(episodes: Iterable[Episode]) -> list[Episode]:
    """Return the worst first, then those with the most at risk; of equals, the newest."""
    return sorted(episodes, key=lambda one: one.urgency, reverse=True)


ByLevel = dict[str, tuple[Episode, ...]]
"""The open episodes of each level with the most at risk."""


@dataclass(frozen=True, slots=True)
class Board:
    """A moment of the whole."""

    flow: Section[Flow] = field(default_factory=Section[Flow])
    open_by_level: Section[dict[str, int]] = field(default_factory=Section[dict[str, int]])
    pressing: Section[ByLevel] = field(default_factory=Section[ByLevel])
    ledger: Section[Progress] = field(default_factory=Section[Progress])
    alerting: Section[Progress] = field(default_factory=Section[Progress])
    notifier: Section[Progress] = field(default_factory=Section[Progress])

    def pressing_of(self, level: str) -> list[Episode]:
        """Return the open episodes of a level, or of all where it is empty, most urgent first."""
        lists = self.pressing.value or {}
        if level:
            return most_urgent_first(lists.get(level, ()))
        # One that has changed its level between two questions is in both answers.
        known = {episode.id: episode for episodes in lists.values() for episode in episodes}
        return most_urgent_first(known.values())

    def open_of(self, level: str) -> int:
        """Return how many episodes of a level are open, or of all where it is empty."""
        counts = self.open_by_level.value or {}
        return counts.get(level, 0) if level else sum(counts.values())
