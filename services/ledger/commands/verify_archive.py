"""`verify --archive`: the files are what was written, and openings are what they make them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from services.ledger.domain.openings import differing_openings
from services.ledger.domain.recomputed import Differing
from services.ledger.store import archive, retention
from services.ledger.store.archive import Archive
from services.ledger.store.opening_proof import LEVELS_AT_ONCE, opening_proofs
from services.ledger.store.periods import days_of, present_partitions
from shared.database.engine import Connection, Driver, driver

Progress = Callable[[str, int, int], None]


async def archived(
    connection: Connection, folder: Path, faulty: Callable[[str], None], progress: Progress
) -> tuple[int, int, Archive | None]:
    """Return how many days are archived, of how many the files are not what was written.

    `faulty` hears what is wrong with each, and of days in the folder that the ledger has neither
    in its tables nor as archived. With any, there is nothing to read openings from.
    """
    days = await retention.archived_days(await driver(connection))
    faults = 0
    for done, each in enumerate(days):
        progress("archived days", done, len(days))
        fault = await asyncio.to_thread(archive.fault, folder, each.day, each.manifest)
        if fault is not None:
            faults += 1
            faulty(fault)
    progress("archived days", len(days), len(days))
    known = {each.day for each in days} | {
        *days_of("movement", await present_partitions(connection))
    }
    for day in await asyncio.to_thread(archive.days_in, folder):
        if day not in known:
            faults += 1
            faulty(f"{day}: the folder has it, the ledger neither has it nor knows it as archived")
    return len(days), faults, None if faults else Archive(folder, [each.day for each in days])


async def wrong_openings(
    raw: Driver, files: Archive, levels: Sequence[int], progress: Progress
) -> AsyncIterator[tuple[int, list[Differing]]]:
    """Yield levels, of some in rising order, whose openings are not what all movements make them.

    Takes part in a snapshot that holds `movement`.
    """
    for start in range(0, len(levels), LEVELS_AT_ONCE):
        progress("openings", start, len(levels))
        some = levels[start : start + LEVELS_AT_ONCE]
        for level, stored, made in await opening_proofs(raw, files, some):
            differing = [*differing_openings(stored, made)]
            if differing:
                yield level, differing
    progress("openings", len(levels), len(levels))
