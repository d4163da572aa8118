"""`verify`: recompute every level from its movements and name each difference; there is none.

Reads one snapshot of the database, so the ledger may go on meanwhile.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.ledger.domain.commitments import Book, Due, demand_of, supply_of
from services.ledger.domain.past import Standing, totals, walk
from services.ledger.domain.statement import Recorded
from services.ledger.store import levels, past
from services.ledger.store.levels import LevelRow
from shared.database.engine import Engine, driver, snapshot

LEVELS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """A field of a level that is stored otherwise than its movements make it."""

    sku: str
    warehouse: str
    field: str
    stored: object
    recomputed: object


@dataclass(slots=True)
class Report:
    """What was looked at and found."""

    levels: int = 0
    movements: int = 0
    differing: int = 0


async def verify(
    engine: Engine,
    *,
    progress: Callable[[int, int], None],
    found: Callable[[Difference], None],
) -> Report:
    """Return how many levels differ; `found` hears of each difference.

    `progress` hears of (levels done, levels in all). Raises the database's errors.
    """
    report = Report()
    async with snapshot(engine) as connection:
        raw = await driver(connection)
        expected = await levels.number_of_levels(connection)
        after = 0
        while rows := await levels.from_id(connection, after, LEVELS_AT_ONCE):
            movements = await past.of_levels(raw, [row.id for row in rows])
            for row in rows:
                own = movements[row.id]
                differences = compare(row, own)
                for difference in differences:
                    found(difference)
                report.levels += 1
                report.movements += len(own)
                report.differing += bool(differences)
            after = rows[-1].id
            progress(report.levels, expected)
    return report


def compare(row: LevelRow, movements: Sequence[Recorded]) -> list[Difference]:
    """Return where a stored level differs from what its movements make it."""
    changes, book = [each.change for each in movements], Book()
    standing = Standing()
    for standing in walk(changes, book):  # noqa: B007 - the last one counts
        pass
    recomputed: dict[str, object] = standing._asdict()
    if changes:
        sold, sold_changes, returned, received, counted_at, last_change_at = totals(changes)
        recomputed |= {
            "sold_total": sold,
            "sold_changes": sold_changes,
            "returned_total": returned,
            "received_total": received,
            "counted_at": counted_at,
            "last_change_at": last_change_at,
        }
    recomputed["unordered"] = book.unordered.get(row.id, 0)
    recomputed["supply"] = supply_of(book.lines, row.id)
    recomputed["demand"] = demand_of(book.lines, row.id)
    stored: dict[str, object] = {
        name: getattr(row, name) for name in recomputed if name not in {"supply", "demand"}
    }
    stored |= {"supply": _due(row.supply), "demand": _due(row.demand)}
    return [
        Difference(row.sku, row.warehouse, name, stored[name], value)
        for name, value in recomputed.items()
        if stored[name] != value
    ]


def _due(stored: str | None) -> list[Due]:
    return [
        Due(
            each["quantity"],
            None if each["due_at"] is None else datetime.fromisoformat(each["due_at"]),
            each["reference"],
        )
        for each in json.loads(stored or "[]")
    ]
