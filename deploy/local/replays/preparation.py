"""Do before the clock starts whatever needs no running stack: read, map, encode, recount."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from deploy.local.replays.catalogue import Catalogue
from deploy.local.replays.declaration import Declaration
from deploy.local.replays.lanes import Batch, lay_out
from deploy.local.replays.mapping import map_lines
from deploy.local.replays.recount import Recount, recount
from deploy.local.replays.source import UnreadableFileError, read_lines
from deploy.local.replays.supply import Sales, Supplied, plan_supply

LANES = 8
"""Requests under way at once: enough to keep ingest busy while the broker acknowledges."""


@dataclass(frozen=True)
class Prepared:
    """A file ready to be posted, and what it must lead to."""

    declaration: Declaration
    lanes: Sequence[Sequence[Batch]]
    catalogue: Catalogue
    recount: Recount

    @property
    def begin(self) -> datetime:
        """When the first event happened."""
        return min(lane[0].at for lane in self.lanes if lane)


def prepare(path: Path, declaration: Declaration, *, span: timedelta | None) -> Prepared:
    """Read a file twice, once for the poster and once for the recount.

    Raises UnreadableFileError for a file of another kind, or with other numbers of events in the
    two readings.
    """
    expected = recount(path, declaration)
    catalogue, sales = Catalogue(), Sales()
    named = catalogue.watch_names(read_lines(path))
    lines = sales.watch(catalogue.watch(map_lines(named, declaration)))

    def supplies() -> Iterator[Supplied]:
        yield from plan_supply(sales, declaration)  # not before the lines have been read

    lanes = lay_out(lines, supplies(), lanes=LANES, span=span)
    events = sum(batch.events for lane in lanes for batch in lane)
    if events == 0 or events != expected.events:
        raise UnreadableFileError(f"{path}: {events} events, but the recount has {expected.events}")
    return Prepared(declaration, lanes, catalogue, expected)
