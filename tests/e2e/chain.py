"""The whole chain in this process: ingest, ledger, alerting and notifier on one clock.

Broker, database and mail server are real, vendors are strict fakes. What the services do by
themselves after minutes or days happens when a test moves the clock; pending and recovery times
go by the broker's own clock and stay short.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
from cryptography.fernet import Fernet
from fastapi import FastAPI
from pydantic import SecretStr

from deploy.local.ports import LOOPBACK, pick_free
from services.alerting.settings import AlertingSettings
from services.alerting.wiring import consume as alerting_consume
from services.alerting.wiring import tick as alerting_tick
from services.ingest.settings import IngestSettings
from services.ledger.settings import LedgerSettings
from services.ledger.wiring import consume as ledger_consume
from services.notifier.settings import SecretSettings
from services.notifier.wiring import consume as notifier_consume
from services.notifier.wiring import send as notifier_send
from shared.clock import ManualClock, WallClock
from shared.http.auth import Scope
from shared.http.server import serve
from shared.http.tokens import ensure_keys, mint
from shared.testing.stack import Database, Stack
from shared.testing.waiting import until
from shared.testing.wecom_app import FakeWecomApp
from tests.integration.alerting.service import Alerting, alerting_on
from tests.integration.alerting.service import running as role
from tests.integration.ingest.service import Ingest
from tests.integration.ingest.service import running as ingest_on
from tests.integration.notifier.service import Notifier
from tests.integration.notifier.service import running as notifier_on

CHANNEL = "shop"
WAREHOUSE = "main"
LIN, BOSS = "lin", "boss"
CANARY = "CANARY"
"""A SKU that is always low, told to nobody: what opens for it shows that rules are in force."""

_BULK = 1_000

_WORKED_OFF = """
SELECT COALESCE(sum(next_offset), 0)::bigint FROM ledger.consumer_position
WHERE topic = 'stock.changes' AND published = batch
"""


@dataclass
class Chain:
    """All services at work, and what a test does with them."""

    clock: ManualClock
    ingest: Ingest
    alerting: Alerting
    notifier: Notifier
    phones: FakeWecomApp
    """WeCom with the shop's application, and the phones of LIN and BOSS."""
    callback: str
    """Where WeCom tells of what is pressed."""

    async def open_shop(self, *skus: str) -> None:
        """Make a channel, a warehouse and SKUs known."""
        await self.ingest.ask("PUT", f"/v1/channels/{CHANNEL}", {"name": "Shop", "kind": "api"})
        await self.ingest.ask(
            "PUT", f"/v1/warehouses/{WAREHOUSE}", {"name": "Main", "zone": "Asia/Shanghai"}
        )
        known = [*skus, CANARY]
        for start in range(0, len(known), _BULK):
            some = [{"sku": sku} for sku in known[start : start + _BULK]]
            await self.ingest.ask("POST", "/v1/skus", {"items": some})
        orders = {"name": "Orders", "kind": "api"}
        await self.ingest.ask("PUT", "/v1/channels/lowtide-orders", orders)
        ends_at = (self.clock.now() + timedelta(days=30)).isoformat()
        silence = {"sku": CANARY, "ends_at": ends_at, "comment": "a canary"}
        await self.alerting.ask("POST", "/v1/silences", silence, HTTPStatus.CREATED)
        await self.post({"type": "receipt", "sku": CANARY})
        await self.settled()

    async def rule(self, rule_id: str, **fields: object) -> None:
        """Make a rule, and wait until it is in force."""
        await self.alerting.put_rule(rule_id, **fields)
        canary = f"canary-{rule_id}"
        await self.alerting.put_rule(canary, scope={"skus": [CANARY]})
        await self.alert("opened", rule_id=canary)

    async def staff(self) -> None:
        """Have LIN see to everything, and BOSS behind them; both carry phones."""
        for person in (LIN, BOSS):
            body = {"name": person.title(), "wecom_userid": person, "language": "zh-CN"}
            await self.alerting.ask("PUT", f"/v1/people/{person}", body)
        rows = [{"owner": LIN, "manager": BOSS}]
        await self.alerting.ask("PUT", "/v1/responsibilities", {"items": rows})

    async def post(self, *events: dict[str, object]) -> None:
        """Post events as the shop would; what is not given is a sale of one, just now."""
        now = WallClock().now().isoformat()
        defaults: dict[str, object] = {
            "channel": CHANNEL,
            "type": "sale",
            "warehouse": WAREHOUSE,
            "quantity": 1,
            "occurred_at": now,
        }
        told = [{**defaults, "id": uuid4().hex, **event} for event in events]
        answer = await self.ingest.post(told)
        assert answer["accepted"] == len(told), answer

    async def settled(self) -> None:
        """Wait until everything posted so far is evaluated."""
        posted = len(await self.ingest.records())
        watch = await asyncpg.connect(self.alerting.database.administrator_url)

        async def evaluated() -> bool:
            return bool(await watch.fetchval(_WORKED_OFF) >= posted)

        try:
            await until(evaluated)
        finally:
            await watch.close()
        await self.alerting.caught_up()

    async def alert(self, event: str, **of: object) -> dict[str, Any]:
        """Wait until the newest alert has an event in its history; returns the alert."""
        found: list[dict[str, Any]] = []

        async def there() -> bool:
            listed = await self.alerting.alerts()
            for each in reversed(listed):
                if any(_said(each, name) != value for name, value in of.items()):
                    continue
                whole = await self.alerting.ask("GET", f"/v1/alerts/{each['id']}")
                if any(one["event"] == event for one in whole["history"]):
                    found[:] = [whole]
                    return True
            return False

        await until(there)
        return found[0]

    def later(self, **span: float) -> None:
        """Let time pass for all that waits for minutes or days."""
        self.clock.advance(timedelta(**span))


def _said(alert: dict[str, Any], name: str) -> object:
    return alert["rule"]["id"] if name == "rule_id" else alert[name]


@asynccontextmanager
async def whole_chain(
    stack: Stack, database: Database, topics: str, folder: Path, start: datetime | None = None
) -> AsyncIterator[Chain]:
    """Run every role until the block ends."""
    key = folder / "key.pem"
    ensure_keys(key, folder / "jwks.json")
    clock = ManualClock(start or WallClock().now())
    common: dict[str, Any] = {
        "kafka": stack.bootstrap,
        "topic_prefix": topics,
        "jwks_file": folder / "jwks.json",
    }
    ingest_settings = IngestSettings(**common, database_url=database.url("ingest"))
    ledger_settings = LedgerSettings(**common, database_url=database.url("ledger"))
    alerting_settings = AlertingSettings(**common, database_url=database.url("alerting"))
    notifier_settings = SecretSettings(
        **common,
        database_url=database.url("notifier"),
        secret_key=SecretStr(Fernet.generate_key().decode()),
        console_url="http://console.example",
    )
    (ingest_port,) = pick_free(1)
    alerting_settings.ingest_url = f"http://{LOOPBACK}:{ingest_port}"
    alerting_settings.service_token = SecretStr(
        mint(
            key,
            subject="alerting",
            scopes=[Scope.EVENTS_WRITE],
            now=WallClock().now(),
            lifetime=timedelta(days=60),
        )
    )
    async with AsyncExitStack() as held:
        ingest = await held.enter_async_context(ingest_on(ingest_settings, database, key))
        alerting = await held.enter_async_context(
            alerting_on(alerting_settings, database, key, clock)
        )
        notifier = await held.enter_async_context(
            notifier_on(notifier_settings, database, key, clock)
        )
        phones = FakeWecomApp((LIN, BOSS), clock=clock)
        url = await held.enter_async_context(phones.serving())
        for at_work in (
            lambda stop: _serve(ingest.serving.app, ingest_port, stop),
            lambda stop: ledger_consume.run(ledger_settings, stop),
            lambda stop: alerting_consume.run(alerting_settings, stop, clock),
            lambda stop: alerting_tick.run(alerting_settings, stop, clock),
            lambda stop: notifier_consume.run(notifier_settings, stop, clock),
            lambda stop: notifier_send.run(notifier_settings, stop, clock),
        ):
            await held.enter_async_context(role(at_work))
        await notifier.application(phones, url)
        callback = f"{await held.enter_async_context(notifier.answering())}/callbacks/wecom/app"
        yield Chain(clock, ingest, alerting, notifier, phones, callback)


async def _serve(app: FastAPI, port: int, stop: asyncio.Event) -> None:
    await serve(app, LOOPBACK, port, stop=stop)
