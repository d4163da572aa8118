"""Let the real `python -m services.ledger consume` drain `stock.changes`, and watch it."""

import asyncio
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from deploy.local.ports import LOOPBACK, pick_free
from services.ledger.store import changes as store
from shared.database.engine import create_engine, driver
from shared.events.stock_changes import TOPIC
from shared.events.stock_levels import TOPIC as STOCK_LEVELS
from shared.testing.stack import Database, Stack
from tests.bench.alone import environment_of, running
from tests.bench.meter import Meter, listener, shares
from tests.bench.report import tell
from tests.bench.workload import shelves

WARM_UP_SHARE = 0.04
WARM_UP_CHANGES = 150_000
"""Of the changes, before the clock starts: the larger of the two, so that nearly all levels of a
uniform workload are known by then, though never more than a quarter."""

_POLL_S = 0.05
_SILENCE_LIMIT_S = 60.0

_STANDING = """
SELECT partition, next_offset, batch, published FROM ledger.consumer_position WHERE topic = $1
"""


_TALLIES = """
SELECT COALESCE(sum(total) FILTER (WHERE name = 'repeats'), 0)::bigint,
       COALESCE(sum(total) FILTER (WHERE name LIKE 'rejected.%'), 0)::bigint
FROM ledger.tally
"""

_REWIND = """
UPDATE ledger.consumer_position SET next_offset = 0, record_time = NULL, record_hash = NULL
WHERE topic = $1
"""


@dataclass(frozen=True)
class Drain:
    """What a drain measured; sizes are means over all of it, `repeats` those of the database."""

    changes_per_s: float
    seconds: float
    records_per_batch: float
    levels_per_batch: float
    repeats: int
    processors: str


async def make_levels(database: Database) -> dict[tuple[str, str], int]:
    """Make the 50,000 levels, as the ledger itself would; returns their ids."""
    engine = create_engine(database.url("ledger"))
    ids: dict[tuple[str, str], int] = {}
    wanted = [(each.sku, each.warehouse, each.partition) for each in shelves()]
    async with engine.begin() as connection:
        await connection.exec_driver_sql("SELECT 1")
        for start in range(0, len(wanted), 10_000):
            found = await store.levels_of(await driver(connection), wanted[start : start + 10_000])
            ids |= {key: level.id for key, level in found.items()}
    await engine.dispose()
    administrator = await asyncpg.connect(database.administrator_url)
    await administrator.execute("VACUUM ANALYZE ledger.level")
    await administrator.close()
    return ids


def warm_up(count: int) -> int:
    """Return how many of so many changes the clock does not see."""
    return min(max(int(count * WARM_UP_SHARE), WARM_UP_CHANGES), count // 4)


def with_warm_up(measured: int) -> int:
    """Return how many changes it takes for so many to be measured."""
    share = int(measured / (1 - WARM_UP_SHARE))
    return max(share, min(measured + WARM_UP_CHANGES, measured * 4 // 3 + 1))


async def rewind(database: Database) -> None:
    """Let the next drain begin at the start of the topic once more: all of it are repeats."""
    connection = await asyncpg.connect(database.administrator_url)
    await connection.execute(_REWIND, TOPIC)
    await connection.close()


async def drain(
    stack: Stack,
    database: Database,
    prefix: str,
    count: int,
    *,
    workers: int,
    processes: int,
    profile: Path | None,
    beside: Mapping[str, int],
) -> Drain:
    """Drain `count` changes, from where the positions stand, until the last is acknowledged.

    So many processes share the partitions, each with so many workers. `beside` gives the pids of
    others whose time is to be shown as well.
    """
    ports = pick_free(processes)
    watch = await asyncpg.connect(database.administrator_url)
    module = ["-m", "services.ledger", "consume"]
    if profile is not None:
        module = ["-m", "cProfile", "-o", str(profile), *module]
    try:
        with ExitStack() as open_processes:
            ledgers = []
            for port in ports:
                environment = environment_of("ledger", database, prefix, port)
                environment["LOWTIDE_LEDGER_WORKERS"] = str(workers)
                process = running([sys.executable, *module], environment)
                ledgers.append(open_processes.enter_context(process))
            meter = Meter(
                {
                    **{f"ledger {each.pid}": each.pid for each in ledgers},
                    "database": listener(stack.database_port),
                    "broker": listener(int(stack.bootstrap.rpartition(":")[2])),
                    **beside,
                }
            )
            first = await _until(watch, ledgers, warm_up(count))
            cpu = meter.read()
            last = await _until(watch, ledgers, count, published=True)
            seconds = last[0] - first[0]
            processors = shares(cpu, meter.read(), seconds, last[1] - first[1])
            means = await _means(ports)
            repeats, rejected = await watch.fetchrow(_TALLIES)
    finally:
        await watch.close()
    if rejected:
        raise RuntimeError(f"{rejected:,} changes were refused: this workload is not what it says")
    return Drain((last[1] - first[1]) / seconds, seconds, *means, repeats, processors)


async def _until(
    watch: asyncpg.Connection,
    processes: Sequence[subprocess.Popen[bytes]],
    changes: int,
    *,
    published: bool = False,
) -> tuple[float, int]:
    """Wait until so many changes are committed (and told of); returns (when, how many).

    Told of is all that the batches had until then: reservations beside them have more to tell in
    every moment.
    """
    seen, moved_at, told_at = -1, time.perf_counter(), time.perf_counter()
    batches: dict[int, int] = {}
    while True:
        rows = await watch.fetch(_STANDING, TOPIC)
        done = sum(row["next_offset"] for row in rows)
        now = time.perf_counter()
        if done >= changes:
            batches = batches or {row["partition"]: row["batch"] for row in rows}
            if not published or all(row["published"] >= batches[row["partition"]] for row in rows):
                return now, done
        for process in processes:
            if process.poll() is not None:
                raise RuntimeError(f"a ledger ended with exit code {process.returncode}")
        if done != seen:
            seen, moved_at = done, now
        elif now - moved_at > _SILENCE_LIMIT_S:
            raise RuntimeError(f"the ledger has stood still at {done:,} of {changes:,}")
        if now - told_at > 10:
            tell(f"    {done:,} of {changes:,}")
            told_at = now
        await asyncio.sleep(_POLL_S)


async def _means(ports: Sequence[int]) -> tuple[float, float]:
    """Return the mean records and published levels of a batch, from the processes' own metrics."""
    totals: defaultdict[str, float] = defaultdict(float)
    async with httpx.AsyncClient() as client:
        for port in ports:
            answer = await client.get(f"http://{LOOPBACK}:{port}/metrics")
            for line in answer.text.splitlines():
                if not line.startswith("#"):
                    name, value = line.rsplit(" ", 1)
                    totals[name] += float(value)
    batches = totals[f'lowtide_batch_records_count{{topic="{TOPIC}"}}']
    records = totals[f'lowtide_batch_records_sum{{topic="{TOPIC}"}}']
    levels = totals[f'lowtide_published_total{{topic="{STOCK_LEVELS}"}}']
    return records / batches, levels / batches
