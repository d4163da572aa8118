"""All that is stored of levels, beside what their movements make of them; and levels made anew.

Read in one pass in the order of the levels, by cursors side by side: neither all levels nor
all movements of one have to fit in memory.
"""

from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from asyncpg import Record
from asyncpg.cursor import Cursor

from services.ledger.domain.changes import Change, Type
from services.ledger.domain.commitments import DEMANDING, Key, Kind, Line
from services.ledger.domain.openings import resumed
from services.ledger.domain.past import Opening
from services.ledger.domain.recomputed import Recomputation, State
from services.ledger.store import commitments, openings
from services.ledger.store.changes import columns
from services.ledger.store.lines import COLUMNS, read, save
from services.ledger.store.past import ORDER
from shared.database.engine import Driver
from shared.events.stock_changes import Bucket
from shared.events.stock_levels import GENERATION_SHIFT

ROWS = 10_000
"""Rows that a cursor fetches at a time: some ten megabytes of movements."""


class Stored(NamedTuple):
    """A level as it is stored."""

    id: int
    partition: int
    sku: str
    warehouse: str
    version: int
    state: State
    lines: Mapping[Key, Line]


class Proof(NamedTuple):
    """A level as it is stored, and as its movements make it."""

    stored: Stored
    made: Recomputation


_LEVELS = """
SELECT id, partition::int, sku, warehouse, version, on_hand, reserved, unavailable, incoming,
       sold_total, returned_total, received_total, sold_changes, unordered,
       counted_at, count_key, last_change_at,
       CASE WHEN (intricate_until <= (SELECT o.at FROM opening AS o WHERE o.level_id = level.id))
                 IS NOT TRUE THEN intricate_until END,
       demanding, supply::text, demand::text
FROM level
WHERE $1::bigint[] IS NULL OR id = ANY($1)
ORDER BY id
"""
# A count that an opening stands for concerns no change: they all happen later.

_MOVEMENTS = f"""
SELECT m.level_id, m.type::int, m.quantity, m.occurred_at, m.channel, m.id, m.line, m.reason,
       m.reference, m.counterparty, m.bucket, m.eta
FROM movement AS m LEFT JOIN opening AS o USING (level_id)
WHERE ($1::bigint[] IS NULL OR m.level_id = ANY($1))
  AND (o.at IS NULL OR m.occurred_at > o.at)
ORDER BY {ORDER}
"""  # noqa: S608 - the order is ours

_LINES = f"""
SELECT {COLUMNS} FROM commitment
WHERE $1::bigint[] IS NULL OR level_id = ANY($1)
ORDER BY level_id
"""  # noqa: S608 - the columns are ours

_DEMANDED = """
SELECT DISTINCT level_id, reference FROM movement
WHERE ($1::bigint[] IS NULL OR level_id = ANY($1)) AND type = ANY($2::smallint[])
  AND reference IS NOT NULL
ORDER BY level_id
"""

_WITH_MEMORY = "SET LOCAL work_mem = '128MB'"
"""One pass over everything sorts it all."""


async def proofs(
    driver: Driver, strays: set[int], levels: Collection[int] | None = None
) -> AsyncIterator[Proof]:
    """Yield all levels, or some, in the order of their ids; in the caller's snapshot.

    That has to hold `movement`.

    `strays` gets the ids that something was recorded of without there being such a level.
    """
    await driver.execute(_WITH_MEMORY)
    chosen = None if levels is None else sorted(levels)
    stored = await driver.cursor(_LEVELS, chosen)
    opened = _ByLevel(await driver.cursor(openings.OPENINGS, chosen), strays)
    opened_lines = _ByLevel(await driver.cursor(openings.LINES, chosen), strays)
    movements = _ByLevel(await driver.cursor(_MOVEMENTS, chosen), strays)
    lines = _ByLevel(await driver.cursor(_LINES, chosen), strays)
    demanded = _ByLevel(await driver.cursor(_DEMANDED, chosen, sorted(DEMANDING)), strays)
    while rows := await stored.fetch(ROWS):
        for row in rows:
            level = row[0]
            made = resumed(level, await _opening(opened, opened_lines, level))
            known = [key.reference for key in made.book.lines if key.kind is Kind.DEMAND]
            made.note_only(known)
            async for some in demanded.of(level):
                made.note_only(row[1] for row in some)
            async for some in movements.of(level):
                made.take(_changes(some))
            own: dict[Key, Line] = {}
            async for some in lines.of(level):
                own |= read(some)
            state = State(*row[5:19], *map(commitments.read_due, row[19:]))
            yield Proof(Stored(level, row[1], row[2], row[3], row[4], state, own), made)
    await opened.rest()
    await opened_lines.rest()
    await movements.rest()
    await lines.rest()
    await demanded.rest()


async def _opening(opened: "_ByLevel", opened_lines: "_ByLevel", level: int) -> Opening | None:
    found: Opening | None = None
    own: dict[Key, Line] = {}
    async for some in opened_lines.of(level):
        own |= read(some)
    async for (row,) in opened.of(level):
        found = openings.opening(row, own)
    return found


class _ByLevel:
    """The rows of a cursor, asked for by level in rising order; the level is their first column."""

    def __init__(self, cursor: Cursor, strays: set[int]) -> None:
        self._cursor = cursor
        self._strays = strays
        self._rows: Sequence[Record] = ()
        self._at = 0

    async def of(self, level: int) -> AsyncIterator[Sequence[Record]]:
        """Yield a level's rows, some at a time; rows of levels left out are strays."""
        while await self._more():
            start = bisect_left(self._rows, level, self._at, key=_LEVEL)
            self._strays.update(row[0] for row in self._rows[self._at : start])
            end = self._at = bisect_right(self._rows, level, start, key=_LEVEL)
            if start < end:
                yield self._rows[start:end]
            if end < len(self._rows):
                return

    async def rest(self) -> None:
        """Take what is left for strays."""
        while await self._more():
            self._strays.update(row[0] for row in self._rows[self._at :])
            self._at = len(self._rows)

    async def _more(self) -> bool:
        if self._at == len(self._rows):
            self._rows, self._at = await self._cursor.fetch(ROWS), 0
        return bool(self._rows)


_LEVEL = itemgetter(0)
_TYPES = {each.value: each for each in Type}
_BUCKETS: dict[str | None, Bucket | None] = {None: None} | {each.value: each for each in Bucket}


def _changes(rows: Sequence[Record]) -> list[Change]:
    """Return movements as far as levels follow from them."""
    return [
        Change(
            level,
            _TYPES[kind],
            quantity,
            occurred_at,
            occurred_at,
            channel,
            id_,
            line,
            reason,
            reference,
            None,
            b"",
            0,
            0,
            0,
            counterparty,
            _BUCKETS[bucket],
            eta,
        )
        for (
            level,
            kind,
            quantity,
            occurred_at,
            channel,
            id_,
            line,
            reason,
            reference,
            counterparty,
            bucket,
            eta,
        ) in rows
    ]


_AVAILABLE = "on_hand - greatest({0}.reserved, 0) - {0}.unavailable"
_NOW, _THEN = (f"({each}.{_AVAILABLE.format(each)})" for each in ("c", "l"))

_STORE = f"""
UPDATE level AS l
SET version = ($1::bigint << $2) + 1,
    batch = CASE WHEN c.last_change_at IS NULL THEN 0 ELSE c.batch END,
    partition = c.partition,
    low_water = {_NOW}
        + LEAST(0, CASE WHEN l.batch > c.published THEN l.low_water - {_THEN} END),
    dip = l.dip + {_NOW} - {_THEN},
    on_hand = c.on_hand, reserved = c.reserved, unavailable = c.unavailable,
    incoming = c.incoming, sold_total = c.sold, returned_total = c.returned,
    received_total = c.received, sold_changes = c.sold_changes, unordered = c.unordered,
    counted_at = c.counted_at, count_key = c.count_key, last_change_at = c.last_change_at,
    intricate_until = c.intricate_until, demanding = c.demanding,
    supply = c.supply, demand = c.demand
FROM unnest($3::bigint[], $4::bigint[], $5::int[], $6::bigint[], $7::bigint[],
            $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
            $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[],
            $17::timestamptz[], $18::text[], $19::timestamptz[], $20::timestamptz[], $21::boolean[],
            $22::json[], $23::json[])
     AS c (id, version, partition, batch, published, on_hand, reserved, unavailable, incoming,
           sold, returned, received, sold_changes, unordered,
           counted_at, count_key, last_change_at, intricate_until, demanding, supply, demand)
WHERE l.id = c.id AND l.version = c.version
RETURNING l.id
"""  # noqa: S608 - the parts are ours
# A dip that nobody has been told of stays as deep as it was below where the level stands.

_TELL_DIPPED = """
INSERT INTO dirty_level AS d (level_id, partition)
SELECT id, partition FROM level WHERE id = ANY($1::bigint[]) AND dip IS NOT NULL
ORDER BY id
ON CONFLICT (level_id) DO UPDATE SET partition = excluded.partition
WHERE d.partition <> excluded.partition
"""

_FORGET_LINES = "DELETE FROM commitment WHERE level_id = ANY($1::bigint[])"


class Place(NamedTuple):
    """Where a level is to be published: its partition, and the batches as in a claim."""

    partition: int
    batch: int
    published: int


async def store_anew(
    driver: Driver, generation: int, levels: Sequence[tuple[Proof, Place]]
) -> set[int]:
    """Store levels as their movements make them, as the first version of a generation.

    Their partitions' owners are to tell of what reservations have changed. Returns those stored:
    not one that has changed since it was read.
    """
    rows = [
        (
            proof.stored.id,
            proof.stored.version,
            *place,
            *state[:14],
            *(commitments.write_due(due) for due in (state.supply, state.demand)),
        )
        for proof, place in levels
        for state in (proof.made.state,)
    ]
    found = await driver.fetch(_STORE, generation, GENERATION_SHIFT, *columns(rows))
    stored = {row[0] for row in found}
    await driver.execute(_TELL_DIPPED, sorted(stored))
    lines: dict[Key, Line] = {}
    mended = []
    for proof, _ in levels:
        if proof.stored.id in stored and proof.stored.lines != proof.made.lines:
            mended.append(proof.stored.id)
            lines |= proof.made.lines
    if mended:
        await driver.execute(_FORGET_LINES, mended)
    if lines:
        await save(driver, "commitment", lines)
    return stored
