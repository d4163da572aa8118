"""`make bench-memory`: resident memory of each process, after sustained load and with many levels.

Every service runs, and each part has a stack of its own. Resident is what the system says (RSS);
of a process with children, such as the database, each page that they share is counted once.
"""

import argparse
import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from statistics import linear_regression

from deploy.local.instance import REPOSITORY
from deploy.local.processes import ROLES
from deploy.local.stack import LocalStack
from shared.http.auth import Scope
from tests.bench import messages
from tests.bench.fill import Kind
from tests.bench.latencies import Missed
from tests.bench.meter import Meter
from tests.bench.plan import Plan
from tests.bench.preparing import open_shop, settled
from tests.bench.report import Values, last_line, tell
from tests.bench.running import run
from tests.bench.stage import fresh_stack, lowtide, meter, traffic
from tests.bench.traffic import Phase

MINUTES, HOUR_MINUTES, SHORT_MINUTES = 4.0, 60.0, 0.1
EVENTS_PER_S, EVENTS_AT_ONCE = 500, 50
FEW_LEVELS, MANY_LEVELS = 50_000, 1_000_000
SHORT_FEW_LEVELS, SHORT_MANY_LEVELS = 500, 10_000
LEDGER = "ledger-consume"

_LOOKS = 60
_LIMIT_S = 900.0


async def load(minutes: float) -> Values:
    """Return each process's memory at the end of a sustained load, and how fast it grew."""
    plan = Plan(events_per_s=0, seconds=0, seed=0)
    async with fresh_stack(ROLES) as stack, lowtide(stack) as client:
        await open_shop(client, plan)
        await settled(client)
        requests = messages.sales(stack.token(*Scope), plan.shelves, EVENTS_AT_ONCE)
        phase = Phase(seconds=minutes * 60, requests_per_s=EVENTS_PER_S / EVENTS_AT_ONCE)
        async with traffic(stack.url("ingest"), requests, [phase]) as under_way:
            looks = await _looks(meter(stack), under_way.start + phase.seconds)
            report = await under_way.ended()
        if set(report.status) != {HTTPStatus.ACCEPTED.value}:
            raise Missed(f"answers: {dict(Counter(report.status))}")
        await settled(client)
    last = looks[-1][1]
    _tell(last)
    late = looks[len(looks) // 2 :]
    hours = [at / 3600 for at, _ in late]
    growth = {
        f"{_key(name)}_growth_mb_per_h": linear_regression(
            hours, [resident[name] for _, resident in late]
        ).slope
        for name in last
    }
    return {f"{_key(name)}_rss_mb": mb for name, mb in last.items()} | growth


async def _looks(reading: Meter, until: float) -> list[tuple[float, dict[str, float]]]:
    """Return (seconds since the first look, MB by process), evenly spread until an instant."""
    began, seen = time.time(), []
    pause_s = (until - began) / _LOOKS
    for number in range(1, _LOOKS + 1):
        await asyncio.sleep(began + number * pause_s - time.time())
        seen.append((time.time() - began, reading.resident_mb()))
    return seen


async def levels(few: int, many: int) -> Values:
    """Return each process's memory when every one of so many levels has changed."""
    async with fresh_stack(ROLES) as stack, lowtide(stack) as client:
        resident = {}
        for count in (few, many):
            await asyncio.to_thread(_fill, stack, "levels", count)
            await settled(client, limit_s=_LIMIT_S)
            known = (await client.get("ledger", "/v1/summary"))["levels"]
            if known != count:
                raise Missed(f"{known:,} levels instead of {count:,}")
            resident[count] = meter(stack).resident_mb()
            _tell(resident[count])
    more = resident[many][LEDGER] - resident[few][LEDGER]
    return {
        "ledger_rss_mb_50k_levels": resident[few][LEDGER],
        "ledger_rss_mb_1m_levels": resident[many][LEDGER],
        "ledger_bytes_a_level": more * 1e6 / (many - few),
    } | {f"{_key(name)}_rss_mb_1m_levels": mb for name, mb in resident[many].items()}


def _fill(stack: LocalStack, kind: Kind, count: int) -> None:
    """Have each of so many levels changed once; those told of before are repeats."""
    argv = [sys.executable, "-m", "tests.bench.fill", stack.servers.bootstrap, ""]
    subprocess.run([*argv, kind, str(count), "0"], cwd=REPOSITORY, check=True, stdout=sys.stderr)


def _key(process: str) -> str:
    return process.replace("-", "_")


def _tell(resident: Mapping[str, float]) -> None:
    tell("  " + ", ".join(f"{name} {mb:,.0f} MB" for name, mb in resident.items()))


async def bench(given: argparse.Namespace) -> str:
    """Return the last line."""
    minutes = HOUR_MINUTES if given.hour else given.minutes
    few, many = FEW_LEVELS, MANY_LEVELS
    if given.short:
        minutes, few, many = SHORT_MINUTES, SHORT_FEW_LEVELS, SHORT_MANY_LEVELS
    parts: Sequence[str] = given.only or PARTS
    done: list[Values] = []
    for number in range(1, given.repetitions + 1):
        tell(f"repetition {number} of {given.repetitions}")
        done.append({})
        if "load" in parts:
            tell(f"{EVENTS_PER_S} events/s for {minutes:g} minutes")
            done[-1] |= await load(minutes)
        if "levels" in parts:
            tell(f"{few:,} and {many:,} levels")
            done[-1] |= await levels(few, many)
    return last_line("memory", done, [{} for _ in done], short=given.short)


PARTS = ("load", "levels")


def main() -> None:
    """Run the benchmark; exit code 1 when a run does not count."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.memory", description=__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="+", help="one of the parts")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="length of the load")
    parser.add_argument("--hour", action="store_true", help="an hour of load")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="a few seconds: does it work at all")
    run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
