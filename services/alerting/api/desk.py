"""What the routes are built over: tables, clock, catalogue, and how far `consume` has come."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Annotated, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from fastapi import Depends, Header, Request

from services.alerting.domain.channels import NOBODY, Channels
from services.alerting.domain.subject import Item
from services.alerting.inbound.catalog_items import Catalogue, CatalogueReader
from services.alerting.inbound.channel_health import ChannelReader
from shared.clock import Clock
from shared.database import positions
from shared.database.audit import Doer
from shared.database.engine import Connection, Engine, asking, trouble
from shared.errors import Unavailable
from shared.events.stock_alerts import AlertLevel
from shared.events.stock_levels import TOPIC
from shared.http import audit
from shared.http.auth import Caller, Scope, require
from shared.http.problems import Problem
from shared.kafka.lag import Lag, LagReader

T = TypeVar("T")

Question = Callable[[Connection], Awaitable[T]]


class Desk:
    """One transaction a question; a database that is away raises Unavailable (503)."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        lag: LagReader,
        reader: CatalogueReader,
        hearing: ChannelReader,
        *,
        in_event_time: bool,
        sla_minutes: Mapping[AlertLevel, int],
    ) -> None:
        self._engine = engine
        self._lag = lag
        self._reader = reader
        self._hearing = hearing
        self.clock = clock
        self.in_event_time = in_event_time
        """Whether `consume` evaluates on the events' own time."""
        self.sla_minutes = sla_minutes
        """Within how many minutes somebody is to see to an alert, by level."""

    async def ask(self, question: Question[T]) -> T:
        """Return the answer to a question."""

        async def asked() -> T:
            async with self._engine.connect() as connection:
                return await question(connection)

        return await asking(asked)

    async def change(self, change: Question[T]) -> T:
        """Return what a change returns, once it is durable."""

        async def changed() -> T:
            async with self._engine.begin() as connection:
                return await change(connection)

        return await asking(changed)

    def item(self, sku: str, *, needed: bool) -> Item | None:
        """Return what the catalogue says of a SKU.

        Raises Unavailable while it is needed and not read to its end yet.
        """
        if needed and not self._reader.caught_up.is_set():
            raise Unavailable("the catalogue")
        return self._reader.catalogue.items.get(sku)

    @property
    def catalogue(self) -> Catalogue:
        """All that the catalogue says, as far as it was read."""
        return self._reader.catalogue

    def channels(self, *, needed: bool) -> Channels:
        """Return when channels were last heard of, as evaluations go by it.

        Raises Unavailable while it is needed and not read to its end yet.
        """
        if self.in_event_time:
            return NOBODY
        if needed and not self._hearing.caught_up.is_set():
            raise Unavailable("the channels' health")
        return self._hearing.channels

    async def lag(self) -> Lag | None:
        """Return how far behind `consume` is; None while the broker cannot say."""
        stored = await self.ask(lambda connection: positions.read(connection, TOPIC))
        try:
            return await self._lag.read(stored)
        except Unavailable:
            return None

    async def check(self) -> str | None:
        """Return why the tables cannot be asked, or None."""
        return await trouble(self._engine)


async def desk(request: Request) -> Desk:
    """Return the application's desk, as a dependency."""
    found: Desk = request.app.state.desk
    return found


AtDesk = Annotated[Desk, Depends(desk)]


def doer_of(request: Request, caller: Caller | str, at: Desk) -> Doer:
    """Return who asks, when, and from where, for the audit of what the request changes."""
    return audit.doer_of(request, caller, at.clock.now())


Editor = Annotated[Caller, Depends(require(Scope.CONFIG_WRITE))]
"""Who may change rules and parameters."""


IdempotencyKey = Annotated[str | None, Header(max_length=200)]
"""A caller's own; a request that is repeated with the same one makes nothing more."""


def id_of_made(what: str, caller: Caller, key: str | None) -> UUID:
    """Return the id of what a request makes: the same each time where it has a key."""
    return uuid4() if key is None else uuid5(NAMESPACE_URL, f"{what}:{caller.subject}:{key}")


def key_reused(what: str) -> Problem:
    """Return the problem for a key with which something else was made before."""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
        f"This Idempotency-Key has made another {what}; send a new key with a new {what}.",
    )
