"""The notifier under test: its parts in this process, on a real database, WeCom faked."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import asyncpg
import httpx
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from typing_extensions import override

from deploy.local.ports import LOOPBACK, pick_free
from services.notifier.destinations.kinds import Renderer, transport_of
from services.notifier.destinations.links import Links
from services.notifier.destinations.transport import Means, Transport
from services.notifier.domain.destinations import Destination
from services.notifier.pipeline import StockAlerts
from services.notifier.sending.sender import Sender
from services.notifier.sending.tools import Tools
from services.notifier.settings import SecretSettings
from services.notifier.store.access_tokens import AccessTokens
from services.notifier.store.secrets import Vault
from services.notifier.wiring import serve as notifier_serve
from shared.clock import Clock, WallClock
from shared.database.engine import create_engine
from shared.events.stock_alerts import StockAlert
from shared.http.auth import Scope
from shared.http.server import serve
from shared.http.tokens import mint
from shared.kafka.handler import Batch
from shared.testing.mailbox import Mailbox
from shared.testing.onlooker import Onlooker
from shared.testing.stack import Database
from shared.testing.waiting import until
from shared.testing.wecom import FakeWecom
from shared.testing.wecom_app import FakeWecomApp

KEY = "0f6b2a1c-6a5e-4f43-9f0a-6a0d5d6f7e11"
OTHER_KEY = "77aa2a1c-6a5e-4f43-9f0a-6a0d5d6f7e22"
PASSWORD = "tide-Over-9"
LOOKING_ON = "looking on"
"""The name of the tests' own connections to the database."""

Row = dict[str, object]


class Record(NamedTuple):
    """A record as the broker would give it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Notifier:
    """Handles for a test."""

    settings: SecretSettings
    database: Database
    onlooker: Onlooker
    engine: AsyncEngine
    wecom: FakeWecom
    keys: set[str]
    wecom_url: str
    mailbox: Mailbox
    mailbox_port: int
    client: httpx.AsyncClient
    key: Path
    app: FastAPI
    clock: Clock = field(default_factory=WallClock)

    async def ask(self, method: str, path: str, body: object = None) -> Row:
        """Ask for something that has to work; returns the answer."""
        answer = await self.client.request(method, path, json=body)
        assert answer.is_success, answer.text
        found: Row = answer.json()
        return found

    def accept(self, *keys: str) -> None:
        """Make more bots known to the fake."""
        self.keys.update(keys)

    async def bot(self, id_: str = "buyers", key: str = KEY, **fields: object) -> None:
        """Put a group bot on the fake."""
        await self.put(id_, "wecom_bot", {"key": key, "url": self.wecom_url}, **fields)

    async def put(self, id_: str, kind: str, part: Row, **fields: object) -> Row:
        """Put a destination of any kind."""
        body = {"kind": kind, "name": id_, "language": "zh-CN", kind: part}
        return await self.ask("PUT", f"/v1/destinations/{id_}", body | fields)

    async def application(
        self, fake: FakeWecomApp, url: str, to: Sequence[str] = ("zhangsan",), id_: str = "app"
    ) -> None:
        """Put a WeCom application on a fake."""
        part = {
            "corp_id": fake.corp_id,
            "agent_id": fake.agent_id,
            "secret": fake.secret,
            "callback_token": fake.callback_token,
            "encoding_aes_key": fake.encoding_aes_key,
            "to": list(to),
            "url": url,
        }
        await self.put(id_, "wecom_app", part)

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[str]:
        """Serve the API on a port of its own; yields the base URL."""
        (port,) = pick_free(1)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(self.app, LOOPBACK, port, stop=stop))
            url = f"http://{LOOPBACK}:{port}"

            async def up() -> bool:
                try:
                    async with httpx.AsyncClient(trust_env=False) as client:
                        return (await client.get(f"{url}/healthz")).is_success
                except httpx.TransportError:
                    return False

            await until(up)
            try:
                yield url
            finally:
                stop.set()

    async def mail(
        self, id_: str = "post", to: tuple[str, ...] = ("buyer@example.com",), **fields: object
    ) -> None:
        """Put a mail destination on the mailbox."""
        email = {
            "to": list(to),
            "from": "Lowtide <lowtide@example.com>",
            "host": "127.0.0.1",
            "port": self.mailbox_port,
        }
        await self.put(id_, "email", email | fields, language="en")

    async def tell(
        self, *alerts: StockAlert | bytes, connection: AsyncConnection | None = None
    ) -> None:
        """Hand alert messages to the consumer's handler, as one batch and transaction."""
        if connection is None:
            async with self.engine.begin() as own:
                await self.tell(*alerts, connection=own)
            return
        records = [
            Record(
                "stock.alerts",
                0,
                offset,
                0,
                None,
                each if isinstance(each, bytes) else each.encode(),
            )
            for offset, each in enumerate(alerts)
        ]
        await self._handler.handle(connection, Batch(list(records), {0: 1}))

    @cached_property
    def _handler(self) -> StockAlerts:
        """Return one that lives as long as the test, as a process does: it remembers."""
        return StockAlerts(self.clock)

    @asynccontextmanager
    async def sending(
        self,
        name: str = "one",
        *,
        transport: Callable[[Destination, Means], Transport] = transport_of,
        clock: Clock | None = None,
        tls: ssl.SSLContext | None = None,
        through: Callable[[AsyncEngine], AsyncEngine] = lambda engine: engine,
        leaving: bool = True,
    ) -> AsyncIterator[Sender]:
        """Run a sender. Without `leaving` its leases stay when it ends, as after a kill."""
        engine = create_engine(self.settings.database_url.get_secret_value())
        vault = Vault(self.settings.secret_key)
        tools = Tools(
            engine=through(engine),
            vault=vault,
            renderer=Renderer(self.settings.console_url, self.settings.public_url),
            means=Means(
                tls=tls or TLS,
                tokens=AccessTokens(engine, vault),
                links=Links(vault, self.settings.public_url),
            ),
            transport_of=transport,
            clock=clock or self.clock,
            jitter=lambda: 0.0,
        )
        sender = Sender(name, tools) if leaving else _Unforgiving(name, tools)
        stop = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                running = group.create_task(sender.run(stop))
                try:
                    yield sender
                finally:
                    stop.set()
                    await running
        finally:
            await engine.dispose()

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask the notifier's tables."""
        return await self.onlooker.rows(query, *arguments)

    async def states(self, **of: object) -> list[str]:
        """Return the states of deliveries in the order they were recorded."""
        where = " AND ".join(f"{name} = ${place}" for place, name in enumerate(of, 1)) or "true"
        rows = await self.rows(
            f"SELECT state FROM delivery WHERE {where} ORDER BY id",  # noqa: S608 - the test's own
            *of.values(),
        )
        return [row["state"] for row in rows]

    async def until_settled(self, seconds: float = 60) -> None:
        """Wait until nothing waits any more."""

        async def settled() -> bool:
            open_ = await self.rows(
                "SELECT 1 FROM delivery WHERE state IN ('waiting', 'sending', 'failed') LIMIT 1"
            )
            return not open_

        await until(settled, seconds=seconds)

    async def until_states(self, *expected: str, seconds: float = 60, **of: object) -> None:
        """Wait until the deliveries are in these states, in the order they were recorded."""
        found: list[str] = []

        async def as_expected() -> bool:
            found[:] = await self.states(**of)
            return found == list(expected)

        try:
            await until(as_expected, seconds=seconds)
        except TimeoutError:
            raise AssertionError(f"{found} instead of {list(expected)}") from None


TLS = ssl.create_default_context()


class _Unforgiving(Sender):
    """Ends without a word to the database."""

    @override
    async def _leave(self) -> None:
        """Leave everything as it is."""


@asynccontextmanager
async def running(
    settings: SecretSettings, database: Database, key: Path, clock: Clock | None = None
) -> AsyncIterator[Notifier]:
    """Yield the API, the fakes and an engine."""
    keys = {KEY, OTHER_KEY}
    wecom = FakeWecom(keys)
    mailbox = Mailbox()
    app = notifier_serve.application(settings, clock)
    token = mint(
        key,
        subject="anna",
        scopes=[Scope.ALERTS_READ, Scope.CONFIG_WRITE],
        now=WallClock().now(),
        lifetime=timedelta(hours=1),
    )
    async with AsyncExitStack() as held:
        wecom_url = await held.enter_async_context(wecom.serving())
        port = await held.enter_async_context(mailbox.serving())
        await held.enter_async_context(app.router.lifespan_context(app))
        client = await held.enter_async_context(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://notifier",
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
            )
        )
        engine = create_engine(settings.database_url.get_secret_value())
        held.push_async_callback(engine.dispose)
        onlooker = Onlooker(database.url("notifier"), application_name=LOOKING_ON)
        held.push_async_callback(onlooker.aclose)
        yield Notifier(
            settings,
            database,
            onlooker,
            engine,
            wecom,
            keys,
            wecom_url,
            mailbox,
            port,
            client,
            key,
            app,
        )


def content_of(row: asyncpg.Record) -> Row:
    """Return a delivery row's content."""
    found: Row = json.loads(row["content"])
    return found
