"""What is not a stock change goes aside with a reason; too much of it halts the partition."""

import asyncio

import pytest

from services.ledger.__main__ import _resume
from shared.errors import Stopped
from shared.events.dead_letters import DeadReason
from shared.events.stock_changes import TOPIC
from shared.kafka.consumer import PartitionConsumer
from shared.kafka.dead import LIMIT
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.testing.waiting import PATIENCE_SECONDS
from tests.factories.poison import BAD, UNDECODABLE, raw
from tests.integration.ledger.service import PARTITIONS, Ledger, change

HOME = partition_of("A", PARTITIONS)
ELSEWHERE = (HOME + 1) % PARTITIONS


async def publish_raw(
    ledger: Ledger, *values: bytes | None, partition: int = HOME, key: bytes = b"A"
) -> None:
    await ledger.producer.send(TOPIC, [Message(partition, key, value) for value in values])


async def run_until_stopped(consumer: PartitionConsumer, reason: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(Stopped, match=reason):
            await consumer.run(asyncio.Event())


async def next_offset(ledger: Ledger, partition: int = HOME) -> int:
    rows = await ledger.rows(
        "SELECT next_offset FROM consumer_position WHERE partition = $1", partition
    )
    return int(rows[0][0])


async def test_every_kind_of_poison_goes_aside_while_its_neighbours_flow(ledger: Ledger) -> None:
    names = list(BAD)
    for number, name in enumerate(names):
        await publish_raw(ledger, raw(id=f"before {number}"), BAD[name])
    await publish_raw(ledger, raw(id="last"))
    async with ledger.consuming():
        await ledger.until_recorded(len(names) + 1)
        assert await ledger.on_hand() == -len(names) - 1
    letters = {letter.offset: letter for letter in await ledger.dead_letters()}
    # Each was preceded by a good one; none is told twice, none is missing.
    assert sorted(letters) == [2 * number + 1 for number in range(len(names))]
    for number, name in enumerate(names):
        letter = letters[2 * number + 1]
        assert letter.reason is (
            DeadReason.UNDECODABLE if name in UNDECODABLE else DeadReason.INVALID
        ), name
        assert (letter.partition, letter.key, letter.consumer) == (HOME, "A", "ledger")
        assert letter.detail
    totals = await ledger.tallies()
    assert totals["rejected.undecodable"] == len(UNDECODABLE)
    assert totals["rejected.invalid"] == len(BAD) - len(UNDECODABLE)


async def test_the_largest_records_a_broker_takes_go_aside(ledger: Ledger) -> None:
    most = 900_000
    await ledger.producer.send(
        TOPIC,
        [
            Message(HOME, b"A", b"\xff" * most),
            Message(HOME, b"A", b"[" * most),
            Message(HOME, b"k" * most, b"not json"),
            Message(HOME, b"A", b"not json", (("h", b"x" * most),)),
        ],
    )
    await publish_raw(ledger, raw(reason="x" * 500, added_later="y" * most))
    async with ledger.consuming():
        await ledger.until_recorded(1)
    letters = await ledger.dead_letters()
    assert [letter.offset for letter in letters] == [0, 1, 2, 3]
    assert [letter.truncated for letter in letters] == [True, True, False, False]


async def test_a_record_in_another_partition_than_its_sku_s_is_refused(ledger: Ledger) -> None:
    await publish_raw(ledger, raw(id="stray"), partition=ELSEWHERE)
    await publish_raw(ledger, raw(id="home"))
    async with ledger.consuming(workers=1):
        await ledger.until_recorded(1)
        await ledger.until_rejected(DeadReason.MISPLACED, 1)
        # Now that the level is known, and alone in its batch.
        await publish_raw(ledger, raw(id="stray again"), partition=ELSEWHERE)
        await ledger.until_rejected(DeadReason.MISPLACED, 2)
        await publish_raw(ledger, raw(id="home again"))
        await ledger.until_recorded(2)
        assert await ledger.on_hand() == -2
    assert {letter.partition for letter in await ledger.dead_letters()} == {ELSEWHERE}


async def test_a_newer_version_stops_the_ledger_and_is_never_put_aside(ledger: Ledger) -> None:
    await publish_raw(ledger, raw(id="before"))
    async with ledger.consuming():
        await ledger.until_recorded(1)
    await publish_raw(ledger, b"not json", raw(id="newer", v=2), raw(id="after"))
    for _ in range(2):  # a restart changes nothing
        async with ledger.consumer() as consumer:
            await run_until_stopped(consumer, r"offset 2 has schema version 2.*upgrade the ledger")
    assert await ledger.dead_letters() == []
    assert await ledger.tallies() == {"movements": 1}
    assert await next_offset(ledger) == 1


async def test_as_many_malformed_records_as_the_limit_do_not_halt(ledger: Ledger) -> None:
    await publish_raw(ledger, *[b"bad"] * LIMIT, raw(id="after"))
    async with ledger.consuming():
        await ledger.until_recorded(1)
    assert len(await ledger.dead_letters()) == LIMIT


async def test_one_more_halts_the_partition_until_it_is_resumed(ledger: Ledger) -> None:
    halted = rf"partitions \[{HOME}\] are halted.*services.ledger resume"
    await publish_raw(ledger, *[b"bad"] * 60, raw(id="between"))
    async with ledger.consuming():
        await ledger.until_recorded(1)
    # The count is in the database: a restart does not begin anew.
    await publish_raw(ledger, *[b"worse"] * 60, raw(id="after"))
    async with ledger.consumer() as consumer:
        await run_until_stopped(consumer, halted)
    assert await next_offset(ledger) == 60 + 1 + (LIMIT + 1 - 60)
    async with ledger.consumer() as consumer:
        await run_until_stopped(consumer, rf"partition {HOME} is halted: more than {LIMIT}")
    assert await ledger.tallies() == {"movements": 1, "rejected.undecodable": LIMIT + 1}

    assert await _resume(ledger.settings, None) == [HOME]
    assert await _resume(ledger.settings, None) == []
    async with ledger.consuming():
        await ledger.until_recorded(2)
    letters = await ledger.dead_letters()
    assert [letter.offset for letter in letters] == [*range(60), *range(61, 121)]
    assert await ledger.tallies() == {"movements": 2, "rejected.undecodable": 120}
    assert await ledger.on_hand() == -2


async def test_partitions_that_go_bad_together_are_halted_and_resumed_together(
    ledger: Ledger,
) -> None:
    for partition in (HOME, ELSEWHERE):
        await publish_raw(ledger, *[b"bad"] * (LIMIT + 1), partition=partition)
    async with ledger.consumer(workers=1) as consumer:
        await run_until_stopped(consumer, "are halted")
    stopped = await ledger.rows(
        "SELECT partition FROM consumer_position WHERE stopped IS NOT NULL ORDER BY partition"
    )
    both = sorted((HOME, ELSEWHERE))
    assert [row[0] for row in stopped] == both
    assert await _resume(ledger.settings, both[0]) == [both[0]]
    assert await _resume(ledger.settings, None) == [both[1]]
    await ledger.publish(change(id="good"))
    async with ledger.consuming():
        await ledger.until_recorded(1)


async def test_changes_in_another_partition_than_their_skus_never_halt(ledger: Ledger) -> None:
    # What a writer that has missed the topic's growth does.
    await publish_raw(
        ledger, *(raw(id=str(number)) for number in range(LIMIT + 50)), partition=ELSEWHERE
    )
    async with ledger.consuming():
        await ledger.until_rejected(DeadReason.MISPLACED, LIMIT + 50)
        await publish_raw(ledger, raw(id="0"))
        await ledger.until_recorded(1)
    (reason,) = {letter.reason for letter in await ledger.dead_letters()}
    assert not DeadReason(reason).malformed


async def test_changes_refused_for_what_they_say_never_halt(ledger: Ledger) -> None:
    await publish_raw(ledger, *(raw(id=str(number)) for number in range(LIMIT + 50)))
    await publish_raw(ledger, *(raw(id=str(number), quantity=2) for number in range(LIMIT + 50)))
    async with ledger.consuming():
        await ledger.until_rejected(DeadReason.ID_REUSED, LIMIT + 50)
        await publish_raw(ledger, raw(id="after"))
        await ledger.until_recorded(LIMIT + 51)
