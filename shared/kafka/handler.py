"""What a service supplies to the partition consumer, and what it is given."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable

from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import TypeVar, override

from shared.events.dead_letters import DeadReason
from shared.kafka.messages import Outgoing, Record


class Claim(NamedTuple):
    """A partition just taken over: its last batch, and the last one known to be published."""

    partition: int
    batch: int
    published: int


class Dead(NamedTuple):
    """A record of the batch that goes to the dead topic."""

    record: Record
    reason: DeadReason
    detail: str
    first: str | None


@dataclass(slots=True)
class Batch:
    """Records to be worked on in one transaction, in order within each partition.

    By partition: `numbers` is this transaction's batch number, of which each claim takes one, too;
    `published` the last one whose messages the broker has acknowledged.
    """

    records: list[Record]
    numbers: dict[int, int] = field(default_factory=dict)
    published: dict[int, int] = field(default_factory=dict)
    dead_letters: list[Dead] = field(default_factory=list)

    def dead(
        self, record: Record, reason: DeadReason, detail: str, *, first: str | None = None
    ) -> None:
        """Put a record aside: it reaches the dead topic before this batch commits.

        `detail` says in words what is wrong; `first` is the content an identity already has.
        """
        self.dead_letters.append(Dead(record, reason, detail, first))


class Again(Exception):  # noqa: N818 - asks for something; nothing has failed
    """Raised by `handle`: roll back, and hand the same records over once more.

    For work tried a quick way that the batch turned out not to allow. The handler remembers to
    go the other way; it may ask once per batch.
    """


M = TypeVar("M", default=Any)
"""What a handler remembers of one partition."""


class Handler(Protocol[M]):
    """One worker's hands. Each worker has its own, so nothing in it is shared.

    All methods are called by the worker alone, one after the other. A rebalance calls
    `part_with` for what was taken away, after the batch under way is committed and published,
    and `claim` for what came. A partition that goes to another worker of the same process is
    not claimed again: `take_up` hands on what was remembered of it.
    """

    async def claim(
        self, connection: AsyncConnection, claims: Sequence[Claim]
    ) -> Sequence[Outgoing]:
        """Rebuild memory for partitions just taken over, inside the transaction that took them.

        Returns what may not have been published before the crash or move: it goes out before
        the first batch.
        """

    async def handle(self, connection: AsyncConnection, batch: Batch) -> Sequence[Outgoing]:
        """Do the batch's work inside the transaction that has moved the positions.

        May run again for the same records after a deadlock or a lost connection, so memory
        changes stay staged until `committed`. Returns what to publish after the commit.
        """

    def committed(self, batch: Batch) -> None:
        """Take staged memory for real: the transaction is durable."""

    def part_with(self, partitions: Collection[int]) -> Mapping[int, M]:
        """Forget partitions; returns what was remembered of them, by partition."""

    def take_up(self, memories: Collection[M]) -> None:
        """Remember what another worker of this process has parted with."""


class Forgetful(Handler[None]):
    """Hands that keep nothing between batches: all there is to them is `handle`."""

    @override
    async def claim(
        self, connection: AsyncConnection, claims: Sequence[Claim]
    ) -> Sequence[Outgoing]:
        return ()

    @override
    def committed(self, batch: Batch) -> None:
        """Nothing was staged."""

    @override
    def part_with(self, partitions: Collection[int]) -> Mapping[int, None]:
        return {}

    @override
    def take_up(self, memories: Collection[None]) -> None:
        """Nothing is kept."""


@runtime_checkable
class Timed(Protocol):
    """What a handler offers besides, when time alone can give it work.

    Called by the same worker between batches, so never beside `handle`.
    """

    async def due(
        self,
        connection: AsyncConnection,
        partitions: Collection[int],
        drained: Mapping[int, datetime],
    ) -> Collection[int]:
        """Return the partitions in which there is something to do; none most of the time.

        Asked several times a second, outside any transaction: one cheap question to the database
        at the most. `partitions` are the worker's; `drained` has those that are worked up to their
        end, each with the instant at which the broker last said where that is.
        """

    async def turn(
        self, connection: AsyncConnection, batch: Batch, drained: Mapping[int, datetime]
    ) -> Sequence[Outgoing]:
        """Do it, inside a transaction that has made it a batch, without records, of those.

        Returns what to publish after the commit.
        """

    def turned(self) -> None:
        """Take staged memory for real: the transaction is durable."""
