"""Promise 1 under contention: everybody sells the same thing at once, and each unit counts once."""

import asyncio
from pathlib import Path

from services.ingest.settings import IngestSettings
from shared.testing.stack import Database
from tests.integration.ingest.service import Ingest, event, running
from tests.integration.ledger.service import Ledger

SALES = 400
FIRST_VERSION = 2**40


async def test_400_sales_at_once_of_one_unit_each_leave_nothing_of_400(
    ledger: Ledger, database: Database, key: Path
) -> None:
    settings = IngestSettings.model_validate(
        ledger.settings.model_dump() | {"database_url": database.url("ingest")}
    )
    async with running(settings, database, key) as ingest, ledger.consuming(max_records=20):
        await ingest.set_up()
        await accepted(ingest, event(id="count", type="count", quantity=SALES))
        # The second joins in the middle, so that partitions change hands under way.
        async with asyncio.TaskGroup() as posts:
            for number in range(SALES):
                posts.create_task(sold(ingest, number))
            async with ledger.consuming(max_records=20):
                # The last of those told twice may come after the last that counts.
                await ledger.until_tallied(movements=1 + SALES, repeats=SALES // 10)
        await ledger.until_published(version=1, sku="A", warehouse="main")
    assert await ledger.on_hand("A", "main") == 0
    tallies = await ledger.tallies()
    assert tallies["movements"] == 1 + SALES
    assert tallies["repeats"] >= SALES // 10
    levels = {each.version: each for each in await ledger.published()}
    assert [*levels] == [FIRST_VERSION + number for number in range(1, len(levels) + 1)]
    *_, last = levels.values()
    assert (last.on_hand, last.low_water, last.sold_total) == (0, 0, SALES)
    (row,) = await ledger.rows("SELECT count(DISTINCT (channel, id, line)), count(*) FROM movement")
    assert tuple(row) == (1 + SALES, 1 + SALES)


async def sold(ingest: Ingest, number: int) -> None:
    """Tell of one sale; every tenth client tells it once more, though it was accepted."""
    for _ in range(2 if number % 10 == 0 else 1):
        await accepted(ingest, event(id=f"sale {number}", occurred_at="2026-03-01T12:00:01Z"))


async def accepted(ingest: Ingest, told: dict[str, object]) -> None:
    """Post until it is accepted, as every client does that is told to try again."""

    async with asyncio.timeout(100):
        while (answer := await ingest.client.post("/v1/events", json=told)).status_code != 202:
            assert answer.status_code == 503, answer.text
            await asyncio.sleep(int(answer.headers["retry-after"]))
