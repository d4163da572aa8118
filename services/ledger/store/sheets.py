"""Counts as people work with them: found, decided on, added up, and what they are judged by."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.ledger.domain.counts import WAITING, CountState, Tolerance
from services.ledger.store import tolerances
from services.ledger.store.audit import What
from shared.database import audit
from shared.database.audit import Doer, Done
from shared.database.engine import asking, driver
from shared.events.stock_changes import Bucket


@dataclass(frozen=True, slots=True)
class CountRow:
    """A count as it is stored; quantities in base units, `cost` per unit."""

    id: int
    sku: str
    sku_name: str | None
    warehouse: str
    bucket: str
    channel: str
    change_id: str
    line: str
    occurred_at: datetime
    received_at: datetime
    recorded_at: datetime
    counted: int
    expected: int
    within: bool
    state: str
    reason: str | None
    reference: str | None
    actor: str | None
    cost: Decimal | None
    decided_by: str | None
    decided_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class AccuracyRow:
    """What the counts of on hand of a warehouse add up to; variances are absolute.

    `variance_money` is of the counts whose goods had a cost, `without_cost` the number of others.
    """

    warehouse: str
    counts: int
    within: int
    variance_units: int
    variance_money: Decimal
    without_cost: int


_COUNTS = """
SELECT c.id, l.sku, i.name AS sku_name, l.warehouse, c.bucket, c.channel, c.change_id, c.line,
       c.occurred_at, c.received_at, c.recorded_at, c.counted, c.expected, c.within, c.state,
       c.reason, c.reference, c.actor, c.cost, c.decided_by, c.decided_at, c.settled_at
FROM stock_count AS c
JOIN level AS l ON l.id = c.level_id
LEFT JOIN item AS i ON i.sku = l.sku
"""

_PAGE = f"""
{_COUNTS}
WHERE {{chosen}} AND (CAST(:sku AS text) IS NULL OR l.sku = :sku)
  AND (CAST(:warehouse AS text) IS NULL OR l.warehouse = :warehouse)
  AND (CAST(:state AS text) IS NULL OR c.state = :state)
  AND (CAST(:reference AS text) IS NULL OR c.reference = :reference)
  AND (CAST(:before AS bigint) IS NULL OR c.id < :before)
ORDER BY c.id DESC
LIMIT :limit
"""
_EVERY, _OF_REFERENCE, _WAITING = (
    text(_PAGE.format(chosen=chosen))
    for chosen in ("true", "c.reference = :reference", "c.settled_at IS NULL")
)
"""What waits is few, and has an index of its own; so has a reference, for any plan to use."""

_ONE = text(f"{_COUNTS} WHERE c.id = :id")

_STATE_TO_CHANGE = text("SELECT state FROM stock_count WHERE id = :id FOR UPDATE")

_DECIDE = text("""
UPDATE stock_count
SET state = :state, decided_by = :decided_by, decided_at = :decided_at
WHERE id = :id AND state = ANY(:undecided) AND state <> :state
""")

# A count that was rejected, or that a newer one stands for, says nothing about the records; what is
# available or unavailable is a part of what is on hand.
_ACCURACY = text(f"""
SELECT l.warehouse, count(*) AS counts, count(*) FILTER (WHERE c.within) AS within,
       sum(abs(c.counted - c.expected))::bigint AS variance_units,
       coalesce(sum(abs(c.counted - c.expected) * c.cost), 0) AS variance_money,
       count(*) FILTER (WHERE c.cost IS NULL) AS without_cost
FROM stock_count AS c JOIN level AS l ON l.id = c.level_id
WHERE c.bucket = '{Bucket.ON_HAND}'
  AND c.state NOT IN ('{CountState.REJECTED}', '{CountState.SUPERSEDED}')
  AND (CAST(:start AS timestamptz) IS NULL OR c.occurred_at >= :start)
  AND (CAST(:end AS timestamptz) IS NULL OR c.occurred_at < :end)
  AND (CAST(:warehouse AS text) IS NULL OR l.warehouse = :warehouse)
GROUP BY l.warehouse
ORDER BY l.warehouse
""")  # noqa: S608 - the words are ours


def _page(state: CountState | None, reference: str | None) -> TextClause:
    if state in WAITING:
        return _WAITING
    return _EVERY if reference is None else _OF_REFERENCE


class Sheets:
    """Counts for others; each method is one short transaction, raising Unavailable (503)."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(
        self,
        *,
        sku: str | None,
        warehouse: str | None,
        state: CountState | None,
        reference: str | None,
        before: int | None,
        limit: int,
    ) -> list[CountRow]:
        """Return up to `limit` counts before an id, the newest recorded first."""

        async def question() -> list[CountRow]:
            async with self._engine.connect() as connection:
                rows = await connection.execute(
                    _page(state, reference),
                    {
                        "sku": sku,
                        "warehouse": warehouse,
                        "state": state,
                        "reference": reference,
                        "before": before,
                        "limit": limit,
                    },
                )
                return [CountRow(**row) for row in rows.mappings()]

        return await asking(question)

    async def one(self, number: int) -> CountRow | None:
        """Return a count."""

        async def question() -> CountRow | None:
            async with self._engine.connect() as connection:
                return await _one(connection, number)

        return await asking(question)

    async def decide(self, number: int, state: CountState, doer: Doer) -> CountRow | None:
        """Return a count, decided on if it still could be; its state says what became of it.

        The owner of the level's partition carries out what is decided (`settled_at`).
        """

        async def question() -> CountRow | None:
            async with self._engine.begin() as connection:
                before = await connection.scalar(_STATE_TO_CHANGE, {"id": number})
                decided = await connection.execute(
                    _DECIDE,
                    {
                        "id": number,
                        "state": state,
                        "undecided": [*WAITING],
                        "decided_by": doer.actor,
                        "decided_at": doer.at,
                    },
                )
                if decided.rowcount == 1:
                    done = Done(
                        What.COUNT_DECIDED + state, str(number), {"state": before}, {"state": state}
                    )
                    await audit.add(connection, doer, done)
                return await _one(connection, number)

        return await asking(question)

    async def accuracy(
        self, *, start: datetime | None, end: datetime | None, warehouse: str | None
    ) -> list[AccuracyRow]:
        """Return what the counts between two instants add up to, by warehouse."""

        async def question() -> list[AccuracyRow]:
            async with self._engine.connect() as connection:
                rows = await connection.execute(
                    _ACCURACY, {"start": start, "end": end, "warehouse": warehouse}
                )
                return [AccuracyRow(**row) for row in rows.mappings()]

        return await asking(question)

    async def tolerances(self) -> Sequence[Tolerance]:
        """Return all tolerances, the general ones first."""

        async def question() -> Sequence[Tolerance]:
            async with self._engine.begin() as connection:
                return await tolerances.every(await driver(connection))

        return await asking(question)

    async def put_tolerance(self, tolerance: Tolerance, doer: Doer) -> None:
        """Store a tolerance, in place of the one that its class and warehouse have."""

        async def question() -> None:
            async with self._engine.begin() as connection:
                before = await tolerances.put(connection, tolerance)
                if before != tolerance:
                    target = _named(tolerance.stock_class, tolerance.warehouse)
                    was = None if before is None else asdict(before)
                    done = Done(What.TOLERANCE_PUT, target, was, asdict(tolerance))
                    await audit.add(connection, doer, done)

        await asking(question)

    async def delete_tolerance(
        self, stock_class: str | None, warehouse: str | None, doer: Doer
    ) -> None:
        """Forget the tolerance of a class and warehouse, if there is one."""

        async def question() -> None:
            async with self._engine.begin() as connection:
                before = await tolerances.delete(connection, stock_class, warehouse)
                if before is not None:
                    target = _named(stock_class, warehouse)
                    done = Done(What.TOLERANCE_DELETED, target, asdict(before))
                    await audit.add(connection, doer, done)

        await asking(question)


def _named(stock_class: str | None, warehouse: str | None) -> str:
    """Return how the audit names the tolerance of a class and warehouse; nothing is all."""
    return f"{stock_class or ''}|{warehouse or ''}"


async def _one(connection: AsyncConnection, number: int) -> CountRow | None:
    rows = await connection.execute(_ONE, {"id": number})
    row = rows.mappings().one_or_none()
    return None if row is None else CountRow(**row)
