"""A way to the database that loses a COMMIT, or the answer to one, when told to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from shared.testing.proxy import Direction, Fate, Passing, proxied

COMMIT = b"Q\x00\x00\x00\x0cCOMMIT;\x00"
"""The message as the driver sends it: a simple query."""


@dataclass
class Lossy:
    """`loses` is spent on the next COMMIT that passes, on any connection."""

    url: str = ""
    loses: Literal["the commit", "the answer"] | None = None
    lost: int = 0
    _unanswered: set[int] = field(default_factory=set)

    async def watch(self, passing: Passing) -> Fate:
        """Lose what is to be lost."""
        if passing.direction is Direction.TO_CLIENT:
            if passing.connection not in self._unanswered:
                return Fate.PASS
            self._unanswered.remove(passing.connection)
        elif self.loses is None or COMMIT not in passing.data:
            return Fate.PASS
        else:
            loses, self.loses = self.loses, None
            if loses == "the answer":
                self._unanswered.add(passing.connection)
                return Fate.PASS
        self.lost += 1
        return Fate.CUT


@asynccontextmanager
async def lossy(url: str) -> AsyncIterator[Lossy]:
    """Yield a way to the database of a URL; it loses nothing until told to."""
    way = Lossy()
    async with proxied(urlsplit(url).port or 5432) as proxy:
        proxy.watcher = way.watch
        way.url = through(url, proxy.port)
        yield way


def through(url: str, port: int) -> str:
    """Return a database's URL by way of another port of this machine."""
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{port}"))
