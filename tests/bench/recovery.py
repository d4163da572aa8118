"""`make bench-recovery`: how soon the ledger is where it should be, after whatever it was.

Ingest and ledger run on one stack with 50,000 filled levels, and the load comes over public HTTP
from a process of its own. The rebuild has a server of its own.
"""

import argparse
import asyncio
import json
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

import asyncpg
import psutil

from deploy.local.instance import REPOSITORY, home
from deploy.local.replays.lowtide import Json, Lowtide
from deploy.local.stack import LocalStack
from shared.http.auth import Scope
from shared.testing.stack import Database, fresh_database, migrated_template, running_stack
from tests.bench import history, messages
from tests.bench.drain import make_levels
from tests.bench.latencies import Missed
from tests.bench.meter import shares
from tests.bench.plan import CHANNEL, STOCK, Place, Plan
from tests.bench.preparing import open_shop, settled
from tests.bench.report import Values, last_line, tell
from tests.bench.running import run
from tests.bench.stage import LEDGER_ROLES, fresh_stack, lowtide, meter, roles, traffic
from tests.bench.traffic import Phase
from tests.bench.watching import Watch, instant_of

LEDGER = "ledger-consume"
EVENTS_AT_ONCE = 50
"""Events of a request."""

REAL_TIME_S = 0.25
"""Who has committed all that was due so long ago is at real time: some are always under way."""

_LIMIT_S = 300.0
_RSS_EVERY_S = 0.25

Measured = Values
"""Figures."""


@dataclass(frozen=True)
class Scale:
    """How much and how long: events a second, seconds, lines, movements."""

    catch_up_rate: int = 5_000
    away_s: float = 60
    claim_rate: int = 500
    burst_base: int = 1_000
    burst_s: float = 60
    stocktake_rate: int = 2_000
    stocktake_lines: int = 10_000
    calm_s: float = 10
    movements: int = history.MOVEMENTS


SHORT = Scale(
    catch_up_rate=200,
    away_s=3,
    claim_rate=100,
    burst_base=50,
    burst_s=3,
    stocktake_rate=100,
    stocktake_lines=1_500,
    calm_s=2,
    movements=200_000,
)


@dataclass(frozen=True)
class Floor:
    """One repetition's stack and who looks at it."""

    stack: LocalStack
    client: Lowtide
    watch: Watch
    places: Sequence[Place]
    token: str
    scale: Scale


@dataclass
class _Flow:
    """Events under way since `start`; `before` were committed by then."""

    start: float
    before: int
    phases: Sequence[Phase]

    def due(self, at: float) -> int:
        """Return how many records should be committed by an instant."""
        due, passed = self.before, at - self.start
        for phase in self.phases:
            spent = min(max(0.0, passed), phase.seconds)
            due += int(spent * phase.requests_per_s) * EVENTS_AT_ONCE
            passed -= phase.seconds
        return due


@asynccontextmanager
async def _flowing(floor: Floor, *phases: tuple[float, float]) -> AsyncIterator[_Flow]:
    """Let (events a second, seconds) flow for the block; afterwards nothing may be missing.

    Raises Missed when not all were accepted, or not every one of them has become a movement.
    """
    requests = messages.sales(
        floor.token, floor.places, EVENTS_AT_ONCE, prefix=f"{time.time():.0f}"
    )
    paced = [
        Phase(seconds=seconds, requests_per_s=per_s / EVENTS_AT_ONCE) for per_s, seconds in phases
    ]
    meter_before = meter(floor.stack)
    before, tallies = await floor.watch.committed(), await floor.watch.tallies()
    async with traffic(floor.stack.url("ingest"), requests, paced) as under_way:
        flow = _Flow(under_way.start, before, paced)
        used = meter_before.read()
        yield flow
        report = await under_way.stopped()
    await settled(floor.client, "ledger")
    events = len(report.status) * EVENTS_AT_ONCE
    meter_after = meter(floor.stack)
    # Of a process that was started anew only the new one's time is known.
    used = {
        name: cpu_s if meter_after.pids[name] == meter_before.pids[name] else 0.0
        for name, cpu_s in used.items()
    }
    tell(
        f"  {events:,} events; "
        + shares(
            used | {"load": 0.0},
            meter_after.read() | {"load": report.cpu_s},
            time.time() - flow.start,
            events,
            "event",
        )
    )
    if set(report.status) != {HTTPStatus.ACCEPTED.value}:
        raise Missed(f"answers: {dict(Counter(report.status))}")
    grown = Counter(await floor.watch.tallies())
    grown.subtract(tallies)
    became = {name: number for name, number in grown.items() if number}
    if became.pop("movements", 0) < events or any(name.startswith("rej") for name in became):
        raise Missed(f"{events:,} events were accepted; new in the ledger: {dict(grown)}")


async def catch_up(floor: Floor) -> Measured:
    """The ledger is away while events come in, and catches up while they go on."""
    scale = floor.scale
    async with _flowing(floor, (scale.catch_up_rate, scale.away_s + _LIMIT_S)) as flow:

        async def at_real_time() -> bool:
            return await floor.watch.committed() >= flow.due(time.time() - REAL_TIME_S)

        await asyncio.sleep(scale.calm_s)
        await instant_of(at_real_time, limit_s=_LIMIT_S)
        async with floor.stack.supervisor.away(LEDGER):
            went_at = time.time()
            await asyncio.sleep(scale.away_s)
        back_at = time.time()
        there_at = await instant_of(at_real_time, limit_s=_LIMIT_S)
    return {
        "catch_up_s": there_at - back_at,
        "catch_up_x_real_time": (there_at - went_at) / (there_at - back_at),
    }


async def claim(floor: Floor) -> Measured:
    """All partitions are claimed after a start that was asked for, and after kill -9."""
    child = floor.stack.supervisor.child(LEDGER)
    async with _flowing(floor, (floor.scale.claim_rate, _LIMIT_S)):
        epochs = await floor.watch.epochs()

        async def claimed() -> bool:
            return await floor.watch.claimed_since(epochs)

        await asyncio.to_thread(child.stop)
        claimed_at = await instant_of(claimed, limit_s=_LIMIT_S)
        started_at = psutil.Process(child.pid).create_time()
        await asyncio.sleep(floor.scale.calm_s)
        epochs = await floor.watch.epochs()
        killed_at = time.time()
        child.signal(signal.SIGKILL)
        again_at = await instant_of(claimed, limit_s=_LIMIT_S)
    return {"claim_s": claimed_at - started_at, "claim_after_kill_s": again_at - killed_at}


async def burst(floor: Floor) -> Measured:
    """Ten times as many events for a minute."""
    scale = floor.scale
    phases = (
        (scale.burst_base, scale.calm_s),
        (scale.burst_base * 10, scale.burst_s),
        (scale.burst_base, scale.burst_s + _LIMIT_S),
    )
    async with _flowing(floor, *phases) as flow, _largest(floor.stack) as resident_mb:
        ends_at = flow.start + scale.calm_s + scale.burst_s
        all_of_it = flow.due(ends_at)

        async def committed() -> bool:
            return await floor.watch.committed() >= all_of_it

        await asyncio.sleep(ends_at - time.time())
        there_at = await instant_of(committed, limit_s=_LIMIT_S)
    return {
        "burst_events_per_s": float(scale.burst_base * 10),
        "burst_back_to_real_time_s": there_at - ends_at,
        "burst_ledger_rss_mb": max(resident_mb),
    }


@asynccontextmanager
async def _largest(stack: LocalStack) -> AsyncIterator[list[float]]:
    """Yield the resident memory of the ledger in MB, read again and again during the block."""
    seen: list[float] = []

    async def look() -> None:
        process = psutil.Process(stack.supervisor.child(LEDGER).pid)
        while True:
            seen.append(process.memory_info().rss / 1e6)
            await asyncio.sleep(_RSS_EVERY_S)

    async with asyncio.TaskGroup() as group:
        looking = group.create_task(look())
        yield seen
        looking.cancel()


async def stocktake(floor: Floor) -> Measured:
    """A whole count sheet is posted in one go while sales go on."""
    scale = floor.scale
    lines = floor.places[: scale.stocktake_lines]
    async with _flowing(floor, (scale.stocktake_rate, _LIMIT_S)):
        await asyncio.sleep(scale.calm_s)
        posted_at = time.time()
        counted_at = datetime.fromtimestamp(posted_at, UTC)
        sheets = [
            [_count(place, number, counted_at) for number, place in enumerate(some, start)]
            for start in range(0, len(lines), 1_000)
            for some in [lines[start : start + 1_000]]
        ]

        async def counted() -> bool:
            return await floor.watch.counted(counted_at) == len(lines)

        async with asyncio.TaskGroup() as group:
            for sheet in sheets:
                group.create_task(floor.client.post("ingest", "/v1/events", sheet))
        accepted_at = time.time()
        there_at = await instant_of(counted, limit_s=_LIMIT_S, poll_s=0.05)
    return {
        "stocktake_accepted_s": accepted_at - posted_at,
        "stocktake_10000_s": there_at - posted_at,
    }


def _count(place: Place, number: int, at: datetime) -> Json:
    return {
        "id": f"ST-{at:%H%M%S%f}",
        "line": str(number),
        "channel": CHANNEL,
        "type": "count",
        "sku": place.sku,
        "warehouse": place.warehouse,
        "quantity": STOCK,
        "occurred_at": at.isoformat(),
        "reference": f"sheet/{at:%H%M%S%f}",
    }


ON_STACK: dict[str, Callable[[Floor], Awaitable[Measured]]] = {
    "catch_up": catch_up,
    "claim": claim,
    "burst": burst,
    "stocktake": stocktake,
}
REBUILD = "rebuild"


async def rebuild(movements: int) -> Measured:
    """All levels are made anew from 10 million movements."""
    with running_stack() as stack:
        template = await migrated_template(stack)
        async with fresh_database(stack, template) as database:
            levels = len(await make_levels(database))
            await history.add_history(database.url("ledger"), movements)
            await history.settle(database.administrator_url)
            began, used = time.perf_counter(), _children_cpu_s()
            done = await asyncio.to_thread(_rebuild, database)
            seconds, cpu_s = time.perf_counter() - began, _children_cpu_s() - used
    if (done["levels"], done["movements"], done["differing"]) != (levels, movements, 0):
        raise Missed(f"{levels:,} levels and {movements:,} movements, nothing amiss, became {done}")
    tell(f"  rebuilt in {seconds:.1f} s, of which {cpu_s:.1f} s of its own CPU; {done}")
    return {"rebuild_10m_s": seconds}


def _rebuild(database: Database) -> Json:
    done = subprocess.run(
        [sys.executable, "-m", "services.ledger", "rebuild", "--yes"],
        env={
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONPYCACHEPREFIX": str(home() / "cache" / "pycache"),
            "LOWTIDE_KAFKA": database.stack.bootstrap,
            "LOWTIDE_DATABASE_URL": database.url("ledger"),
        },
        cwd=home(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: Json = json.loads(done.stdout.splitlines()[-1])
    return answer


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def _repetition(given: argparse.Namespace) -> Values:
    scale = SHORT if given.short else Scale(burst_base=given.burst_base, movements=given.history)
    parts = given.only or [*ON_STACK, REBUILD]
    figures: Values = {}
    if any(part in ON_STACK for part in parts):
        plan = Plan(events_per_s=0, seconds=0, seed=0)
        async with fresh_stack(roles(*LEDGER_ROLES)) as stack, lowtide(stack) as client:
            await open_shop(client, plan)
            await settled(client, "ledger")
            connection = await asyncpg.connect(stack.administrator_url)
            token = stack.token(*Scope)
            floor = Floor(stack, client, Watch(connection), plan.shelves, token, scale)
            for part in parts:
                if part in ON_STACK:
                    tell(f"{part}: {ON_STACK[part].__doc__}")
                    figures |= await ON_STACK[part](floor)
            await connection.close()
    if REBUILD in parts:
        tell(f"{REBUILD}: {rebuild.__doc__}")
        figures |= await rebuild(scale.movements)
    return figures


async def bench(given: argparse.Namespace) -> str:
    """Return the last line."""
    done: list[Values] = []
    for number in range(1, given.repetitions + 1):
        tell(f"repetition {number} of {given.repetitions}")
        done.append(await _repetition(given))
    return last_line("recovery", done, [{} for _ in done], short=given.short)


def main() -> None:
    """Run the benchmark; exit code 1 when a run does not count."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.recovery", description=__doc__)
    parser.add_argument("--only", choices=[*ON_STACK, REBUILD], nargs="+", help="some of the parts")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--burst-base", type=int, default=Scale.burst_base, help="events a second")
    parser.add_argument("--history", type=int, default=Scale.movements, help="movements to rebuild")
    parser.add_argument("--short", action="store_true", help="a few seconds: does it work at all")
    run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
