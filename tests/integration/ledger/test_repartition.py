"""The partition count is for life, unless all is drained and moved at once."""

import pytest

from services.ledger.commands.repartition import repartition
from services.ledger.pipeline import StockChanges
from shared.database.engine import create_engine
from shared.errors import Stopped
from shared.events.stock_changes import TOPIC
from shared.events.stock_levels import TOPIC as LEVELS
from shared.events.stock_levels import StockLevel
from shared.kafka import admin
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.testing.waiting import until
from tests.integration.ledger.service import PARTITIONS, Ledger, change

MORE = 30
SKUS = [f"SKU-{number}" for number in range(8)]


async def test_levels_move_to_their_new_partitions_once_all_is_drained(ledger: Ledger) -> None:
    assert any(partition_of(sku, PARTITIONS) != partition_of(sku, MORE) for sku in SKUS)
    kafka, prefix = ledger.settings.kafka, ledger.settings.topic_prefix
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    try:
        await ledger.publish(*(change(id=sku, sku=sku) for sku in SKUS))
        with pytest.raises(Stopped, match="is not drained, there are still"):
            await repartition(engine, kafka, prefix, MORE)
        async with ledger.consuming():
            await ledger.until_recorded(len(SKUS))

            async def all_told() -> bool:
                rows = await ledger.rows(
                    "SELECT 1 FROM consumer_position WHERE published < batch AND next_offset > 0"
                )
                return not rows and len(await ledger.published()) >= len(SKUS)

            await until(all_told)
        with pytest.raises(Stopped, match="cannot shrink"):
            await repartition(engine, kafka, prefix, PARTITIONS - 1)
        assert len(await admin.ends(kafka, prefix, TOPIC)) == PARTITIONS

        await ledger.rows(
            "WITH made AS (INSERT INTO reservation (id, partition, state, created_at, expires_at) "
            "SELECT sku, partition, 'held', now(), now() + interval '1 day' FROM level) "
            "INSERT INTO reservation_line SELECT sku, '0', id, 1, sku, 0, 0 FROM level"
        )
        report = await repartition(engine, kafka, prefix, MORE)
        assert (report.before, report.partitions) == (PARTITIONS, MORE)
        assert report.moved == sum(
            partition_of(sku, PARTITIONS) != partition_of(sku, MORE) for sku in SKUS
        )
        rows = await ledger.rows("SELECT id, partition FROM reservation")
        assert [tuple(row) for row in rows] == [
            (row[0], partition_of(row[0], MORE)) for row in rows
        ]
        assert await repartition(engine, kafka, prefix, MORE) == type(report)(MORE, MORE, 0)
    finally:
        await engine.dispose()

    for topic in (TOPIC, LEVELS):
        assert len(await admin.ends(kafka, prefix, topic)) == MORE
    sold_again = SKUS[:3]
    async with ledger.consuming(handler=lambda: StockChanges(ledger.clock, MORE)):
        await ledger.producer.send(
            TOPIC,
            [
                Message(
                    partition_of(sku, MORE),
                    sku.encode(),
                    change(id=f"again {sku}", sku=sku).encode(),
                )
                for sku in sold_again
            ],
        )
        await ledger.until_recorded(len(SKUS) + len(sold_again))
        assert await ledger.tallies() == {"movements": len(SKUS) + len(sold_again)}

        async def told_at_home() -> bool:
            last: dict[str, tuple[int, StockLevel]] = {}
            for record in await ledger.read(LEVELS):
                level = StockLevel.model_validate_json(record.value or b"")
                if level.sku not in last or level.version > last[level.sku][1].version:
                    last[level.sku] = record.partition, level
            return all(
                partition == partition_of(sku, MORE)
                and level.on_hand == (-2 if sku in sold_again else -1)
                for sku, (partition, level) in last.items()
            )

        await until(told_at_home)
