"""Ingest under test: its API in this process, on a real broker and database."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import asyncpg
import httpx

from services.ingest.settings import IngestSettings
from services.ingest.wiring import serve as ingest_serve
from services.ingest.wiring.serve import Serving
from shared.clock import Clock, WallClock
from shared.http.auth import Scope
from shared.http.tokens import mint
from shared.kafka.messages import Record
from shared.testing.onlooker import Onlooker
from shared.testing.reading import all_records
from shared.testing.stack import Database
from shared.testing.waiting import until

ALL = (Scope.EVENTS_WRITE, Scope.CONFIG_WRITE, Scope.STOCK_READ)


@dataclass(frozen=True)
class Ingest:
    """A process's worth of ingest, and a look at what it leaves behind."""

    settings: IngestSettings
    database: Database
    onlooker: Onlooker
    client: httpx.AsyncClient
    serving: Serving
    key: Path

    def token(self, *scopes: Scope, channel: str | None = None) -> dict[str, str]:
        """Return the header of a token."""
        return authorization(self.key, *scopes, channel=channel)

    async def post(
        self,
        events: object,
        *,
        status: int = HTTPStatus.ACCEPTED,
        headers: dict[str, str] | None = None,
    ) -> dict[str, object]:
        """Post events (text and bytes as they are); returns the answer."""
        answer = await self.client.post(
            "/v1/events",
            content=events if isinstance(events, bytes | str) else json.dumps(events),
            headers={"content-type": "application/json"} | (headers or {}),
        )
        assert answer.status_code == status, answer.text
        found: dict[str, object] = answer.json()
        return found

    async def ask(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """Ask for something that has to work; returns the answer."""
        answer = await self.client.request(method, path, json=body)
        assert answer.is_success, answer.text
        found: dict[str, object] = answer.json()
        return found

    async def set_up(self) -> None:
        """Create a channel, a warehouse and the SKUs A and B."""
        await self.ask("PUT", "/v1/channels/shop", {"name": "Shop", "kind": "api"})
        await self.ask("PUT", "/v1/warehouses/main", {"name": "Main", "zone": "Europe/London"})
        await self.ask("POST", "/v1/skus", {"items": [{"sku": "A"}, {"sku": "B"}]})

    async def published(self, topic: str = "stock.changes") -> list[dict[str, object]]:
        """Return all messages of a topic, by partition and offset."""
        records = await self.records(topic)
        return [json.loads(each.value) for each in records if each.value is not None]

    async def records(self, topic: str = "stock.changes") -> list[Record]:
        """Return all records of a topic, by partition and offset."""
        return await all_records(self.settings, topic)

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask ingest's tables."""
        return await self.onlooker.rows(query, *arguments)


def authorization(key: Path, *scopes: Scope, channel: str | None = None) -> dict[str, str]:
    """Return the header of a token for scopes."""
    token = mint(
        key,
        subject="test",
        scopes=list(scopes),
        now=WallClock().now(),
        lifetime=timedelta(hours=1),
        channel=channel,
    )
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def running(
    settings: IngestSettings,
    database: Database,
    key: Path,
    *,
    clock: Clock | None = None,
    wait: bool = True,
) -> AsyncIterator[Ingest]:
    """Yield a process's worth of ingest; with `wait`, once it is ready."""
    async with (
        ingest_serve.serving(settings, clock or WallClock()) as serving,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(serving.app),
            base_url="http://ingest",
            headers=authorization(key, *ALL),
        ) as client,
        aclosing(Onlooker(database.url("ingest"))) as onlooker,
    ):

        async def ready() -> bool:
            return (await client.get("/readyz")).is_success

        if wait:
            await until(ready)
        yield Ingest(settings, database, onlooker, client, serving, key)


def event(**fields: object) -> dict[str, object]:
    """Return an event; what is not given is a sale of one A in the shop at noon."""
    return {
        "id": "1",
        "channel": "shop",
        "type": "sale",
        "sku": "A",
        "warehouse": "main",
        "quantity": 1,
        "occurred_at": "2026-03-01T12:00:00Z",
    } | fields
