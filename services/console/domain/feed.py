"""Changes on their way to screens: one reader feeds, every page takes what it shows.

A page subscribes to the levels and episodes it has on screen. Of several changes between two
looks it gets only the newest, so a slow browser costs nothing and nothing ever queues.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection

from shared.events.stock_levels import StockLevel, level_key

Key = bytes
"""What can be watched; the functions below make them."""


def of_level(sku: str, warehouse: str) -> Key:
    """Return the key of a level, as it is on the topic."""
    return level_key(sku, warehouse)


def of_episode(alert_id: str) -> Key:
    """Return the key of one episode."""
    return f"episode|{alert_id}".encode()


def of_episodes(sku: str, warehouse: str) -> Key:
    """Return the key of all episodes of a level."""
    return b"episodes|" + level_key(sku, warehouse)


# A person does not read faster; with the way of a change to here this stays well under a second.
PAUSE_SECONDS = 0.2


class Subscription:
    """What one page watches. Iterate over `changes()`; close it when the page is gone."""

    def __init__(self, feed: "Feed") -> None:
        self._feed = feed
        self._pending: dict[Key, StockLevel] = {}
        self._refetch = False
        self._woken = asyncio.Event()
        self.keys: frozenset[Key] = frozenset()

    def watch(self, watched: Collection[Key]) -> None:
        """Watch these from now on, instead of those before."""
        keys = frozenset(watched)
        self._feed.move(self, keys)
        self._pending = {key: level for key, level in self._pending.items() if key in keys}

    def close(self) -> None:
        """Stop watching."""
        self._feed.move(self, frozenset())
        self._feed.leave(self)

    async def changes(self) -> AsyncIterator[list[StockLevel] | None]:
        """Yield the newest state of the levels that changed since the last look.

        None means that something else changed, or that changes may have been missed: ask again.
        """
        while True:
            await self._woken.wait()
            self._woken.clear()
            if self._refetch:
                self._refetch = False
                self._pending.clear()
                yield None
            elif self._pending:
                levels = list(self._pending.values())
                self._pending.clear()
                yield levels
            await asyncio.sleep(PAUSE_SECONDS)

    def offer(self, key: Key, level: StockLevel) -> None:
        """Keep a level if it is the newest of its key."""
        known = self._pending.get(key)
        if known is None or known.version < level.version:
            self._pending[key] = level
            self._woken.set()

    def refetch(self) -> None:
        """Have the page ask again."""
        self._refetch = True
        self._woken.set()


class Feed:
    """All subscriptions of this process, by what they watch."""

    def __init__(self) -> None:
        self._by_key: defaultdict[Key, set[Subscription]] = defaultdict(set)
        self._open: set[Subscription] = set()

    def subscribe(self) -> Subscription:
        """Return a subscription that watches nothing yet."""
        subscription = Subscription(self)
        self._open.add(subscription)
        return subscription

    def wants(self, key: Key) -> bool:
        """Return whether anybody watches this; anything else need not even be decoded."""
        return key in self._by_key

    def offer(self, key: Key, level: StockLevel) -> None:
        """Pass a change on to everybody who watches its level."""
        for subscription in self._by_key.get(key, ()):
            subscription.offer(key, level)

    def touch(self, key: Key) -> None:
        """Have everybody who watches this ask again."""
        for subscription in self._by_key.get(key, ()):
            subscription.refetch()

    def refetch(self) -> None:
        """Have every page ask again, after a gap in what was read."""
        for subscription in self._open:
            subscription.refetch()

    def move(self, subscription: Subscription, keys: frozenset[Key]) -> None:
        """Change what a subscription watches."""
        for key in subscription.keys - keys:
            watchers = self._by_key[key]
            watchers.discard(subscription)
            if not watchers:
                del self._by_key[key]
        for key in keys - subscription.keys:
            self._by_key[key].add(subscription)
        subscription.keys = keys

    def leave(self, subscription: Subscription) -> None:
        """Forget a subscription that watches nothing any more."""
        self._open.discard(subscription)
