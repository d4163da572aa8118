"""`make bench-notifier`: from the alert's message to the request at the destination.

The real `consume` and `send` run; a process of its own stands in for the vendors.

- drain: notices that wait for twenty receivers without a limit, worked off as fast as it goes;
  beside it the same bodies, posted by the same client without anything else.
- flood: 5,000 alerts a minute for five groups that take twenty messages a minute, and a
  destination that never answers; meanwhile a hundred other groups get a notice now and then. It
  fails where a group is sent more than it takes, something less urgent goes before something more
  urgent, a notice is lost, or the other groups wait.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
from cryptography.fernet import Fernet
from pydantic import SecretStr

from deploy.local.ports import LOOPBACK, pick_free
from services.notifier.settings import SecretSettings
from services.notifier.wiring import serve as notifier_serve
from shared.clock import WallClock
from shared.events.stock_alerts import TOPIC, StockAlert
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
from shared.testing.waiting import until
from shared.testing.webhook import PATH as HOOK
from tests.bench.alone import administrator, environment_of, keys, running, surroundings
from tests.bench.groups import HOOK_SECRET
from tests.bench.latencies import Missed, percentile_ms
from tests.bench.meter import Meter, listener, shares
from tests.bench.plan import GROUPS, group_key, warehouse
from tests.bench.report import Values, last_line, tell
from tests.bench.running import run
from tests.factories.stock_alerts import stock_alert

NOTICES, SHORT_NOTICES = 4_000, 200
RECEIVERS = 20
FLOOD, FLOOD_S = 5_000, 60.0
SHORT_FLOOD, SHORT_FLOOD_S = 300, 4.0
FLOODED = 5
"""The first of the groups; the others get a notice every `CALM_S` seconds, one after another."""
CALM_S = 0.2
URGENT_EACH = 10
"""Of a flood, one alert in so many is of the level that is told first."""
LONGEST_WAIT_MS = 1_000.0
HANGS = "hangs"

_LIMIT_S = 300.0
_POLL_S = 0.05
_LET_THROUGH_S = 2.0
"""What waits for less than that may have come while a less urgent message was on its way."""


@dataclass(frozen=True)
class Shop:
    """A notifier's database and topics, its environment, and what stands in for the vendors."""

    settings: SecretSettings
    database: Database
    folder: Path
    watch: asyncpg.Connection
    vendors: str
    prefix: str

    def environment(self) -> dict[str, str]:
        """Return the environment of a role."""
        (port,) = pick_free(1)
        key = self.settings.secret_key.get_secret_value()
        own = environment_of("notifier", self.database, self.prefix, port)
        return own | {"LOWTIDE_SECRET_KEY": key}

    async def put(self, bodies: Mapping[str, Mapping[str, object]]) -> None:
        """Put destinations, and a route to each for the alerts that bear its name."""
        async with administrator(notifier_serve.application(self.settings), self.folder) as client:
            for id_, body in bodies.items():
                route = {"destination": id_, "match": {"labels": {"group": id_}}}
                for path, said in (("destinations", body), ("routes", route)):
                    answer = await client.put(f"/v1/{path}/{id_}", json=said)
                    if not answer.is_success:
                        raise Missed(answer.text)

    async def states(self) -> Counter[str]:
        """Return how many deliveries there are by state."""
        rows = await self.watch.fetch(
            "SELECT state, count(*) AS amount FROM notifier.delivery GROUP BY 1"
        )
        return Counter({row["state"]: row["amount"] for row in rows})

    async def until_none(self, *states: str, but: str = "") -> None:
        """Wait until no delivery is in one of some states, but those of one destination."""

        async def none() -> bool:
            query = """SELECT NOT EXISTS (SELECT FROM notifier.delivery
                       WHERE state = ANY($1) AND destination <> $2)"""
            return bool(await self.watch.fetchval(query, list(states), but))

        await until(none, seconds=_LIMIT_S)

    async def until_recorded(self, count: int) -> None:
        """Wait until so many alerts have their deliveries."""

        async def recorded() -> bool:
            query = "SELECT count(*) FROM notifier.delivery WHERE alert_id IS NOT NULL"
            return bool(await self.watch.fetchval(query) >= count)

        await until(recorded, seconds=_LIMIT_S)


@asynccontextmanager
async def opened(stack: Stack, template: str) -> AsyncIterator[Shop]:
    """Yield a notifier's ground, and vendors that run."""
    (port,) = pick_free(1)
    async with AsyncExitStack() as ground:
        database: Database = await ground.enter_async_context(fresh_database(stack, template))
        prefix = await ground.enter_async_context(fresh_topics(stack))
        folder = ground.enter_context(keys())
        argv = [sys.executable, "-m", "tests.bench.groups"]
        ground.enter_context(running(argv, surroundings(port)))
        url = f"http://{LOOPBACK}:{port}"
        await until(lambda: _answers(url), seconds=30)
        watch = await asyncpg.connect(database.administrator_url)
        ground.push_async_callback(watch.close)
        settings = SecretSettings(
            kafka=stack.bootstrap,
            topic_prefix=prefix,
            database_url=SecretStr(database.url("notifier")),
            jwks_file=folder / "jwks.json",
            secret_key=SecretStr(Fernet.generate_key().decode()),
        )
        yield Shop(settings, database, folder, watch, url, prefix)


async def _answers(url: str) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"{url}/healthz")).is_success
    except httpx.TransportError:
        return False


def _alert(number: int, group: str, level: str = "out") -> StockAlert:
    now = WallClock().now()
    times = dict.fromkeys(("opened_at", "occurred_at", "recorded_at"), now)
    return stock_alert(number, labels={"group": group}, level=level, **times)


def _messages(alerts: Iterable[StockAlert]) -> list[Message]:
    return [Message(0, str(each.alert_id).encode(), each.encode()) for each in alerts]


async def drain(stack: Stack, template: str, count: int) -> tuple[Values, Values]:
    """Return how fast what waits is worked off, and how that is beside bare posting."""
    receivers = [f"hook-{number:02d}" for number in range(RECEIVERS)]
    async with opened(stack, template) as shop:
        hook = {"url": f"{shop.vendors}{HOOK}", "secret": HOOK_SECRET}
        await shop.put({each: _destination(each, "webhook", hook) for each in receivers})
        async with Producer(stack.bootstrap, shop.prefix, name="bench") as producer:
            alerts = (_alert(number, receivers[number % RECEIVERS]) for number in range(1, count))
            await producer.send(TOPIC, _messages(alerts))
        with running([sys.executable, "-m", "services.notifier", "consume"], shop.environment()):
            await shop.until_recorded(count - 1)
        command = [sys.executable, "-m", "services.notifier", "send"]
        with running(command, shop.environment()) as send:
            meter = Meter({"send": send.pid, "database": listener(stack.database_port)})
            first = await _until_sent(shop, count // 10)
            before = meter.read()
            last = await _until_sent(shop, count - 1)
            after = meter.read()
        seconds, sent = last[0] - first[0], last[1] - first[1]
        tell(f"  {shares(before, after, seconds, sent, 'notice')}")
        bodies = await shop.watch.fetch("SELECT rendered FROM notifier.attempt")
        bare = await _bare(shop.vendors, [row["rendered"] for row in bodies])
    speed = sent / seconds
    tell(f"  drain: {speed:,.0f} notices/s, bare {bare:,.0f} posts/s")
    cpu_ms = (after["send"] - before["send"]) / sent * 1000
    figures = {"notices_per_s": speed, "send_cpu_ms_per_notice": cpu_ms, "bare_posts_per_s": bare}
    return figures, {"vs_bare_posts": speed / bare}


async def _until_sent(shop: Shop, count: int) -> tuple[float, int]:
    deadline = time.perf_counter() + _LIMIT_S
    while time.perf_counter() < deadline:
        sent = await shop.watch.fetchval(
            "SELECT count(*) FROM notifier.delivery WHERE state = 'sent'"
        )
        if sent >= count:
            return time.perf_counter(), sent
        await asyncio.sleep(_POLL_S)
    raise Missed(f"not sent within {_LIMIT_S:.0f} s: {await shop.states()}")


async def _bare(vendors: str, bodies: Sequence[bytes]) -> float:
    """Return how many of the bodies a second are posted, over as many clients as receivers."""
    waiting = iter(bodies)

    async def post() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            for body in waiting:
                await client.post(f"{vendors}/bare", content=body)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(RECEIVERS):
            group.create_task(post())
    return len(bodies) / (time.perf_counter() - began)


async def flood(stack: Stack, template: str, count: int, seconds: float) -> tuple[Values, Values]:
    """Return how long the others waited for their notices meanwhile; raises Missed."""
    groups = [warehouse(number) for number in range(GROUPS)]
    flooded, calm = groups[:FLOODED], groups[FLOODED:]
    async with opened(stack, template) as shop, _silence() as silent:
        bots = {
            group: {"key": group_key(number), "url": shop.vendors}
            for number, group in enumerate(groups)
        }
        bots[HANGS] = {"key": group_key(GROUPS), "url": silent}
        await shop.put({each: _destination(each, "wecom_bot", bot) for each, bot in bots.items()})
        module = [sys.executable, "-m", "services.notifier"]
        with (
            running([*module, "consume"], shop.environment()) as consume,
            running([*module, "send"], shop.environment()) as send,
        ):
            meter = Meter({"consume": consume.pid, "send": send.pid})
            await _warm(shop, calm)
            before, began = meter.read(), time.perf_counter()
            calm_numbers = await _told(shop, count, seconds, flooded, calm)
            lasted = time.perf_counter() - began
            tell(f"  {shares(before, meter.read(), lasted, count, 'alert')}")
            await shop.until_recorded(count)
            await shop.until_none("waiting", "sending", "failed", but=HANGS)
        waits = await _waits(shop, calm_numbers)
        await _judge(shop, count, flooded)
    p99 = percentile_ms(waits, 0.99)
    if p99 > LONGEST_WAIT_MS:
        raise Missed(f"the other groups waited for {p99:,.0f} ms (p99)")
    figures = {
        "flood_others_p50_ms": percentile_ms(waits, 0.50),
        "flood_others_p99_ms": p99,
        "flood_others": float(len(waits)),
    }
    return figures, {}


async def _warm(shop: Shop, calm: Sequence[str]) -> None:
    """Wait until every group has a sender."""
    await until(lambda: _all_served(shop), seconds=30)
    async with Producer(shop.settings.kafka, shop.prefix, name="bench") as producer:
        first = _alert(1_000_000, calm[-1])
        await producer.send(TOPIC, _messages([first]))
    await shop.until_recorded(1)
    await shop.until_none("waiting", "sending")


async def _all_served(shop: Shop) -> bool:
    served = await shop.watch.fetchval(
        "SELECT count(*) FROM notifier.lease WHERE until > clock_timestamp()"
    )
    return bool(served == GROUPS + 1)


async def _told(
    shop: Shop, count: int, seconds: float, flooded: Sequence[str], calm: Sequence[str]
) -> list[int]:
    """Tell of everything at an even pace; returns the numbers of the alerts of calm groups."""
    steps = round(seconds / CALM_S)
    number, calm_numbers = 0, []
    began = time.perf_counter()
    async with Producer(shop.settings.kafka, shop.prefix, name="bench") as producer:
        for step in range(steps):
            alerts = [_alert(2_000_000 + step, calm[step % (len(calm) - 1)])]
            calm_numbers.append(alerts[0].number)
            if step % 10 == 0:
                alerts.append(_alert(3_000_000 + step, HANGS))
            while number < count * (step + 1) // steps:
                number += 1
                level = "out" if number % URGENT_EACH == 0 else "watch"
                alerts.append(_alert(number, flooded[number % FLOODED], level))
            await producer.send(TOPIC, _messages(alerts))
            await asyncio.sleep(max(0.0, began + (step + 1) * CALM_S - time.perf_counter()))
    return calm_numbers


async def _waits(shop: Shop, numbers: Sequence[int]) -> list[float]:
    """Return for each alert how long after its message it was at its group, in seconds."""
    async with httpx.AsyncClient(base_url=shop.vendors, trust_env=False) as client:
        told = (await client.get("/notices")).json()
    if told["refused"]:
        raise Missed(f"{told['refused']} messages were refused")
    arrived: dict[str, float] = {}
    for at, content in told["accepted"]:
        for word in content.replace("#", " ").split():
            arrived.setdefault(word, at)
    rows = await shop.watch.fetch(
        """SELECT alert_number, extract(epoch FROM recorded_at)::float8 AS told
           FROM notifier.delivery WHERE alert_number = ANY($1)""",
        list(numbers),
    )
    return [arrived[str(row["alert_number"])] - row["told"] for row in rows]


async def _judge(shop: Shop, count: int, flooded: Sequence[str]) -> None:
    """Raise Missed where a notice is lost or was less urgent than one that waited."""
    rows = await shop.watch.fetch(
        """SELECT d.state, g.state AS digest, count(*) AS amount
           FROM notifier.delivery AS d LEFT JOIN notifier.delivery AS g ON g.id = d.digest_id
           WHERE d.alert_id IS NOT NULL AND d.destination = ANY($1) GROUP BY 1, 2""",
        list(flooded),
    )
    ends = {(row["state"], row["digest"]): row["amount"] for row in rows}
    tell(f"  flooded: {ends}")
    if sum(ends.values()) != count or ends.keys() - {("sent", None), ("merged", "sent")}:
        raise Missed(f"not every notice came to its end: {ends}")
    overtaken = await shop.watch.fetchval(
        """SELECT count(*)
           FROM notifier.delivery AS less
           JOIN notifier.attempt AS gone ON gone.delivery = less.id
           JOIN notifier.delivery AS more ON more.destination = less.destination
           LEFT JOIN notifier.delivery AS digest ON digest.id = more.digest_id
           WHERE less.kind = 'first' AND less.level = 'watch' AND less.state = 'sent'
             AND more.kind = 'first' AND more.level = 'out'
             AND more.recorded_at < gone.started_at - make_interval(secs => $1)
             AND coalesce(more.sent_at, digest.sent_at) > gone.started_at""",
        _LET_THROUGH_S,
    )
    if overtaken:
        raise Missed(f"{overtaken} urgent notices were overtaken")


def _destination(id_: str, kind: str, part: Mapping[str, object]) -> dict[str, object]:
    return {"kind": kind, "name": id_, "language": "zh-CN", kind: part}


@asynccontextmanager
async def _silence() -> AsyncIterator[str]:
    """Serve somebody who takes every request and never answers; yields the URL."""

    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(taken, LOOPBACK)
    async with server:
        yield f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"


async def bench(given: argparse.Namespace) -> str:
    """Return the last line."""
    done: list[tuple[Values, Values]] = []
    count = SHORT_NOTICES if given.short else NOTICES
    flooding = (SHORT_FLOOD, SHORT_FLOOD_S) if given.short else (FLOOD, FLOOD_S)
    for number in range(1, given.repetitions + 1):
        tell(f"repetition {number} of {given.repetitions}")
        figures: Values = {}
        ratios: Values = {}
        with running_stack() as stack:
            template = await migrated_template(stack)
            for part in given.only or PARTS:
                if part == "drain":
                    some = await drain(stack, template, count)
                else:
                    some = await flood(stack, template, *flooding)
                figures |= some[0]
                ratios |= some[1]
        done.append((figures, ratios))
    every_figure, every_ratio = zip(*done, strict=True)
    return last_line("notifier", every_figure, every_ratio, short=given.short)


PARTS = ("drain", "flood")


def main() -> None:
    """Run the benchmark; exit code 1 when a run does not count."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.notifier", description=__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="+", help="some of the parts")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="a few seconds: does it work at all")
    configure_logs("bench", "notifier", level="warning", form="plain")
    run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
