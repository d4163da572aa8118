"""Counts beside what was expected of them, and what makes a level's numbers doubted.

What takes part in the worker's batches; how people look at counts and decide on them is in
`sheets`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from services.ledger.domain.changes import SIGNS, Change, Type, count_key
from services.ledger.domain.counts import CountState, OlderCount, Stretch, Taken
from services.ledger.domain.effects import Effect
from services.ledger.domain.flags import Doubt
from services.ledger.domain.usual import Sold
from services.ledger.store.changes import SIGN, columns
from services.ledger.store.periods import Periods
from shared.database.engine import Driver
from shared.events.stock_changes import Bucket

_KEY = 'channel || chr(31) || {id} || chr(31) || line COLLATE "C"'
_MOVEMENT_KEY, _COUNT_KEY = _KEY.format(id="id"), _KEY.format(id="change_id")
"""`count_key`, as SQL: bytes sort as characters do."""

_MOVING = ", ".join(f"{kind:d}" for kind, sign in SIGNS.items() if sign)

COUNTS_AT_ONCE = 200
"""Each may have thousands of movements before it, in any of the days: what a statement may take."""

_STRETCHES = f"""
SELECT coalesce(c.occurred_at, o.at), c.key, coalesce(c.quantity, o.on_hand),
       s.instants, s.differences
FROM unnest($1::bigint[], $2::timestamptz[], $3::text[]) WITH ORDINALITY
     AS k (level_id, occurred_at, key, number)
LEFT JOIN opening AS o USING (level_id)
LEFT JOIN LATERAL (
    SELECT m.occurred_at, {_MOVEMENT_KEY} AS key, m.quantity
    FROM movement AS m
    WHERE m.level_id = k.level_id AND m.type = {Type.COUNT:d}
      AND m.occurred_at <= k.occurred_at
      AND (o.at IS NULL OR m.occurred_at > o.at)
      AND (m.occurred_at, {_MOVEMENT_KEY}) < (k.occurred_at, k.key COLLATE "C")
    ORDER BY m.occurred_at DESC, {_MOVEMENT_KEY} DESC
    LIMIT 1
) AS c ON true
LEFT JOIN LATERAL (
    SELECT array_agg(m.occurred_at) AS instants, array_agg({SIGN} * m.quantity) AS differences
    FROM movement AS m
    WHERE m.level_id = k.level_id AND m.type IN ({_MOVING})
      AND m.occurred_at <= k.occurred_at
      AND m.occurred_at > coalesce(c.occurred_at, o.at, '-infinity')
) AS s ON true
ORDER BY k.number
"""  # noqa: S608 - the numbers are ours


async def stretches(driver: Driver, counts: Sequence[OlderCount]) -> dict[OlderCount, Stretch]:
    """Return what is stored between the count before each of some and itself.

    An opening is as good as a count: each of some happened after it.

    For levels of which nothing but on hand was ever counted.
    """
    found: dict[OlderCount, Stretch] = {}
    for start in range(0, len(counts), COUNTS_AT_ONCE):
        some = counts[start : start + COUNTS_AT_ONCE]
        rows = await driver.fetch(_STRETCHES, *columns(some))
        for count, row in zip(some, rows, strict=True):
            differences = list(zip(row[3] or (), row[4] or (), strict=True))
            found[count] = Stretch(row[0], row[1], row[2] or 0, differences)
    return found


_SOLD = "SELECT id, sold_total, sold_changes FROM level WHERE id = ANY($1::bigint[])"


async def sold(driver: Driver, levels: Collection[int]) -> dict[int, Sold]:
    """Return what levels have sold so far."""
    return {row[0]: Sold(row[1], row[2]) for row in await driver.fetch(_SOLD, list(levels))}


_COUNT_COLUMNS = (
    "level_id", "occurred_at", "recorded_at", "received_at", "counted", "expected", "offset",
    "within", "state", "channel", "change_id", "line", "reason", "reference", "actor", "cost",
    "decided_at", "settled_at", "bucket",
)  # fmt: skip


async def note(
    driver: Driver,
    taken: Sequence[Taken],
    unusual: Sequence[Change],
    effects: Mapping[int, Effect],
    recorded_at: datetime,
) -> None:
    """Store a batch's counts and what they settle; levels say what is doubted now.

    Before the levels are moved, which is when they are told.
    """
    if taken:
        await _keep(driver, taken, recorded_at)
    if unusual:
        await _note_unusual(driver, unusual)
    applied = [each.change for each in taken if each.state is CountState.APPLIED]
    await supersede(driver, applied, recorded_at)
    touched = {each.change.level for each in taken} | {change.level for change in unusual}
    await doubt(driver, {level: effects[level] for level in touched})


async def _keep(driver: Driver, taken: Iterable[Taken], recorded_at: datetime) -> None:
    rows = [
        (
            change.level,
            change.occurred_at,
            recorded_at,
            change.received_at,
            change.quantity,
            expected,
            change.offset,
            within,
            state.value,
            change.channel,
            change.id,
            change.line,
            change.reason,
            change.reference,
            change.actor,
            cost,
            recorded_at if state is CountState.SUPERSEDED else None,
            None if state is CountState.WAITING else recorded_at,
            change.bucket or Bucket.ON_HAND,
        )
        for change, expected, within, state, cost in taken
    ]
    await driver.copy_records_to_table("stock_count", records=rows, columns=_COUNT_COLUMNS)


# Locked in the order of the ids, as people who decide on stocktakes lock the same.
_SUPERSEDE = f"""
WITH older AS (
    SELECT c.id
    FROM stock_count AS c
    JOIN unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::boolean[])
         AS k (level_id, counted_at, key, of_unavailable) USING (level_id)
    WHERE c.settled_at IS NULL
      AND (c.bucket = '{Bucket.UNAVAILABLE}') = k.of_unavailable
      AND c.state IN ('{CountState.WAITING}', '{CountState.RECOUNT_REQUESTED}')
      AND (c.occurred_at, {_COUNT_KEY}) < (k.counted_at, k.key COLLATE "C")
    ORDER BY c.id
    FOR UPDATE OF c
)
UPDATE stock_count AS c
SET state = '{CountState.SUPERSEDED}', decided_at = $5, settled_at = $5
FROM older
WHERE c.id = older.id
"""  # noqa: S608 - the words are ours


async def supersede(driver: Driver, applied: Iterable[Change], now: datetime) -> None:
    """Settle the counts that wait and are older than one applied that sets the same."""
    rows = [
        (each.level, each.occurred_at, count_key(each), each.bucket is Bucket.UNAVAILABLE)
        for each in applied
    ]
    if rows:
        await driver.execute(_SUPERSEDE, *columns(rows), now)


_NOTE_UNUSUAL = """
UPDATE level AS l
SET unusual_at = greatest(l.unusual_at, u.occurred_at)
FROM (
    SELECT level_id, max(occurred_at) AS occurred_at
    FROM unnest($1::bigint[], $2::timestamptz[]) AS u (level_id, occurred_at)
    GROUP BY level_id
) AS u
WHERE l.id = u.level_id
"""


async def _note_unusual(driver: Driver, changes: Sequence[Change]) -> None:
    rows = [(change.level, change.occurred_at) for change in changes]
    await driver.execute(_NOTE_UNUSUAL, *columns(rows))


_DOUBT = f"""
UPDATE level AS l
SET doubt = d.doubt
FROM (
    SELECT k.id,
           CASE WHEN EXISTS (SELECT FROM stock_count AS c
                             WHERE c.level_id = k.id AND c.settled_at IS NULL)
                THEN {Doubt.WAITING_COUNT:d} ELSE 0 END
         + CASE WHEN o.unusual_at > coalesce(k.counted_at, '-infinity')
                THEN {Doubt.UNUSUAL_CHANGE:d} ELSE 0 END AS doubt
    FROM unnest($1::bigint[], $2::timestamptz[]) AS k (id, counted_at)
    JOIN level AS o ON o.id = k.id
) AS d
WHERE l.id = d.id AND l.doubt <> d.doubt
"""  # noqa: S608 - the bits are ours


async def doubt(driver: Driver, effects: Mapping[int, Effect]) -> None:
    """Let levels say what is doubted about them after a batch."""
    rows = [(level, each.counted_at) for level, each in sorted(effects.items())]
    if rows:
        await driver.execute(_DOUBT, *columns(rows))


def _count(level: int, offset: int, bucket: str, told: Sequence[object]) -> Change:
    """Return a count that is stored: its identity is known, and its record long gone."""
    of = None if bucket == Bucket.ON_HAND else Bucket(bucket)
    return Change._make((level, Type.COUNT, *told, b"", 0, 0, offset, None, of, None, None))


class Undone(NamedTuple):
    """A count that was decided on; the level does not know of it yet."""

    id: int
    state: CountState
    sku: str
    warehouse: str
    partition: int
    change: Change


_UNDONE = f"""
SELECT c.id, c.state, l.sku, l.warehouse, l.partition::int, c.level_id, c."offset", c.bucket,
       c.counted, c.occurred_at, c.received_at, c.channel, c.change_id, c.line, c.reason,
       c.reference, c.actor
FROM stock_count AS c JOIN level AS l ON l.id = c.level_id
WHERE c.settled_at IS NULL AND c.state IN ('{CountState.APPROVED}', '{CountState.REJECTED}')
  AND l.partition = ANY($1::int[])
ORDER BY c.id
LIMIT $2
FOR UPDATE OF c
"""  # noqa: S608 - the states are ours


async def undone(driver: Driver, partitions: Collection[int], limit: int) -> list[Undone]:
    """Return counts of some partitions that were decided on, the oldest first."""
    rows = await driver.fetch(_UNDONE, list(partitions), limit)
    return [
        Undone(
            number,
            CountState(state),
            sku,
            warehouse,
            partition,
            _count(level, offset, bucket, told),
        )
        for number, state, sku, warehouse, partition, level, offset, bucket, *told in map(
            tuple, rows
        )
    ]


async def settle(
    driver: Driver, counts: Sequence[Undone], effects: Mapping[int, Effect], now: datetime
) -> None:
    """Store that levels know of decisions, and what those settle and leave in doubt."""
    await driver.execute(_SETTLE, [each.id for each in counts], now)
    applied = [each.change for each in counts if each.state is CountState.APPROVED]
    await supersede(driver, applied, now)
    await doubt(driver, effects)


_SETTLE = "UPDATE stock_count SET settled_at = $2 WHERE id = ANY($1::bigint[])"


_MARK_UNUSUAL = """
UPDATE {movement} AS m
SET unusual = true
FROM unnest($2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[])
     AS u (level_id, occurred_at, channel, id, line)
WHERE m.level_id = u.level_id AND m.occurred_at = u.occurred_at AND m.recorded_at = $1
  AND m.channel = u.channel AND m.id = u.id AND m.line = u.line
"""


async def mark_unusual(
    driver: Driver, periods: Periods, changes: Sequence[Change], recorded_at: datetime
) -> None:
    """Mark movements of a batch that are stored already."""
    rows = [
        (change.level, change.occurred_at, change.channel, change.id, change.line)
        for change in changes
    ]
    statement = _MARK_UNUSUAL.format(movement=periods.movement)
    await driver.execute(statement, recorded_at, *columns(rows))
