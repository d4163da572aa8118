"""What a process has heard from channels since it last said so."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.ingest.domain.decision import Decision


@dataclass(slots=True)
class Hearing:
    """Events by channel, by what became of them, and who told of which warehouse."""

    heard_at: dict[str, datetime] = field(default_factory=dict)
    told_of: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """By channel and warehouse."""
    events: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)

    def take(self, decision: Decision[Any], rejected: Iterable[str], at: datetime) -> None:
        """Add a request; `rejected` has the channel of each rejected event that has one."""
        # Nearly always one pair for the whole request: counted by the library, not by a loop.
        pairs = Counter([(each[1], each[3]) for each in decision.accepted])
        for (channel, warehouse), count in pairs.items():
            self.events[channel] += count
            self.told_of[channel, warehouse] = self.heard_at[channel] = at
        for unknown in decision.unknown:
            self.events[unknown.channel] += 1
            self.quarantined[unknown.channel] += 1
            self.heard_at[unknown.channel] = at
        for channel in decision.ignored:
            self.events[channel] += 1
            self.heard_at[channel] = at
        for channel in rejected:
            self.events[channel] += 1
            self.rejected[channel] += 1
            self.heard_at[channel] = at

    def and_then(self, later: "Hearing") -> "Hearing":
        """Return both together."""
        return Hearing(
            self.heard_at | later.heard_at,
            self.told_of | later.told_of,
            self.events + later.events,
            self.quarantined + later.quarantined,
            self.rejected + later.rejected,
        )
