"""What the API needs at hand: the database, the vault, the clock, the consumer's lag."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from services.notifier.destinations.kinds import Renderer
from services.notifier.store.secrets import Vault
from shared.clock import Clock
from shared.database import positions
from shared.database.engine import Connection, Engine, asking, trouble
from shared.errors import Unavailable
from shared.events.stock_alerts import TOPIC
from shared.http.auth import Caller, Scope, require
from shared.http.problems import Problem
from shared.kafka.lag import Lag, LagReader

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """Shared by all requests."""

    engine: Engine
    vault: Vault
    clock: Clock
    lag_reader: LagReader
    renderer: Renderer
    console_url: str

    async def asked(self, question: Callable[[Connection], Awaitable[T]]) -> T:
        """Run a question in a transaction. Raises Unavailable (503) while the database is away."""

        async def within() -> T:
            async with self.engine.begin() as connection:
                return await question(connection)

        return await asking(within)

    async def lag(self) -> Lag | None:
        """Return how far the consumer is behind; None while the broker cannot say."""
        stored = await self.asked(lambda connection: positions.read(connection, TOPIC))
        try:
            return await self.lag_reader.read(stored)
        except Unavailable:
            return None

    async def check(self) -> str | None:
        """Return why the tables cannot be asked, or None."""
        return await trouble(self.engine)


async def _desk(request: Request) -> Desk:
    found: Desk = request.app.state.desk
    return found


AtDesk = Annotated[Desk, Depends(_desk)]

Writer = Annotated[Caller, Depends(require(Scope.CONFIG_WRITE))]
"""Who may change things here."""


def refusal_of(field: str, code: str, message: str) -> Problem:
    """Return the answer (422) to a body one of whose fields is wrong as things are stored."""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        "Some fields are missing or wrong; see errors.",
        errors=[{"field": field, "code": code, "message": message}],
    )
