"""Promise 5 after a restore: levels go on above all that was ever told, and readers take them."""

import json

import asyncpg
import pytest

from services.ledger.__main__ import _restored
from services.ledger.comparing import Fault
from shared.events.stock_levels import TOPIC, StockLevel
from shared.testing.waiting import until
from tests.integration.ledger.service import PARTITIONS, Ledger, change
from tests.integration.ledger.test_verify_topic import GENERATION, compared

SALES = 5


async def administer(ledger: Ledger, statement: str) -> None:
    """Carry a statement out beside the ledger's database."""
    await ledger.onlooker.aclose()
    connection = await asyncpg.connect(ledger.database.stack.administrator_url())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def back_up(ledger: Ledger) -> None:
    name = ledger.database.name
    # Consumers' connections may be just ending.
    await ledger.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    async def copied() -> bool:
        try:
            await administer(ledger, f"CREATE DATABASE {name}_saved TEMPLATE {name}")
        except asyncpg.ObjectInUseError:
            return False
        return True

    await until(copied)


async def restore(ledger: Ledger) -> None:
    """Put the back-up in the place of the database, in the same server."""
    name = ledger.database.name
    await administer(ledger, f"DROP DATABASE {name} WITH (FORCE)")
    await administer(ledger, f"ALTER DATABASE {name}_saved RENAME TO {name}")


async def read_by_one_who_drops_what_is_not_newer(ledger: Ledger) -> dict[str, StockLevel]:
    held: dict[str, StockLevel] = {}
    for record in await ledger.read(TOPIC):
        level = StockLevel.model_validate_json(record.value or b"")
        if level.sku not in held or level.version > held[level.sku].version:
            held[level.sku] = level
    return held


async def sell_and_restore(ledger: Ledger) -> None:
    """Sell `SALES` times, each told by itself, and go back to before all but the first.

    "B" was empty then: all that had come for it was refused.
    """
    async with ledger.consuming(workers=1):
        await ledger.publish(
            change(id="A0"), change(id="B0", sku="B", occurred_at="2999-01-01T00:00:00Z")
        )
        await ledger.until_published(version=1)
        await ledger.until_tallied(movements=1)
    await back_up(ledger)
    async with ledger.consuming(workers=1):
        for number in range(1, SALES):
            for sku in "AB":
                await ledger.publish(change(id=f"{sku}{number}", sku=sku))
                await ledger.until_published(version=number + (sku == "A"), sku=sku)
    await restore(ledger)


async def go_on(ledger: Ledger) -> None:
    """Let the ledger read again what came after the back-up, in one batch, and one more sale."""
    await ledger.publish(change(id="A after"), change(id="B after", sku="B"))
    async with ledger.consuming(workers=1):
        await ledger.until_recorded(2 * SALES + 1)

        async def all_told() -> bool:
            report, _ = await compared(ledger)
            return report.waiting == 0

        await until(all_told)


async def test_after_a_restore_readers_get_the_levels(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    await sell_and_restore(ledger)
    reports = []
    for _ in range(2):
        assert await _restored(ledger.settings) == 0
        reports.append(json.loads(capsys.readouterr().out))
    records = len(await ledger.read(TOPIC))
    first = {"records": records, "told": 1, "generation": 2, "begun": True}
    assert reports == [first, first | {"begun": False}]
    await go_on(ledger)

    held = await read_by_one_who_drops_what_is_not_newer(ledger)
    assert {sku: level.on_hand for sku, level in held.items()} == {"A": -SALES - 1, "B": -SALES}
    assert all(level.version > 2 * GENERATION for level in held.values())
    assert (await compared(ledger))[1] == set()


async def test_generations_that_a_restore_forgot_are_gone_beyond(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    async with ledger.consuming(workers=1):
        await ledger.publish(change())
        await ledger.until_published(version=1)
    await back_up(ledger)
    # As if the server had been promoted twice since.
    for times in (2, 3):
        await ledger.rows("UPDATE generation SET timeline = timeline - 1")
        async with ledger.consuming(workers=1):
            await ledger.until_claimed(times)
    await restore(ledger)
    assert await _restored(ledger.settings) == 0
    assert json.loads(capsys.readouterr().out)["generation"] == 4


async def test_who_consumes_already_is_fenced(ledger: Ledger) -> None:
    await sell_and_restore(ledger)
    async with ledger.consuming(workers=1):
        await ledger.until_recorded(2 * SALES - 1)
    epochs = "SELECT sum(epoch)::int FROM consumer_position"
    before = (await ledger.rows(epochs))[0][0]
    assert await _restored(ledger.settings) == 0
    assert (await ledger.rows(epochs))[0][0] == before + PARTITIONS


async def test_versions_told_before_a_restore_are_found(ledger: Ledger) -> None:
    await sell_and_restore(ledger)
    await go_on(ledger)
    # What was told last is what is stored; who has read what came before does not take it.
    _, findings = await compared(ledger)
    assert findings == {("A", Fault.AHEAD), ("B", Fault.AHEAD)}
    held = await read_by_one_who_drops_what_is_not_newer(ledger)
    assert held["A"].on_hand == -SALES
