"""The ledger's way to database and broker, as bad as it gets: a schedule drawn from a seed.

One process works off changes of all types, repeats and poison among them, while it is killed at
every seam and its connections are lost, reset, held up or silenced. In the end, as if nothing had
been: the levels are those of a model, each change is counted once, no dip was left untold.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from services.ledger.commands.verify import Difference, verify
from services.ledger.settings import LedgerSettings
from shared.database.engine import create_engine
from shared.errors import Unavailable
from shared.events.stock_changes import TOPIC, StockChange
from shared.events.stock_levels import TOPIC as LEVELS
from shared.kafka.messages import Message
from shared.testing.proxy import Direction
from shared.testing.stack import Database, Stack
from shared.testing.waiting import until
from tests.factories.changes import course
from tests.factories.poison import BAD
from tests.faults.between import Between, Mark, Seam, at, between
from tests.faults.conftest import FaultSettings
from tests.faults.wholeness import say
from tests.integration.ledger.service import PARTITIONS, Ledger, ledger_on, message
from tests.model import stock
from tests.model.stock import Level, Place

SKUS = [f"SKU {number}" for number in range(40)]
WAREHOUSES = ("north", "south")
CHANGES_AT_ONCE = 40
BATCH_BYTES = 700
"""A transaction of a batch sends its rows; one that only notes what is published is shorter."""
SHORT = sorted(name for name, value in BAD.items() if len(value or b"") < 10_000)
POISONED = 60
"""Fewer than would halt a partition."""
BACK_WITHIN_S = 90.0
"""A process that has to be started anew waits for nobody, but for a busy machine."""


@dataclass
class Traffic:
    """What was published so far, and what the model makes of it."""

    ledger: Ledger
    chance: random.Random
    told: list[StockChange] = field(default_factory=list)
    changes: dict[stock.Identity, StockChange] = field(default_factory=dict)
    repeats: int = 0
    poison: int = 0
    lows: dict[Place, int] = field(default_factory=dict)

    async def flow(self) -> None:
        """Publish some more changes: new ones, some told again, now and then one that is bad."""
        began_at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        made = [
            each.model_copy(update={"id": f"{len(self.told) + place}"})
            for place, each in enumerate(
                course(
                    self.chance,
                    CHANGES_AT_ONCE,
                    skus=SKUS,
                    warehouses=WAREHOUSES,
                    until=began_at + timedelta(minutes=len(self.told)),
                    bucketed=(),
                )
            )
        ]
        again = self.chance.sample(self.told, min(2, len(self.told)))
        self.told += made
        # A partition's records arrive as they are sent: so do a SKU's changes, told again or not.
        events = [*made, *again]
        messages = [message(each) for each in events]
        if self.poison < POISONED and self.chance.random() < 0.5:
            self.poison += 1
            partition = self.chance.randrange(PARTITIONS)
            messages.append(Message(partition, b"?", BAD[self.chance.choice(SHORT)] or b""))
        await self._sent(messages)
        for each in events:
            if self.changes.setdefault(stock.identity(each), each) is not each:
                self.repeats += 1
                continue
            for place in stock.places(each):
                available = stock.level(self._of(each.sku), place).available
                self.lows[place] = min(available, self.lows.get(place, available))

    async def _sent(self, messages: list[Message]) -> None:
        async def is_sent() -> bool:
            try:
                await self.ledger.producer.send(TOPIC, messages)
            except Unavailable:
                return False  # some may be there: they come a second time now
            return True

        await until(is_sent, seconds=BACK_WITHIN_S)

    def _of(self, sku: str) -> list[StockChange]:
        return [each for each in self.changes.values() if each.sku == sku]

    async def arrives(self, *, seconds: float) -> None:
        """Wait until all of it is worked off and told."""

        async def is_done() -> bool:
            tallies = await self.ledger.tallies()
            (row,) = await self.ledger.rows(
                "SELECT count(*) FROM consumer_position WHERE published < batch"
            )
            return (
                tallies.get("movements", 0) >= len(self.changes)
                and tallies.get("repeats", 0) >= self.repeats
                and rejected(tallies) >= self.poison
                and not row[0]
            )

        await until(is_done, seconds=seconds)

    async def is_whole(self) -> None:
        """Look at tables and topic."""
        tallies = await self.ledger.tallies()
        # What the broker did not acknowledge in time was sent again.
        assert tallies["movements"] == len(self.changes)
        assert tallies.get("repeats", 0) >= self.repeats
        assert rejected(tallies) >= self.poison
        published = await self.ledger.published()
        last = {(each.sku, each.warehouse): each for each in published}
        assert last.keys() == self.lows.keys()
        versions: dict[Place, int] = {}
        lows: dict[Place, int] = {}
        for each in published:
            place = each.sku, each.warehouse
            assert each.version >= versions.get(place, 0), "an older level follows a newer one"
            versions[place] = each.version
            lows[place] = min(each.low_water, lows.get(place, each.low_water))
        differing = [
            place
            for place, told in last.items()
            if Level.told(told) != stock.level(self._of(place[0]), place)
        ]
        say(f"{len(self.changes)} changes, {len(last)} levels, {len(differing)} mismatched")
        assert differing == []
        assert lows == self.lows, "every dip is told, and none that never was"
        engine = create_engine(self.ledger.database.url("ledger"))
        differences: list[Difference] = []
        report = await verify(engine, progress=lambda *_: None, found=differences.append)
        await engine.dispose()
        say(f"verify: {report}")
        assert differences == []


def rejected(tallies: dict[str, int]) -> int:
    return sum(total for name, total in tallies.items() if name.startswith("rejected"))


Act = Callable[[Between, Traffic], Awaitable[None]]


def killed_at(seam: Seam) -> Act:
    async def act(between: Between, traffic: Traffic) -> None:
        await at([between], seam, mark_of(seam, traffic), Between.kill, traffic.flow)

    return act


def lost_at(seam: Seam) -> Act:
    async def act(between: Between, traffic: Traffic) -> None:
        await at([between], seam, mark_of(seam, traffic), lambda _: None, traffic.flow)

    return act


def mark_of(seam: Seam, traffic: Traffic) -> Mark:
    if seam in {Seam.COMMIT, Seam.COMMITTED}:
        return lambda said: len(said) > BATCH_BYTES
    levels = f"{traffic.ledger.settings.topic_prefix}{LEVELS}".encode()
    return lambda said: levels in said


def away(which: str) -> Act:
    async def act(between: Between, traffic: Traffic) -> None:
        proxy = between.database if which == "database" else between.broker
        await proxy.cut()
        await flowing(traffic, seconds=1)
        await proxy.restore()

    return act


def silent(which: str, *directions: Direction) -> Act:
    async def act(between: Between, traffic: Traffic) -> None:
        proxy = between.database if which == "database" else between.broker
        proxy.silence(*directions)
        await flowing(traffic, seconds=2)
        proxy.speak()

    return act


async def reset(between: Between, traffic: Traffic) -> None:
    for _ in range(5):
        await traffic.flow()
        between.database.reset()
        between.broker.reset()


async def slow(between: Between, traffic: Traffic) -> None:
    between.database.latency_s = between.broker.latency_s = 0.05
    await flowing(traffic, seconds=2)
    between.database.latency_s = between.broker.latency_s = 0.0


async def locked(_: Between, traffic: Traffic) -> None:
    """Hold the rows of all levels for a while, as a careless query may."""
    other = await asyncpg.connect(traffic.ledger.database.administrator_url)
    try:
        async with other.transaction():
            await other.execute("SELECT FROM ledger.level FOR UPDATE")
            await flowing(traffic, seconds=1)
    finally:
        await other.close()


async def sent_home(_: Between, traffic: Traffic) -> None:
    """End the sessions of the database's users, as a restart does."""
    await traffic.flow()
    await traffic.ledger.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND usename = 'ledger'"
    )


async def paused(between: Between, traffic: Traffic) -> None:
    async with between.paused():
        await flowing(traffic, seconds=2)


ACTS: dict[str, Act] = {
    **{f"killed at: {seam}": killed_at(seam) for seam in Seam},
    **{f"connection lost at: {seam}": lost_at(seam) for seam in Seam},
    "database away": away("database"),
    "broker away": away("broker"),
    "nothing from the database": silent("database", Direction.TO_CLIENT),
    "nothing to the database": silent("database", Direction.TO_SERVER),
    "nothing from the broker": silent("broker", Direction.TO_CLIENT),
    "nothing either way": silent("broker", *Direction),
    "connections reset": reset,
    "all slow": slow,
    "levels locked": locked,
    "sessions ended": sent_home,
    "process paused": paused,
}


async def flowing(traffic: Traffic, *, seconds: float) -> None:
    """Let traffic flow for a while."""
    until_at = time.monotonic() + seconds
    while time.monotonic() < until_at:
        await traffic.flow()
        await asyncio.sleep(0.05)  # a rate, not a wait for something


def schedule(chance: random.Random, seconds: float) -> Iterator[str]:
    """Yield what happens: everything in some order, again and again, until time is up."""
    until_at = time.monotonic() + seconds
    while True:
        for name in chance.sample(sorted(ACTS), len(ACTS)):
            yield name
            if time.monotonic() > until_at:
                return


@pytest_asyncio.fixture
async def ledger(stack: Stack, database: Database, topics: str) -> AsyncIterator[Ledger]:
    settings = LedgerSettings(
        kafka=stack.bootstrap, topic_prefix=topics, database_url=SecretStr(database.url("ledger"))
    )
    async with ledger_on(settings, database) as service:
        yield service


@pytest.mark.stack
@pytest.mark.timeout(0)
async def test_whatever_befalls_the_ways_of_the_ledger_nothing_is_lost_or_counted_twice(
    ledger: Ledger, settings: FaultSettings, tmp_path: Path
) -> None:
    say(f"SEED={settings.schedule_seed}")
    chance = random.Random(settings.schedule_seed)  # noqa: S311 - reproducible, not secret
    traffic = Traffic(ledger, chance)
    environment = {
        "LOWTIDE_KAFKA": ledger.settings.kafka,
        "LOWTIDE_TOPIC_PREFIX": ledger.settings.topic_prefix,
        "LOWTIDE_INSTANCE": "1",
    }
    command, url = ("services.ledger", "consume"), ledger.database.url("ledger")
    async with (
        between(command, url, environment, tmp_path / "ledger.log") as way,
        asyncio.TaskGroup() as group,
    ):
        keeping = group.create_task(way.kept_alive())
        await traffic.flow()
        await traffic.arrives(seconds=BACK_WITHIN_S)
        for name in schedule(chance, settings.fault_seconds):
            began = time.monotonic()
            await ACTS[name](way, traffic)
            over = time.monotonic()
            await traffic.flow()
            await traffic.arrives(seconds=BACK_WITHIN_S)
            back_s = time.monotonic() - over
            say(f"{name}: {over - began:.1f} s, and all was there {back_s:.1f} s later")
        keeping.cancel()
    say(f"the process was started {way.starts} times")
    await traffic.is_whole()
