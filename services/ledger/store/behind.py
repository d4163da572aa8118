"""How far behind the ledger is, for those who cannot wait for a broker that is away."""

import asyncio
import time

from shared.database import positions
from shared.database.engine import DATABASE_ERRORS, Engine, asking
from shared.errors import Unavailable
from shared.events.stock_changes import TOPIC
from shared.kafka.lag import Lag, LagReader
from shared.observability.logs import get_logger

_FRESH_SECONDS = 1.0
"""How long a look at the broker is good for: every answer carries it."""

_WAIT_SECONDS = 1.0
"""How long the first to ask waits for a look; who comes after him does not until one succeeds."""

_log = get_logger("behind")


class Behind:
    """Looks for all who ask together, as long as `run` does."""

    def __init__(self, engine: Engine, reader: LagReader) -> None:
        self._engine = engine
        self._reader = reader
        self._lag: Lag | None = None
        self._away = False
        self._looked_at = float("-inf")
        self._asked = asyncio.Event()
        self._told = asyncio.Event()

    async def lag(self) -> Lag | None:
        """Return how far behind the ledger is; None while nobody can say."""
        if time.monotonic() - self._looked_at > _FRESH_SECONDS:
            self._told.clear()
            self._asked.set()
            if not self._away:
                try:
                    async with asyncio.timeout(_WAIT_SECONDS):
                        await self._told.wait()
                except TimeoutError:
                    self._lag, self._away = None, True
        return self._lag

    async def run(self) -> None:
        """Look when somebody asks, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                self._lag = await self._reader.read(await asking(self._stored))
            except Unavailable:
                self._lag = None
            except DATABASE_ERRORS as error:
                # Such as tables that no migration has made yet: asked again by whoever asks next.
                _log.warning("how far behind it is cannot be read", reason=repr(error)[:300])
                self._lag = None
            self._away = self._lag is None
            self._looked_at = time.monotonic()
            self._told.set()

    async def _stored(self) -> list[positions.Position]:
        async with self._engine.connect() as connection:
            return await positions.read(connection, TOPIC)
