"""What people ask of deliveries: lists, one with its attempts, sums, a test."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.contents import TestNote
from services.notifier.domain.deliveries import Kind, State, first_id, priority
from services.notifier.store.wakeups import wake_senders

_COLUMNS = """
d.id, d.kind, d.alert_id, d.alert_number, d.revision, d.event, d.level, d.destination, d.state,
d.reason, d.digest_id, d.attempts, d.duplicate_possible, d.recipients, d.next_at, d.not_before,
d.held_for, d.gather_key, d.order_id, d.recorded_at, d.created_at, d.sent_at"""

_PAGE = text(f"""
SELECT {_COLUMNS}
FROM delivery AS d
WHERE (CAST(:state AS text) IS NULL OR d.state = :state)
  AND (CAST(:kind AS text) IS NULL OR d.kind = :kind)
  AND (CAST(:alert_id AS uuid) IS NULL OR d.alert_id = :alert_id)
  AND (CAST(:destination AS text) IS NULL OR d.destination = :destination)
  AND (CAST(:digest_id AS uuid) IS NULL OR d.digest_id = :digest_id)
  AND (CAST(:order_id AS uuid) IS NULL OR d.order_id = :order_id)
  AND (CAST(:before AS uuid) IS NULL OR d.id < :before)
ORDER BY d.id DESC
LIMIT :limit
""")  # noqa: S608 - the columns are ours

_ONE = text(f"SELECT {_COLUMNS} FROM delivery AS d WHERE d.id = :id")  # noqa: S608 - the columns are ours

_FOR_DISABLED = text("""
SELECT EXISTS (SELECT FROM delivery AS d JOIN destination AS t ON t.id = d.destination
               WHERE d.id = :id AND NOT t.enabled)
""")

_ATTEMPTS = text("""
SELECT number, split_part(lane, ':', 1) AS kind, started_at, finished_at, verdict, code, detail,
       marked, rendered
FROM attempt WHERE delivery = :id ORDER BY number
""")

# Somebody looks at it every two seconds, for as long as a page is open: what is over and done is
# counted as far back as that is cheap, from an index that has all of it.
_TALLY = text("""
SELECT kind, state, count(*) AS amount,
       count(*) FILTER (WHERE duplicate_possible) AS duplicates
FROM (SELECT kind, state, duplicate_possible FROM delivery
      WHERE state IN ('waiting', 'sending', 'failed', 'dead')
      UNION ALL
      SELECT kind, state, duplicate_possible FROM delivery
      WHERE state IN ('sent', 'merged', 'suppressed', 'superseded') AND id >= :first) AS counted
GROUP BY kind, state
""")

_TEST = text("""
INSERT INTO delivery (kind, destination, state, priority, content, recorded_at, request_key)
VALUES ('test', :destination, 'waiting', :priority, :content, :now, :request_key)
ON CONFLICT (request_key) DO UPDATE SET request_key = excluded.request_key
RETURNING id
""")


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as a person sees it."""

    id: UUID
    kind: str
    alert_id: UUID | None
    alert_number: int | None
    revision: int | None
    event: str | None
    level: str | None
    destination: str | None
    state: str
    reason: str | None
    digest_id: UUID | None
    attempts: int
    duplicate_possible: bool
    recipients: dict[str, Sequence[str]] | None
    next_at: datetime | None
    not_before: datetime | None
    held_for: str | None
    gather_key: str | None
    order_id: UUID | None
    recorded_at: datetime
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An attempt as a person sees it.

    `rendered` are the bytes that were sent, `kind` is that of the destination at the time.
    """

    number: int
    kind: str
    started_at: datetime
    finished_at: datetime | None
    verdict: str | None
    code: str | None
    detail: str | None
    marked: bool
    rendered: bytes


@dataclass(frozen=True, slots=True)
class Tally:
    """How many deliveries of a kind are in a state."""

    kind: str
    state: str
    amount: int
    duplicates: int


async def page(
    connection: AsyncConnection,
    *,
    state: State | None,
    kind: Kind | None,
    alert_id: UUID | None,
    destination: str | None,
    digest_id: UUID | None,
    order_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> list[DeliveryRow]:
    """Return deliveries, newest first."""
    rows = await connection.execute(
        _PAGE,
        {
            "state": state,
            "kind": kind,
            "alert_id": alert_id,
            "destination": destination,
            "digest_id": digest_id,
            "order_id": order_id,
            "before": before,
            "limit": limit,
        },
    )
    return [DeliveryRow(**row) for row in rows.mappings()]


async def one(connection: AsyncConnection, id_: UUID) -> DeliveryRow | None:
    """Return a delivery."""
    row = (await connection.execute(_ONE, {"id": id_})).mappings().one_or_none()
    return None if row is None else DeliveryRow(**row)


async def is_for_disabled(connection: AsyncConnection, id_: UUID) -> bool:
    """Return whether a delivery's destination is disabled."""
    return bool(await connection.scalar(_FOR_DISABLED, {"id": id_}))


async def attempts(connection: AsyncConnection, id_: UUID) -> list[AttemptRow]:
    """Return a delivery's attempts, oldest first."""
    rows = await connection.execute(_ATTEMPTS, {"id": id_})
    return [AttemptRow(**row) for row in rows.mappings()]


async def tally(connection: AsyncConnection, since: datetime) -> list[Tally]:
    """Return the number of deliveries by kind and state.

    All that are to be sent or failed for good are counted, of others those made since an instant.
    """
    rows = await connection.execute(_TALLY, {"first": first_id(since)})
    return [Tally(**row) for row in rows.mappings()]


async def add_test(
    connection: AsyncConnection,
    destination: str,
    note: TestNote,
    *,
    request_key: str | None,
    now: datetime,
) -> UUID:
    """Queue a test message; the same request key gives the same delivery."""
    id_ = (
        await connection.execute(
            _TEST,
            {
                "destination": destination,
                "priority": priority(Kind.TEST),
                "content": note.model_dump_json(),
                "now": now,
                "request_key": None if request_key is None else f"test:{destination}:{request_key}",
            },
        )
    ).scalar_one()
    await wake_senders(connection, [destination])
    return UUID(str(id_))
