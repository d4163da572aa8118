"""What the ledger makes of stock changes, end to end on the real broker and database."""

from datetime import timedelta

from shared.events.stock_changes import TOPIC
from shared.kafka.messages import Message
from shared.testing.waiting import until
from tests.integration.ledger.service import START, Ledger, change


async def test_a_sale_lowers_the_level_and_is_published(ledger: Ledger) -> None:
    await ledger.publish(
        change(id="c", type="count", quantity=10), change(id="s", occurred_at=START + timedelta(1))
    )
    async with ledger.consuming():
        await ledger.until_recorded(2)
        assert await ledger.on_hand() == 9
    level = (await ledger.published())[-1]
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
        await ledger.until_tallied(repeats=2)
        assert await ledger.on_hand() == 5
    async with ledger.consuming():  # a new process has no memory of identities
        await ledger.publish(change(id="r", type="receipt", quantity=5), change(id="n"))
        await ledger.until_tallied(repeats=3, movements=2)
        assert await ledger.on_hand() == 4


async def test_malformed_records_go_aside_while_the_rest_flows(ledger: Ledger) -> None:
    partition = 3
    bad = [b"not json", b"{}", b"null", b"[]", b"{" * 5_000, None, b'{"v":1,"id":"\\u0000"}']
    await ledger.producer.send(TOPIC, [Message(partition, b"x", value) for value in bad])
    await ledger.publish(change(id="good", type="receipt", quantity=7))

    async def all_aside() -> bool:
        totals = await ledger.tallies()
        return sum(n for name, n in totals.items() if name.startswith("rejected.")) == len(bad)

    async with ledger.consuming():
        await ledger.until_recorded(1)
        await until(all_aside)
        assert await ledger.on_hand() == 7
