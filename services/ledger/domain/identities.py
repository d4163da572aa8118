"""A bounded memory of the newest identities, so that most repeats never reach the database."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple


class Remembered(NamedTuple):
    """What is known of a change already applied."""

    content: int
    level: int
    occurred_at: datetime


class RecentIdentities:
    """The last `capacity` identities by hash; the oldest make room."""

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._known: dict[bytes, Remembered] = {}

    def get(self, identity: bytes) -> Remembered | None:
        """Return what is remembered of an identity."""
        return self._known.get(identity)

    def add(self, identities: Iterable[tuple[bytes, Remembered]]) -> None:
        """Remember identities whose transaction is durable."""
        known = self._known
        known.update(identities)
        if len(known) > self._capacity:
            # A dictionary keeps its order: the first half is the older one.
            for identity in list(known)[: len(known) - self._capacity // 2]:
                del known[identity]
