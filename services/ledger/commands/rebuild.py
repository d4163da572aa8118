"""`rebuild`: make levels anew from their movements, in a new generation.

    keep claims away → claim the partitions → begin a generation → read and store → let claims come

With the archive, openings are read and stored before levels, which go on from them: no `archive`
runs meanwhile, which alone moves them.

Whoever consumed before is fenced; its restart waits until this is over, and publishes what was
rebuilt when it claims. Each transaction of levels stores whole ones, and proves first that nobody
has claimed the partitions since; so an end at any moment leaves levels as they were or as they are
to be. Reservations may change levels meanwhile: such a level is read once more.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from services.ledger.commands.rebuild_openings import archive_at_rest
from services.ledger.commands.verify import differences
from services.ledger.commands.verify_archive import Progress
from services.ledger.store import generations, levels
from services.ledger.store.proof import Place, Proof, proofs, store_anew
from shared.database import positions
from shared.database.engine import (
    DATABASE_ERRORS,
    Connection,
    Engine,
    driver,
    is_retryable,
    snapshot,
)
from shared.errors import Fenced, Stopped
from shared.events.stock_changes import TOPIC
from shared.events.topics import STOCK_CHANGES
from shared.kafka.partitions import partition_of

LEVELS_AT_ONCE = 1_000
"""Levels that one transaction stores: a reservation on one of them waits as long as that takes."""

LINES_AT_ONCE = 20_000
"""Lines, of orders most of all, that make fewer levels enough for a transaction."""

PASSES = 20
"""Passes over what has changed meanwhile; each is as short as what is left is little."""

OWNER = "ledger rebuild"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which levels: those of some SKUs and warehouses, or some by id; all where none is named."""

    skus: Sequence[str] = ()
    warehouses: Sequence[str] = ()
    levels: Sequence[int] = ()

    @property
    def everything(self) -> bool:
        """Whether that is all of them."""
        return not (self.skus or self.warehouses or self.levels)


@dataclass(slots=True)
class Report:
    """What was rebuilt; `differing` levels, and `openings`, had been stored otherwise."""

    generation: int = 0
    levels: int = 0
    movements: int = 0
    differing: int = 0
    openings: int | None = None
    """None without the archive."""

    def said(self) -> dict[str, int]:
        """Return what was rebuilt, of what was looked at."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(slots=True)
class _Work:
    """What a rebuild holds on to."""

    engine: Engine
    partitions: int
    generation: int
    claimed: dict[int, positions.Position]
    report: Report
    changed: list[int] = field(default_factory=list)
    """Levels that were not as they had been read when they were to be stored."""


async def rebuild(
    engine: Engine,
    selection: Selection,
    *,
    partitions: int = STOCK_CHANGES.partitions,
    progress: Progress,
    beyond: int = 0,
    folder: Path | None = None,
    faulty: Callable[[str], None] = lambda _: None,
) -> Report:
    """Make levels anew; returns what was done.

    `partitions` is the number of the topic's partitions; `progress` hears of (what, done, in
    all). The generation is newer than all before and than `beyond`. With the archive's `folder`,
    the levels' openings are made anew first, and `faulty` hears of each day whose files are not
    what was written. Raises UnfitArchiveError when there is any; Stopped when another rebuild, or
    an `archive`, goes on, or levels change too often to be caught; Fenced when somebody has claimed
    a partition all the same.
    """
    async with generations.rebuilding(engine):
        if folder is None:
            work, left = await _begun(engine, selection, partitions, beyond)
        else:
            async with archive_at_rest(engine, folder, faulty, progress) as openings:
                work, left = await _begun(engine, selection, partitions, beyond)
                some = await _all_levels(engine) if left is None else left
                work.report.openings = await openings.make_anew(some, progress)
        for _ in range(PASSES):
            if left == []:
                return work.report
            work.changed = []
            await _pass(work, left, progress)
            left = work.changed
    raise Stopped(f"{len(left or ())} levels changed each time they were read; try again")


async def _begun(
    engine: Engine, selection: Selection, partitions: int, beyond: int
) -> tuple[_Work, list[int] | None]:
    """Claim the partitions and begin a generation; returns the levels chosen, None for all."""
    async with engine.begin() as connection:
        chosen = None
        if not selection.everything:
            chosen = await levels.selected(
                connection, selection.skus, selection.warehouses, selection.levels
            )
        claimed = await take_over(connection, OWNER, partitions, chosen)
        generation = await generations.begin(connection, everything=chosen is None, beyond=beyond)
    work = _Work(engine, partitions, generation, claimed, Report(generation))
    return work, None if chosen is None else sorted(chosen)


async def _all_levels(engine: Engine) -> list[int]:
    async with engine.connect() as connection:
        return await levels.ids(connection)


async def take_over(
    connection: Connection, owner: str, partitions: int, chosen: Mapping[int, str] | None = None
) -> dict[int, positions.Position]:
    """Take the partitions of the chosen levels, or all, away from who consumes them."""
    owned = {each.partition for each in await positions.read(connection, TOPIC)}
    if chosen is not None:
        owned &= {partition_of(sku, partitions) for sku in chosen.values()}
    return {
        partition: await positions.claim(
            connection,
            TOPIC,
            partition,
            partitions=partitions,
            first_offset=0,
            owner=owner,
        )
        for partition in sorted(owned)
    }


async def _pass(work: _Work, chosen: Collection[int] | None, progress: Progress) -> None:
    """Read levels with their movements in one snapshot, and store them as they should be."""
    async with snapshot(work.engine, holding="movement") as connection:
        expected = await levels.number_of_levels(connection) if chosen is None else len(chosen)
        done = 0
        found = proofs(await driver(connection), set(), chosen)
        async for some in _in_portions(found):
            await _store(work, some)
            done += len(some)
            progress("levels", done, max(done, expected))


async def _in_portions(found: AsyncIterator[Proof]) -> AsyncIterator[list[Proof]]:
    portion: list[Proof] = []
    lines = 0
    async for proof in found:
        # What never was a level's business cannot be rebuilt, and need not.
        if proof.made.movements or proof.stored.state.last_change_at is not None:
            portion.append(proof)
            lines += len(proof.stored.lines) + len(proof.made.book.lines)
        if len(portion) == LEVELS_AT_ONCE or lines >= LINES_AT_ONCE:
            yield portion
            portion, lines = [], 0
    if portion:
        yield portion


async def _store(work: _Work, some: Sequence[Proof]) -> None:
    epochs = {partition: each.epoch for partition, each in work.claimed.items()}
    placed = [(proof, _place(work, proof)) for proof in some]
    try:
        async with work.engine.begin() as connection:
            if not await positions.hold(connection, TOPIC, epochs):
                raise Fenced("a consumer has claimed partitions while they were being rebuilt")
            stored = await store_anew(await driver(connection), work.generation, placed)
    except DATABASE_ERRORS as error:
        if not is_retryable(error):
            raise
        stored = set()  # in the way of a reservation: all of them once more
    for proof in some:
        if proof.stored.id not in stored:
            work.changed.append(proof.stored.id)
            continue
        work.report.levels += 1
        work.report.movements += proof.made.movements
        work.report.differing += any(differences(proof, work.partitions, work.generation))


def _place(work: _Work, proof: Proof) -> Place:
    partition = partition_of(proof.stored.sku, work.partitions)
    position = work.claimed.get(partition)
    # Nobody has claimed it so far: whoever does it first publishes all batches from the first on.
    return Place(partition, *((position.batch, position.published) if position else (1, 0)))
