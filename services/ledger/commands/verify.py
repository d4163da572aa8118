"""`verify`: recompute every level from its movements and name each difference; there is none.

Reads one snapshot of the database, so the ledger may go on meanwhile. A level's movements are all
there were, or those after its opening; with the archive, openings are recomputed as well.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from services.ledger.commands.verify_archive import Progress, archived, wrong_openings
from services.ledger.domain.recomputed import Differing, differing_fields, differing_lines
from services.ledger.store import generations, levels
from services.ledger.store.archive import Archive
from services.ledger.store.proof import Proof, proofs
from shared.database.engine import Driver, Engine, driver, snapshot
from shared.events.stock_levels import GENERATION_SHIFT
from shared.events.topics import STOCK_CHANGES
from shared.kafka.partitions import partition_of

TELL_EVERY = 100
"""Levels between two reports of progress."""


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
    """Looked at in the archive; None without one."""
    archive_faults: int | None = None

    @property
    def right(self) -> bool:
        """Whether nothing differs and no file is wrong."""
        return not self.differing and not self.archive_faults

    def said(self) -> dict[str, int]:
        """Return what was found, of what was looked at."""
        return {name: value for name, value in asdict(self).items() if value is not None}


async def verify(
    engine: Engine,
    *,
    partitions: int = STOCK_CHANGES.partitions,
    progress: Progress,
    found: Callable[[Difference], None],
    folder: Path | None = None,
    faulty: Callable[[str], None] = lambda _: None,
) -> Report:
    """Return how many levels differ; `found` hears of each difference.

    `partitions` is the number of the topic's partitions. `progress` hears of (what, done, in
    all). With the archive's `folder`, `faulty` hears of each day whose files are not what was
    written. Raises the database's errors.
    """
    report = Report()
    async with snapshot(engine, holding="movement") as connection:
        raw = await driver(connection)
        files = None
        if folder is not None:
            found_there = await archived(connection, folder, faulty, progress)
            report.archived_days, report.archive_faults, files = found_there
        expected = await levels.number_of_levels(connection)
        newest = (await generations.newest(connection)).number
        strays: set[int] = set()
        places: dict[int, tuple[str, str]] = {}
        wrong: set[int] = set()
        async for proof in proofs(raw, strays):
            sku, warehouse = places[proof.stored.id] = proof.stored.sku, proof.stored.warehouse
            differing = [*differences(proof, partitions, newest)]
            for each in differing:
                found(Difference(sku, warehouse, *each))
            # A level that only ever met refused changes is nobody's business.
            report.levels += bool(proof.made.movements or differing)
            report.movements += proof.made.movements
            if differing:
                wrong.add(proof.stored.id)
            if report.levels % TELL_EVERY == 0:
                progress("levels", report.levels, expected)
        progress("levels", report.levels, expected)
        if files is not None:
            wrong |= await _verify_openings(raw, files, places, found, progress)
        for level in sorted(strays):
            found(Difference(f"level {level}", "no warehouse", "row", None, "a level"))
        report.differing = len(wrong | strays)
    return report


async def _verify_openings(
    raw: Driver,
    files: Archive,
    places: Mapping[int, tuple[str, str]],
    found: Callable[[Difference], None],
    progress: Progress,
) -> set[int]:
    """Return the levels whose opening balance is not what the archived movements make it."""
    wrong = set()
    async for level, differing in wrong_openings(raw, files, [*places], progress):
        wrong.add(level)
        sku, warehouse = places[level]
        for each in differing:
            found(Difference(sku, warehouse, *each))
    return wrong


def differences(proof: Proof, partitions: int, newest: int) -> Iterator[Differing]:
    """Yield where a stored level is not as its movements, and its SKU, make it.

    `newest` is the newest generation, which no version can be beyond.
    """
    stored, made = proof
    yield from differing_fields(stored.state, made.state)
    yield from differing_lines(stored.lines, made.lines)
    home = partition_of(stored.sku, partitions)
    if stored.partition != home:
        yield Differing("partition", stored.partition, home)
    if made.movements and not 0 < stored.version >> GENERATION_SHIFT <= newest:
        yield Differing("version", stored.version, f"one of generation {newest} at the most")
