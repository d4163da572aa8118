"""Alerting and the notifier at work on one database and one clock, without a broker between them.

Every process does its turns when `work` says so, until none has anything left to do. Any of them
may be killed at its next commit, or around its next message; it is started anew then.
"""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from pathlib import Path
from uuid import UUID

import httpx
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import event
from typing_extensions import override

from services.alerting.domain.channels import NOBODY
from services.alerting.domain.timebase import WallTime
from services.alerting.following import Following
from services.alerting.inbound.catalog_items import Catalogue
from services.alerting.ordering.links import OrderLinks
from services.alerting.ordering.mails import OrderMails
from services.alerting.pipeline import StockLevels
from services.alerting.reminding import Reminding
from services.alerting.responding import AlertResponses
from services.alerting.settings import AlertingSettings
from services.alerting.store.outbox import NOTICES
from services.alerting.store.parameter_watch import ParameterWatch
from services.alerting.store.rule_watch import RuleWatch
from services.alerting.supplying import Supplying
from services.alerting.wiring import serve as alerting_serve
from services.notifier.destinations.kinds import Renderer, transport_of
from services.notifier.destinations.links import Links
from services.notifier.destinations.transport import Means, Message, Transport
from services.notifier.domain.destinations import Destination
from services.notifier.domain.outcomes import Outcome
from services.notifier.pipeline import StockAlerts
from services.notifier.sending.lane import Lane
from services.notifier.sending.tools import Tools
from services.notifier.settings import SecretSettings
from services.notifier.store import leases
from services.notifier.store.access_tokens import AccessTokens
from services.notifier.store.responses import RESPONSES
from services.notifier.store.secrets import Vault
from services.notifier.wiring import serve as notifier_serve
from shared.clock import ManualClock
from shared.database.engine import Connection, Engine, create_engine
from shared.database.outbox import Outbox
from shared.events.stock_alerts import StockAlert
from shared.events.stock_levels import StockLevel
from shared.http.auth import Scope
from shared.http.tokens import ensure_keys
from shared.kafka.handler import Batch, Claim
from shared.testing.stack import Database
from shared.testing.unruly_http import Misconduct, Reply, Request
from shared.testing.wecom import FakeWecom
from shared.testing.wecom_app import FakeWecomApp
from tests.factories.records import FakeRecord
from tests.integration.alerting.service import authorization

PARTITION = 0
AT_ONCE = 500
KEY = "0f6b2a1c-6a5e-4f43-9f0a-6a0d5d6f7e11"
TLS = ssl.create_default_context()
SETTINGS = frozenset(
    {
        *("rule", "rule_book", "parameter", "parameter_book", "person", "responsibility"),
        *("playbook", "attention_policy", "approval_limit", "supplier", "working_calendar"),
        *(
            "rotation",
            "warehouse_group",
            "destination",
            "route",
            "alembic_version",
            "position",
            "lease",
            "sender",
            "audit",
            "staff_revision",
            "routing_revision",
        ),
    }
)
"""Tables that courses leave as they are."""


class Killed(BaseException):
    """The process is no more. Nothing catches it that catches errors."""


class Around(Enum):
    """Where a sender may be killed."""

    BEFORE = auto()
    """The attempt is recorded, and not made."""
    AFTER = auto()
    """The vendor has answered, and nobody has noted it."""


class Phones(FakeWecomApp):
    """Keeps what it has taken, repeats included."""

    def __init__(self, users: tuple[str, ...], clock: ManualClock) -> None:
        super().__init__(users, clock=clock)
        self.taken: list[dict[str, object]] = []

    @override
    def _send(self, body: dict[str, object]) -> Reply:
        reply = super()._send(body)
        self.taken.append(body)
        return reply

    @override
    def _change(self, body: dict[str, object]) -> Reply:
        reply = super()._change(body)
        self.taken.append(body)
        return reply


@dataclass(slots=True)
class Sent:
    """One call of a transport: `accepted` is how often the vendor took the message."""

    destination: str
    delivery: UUID
    at: datetime
    accepted: int = 0
    is_known: bool = False
    """The vendor said that it had it already."""


@dataclass
class Shop:
    """Everything of a course; `database` outlives it."""

    engines: Mapping[str, Engine]
    clients: Mapping[str, httpx.AsyncClient]
    tools: Tools
    clock: ManualClock
    bot: FakeWecom
    app: Phones
    kill_at: dict[str, int] = field(default_factory=dict)
    """By service: which of its next commits does not come about."""
    around: dict[str, Around] = field(default_factory=dict)
    """By destination."""
    loses_memory: bool = False
    """The next batch of levels is durable, and whoever wrote it dies before knowing so."""
    sent: list[Sent] = field(default_factory=list)
    published: list[StockAlert] = field(default_factory=list)
    """Each revision once, in order of its arrival."""
    waits_until: dict[str, datetime | None] = field(default_factory=dict)
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    waiting: list[FakeRecord] = field(default_factory=list)
    kills: int = 0

    def __post_init__(self) -> None:
        alerting = self.engines["alerting"]
        self.rules, self.parameters = RuleWatch(alerting), ParameterWatch(alerting)
        self.following = Following(alerting, self.clock)
        self.reminding = Reminding(alerting, self.clock)
        self.supplying = Supplying(
            alerting, self.clock, OrderMails(OrderLinks(None, ""), None, None)
        )
        self.outbox = Outbox(alerting, NOTICES)
        self.answers = Outbox(self.engines["notifier"], RESPONSES)
        self.lanes: dict[str, Lane] = {}
        self.levels: StockLevels | None = None
        self.batches = 0

    # What is told.

    def hear(self, sku: str, warehouse: str, available: int, **fields: object) -> None:
        """Let a level message wait."""
        place = (sku, warehouse)
        self.versions[place] = self.versions.get(place, 0) + 1
        now = self.clock.now()
        defaults: dict[str, object] = {
            "sku": sku,
            "warehouse": warehouse,
            "version": self.versions[place],
            "on_hand": max(0, available),
            "reserved": 0,
            "unavailable": 0,
            "incoming": 0,
            "available": available,
            "low_water": available,
            "counted_at": None,
            "last_change_at": now,
            "sold_total": 0,
            "returned_total": 0,
            "received_total": 0,
        }
        level = StockLevel.model_validate(defaults | fields)
        stamp = int(now.timestamp() * 1_000)
        self.waiting.append(
            FakeRecord(level.encode(), topic="stock.levels", partition=PARTITION, timestamp=stamp)
        )

    async def ask(
        self, who: str, method: str, path: str, body: object = None, service: str = "alerting"
    ) -> httpx.Response:
        """Ask an API as somebody."""
        return await self.clients[f"{service}:{who}"].request(method, path, json=body)

    async def close(self) -> None:
        """End the senders, and their connections with them."""
        lanes, self.lanes = self.lanes, {}
        for lane in lanes.values():
            await lane._close_transport()

    # What the processes do.

    async def work(self) -> None:
        """Let all processes do what there is to do."""
        await self.rules.look()
        await self.parameters.look()
        for _ in range(100):
            moved = 0
            await self._alive(self._supply)
            for turn in (self._evaluate, self._follow, self._remind, self._relay, self._respond):
                moved += await self._alive(turn)
            for destination in ("app", "bot"):
                moved += await self._send(destination)
            if not moved:
                return
        raise AssertionError("the processes never come to rest")

    async def pass_time(
        self, span: timedelta, due: Callable[[], Awaitable[datetime | None]]
    ) -> None:
        """Let time pass, with a turn whenever something is due."""
        end = self.clock.now() + span
        while self.clock.now() < end:
            now = self.clock.now()
            moments = [each for each in (*self.waits_until.values(), await due()) if each]
            soon = min((each for each in moments if each > now), default=end)
            self.clock.set(min(end, soon + timedelta(milliseconds=1)))
            await self.work()

    async def _alive(self, turn: Callable[[], Awaitable[int]]) -> int:
        try:
            return await turn()
        except Killed:
            self.kills += 1
            self.levels = None
            return 1

    async def _evaluate(self) -> int:
        if self.levels is None:
            self.levels = StockLevels(
                rules=lambda: self.rules.book,
                parameters=lambda: self.parameters.book,
                catalogue=Catalogue(),
                channels=lambda: NOBODY,
                timebase=WallTime(),
                clock=self.clock,
                partitions=1,
            )
            async with self.engines["alerting"].begin() as connection:
                await self.levels.claim(connection, [Claim(PARTITION, 0, 0)])
        levels, moved = self.levels, 0
        if self.waiting:
            batch = Batch([*self.waiting], {PARTITION: self._next_batch()})
            await self._durably(lambda connection: levels.handle(connection, batch))
            assert not batch.dead_letters
            self.waiting.clear()
            self._may_lose_memory()
            levels.committed(batch)
            moved = 1
        drained = {PARTITION: self.clock.now()}
        async with self.engines["alerting"].connect() as connection:
            due = await levels.due(connection, [PARTITION], drained)
        if due:
            batch = Batch([], {PARTITION: self._next_batch()})
            await self._durably(lambda connection: levels.turn(connection, batch, drained))
            self._may_lose_memory()
            levels.turned()
            moved = 1
        return moved

    def _next_batch(self) -> int:
        self.batches += 1
        return self.batches

    def _may_lose_memory(self) -> None:
        if self.loses_memory:
            self.loses_memory = False
            raise Killed

    async def _durably(self, work: Callable[[Connection], Awaitable[object]]) -> None:
        async with self.engines["alerting"].begin() as connection:
            await work(connection)

    async def _follow(self) -> int:
        return await self.following.step()

    async def _remind(self) -> int:
        return await self.reminding.step()

    async def _supply(self) -> int:
        return await self.supplying.step()

    async def _relay(self) -> int:
        """Hand notices on as the broker would: again, where they could not be taken off."""
        async with self.outbox.taken(AT_ONCE) as notices:
            if not notices:
                return 0
            records = [
                FakeRecord(each.value.encode(), topic="stock.alerts", offset=each.id)
                for each in notices
            ]
            async with self.engines["notifier"].begin() as connection:
                await StockAlerts(self.clock).handle(connection, Batch([*records], {0: 1}))
            known = {(each.alert_id, each.revision) for each in self.published}
            told = [StockAlert.model_validate_json(each.value) for each in notices]
            self.published += [each for each in told if (each.alert_id, each.revision) not in known]
        return len(notices)

    async def _respond(self) -> int:
        async with self.answers.taken(AT_ONCE) as answers:
            if not answers:
                return 0
            records = [FakeRecord(each.value.encode(), topic="alert.responses") for each in answers]
            async with self.engines["alerting"].begin() as connection:
                handler = AlertResponses(Catalogue(), self.clock)
                await handler.handle(connection, Batch([*records], {0: 1}))
        return len(answers)

    async def _send(self, destination: str) -> int:
        for moved in range(300):
            try:
                lane = self.lanes.get(destination) or await self._lane(destination)
                rest = await lane._step()
                if rest is not None and not lane._attempts.unsettled:
                    self.waits_until[destination] = rest.until
                    return moved
            except Killed:
                self.kills += 1
                await self.close()
        raise AssertionError(f"{destination} never comes to rest")

    async def _lane(self, destination: str) -> Lane:
        async with self.tools.engine.begin() as connection:
            await leases.renew(connection, "one")
            served = [*self.lanes]
            for lease in await leases.take(connection, "one", 9, served):
                self.lanes[lease.destination] = Lane(lease, self.tools)
        return self.lanes[destination]


class Watched(Transport):
    """Notes what a message comes to, and dies around it where that is asked for."""

    def __init__(self, shop: Shop, destination: str, inner: Transport) -> None:
        self._shop = shop
        self._destination = destination
        self._inner = inner

    @override
    async def send(self, message: Message) -> Outcome:
        shop = self._shop
        around = shop.around.pop(self._destination, None)
        if around is Around.BEFORE:
            raise Killed
        sent = Sent(self._destination, message.delivery, shop.clock.now())
        shop.sent.append(sent)
        before = self._taken
        outcome = await self._inner.send(message)
        sent.accepted = self._taken - before
        sent.is_known = outcome.code == "42014"
        if around is Around.AFTER:
            raise Killed
        return outcome

    @property
    def _taken(self) -> int:
        return len(self._shop.bot.accepted if self._destination == "bot" else self._shop.app.taken)

    @override
    async def close(self) -> None:
        await self._inner.close()


class Premises:
    """What all courses share: engines, APIs, settings. `shop` is the present course's."""

    def __init__(
        self,
        database: Database,
        kafka: str,
        keys: Path,
        clock: ManualClock,
        people: tuple[str, ...],
    ) -> None:
        ensure_keys(keys / "key.pem", keys / "jwks.json")
        self._alerting = AlertingSettings(
            kafka=kafka,
            database_url=SecretStr(database.url("alerting")),
            jwks_file=keys / "jwks.json",
        )
        self._notifier = SecretSettings(
            kafka=kafka,
            database_url=SecretStr(database.url("notifier")),
            jwks_file=keys / "jwks.json",
            secret_key=SecretStr(Fernet.generate_key().decode()),
            console_url="http://console.example",
        )
        self._key = keys / "key.pem"
        self.shop: Shop | None = None
        self.engines = {
            "alerting": create_engine(database.url("alerting"), pool=6),
            "notifier": create_engine(database.url("notifier"), pool=6),
        }
        for name, engine in self.engines.items():
            self._let_die(name, engine)
        scopes = (Scope.ALERTS_READ, Scope.ALERTS_WRITE, Scope.CONFIG_WRITE)
        self._apps = {
            "alerting": alerting_serve.application(self._alerting, clock),
            "notifier": notifier_serve.application(self._notifier, clock),
        }
        # Nobody reads the catalogue here: nothing is in it.
        self._apps["alerting"].state.desk._reader.caught_up.set()
        self.clients = {
            f"{service}:{person}": httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url=f"http://{service}",
                headers=authorization(self._key, *scopes, subject=person),
            )
            for service, app in self._apps.items()
            for person in people
        }

    async def close(self) -> None:
        """Let all connections go."""
        if self.shop is not None:
            await self.shop.close()
        for client in self.clients.values():
            await client.aclose()
        # Their lifespans would ask the broker.
        alerting, notifier = (app.state.desk for app in self._apps.values())
        desks = (alerting._engine, notifier.engine)
        for engine in (*self.engines.values(), *desks):
            await engine.dispose()

    def _let_die(self, name: str, engine: Engine) -> None:
        @event.listens_for(engine.sync_engine, "commit")
        def before_commit(_: object) -> None:
            shop = self.shop
            if shop is None or name not in shop.kill_at:
                return
            shop.kill_at[name] -= 1
            if shop.kill_at[name] < 0:
                del shop.kill_at[name]
                raise Killed

    def answer_bot(self, request: Request) -> Reply | Misconduct:
        """Answer as the present course's vendor."""
        assert self.shop is not None
        return self.shop.bot.answer(request)

    def answer_app(self, request: Request) -> Reply | Misconduct:
        """Answer as the present course's vendor."""
        assert self.shop is not None
        return self.shop.app.answer(request)

    def open(self, clock: ManualClock, users: tuple[str, ...]) -> Shop:
        """Begin a course; `clock` is what the APIs go by."""
        vault = Vault(self._notifier.secret_key)
        tools = Tools(
            engine=self.engines["notifier"],
            vault=vault,
            renderer=Renderer(self._notifier.console_url, self._notifier.public_url),
            means=Means(
                tls=TLS,
                tokens=AccessTokens(self.engines["notifier"], vault),
                links=Links(vault, self._notifier.public_url),
            ),
            transport_of=self._transport_of,
            clock=clock,
            jitter=lambda: 0.0,
        )
        bot, app = FakeWecom({KEY}, clock=clock), Phones(users, clock)
        self.shop = Shop(self.engines, self.clients, tools, clock, bot, app)
        return self.shop

    def _transport_of(self, destination: Destination, means: Means) -> Transport:
        assert self.shop is not None
        return Watched(self.shop, destination.id, transport_of(destination, means))
