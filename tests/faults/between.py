"""A `ledger consume` process between two proxies, and the seams that can be seen from there.

Nothing in the process knows of the seams: the proxy before the database sees a COMMIT go by and its
answer come back, the one before the broker sees levels go out and their acknowledgement come back.
"""

import asyncio
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from deploy.local.instance import REPOSITORY
from shared.events.stock_levels import TOPIC as LEVELS
from shared.testing.proxy import Direction, Fate, Passing, Proxy, proxied
from shared.testing.stack import Database
from tests.integration.ledger.lossy import COMMIT, through

BATCH_BYTES = 700
"""A transaction of a batch sends its rows; one that only notes what is published is shorter."""
_PRODUCE = b"\x00\x00"
"""The request's number in the broker's protocol, behind four bytes of length."""


class Seam(StrEnum):
    """A place in the life of a batch."""

    COMMIT = "commit sent"
    COMMITTED = "commit answered"
    PUBLISH = "levels sent"
    PUBLISHED = "levels acknowledged"


@dataclass
class Seams:
    """Looks for a seam, and once it is there, does what was asked for: nothing passes it then."""

    levels: bytes
    sought: Seam | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    act: Callable[[], None] = lambda: None
    _written: dict[int, int] = field(default_factory=dict)
    _unanswered: dict[tuple[str, int], Seam] = field(default_factory=dict)

    def seek(self, seam: Seam, act: Callable[[], None]) -> None:
        """Do something at the next time that a seam is reached."""
        self.reached.clear()
        self._unanswered.clear()
        self.sought, self.act = seam, act

    async def before_database(self, passing: Passing) -> Fate:
        """Watch what goes to the database."""
        number = passing.connection
        if passing.direction is Direction.TO_CLIENT:
            return self._answered("database", number)
        written = self._written.get(number, 0) + len(passing.data)
        self._written[number] = 0 if COMMIT in passing.data else written
        if COMMIT in passing.data and written > BATCH_BYTES:
            return self._sent("database", number, Seam.COMMIT, Seam.COMMITTED)
        return Fate.PASS

    async def before_broker(self, passing: Passing) -> Fate:
        """Watch what goes to the broker."""
        if passing.direction is Direction.TO_CLIENT:
            return self._answered("broker", passing.connection)
        if passing.data[4:6] == _PRODUCE and self.levels in passing.data:
            return self._sent("broker", passing.connection, Seam.PUBLISH, Seam.PUBLISHED)
        return Fate.PASS

    def _sent(self, server: str, number: int, seam: Seam, answer: Seam) -> Fate:
        if self.sought is seam:
            return self._reach()
        if self.sought is answer:
            self._unanswered[server, number] = answer
        return Fate.PASS

    def _answered(self, server: str, number: int) -> Fate:
        seam = self._unanswered.pop((server, number), None)
        return self._reach() if seam is not None and seam is self.sought else Fate.PASS

    def _reach(self) -> Fate:
        self.sought = None
        self.act()
        self.reached.set()
        return Fate.CUT


@dataclass
class Between:
    """The process and what is before and behind it."""

    database: Proxy
    broker: Proxy
    seams: Seams
    environment: dict[str, str]
    log: Path
    process: asyncio.subprocess.Process | None = None
    starts: int = 0

    async def start(self) -> None:
        """Start the process; it makes its way by itself."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.ledger", "consume"),
                cwd=REPOSITORY,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        self.starts += 1

    def kill(self) -> None:
        """End the process with −9."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()

    def signal(self, number: int) -> None:
        """Send the process a signal, if it runs."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)

    async def kept_alive(self) -> None:
        """Start it anew whenever it has ended, as a supervisor does; cancelled, it is killed."""
        while True:
            await self.start()
            assert self.process is not None
            try:
                await self.process.wait()
            finally:
                self.kill()
                await self.process.wait()

    async def at(
        self, seam: Seam, act: Callable[[], None], go_on: Callable[[], Awaitable[None]]
    ) -> None:
        """Do something at a seam, while traffic goes on."""
        self.seams.seek(seam, act)
        while not self.seams.reached.is_set():
            await go_on()


@asynccontextmanager
async def between(
    database: Database, bootstrap: str, prefix: str, folder: Path
) -> AsyncIterator[Between]:
    """Yield a process that does not run yet."""
    host, _, port = bootstrap.rpartition(":")
    async with AsyncExitStack() as stack:
        to_database = await stack.enter_async_context(proxied(database.stack.database_port))
        to_broker = await stack.enter_async_context(proxied(int(port)))
        # The broker tells clients where it is: they would go straight there.
        to_broker.disguise = (
            host.encode() + struct.pack(">i", int(port)),
            b"127.0.0.1" + struct.pack(">i", to_broker.port),
        )
        seams = Seams((prefix + LEVELS).encode())
        to_database.watcher, to_broker.watcher = seams.before_database, seams.before_broker
        environment = {
            "PYTHONDONTWRITEBYTECODE": "1",
            "LOWTIDE_KAFKA": f"127.0.0.1:{to_broker.port}",
            "LOWTIDE_TOPIC_PREFIX": prefix,
            "LOWTIDE_DATABASE_URL": through(database.url("ledger"), to_database.port),
            "LOWTIDE_INSTANCE": "1",
        }
        found = Between(to_database, to_broker, seams, environment, folder / "ledger.log")
        try:
            yield found
        finally:
            found.seams.sought = None
            found.database.speak()
            found.broker.speak()
