"""Processes between two proxies each, and the seams that can be seen from there.

Nothing in a process knows of the seams: the proxy before the database sees a COMMIT go by and its
answer come back, the one before the broker sees messages go out and their acknowledgement come
back. A mark tells which transactions, or which messages, are meant.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from deploy.local.instance import REPOSITORY, home
from shared.clock import WallClock
from shared.testing.proxy import Direction, Fate, Passing, Proxy, proxied, proxied_broker
from tests.integration.ledger.lossy import COMMIT, through

_BEGIN = b"BEGIN"
"""Of a simple query, behind its kind and four bytes of length."""
_PRODUCE = b"\x00\x00"
"""The request's number in the broker's protocol, behind four bytes of length."""

Said = bytes | bytearray
Mark = Callable[[Said], bool]
"""Whether what a transaction sent, or a request with messages, is what is looked for."""


class Seam(StrEnum):
    """A place in the life of a transaction, or of messages."""

    COMMIT = "commit sent"
    COMMITTED = "commit answered"
    PUBLISH = "messages sent"
    PUBLISHED = "messages acknowledged"


@dataclass
class Seams:
    """Looks for a seam, and once it is there, does what was asked for: nothing passes it then."""

    sought: Seam | None = None
    mark: Mark = lambda _: True
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    act: Callable[[], None] = lambda: None
    _said: dict[int, bytearray] = field(default_factory=dict)
    _unanswered: dict[tuple[str, int], Seam] = field(default_factory=dict)

    def seek(self, seam: Seam, mark: Mark, act: Callable[[], None]) -> None:
        """Do something at the next time that a seam is reached."""
        self.reached.clear()
        self._unanswered.clear()
        self.sought, self.mark, self.act = seam, mark, act

    async def before_database(self, passing: Passing) -> Fate:
        """Watch what goes to the database."""
        number = passing.connection
        if passing.direction is Direction.TO_CLIENT:
            return self._answered("database", number)
        if passing.data[5:10] == _BEGIN:
            self._said[number] = bytearray()
        elif number in self._said:
            self._said[number] += passing.data
        if COMMIT not in passing.data:
            return Fate.PASS
        said = self._said.pop(number, bytearray())
        return self._sent("database", number, said, Seam.COMMIT, Seam.COMMITTED)

    async def before_broker(self, passing: Passing) -> Fate:
        """Watch what goes to the broker."""
        if passing.direction is Direction.TO_CLIENT:
            return self._answered("broker", passing.connection)
        if passing.data[4:6] != _PRODUCE:
            return Fate.PASS
        number = passing.connection
        return self._sent("broker", number, passing.data, Seam.PUBLISH, Seam.PUBLISHED)

    def _sent(self, server: str, number: int, said: Said, seam: Seam, answer: Seam) -> Fate:
        if self.sought not in {seam, answer} or not self.mark(said):
            return Fate.PASS
        if self.sought is seam:
            return self._reach()
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


class Span(NamedTuple):
    """From when until when a process did nothing, or was cut off."""

    began: datetime
    ended: datetime


@dataclass
class Between:
    """A process and what is before and behind it.

    `command` is its module and arguments. `lapses` are its ends and pauses.
    """

    command: tuple[str, ...]
    database: Proxy
    broker: Proxy
    seams: Seams
    environment: Mapping[str, str]
    log: Path
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    lapses: list[Span] = field(default_factory=list)
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._wanted.set()

    async def start(self) -> None:
        """Start the process; it makes its way by itself."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *self.command),
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

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Let the process stand still."""
        began = WallClock().now()
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)
            self.lapses.append(Span(began, WallClock().now()))

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """End the process as a deployment does, and keep it away."""
        self._wanted.clear()
        self.signal(signal.SIGTERM)
        assert self.process is not None
        await self.process.wait()
        try:
            yield
        finally:
            self._wanted.set()

    async def kept_alive(self) -> None:
        """Start it anew whenever it has ended, as a supervisor does; cancelled, it is killed."""
        while True:
            await self._wanted.wait()
            await self.start()
            assert self.process is not None
            try:
                await self.process.wait()
            finally:
                self.kill()
                await self.process.wait()
                ended = WallClock().now()
                self.lapses.append(Span(ended, ended))


async def at(
    ways: Sequence[Between],
    seam: Seam,
    mark: Mark,
    act: Callable[[Between], None],
    go_on: Callable[[], Awaitable[None]],
) -> None:
    """Do something at a seam of whichever comes there first, while traffic goes on."""

    def reach(way: Between) -> None:
        for each in ways:
            each.seams.sought = None
        act(way)

    for way in ways:
        way.seams.seek(seam, mark, partial(reach, way))
    while not any(way.seams.reached.is_set() for way in ways):
        await go_on()


@asynccontextmanager
async def between(
    command: tuple[str, ...],
    database_url: str,
    environment: Mapping[str, str],
    log: Path,
) -> AsyncIterator[Between]:
    """Yield a process that does not run yet; `environment` names the broker."""
    async with AsyncExitStack() as stack:
        to_database = await stack.enter_async_context(proxied(urlsplit(database_url).port or 5432))
        to_broker = await stack.enter_async_context(proxied_broker(environment["LOWTIDE_KAFKA"]))
        seams = Seams()
        to_database.watcher, to_broker.watcher = seams.before_database, seams.before_broker
        given = {
            "PYTHONPYCACHEPREFIX": str(home() / "cache" / "pycache"),
            **environment,
            "LOWTIDE_KAFKA": f"127.0.0.1:{to_broker.port}",
            "LOWTIDE_DATABASE_URL": through(database_url, to_database.port),
        }
        found = Between(command, to_database, to_broker, seams, given, log)
        try:
            yield found
        finally:
            found.seams.sought = None
            found.database.speak()
            found.broker.speak()
