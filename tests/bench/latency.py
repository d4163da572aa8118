"""`make bench-latency`: from a sale's intended instant to its commit, its alert, its notice.

The whole stack runs; a separate process posts one request every 10 ms. All instants are read
afterwards from what the run has left behind, so measuring disturbs nothing:

- taken: the broker's time of the sale's change, which ingest answers for.
- committed: the broker's time of the level message that contains the sale. The ledger publishes
  after its commit, so this is a little more than the commit.
- alert: the broker's time of the alert's message, which the relay publishes after its commit.
- request: when the stand-in WeCom had received the notice.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from deploy.local.instance import REPOSITORY
from deploy.local.processes import ROLES, Process
from deploy.local.replays.lowtide import Lowtide
from deploy.local.stack import LocalStack
from shared.events.stock_alerts import TOPIC as STOCK_ALERTS
from shared.events.stock_changes import TOPIC as STOCK_CHANGES
from shared.events.stock_levels import TOPIC as STOCK_LEVELS
from shared.http.auth import Scope
from shared.kafka.messages import Record
from shared.kafka.tail import TailReader
from shared.testing.waiting import until
from tests.bench.latencies import (
    Missed,
    Run,
    achieved,
    of_probes,
    opened,
    percentile_ms,
    single,
    until_committed,
    until_taken,
)
from tests.bench.load import Order
from tests.bench.meter import shares
from tests.bench.plan import REQUESTS_PER_S, Plan
from tests.bench.preparing import open_shop, settled, warn
from tests.bench.report import Values, last_line, tell
from tests.bench.running import run
from tests.bench.stage import LEDGER_ROLES, fresh_stack, lowtide, meter, roles

RATES = (500, 2_000, 5_000)
WARM_UP_S, MEASURED_S = 70, 60
"""The broker's Java compiles what is hot for about a minute, with a fifth of a core."""

SHORT_WARM_UP_S, SHORT_MEASURED_S = 2, 4
ACHIEVED_SHARE, SHORT_ACHIEVED_SHARE = 0.99, 0.5
_LEAD_S, _MADE_PER_S = 8.0, 40_000
"""Between the order and the first request: the load process makes all bodies meanwhile, with so
many events a second at the least."""

_NOTICES_LIMIT_S = 60.0
GROUPS = Process(name="groups", module="tests.bench.groups", arguments=(), port=8190)
"""The chat groups, started after everything else."""


async def measure(rate: int, warm_up_s: int, measured_s: int) -> tuple[Values, Values]:
    """Return the figures and ratios of one rate; raises Missed when the run does not count."""
    plan = Plan(rate, warm_up_s + measured_s, seed=rate)
    async with fresh_stack(ROLES, [GROUPS]) as stack, lowtide(stack) as client:
        groups = f"http://127.0.0.1:{stack.surroundings.ports[GROUPS.name]}"
        await warn(client, groups)
        await open_shop(client, plan)
        await settled(client)
        run, share = await _run(stack, plan, warm_up_s)
        notices = await _notices(groups, len(plan.probes))
        await settled(client)
        merged = await _merged(client)
        changes = await _records(stack, STOCK_CHANGES)
        levels = await _records(stack, STOCK_LEVELS)
        alerts = await _records(stack, STOCK_ALERTS)
    if merged:
        raise Missed(f"{merged} notices merged")
    taken = until_taken(run, changes)
    committed = until_committed(run, levels)
    recorded = of_probes(run, opened(alerts), "alert")
    requested = of_probes(run, notices, "notice")
    figures = {
        f"taken_p50_ms_{rate}": percentile_ms(taken, 0.50),
        f"taken_p99_ms_{rate}": percentile_ms(taken, 0.99),
        f"commit_p50_ms_{rate}": percentile_ms(committed, 0.50),
        f"commit_p99_ms_{rate}": percentile_ms(committed, 0.99),
        f"commit_max_ms_{rate}": max(committed) * 1000,
        f"alert_p50_ms_{rate}": percentile_ms(recorded, 0.50),
        f"alert_p99_ms_{rate}": percentile_ms(recorded, 0.99),
        f"request_p50_ms_{rate}": percentile_ms(requested, 0.50),
        f"request_p99_ms_{rate}": percentile_ms(requested, 0.99),
        f"request_max_ms_{rate}": max(requested) * 1000,
        f"achieved_events_per_s_{rate}": share * rate,
        f"events_{rate}": float(len(committed)),
        f"notices_{rate}": float(len(requested)),
    }
    tell("  " + ", ".join(f"{name} {value:,.1f}" for name, value in figures.items()))
    return figures, {f"achieved_share_{rate}": share}


async def measure_ledger(rate: int, warm_up_s: int, measured_s: int) -> tuple[Values, Values]:
    """Return figures and ratios of one rate with nothing but ingest and ledger."""
    plan = Plan(rate, warm_up_s + measured_s, seed=rate)
    async with fresh_stack(roles(*LEDGER_ROLES)) as stack, lowtide(stack) as client:
        await open_shop(client, plan)
        await settled(client, "ledger")
        run, share = await _run(stack, plan, warm_up_s)
        await settled(client, "ledger")
        changes = await _records(stack, STOCK_CHANGES)
        levels = await _records(stack, STOCK_LEVELS)
    taken = until_taken(run, changes)
    committed = until_committed(run, levels)
    figures = {
        f"taken_p50_ms_{rate}_ledger_only": percentile_ms(taken, 0.50),
        f"taken_p99_ms_{rate}_ledger_only": percentile_ms(taken, 0.99),
        f"commit_p50_ms_{rate}_ledger_only": percentile_ms(committed, 0.50),
        f"commit_p99_ms_{rate}_ledger_only": percentile_ms(committed, 0.99),
        f"commit_max_ms_{rate}_ledger_only": max(committed) * 1000,
    }
    return figures, {f"achieved_share_{rate}_ledger_only": share}


async def _run(stack: LocalStack, plan: Plan, warm_up_s: int) -> tuple[Run, float]:
    """Post everything; returns the achieved share of the rate, or raises Missed."""
    rate = plan.events_per_s
    tell(f"{rate} events/s: {warm_up_s} s of warm-up, then {plan.seconds - warm_up_s} s")
    lead_s = _LEAD_S + plan.requests * rate / REQUESTS_PER_S / _MADE_PER_S
    run = Run(plan, warm_up_s, time.time() + lead_s)
    answers = await _load(stack, run, stack.token(*Scope))
    tell(f"  answers: {dict(Counter(status for _, status in answers))}")
    share = achieved(run, answers)
    tell(f"  taken at {share * rate:,.1f} events/s, {share:.2%} of {rate}")
    if share < (ACHIEVED_SHARE if plan.seconds >= MEASURED_S else SHORT_ACHIEVED_SHARE):
        raise Missed(f"{share:.2%} of the intended rate")
    return run, share


async def _load(stack: LocalStack, run: Run, token: str) -> list[tuple[float, int]]:
    address = urlsplit(stack.url("ingest"))
    report = Path(stack.instance.folder / "load.json")
    order = Order(
        host=address.hostname or "",
        port=address.port or 0,
        token=token,
        start=run.start,
        events_per_s=run.plan.events_per_s,
        seconds=run.plan.seconds,
        seed=run.plan.seed,
        report=report,
    )
    reading = meter(stack)
    posting = asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.bench.load"],
        cwd=REPOSITORY,
        input=order.model_dump_json().encode(),
        check=True,
    )
    async with asyncio.TaskGroup() as group:
        posted = group.create_task(posting)
        await asyncio.sleep(run.start + run.warm_up_s - time.time())
        before, began = reading.read(), time.time()
        await posted
    changes = (run.plan.seconds - run.warm_up_s) * run.plan.events_per_s
    tell("  " + shares(before, reading.read(), time.time() - began, changes))
    return _answers(report)


def _answers(report: Path) -> list[tuple[float, int]]:
    answers = json.loads(report.read_text(encoding="utf-8"))
    return [(float(answered_at), int(status)) for answered_at, status in answers]


async def _notices(groups: str, expected: int) -> dict[str, float]:
    """Return when each probe's notice arrived, by SKU, once all are there."""
    async with httpx.AsyncClient(base_url=groups, trust_env=False) as client:

        async def all_there() -> bool:
            told.update((await client.get("/notices")).json())
            return len(told["accepted"]) >= expected

        told: dict[str, Any] = {}
        with contextlib.suppress(TimeoutError):
            await until(all_there, seconds=_NOTICES_LIMIT_S)
    if told["refused"] or len(told["accepted"]) != expected:
        raise Missed(f"{len(told['accepted'])} of {expected} notices, {told['refused']} refused")
    return single(told["accepted"])


async def _records(stack: LocalStack, topic: str) -> list[Record]:
    reader = TailReader(stack.servers.bootstrap, "", [topic], start="beginning")
    found: list[Record] = []
    async for some in reader.records():
        found += some
        if reader.caught_up.is_set():
            break
    return found


async def _merged(lowtide: Lowtide) -> int:
    by_state = (await lowtide.get("notifier", "/v1/deliveries/summary"))["by_state"]
    return int(by_state.get("merged", 0))


async def bench(rates: Sequence[int], repetitions: int, *, ledger_only: bool, short: bool) -> str:
    """Return the last line."""
    warm_up_s, measured_s = (WARM_UP_S, MEASURED_S)
    if short:
        warm_up_s, measured_s = (SHORT_WARM_UP_S, SHORT_MEASURED_S)
    figures: list[Values] = []
    ratios: list[Values] = []
    for number in range(1, repetitions + 1):
        tell(f"repetition {number} of {repetitions}")
        figures.append({})
        ratios.append({})
        for rate in rates:
            measuring = measure_ledger if ledger_only else measure
            some, shares_ = await measuring(rate, warm_up_s, measured_s)
            figures[-1] |= some
            ratios[-1] |= shares_
    return last_line("latency", figures, ratios, short=short)


def main() -> None:
    """Run the benchmark; exit code 1 when a run does not count."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.latency", description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=RATES)
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--ledger-only", action="store_true", help="without what warns and tells")
    parser.add_argument("--short", action="store_true", help="a few seconds: does it work at all")
    given = parser.parse_args()
    run(bench(given.rates, given.repetitions, ledger_only=given.ledger_only, short=given.short))


if __name__ == "__main__":
    main()
