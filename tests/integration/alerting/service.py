"""Alerting under test: its roles in this process, on a real broker and database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from services.alerting.settings import AlertingSettings
from services.alerting.wiring import consume as alerting_consume
from services.alerting.wiring import serve as alerting_serve
from services.alerting.wiring import tick as alerting_tick
from shared.clock import Clock, WallClock
from shared.errors import Unavailable
from shared.events.catalog_items import TOPIC as CATALOG_ITEMS
from shared.events.catalog_items import CatalogItem
from shared.events.stock_alerts import TOPIC as STOCK_ALERTS
from shared.events.stock_alerts import StockAlert
from shared.events.stock_levels import TOPIC as STOCK_LEVELS
from shared.events.stock_levels import StockLevel, level_key
from shared.events.topics import TOPICS
from shared.http.auth import Scope
from shared.http.tokens import mint
from shared.kafka.messages import Message
from shared.kafka.partitions import partition_of
from shared.kafka.producer import Producer
from shared.testing.onlooker import Onlooker
from shared.testing.reading import all_records
from shared.testing.stack import Database
from shared.testing.waiting import until

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Alerting:
    """Tell levels, run roles, look at what follows."""

    settings: AlertingSettings
    database: Database
    onlooker: Onlooker
    producer: Producer
    client: httpx.AsyncClient
    clock: Clock
    """What the API and reminders go by; evaluations have the wall clock."""
    versions: dict[tuple[str, str], int] = field(default_factory=dict)

    def level(self, available: int, **fields: object) -> StockLevel:
        """Return the next message of a level; what is not given is SKU A in W at noon."""
        sku, warehouse = str(fields.get("sku", "A")), str(fields.get("warehouse", "W"))
        version = self.versions.get((sku, warehouse), 0) + 1
        self.versions[sku, warehouse] = version
        defaults: dict[str, object] = {
            "sku": sku,
            "warehouse": warehouse,
            "version": version,
            "on_hand": available,
            "reserved": 0,
            "unavailable": 0,
            "incoming": 0,
            "available": available,
            "low_water": available,
            "counted_at": None,
            "last_change_at": NOON,
            "sold_total": 0,
            "returned_total": 0,
            "received_total": 0,
        }
        return StockLevel.model_validate(defaults | fields)

    async def tell(self, *levels: StockLevel) -> None:
        """Publish levels as the ledger would: again when the broker's answer is lost."""
        messages = [
            Message(
                partition_of(each.sku, TOPICS[STOCK_LEVELS].partitions),
                level_key(each.sku, each.warehouse),
                each.encode(),
            )
            for each in levels
        ]

        async def sent() -> bool:
            try:
                await self.producer.send(STOCK_LEVELS, messages)
            except Unavailable:
                return False
            return True

        await until(sent)

    async def has_parameters(self, sku: str) -> bool:
        """Return whether anything is known of a SKU's parameters, by the catalogue or set."""
        return bool(await self.rows("SELECT 1 FROM parameter WHERE sku = $1", sku))

    async def name(self, sku: str, **fields: object) -> None:
        """Publish a catalogue item."""
        item = CatalogItem.model_validate(
            {"sku": sku, "version": 1, "updated_at": NOON, "name": f"Name of {sku}"} | fields
        )
        partition = partition_of(sku, TOPICS[CATALOG_ITEMS].partitions)
        await self.producer.send(CATALOG_ITEMS, [Message(partition, sku.encode(), item.encode())])

    @asynccontextmanager
    async def consuming(self, **settings: object) -> AsyncIterator[None]:
        """Run `consume` for a while; it ends as on SIGTERM."""
        chosen = self.settings.model_copy(update=settings)
        async with running(lambda stop: alerting_consume.run(chosen, stop)):
            yield

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[None]:
        """Run `tick` for a while."""
        async with running(lambda stop: alerting_tick.run(self.settings, stop, self.clock)):
            yield

    @asynccontextmanager
    async def answering(
        self, settings: AlertingSettings, *, is_read: bool = True
    ) -> AsyncIterator[httpx.AsyncClient]:
        """Run `serve` a second time, with other settings; yields a client of it."""
        headers = self.client.headers
        async with served(settings, headers, self.clock, is_read=is_read) as client:
            yield client

    async def ask(
        self, method: str, path: str, body: object = None, status: int = HTTPStatus.OK
    ) -> dict[str, Any]:
        """Ask the API; returns the answer."""
        answer = await self.client.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def put_rule(self, rule_id: str, **fields: object) -> dict[str, Any]:
        """Make or change a rule; what is not given is `below` 20 until 30 without any time."""
        body = {
            "name": {"en": f"Rule {rule_id}"},
            "kind": "below",
            "levels": [{"level": "watch", "enter": 20, "exit": 30}],
        } | fields
        answer = await self.client.put(f"/v1/rules/{rule_id}", json=body)
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def alerts(self, **parameters: str) -> list[dict[str, Any]]:
        """Return alerts of any state, the oldest first."""
        answer = await self.client.get("/v1/alerts", params={"state": "all"} | parameters)
        assert answer.is_success, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items[::-1]

    async def history(self, alert: dict[str, Any]) -> list[tuple[str, str]]:
        """Return (event, level) of each revision of an alert."""
        found = await self.ask("GET", f"/v1/alerts/{alert['id']}")
        return [(each["event"], each["level"]) for each in found["history"]]

    async def caught_up(self) -> None:
        """Wait until every level message told so far is evaluated."""

        async def no_lag() -> bool:
            return bool((await self.ask("GET", "/v1/alerts/summary"))["lag_records"] == 0)

        await until(no_lag)

    async def notices(self) -> list[StockAlert]:
        """Return all that is on `stock.alerts`, in order within each alert."""
        return [
            StockAlert.model_validate_json(each.value or b"")
            for each in await all_records(self.settings, STOCK_ALERTS)
        ]

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask alerting's tables."""
        return await self.onlooker.rows(query, *arguments)


@asynccontextmanager
async def running(
    role: Callable[[asyncio.Event], Coroutine[None, None, None]],
) -> AsyncIterator[None]:
    """Run a role until the block ends."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(role(stop))
        try:
            yield
        finally:
            stop.set()


@asynccontextmanager
async def alerting_on(
    settings: AlertingSettings, database: Database, key: Path, clock: Clock | None = None
) -> AsyncIterator[Alerting]:
    """Yield alerting with its API; other roles run when they are asked for."""
    clock = clock or WallClock()
    scopes = (Scope.ALERTS_READ, Scope.ALERTS_WRITE, Scope.CONFIG_WRITE)
    async with (
        Producer(settings.kafka, settings.topic_prefix, name="test") as producer,
        served(settings, authorization(key, *scopes), clock) as client,
        aclosing(Onlooker(database.url("alerting"))) as onlooker,
    ):
        yield Alerting(settings, database, onlooker, producer, client, clock)


@asynccontextmanager
async def served(
    settings: AlertingSettings, headers: Mapping[str, str], clock: Clock, *, is_read: bool = True
) -> AsyncIterator[httpx.AsyncClient]:
    """Run `serve` in this process; yields a client of it, once it has read its topics."""
    app = alerting_serve.application(settings, clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://alerting",
            headers=dict(headers),
        ) as client,
    ):
        if is_read:
            for reader in (app.state.desk._reader, app.state.desk._hearing):
                await reader.caught_up.wait()
        yield client


def authorization(key: Path, *scopes: Scope, subject: str = "buyer") -> dict[str, str]:
    """Return the header of somebody's token for scopes."""
    token = mint(
        key,
        subject=subject,
        scopes=list(scopes),
        now=WallClock().now(),
        lifetime=timedelta(days=60),
    )
    return {"Authorization": f"Bearer {token}"}
