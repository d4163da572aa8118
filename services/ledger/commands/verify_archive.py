"""`verify --archive`: the files are what was written, and openings are what they make them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path

from services.ledger.domain.commitments import Kind
from services.ledger.domain.openings import advanced
from services.ledger.domain.past import Opening, in_order
from services.ledger.domain.recomputed import Differing, differing_lines
from services.ledger.domain.statement import Recorded
from services.ledger.store import archive, openings, retention
from services.ledger.store.archive import Archive
from shared.database.engine import Driver

LEVELS_AT_ONCE = 500


async def archived(
    raw: Driver, folder: Path, faulty: Callable[[str], None]
) -> tuple[int, int, Archive | None]:
    """Return how many days are archived, of how many the files are not what was written.

    `faulty` hears what is wrong with each. With any, there is nothing to read openings from.
    """
    days = await retention.archived_days(raw)
    faults = 0
    for each in days:
        fault = await asyncio.to_thread(archive.fault, folder, each.day, each.manifest)
        if fault is not None:
            faults += 1
            faulty(fault)
    return len(days), faults, None if faults else Archive(folder, [each.day for each in days])


async def differing_openings(
    raw: Driver, files: Archive, levels: Sequence[int]
) -> AsyncIterator[tuple[int, list[Differing]]]:
    """Yield levels, of some in rising order, whose openings are not what all movements make them.

    Takes part in a snapshot that holds `movement`.
    """
    for start in range(0, len(levels), LEVELS_AT_ONCE):
        some = levels[start : start + LEVELS_AT_ONCE]
        stored = await openings.of_levels(raw, some)
        folded = await asyncio.to_thread(files.movements, some[0], some[-1])
        spans = [(level, None, opening.at) for level, opening in stored.items()]
        kept = await retention.movements_between(raw, spans) if spans else {}
        demanded = await retention.demanded(raw, some)
        for level in some:
            made = _made([*folded.get(level, ()), *kept.get(level, ())], demanded[level])
            differing = [*_differing(stored.get(level), made)]
            if differing:
                yield level, differing


def _made(movements: list[Recorded], demanded: set[str]) -> Opening | None:
    movements.sort(key=lambda each: in_order(each.change))
    return advanced(None, movements, demanded) if movements else None


def _differing(stored: Opening | None, made: Opening | None) -> Iterator[Differing]:
    if stored is None or made is None:
        if stored is not made:
            yield Differing("opening", stored, made)
        return
    fields: tuple[Mapping[str, object], ...] = (stored._asdict(), made._asdict())
    for name in fields[0].keys() - {"lines"}:
        if fields[0][name] != fields[1][name]:
            yield Differing(f"opening {name}", fields[0][name], fields[1][name])
    # What was used up counts for demands that were known when the opening took it in, so those
    # lines may be of more in the archive.
    mine, right = (
        {key: line for key, line in each.lines.items() if key.kind is not Kind.CONSUMPTION}
        for each in (stored, made)
    )
    for each in differing_lines(mine, right):
        yield each._replace(field=f"opening {each.field}")
