"""Stocktakes as people decide on them: the counts of one reference in one warehouse that wait."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ledger.domain.counts import WAITING, CountState
from services.ledger.store.audit import What
from shared.database import audit
from shared.database.audit import Doer, Done
from shared.database.engine import asking

PORTION = 1_000
"""Counts that one transaction decides on: some tens of milliseconds, in which a worker may wait."""

PORTIONS = 20
"""Transactions of one request at the most, so that it is answered within seconds."""

Undecided = Literal[CountState.WAITING, CountState.RECOUNT_REQUESTED]
Decision = Literal[CountState.APPROVED, CountState.REJECTED, CountState.RECOUNT_REQUESTED]


@dataclass(frozen=True, slots=True)
class Stocktake:
    """The counts of a reference in a warehouse that wait in one state, added up.

    `variance` is counted less expected, in base units; `absolute_variance` the same without signs.
    `variance_money` is of the counts whose goods had a cost, None without one; `without_cost` the
    number of the others. `up_to` is the id of the newest, `place` that of the newest which was
    there when the first page was asked for.
    """

    reference: str
    warehouse: str
    state: str
    counts: int
    variance: int
    absolute_variance: int
    variance_money: Decimal | None
    without_cost: int
    up_to: int
    place: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """Counts to be decided on: those of a reference that wait in a state, up to an id.

    In one warehouse, or all of them. `counts` is how many were seen: ids are given before they can
    be read, and others may ask for recounts, so that a choice may come to have more.
    """

    reference: str
    warehouse: str | None
    state: Undecided
    up_to: int
    counts: int


class MoreThanSeenError(Exception):
    """A choice has more counts than were seen; `decided` of them have been decided on."""

    def __init__(self, decided: int) -> None:
        super().__init__(decided)
        self.decided = decided


_PAGE = text("""
SELECT c.reference, l.warehouse, c.state, count(*) AS counts,
       sum(c.counted - c.expected)::bigint AS variance,
       sum(abs(c.counted - c.expected))::bigint AS absolute_variance,
       sum((c.counted - c.expected) * c.cost) AS variance_money,
       count(*) FILTER (WHERE c.cost IS NULL) AS without_cost, max(c.id) AS up_to,
       max(c.id) FILTER (WHERE c.id <= :seen) AS place
FROM stock_count AS c JOIN level AS l ON l.id = c.level_id
WHERE c.settled_at IS NULL AND c.state = ANY(:undecided) AND c.reference <> ''
  AND (CAST(:reference AS text) IS NULL OR c.reference = :reference)
  AND (CAST(:warehouse AS text) IS NULL OR l.warehouse = :warehouse)
GROUP BY c.reference, l.warehouse, c.state
HAVING max(c.id) FILTER (WHERE c.id <= :seen) < :before
ORDER BY place DESC
LIMIT :limit
""")

_CHOSEN = """
FROM stock_count AS c JOIN level AS l ON l.id = c.level_id
WHERE c.settled_at IS NULL AND c.state = :before AND c.reference = :reference AND c.id <= :up_to
  AND (CAST(:warehouse AS text) IS NULL OR l.warehouse = :warehouse)
"""

# In the order of the ids, as the worker that carries decisions out takes them.
_DECIDE = text(f"""
WITH chosen AS (
    SELECT c.id {_CHOSEN} ORDER BY c.id LIMIT :limit FOR UPDATE OF c
)
UPDATE stock_count AS c
SET state = :state, decided_by = :decided_by, decided_at = :decided_at
FROM chosen
WHERE c.id = chosen.id
RETURNING c.id, c.counted - c.expected
""")  # noqa: S608 - the parts are ours

_LEFT = text(f"SELECT count(*) {_CHOSEN}")


class Stocktakes:
    """Stocktakes for others; raises Unavailable (503)."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(
        self, *, reference: str | None, warehouse: str | None, seen: int, before: int, limit: int
    ) -> list[Stocktake]:
        """Return up to `limit` stocktakes, the one with the newest count first.

        By their counts up to the id `seen` alone, of which the newest is before an id: one that is
        counted on while pages are turned keeps its place.
        """
        asked = {"reference": reference, "warehouse": warehouse, "limit": limit}
        asked |= {"seen": seen, "before": before}

        async def question() -> list[Stocktake]:
            async with self._engine.connect() as connection:
                rows = await connection.execute(_PAGE, asked | {"undecided": [*WAITING]})
                return [Stocktake(**row) for row in rows.mappings()]

        return await asking(question)

    async def decide(self, chosen: Chosen, state: Decision, doer: Doer) -> tuple[int, int]:
        """Decide on what is chosen; returns how many counts that were, and how many are left.

        A portion a transaction, each with its entry in the audit: where one fails, those before it
        stay, and the same again goes on with the rest. The owners of the levels' partitions carry
        out what is decided. Raises MoreThanSeenError.
        """
        decided, left = 0, await self._left(chosen)
        if state == chosen.state:
            return decided, left
        for _ in range(PORTIONS):
            if left > chosen.counts - decided:
                raise MoreThanSeenError(decided)
            portion = await self._decide_portion(chosen, state, doer)
            decided, left = decided + portion, await self._left(chosen)
            if not portion:
                break
        return decided, left

    async def _decide_portion(self, chosen: Chosen, state: Decision, doer: Doer) -> int:
        asked = _asked(chosen) | {
            "state": state,
            "decided_by": doer.actor,
            "decided_at": doer.at,
            "limit": PORTION,
        }

        async def question() -> int:
            async with self._engine.begin() as connection:
                rows = sorted(map(tuple, await connection.execute(_DECIDE, asked)))
                if rows:
                    after = {
                        "state": state,
                        "warehouse": chosen.warehouse,
                        "variance": sum(variance for _, variance in rows),
                        "counts": [number for number, _ in rows],
                    }
                    what = What.STOCKTAKE_DECIDED + state
                    done = Done(what, chosen.reference, {"state": chosen.state}, after)
                    await audit.add(connection, doer, done)
                return len(rows)

        return await asking(question)

    async def _left(self, chosen: Chosen) -> int:
        async def question() -> int:
            async with self._engine.connect() as connection:
                return int(await connection.scalar(_LEFT, _asked(chosen)) or 0)

        return await asking(question)


def _asked(chosen: Chosen) -> dict[str, object]:
    return {
        "before": chosen.state,
        "reference": chosen.reference,
        "warehouse": chosen.warehouse,
        "up_to": chosen.up_to,
    }
