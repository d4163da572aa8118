"""What the API needs at hand: the database, the vault, the clock, the consumer's lag."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.notifier.store.secrets import Vault
from shared.clock import Clock
from shared.database import positions
from shared.database.engine import asking
from shared.errors import Unavailable
from shared.events.stock_alerts import TOPIC
from shared.kafka.lag import Lag, LagReader

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """Shared by all requests. `wecom_url` is where bots are unless they say otherwise."""

    engine: AsyncEngine
    vault: Vault
    clock: Clock
    lag_reader: LagReader
    wecom_url: str

    async def asked(self, question: Callable[[AsyncConnection], Awaitable[T]]) -> T:
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
        try:
            await self.asked(lambda connection: connection.execute(text("SELECT 1")))
        except Unavailable:
            return "the database cannot be reached"
        return None


async def _desk(request: Request) -> Desk:
    found: Desk = request.app.state.desk
    return found


AtDesk = Annotated[Desk, Depends(_desk)]
