"""Which sender process serves which destination.

A lease has an epoch that grows with each owner. Every write of a sender checks the epoch under
the row's lock, so two owners at once (one was paused) cannot both act; `until` only says when
others may take it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.direct import Direct

LEASE_SECONDS = 5.0
RENEW_SECONDS = 1.0

_SEEN = text("""
INSERT INTO sender (id, seen_at) VALUES (:owner, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at
""")

_FORGET = text("DELETE FROM sender WHERE seen_at < clock_timestamp() - interval '1 hour'")

_GONE = text("DELETE FROM sender WHERE id = :owner")

_CREATE = text("""
INSERT INTO lease (destination)
SELECT id FROM destination WHERE NOT EXISTS (SELECT FROM lease WHERE destination = destination.id)
ON CONFLICT DO NOTHING
""")

_RENEW = text("""
UPDATE lease AS l SET until = clock_timestamp() + make_interval(secs => :seconds)
FROM destination AS d
WHERE l.owner = :owner AND d.id = l.destination
RETURNING l.destination, l.epoch, d.enabled
""")

_FAIR_SHARE = text("""
SELECT ceil((SELECT count(*) FROM destination WHERE enabled)::numeric
            / greatest(1, (SELECT count(*) FROM sender
                           WHERE seen_at > clock_timestamp() - make_interval(secs => :seconds))))
""")

_TAKE = text("""
UPDATE lease
SET owner = :owner, epoch = epoch + 1,
    until = clock_timestamp() + make_interval(secs => :seconds)
WHERE destination IN (
    SELECT l.destination
    FROM lease AS l JOIN destination AS d ON d.id = l.destination
    WHERE d.enabled
      AND (l.until < clock_timestamp()
           OR (l.owner = :owner AND l.destination <> ALL(CAST(:served AS text[]))))
    ORDER BY l.destination LIMIT :places
    FOR UPDATE OF l SKIP LOCKED
)
RETURNING destination, epoch
""")

_RELEASE_REST = text("""
UPDATE lease SET owner = NULL, until = '-infinity'
WHERE owner = :owner AND destination <> ALL(CAST(:kept AS text[]))
""")

_RELEASE = text("""
UPDATE lease SET owner = NULL, until = '-infinity'
WHERE destination = :destination AND epoch = :epoch
""")

_HOLD = Direct("""
SELECT l.paused_until, l.failures, l.failing_since, d.version, d.enabled
FROM lease AS l JOIN destination AS d ON d.id = l.destination
WHERE l.destination = :destination AND l.epoch = :epoch
FOR UPDATE OF l
""")

_PAUSE = text("""
UPDATE lease SET paused_until = :until, failures = :failures, failing_since = :since
WHERE destination = :destination AND epoch = :epoch
""")


class Lease(NamedTuple):
    """The right to send to a destination, until somebody with a higher epoch has it."""

    destination: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Held:
    """What the lease's row says while we hold it; `version` is that of the destination.

    `failures` are those in a row, the first of which was at `failing_since`.
    """

    paused_until: datetime | None
    failures: int
    failing_since: datetime | None
    version: int
    enabled: bool


async def renew(connection: AsyncConnection, owner: str) -> dict[Lease, bool]:
    """Say that this sender lives; returns the leases it holds, extended, by destination.

    With each is said whether its destination is enabled.
    """
    await connection.execute(_SEEN, {"owner": owner})
    await connection.execute(_FORGET)
    await connection.execute(_CREATE)
    rows = await connection.execute(_RENEW, {"owner": owner, "seconds": LEASE_SECONDS})
    held = {Lease(row.destination, row.epoch): row.enabled for row in rows}
    return dict(sorted(held.items()))


async def fair_share(connection: AsyncConnection) -> int:
    """Return how many destinations each living sender should serve at the most."""
    return int(await connection.scalar(_FAIR_SHARE, {"seconds": LEASE_SECONDS}) or 0)


async def take(
    connection: AsyncConnection, owner: str, places: int, served: Collection[str]
) -> list[Lease]:
    """Take up to `places` leases that nobody holds.

    Those in this sender's name that it does not serve are free too: an earlier process of the
    name has ended, or the answer to an earlier taking was lost.
    """
    parameters = {"owner": owner, "places": places, "served": list(served)}
    rows = await connection.execute(_TAKE, {**parameters, "seconds": LEASE_SECONDS})
    return [Lease(row.destination, row.epoch) for row in rows]


async def release_rest(connection: AsyncConnection, owner: str, kept: Collection[str]) -> None:
    """Let others have at once what is in this sender's name but not among `kept`.

    Renewed with all the others, it would be served by nobody for as long as this sender lives.
    """
    await connection.execute(_RELEASE_REST, {"owner": owner, "kept": list(kept)})


async def release(connection: AsyncConnection, lease: Lease) -> None:
    """Let others have it at once."""
    await connection.execute(_RELEASE, {"destination": lease.destination, "epoch": lease.epoch})


async def leave(connection: AsyncConnection, owner: str) -> None:
    """Stop counting as a living sender."""
    await connection.execute(_GONE, {"owner": owner})


async def hold(connection: AsyncConnection, lease: Lease) -> Held | None:
    """Lock the lease for this transaction; None when somebody else has it by now."""
    rows = await _HOLD.rows(connection, destination=lease.destination, epoch=lease.epoch)
    return Held(*rows[0]) if rows else None


async def pause(connection: AsyncConnection, lease: Lease, minded: Held) -> None:
    """Leave a destination alone for as long as its failures in a row ask for."""
    await connection.execute(
        _PAUSE,
        {
            "destination": lease.destination,
            "epoch": lease.epoch,
            "until": minded.paused_until,
            "failures": minded.failures,
            "since": minded.failing_since,
        },
    )
