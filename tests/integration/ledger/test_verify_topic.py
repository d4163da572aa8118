"""Promise 5: what the topic tells of a level is what is stored of it, or it is told again."""

import asyncio

import pytest

from services.ledger.__main__ import _verify_topic
from services.ledger.commands.verify_topic import Report, verify_topic
from services.ledger.comparing import Fault, Finding
from shared.database.engine import create_engine
from shared.errors import Fenced
from shared.events.stock_levels import TOPIC, StockLevel, level_key
from shared.kafka.consumer import PartitionConsumer
from shared.kafka.log import LogReader
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.testing.waiting import until
from tests.integration.ledger.service import PARTITIONS, Ledger, change
from tests.integration.ledger.test_owners import Dying, run_until_crash

GENERATION = 2**40


async def compared(ledger: Ledger) -> tuple[Report, set[tuple[str, Fault]]]:
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    heard: list[Finding] = []
    try:
        async with LogReader(ledger.settings.kafka, ledger.settings.topic_prefix, TOPIC) as log:
            report, findings = await verify_topic(
                engine, log, progress=lambda *_: None, found=heard.append
            )
    finally:
        await engine.dispose()
    assert heard == findings
    return report, {(each.sku, each.fault) for each in findings}


async def tell(ledger: Ledger, sku: str, level: StockLevel | None) -> None:
    """Write to the topic what no ledger has said."""
    value = None if level is None else level.encode()
    home = partition_of(sku, PARTITIONS)
    await ledger.producer.send(TOPIC, [Message(home, level_key(sku, "W"), value)])


async def run_until_fenced(consumer: PartitionConsumer) -> None:
    with pytest.raises(Fenced):
        await consumer.run(asyncio.Event())


async def last_told(ledger: Ledger) -> dict[str, StockLevel]:
    """Return what is left of each level when the topic is compacted."""
    last = {record.key: record.value for record in await ledger.read(TOPIC)}
    levels = [StockLevel.model_validate_json(value) for value in last.values() if value]
    return {each.sku: each for each in levels}


async def test_what_the_topic_tells_wrong_is_found_and_told_again(ledger: Ledger) -> None:
    skus = ["good", "gone", "older", "unlike", "ahead"]
    async with ledger.consumer(workers=1) as consumer, asyncio.TaskGroup() as tasks:
        ended = tasks.create_task(run_until_fenced(consumer))
        await ledger.publish(*(change(id=f"1 {sku}", sku=sku) for sku in skus))
        for sku in skus:
            await ledger.until_published(version=1, sku=sku)
        first = await last_told(ledger)
        await ledger.publish(*(change(id=f"2 {sku}", sku=sku) for sku in skus))
        for sku in skus:
            await ledger.until_published(version=2, sku=sku)

        async def all_noted() -> bool:
            report, findings = await compared(ledger)
            assert findings == set()
            return report.waiting == 0

        await until(all_noted)

        told = await last_told(ledger)
        await tell(ledger, "gone", None)
        await tell(ledger, "older", first["older"])
        await tell(ledger, "unlike", told["unlike"].model_copy(update={"on_hand": 9}))
        # As if the database had been restored to where it was three generations ago.
        ahead = told["ahead"].model_copy(update={"version": 4 * GENERATION + 9})
        await tell(ledger, "ahead", ahead)
        await tell(ledger, "nobody's", told["good"].model_copy(update={"sku": "nobody's"}))
        report, findings = await compared(ledger)
        assert (report.levels, report.waiting, report.differing) == (5, 0, 5)
        assert findings == {
            ("gone", Fault.MISSING),
            ("older", Fault.OLDER),
            ("unlike", Fault.UNLIKE),
            ("ahead", Fault.AHEAD),
            ("nobody's", Fault.UNKNOWN),
        }

        assert await _verify_topic(ledger.settings, republish=True) == 1
        # The owner notices by itself: there may be no more changes for a long time.
        await ended
    async with ledger.consuming():

        async def mended() -> bool:
            report, findings = await compared(ledger)
            return report.waiting == 0 and findings == {("nobody's", Fault.UNKNOWN)}

        await until(mended)
    mine = await last_told(ledger)
    for sku in skus:
        assert mine[sku].on_hand == -2
        assert (mine[sku].version > 5 * GENERATION) == (sku != "good")


async def test_the_levels_are_gone_through_once_however_many_partitions_there_are(
    ledger: Ledger,
) -> None:
    skus = [f"S{number}" for number in range(10)]
    async with ledger.consuming(workers=1):
        await ledger.publish(*(change(id=sku, sku=sku) for sku in skus))
        await ledger.until_recorded(len(skus))
        for sku in skus:
            await ledger.until_published(version=1, sku=sku)

    async def scans() -> int:
        """Return how often the table was gone through by connections that have ended."""

        async def ended() -> bool:
            return not await ledger.rows(
                "SELECT FROM pg_stat_activity "
                "WHERE datname = current_database() AND usename = 'ledger'"
            )

        await until(ended)
        rows = await ledger.rows("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'level'")
        return int(rows[0][0])

    before = await scans()
    report, findings = await compared(ledger)
    assert (report.levels, findings) == (len(skus), set())
    assert await scans() == before + 2  # to know how many there are, and to compare them


async def test_a_level_that_moves_while_it_is_compared_is_not_reported(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ledger.consuming(workers=1):
        await ledger.publish(change(id="1"))
        await ledger.until_published(version=1)

        async def noted() -> bool:
            return (await compared(ledger))[0].waiting == 0

        await until(noted)
        ends = LogReader.ends

        async def ends_after_more(reader: LogReader) -> list[int]:
            # The snapshot has been taken: what comes now is on the topic only.
            await ledger.publish(change(id="2"), change(id="new", sku="new"))
            await ledger.until_published(version=2)
            await ledger.until_published(version=1, sku="new")
            return await ends(reader)

        monkeypatch.setattr(LogReader, "ends", ends_after_more)
        report, findings = await compared(ledger)
        assert (report.levels, findings) == (1, set())


async def test_a_level_that_is_still_to_be_told_is_waited_for(ledger: Ledger) -> None:
    await ledger.publish(change())
    async with (
        Dying(ledger.settings.kafka, ledger.settings.topic_prefix) as producer,
        ledger.consumer(producer=producer) as consumer,
    ):
        await run_until_crash(consumer)
    report, findings = await compared(ledger)
    assert (report.levels, report.waiting, findings) == (1, 1, set())
    async with ledger.consuming():

        async def told() -> bool:
            return (await compared(ledger))[0].waiting == 0

        await until(told)
    # As a reservation leaves it, until the owner's next turn.
    await ledger.rows("UPDATE level SET version = version + 1, on_hand = on_hand - 1, dip = -2")
    report, findings = await compared(ledger)
    assert (report.levels, report.waiting, findings) == (1, 1, set())
