"""`rebuild --archive`: make openings anew from all movements, those archived and those kept.

Levels go on from their openings, so an opening that is wrong, or gone, makes its level wrong each
time anew. An opening that agrees with the archive stays as it is.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from services.ledger.commands.verify_archive import Progress, archived
from services.ledger.domain.openings import differing_openings
from services.ledger.store import openings, retention
from services.ledger.store.archive import Archive
from services.ledger.store.opening_proof import LEVELS_AT_ONCE, opening_proofs
from shared.database.engine import Driver, Engine, driver
from shared.errors import LowtideError


class UnfitArchiveError(LowtideError):
    """The archive is not what was written of this ledger's days; nothing was done."""


class Openings:
    """The openings of levels, while no day leaves the tables."""

    def __init__(self, raw: Driver, files: Archive) -> None:
        self._raw = raw
        self._files = files

    async def make_anew(self, levels: Sequence[int], progress: Progress) -> int:
        """Store those that are not what all movements make them; returns how many were not.

        `levels` are in rising order. Killed, it leaves each as it was or as it should be.
        """
        wrong = 0
        for start in range(0, len(levels), LEVELS_AT_ONCE):
            progress("openings", start, len(levels))
            async with self._raw.transaction():
                await openings.hold_alone(self._raw)
                mended = {
                    level: made
                    for level, stored, made in await opening_proofs(
                        self._raw, self._files, levels[start : start + LEVELS_AT_ONCE]
                    )
                    if any(differing_openings(stored, made))
                }
                if mended:
                    await openings.make_anew(self._raw, mended)
            wrong += len(mended)
        progress("openings", len(levels), len(levels))
        return wrong


@asynccontextmanager
async def archive_at_rest(
    engine: Engine, folder: Path, faulty: Callable[[str], None], progress: Progress
) -> AsyncIterator[Openings]:
    """Yield openings to be made anew, once the archive was read to its end and is right.

    `faulty` hears of what is wrong with it. Raises UnfitArchiveError, and Stopped while `archive`
    is at work.
    """
    async with engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        raw = await driver(connection)
        async with retention.alone(raw):
            days, _, files = await archived(connection, folder, faulty, progress)
            if files is None:
                raise UnfitArchiveError(
                    f"the archive in {folder} does not fit the ledger; nothing was done: bring "
                    "back the files as they were written, or name another folder"
                )
            if not days:
                raise UnfitArchiveError(
                    "no day of this ledger is archived; nothing was done: rebuild without --archive"
                )
            yield Openings(raw, files)
