"""The chat group that a replay's alerts go to: the strict stand-in, and what it has received.

It lives in the replay's own process, so no kill reaches it, and keeps its messages in a file
beside the database, so that a second run finds those of the first.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from shared.testing.wecom import Accepted, FakeWecom

KEY = "7d3f2c1e-0000-4000-8000-5e91a1000001"
"""The group's bot; a bearer secret with a real vendor, worth nothing here."""


@dataclass(frozen=True)
class Message:
    """A message that the group has received; `number` counts from 1 over all runs."""

    number: int
    content: str
    answer_lost: bool


class Group:
    """The group's messages, this run's and those of earlier runs into the same database."""

    def __init__(self, journal: Path) -> None:
        self.messages: list[Message] = _read(journal)
        self._journal = journal
        self._fake = FakeWecom([KEY], told=self._receive)

    @property
    def rejected(self) -> int:
        """How many messages this run's stand-in has refused, its limit included."""
        return self._fake.rejected.total()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Listen on the loopback and yield the base URL, for the length of the block."""
        async with self._fake.serving() as url:
            yield url

    def _receive(self, accepted: Accepted) -> None:
        message = Message(len(self.messages) + 1, accepted.content, accepted.answer_lost)
        self.messages.append(message)
        self._journal.parent.mkdir(parents=True, exist_ok=True)
        with self._journal.open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(asdict(message), ensure_ascii=False) + "\n")


def _read(journal: Path) -> list[Message]:
    if not journal.exists():
        return []
    lines = journal.read_text(encoding="utf-8").splitlines()
    return [Message(**json.loads(line)) for line in lines]
