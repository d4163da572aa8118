"""Give a ledger a past at once: what months of changes would have left in its tables.

The database itself writes it, into the partitions that the ledger would have made, whose indexes
grow as they would have. Levels and movements agree: `verify` finds no difference.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import asyncpg

from services.ledger.store import identity_filters
from services.ledger.store.codecs import prepare
from services.ledger.store.periods import IDENTITY_DAYS, Periods, ensure_periods
from shared.clock import WallClock
from shared.database.engine import create_engine
from tests.bench.report import tell

MOVEMENTS, DAYS = 10_000_000, 30
IDENTITIES_A_PERIOD, PERIODS = 2_000_000, 3

_CONNECTIONS = 2
_DAY = timedelta(days=1)
_EVENING = timedelta(seconds=10)
"""Before midnight, without changes: what happens in a day is recorded on it, too."""


class _Day(NamedTuple):
    """A day's movements, numbered from `first` to before `end`."""

    periods: Periods
    starts: datetime
    first: int
    end: int

    @property
    def step(self) -> timedelta:
        return (_DAY - _EVENING) / max(1, self.end - self.first)


_NUMBER_LEVELS = """
CREATE UNLOGGED TABLE bench_level AS
SELECT row_number() OVER (ORDER BY id) - 1 AS number, id FROM level
"""

# Types as `domain.changes` numbers them: 1 a sale, 2 a return, 3 a receipt, 4 an adjustment.
# Receipts are few and large, so that levels neither grow nor empty on the whole. 7919 and 41901
# (what a hundred numbers on adds to it) share no factor with the number of levels, so that every
# level has every type. A receipt names no order: one that does would be kept as a supply line.
_ADD_MOVEMENTS = """
INSERT INTO {movement} (level_id, occurred_at, recorded_at, received_at, quantity, applied,
                        "offset", type, late, channel, id, line, reason, reference)
SELECT l.id, at, at + interval '900 ms', at + interval '800 ms', quantity,
       CASE type WHEN 1 THEN -quantity ELSE quantity END,
       n, type, n % 50 = 0, channel, 'SO-H-' || lpad((n / 2)::text, 8, '0'), (n % 2 + 1)::text,
       CASE type WHEN 4 THEN 'correction' END,
       CASE WHEN type <> 3 THEN channel || '/' || lpad((n / 2)::text, 8, '0') END
FROM (
    SELECT n, type, $3::timestamptz + (n - $1) * $4::interval AS at,
           CASE type WHEN 3 THEN 46 ELSE n % 3 + 1 END AS quantity,
           (ARRAY['tmall-flagship', 'jd-main', 'store-pos'])[1 + (n / 2) % 3] AS channel
    FROM generate_series($1::bigint, $2::bigint - 1) AS n,
         LATERAL (SELECT (CASE WHEN n % 100 < 90 THEN 1 WHEN n % 100 < 94 THEN 2
                               WHEN n % 100 < 98 THEN 3 ELSE 4 END)::smallint AS type) AS kind
) AS told
JOIN bench_level AS l ON l.number = (n * 7919 + n / 100) % $5::bigint
ORDER BY n
"""

_ADD_THEIR_IDENTITIES = """
INSERT INTO identity (hash, content, level_id, occurred_at, recorded_at)
SELECT md5(channel || chr(31) || id || chr(31) || line)::uuid, "offset", level_id, occurred_at,
       recorded_at
FROM {movement}
"""

_MOVE_LEVELS = """
UPDATE level AS l
SET version = l.version + 1, on_hand = l.on_hand + m.applied, sold_total = l.sold_total + m.sold,
    sold_changes = l.sold_changes + m.sold_changes,
    returned_total = l.returned_total + m.returned,
    received_total = l.received_total + m.received,
    last_change_at = greatest(l.last_change_at, m.newest)
FROM (
    SELECT level_id, sum(applied)::bigint AS applied,
           COALESCE(sum(quantity) FILTER (WHERE type = 1), 0)::bigint AS sold,
           count(*) FILTER (WHERE type = 1) AS sold_changes,
           COALESCE(sum(quantity) FILTER (WHERE type = 2), 0)::bigint AS returned,
           COALESCE(sum(quantity) FILTER (WHERE type = 3), 0)::bigint AS received,
           max(occurred_at) AS newest
    FROM movement WHERE recorded_at < $1 GROUP BY level_id
) AS m
WHERE l.id = m.level_id
"""

_ADD_IDENTITIES = """
INSERT INTO identity (hash, content, level_id, occurred_at, recorded_at)
SELECT gen_random_uuid(), n, 1, at, at
FROM generate_series(1, $1::bigint) AS n,
     LATERAL (SELECT $2::timestamptz + n * $3::interval AS at) AS moment
"""


async def add_history(url: str, movements: int = MOVEMENTS, days: int = DAYS) -> None:
    """Add movements with their identities to existing levels, spread over the last full days.

    `url` is of the ledger's own database user. The days must have no movements yet.
    """
    began = time.perf_counter()
    today = _today()
    ahead = await _days(url, today, movements, days)
    connection = await asyncpg.connect(url)
    await connection.execute(_NUMBER_LEVELS)
    levels = await connection.fetchval("SELECT count(*) FROM bench_level")
    await connection.execute("ANALYZE bench_level")
    async with asyncio.TaskGroup() as group:
        for _ in range(_CONNECTIONS):
            group.create_task(_add_days(url, ahead, levels))
    await connection.execute(_MOVE_LEVELS, today)
    await connection.execute("DROP TABLE bench_level")
    await connection.close()
    tell(f"  {movements:,} movements of history in {time.perf_counter() - began:.0f} s")


async def add_identities(url: str, a_period: int = IDENTITIES_A_PERIOD) -> None:
    """Fill the identity periods before the current one: 90 days of them."""
    began = time.perf_counter()
    current = (await _periods(url, [WallClock().now()]))[0].identity_starts
    starts = [current - number * IDENTITY_DAYS * _DAY for number in range(1, PERIODS + 1)]
    await _periods(url, starts)
    connection = await asyncpg.connect(url)
    for start in starts:
        step = IDENTITY_DAYS * _DAY / (a_period + 1)
        await connection.execute(_ADD_IDENTITIES, a_period, start, step)
    await prepare(connection)
    for start in starts:
        await identity_filters.build(connection, start.date(), lambda *_: None)
    await connection.close()
    took = time.perf_counter() - began
    tell(f"  {PERIODS} × {a_period:,} older identities in {took:.0f} s")


async def settle(administrator_url: str) -> None:
    """Do now what the server would soon do by itself, in the middle of a measurement."""
    connection = await asyncpg.connect(administrator_url)
    await connection.execute("VACUUM (ANALYZE) ledger.movement, ledger.identity, ledger.level")
    await connection.execute("CHECKPOINT")
    await connection.close()


async def _days(url: str, today: datetime, movements: int, days: int) -> list[_Day]:
    starts = [today - number * _DAY for number in range(days, 0, -1)]
    bounds = pairwise(movements * number // days for number in range(days + 1))
    periods = await _periods(url, starts)
    return [
        _Day(period, start, first, end)
        for period, start, (first, end) in zip(periods, starts, bounds, strict=True)
    ]


async def _periods(url: str, instants: list[datetime]) -> list[Periods]:
    engine = create_engine(url)
    found = []
    for instant in instants:
        async with engine.begin() as connection:
            found.append(await ensure_periods(connection, instant))
    await engine.dispose()
    return found


async def _add_days(url: str, ahead: list[_Day], levels: int) -> None:
    connection = await asyncpg.connect(url)
    while ahead:
        day = ahead.pop(0)
        await connection.execute(
            _ADD_MOVEMENTS.format(movement=day.periods.movement),
            day.first, day.end, day.starts, day.step, levels,
        )  # fmt: skip
        await connection.execute(_ADD_THEIR_IDENTITIES.format(movement=day.periods.movement))
    await connection.close()


def _today() -> datetime:
    now = WallClock().now().astimezone(UTC)
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
