"""`verify`: recompute every level from its movements and name each difference; there is none.

Reads one snapshot of the database, so the ledger may go on meanwhile.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.ledger.domain.recomputed import Differing, differing_fields, differing_lines
from services.ledger.store import generations, levels
from services.ledger.store.proof import Proof, proofs
from shared.database.engine import Engine, driver, snapshot
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


async def verify(
    engine: Engine,
    *,
    partitions: int = STOCK_CHANGES.partitions,
    progress: Callable[[int, int], None],
    found: Callable[[Difference], None],
) -> Report:
    """Return how many levels differ; `found` hears of each difference.

    `partitions` is the number of the topic's partitions. `progress` hears of (levels done, levels
    in all). Raises the database's errors.
    """
    report = Report()
    async with snapshot(engine) as connection:
        expected = await levels.number_of_levels(connection)
        newest = (await generations.newest(connection)).number
        strays: set[int] = set()
        async for proof in proofs(await driver(connection), strays):
            differing = [*differences(proof, partitions, newest)]
            for each in differing:
                found(Difference(proof.stored.sku, proof.stored.warehouse, *each))
            # A level that only ever met refused changes is nobody's business.
            report.levels += bool(proof.made.movements or differing)
            report.movements += proof.made.movements
            report.differing += bool(differing)
            if report.levels % TELL_EVERY == 0:
                progress(report.levels, expected)
        progress(report.levels, expected)
        for level in sorted(strays):
            found(Difference(f"level {level}", "no warehouse", "row", None, "a level"))
            report.differing += 1
    return report


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
