"""What the Now page shows, put together once for all viewers."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

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
        # A batch under way shows as a few records for a moment; below this nobody can tell.
        return (self.behind_seconds or 0) < 2 and (self.waiting or 0) < 1000


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


ByLevel = dict[str, tuple[Episode, ...]]
"""The newest open episodes of each level, the newest first."""


@dataclass(frozen=True, slots=True)
class Board:
    """A moment of the whole."""

    flow: Section[Flow] = field(default_factory=Section[Flow])
    open_by_level: Section[dict[str, int]] = field(default_factory=Section[dict[str, int]])
    newest: Section[ByLevel] = field(default_factory=Section[ByLevel])
    ledger: Section[Progress] = field(default_factory=Section[Progress])
    alerting: Section[Progress] = field(default_factory=Section[Progress])
    notifier: Section[Progress] = field(default_factory=Section[Progress])

    def newest_of(self, level: str) -> list[Episode]:
        """Return the newest open episodes of a level, or of all where it is empty."""
        lists = self.newest.value or {}
        if level:
            return list(lists.get(level, ()))
        # One that has changed its level between two questions is in both answers.
        known = {episode.id: episode for episodes in lists.values() for episode in episodes}
        return sorted(known.values(), key=lambda one: one.number, reverse=True)

    def open_of(self, level: str) -> int:
        """Return how many episodes of a level are open, or of all where it is empty."""
        counts = self.open_by_level.value or {}
        return counts.get(level, 0) if level else sum(counts.values())
