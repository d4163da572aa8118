"""Openings as they are stored, beside what all movements make them, archived and kept.

Both are read in order, some at a time: neither all of an archive nor all movements of a level have
to fit in memory.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from services.ledger.domain.changes import Type
from services.ledger.domain.openings import Folding
from services.ledger.domain.past import Opening
from services.ledger.store import openings, retention
from services.ledger.store.archive import Archive
from services.ledger.store.past import recorded
from services.ledger.store.periods import CLOSED_DAYS
from shared.database.engine import Driver

LEVELS_AT_ONCE = 500
"""Levels that are asked for together: their lines are in memory."""


_INSTANT = timedelta(microseconds=1)


class OpeningProof(NamedTuple):
    """A level's opening as it is stored, and as movements make it; None where there is none."""

    level: int
    stored: Opening | None
    made: Opening | None


async def opening_proofs(
    driver: Driver, files: Archive, levels: Sequence[int]
) -> list[OpeningProof]:
    """Return the openings of some levels, in rising order of their ids, `LEVELS_AT_ONCE` at most.

    In a transaction of the caller's, in which no opening moves and no day leaves.
    """
    stored = await openings.of_levels(driver, levels)
    outlines = await files.outlines(levels)
    reached = {level: each.until for level, each in outlines.items()}
    # What an opening says that it reaches to may be wrong, but what happened since is in none, nor
    # is a count that waits, or anything after it.
    latest = await driver.fetchval("SELECT now() - $1::interval", CLOSED_DAYS)
    waiting = await retention.oldest_counts_that_wait(driver, [*stored])
    for level, opening in stored.items():
        at = min(opening.at, latest)
        if level in waiting:
            at = min(at, waiting[level] - _INSTANT)
        reached[level] = max(at, reached.get(level, at))
    demanded = defaultdict(set, {level: {*each.demanded} for level, each in outlines.items()})
    for level, reference in await retention.ever_demanded(driver, levels):
        demanded[level].add(reference)
    folding = {level: Folding(level, None, demanded[level]) for level in levels}
    spans = [(level, None, until) for level, until in reached.items()]
    async with (
        aclosing(files.movements(levels)) as archived,
        aclosing(retention.movements_between(driver, spans)) as kept,
    ):
        async for rows in _merged(archived, kept):
            for level, movements in groupby(rows, _LEVEL):
                folding[level].take([recorded(row) for row in movements])
    return [OpeningProof(level, stored.get(level), folding[level].opening) for level in levels]


_LEVEL = itemgetter(0)

_Rows = Sequence[Sequence[Any]]


def _place(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return what movements are ordered by, as in `past.ORDER`."""
    return row[0], row[3], row[1] == Type.COUNT, *row[5:8]


async def _merged(
    first: AsyncIterator[_Rows], second: AsyncIterator[_Rows]
) -> AsyncIterator[_Rows]:
    """Yield the rows of two sources that are in order, in order, some at a time."""
    ones: _Rows = ()
    others: _Rows = ()
    while True:
        ones = ones or await _next(first)
        others = others or await _next(second)
        if not ones or not others:
            break
        bound = min(_place(ones[-1]), _place(others[-1]))
        one, other = (bisect_right(rows, bound, key=_place) for rows in (ones, others))
        yield sorted([*ones[:one], *others[:other]], key=_place)
        ones, others = ones[one:], others[other:]
    while rows := ones or others:
        yield rows
        ones, others = await _next(first), await _next(second)


async def _next(source: AsyncIterator[_Rows]) -> _Rows:
    """Return a source's next rows, none at its end."""
    # `anext` with a default fails on a driver that is no Python (SystemError).
    async for rows in source:
        return rows
    return ()
