"""What the consumer makes of what the broker hands it; the rest is tested on a real one."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from unittest.mock import AsyncMock, Mock

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import REGISTRY

from shared.database.positions import Position
from shared.errors import Stopped
from shared.events.topics import STOCK_CHANGES, STOCK_LEVELS
from shared.kafka.consumer import COLLECT_MOST_SECONDS, FEW_RECORDS, PartitionConsumer, for_company
from shared.kafka.messages import Record
from shared.kafka.worker import record_hash
from shared.settings import Settings
from tests.factories.records import FakeRecord

PARTITION = 3


def consumer(topic: str, next_offset: int, *, known: Record | None = None) -> PartitionConsumer:
    """Return a consumer that has claimed a partition and sought the place to go on from.

    With `known`, it has yet to see that the record before that place is still there.
    """
    made = PartitionConsumer(
        settings=Settings(),
        service="ledger",
        topic=topic,
        engine=Mock(),
        producer=Mock(),
        handler=Mock,
    )
    made._is_dealt = True
    made._offsets[PARTITION] = next_offset
    if known is not None:
        made._unverified[PARTITION] = Position(
            topic=topic,
            partition=PARTITION,
            partitions=24,
            epoch=1,
            next_offset=next_offset,
            batch=1,
            published=1,
            record_time=known.timestamp,
            record_hash=record_hash(known),
            malformed=(),
            stopped=None,
        )
    return made


def records(*offsets: int, value: bytes = b"{}") -> list[Record]:
    return [FakeRecord(value, offset, partition=PARTITION) for offset in offsets]


def offsets(found: Sequence[Record]) -> list[int]:
    return [each.offset for each in found]


def test_records_that_follow_are_handed_on() -> None:
    log = consumer(STOCK_CHANGES.name, 5)
    assert offsets(log._verified(PARTITION, records(5, 6, 7))) == [5, 6, 7]


def test_the_record_read_before_is_compared_and_left_out() -> None:
    log = consumer(STOCK_CHANGES.name, 5, known=FakeRecord(offset=4))
    assert offsets(log._verified(PARTITION, records(4, 5))) == [5]
    log._offsets[PARTITION] = 6
    assert offsets(log._verified(PARTITION, records(6))) == [6]


def test_another_record_at_the_place_of_the_last_one_stops() -> None:
    log = consumer(STOCK_CHANGES.name, 5, known=FakeRecord(b"other", offset=4))
    with pytest.raises(Stopped, match=r"partition 3: the record at 4 .* the topic was made anew"):
        log._verified(PARTITION, records(4, 5))


@pytest.mark.parametrize("first", [0, 4])
def test_a_log_that_starts_again_while_it_is_read_stops(first: int) -> None:
    log = consumer(STOCK_CHANGES.name, 5)
    with pytest.raises(Stopped, match="was read up to 5: the topic was made anew"):
        log._verified(PARTITION, records(first, first + 1))


def test_a_log_that_starts_again_before_the_known_record_was_seen_stops() -> None:
    log = consumer(STOCK_CHANGES.name, 5, known=FakeRecord(offset=4))
    with pytest.raises(Stopped, match="the topic was made anew"):
        log._verified(PARTITION, records(3, 4))


def test_a_gap_in_a_log_that_keeps_everything_stops() -> None:
    log = consumer(STOCK_CHANGES.name, 5, known=FakeRecord(offset=4))
    with pytest.raises(Stopped, match="records 5 to 6 are gone"):
        log._verified(PARTITION, records(4, 7))


def test_gaps_in_a_compacted_log_are_nothing_odd() -> None:
    log = consumer(STOCK_LEVELS.name, 5, known=FakeRecord(offset=4))
    assert offsets(log._verified(PARTITION, records(8, 11))) == [8, 11]
    log._offsets[PARTITION] = 12
    assert offsets(log._verified(PARTITION, records(20))) == [20]


def test_nothing_is_handed_on_before_a_claim_has_said_where_to_begin() -> None:
    log = consumer(STOCK_CHANGES.name, 5)
    assert log._verified(PARTITION + 1, records(0)) == []


class Client:
    """The broker's client: what it gives at each fetch; nothing more, and it waits for ever."""

    def __init__(self, topic: str, *fetches: list[Record] | Exception) -> None:
        self._topic = topic
        self._fetches = list(fetches)
        self.waits = asyncio.Event()
        self.paused = set[TopicPartition]()
        self.pause, self.resume = self.paused.add, self.paused.discard

    async def getmany(self, *_: object, **__: object) -> dict[TopicPartition, list[Record]]:
        assert not self.paused, "what is paused is never handed out"
        if not self._fetches:
            self.waits.set()
            await asyncio.Event().wait()
        found = self._fetches.pop(0)
        if isinstance(found, Exception):
            raise found
        return {TopicPartition(self._topic, PARTITION): found}


@asynccontextmanager
async def working(log: PartitionConsumer, client: Client) -> AsyncIterator[Mock]:
    """Let one worker of a consumer work its partition off."""
    worker = Mock(owned={PARTITION: Mock(next_offset=5)}, timed=None, took_seconds=0.0)
    worker.work, worker.note_published = AsyncMock(), AsyncMock()

    async def part_with(partitions: set[int]) -> dict[int, object]:
        return {each: worker.owned.pop(each) for each in set(partitions)}

    worker.part_with = part_with
    log._workers[0], log._consumer = worker, client
    log._settled = [0, 1_000]
    async with asyncio.TaskGroup() as group:
        task = group.create_task(log._run_worker(0, group))
        yield worker
        task.cancel()


@pytest.mark.parametrize("so_far", [[], [5]])
async def test_a_fetch_that_waits_for_the_group_lets_go_of_what_is_dealt_anew(
    monkeypatch: pytest.MonkeyPatch, so_far: list[int]
) -> None:
    monkeypatch.setattr("shared.kafka.consumer.DEALT_ANEW_SECONDS", 0.01)
    log = consumer(STOCK_LEVELS.name, 5)
    client = Client(STOCK_LEVELS.name, *([records(*so_far)] if so_far else []))
    async with working(log, client) as worker:
        await client.waits.wait()
        async with asyncio.timeout(10):  # half of what it would wait for at the most
            await log._revoked()
        assert worker.owned == {}
        worker.work.assert_not_awaited()


async def test_what_has_come_is_not_lost_with_what_comes_after_it() -> None:
    log = consumer(STOCK_LEVELS.name, 5)
    client = Client(STOCK_LEVELS.name, records(5, 6), KafkaError())
    async with working(log, client) as worker:
        await client.waits.wait()
        ((_, told), _) = worker.work.await_args
        assert offsets(told) == [5, 6]


async def test_a_few_that_were_fetched_ahead_wait_no_longer_than_many_take_to_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.kafka.consumer.COLLECT_MOST_SECONDS", 3600.0)
    log = consumer(STOCK_LEVELS.name, 5)
    many = range(6, 6 + FEW_RECORDS)
    client = Client(STOCK_LEVELS.name, records(5), records(*many))
    async with working(log, client) as worker:
        worker.took_seconds = 7200.0
        async with asyncio.timeout(10):
            await client.waits.wait()
        ((_, told), _) = worker.work.await_args
        assert offsets(told) == [5, *many]


@pytest.mark.parametrize(
    ("took_seconds", "amount", "is_held"),
    [(7200.0, 1, True), (0.0, 1, False), (7200.0, FEW_RECORDS, False)],
    ids=["few, and it takes long", "it takes no time", "many"],
)
async def test_nothing_is_fetched_ahead_where_few_records_wait_for_company_for_long(
    monkeypatch: pytest.MonkeyPatch, took_seconds: float, amount: int, *, is_held: bool
) -> None:
    monkeypatch.setattr("shared.kafka.consumer.COLLECT_MOST_SECONDS", 0.01)
    log = consumer(STOCK_LEVELS.name, 5)
    client = Client(STOCK_LEVELS.name, records(*range(5, 5 + amount)), [], records(900), [])
    held: list[bool] = []
    async with working(log, client) as worker:

        async def work(*_: object) -> None:
            held.append(bool(client.paused))
            monkeypatch.setattr(worker, "took_seconds", took_seconds)

        worker.took_seconds, worker.work = took_seconds, work
        worker.owned[PARTITION].next_offset = 900
        async with asyncio.timeout(10):
            await client.waits.wait()
    assert held[0] is is_held
    assert not client.paused


async def test_what_nothing_was_fetched_of_is_fetched_again_by_whoever_has_it_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.kafka.consumer.COLLECT_MOST_SECONDS", 0.01)
    log = consumer(STOCK_LEVELS.name, 5)
    client = Client(STOCK_LEVELS.name, records(5), [])
    async with working(log, client) as worker:

        async def work(*_: object) -> None:
            await log._assigned(())
            assert client.paused

        worker.took_seconds, worker.work = 7200.0, work
        async with asyncio.timeout(10), log._changed:
            await log._changed.wait_for(lambda: log._settled[0] == log._assigned_in > 0)
    assert worker.owned == {}
    assert not client.paused


async def test_who_could_not_let_go_in_time_claims_anew_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.kafka.consumer.RELEASE_SECONDS", 0.01)
    monkeypatch.setattr("shared.kafka.consumer.DEALT_ANEW_SECONDS", 0.1)
    log = consumer(STOCK_LEVELS.name, 5)
    log._claim = claimed = AsyncMock()  # type: ignore[method-assign]
    client = Client(STOCK_LEVELS.name)
    async with working(log, client) as worker:
        await client.waits.wait()
        await log._revoked()
        assert worker.owned, "not let go of in time"
        await log._assigned({PARTITION})
        async with asyncio.timeout(10), log._changed:
            await log._changed.wait_for(lambda: log._settled[0] == log._assigned_in)
    claimed.assert_awaited_once()
    assert claimed.await_args is not None
    assert claimed.await_args.args[2] == [PARTITION]


def test_a_small_batch_waits_for_company_by_what_the_last_one_took() -> None:
    assert for_company(0.003, 0.0) == 0.003
    assert for_company(0.003, 0.004) == 0.003, "with room it waits as little as it may"
    assert for_company(0.003, 0.04) == 0.02
    assert for_company(0.003, 30.0) == COLLECT_MOST_SECONDS, "the database was away meanwhile"
    assert for_company(0.05, 0.0) == 0.05, "who asks for more has more"


async def test_one_that_has_never_reached_the_broker_ends_when_it_is_told_to() -> None:
    never = PartitionConsumer(
        settings=Settings(kafka="127.0.0.1:9"),
        service="ledger",
        topic="stock.changes",
        engine=Mock(),
        producer=Mock(),
        handler=Mock,
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, stop.set)
    async with asyncio.timeout(30):
        await never.run(stop)


def told(partition: int) -> float | None:
    labels = {"topic": STOCK_LEVELS.name, "partition": str(partition)}
    return REGISTRY.get_sample_value("lowtide_lag_records", labels)


def age(partition: int) -> float | None:
    labels = {"topic": STOCK_LEVELS.name, "partition": str(partition)}
    return REGISTRY.get_sample_value("lowtide_lag_seconds", labels)


async def look(made: PartitionConsumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a consumer look once at how far its partitions go: a hundred records each."""

    async def look_once(_: float) -> None:
        if made._client.end_offsets.await_count:
            raise asyncio.CancelledError

    name = made._name
    made._consumer = Mock()
    made._client.end_offsets = AsyncMock(
        return_value={TopicPartition(name, partition): 100 for partition in made._wanted}
    )
    monkeypatch.setattr(asyncio, "sleep", look_once)
    made._progress_at = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await made._watch()


async def test_the_lag_is_told_of_claimed_partitions_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    made = consumer(STOCK_LEVELS.name, 95)
    made._workers = [Mock(trouble=None, look_for_other_owners=AsyncMock())]
    made._wanted = (PARTITION, 4)
    await look(made, monkeypatch)
    assert (told(PARTITION), told(4), made.lag) == (5, None, None)
    made._offsets[4] = 98
    await look(made, monkeypatch)
    assert (told(PARTITION), told(4), made.lag) == (5, 2, 7)
    made._wanted = (4,)
    await look(made, monkeypatch)
    assert (told(PARTITION), told(4), made.lag) == (None, 2, 2)


async def test_the_age_of_what_waits_is_known_from_the_first_record_of_the_batch_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = consumer(STOCK_LEVELS.name, 5)
    read_at = time.time() - 3600
    come: list[Record] = [
        FakeRecord(offset=5, partition=PARTITION, timestamp=int(read_at * 1000)),
        FakeRecord(offset=6, partition=PARTITION, timestamp=int(read_at * 1000) + 600_000),
    ]
    committed = asyncio.Event()
    client = Client(STOCK_LEVELS.name, come)
    async with working(log, client) as worker:
        begun = asyncio.Event()

        async def work(*_: object) -> None:
            begun.set()
            await committed.wait()

        worker.work = work
        await begun.wait()
        log._tell_lag({PARTITION: 2}, 1, read_at + 60)
        assert age(PARTITION) == pytest.approx(60, abs=0.01)
        client.waits.clear()
        committed.set()
        await client.waits.wait()
        log._tell_lag({PARTITION: 1}, 1, read_at + 660)
        assert age(PARTITION) == pytest.approx(60, abs=0.01), "behind the last record applied"


async def test_who_has_been_dealt_nothing_anew_is_not_ready_and_knows_of_no_lag(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.kafka.consumer.trouble", AsyncMock(return_value=None))
    log = consumer(STOCK_LEVELS.name, 5)
    log._workers = [Mock(trouble=None)]
    log._broker_seen_at = time.monotonic()
    log._settled = [1_000]
    await log._assigned(())
    log._tell_lag({}, 0, time.time())
    assert (await log.check(), log.lag) == (None, 0)
    await log._revoked()
    log._tell_lag({}, 0, time.time())
    assert (await log.check(), log.lag) == ("partitions are being taken over", None)
