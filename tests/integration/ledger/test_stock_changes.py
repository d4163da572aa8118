"""What the ledger makes of stock changes, end to end on the real broker and database."""

from datetime import timedelta

from shared.events.stock_changes import TOPIC
from shared.events.stock_levels import TOPIC as LEVELS
from shared.events.stock_levels import StockLevel
from shared.kafka.messages import Message
from shared.kafka.tail import TailReader
from tests.integration.ledger.conftest import START, Ledger, change, until


async def published(ledger: Ledger) -> list[StockLevel]:
    reader = TailReader(
        ledger.settings.kafka, ledger.settings.topic_prefix, [LEVELS], start="beginning"
    )
    found: list[StockLevel] = []
    async for records in reader.records():
        found += [StockLevel.model_validate_json(record.value or b"") for record in records]
        if reader.caught_up.is_set():
            break
    return found


async def test_a_sale_lowers_the_level_and_is_published(ledger: Ledger) -> None:
    await ledger.publish(
        change(id="c", type="count", quantity=10), change(id="s", occurred_at=START + timedelta(1))
    )
    async with ledger.consuming():
        await ledger.until_recorded(2)
        assert await ledger.on_hand() == 9
    (level, *_rest) = (await published(ledger))[-1:]
    assert (level.sku, level.warehouse, level.on_hand, level.available) == ("A", "W", 9, 9)
    assert level.sold_total == 1
    assert level.counted_at == START


async def test_a_repeat_is_counted_once_and_recorded(ledger: Ledger) -> None:
    await ledger.publish(
        change(id="r", type="receipt", quantity=5), change(id="r", type="receipt", quantity=5)
    )
    async with ledger.consuming():
        await ledger.until_recorded(1)
        await ledger.publish(change(id="r", type="receipt", quantity=5))
        await until(lambda: _tally(ledger, "repeats", 2))
        assert await ledger.on_hand() == 5
    async with ledger.consuming():  # a new process has no memory of identities
        await ledger.publish(change(id="r", type="receipt", quantity=5), change(id="n"))
        await until(lambda: _tally(ledger, "repeats", 3))
        await ledger.until_recorded(2)
        assert await ledger.on_hand() == 4


async def _tally(ledger: Ledger, name: str, at_least: int) -> bool:
    rows = await ledger.rows("SELECT sum(total) FROM tally WHERE name = $1", name)
    return int(rows[0][0] or 0) >= at_least


async def test_malformed_records_go_aside_while_the_rest_flows(ledger: Ledger) -> None:
    partition = 3
    bad = [b"not json", b"{}", b"null", b"[]", b"{" * 5_000, None, b'{"v":1,"id":"\\u0000"}']
    await ledger.producer.send(TOPIC, [Message(partition, b"x", value) for value in bad])
    await ledger.publish(change(id="good", type="receipt", quantity=7))
    async with ledger.consuming():
        await ledger.until_recorded(1)
        await until(lambda: _tally(ledger, "rejected.undecodable", 1))
        assert await ledger.on_hand() == 7
    rows = await ledger.rows("SELECT name, sum(total) AS n FROM tally GROUP BY name")
    assert sum(row["n"] for row in rows if row["name"].startswith("rejected.")) == len(bad)
