"""Look each hour whether the topic tells of each level as it is stored, beside the consumer.

    which partition is due → what its topic has told since → wait until that is all published
    → compare → note what differs, and how far it was compared

Only what has changed since the last look is read: of a level that nobody has touched or told of,
the last record is the one that was compared then. One partition at a time and a few records at a
time; while changes wait to be applied, this waits. Nothing is mended here, and nothing that goes
wrong here ends the consumer, or keeps the other partitions from being compared.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

from services.ledger.comparing import (
    EVERYTHING,
    Comparison,
    Fault,
    Told,
    compare,
    unexplained,
)
from services.ledger.store import topic_checks
from services.ledger.store.topic_checks import Checked
from shared.clock import Clock
from shared.database.engine import DATABASE_ERRORS, Engine, driver, snapshot
from shared.errors import LowtideError, Unavailable
from shared.events.stock_changes import TOPIC as STOCK_CHANGES
from shared.events.topics import STOCK_LEVELS
from shared.kafka.consumer import BACKLOG_RECORDS
from shared.kafka.log import LogReader, Lost
from shared.observability.logs import get_logger
from shared.observability.metrics import TOPIC_CHECKED_AT, TOPIC_DIFFERENCES

EVERY = timedelta(hours=1)

LOOK_SECONDS = EVERY.total_seconds() / STOCK_LEVELS.partitions / 2
"""A look compares one partition at the most, so an hour has twice as many looks as partitions."""

RECORDS_AT_ONCE = 100
"""A millisecond's work: whoever shares the loop gets a turn after them."""

RECORDS_PER_SECOND = 2_000
"""Some hundredths of a core while it reads, and two thousand levels told a second at all hours;
where there are more, an hour becomes as long as it takes."""

LITTLE_RECORDS = 1_000
"""So many may be left to read in the snapshot of the database, without a pause: some ten
milliseconds."""

ROUNDS = 10
"""Each leaves what was told while it read: at half of our pace, a thousandth after ten."""

SETTLE_SECONDS = 10.0
"""How long what was told is given to be known as published; that takes a batch, or a tenth of a
second."""

_BUSY_SECONDS = 1.0
_SETTLE_LOOK_SECONDS = 0.1
_EXAMPLES = 5

_WHAT_TO_DO = (
    "readers of the topic have other levels than the ledger: run `python -m services.ledger verify "
    "--topic --republish`, then look whether the broker or the database was restored, or whether "
    "somebody else writes to the topic"
)

_log = get_logger("checking")


class Outrun(LowtideError):  # noqa: N818 - a state, not a mistake
    """More is told than is read."""


class Owner(Protocol):
    """Who consumes the changes that the levels follow from."""

    @property
    def assignment(self) -> frozenset[int]:
        """The partitions that are this process's."""

    @property
    def lag(self) -> int | None:
        """How many changes wait; None until known."""


class Checking:
    """Compares the partitions that this process owns, each once an hour.

    `read` makes a reader of the topic for one `partition`.
    """

    def __init__(
        self, engine: Engine, read: Callable[..., LogReader], owner: Owner, clock: Clock
    ) -> None:
        self._engine = engine
        self._read = read
        self._owner = owner
        self._clock = clock
        self._began_at = clock.now()
        self._tried_at: dict[int, datetime] = {}

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Compare the partition that is due the longest, if any is, and measure. Raises nothing."""
        due = None
        with _going_on():
            due = await self._due()
        if due is not None:
            # One that cannot be compared comes behind the others the next time.
            self._tried_at[due.partition] = self._clock.now()
            with _going_on(partition=due.partition):
                await self._check(due)
        with _going_on():
            await self._measure()

    async def _due(self) -> Checked | None:
        tried = {each: self._tried_at.get(each) for each in self._owner.assignment}
        async with self._engine.connect() as connection:
            return await topic_checks.due(
                await driver(connection), tried, self._clock.now() - EVERY
            )

    async def _check(self, due: Checked) -> None:
        await self._pace(0)
        async with self._read(partition=due.partition) as reader:
            due = await self._begun(reader, due)
            topic = Told(reader)
            await topic.read_to_end(self._pace, RECORDS_AT_ONCE)
            # What is told by now is of batches that are committed by now.
            next_offset, time_ms = reader.offsets[0], max(due.time_ms, topic.time_ms)
            batch = await self._until_published(due.partition)
            await self._catch_up(topic)
            published, done = await self._compared(topic, due)
        done.findings += await unexplained(self._engine, done.newer)
        reached = due
        if published >= batch:
            reached = Checked(due.partition, next_offset, time_ms, batch)
        await self._save(reached, done, afresh=due.batch == EVERYTHING)
        _log.debug(
            "compared with the topic",
            partition=due.partition,
            records=topic.records,
            levels=done.levels,
        )

    async def _begun(self, reader: LogReader, due: Checked) -> Checked:
        """Go to where the last look has come to; returns where that is in this log."""
        try:
            await reader.seek([due.next_offset], due.time_ms)
        except Lost:
            # Another log, of which nothing is known: all that is stored has to be told in it.
            await reader.seek_to_beginning()
            return Checked(due.partition, 0, 0, EVERYTHING)
        return due

    async def _pace(self, records: int) -> None:
        await asyncio.sleep(records / RECORDS_PER_SECOND)
        # What waits for its turn tells nobody when that is over.
        while (self._owner.lag or 0) > BACKLOG_RECORDS:  # noqa: ASYNC110
            await asyncio.sleep(_BUSY_SECONDS)

    async def _catch_up(self, topic: Told) -> None:
        """Read what was told since, until there is little left. Raises Outrun."""
        for _ in range(ROUNDS):
            await self._pace(0)
            if await topic.left() <= LITTLE_RECORDS:
                return
            await topic.read_to_end(self._pace, RECORDS_AT_ONCE)
        raise Outrun(f"more than {RECORDS_PER_SECOND:,} records are told a second")

    async def _until_published(self, partition: int) -> int:
        """Return the newest batch, once it is known to be published or was given time for it."""
        until = time.monotonic() + SETTLE_SECONDS
        newest: int | None = None
        while True:
            async with self._engine.connect() as connection:
                batch, published = await topic_checks.reached(
                    await driver(connection), STOCK_CHANGES, partition
                )
            newest = batch if newest is None else newest
            if published >= newest or time.monotonic() > until:
                return newest
            await asyncio.sleep(_SETTLE_LOOK_SECONDS)

    async def _compared(self, topic: Told, due: Checked) -> tuple[int, Comparison]:
        """Return up to which batch what was published is compared, and what came out."""
        async with snapshot(self._engine) as connection:
            database = await driver(connection)
            _, published = await topic_checks.reached(database, STOCK_CHANGES, due.partition)
            await topic.read_to_end(most=RECORDS_AT_ONCE)
            values = topic.values.get(due.partition, {})
            return published, await compare(database, due.partition, published, values, due.batch)

    async def _save(self, reached: Checked, done: Comparison, *, afresh: bool) -> None:
        differing = [(each.sku, each.warehouse, each.fault.value) for each in done.findings]
        async with self._engine.connect() as connection:
            database = await driver(connection)
            async with database.transaction():
                await topic_checks.save(
                    database, reached, self._clock.now(), done.judged, differing, afresh=afresh
                )
            differences = await topic_checks.differences(database, [reached.partition])
        if differences:
            _log.error(
                "the topic tells of levels otherwise than they are stored",
                partition=reached.partition,
                levels=differences,
                found_now=[
                    f"{each.sku} in {each.warehouse}: {each.fault}, version {each.told} "
                    f"(stored is {each.stored})"
                    for each in done.findings[:_EXAMPLES]
                ],
                what_to_do=_WHAT_TO_DO,
            )

    async def _measure(self) -> None:
        # They may be others than when the look began.
        partitions = self._owner.assignment
        async with self._engine.connect() as connection:
            database = await driver(connection)
            differences = await topic_checks.differences(database, partitions)
            oldest = await topic_checks.oldest(database, partitions)
        for fault in Fault:
            TOPIC_DIFFERENCES.labels(fault.value).set(differences.get(fault.value, 0))
        at = (oldest or self._began_at) if partitions else self._clock.now()
        TOPIC_CHECKED_AT.labels(STOCK_LEVELS.name).set(at.timestamp())


@contextmanager
def _going_on(**where: int) -> Iterator[None]:
    """Say what goes wrong, and no more."""
    try:
        yield
    except (Unavailable, Lost, Outrun, *DATABASE_ERRORS) as error:
        _log.warning("the topic is compared later", reason=str(error)[:300], **where)
    except Exception:  # noqa: BLE001 - the consumer goes on whatever is wrong here
        _log.exception("the topic cannot be compared", **where)
