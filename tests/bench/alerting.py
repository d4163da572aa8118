"""`make bench-alerting`: level messages per second from a pre-filled topic to recorded episodes.

The real consumer drains `stock.levels` of 50,000 levels: without a rule, with three built-in ones,
and with 200 rules of conditions of the user's own, 20 of which watch each level; and the latter two
with two processes. Ratios are of one repetition, on one server: what rules cost. One message in 500
tells of a level that is low.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec

from deploy.local.ports import pick_free
from services.alerting.settings import AlertingSettings
from services.alerting.wiring import serve as alerting_serve
from shared.clock import WallClock
from shared.events.stock_levels import TOPIC, level_key
from shared.kafka.messages import Message
from shared.kafka.producer import Producer
from shared.observability.logs import configure_logs
from shared.testing.stack import (
    Database,
    Stack,
    fresh_database,
    fresh_topics,
    migrated_template,
    running_stack,
)
from tests.bench.alone import administrator, environment_of, keys, running
from tests.bench.drain import warm_up
from tests.bench.meter import Meter, listener, shares
from tests.bench.report import Values, last_line, tell
from tests.bench.running import run
from tests.bench.workload import WAREHOUSES, Shelf, shelves

MESSAGES, SHORT_MESSAGES = 1_000_000, 60_000
RULES, RULES_A_LEVEL = 200, 20
LOW_EACH = 500
"""Messages of which one tells of a level that is low."""

PLENTY, LOW = 500, 5
DAYS = 30.0
"""Of event time that the messages tell of: mean daily sales need a week."""

_CHUNK = 20_000
_POLL_S = 0.05
_LIMIT_S = 900.0

Rules = dict[str, dict[str, object]]


class Levels:
    """The messages of all levels, from a seed; each is the next version of one of them."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._chance = random.Random(5)  # noqa: S311 - a workload, not a secret
        self._start = WallClock().now() - timedelta(days=DAYS)

    def __iter__(self) -> Iterator[Message]:
        places = shelves()
        versions = dict.fromkeys(places, 0)
        sold = dict.fromkeys(places, 0)
        step = timedelta(days=DAYS) / self._count
        for number, place in enumerate(self._chance.choices(places, k=self._count)):
            versions[place] += 1
            sold[place] += 1
            available = LOW if number % LOW_EACH == 0 else PLENTY - versions[place]
            yield _message(
                place, versions[place], available, sold[place], self._start + number * step
            )


def _message(place: Shelf, version: int, available: int, sold: int, at: object) -> Message:
    value = {
        "v": 1,
        "sku": place.sku,
        "warehouse": place.warehouse,
        "version": version,
        "on_hand": available,
        "reserved": 0,
        "unavailable": 0,
        "incoming": 0,
        "available": available,
        "low_water": available,
        "counted_at": None,
        "last_change_at": at,
        "sold_total": sold,
        "returned_total": 0,
        "received_total": 0,
    }
    return Message(
        place.partition, level_key(place.sku, place.warehouse), msgspec.json.encode(value)
    )


def built_in() -> Rules:
    """Return three rules of kinds that are built in, over all levels."""
    return {
        "out": _rule("stock_out"),
        "low": _rule("below", levels=[{"level": "urgent", "enter": 20, "exit": 30}]),
        "cover": _rule("days_of_cover", levels=[{"level": "watch", "enter": 3, "exit": 5}]),
    }


def custom() -> Rules:
    """Return 200 rules with conditions of the user's own; a warehouse has 20 of them."""
    groups = [*WAREHOUSES, *(f"elsewhere-{number}" for number in range(RULES // RULES_A_LEVEL))]
    return {
        f"own-{number:03d}": _rule(
            "custom",
            levels=[{"level": "watch"}],
            scope={"warehouses": [groups[number // RULES_A_LEVEL]]},
            condition=f'available < {10 + number % 10} && trend_7d > 1.2 && sku != "none"',
        )
        for number in range(RULES)
    }


def _rule(kind: str, **fields: object) -> dict[str, object]:
    return {"name": {"en": kind}, "kind": kind} | fields


class Part(NamedTuple):
    """What watches, and how many processes share the partitions."""

    rules: Rules
    processes: int = 1


PARTS = {
    "no_rules": Part({}),
    "built_in": Part(built_in()),
    "custom": Part(custom()),
    "built_in_2_processes": Part(built_in(), 2),
    "custom_2_processes": Part(custom(), 2),
}


async def measure(stack: Stack, template: str, prefix: str, name: str, count: int) -> float:
    """Return how many levels a second are evaluated in one of the parts."""
    async with fresh_database(stack, template) as database:
        with keys() as folder:
            settings = AlertingSettings(
                kafka=stack.bootstrap,
                topic_prefix=prefix,
                database_url=database.url("alerting"),
                jwks_file=folder / "jwks.json",
            )
            await _put_rules(settings, folder, PARTS[name].rules)
        return await _drained(database, prefix, name, count)


async def _put_rules(settings: AlertingSettings, folder: Path, rules: Rules) -> None:
    async with administrator(alerting_serve.application(settings), folder) as client:
        for id_, rule in rules.items():
            (await client.put(f"/v1/rules/{id_}", json=rule)).raise_for_status()


async def _drained(database: Database, prefix: str, name: str, count: int) -> float:
    stack = database.stack
    watch = await asyncpg.connect(database.administrator_url)
    try:
        with ExitStack() as open_processes:
            consumers = {}
            for port in pick_free(PARTS[name].processes):
                environment = environment_of("alerting", database, prefix, port)
                argv = [sys.executable, "-m", "services.alerting", "consume"]
                process = open_processes.enter_context(running(argv, environment))
                consumers[f"alerting {process.pid}"] = process.pid
            servers = {
                "database": listener(stack.database_port),
                "broker": listener(int(stack.bootstrap.rpartition(":")[2])),
            }
            meter = Meter(consumers | servers)
            first = await _until(watch, warm_up(count))
            before = meter.read()
            last = await _until(watch, count)
            seconds = last[0] - first[0]
            used = shares(before, meter.read(), seconds, last[1] - first[1], "level")
        alerts = await watch.fetchval("SELECT count(*) FROM alerting.alert")
    finally:
        await watch.close()
    speed = (last[1] - first[1]) / seconds
    tell(f"  {name}: {speed:,.0f} levels/s over {seconds:.1f} s, {alerts:,} alerts; {used}")
    return speed


async def _until(watch: asyncpg.Connection, levels: int) -> tuple[float, int]:
    deadline = time.perf_counter() + _LIMIT_S
    while True:
        done = await watch.fetchval(
            "SELECT COALESCE(sum(next_offset), 0)::bigint FROM alerting.consumer_position "
            "WHERE topic = $1",
            TOPIC,
        )
        now = time.perf_counter()
        if done >= levels:
            return now, done
        if now > deadline:
            raise RuntimeError(f"alerting has come to {done:,} of {levels:,} levels")
        await asyncio.sleep(_POLL_S)


async def _fill(stack: Stack, prefix: str, count: int) -> None:
    told = iter(Levels(count))
    async with Producer(stack.bootstrap, prefix, name="bench", timeout_seconds=60) as producer:
        while messages := list(islice(told, _CHUNK)):
            await producer.send(TOPIC, messages)


async def _repetition(names: Sequence[str], count: int) -> tuple[Values, Values]:
    figures: Values = {}
    with running_stack() as stack:
        template = await migrated_template(stack)
        async with fresh_topics(stack) as prefix:
            await _fill(stack, prefix, count)
            for name in names:
                speed = await measure(stack, template, prefix, name, count)
                figures[f"levels_per_s_{name}"] = speed
    bare = figures.get("levels_per_s_no_rules")
    ratios = {
        f"{name}_vs_no_rules": figures[f"levels_per_s_{name}"] / bare
        for name in names
        if bare is not None and name != "no_rules"
    }
    return figures, ratios


async def bench(given: argparse.Namespace) -> str:
    """Return the last line."""
    count = SHORT_MESSAGES if given.short else given.levels
    done: list[tuple[Values, Values]] = []
    for number in range(1, given.repetitions + 1):
        tell(f"repetition {number} of {given.repetitions}")
        done.append(await _repetition(given.only or [*PARTS], count))
    figures, ratios = zip(*done, strict=True)
    return last_line("alerting", figures, ratios, short=given.short)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.alerting", description=__doc__)
    parser.add_argument("--only", choices=[*PARTS], nargs="+", help="some of the parts")
    parser.add_argument("--levels", type=int, default=MESSAGES, help="messages to drain")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="a few seconds: does it work at all")
    configure_logs("bench", "alerting", level="warning", form="plain")
    run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
