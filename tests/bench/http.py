"""`make bench-http`: what the services answer over HTTP, and how quickly.

The load comes from a process of its own over kept-alive connections; what it takes of the two
sides' processor is shown with the services'. Throughput is of connections that are never idle;
latency of an even pace, from each request's intended instant.
"""

import argparse
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from deploy.local.replays.lowtide import Lowtide
from deploy.local.stack import LocalStack
from shared.clock import WallClock
from shared.http.auth import Scope
from shared.http.pages import MAX_LIMIT
from tests.bench import history, messages, peers
from tests.bench.latencies import Missed, percentile_ms
from tests.bench.meter import shares
from tests.bench.plan import Place, Plan
from tests.bench.preparing import open_shop, settled
from tests.bench.report import Values, last_line, tell
from tests.bench.running import run
from tests.bench.stage import LEDGER_ROLES, fresh_stack, lowtide, meter, roles, traffic
from tests.bench.traffic import Phase, Report

SECONDS, WARM_UP_S = 20.0, 5.0
SHORT_SECONDS, SHORT_WARM_UP_S, SHORT_HISTORY = 2.0, 1.0, 200_000
LEVEL_QUERIES_PER_S, SHORT_LEVEL_QUERIES_PER_S = 2_000, 100
EVENTS_AT_ONCE = 1_000
BATCH_CONNECTIONS, CONNECTIONS, RESERVING_CONNECTIONS = 4, 32, 64

Measured = tuple[Values, Values]
"""Figures and ratios."""


@dataclass(frozen=True)
class Floor:
    """One repetition's stack, with 50,000 filled levels."""

    stack: LocalStack
    client: Lowtide
    plan: Plan
    token: str
    warm_up_s: float
    seconds: float
    movements: int
    level_queries_per_s: int


async def level_queries(floor: Floor) -> Measured:
    """Ask for single levels: at an even pace, then as fast as they are answered."""
    requests = [
        messages.get(f"/v1/levels/{place.sku}/{place.warehouse}", floor.token)
        for place in random.Random(1).sample(floor.plan.shelves, k=10_000)  # noqa: S311 - a workload
    ]
    paced = await _sent(floor, "ledger", requests, per_s=floor.level_queries_per_s)
    rushed = await _sent(floor, "ledger", requests, connections=CONNECTIONS)
    rate = f"{floor.level_queries_per_s}rps"
    return {
        f"level_p50_ms_{rate}": percentile_ms(paced.latencies_s, 0.50),
        f"level_p99_ms_{rate}": percentile_ms(paced.latencies_s, 0.99),
        f"level_max_ms_{rate}": max(paced.latencies_s) * 1000,
        f"level_achieved_{rate}": paced.per_s,
        "level_rps": rushed.per_s,
    }, {}


async def ingest(floor: Floor) -> Measured:
    """Post events, 1,000 at a time and one by one, while the ledger is away."""
    places = floor.plan.shelves
    batches = messages.sales(floor.token, places, EVENTS_AT_ONCE, prefix="many")
    singles = messages.sales(floor.token, places[:10_000], 1, prefix="one")
    async with floor.stack.supervisor.away("ledger-consume"):
        many = await _sent(
            floor,
            "ingest",
            batches,
            connections=BATCH_CONNECTIONS,
            expected=HTTPStatus.ACCEPTED,
        )
        one = await _sent(
            floor, "ingest", singles, connections=CONNECTIONS, expected=HTTPStatus.ACCEPTED
        )
        posted = many.requests * EVENTS_AT_ONCE + one.requests
        waiting = (await floor.client.get("ledger", "/v1/summary"))["lag_records"]
        if waiting != posted:
            raise Missed(f"{posted:,} events were accepted, {waiting:,} wait for the ledger")
    await settled(floor.client, "ledger")
    return {
        "ingest_batch_events_per_s": many.per_s * EVENTS_AT_ONCE,
        "ingest_batch_p99_ms": percentile_ms(many.latencies_s, 0.99),
        "ingest_batch_cpu_us_per_event": many.cpu_us("ingest-serve") / EVENTS_AT_ONCE,
        "ingest_single_rps": one.per_s,
        "ingest_single_p99_ms": percentile_ms(one.latencies_s, 0.99),
        "ingest_single_cpu_us": one.cpu_us("ingest-serve"),
    }, {}


async def reservations(floor: Floor) -> Measured:
    """Reserve one unit of any level, then always of the same; beside the bare UPDATE of any."""

    async def reserved(places: Sequence[Place], prefix: str) -> _Sent:
        return await _sent(
            floor,
            "ledger",
            messages.reservations(floor.token, places, prefix),
            connections=RESERVING_CONNECTIONS,
            expected=HTTPStatus.CREATED,
        )

    any_level = await reserved(floor.plan.shelves, "cold")
    one_level = await reserved(floor.plan.shelves[:1], "hot")
    url = floor.stack.servers.service_url("ledger", "lowtide")
    await peers.conditional_updates(url, floor.warm_up_s)
    bare = await peers.conditional_updates(url, floor.seconds)
    tell(f"  bare conditional UPDATE: {bare:,.0f}/s")
    return {
        "reserve_rps_cold": any_level.per_s,
        "reserve_p99_ms_cold": percentile_ms(any_level.latencies_s, 0.99),
        "reserve_rps_hot": one_level.per_s,
        "reserve_p99_ms_hot": percentile_ms(one_level.latencies_s, 0.99),
        "update_cold_tps": bare,
    }, {
        "reserve_vs_update_cold": any_level.per_s / bare,
        "reserve_hot_vs_update_cold": one_level.per_s / bare,
    }


async def statements(floor: Floor) -> Measured:
    """Ask for 30 days of single levels' movements, one after the other, 10 million all told."""
    url = floor.stack.servers.service_url("ledger", "lowtide")
    await history.add_history(url, floor.movements)
    await history.settle(floor.stack.administrator_url)
    start = f"{(WallClock().now() - timedelta(days=history.DAYS)):%Y-%m-%dT%H:%M:%SZ}"
    paths = [
        f"/v1/levels/{place.sku}/{place.warehouse}/statement?from={start}&limit={MAX_LIMIT}"
        for place in random.Random(2).sample(floor.plan.shelves, k=10_000)  # noqa: S311 - a workload
    ]
    requests = [messages.get(path, floor.token) for path in paths]
    sent = await _sent(floor, "ledger", requests, connections=1)
    page = await floor.client.get("ledger", paths[0])
    return {
        "statement_30d_ms_10m": percentile_ms(sent.latencies_s, 0.50),
        "statement_30d_p99_ms_10m": percentile_ms(sent.latencies_s, 0.99),
        "statement_30d_lines": float(len(page["items"])),
    }, {}


PARTS: dict[str, Callable[[Floor], Awaitable[Measured]]] = {
    "levels": level_queries,
    "reservations": reservations,
    "ingest": ingest,
    "statement": statements,
}


@dataclass(frozen=True)
class _Sent:
    """What came of requests after the warm-up, and `cpu_s` of each process for all of them."""

    latencies_s: list[float]
    seconds: float
    requests: int
    cpu_s: dict[str, float]

    @property
    def per_s(self) -> float:
        return len(self.latencies_s) / self.seconds

    def cpu_us(self, process: str) -> float:
        """Return a process's time for one request."""
        return self.cpu_s[process] / self.requests * 1e6


async def _sent(
    floor: Floor,
    service: str,
    requests: Sequence[str],
    *,
    per_s: float = 0,
    connections: int = CONNECTIONS,
    expected: HTTPStatus = HTTPStatus.OK,
) -> _Sent:
    """Send requests for the floor's time; raises Missed unless all are answered as expected."""
    phases = [Phase(seconds=floor.warm_up_s + floor.seconds, requests_per_s=per_s)]
    reading = meter(floor.stack)
    url = floor.stack.url(service)
    async with traffic(url, requests, phases, connections=connections) as under_way:
        before = reading.read()
        report = await under_way.ended()
        after = reading.read()
    sent = _after_warm_up(report, floor, {name: after[name] - before[name] for name in before})
    total_s = max(report.answered)
    processors = shares(
        before | {"load": 0.0}, after | {"load": report.cpu_s}, total_s, sent.requests, "request"
    )
    tell(f"  {sent.per_s:,.0f} requests/s; {processors}")
    statuses = Counter(report.status)
    if set(statuses) != {expected.value}:
        raise Missed(f"answers: {dict(statuses)}")
    return sent


def _after_warm_up(report: Report, floor: Floor, cpu_s: dict[str, float]) -> _Sent:
    measured = [
        (due, answered)
        for due, answered in zip(report.due, report.answered, strict=True)
        if due >= floor.warm_up_s
    ]
    return _Sent(
        [answered - due for due, answered in measured],
        max(answered for _, answered in measured) - floor.warm_up_s,
        len(report.status),
        cpu_s,
    )


async def bench(given: argparse.Namespace) -> str:
    """Return the last line."""
    done: list[Measured] = []
    for number in range(1, given.repetitions + 1):
        tell(f"repetition {number} of {given.repetitions}")
        done.append(await _repetition(given))
    figures, ratios = zip(*done, strict=True)
    return last_line("http", figures, ratios, short=given.short)


async def _repetition(given: argparse.Namespace) -> Measured:
    figures: Values = {}
    ratios: Values = {}
    plan = Plan(events_per_s=0, seconds=0, seed=0)
    async with fresh_stack(roles(*LEDGER_ROLES)) as stack, lowtide(stack) as client:
        await open_shop(client, plan)
        await settled(client, "ledger")
        floor = Floor(
            stack,
            client,
            plan,
            stack.token(*Scope),
            SHORT_WARM_UP_S if given.short else WARM_UP_S,
            SHORT_SECONDS if given.short else given.seconds,
            SHORT_HISTORY if given.short else given.history,
            SHORT_LEVEL_QUERIES_PER_S if given.short else LEVEL_QUERIES_PER_S,
        )
        for part in given.only or PARTS:
            tell(f"{part}: {PARTS[part].__doc__}")
            more, further = await PARTS[part](floor)
            figures |= more
            ratios |= further
    return figures, ratios


def main() -> None:
    """Run the benchmark; exit code 1 when a run does not count."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.http", description=__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="+", help="some of the parts")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of each part")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument(
        "--history", type=int, default=history.MOVEMENTS, help="movements that statements are of"
    )
    parser.add_argument("--short", action="store_true", help="a few seconds: does it work at all")
    run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
