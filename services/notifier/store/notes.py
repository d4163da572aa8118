"""Notes of the notifier's own: what did not arrive is told where people read it."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.contents import FailureNote
from services.notifier.domain.deliveries import Kind, Reason, priority
from services.notifier.store.configuration import REACH
from services.notifier.store.wakeups import wake_senders

# First what writes to an order's buyers by name; programs last, and what has just failed: its
# server may well take mail for others than this supplier.
_PLACE = text(f"""
SELECT d.id
FROM (SELECT id, kind, enabled, {REACH} AS reach FROM destination) AS d
LEFT JOIN lease AS l ON l.destination = d.id
WHERE d.enabled AND d.id <> ALL(CAST(:tried AS text[]))
ORDER BY (d.id = :there) IS NOT TRUE, (d.reach = ANY(CAST(:known_by AS text[]))) IS NOT TRUE,
         d.kind = 'webhook', d.id = :failed, coalesce(l.failures, 0), d.id
LIMIT 1
""")  # noqa: S608 - the expression is ours

_NOTE = text("""
INSERT INTO delivery (kind, destination, state, priority, content, recorded_at, request_key)
VALUES (:kind, :destination, 'waiting', :priority, :content, :now, :request_key)
ON CONFLICT (request_key) DO NOTHING
RETURNING id
""")

_PLACE_OF = text("SELECT destination FROM delivery WHERE request_key = :request_key")
_TAKE_BACK = text(f"""
UPDATE delivery
SET state = 'suppressed', next_at = NULL, reason = '{Reason.ENDED_UNTOLD}'
WHERE request_key = :request_key AND state IN ('waiting', 'failed') AND NOT duplicate_possible
  AND recipients IS NULL -- some of them may have it
RETURNING id
""")  # noqa: S608 - the reason is ours


async def place_of(connection: AsyncConnection, key: str) -> str | None:
    """Return where a failure was told of under a key; None for nowhere."""
    place: str | None = await connection.scalar(_PLACE_OF, {"request_key": f"meta:{key}"})
    return place


async def take_back(connection: AsyncConnection, key: str) -> bool:
    """Let a failure be told no more; returns whether it certainly was not yet."""
    return await connection.scalar(_TAKE_BACK, {"request_key": f"meta:{key}"}) is not None


async def add(
    connection: AsyncConnection,
    note: FailureNote,
    key: str,
    now: datetime,
    *,
    there: str | None = None,
) -> None:
    """Tell of a failure where people read it, if that is anywhere; the same key tells it once.

    An order's buyers are told, in need through what has failed to reach the supplier; of all else
    somebody hears elsewhere, and `there`, if that is enabled.
    """
    buyers = () if note.order is None else note.order.buyers
    known_by = [
        name for name in ("wecom_userid", "email") if any(getattr(buyer, name) for buyer in buyers)
    ]
    tried = note.tried if note.order is not None else (note.destination, *note.tried)
    place = await connection.scalar(
        _PLACE,
        {"there": there, "failed": note.destination, "known_by": known_by, "tried": list(tried)},
    )
    if place is None:
        return
    created = await connection.scalar(
        _NOTE,
        {
            "kind": Kind.META.value,
            "destination": place,
            "priority": priority(Kind.META),
            "content": note.model_dump_json(),
            "now": now,
            "request_key": f"meta:{key}",
        },
    )
    if created is not None:
        await wake_senders(connection, [place])
