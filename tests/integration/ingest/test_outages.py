"""Broker or database away: what still works, what says so, and that nothing is half accepted."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from services.ingest.settings import IngestSettings
from services.ingest.store import quarantine
from services.ingest.wiring import serve as ingest_serve
from shared.errors import Unavailable
from shared.testing.proxy import Direction, Proxy, proxied
from shared.testing.waiting import PATIENCE_SECONDS, until
from tests.integration.ingest.service import Ingest, event, running

pytestmark = pytest.mark.stack

SEND_SECONDS = 2
"""How long a request may wait for the broker, and the start for its first connection."""

IGNORE_POST = {"items": [{"kind": "sku", "external": "POST", "action": "ignore"}]}


async def problems(client: httpx.AsyncClient) -> set[str]:
    answer = await client.get("/readyz")
    assert answer.status_code == (503 if answer.json()["problems"] else 200)
    return set(answer.json()["problems"])


async def refused(ingest: Ingest, method: str, path: str, body: object = None) -> None:
    answer = await ingest.client.request(method, path, json=body)
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1


@pytest_asyncio.fixture
async def brokerless(ingest: Ingest, settings: IngestSettings) -> AsyncIterator[Ingest]:
    """Yield a second process of ingest that finds no broker; the first has set things up."""
    await ingest.set_up()
    await ingest.ask("PUT", "/v1/channels/shop/mappings", IGNORE_POST)
    nowhere = settings.model_copy(update={"kafka": "127.0.0.1:1", "send_seconds": SEND_SECONDS})
    async with running(nowhere, ingest.database, ingest.key, wait=False) as alone:

        async def database_there() -> bool:
            return "database" not in await problems(alone.client)

        await until(database_there)
        yield alone


async def test_without_broker_events_are_refused_at_once_and_the_rest_works(
    brokerless: Ingest,
) -> None:
    assert await problems(brokerless.client) == {"broker"}
    started = time.monotonic()
    for _ in range(20):
        await refused(brokerless, "POST", "/v1/events", [event(), event(id="2")])
    assert time.monotonic() - started < 20 * SEND_SECONDS / 2
    # What needs no broker goes on.
    answer = await brokerless.post([event(id="3", sku="x"), event(id="4", sku="POST")])
    assert (answer["quarantined"], answer["ignored"]) == (1, 1)
    answer = await brokerless.ask("POST", "/v1/skus", {"items": [{"sku": "x"}]})
    assert (answer["created"], answer["replayed"]) == (1, 0)
    await refused(brokerless, "POST", "/v1/quarantine/replay", {"code": "x"})
    assert len(await brokerless.rows("SELECT FROM quarantine WHERE state = 'waiting'")) == 1


async def test_a_refused_request_repeated_is_taken_once(brokerless: Ingest, ingest: Ingest) -> None:
    events = [event(), event(id="2", sku="x")]
    for _ in range(3):
        await refused(brokerless, "POST", "/v1/events", events)
    answer = await ingest.post(events)
    assert (answer["accepted"], answer["quarantined"]) == (1, 1)
    assert [each["id"] for each in await ingest.published()] == ["1"]
    assert len(await ingest.rows("SELECT FROM quarantine")) == 1


@pytest_asyncio.fixture
async def database_proxy(settings: IngestSettings, ingest: Ingest) -> AsyncIterator[Proxy]:
    async with proxied(ingest.database.stack.database_port) as proxy:
        yield proxy


def through(settings: IngestSettings, ingest: Ingest, proxy: Proxy) -> IngestSettings:
    url = ingest.database.url("ingest").replace(
        f":{ingest.database.stack.database_port}/", f":{proxy.port}/"
    )
    return IngestSettings(**(settings.model_dump() | {"database_url": url}))


async def test_without_database_known_codes_go_through_and_the_rest_is_refused(
    settings: IngestSettings, ingest: Ingest, database_proxy: Proxy
) -> None:
    await ingest.set_up()
    mapped = {"items": [*IGNORE_POST["items"], {"kind": "sku", "external": "b", "target": "B"}]}
    await ingest.ask("PUT", "/v1/channels/shop/mappings", mapped)
    proxied_settings = through(settings, ingest, database_proxy)
    async with running(proxied_settings, ingest.database, ingest.key) as service:
        await database_proxy.cut()
        answer = await service.post([event(), event(id="2", sku="b"), event(id="3", sku="POST")])
        assert (answer["accepted"], answer["ignored"]) == (2, 1)
        mixed = [event(id="4"), event(id="5", sku="x")]
        await refused(service, "POST", "/v1/events", mixed)
        await refused(service, "POST", "/v1/events", event(channel="nobody"))
        await refused(service, "GET", "/v1/skus")
        await refused(service, "GET", "/v1/quarantine")
        await refused(service, "POST", "/v1/skus", {"items": [{"sku": "C"}]})
        await refused(service, "POST", "/v1/quarantine/replay", {"code": "x"})

        async def red() -> bool:
            return await problems(service.client) == {"database"}

        await until(red)
        assert len(await service.published()) == 2, "nothing of a refused request was sent"
        await database_proxy.restore()

        async def green() -> bool:
            return not await problems(service.client)

        await until(green)
        answer = await service.post(mixed)
        assert (answer["accepted"], answer["quarantined"]) == (1, 1)


async def test_a_database_that_says_nothing_any_more_is_away(
    settings: IngestSettings,
    ingest: Ingest,
    database_proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ingest_serve, "ANSWER_SECONDS", 0.5)
    await ingest.set_up()
    proxied_settings = through(settings, ingest, database_proxy)
    async with running(proxied_settings, ingest.database, ingest.key) as service:
        database_proxy.silence(Direction.TO_CLIENT)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await refused(service, "GET", "/v1/skus")
        database_proxy.speak()

        async def answered() -> bool:
            return (await service.client.get("/v1/skus")).is_success

        await until(answered)


async def test_a_database_that_takes_no_writes_is_as_good_as_away(
    settings: IngestSettings, ingest: Ingest
) -> None:
    await ingest.set_up()
    ((name,),) = await ingest.rows("SELECT current_database()")
    await ingest.rows(
        f'ALTER ROLE CURRENT_USER IN DATABASE "{name}" SET default_transaction_read_only = on'
    )
    async with running(settings, ingest.database, ingest.key) as service:
        await refused(service, "POST", "/v1/events", [event(), event(id="2", sku="x")])
        await refused(service, "POST", "/v1/skus", {"items": [{"sku": "C"}]})
        assert (await service.post(event()))["accepted"] == 1


async def test_when_the_quarantine_cannot_be_written_nothing_is_sent(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ingest.set_up()

    async def away(*_: object) -> None:
        raise Unavailable("the database")

    monkeypatch.setattr(quarantine, "put", away)
    await refused(ingest, "POST", "/v1/events", [event(), event(id="2", sku="x")])
    assert await ingest.published() == []


async def test_a_start_without_database_waits_for_it(
    settings: IngestSettings, ingest: Ingest, database_proxy: Proxy
) -> None:
    await ingest.set_up()
    await database_proxy.cut()
    proxied_settings = through(settings, ingest, database_proxy)
    async with running(proxied_settings, ingest.database, ingest.key, wait=False) as service:
        assert await problems(service.client) == {"database"}
        await refused(service, "POST", "/v1/events", event())
        await database_proxy.restore()

        async def green() -> bool:
            return not await problems(service.client)

        await until(green)
        assert (await service.post(event()))["accepted"] == 1
