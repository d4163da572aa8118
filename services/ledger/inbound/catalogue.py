"""Keep copies of the catalogue's topics: of each key the newest version."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from typing_extensions import override

from shared.database.engine import Connection, Driver, driver
from shared.events.catalog_items import CatalogItem
from shared.events.catalog_warehouses import CatalogWarehouse
from shared.kafka import reading
from shared.kafka.handler import Batch, Forgetful
from shared.kafka.messages import Outgoing

_BIGINT = 2**63 - 1

E = TypeVar("E", CatalogItem, CatalogWarehouse)


@dataclass(frozen=True, slots=True)
class Source(Generic[E]):
    """A topic to be copied.

    `newest` is the schema version that is read, `key` what a message is about, `fault_of` why it
    cannot be stored (None if it can); `keep` stores messages, each key once.
    """

    topic: str
    model: type[E]
    newest: int
    key: Callable[[E], str]
    fault_of: Callable[[E], str | None]
    keep: Callable[[Driver, Sequence[E]], Awaitable[None]]


class Copy(Forgetful, Generic[E]):
    """Stores what a topic says; nothing is published."""

    def __init__(self, source: Source[E]) -> None:
        self._source: Source[E] = source

    @override
    async def handle(self, connection: Connection, batch: Batch) -> Sequence[Outgoing]:
        newest: dict[str, E] = {}
        for message in read(batch, self._source):
            known = newest.setdefault(self._source.key(message), message)
            if known.version < message.version:
                newest[self._source.key(message)] = message
        if newest:
            await self._source.keep(await driver(connection), list(newest.values()))
        return ()


def read(batch: Batch, source: Source[E]) -> list[E]:
    """Return what a batch's records say; those that cannot be kept become dead letters.

    Raises Stopped at a schema version newer than this one.
    """

    def fault_of(message: E) -> str | None:
        if message.version > _BIGINT:
            return "version: larger than can be stored"
        return source.fault_of(message)

    messages = reading.read(
        batch, source.model, newest=source.newest, compacted=True, fault_of=fault_of
    )
    return [message for message, _ in messages]
