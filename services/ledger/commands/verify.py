"""`verify`: recompute every level from its past and name each difference; there is none.

Reads one snapshot of the database, so the ledger may go on meanwhile. The past is all movements,
or a level's opening and what happened after it. With the archive the openings are recomputed, too.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from services.ledger.domain.commitments import Book, Due, Kind, demand_of, supply_of
from services.ledger.domain.openings import advanced
from services.ledger.domain.past import Opening, in_order, now, totals
from services.ledger.domain.statement import Past, Recorded
from services.ledger.store import archive, levels, openings, past, retention
from services.ledger.store.archive import Archive
from services.ledger.store.levels import LevelRow
from shared.database.engine import Driver, Engine, driver, snapshot

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
    archived_days: int | None = None
    """Looked at in the archive; None without it."""
    archive_faults: int | None = None

    @property
    def right(self) -> bool:
        """Whether nothing differs and nothing is missing."""
        return not self.differing and not self.archive_faults

    def said(self) -> dict[str, int]:
        """Return what was found, of what was looked at."""
        return {name: value for name, value in asdict(self).items() if value is not None}


async def verify(
    engine: Engine,
    *,
    progress: Callable[[int, int], None],
    found: Callable[[Difference], None],
    folder: Path | None = None,
    faulty: Callable[[str], None] = lambda _: None,
) -> Report:
    """Return how many levels differ; `found` hears of each difference.

    `progress` hears of (levels done, levels in all). With the archive's `folder`, `faulty` hears
    of each day whose files are not what was written; without such a day, openings are recomputed
    from all archived movements. Raises the database's errors.
    """
    report = Report()
    async with snapshot(engine, holding="ONLY movement") as connection:
        raw = await driver(connection)
        archived = None
        if folder is not None:
            archived = await _archived(raw, folder, report, faulty)
        expected = await levels.number_of_levels(connection)
        after = 0
        while rows := await levels.from_id(connection, after, LEVELS_AT_ONCE):
            pasts = await past.of_levels(raw, [row.id for row in rows])
            before = {} if archived is None else await _recomputed(raw, archived, rows)
            for row in rows:
                own = pasts[row.id]
                differences = [*compare(row, own)]
                if archived is not None:
                    differences += compare_opening(row, *before[row.id])
                for difference in differences:
                    found(difference)
                report.levels += 1
                report.movements += len(own.movements)
                report.movements += 0 if own.opening is None else own.opening.movements
                report.differing += bool(differences)
            after = rows[-1].id
            progress(report.levels, expected)
    return report


def compare(row: LevelRow, past: Past) -> list[Difference]:
    """Return where a stored level differs from what its past makes it."""
    changes, book = past.changes, Book()
    recomputed: dict[str, object] = now(changes, past.opening, book)._asdict()
    if past.begun:
        sold, sold_changes, returned, received, counted_at, last_change_at = totals(
            changes, past.opening
        )
        recomputed |= {
            "sold_total": sold,
            "sold_changes": sold_changes,
            "returned_total": returned,
            "received_total": received,
            "counted_at": counted_at,
            "last_change_at": last_change_at,
        }
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


def compare_opening(
    row: LevelRow, stored: Opening | None, recomputed: Opening | None
) -> list[Difference]:
    """Return where a stored opening differs from what the archived movements make it."""
    fields = _fields(stored), _fields(recomputed)
    return [
        Difference(
            row.sku, row.warehouse, f"opening {name}", fields[0].get(name), fields[1].get(name)
        )
        for name in sorted(fields[0].keys() | fields[1].keys())
        if fields[0].get(name) != fields[1].get(name)
    ]


def _fields(opening: Opening | None) -> dict[str, object]:
    if opening is None:
        return {}
    # What was used up counts for demands that were known when the opening took it in, so those
    # lines may be of more in the archive.
    lines = {
        "/".join(map(str, key[1:])): line
        for key, line in opening.lines.items()
        if key.kind is not Kind.CONSUMPTION
    }
    return opening._asdict() | {"lines": len(lines)} | lines


async def _archived(
    raw: Driver, folder: Path, report: Report, faulty: Callable[[str], None]
) -> Archive | None:
    """Return the archive, unless there is anything wrong with its files."""
    # Files are read between statements, for longer than a transaction may be idle.
    await raw.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    days = await retention.archived_days(raw)
    faults = [
        fault
        for each in days
        if (fault := await asyncio.to_thread(archive.fault, folder, each.day, each.manifest))
    ]
    for fault in faults:
        faulty(fault)
    report.archived_days, report.archive_faults = len(days), len(faults)
    return None if faults else Archive(folder, [each.day for each in days])


async def _recomputed(
    raw: Driver, archived: Archive, rows: Sequence[LevelRow]
) -> dict[int, tuple[Opening | None, Opening | None]]:
    """Return the opening of each level as it is stored, and as its movements make it."""
    ids = [row.id for row in rows]
    stored = await openings.of_levels(raw, ids)
    folded = await asyncio.to_thread(archived.movements, ids[0], ids[-1])
    spans = [(level, None, opening.at) for level, opening in stored.items()]
    for level, kept in (await retention.movements_between(raw, spans)).items() if spans else ():
        folded.setdefault(level, []).extend(kept)
    demanded = await retention.demanded(raw, ids)
    return {
        level: (
            stored.get(level),
            advanced(None, _sorted(folded[level]), demanded[level]) if folded.get(level) else None,
        )
        for level in ids
    }


def _sorted(movements: Iterable[Recorded]) -> list[Recorded]:
    return sorted(movements, key=lambda each: in_order(each.change))


def _due(stored: str | None) -> list[Due]:
    return [
        Due(
            each["quantity"],
            None if each["due_at"] is None else datetime.fromisoformat(each["due_at"]),
            each["reference"],
        )
        for each in json.loads(stored or "[]")
    ]
