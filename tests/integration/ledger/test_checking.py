"""What the topic tells wrong is noticed within the hour, and costs nobody else anything."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import pytest_asyncio
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ledger import checking, comparing
from services.ledger.checking import Checking
from services.ledger.comparing import Fault
from services.ledger.wiring import consume as ledger_consume
from shared.clock import ManualClock
from shared.database.engine import Engine, create_engine, snapshot
from shared.errors import Unavailable
from shared.events.stock_levels import TOPIC
from shared.kafka.consumer import BACKLOG_RECORDS
from shared.kafka.log import LogReader
from shared.kafka.messages import Message, Record
from shared.kafka.partitions import partition_of
from shared.observability.metrics import TOPIC_CHECKED_AT, TOPIC_DIFFERENCES
from shared.testing.waiting import PATIENCE_SECONDS, until
from tests.integration.ledger.service import PARTITIONS, START, Ledger, change
from tests.integration.ledger.test_owners import Dying, run_until_crash
from tests.integration.ledger.test_verify_topic import last_told, tell

HOUR = timedelta(hours=1)


@pytest.fixture
def clock(ledger: Ledger) -> ManualClock:
    ledger.clock = manual = ManualClock(START)
    return manual


@pytest_asyncio.fixture
async def engine(ledger: Ledger) -> AsyncIterator[Engine]:
    engine = create_engine(ledger.settings.database_url.get_secret_value(), pool=1)
    yield engine
    await engine.dispose()


@dataclass
class Owner:
    """Who owns the partitions of some SKUs, and how many changes wait each time that is asked."""

    assignment: frozenset[int]
    waiting: list[int] = field(default_factory=list)

    @property
    def lag(self) -> int:
        return self.waiting.pop() if self.waiting else 0


def owner_of(*skus: str) -> Owner:
    return Owner(frozenset(partition_of(sku, PARTITIONS) for sku in skus))


def checker(ledger: Ledger, engine: Engine, owner: Owner) -> Checking:
    read = partial(LogReader, ledger.settings.kafka, ledger.settings.topic_prefix, TOPIC)
    return Checking(engine, read, owner, ledger.clock)


def measured() -> dict[Fault, int]:
    """Return what the metric says, by fault, where it says that there is any."""
    found = {fault: int(TOPIC_DIFFERENCES.labels(fault.value)._value.get()) for fault in Fault}
    return {fault: levels for fault, levels in found.items() if levels}


def measured_at() -> datetime:
    """Return since when all is compared, as the metric says."""
    return datetime.fromtimestamp(TOPIC_CHECKED_AT.labels(TOPIC)._value.get(), UTC)


async def told(ledger: Ledger, *skus: str, version: int) -> None:
    """Have each SKU sold once more, and wait until it is told and known to be."""
    await ledger.publish(*(change(id=f"{version} {sku}", sku=sku) for sku in skus))

    async def heard() -> bool:
        last = await last_told(ledger)
        return all(sku in last and last[sku].version % 2**40 >= version for sku in skus)

    await until(heard)
    await until_noted(ledger)


async def until_noted(ledger: Ledger) -> None:
    """Wait until all that is committed is known to be told."""

    async def noted() -> bool:
        return not await ledger.rows(
            "SELECT 1 FROM consumer_position WHERE topic = 'stock.changes' AND published < batch"
        )

    await until(noted)


async def test_what_is_told_wrong_is_said_each_hour_until_it_is_told_again(
    ledger: Ledger, clock: ManualClock, engine: Engine
) -> None:
    skus = ["good", "gone", "older", "unlike", "silent"]
    owner = owner_of(*skus)
    check = checker(ledger, engine, owner)

    async def looked() -> list[str]:
        """Look at each partition, an hour later; returns where something was said to be wrong."""
        clock.advance(HOUR)
        with structlog.testing.capture_logs() as lines:
            for _ in owner.assignment:
                await check.look()
        assert all(each["log_level"] == "error" for each in lines if "what_to_do" in each)
        assert not [each for each in lines if each["log_level"] == "warning"], lines
        return [str(each["found_now"]) for each in lines if "what_to_do" in each]

    async with ledger.consuming(workers=1):
        await told(ledger, *skus, version=1)
        first = await last_told(ledger)
        assert await looked() == []
        assert measured() == {}
        rows = await ledger.rows("SELECT partition, checked_at FROM topic_check")
        assert {row[0]: row[1] for row in rows} == dict.fromkeys(owner.assignment, clock.now())
        assert measured_at() == clock.now()

        await told(ledger, "good", "gone", "older", version=2)
        latest = await last_told(ledger)
        await tell(ledger, "gone", None)
        await tell(ledger, "older", first["older"])
        await tell(ledger, "unlike", first["unlike"].model_copy(update={"on_hand": 9}))
        await tell(ledger, "good", latest["good"])  # once more is no harm
        # Its message was acknowledged and is not there.
        await ledger.rows(
            "WITH p AS (UPDATE consumer_position SET batch = batch + 1, published = batch + 1 "
            "WHERE topic = 'stock.changes' AND partition = $1 RETURNING batch) "
            "UPDATE level SET version = version + 1, batch = p.batch FROM p WHERE sku = 'silent'",
            partition_of("silent", PARTITIONS),
        )
        wrong = {Fault.MISSING: 2, Fault.OLDER: 1, Fault.UNLIKE: 1}
        said = await looked()
        assert "older in W: older, version" in " ".join(said)
        assert measured() == wrong
        # Nothing of it is told again meanwhile: it is wrong all the same.
        assert len(await looked()) == len(said)
        assert measured() == wrong

    async with ledger.consuming(workers=1):
        await ledger.publish(*(change(id=f"last {sku}", sku=sku) for sku in skus))

        async def told_anew() -> bool:
            last = await last_told(ledger)
            return all(sku in last and last[sku].on_hand == sold[sku] for sku in skus)

        sold = dict.fromkeys(("good", "gone", "older"), -3) | dict.fromkeys(skus[3:], -2)
        await until(told_anew)
        await until_noted(ledger)
        assert await looked() == []
        assert measured() == {}


async def test_only_what_has_changed_since_is_read_again(
    ledger: Ledger, clock: ManualClock, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Record] = []
    poll = LogReader.poll

    async def polled(reader: LogReader, most: int | None = None) -> list[Record]:
        records = await poll(reader, most)
        read.extend(records)
        return records

    monkeypatch.setattr(LogReader, "poll", polled)
    check = checker(ledger, engine, owner_of("A"))

    async def read_by_a_look() -> int:
        before = len(read)
        await check.look()
        return len(read) - before

    async with ledger.consuming(workers=1):
        for version in (1, 2, 3):
            await told(ledger, "A", version=version)
        assert await read_by_a_look() == 3
        await told(ledger, "A", version=4)
        assert await read_by_a_look() == 0  # it is not due
        clock.advance(HOUR)
        assert await read_by_a_look() == 1
    # A log that is not the one that was read: all of it is read, and compared with all there is.
    await ledger.rows("UPDATE topic_check SET next_offset = 1000000")
    clock.advance(HOUR)
    assert await read_by_a_look() == 4
    assert measured() == {}


async def test_what_is_told_while_it_looks_and_what_is_still_to_be_told_is_not_reported(
    ledger: Ledger, clock: ManualClock, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = checker(ledger, engine, owner_of("A"))
    ends = LogReader.ends
    asked = 1

    async def ends_after_more(reader: LogReader) -> list[int]:
        nonlocal asked
        asked += 1
        await ledger.publish(change(id=f"{asked} A"))
        await ledger.until_published(version=asked)
        return await ends(reader)

    async with ledger.consuming(workers=1):
        await told(ledger, "A", version=1)
        with monkeypatch.context() as patched:
            patched.setattr(LogReader, "ends", ends_after_more)
            for _ in range(3):
                await check.look()
                assert measured() == {}
                clock.advance(HOUR)
        assert asked == 1 + 3 * 3
        await until_noted(ledger)
    await ledger.publish(change(id="untold"))
    async with (
        Dying(ledger.settings.kafka, ledger.settings.topic_prefix) as producer,
        ledger.consumer(producer=producer) as consumer,
    ):
        await run_until_crash(consumer)
    (row,) = await ledger.rows("SELECT version FROM level")
    assert row[0] % 2**40 == asked + 1
    monkeypatch.setattr(checking, "SETTLE_SECONDS", 0.0)
    before = await ledger.rows("SELECT next_offset, batch FROM topic_check")
    await check.look()
    assert measured() == {}
    # It is gone over once more when it has been told.
    assert await ledger.rows("SELECT next_offset, batch FROM topic_check") == before
    async with ledger.consuming(workers=1):
        await told(ledger, "A", version=asked + 1)
    clock.advance(HOUR)
    await check.look()
    assert measured() == {}
    assert await ledger.rows("SELECT next_offset, batch FROM topic_check") != before


async def test_one_partition_that_cannot_be_compared_keeps_no_other_from_it(
    ledger: Ledger, clock: ManualClock, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut, first, second = sorted(("A", "B", "C"), key=lambda sku: partition_of(sku, PARTITIONS))
    away = {partition_of(cut, PARTITIONS)}
    reach = LogReader.__aenter__

    async def reached(reader: LogReader) -> LogReader:
        if {tp.partition for tp in reader._tps} & away:
            raise Unavailable("the broker")
        return await reach(reader)

    monkeypatch.setattr(LogReader, "__aenter__", reached)
    async with ledger.consuming(workers=1):
        await told(ledger, cut, first, second, version=1)
    await tell(ledger, second, None)
    check = checker(ledger, engine, owner_of(cut, first, second))

    async def compared_by(looks: int) -> set[int]:
        with structlog.testing.capture_logs() as lines:
            for _ in range(looks):
                await check.look()
        failed = {each["partition"] for each in lines if each["log_level"] == "warning"}
        assert failed == away, lines
        rows = await ledger.rows(
            "SELECT partition FROM topic_check WHERE checked_at = $1", clock.now()
        )
        return {row[0] for row in rows}

    others = owner_of(first, second).assignment
    began_at = clock.now()
    assert await compared_by(3) == others
    assert measured() == {Fault.MISSING: 1}
    clock.advance(HOUR)
    assert await compared_by(3) == others
    assert measured_at() == began_at  # one never was
    away.clear()
    assert await compared_by(1) == owner_of(cut, first, second).assignment
    assert measured_at() == clock.now()


async def test_whatever_key_somebody_else_writes_is_named_and_forgotten_with_its_record(
    ledger: Ledger, clock: ManualClock, engine: Engine
) -> None:
    # Longer than an index takes, however it is packed; and such as read alike.
    long = hashlib.shake_128(b"A").hexdigest(3_000)
    keys = [long.encode(), f"A|{long}".encode(), b"\xff|W", b"\xfe|W", b"\0", b"no bar", b"no bar|"]
    home = partition_of("A", PARTITIONS)
    check = checker(ledger, engine, owner_of("A"))

    async def look_again() -> None:
        clock.advance(HOUR)
        with structlog.testing.capture_logs() as lines:
            await check.look()
        assert not [each for each in lines if each["log_level"] == "warning"], lines

    await ledger.producer.send(TOPIC, [Message(home, key, b"{}") for key in keys])
    await look_again()
    assert measured() == {Fault.UNKNOWN: len(keys)}
    await ledger.producer.send(TOPIC, [Message(home, key, None) for key in keys[1:]])
    await look_again()
    assert measured() == {Fault.UNKNOWN: 1}


async def test_who_owns_nothing_has_nothing_to_compare(
    ledger: Ledger, clock: ManualClock, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ledger.consuming(workers=1):
        await told(ledger, "A", version=1)
    await tell(ledger, "A", None)
    owner = owner_of("A")
    check = checker(ledger, engine, owner)
    await check.look()
    assert measured() == {Fault.MISSING: 1}
    ends = LogReader.ends

    async def ends_without_it(reader: LogReader) -> list[int]:
        # The partition becomes another's while it is compared.
        owner.assignment = frozenset()
        return await ends(reader)

    monkeypatch.setattr(LogReader, "ends", ends_without_it)
    clock.advance(HOUR)
    await check.look()
    assert owner.assignment == frozenset()
    assert measured() == {}
    clock.advance(3 * HOUR)
    await check.look()
    assert measured_at() == clock.now()


async def test_what_is_told_while_it_waits_is_read_before_the_database_is_looked_at(
    ledger: Ledger, clock: ManualClock, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "_BUSY_SECONDS", 0.0)
    monkeypatch.setattr(checking, "LITTLE_RECORDS", 10)
    monkeypatch.setattr(checking, "ROUNDS", 3)
    async with ledger.consuming(workers=1):
        await told(ledger, "A", version=1)
    levels = await last_told(ledger)
    owner = owner_of("A")
    check = checker(ledger, engine, owner)
    poll, ends, settled, take = (
        LogReader.poll,
        LogReader.ends,
        Checking._until_published,
        snapshot,
    )
    read: list[int] = []
    snapshots: list[int] = []

    async def again(times: int) -> None:
        for _ in range(times):
            await tell(ledger, "A", levels["A"])

    async def polled(reader: LogReader, most: int | None = None) -> list[Record]:
        records = await poll(reader, most)
        if not read:
            await again(30)
        read.append(len(records))
        return records

    async def settled_at_last(check: Checking, partition: int) -> int:
        batch = await settled(check, partition)
        await again(meanwhile)
        owner.waiting = [BACKLOG_RECORDS + 1] * 3
        return batch

    @asynccontextmanager
    async def taken(engine: Engine) -> AsyncIterator[AsyncConnection]:
        snapshots.append(sum(read))
        assert not owner.waiting
        async with take(engine) as connection:
            yield connection

    monkeypatch.setattr(LogReader, "poll", polled)
    monkeypatch.setattr(Checking, "_until_published", settled_at_last)
    monkeypatch.setattr(checking, "snapshot", taken)
    meanwhile = 20
    await check.look()
    assert snapshots == [sum(read)] == [1 + 30 + 20]
    clock.advance(HOUR)
    meanwhile = 10
    await check.look()
    assert snapshots[1] == sum(read) - meanwhile
    assert measured() == {}

    async def ends_and_goes_on(reader: LogReader) -> list[int]:
        await again(11)
        return await ends(reader)

    monkeypatch.setattr(LogReader, "ends", ends_and_goes_on)
    clock.advance(HOUR)
    with structlog.testing.capture_logs() as lines:
        await check.look()
    assert ["2,000 records" in str(each.get("reason")) for each in lines] == [True]
    assert len(snapshots) == 2


async def test_it_waits_while_changes_wait(
    ledger: Ledger, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "_BUSY_SECONDS", 0.0)
    owner = owner_of("A")
    owner.waiting = [BACKLOG_RECORDS + 1] * 5
    read: list[int] = []
    enter = LogReader.__aenter__

    async def entered(reader: LogReader) -> LogReader:
        read.append(len(owner.waiting))
        return await enter(reader)

    monkeypatch.setattr(LogReader, "__aenter__", entered)
    await checker(ledger, engine, owner).look()
    assert read == [0]


async def test_whatever_goes_wrong_with_it_the_ledger_goes_on(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "LOOK_SECONDS", 0.0)
    looks = 0
    compare = comparing.compare

    async def fail(*_: object) -> None:
        nonlocal looks
        looks += 1
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(checking, "compare", fail)
    stop = asyncio.Event()
    async with asyncio.timeout(1.5 * PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(ledger_consume.run(ledger.settings, stop))

        async def failed_again() -> bool:
            return looks >= 2

        await until(failed_again)
        await told(ledger, "A", version=1)
        monkeypatch.setattr(checking, "compare", compare)

        async def compared_some() -> bool:
            return len(await ledger.rows("SELECT 1 FROM topic_check")) > 1

        await until(compared_some)
        stop.set()
