"""What the ledger refused, from its dead topic into the quarantine."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest

from services.ingest.settings import IngestSettings
from services.ingest.wiring import consume as ingest_consume
from shared.clock import WallClock
from shared.events.dead_letters import DeadLetter, DeadReason
from shared.events.topics import STOCK_CHANGES
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.kafka.producer import Producer
from shared.testing.reading import all_records
from shared.testing.waiting import until
from tests.integration.ingest.service import Ingest, event

pytestmark = pytest.mark.stack

TOPIC = "stock.changes.dead"


@asynccontextmanager
async def consuming(settings: IngestSettings) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(ingest_consume.run(settings, stop))
        try:
            yield
        finally:
            stop.set()


def letter(offset: int, reason: DeadReason, value: str, first: str | None = None) -> bytes:
    return DeadLetter(
        topic="stock.changes",
        partition=3,
        offset=offset,
        reason=reason,
        detail="why",
        value=value,
        first=first,
        consumer="ledger",
        recorded_at=WallClock().now(),
    ).encode()


async def bury(settings: IngestSettings, letters: Sequence[bytes]) -> None:
    async with Producer(settings.kafka, settings.topic_prefix, name="test") as producer:
        await producer.send(TOPIC, [Message(0, b"A", each) for each in letters])


async def entries(client: httpx.AsyncClient) -> list[dict[str, object]]:
    items: list[dict[str, object]] = (await client.get("/v1/quarantine")).json()["items"]
    return items


async def test_each_dead_letter_is_one_entry_however_often_it_comes(
    ingest: Ingest, settings: IngestSettings
) -> None:
    change = event(received_at="2026-03-01T12:00:01Z", v=1, line="0")
    first = json.dumps(change | {"quantity": 2})
    letters = [
        letter(1, DeadReason.ID_REUSED, json.dumps(change), first),
        letter(2, DeadReason.FROM_THE_FUTURE, json.dumps(change)),
        letter(1, DeadReason.ID_REUSED, json.dumps(change), first),
        letter(3, DeadReason.UNDECODABLE, "\x00not json"),
        b"no letter \xff\x00 at all",
        letter(4, DeadReason.INVALID, json.dumps({"id": "\x00"})),
    ]
    await bury(settings, letters)
    async with consuming(settings):

        async def all_there() -> bool:
            return len(await entries(ingest.client)) == 5

        await until(all_there)
        await bury(settings, [*letters[:2], letter(5, DeadReason.INVALID, "last")])

        async def last_there() -> bool:
            return (await entries(ingest.client))[-1]["payload"] == "last"

        await until(last_there)
    found = await entries(ingest.client)
    assert [each["reason"] for each in found] == [
        *("id_reused", "from_the_future", "undecodable", "undecodable", "invalid", "invalid")
    ]
    reused = found[0]
    assert reused["payload"] == change
    assert reused["first_payload"] == change | {"quantity": 2}
    assert reused["source"] == {"topic": "stock.changes", "partition": 3, "offset": 1}
    assert (reused["channel"], reused["event_id"], reused["sku"]) == ("shop", "1", "A")
    assert found[2]["payload"] == "\ufffdnot json"
    assert found[3]["source"] == {"topic": TOPIC, "partition": 0, "offset": 4}


async def test_a_reason_of_a_newer_release_is_shown_and_holds_up_no_replay(
    ingest: Ingest, settings: IngestSettings
) -> None:
    await ingest.set_up()
    change = json.dumps(event(received_at="2026-03-01T12:00:01Z", v=1, line="0"))
    recalled = letter(1, DeadReason.TOO_OLD, change).replace(b"too_old", b"recalled")
    await bury(settings, [recalled, letter(2, DeadReason.FROM_THE_FUTURE, change)])
    async with consuming(settings):

        async def there() -> bool:
            return len(await entries(ingest.client)) == 2

        await until(there)
    assert [each["reason"] for each in await entries(ingest.client)] == [
        "recalled",
        "from_the_future",
    ]
    answer = await ingest.ask("POST", "/v1/quarantine/replay", {"channel": "shop"})
    assert answer == {"replayed": 1, "ignored": 0, "still_quarantined": 1}


async def test_a_change_in_the_wrong_partition_is_replayed_to_its_own(
    ingest: Ingest, settings: IngestSettings
) -> None:
    await ingest.set_up()
    change = event(received_at="2026-03-01T12:00:01Z", v=1, line="0")
    await bury(settings, [letter(1, DeadReason.MISPLACED, json.dumps(change))])
    async with consuming(settings):

        async def there() -> bool:
            return len(await entries(ingest.client)) == 1

        await until(there)
    (entry,) = await entries(ingest.client)
    assert [entry[name] for name in ("reason", "channel", "sku", "event_id")] == [
        "misplaced",
        *(change[name] for name in ("channel", "sku", "id")),
    ]
    answer = await ingest.ask("POST", "/v1/quarantine/replay", {"reason": "misplaced"})
    assert answer == {"replayed": 1, "ignored": 0, "still_quarantined": 0}
    (record,) = await all_records(settings, STOCK_CHANGES.name)
    assert record.partition == partition_of(str(change["sku"]), STOCK_CHANGES.partitions)


async def test_a_reused_id_is_never_replayed(ingest: Ingest, settings: IngestSettings) -> None:
    await ingest.set_up()
    change = event(received_at="2026-03-01T12:00:01Z", v=1, line="0")
    await bury(settings, [letter(1, DeadReason.ID_REUSED, json.dumps(change), "{}")])
    async with consuming(settings):

        async def there() -> bool:
            return len(await entries(ingest.client)) == 1

        await until(there)
    answer = await ingest.ask("POST", "/v1/quarantine/replay", {"reason": "id_reused"})
    assert answer == {"replayed": 0, "ignored": 0, "still_quarantined": 1}
    assert await ingest.published() == []
