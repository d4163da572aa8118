"""What the ledger is compared with: the same database, with less and less of the ledger."""

import asyncio
import io
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from tempfile import NamedTemporaryFile

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from deploy.local.postgres import BINARIES
from services.ledger.store import changes as store
from services.ledger.store import identities
from services.ledger.store.codecs import prepare
from services.ledger.store.periods import Periods, ensure_periods
from shared.clock import WallClock
from shared.database import positions
from shared.database.engine import create_engine, driver
from shared.database.positions import Move
from shared.events.stock_changes import TOPIC
from shared.events.topics import PARTITIONS
from shared.testing.stack import Database, Stack
from tests.bench.batches import Prepared, prepared
from tests.bench.drain import make_levels
from tests.bench.workload import Distribution

_AT_ONCE = 16
"""Batches made ready between two timed stretches."""

_BEFORE = timedelta(hours=3)
_SEED = 900


async def batch_transaction(
    database: Database, distribution: Distribution, size: int, seconds: float
) -> tuple[float, float]:
    """Return (changes/s, levels a batch) of the ledger's own transaction and nothing else.

    One connection; the store's functions, rows and batch sizes of the ledger; no broker, no
    decoding, no publishing. Batches are made ready while the clock stands still.
    """
    clock = WallClock()
    ids = await make_levels(database)
    batches = prepared(distribution, clock.now() - _BEFORE, _SEED, size, ids)
    engine = create_engine(database.url("ledger"))
    timed, changes, levels, count = 0.0, 0, 0, 0
    async with engine.connect() as connection:
        standing = await _claim(connection)
        async with connection.begin():
            periods = await ensure_periods(connection, clock.now())
            await prepare(await driver(connection))
        while timed < seconds:
            ready = list(islice(batches, _AT_ONCE))
            began = time.perf_counter()
            for batch in ready:
                await _commit(connection, periods, batch, standing, clock)
            timed += time.perf_counter() - began
            changes += sum(len(batch.changes) for batch in ready)
            levels += sum(len(batch.effects) for batch in ready)
            count += len(ready)
    await engine.dispose()
    return changes / timed, levels / count


async def _claim(connection: AsyncConnection) -> dict[int, int]:
    """Return the next offset by partition."""
    async with connection.begin():
        for partition in range(PARTITIONS):
            await positions.claim(
                connection,
                TOPIC,
                partition,
                partitions=PARTITIONS,
                first_offset=0,
                owner="bench",
            )
    return dict.fromkeys(range(PARTITIONS), 0)


async def _commit(
    connection: AsyncConnection,
    periods: Periods,
    batch: Prepared,
    standing: dict[int, int],
    clock: WallClock,
) -> None:
    first = standing[batch.partition]
    last = first + len(batch.changes)
    async with connection.begin():
        move = Move(batch.partition, 1, first, last, 0, 0, 0)
        numbers = await positions.move(connection, TOPIC, [move])
        database, recorded_at = await driver(connection), clock.now()
        number = numbers[batch.partition]
        if await identities.add_identities(
            database, periods, batch.changes, recorded_at, ask_first=False
        ):
            raise RuntimeError("a repeat among changes that have none")
        await store.add_movements(database, periods, batch.entries, recorded_at)
        await store.move_levels(
            database, batch.effects, dict.fromkeys(batch.effects, (number, number - 1))
        )
        await store.add_tallies(database, batch.partition, {"movements": len(batch.entries)})
    standing[batch.partition] = last


_INSERT_IDENTITY = """
INSERT INTO identity (hash, content, level_id, occurred_at, recorded_at)
VALUES ($1, $2, $3, $4, $5)
"""
_INSERT_MOVEMENT = """
INSERT INTO movement (level_id, occurred_at, recorded_at, received_at, quantity, applied, "offset",
                      type, late, channel, id, line, reason, reference, actor)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""
_UPDATE_LEVEL = """
UPDATE level SET version = version + 1, on_hand = on_hand + $2, sold_total = sold_total + $3,
                 returned_total = returned_total + $4, received_total = received_total + $5,
                 last_change_at = $6
WHERE id = $1
RETURNING version, on_hand, reserved, unavailable, incoming
"""


async def transaction_per_event(
    database: Database, distribution: Distribution, seconds: float
) -> float:
    """Return changes/s when each change is a transaction of its own: three prepared statements."""
    clock = WallClock()
    ids = await make_levels(database)
    batch = next(prepared(distribution, clock.now() - _BEFORE, _SEED, 6_000, ids))
    engine = create_engine(database.url("ledger"))
    async with engine.begin() as connection:
        await ensure_periods(connection, clock.now())
    await engine.dispose()
    connection = await asyncpg.connect(database.url("ledger"))
    await prepare(connection)
    identity = await connection.prepare(_INSERT_IDENTITY)
    movement = await connection.prepare(_INSERT_MOVEMENT)
    level = await connection.prepare(_UPDATE_LEVEL)
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        change, applied, late = batch.entries[done % len(batch.entries)]
        effect = batch.effects[change.level]
        hash_ = done.to_bytes(16) if done >= len(batch.entries) else change.hash
        now = clock.now()
        async with connection.transaction():
            await identity.fetch(hash_, change.content, change.level, change.occurred_at, now)
            await movement.fetch(
                change.level, change.occurred_at, now, change.received_at, change.quantity, applied,
                change.offset, change.type, late, change.channel, change.id, change.line,
                change.reason, change.reference, change.actor,
            )  # fmt: skip
            await level.fetch(
                change.level, applied, effect.sold, effect.returned, effect.received,
                change.occurred_at,
            )  # fmt: skip
        done += 1
    rate = done / (time.perf_counter() - began)
    await connection.close()
    return rate


_COPY_ROWS = 200_000


async def copy_with_primary_key(database: Database, seconds: float) -> float:
    """Return rows/s of COPY into a table with a primary key: movement-like rows, ready as text."""
    connection = await asyncpg.connect(database.administrator_url)
    await connection.execute("""
        CREATE TABLE bench_copy (
            number bigint PRIMARY KEY, level_id bigint, occurred_at timestamptz,
            recorded_at timestamptz, received_at timestamptz, quantity bigint, applied bigint,
            "offset" bigint, type smallint, late boolean, channel text, id text, line text,
            reason text, reference text, actor text)
    """)
    rows, timed = 0, 0.0
    for text in _copy_texts():
        began = time.perf_counter()
        await connection.copy_to_table("bench_copy", source=io.BytesIO(text))
        timed += time.perf_counter() - began
        rows += _COPY_ROWS
        if timed >= seconds:
            break
    await connection.close()
    return rows / timed


def _copy_texts() -> Iterator[bytes]:
    start = 0
    while True:
        numbers = range(start, start + _COPY_ROWS)
        yield "".join(
            f"{number}\t{number * 7919 % 50_000}\t2026-03-01 12:00:00.{number % 1_000_000:06d}+00\t"
            f"2026-03-01 12:00:01.5+00\t2026-03-01 12:00:01+00\t2\t-2\t{number}\t1\tf\t"
            f"tmall-flagship\tSO-001-{number:08d}\t1\t\\N\ttmall-flagship/{number:08d}\t\\N\n"
            for number in numbers
        ).encode()
        start += _COPY_ROWS


async def pgbench(stack: Stack, database: Database, seconds: float) -> float:
    """Return transactions/s of `pgbench` TPC-B: scale 20, 8 clients, 2 threads, prepared."""
    url = stack.administrator_url(database.name)
    await _pgbench("--initialize", "--scale=20", "--quiet", url)
    return await _tps(
        "--client=8", "--jobs=2", "--protocol=prepared", f"--time={max(1, round(seconds))}", url
    )


_UPDATE_ANY = """
\\set id random({first}, {last})
UPDATE level SET reserved = reserved + 1 WHERE id = :id AND on_hand - reserved - unavailable >= 1;
"""


async def conditional_updates(url: str, seconds: float) -> float:
    """Return transactions/s of `pgbench` that each reserve a unit of any level, and no more.

    16 clients, 2 threads, prepared. `url` is of the ledger's own database user.
    """
    connection = await asyncpg.connect(url)
    first, last, count = await connection.fetchrow("SELECT min(id), max(id), count(*) FROM level")
    await connection.close()
    if count < 0.99 * (last - first + 1):
        raise RuntimeError("too many ids that are no level's: to update nothing is quicker")
    with NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(_UPDATE_ANY.format(first=first, last=last))
        script.flush()
        time_ = f"--time={max(1, round(seconds))}"
        return await _tps(
            "--no-vacuum", "--client=16", "--jobs=2", "--protocol=prepared", time_,
            f"--file={script.name}", url,
        )  # fmt: skip


async def _tps(*arguments: str) -> float:
    text = await _pgbench(*arguments)
    line = next(each for each in text.splitlines() if each.startswith("tps = "))
    return float(line.split()[2])


async def _pgbench(*arguments: str) -> str:
    done = await asyncio.to_thread(
        subprocess.run,
        [str(BINARIES / "pgbench"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"pgbench failed:\n{done.stderr}")
    return done.stdout
