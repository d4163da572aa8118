"""Where each consumer stands, in the same database as its work: epoch, offset, what is published.

Moved in the transaction that does the work, so work and position cannot differ; the broker's own
committed offsets are informational.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.direct import Direct

CREATE_TABLE = """
CREATE TABLE consumer_position (
    topic        text    NOT NULL,
    partition    integer NOT NULL,
    partitions   integer NOT NULL,
    epoch        bigint  NOT NULL,
    next_offset  bigint  NOT NULL,
    batch        bigint  NOT NULL DEFAULT 0,
    published    bigint  NOT NULL DEFAULT 0,
    record_time  bigint,
    record_hash  bigint,
    malformed    bigint[] NOT NULL DEFAULT '{}',
    stopped      text,
    owner        text    NOT NULL,
    moved_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 20)
"""
"""Moved several times a second: free space in its pages keeps each move a HOT update."""


@dataclass(frozen=True, slots=True)
class Position:
    """A partition's row.

    `batch` numbers the transactions that touched the partition, `published` the last whose
    messages the broker has acknowledged. `record_time` (ms) and `record_hash` are of the record
    at `next_offset` − 1: a topic that was deleted and made anew is noticed by them.
    `malformed` holds the offsets of malformed records within the window of the limit.
    """

    topic: str
    partition: int
    partitions: int
    epoch: int
    next_offset: int
    batch: int
    published: int
    record_time: int | None
    record_hash: int | None
    malformed: tuple[int, ...]
    stopped: str | None


class Move(NamedTuple):
    """A partition's step within one transaction."""

    partition: int
    epoch: int
    first_offset: int
    next_offset: int
    published: int
    record_time: int
    record_hash: int


class Passed(NamedTuple):
    """The last record of a partition that is passed over, and the offset behind it."""

    partition: int
    next_offset: int
    record_time: int
    record_hash: int


_COLUMNS = """topic, partition, partitions, epoch, next_offset, batch, published,
              record_time, record_hash, malformed, stopped"""

_CLAIM = text(f"""
INSERT INTO consumer_position AS p
    (topic, partition, partitions, epoch, next_offset, batch, owner)
VALUES (:topic, :partition, :partitions, 1, :next_offset, 1, :owner)
ON CONFLICT (topic, partition)
DO UPDATE SET epoch = p.epoch + 1, batch = p.batch + 1, owner = excluded.owner, moved_at = now()
RETURNING {_COLUMNS}
""")  # noqa: S608 - the columns are ours

_READ = text(f"SELECT {_COLUMNS} FROM consumer_position WHERE topic = :topic ORDER BY partition")  # noqa: S608 - the columns are ours

_MOVE = Direct("""
UPDATE consumer_position AS p
SET next_offset = m.next_offset, batch = p.batch + 1, published = m.published,
    record_time = m.record_time, record_hash = m.record_hash, moved_at = now()
FROM unnest(CAST(:partition AS int[]), CAST(:epoch AS bigint[]), CAST(:first AS bigint[]),
            CAST(:next AS bigint[]), CAST(:published AS bigint[]),
            CAST(:record_time AS bigint[]), CAST(:record_hash AS bigint[]))
     AS m (partition, epoch, first_offset, next_offset, published, record_time, record_hash)
WHERE p.topic = :topic AND p.partition = m.partition AND p.epoch = m.epoch
  AND p.next_offset <= m.first_offset AND p.stopped IS NULL
RETURNING p.partition, p.batch
""")

_OWNED = Direct("""
SELECT count(*)
FROM consumer_position AS p
JOIN unnest(CAST(:partition AS int[]), CAST(:epoch AS bigint[])) AS m (partition, epoch)
  ON p.partition = m.partition AND p.epoch = m.epoch
WHERE p.topic = :topic
""")

_STAY = Direct("""
UPDATE consumer_position AS p
SET batch = p.batch + 1, published = m.published, moved_at = now()
FROM unnest(CAST(:partition AS int[]), CAST(:epoch AS bigint[]), CAST(:published AS bigint[]))
     AS m (partition, epoch, published)
WHERE p.topic = :topic AND p.partition = m.partition AND p.epoch = m.epoch AND p.stopped IS NULL
RETURNING p.partition, p.batch
""")

_HOLD = text("""
SELECT count(*)
FROM (
    SELECT 1
    FROM consumer_position AS p
    JOIN unnest(CAST(:partition AS int[]), CAST(:epoch AS bigint[])) AS m (partition, epoch)
      ON p.partition = m.partition AND p.epoch = m.epoch
    WHERE p.topic = :topic
    FOR SHARE OF p
) AS held
""")

_PUBLISHED = Direct("""
UPDATE consumer_position AS p
SET published = m.published
FROM unnest(CAST(:partition AS int[]), CAST(:epoch AS bigint[]), CAST(:published AS bigint[]))
     AS m (partition, epoch, published)
WHERE p.topic = :topic AND p.partition = m.partition AND p.epoch = m.epoch
""")

_MALFORMED = text("""
UPDATE consumer_position SET malformed = CAST(:malformed AS bigint[])
WHERE topic = :topic AND partition = :partition
""")

_STOP = text("""
UPDATE consumer_position SET stopped = :reason
WHERE topic = :topic AND partition = :partition AND epoch = :epoch
""")

_REPARTITION = text("""
UPDATE consumer_position SET partitions = :partitions, epoch = epoch + 1 WHERE topic = :topic
""")

_PASS_OVER = text("""
INSERT INTO consumer_position AS p
    (topic, partition, partitions, epoch, next_offset, record_time, record_hash, owner)
VALUES (:topic, :partition, :partitions, 1, :next_offset, :record_time, :record_hash, '')
ON CONFLICT (topic, partition) DO UPDATE
SET next_offset = excluded.next_offset, epoch = p.epoch + 1,
    record_time = excluded.record_time, record_hash = excluded.record_hash
WHERE p.next_offset < excluded.next_offset
""")

_RESUME = text("""
UPDATE consumer_position SET stopped = NULL, malformed = '{}'
WHERE topic = :topic AND stopped IS NOT NULL
  AND (CAST(:partition AS int) IS NULL OR partition = :partition)
RETURNING partition
""")


async def claim(
    connection: AsyncConnection,
    topic: str,
    partition: int,
    *,
    partitions: int,
    first_offset: int,
    owner: str,
) -> Position:
    """Become the owner of a partition: everyone before is fenced off from here on.

    A partition never seen starts at `first_offset`. A claim has a batch number of its own: what
    it changes is published like what a batch changes.
    """
    result = await connection.execute(
        _CLAIM,
        {
            "topic": topic,
            "partition": partition,
            "partitions": partitions,
            "next_offset": first_offset,
            "owner": owner,
        },
    )
    return _position(result.mappings().one())


async def read(connection: AsyncConnection, topic: str) -> list[Position]:
    """Return the positions of a topic's partitions that were ever claimed, by partition."""
    rows = await connection.execute(_READ, {"topic": topic})
    return [_position(row) for row in rows.mappings()]


def _position(row: RowMapping) -> Position:
    return Position(**{**row, "malformed": tuple(row["malformed"])})


async def move(connection: AsyncConnection, topic: str, moves: Sequence[Move]) -> dict[int, int]:
    """Step partitions on, fenced; returns the number of this transaction's batch by partition.

    Fewer partitions come back than were given when another owner has claimed one, one is
    stopped, or one is already past the offset: the caller must roll back.
    """
    columns = zip(*moves, strict=True)
    names = ("partition", "epoch", "first", "next", "published", "record_time", "record_hash")
    rows = await _MOVE.rows(connection, topic=topic, **dict(zip(names, columns, strict=True)))
    return dict(rows)


async def owned(connection: AsyncConnection, topic: str, epochs: dict[int, int]) -> bool:
    """Return whether all partitions still are at the given epochs."""
    [row] = await _OWNED.rows(
        connection, topic=topic, partition=list(epochs), epoch=list(epochs.values())
    )
    return bool(row["count"] == len(epochs))


async def stay(
    connection: AsyncConnection, topic: str, published: Sequence[tuple[int, int, int]]
) -> dict[int, int]:
    """Number a batch that moves no partition on, fenced; returns the number by partition.

    Takes (partition, epoch, last published batch). Whoever claims one of them waits for this
    transaction. Fewer come back than were given when another owner has claimed one, or one is
    stopped: the caller must roll back.
    """
    partitions, epochs, batches = zip(*published, strict=True)
    rows = await _STAY.rows(
        connection, topic=topic, partition=partitions, epoch=epochs, published=batches
    )
    return dict(rows)


async def hold(connection: AsyncConnection, topic: str, epochs: dict[int, int]) -> bool:
    """Return whether all partitions still are at the given epochs, and let none go before commit.

    For work that is no batch: whoever claims a partition waits for this transaction.
    """
    parameters = {"partition": list(epochs), "epoch": list(epochs.values())}
    count = await connection.scalar(_HOLD, {"topic": topic, **parameters})
    return bool(count == len(epochs))


async def set_published(
    connection: AsyncConnection, topic: str, published: Sequence[tuple[int, int, int]]
) -> None:
    """Record (partition, epoch, batch) of what the broker has acknowledged."""
    partitions, epochs, batches = zip(*published, strict=True)
    await _PUBLISHED.rows(
        connection, topic=topic, partition=partitions, epoch=epochs, published=batches
    )


async def set_malformed(
    connection: AsyncConnection, topic: str, partition: int, offsets: Sequence[int]
) -> None:
    """Remember where malformed records were, for the limit."""
    await connection.execute(
        _MALFORMED, {"topic": topic, "partition": partition, "malformed": list(offsets)}
    )


async def stop(
    connection: AsyncConnection, topic: str, partition: int, epoch: int, reason: str
) -> None:
    """Halt a partition until `resume`."""
    await connection.execute(
        _STOP, {"topic": topic, "partition": partition, "epoch": epoch, "reason": reason}
    )


async def repartition(connection: AsyncConnection, topic: str, partitions: int) -> None:
    """Store how many partitions a topic has from now on; everyone before is fenced off."""
    await connection.execute(_REPARTITION, {"topic": topic, "partitions": partitions})


async def pass_over(
    connection: AsyncConnection, topic: str, partitions: int, passed: Sequence[Passed]
) -> None:
    """Go on behind records that nobody has worked on; everyone before is fenced off."""
    of_all = {"topic": topic, "partitions": partitions}
    if passed:
        await connection.execute(_PASS_OVER, [of_all | each._asdict() for each in passed])


async def resume(
    connection: AsyncConnection, topic: str, partition: int | None = None
) -> list[int]:
    """Let halted partitions go on (all of a topic, or one); returns which."""
    rows = await connection.execute(_RESUME, {"topic": topic, "partition": partition})
    return sorted(row.partition for row in rows)
