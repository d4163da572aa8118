"""What died at a destination: finding it, judging what it still tells, having it wait again."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.deliveries import Kind, Reason, State
from services.notifier.domain.replays import AGAIN, Notice, Told, reasons_of
from services.notifier.store.queue import read_recipients
from shared.events.stock_alerts import AlertEvent

# It died when its last attempt ended; what could not be written has none. Tests and notes about
# destinations tell of a moment that is past.
_DEAD = """
FROM delivery AS d
LEFT JOIN LATERAL (
    SELECT code, finished_at FROM attempt WHERE delivery = d.id ORDER BY number DESC LIMIT 1
) AS last ON true
WHERE d.state = 'dead' AND d.destination = :destination AND d.kind NOT IN ('test', 'meta')
  AND (CAST(:code AS text) IS NULL
       OR coalesce(last.code, split_part(d.reason, ':', 1)) = :code)
  AND (CAST(:since AS timestamptz) IS NULL
       OR coalesce(last.finished_at, d.created_at) >= :since)
  AND (CAST(:until AS timestamptz) IS NULL
       OR coalesce(last.finished_at, d.created_at) < :until)
"""

_COLUMNS = "d.id, d.kind, d.state, d.destination, d.order_id, d.recipients, d.duplicate_possible"

_COUNT = text(f"SELECT count(*) {_DEAD}")

_FOUND = text(f"""
SELECT {_COLUMNS} {_DEAD}
ORDER BY d.id
LIMIT :limit
FOR UPDATE OF d
""")

_ONE = text(f"SELECT {_COLUMNS} FROM delivery AS d WHERE d.id = :id FOR UPDATE")  # noqa: S608 - the columns are ours

# A digest that died is taken apart: what it was made of is judged like anything else.
_PARTS = text("""
SELECT id, digest_id, recipients FROM delivery
WHERE digest_id = ANY(CAST(:digests AS uuid[])) AND state = 'merged'
ORDER BY id
FOR UPDATE
""")

_EPISODES = text("""
SELECT d.id, d.kind, d.event, d.alert_id, d.revision, d.destination, d.readers,
       d.duplicate_possible OR coalesce(g.duplicate_possible, false) AS duplicate_possible,
       coalesce(g.state, d.state) AS state, d.digest_id
FROM delivery AS d LEFT JOIN delivery AS g ON g.id = d.digest_id
WHERE d.alert_id IN (SELECT alert_id FROM delivery WHERE id = ANY(CAST(:ids AS uuid[])))
""")

# An order that was mailed again since, or a report after which one of its kind came.
_OVERTAKEN = text("""
SELECT d.id
FROM delivery AS d
WHERE d.id = ANY(CAST(:ids AS uuid[])) AND d.kind IN ('order', 'report') AND EXISTS (
    SELECT FROM delivery AS newer
    WHERE newer.kind = d.kind AND newer.id > d.id
      AND (newer.state IN ('waiting', 'sending', 'failed', 'sent')
           OR newer.id = ANY(CAST(:ids AS uuid[])))
      AND CASE d.kind
          WHEN 'order' THEN newer.order_id = d.order_id
          ELSE newer.destination = d.destination
               AND substring(newer.content FROM '"kind": ?"([a-z_]+)"')
                   = substring(d.content FROM '"kind": ?"([a-z_]+)"') END)
""")

_AGAIN = text("""
UPDATE delivery AS d
SET state = 'waiting', reason = NULL, next_at = NULL, gives_up_at = NULL, digest_id = NULL,
    recipients = CAST(n.recipients AS jsonb),
    duplicate_possible = d.duplicate_possible OR n.doubtful
FROM unnest(CAST(:ids AS uuid[]), CAST(:recipients AS text[]), CAST(:doubtful AS boolean[]))
     AS n (id, recipients, doubtful)
WHERE d.id = n.id
""")

_NOT_AGAIN = text("""
UPDATE delivery AS d
SET state = n.state, reason = n.reason, next_at = NULL
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:reasons AS text[]))
     AS n (id, state, reason)
WHERE d.id = n.id
""")


class Sought(NamedTuple):
    """What died at a destination: with this code, from `since` until `until`; None: whatever."""

    destination: str
    code: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Became(NamedTuple):
    """What becomes of the dead: `found` of them, `left` of which were too many for one go.

    `superseded` are those after which the destination has heard, or hears, of something newer;
    `untold` tell of the end of what nobody was told.
    """

    found: int
    replayed: int
    superseded: int
    untold: int
    left: int


Found = Row[tuple[object, ...]]
"""A dead delivery, locked."""


class Waiting(NamedTuple):
    """What waits again, with its recipients as stored; a part of a digest may have arrived."""

    id: UUID
    recipients: dict[str, Sequence[str]] | None
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of some dead deliveries, digests taken apart.

    `again` wait again; `reasons` are why others are not sent. `apart` are digests that are told by
    what they were made of, if by anything.
    """

    again: Sequence[Waiting]
    reasons: Mapping[UUID, str]
    apart: Mapping[UUID, Sequence[UUID]]

    def became(self, dead: Iterable[UUID], found: int) -> Became:
        """Return what becomes of these, of all that were found."""
        again = {each.id for each in self.again}
        replayed = superseded = untold = 0
        for id_ in dead:
            parts = self.apart.get(id_, (id_,))
            if any(part in again for part in parts):
                replayed += 1
            elif any(self.reasons.get(part) == Reason.ENDED_UNTOLD for part in parts):
                untold += 1
            else:
                superseded += 1
        return Became(found, replayed, superseded, untold, found - replayed - superseded - untold)


async def one(connection: AsyncConnection, id_: UUID) -> Found | None:
    """Return a delivery in whatever state, locked."""
    return (await connection.execute(_ONE, {"id": id_})).one_or_none()


async def look(
    connection: AsyncConnection, sought: Sought, most: int
) -> tuple[int, Sequence[Found], Judged]:
    """Return how many there are, the oldest `most` of them, and what is to become of those."""
    dead = (await connection.execute(_FOUND, {**sought._asdict(), "limit": most})).all()
    found = len(dead)
    if found == most:
        found = await connection.scalar(_COUNT, sought._asdict()) or 0
    return found, dead, await judge(connection, dead)


async def judge(connection: AsyncConnection, dead: Sequence[Found]) -> Judged:
    """Decide what is to become of dead deliveries of one destination.

    A digest that died is taken apart, so that nothing of it is told that is past by now; one that
    has reached somebody goes on for the others as it is.
    """
    digests = {
        row.id: row.duplicate_possible
        for row in dead
        if row.kind == Kind.DIGEST and not (row.recipients or {}).get("reached")
    }
    apart: dict[UUID, list[UUID]] = {}
    could: list[Waiting] = []
    if digests:
        for row in await connection.execute(_PARTS, {"digests": list(digests)}):
            apart.setdefault(row.digest_id, []).append(row.id)
            could.append(Waiting(row.id, row.recipients, digests[row.digest_id]))
    could += [Waiting(row.id, row.recipients) for row in dead if row.id not in apart]
    ids = {each.id for each in could}
    overtaken = await connection.scalars(_OVERTAKEN, {"ids": list(ids)})
    reasons: dict[UUID, str | None] = dict.fromkeys(overtaken, Reason.NEWER_REVISION.value)
    here = {row.destination for row in dead}
    rows = await connection.execute(_EPISODES, {"ids": list(ids)})
    episodes = [_notice(row, here) for row in rows]
    reasons |= reasons_of([each for each in episodes if each.id in ids], episodes)
    return Judged(
        [each for each in could if reasons.get(each.id) is AGAIN],
        {id_: reason for id_, reason in reasons.items() if reason is not AGAIN},
        apart,
    )


def _notice(row: Found, here: Collection[object]) -> Notice:
    return Notice(
        id=row.id,
        kind=Kind(row.kind),
        event=AlertEvent(row.event),
        alert_id=row.alert_id,
        revision=row.revision,
        told=_TOLD.get(State(row.state), Told.NO),
        here=row.destination in here,
        doubtful=row.duplicate_possible,
        readers=None if row.readers is None else frozenset(row.readers),
    )


_TOLD = {
    State.SENT: Told.YES,
    State.WAITING: Told.COMING,
    State.SENDING: Told.COMING,
    State.FAILED: Told.COMING,
}


async def carry_out(connection: AsyncConnection, judged: Judged) -> None:
    """Have wait again what is to, and say of all else why it does not."""
    await connection.execute(
        _AGAIN,
        {
            "ids": [each.id for each in judged.again],
            "recipients": [_everybody_left(each.recipients) for each in judged.again],
            "doubtful": [each.doubtful for each in judged.again],
        },
    )
    not_again = {**judged.reasons, **dict.fromkeys(judged.apart, Reason.TAKEN_APART.value)}
    await connection.execute(
        _NOT_AGAIN,
        {
            "ids": list(not_again),
            "states": [_state(reason).value for reason in not_again.values()],
            "reasons": list(not_again.values()),
        },
    )


def _state(reason: str) -> State:
    return State.SUPPRESSED if reason == Reason.ENDED_UNTOLD else State.SUPERSEDED


def _everybody_left(stored: dict[str, Sequence[str]] | None) -> str | None:
    """Return recipients with everybody left who was not certainly reached."""
    if stored is None:
        return None
    recipients = read_recipients(stored)
    refused = tuple(entry.rpartition(" ")[0] for entry in recipients.refused)
    left = recipients.left + recipients.in_doubt + refused
    return json.dumps(asdict(replace(recipients, left=left, in_doubt=(), refused=())))
