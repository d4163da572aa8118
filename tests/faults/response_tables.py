"""What alerting and notifier have in their tables, once nothing moves any more."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import asyncpg

_HISTORY = """
SELECT a.sku, h.alert_id, h.revision, h.event
FROM alerting.alert_history AS h JOIN alerting.alert AS a ON a.id = h.alert_id
ORDER BY h.alert_id, h.revision
"""
_DELIVERIES = """
SELECT id, kind, alert_id, revision, event, destination, state, reason, digest_id,
       duplicate_possible, attempts
FROM notifier.delivery ORDER BY id
"""
_ATTEMPTS = """
SELECT a.delivery, a.number, a.rendered, a.marked, a.verdict, a.code, a.started_at, a.finished_at,
       d.destination
FROM notifier.attempt AS a JOIN notifier.delivery AS d ON d.id = a.delivery
ORDER BY a.started_at
"""


class Account:
    """What the tables have."""

    def __init__(
        self,
        history: Sequence[asyncpg.Record],
        deliveries: Sequence[asyncpg.Record],
        attempts: Sequence[asyncpg.Record],
    ) -> None:
        self.history = history
        self.deliveries = {row["id"]: row for row in deliveries}
        self.attempts = attempts
        self.merged: defaultdict[UUID, list[asyncpg.Record]] = defaultdict(list)
        for row in deliveries:
            if row["digest_id"] is not None:
                self.merged[row["digest_id"]].append(row)

    def events(self) -> Mapping[str, list[list[str]]]:
        """Return what happened to each SKU's episodes."""
        episodes: defaultdict[UUID, list[str]] = defaultdict(list)
        of: defaultdict[str, dict[UUID, list[str]]] = defaultdict(dict)
        for row in self.history:
            episodes[row["alert_id"]].append(row["event"])
            of[row["sku"]][row["alert_id"]] = episodes[row["alert_id"]]
        return {sku: list(each.values()) for sku, each in of.items()}

    def at(self, destination: str) -> list[asyncpg.Record]:
        """Return the attempts there, in order."""
        return [each for each in self.attempts if each["destination"] == destination]

    def told_by(self, delivery: UUID) -> Iterable[asyncpg.Record]:
        """Return the deliveries that a message tells of."""
        row = self.deliveries[delivery]
        return (row, *self.merged[delivery])

    def doubts(self) -> Counter[UUID]:
        """Return how often it is unknown whether a delivery has arrived."""
        return Counter(each["delivery"] for each in self.attempts if each["verdict"] == "unknown")


async def account(tables: asyncpg.Connection) -> Account:
    """Ask the tables."""
    return Account(
        await tables.fetch(_HISTORY), await tables.fetch(_DELIVERIES), await tables.fetch(_ATTEMPTS)
    )
