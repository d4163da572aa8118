"""When channels were last heard of, and which warehouses they tell of."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Channels:
    """What ingest has said of channels; never changed, news make a new one."""

    revision: int = 0
    heard_at: Mapping[str, datetime] = field(default_factory=dict)
    warehouses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By channel: those that it usually tells of."""

    def after(self, channel: str, heard_at: datetime, warehouses: Collection[str]) -> "Channels":
        """Return what is known once a channel was told of."""
        return Channels(
            self.revision + 1,
            {**self.heard_at, channel: heard_at},
            {**self.warehouses, channel: frozenset(warehouses)},
        )

    def telling_of(self, warehouse: str) -> list[str]:
        """Return the channels that usually tell of a warehouse."""
        return [channel for channel, told_of in self.warehouses.items() if warehouse in told_of]

    def silent(
        self, warehouse: str, only: Collection[str], longest: timedelta, now: datetime
    ) -> list[str]:
        """Return the channels that tell of a warehouse and were not heard for too long, sorted.

        `only` names the channels to look at, wherever they tell of; those of the warehouse if it
        names none. Of a channel that nobody has told of nothing can be said.
        """
        return sorted(
            channel
            for channel in only or self.telling_of(warehouse)
            if channel in self.heard_at and now - self.heard_at[channel] > longest
        )


NOBODY = Channels()
