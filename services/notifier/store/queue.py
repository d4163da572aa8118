"""What waits for a destination, and the attempts to send it.

A turn of a lane asks few questions, since what a notice costs is mostly these.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.deliveries import Delivery, Kind, Recipients
from services.notifier.domain.destinations import Destination
from services.notifier.domain.holding import SUMMARIES
from services.notifier.domain.limits import MARGIN, Candidate, Limit, Window, widest
from services.notifier.domain.outcomes import Outcome, Settlement
from services.notifier.store.precedence import AFTER_DIGESTS, OLDER_HOLDS_UP, by_itself
from shared.database.direct import Direct, Row
from shared.events.stock_alerts import AlertEvent

LONGEST_ATTEMPT = timedelta(seconds=60)
"""More than any transport takes; an attempt counts from its end."""

# A revision waits for the older ones of its episode, so a reader never hears the end first.
_MAY_GO = f"""
destination = :destination AND state IN ('waiting', 'failed')
  AND (next_at IS NULL OR next_at <= :now)
  AND {AFTER_DIGESTS}
  AND NOT EXISTS (
      SELECT FROM delivery AS older
      WHERE older.alert_id = d.alert_id AND older.destination = d.destination
        AND older.revision < d.revision AND {OLDER_HOLDS_UP})
"""

# What one person alone may read is never merged, nor what somebody may have, which is recognised
# only as it was: they go singly, like notes of our own. What waited on purpose and is due counts
# once for each key: it will be one message. Where nothing may go now, the only row says when
# something may.
_LOOK = Direct(f"""
WITH alone AS (
    SELECT id, priority,
           CASE WHEN event = 'refused' OR event IS NOT NULL AND {by_itself("d")} THEN 'meta'
                ELSE kind END AS kind
    FROM delivery AS d
    WHERE {_MAY_GO} AND (gather_key IS NULL OR {by_itself("d")})
    ORDER BY priority, id
    LIMIT :limit
), gathered AS (
    SELECT (array_agg(id ORDER BY priority, id))[1] AS id,
           (array_agg(kind ORDER BY priority, id))[1] AS kind,
           min(priority) AS priority, gather_key, min(held_for) AS held_for, count(*) AS amount
    FROM delivery AS d
    WHERE {_MAY_GO} AND gather_key IS NOT NULL AND not_before <= :now AND NOT {by_itself("d")}
    GROUP BY gather_key
    ORDER BY 3, 1
    LIMIT :limit
), found AS (
    SELECT id, kind, priority, NULL AS together, NULL::timestamptz AS next_at FROM alone
    UNION ALL
    SELECT id, kind, priority,
           CASE WHEN amount > 1 OR held_for = ANY(CAST(:summaries AS text[])) THEN gather_key END,
           NULL
    FROM gathered
)
SELECT * FROM found
UNION ALL
SELECT NULL, NULL, NULL, NULL,
       (SELECT min(greatest(next_at, not_before)) FROM delivery
        WHERE destination = :destination AND state IN ('waiting', 'failed')
          AND greatest(next_at, not_before) > :now)
WHERE NOT EXISTS (SELECT FROM found)
ORDER BY priority, id
LIMIT :limit
""")  # noqa: S608 - the condition is ours

_WINDOW = Direct("""
SELECT coalesce(finished_at, started_at) AS instant, kind
FROM attempt
WHERE lane = :lane AND started_at > :since
ORDER BY 1
""")

_DELIVERY_COLUMNS = """id, kind, alert_id, alert_number, event, content, attempts,
          tried_before, duplicate_possible, has_first, recipients, traceparent, gives_up_at,
          greatest(recorded_at, not_before, replayed_at) AS due_at"""

_TAKE = Direct(f"""
UPDATE delivery
SET state = 'sending', attempts = attempts + 1, next_at = NULL,
    gives_up_at = coalesce(gives_up_at, :gives_up_at)
WHERE id = :id AND state IN ('waiting', 'failed')
RETURNING {_DELIVERY_COLUMNS}
""")  # noqa: S608 - the columns are ours

# What was refused as it stood is written anew, except for the others where somebody has it.
_RENDERED = Direct("""
SELECT rendered, code
FROM (SELECT rendered, lane, place, verdict, code FROM attempt
      WHERE delivery = :delivery AND marked = :marked
      ORDER BY number DESC LIMIT 1) AS last
WHERE lane = :lane AND coalesce(place, :place) = :place
  AND (:reached OR verdict IS DISTINCT FROM 'permanent')
""")

# A lane is a channel: under another one's first notice nothing can hang.
_THREAD = Direct("""
SELECT a.receipt
FROM delivery AS first JOIN attempt AS a ON a.delivery = first.id
WHERE first.alert_id = :alert_id AND first.destination = :destination AND first.kind = 'first'
  AND a.lane = :lane AND a.receipt IS NOT NULL
ORDER BY a.number DESC LIMIT 1
""")

_START = Direct("""
INSERT INTO attempt (id, delivery, lane, place, kind, number, marked, rendered, started_at)
VALUES (:id, :delivery, :lane, :place, :kind, :number, :marked, :rendered, :started_at)
""")

_SETTLE = Direct("""
WITH finished AS (
    UPDATE attempt
    SET finished_at = :now, verdict = :verdict, code = :code, detail = :detail, receipt = :receipt
    WHERE id = :attempt
)
UPDATE delivery
SET state = :state, reason = :reason, next_at = :next_at,
    duplicate_possible = :duplicate_possible, recipients = CAST(:recipients AS jsonb),
    sent_at = CASE WHEN :state = 'sent' THEN CAST(:now AS timestamptz) END
WHERE id = :id AND state = 'sending'
""")

_INTERRUPTED = Direct(f"""
SELECT {_DELIVERY_COLUMNS},
       (SELECT a.id FROM attempt AS a WHERE a.delivery = d.id ORDER BY a.number DESC LIMIT 1)
           AS attempt
FROM delivery AS d
WHERE destination = :destination AND state = 'sending'
ORDER BY id
""")  # noqa: S608 - the columns are ours

_UNDO_ATTEMPT = Direct("""
DELETE FROM attempt WHERE id = :attempt AND finished_at IS NULL RETURNING delivery
""")

_UNDO_TAKE = Direct("""
UPDATE delivery SET state = 'waiting', attempts = attempts - 1
WHERE id = :delivery AND state = 'sending'
""")


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery taken up for an attempt."""

    delivery: Delivery
    gives_up_at: datetime
    due_at: datetime
    """When it was recorded, or asked for again, or until when it waited on purpose."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A delivery found in `sending` without anybody sending it, and its last attempt."""

    taken: Taken
    attempt: UUID | None


@dataclass(frozen=True, slots=True)
class Queue:
    """What may be sent now, most important first; without anything, when something may.

    `next_at` is None where nothing waits for a moment.
    """

    waiting: Sequence[Candidate]
    next_at: datetime | None = None


async def look(connection: AsyncConnection, destination: str, now: datetime, limit: int) -> Queue:
    """Return what waits for a destination, so many at the most.

    What waited on purpose together is one candidate.
    """
    rows = await _LOOK.rows(
        connection,
        destination=destination,
        now=now,
        limit=limit,
        summaries=[each.value for each in SUMMARIES],
    )
    if rows[0]["id"] is None:
        return Queue((), rows[0]["next_at"])
    return Queue([Candidate(row["id"], Kind(row["kind"]), row["together"]) for row in rows])


async def window(
    connection: AsyncConnection, lane: str, limits: Sequence[Limit], now: datetime
) -> Window:
    """Return the sliding window as the attempts tell it, whoever made them."""
    if not limits:
        return Window((), ())
    since = now - widest(limits).span - MARGIN - LONGEST_ATTEMPT
    rows = await _WINDOW.rows(connection, lane=lane, since=since)
    digests = [instant for instant, kind in rows if kind == Kind.DIGEST]
    return Window(limits, [instant for instant, _ in rows], digests[-1] if digests else None)


async def take(connection: AsyncConnection, id_: UUID, *, gives_up_at: datetime) -> Taken | None:
    """Put a delivery into `sending`; None when it waits no more."""
    rows = await _TAKE.rows(connection, id=id_, gives_up_at=gives_up_at)
    return _taken(rows[0]) if rows else None


def _taken(row: Row) -> Taken:
    event, recipients = row["event"], row["recipients"]
    return Taken(
        Delivery(
            id=row["id"],
            kind=Kind(row["kind"]),
            alert_id=row["alert_id"],
            alert_number=row["alert_number"],
            event=None if event is None else AlertEvent(event),
            content=row["content"],
            attempts=row["attempts"],
            tried_before=row["tried_before"],
            duplicate_possible=row["duplicate_possible"],
            has_first=row["has_first"],
            recipients=None if recipients is None else read_recipients(recipients),
            traceparent=row["traceparent"],
        ),
        row["gives_up_at"],
        row["due_at"],
    )


def read_recipients(stored: dict[str, Sequence[str]]) -> Recipients:
    """Return stored recipients as a value."""
    return Recipients(**{name: tuple(addresses) for name, addresses in stored.items()})


async def rendered_before(
    connection: AsyncConnection, delivery: Delivery, destination: Destination
) -> tuple[bytes, str | None] | None:
    """Return bytes and code of the last attempt that bore (or did not bear) the mark as now.

    What was written for another place is of no use, nor is what will never be taken as it stands.
    """
    rows = await _RENDERED.rows(
        connection,
        delivery=delivery.id,
        marked=delivery.duplicate_possible,
        lane=destination.lane,
        place=destination.place,
        reached=delivery.recipients is not None and bool(delivery.recipients.reached),
    )
    return (rows[0]["rendered"], rows[0]["code"]) if rows else None


async def thread(
    connection: AsyncConnection, alert_id: UUID, destination: Destination
) -> str | None:
    """Return what the vendor calls an episode's first notice in this channel, or None."""
    rows = await _THREAD.rows(
        connection, alert_id=alert_id, destination=destination.id, lane=destination.lane
    )
    return rows[0]["receipt"] if rows else None


async def start_attempt(
    connection: AsyncConnection,
    attempt: UUID,
    delivery: Delivery,
    destination: Destination,
    rendered: bytes,
    now: datetime,
) -> None:
    """Record that an attempt is about to be made, with exactly the bytes that will be sent."""
    await _START.rows(
        connection,
        id=attempt,
        delivery=delivery.id,
        lane=destination.lane,
        place=destination.place,
        kind=delivery.kind.value,
        number=delivery.attempts,
        marked=delivery.duplicate_possible,
        rendered=rendered,
        started_at=now,
    )


async def settle(
    connection: AsyncConnection,
    id_: UUID,
    settlement: Settlement,
    now: datetime,
    *,
    attempt: UUID | None = None,
    outcome: Outcome | None = None,
) -> None:
    """Move a delivery from `sending` to where its attempt, if one was recorded, has brought it."""
    recipients = settlement.recipients
    await _SETTLE.rows(
        connection,
        id=id_,
        state=settlement.state.value,
        reason=settlement.reason,
        next_at=settlement.next_at,
        duplicate_possible=settlement.duplicate_possible,
        recipients=None if recipients is None else json.dumps(asdict(recipients)),
        now=now,
        attempt=attempt,
        verdict=outcome and outcome.verdict.value,
        code=outcome and outcome.code,
        detail=outcome and outcome.detail,
        receipt=outcome and outcome.receipt,
    )


async def interrupted(connection: AsyncConnection, destination: str) -> list[Interrupted]:
    """Return what an earlier owner of the lease left in `sending`: unknown outcomes."""
    rows = await _INTERRUPTED.rows(connection, destination=destination)
    return [Interrupted(_taken(row), row["attempt"]) for row in rows]


async def undo(connection: AsyncConnection, attempt: UUID) -> None:
    """Take back an attempt that certainly was not made, if its record was committed at all."""
    for row in await _UNDO_ATTEMPT.rows(connection, attempt=attempt):
        await _UNDO_TAKE.rows(connection, delivery=row["delivery"])
