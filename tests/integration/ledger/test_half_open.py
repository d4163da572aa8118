"""A network that swallows everything: connections stay open, and nothing ever comes."""

import asyncio
from collections.abc import Coroutine
from urllib.parse import urlsplit

import pytest

from shared.kafka import consumer as consumer_module
from shared.kafka.consumer import Stalled
from shared.testing.proxy import Direction, proxied
from tests.integration.ledger.lossy import through
from tests.integration.ledger.service import Ledger, change

ENDS_WITHIN_S = 40.0


@pytest.mark.parametrize("lost", [Direction.TO_CLIENT, Direction.TO_SERVER])
async def test_a_database_that_says_nothing_any_more_ends_the_process(
    ledger: Ledger, lost: Direction, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = ledger.settings.database_url.get_secret_value()
    async with (
        proxied(urlsplit(url).port or 0) as proxy,
        ledger.consumer(database_url=through(url, proxy.port)) as consumer,
        asyncio.TaskGroup() as tasks,
    ):
        ended = tasks.create_task(until_stalled(consumer.run(asyncio.Event())))
        await ledger.publish(change(id="receipt", type="receipt", quantity=10))
        await ledger.until_published(version=1)
        monkeypatch.setattr(consumer_module, "STALL_SECONDS", 3.0)
        proxy.silence(lost)
        await ledger.publish(change(id="sale", quantity=4))
        async with asyncio.timeout(ENDS_WITHIN_S):
            await ended
    async with ledger.consuming():
        await ledger.until_published(version=2)
    assert await ledger.tallies() == {"movements": 2}
    assert await ledger.on_hand() == 6


async def until_stalled(running: Coroutine[None, None, None]) -> None:
    with pytest.raises(Stalled):
        await running
