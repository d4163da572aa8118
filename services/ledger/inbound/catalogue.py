"""Keep copies of the catalogue's topics: of each key the newest version."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import ValidationError
from typing_extensions import override

from shared.database.engine import Connection, Driver, driver
from shared.errors import Stopped
from shared.events.catalog_items import CatalogItem
from shared.events.catalog_warehouses import CatalogWarehouse
from shared.events.dead_letters import DeadReason
from shared.kafka.handler import Batch, Claim, Handler
from shared.kafka.messages import Outgoing

POLL_MS = 1_000
"""How long the broker may hold a fetch that brings nothing: what comes is sent on at once, and
nobody waits for a rebalance here."""

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


class Copy(Handler[None], Generic[E]):
    """Stores what a topic says; nothing is remembered and nothing published."""

    def __init__(self, source: Source[E]) -> None:
        self._source: Source[E] = source

    @override
    async def claim(self, connection: Connection, claims: Sequence[Claim]) -> Sequence[Outgoing]:
        return ()

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

    @override
    def committed(self, batch: Batch) -> None:
        """Nothing was staged."""

    @override
    def part_with(self, partitions: Collection[int]) -> Mapping[int, None]:
        return {}

    @override
    def take_up(self, memories: Collection[None]) -> None:
        """Nothing is held."""


def read(batch: Batch, source: Source[E]) -> list[E]:
    """Return what a batch's records say; those that cannot be kept become dead letters.

    A record without value (the topics are compacted) says nothing and is left out. Raises
    Stopped at a schema version newer than this one: such a record is good, and must wait for a
    ledger that can read it.
    """
    messages: list[E] = []
    for record in batch.records:
        if record.value is None:
            continue
        try:
            message = source.model.model_validate_json(record.value)
        except ValidationError as error:
            _refuse_newer(error, source)
            batch.dead(record, _reason(error), _words(error))
            continue
        fault = source.fault_of(message)
        if message.version > _BIGINT:
            fault = "version: larger than can be stored"
        if fault is not None:
            batch.dead(record, DeadReason.INVALID, fault)
        else:
            messages.append(message)
    return messages


def _refuse_newer(error: ValidationError, source: Source[E]) -> None:
    for each in error.errors(include_url=False):
        version = each["input"]
        if each["loc"] == ("v",) and isinstance(version, int) and version > source.newest:
            raise Stopped(
                f"{source.topic} has records of schema version {version}, newer than "
                f"{source.newest}: upgrade the ledger"
            )


def _reason(error: ValidationError) -> DeadReason:
    undecodable = any(each["type"] == "json_invalid" for each in error.errors(include_url=False))
    return DeadReason.UNDECODABLE if undecodable else DeadReason.INVALID


def _words(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'record'}: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False)
    )
