"""What one client of the stream wants to hear of, and what waits to be told to it."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Filter:
    """Which levels a client wants; an empty set stands for all."""

    skus: frozenset[str] = frozenset()
    warehouses: frozenset[str] = frozenset()

    def takes(self, sku: str, warehouse: str) -> bool:
        """Return whether the level of a SKU in a warehouse is wanted."""
        return (not self.skus or sku in self.skus) and (
            not self.warehouses or warehouse in self.warehouses
        )


class ChangedLevel(NamedTuple):
    """A level after a change, with the event that tells of it, ready to be sent."""

    sku: str
    warehouse: str
    version: int
    event: bytes


class Waiting:
    """The newest state of each level that has changed since the last look, at most `limit` levels.

    In the order of the log: a level that changes again moves behind the others, so whoever has
    been told one of them has been told, or will be told newer, all that came before it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._levels: dict[tuple[str, str], ChangedLevel] = {}

    def __len__(self) -> int:
        return len(self._levels)

    def add(self, level: ChangedLevel) -> bool:
        """Keep a level unless a newer one waits; False when it would be one too many."""
        key = (level.sku, level.warehouse)
        known = self._levels.get(key)
        if known is not None:
            if known.version >= level.version:
                return True
            del self._levels[key]
        elif len(self._levels) >= self._limit:
            return False
        self._levels[key] = level
        return True

    def take(self) -> list[ChangedLevel]:
        """Return all that waits, and keep nothing."""
        taken = list(self._levels.values())
        self._levels.clear()
        return taken
