"""A bounded memory of the newest identities, so that most repeats never reach a COPY."""

from collections.abc import Iterable


class RecentIdentities:
    """The hashes of the last `capacity` identities at the most; the oldest make room."""

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._known: dict[bytes, None] = {}

    def among(self, identities: Iterable[bytes]) -> set[bytes]:
        """Return which of some identities are remembered."""
        known = self._known
        return {identity for identity in identities if identity in known}

    def add(self, identities: Iterable[bytes]) -> None:
        """Remember identities whose transaction is durable."""
        known = self._known
        known.update(dict.fromkeys(identities))
        if len(known) > self._capacity:
            # A dictionary keeps its order: the first half is the older one.
            for identity in list(known)[: len(known) - self._capacity // 2]:
                del known[identity]
