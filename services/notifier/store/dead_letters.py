"""What died at a destination: finding it, judging what it still tells, having it wait again."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.deliveries import Kind, Reason, Recipients, State
from services.notifier.domain.replays import (
    AGAIN,
    LATER,
    Notice,
    Told,
    fate_of_digest,
    fates_of,
)
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


def _may_have_arrived(delivery: str) -> str:
    """Return a condition on a delivery: it may have reached somebody, or has."""
    return f"""(
        {delivery}.duplicate_possible
        OR coalesce({delivery}.recipients -> 'reached', '[]') <> '[]'
        OR coalesce({delivery}.recipients -> 'in_doubt', '[]') <> '[]'
        OR EXISTS (SELECT FROM attempt WHERE delivery = {delivery}.id AND verdict = 'unknown'))"""


_COLUMNS = f"""
d.id, d.kind, d.state, d.destination, d.recipients, {_may_have_arrived("d")} AS doubtful"""

_COUNT = text(f"SELECT count(*) {_DEAD}")

_FOUND = text(f"""
SELECT {_COLUMNS} {_DEAD}
ORDER BY d.id
LIMIT :limit
FOR UPDATE OF d
""")

# What was judged already, as of this very instant, is left out.
_WAITED = text(f"""
SELECT {_COLUMNS} FROM delivery AS d
WHERE d.destination = :destination AND d.state IN ('waiting', 'failed')
  AND d.kind NOT IN ('test', 'meta') AND (d.not_before IS NULL OR d.not_before <= :now)
  AND d.replayed_at IS DISTINCT FROM :now
  AND (CAST(:digests AS boolean) IS NULL OR (d.kind = 'digest') = :digests)
  AND (CAST(:after AS uuid) IS NULL OR d.id > :after)
ORDER BY d.id
LIMIT CAST(:limit AS bigint)
FOR UPDATE
""")  # noqa: S608 - the columns are ours

_ONE = text(f"SELECT {_COLUMNS} FROM delivery AS d WHERE d.id = :id FOR UPDATE")  # noqa: S608 - the columns are ours

_PARTS = text("""
SELECT id, digest_id, recipients FROM delivery
WHERE digest_id = ANY(CAST(:digests AS uuid[])) AND state = 'merged'
ORDER BY id
FOR UPDATE
""")

_EPISODES = text(f"""
SELECT d.id, d.kind, d.event, d.alert_id, d.revision, d.destination, d.state,
       g.state AS digest_state,
       {_may_have_arrived("d")} OR coalesce({_may_have_arrived("g")}, false) AS doubtful,
       coalesce(CAST(p.manners ->> 'of_programs' AS boolean), false) AS in_full
FROM delivery AS d LEFT JOIN delivery AS g ON g.id = d.digest_id
LEFT JOIN destination AS p ON p.id = d.destination
WHERE d.alert_id IN (SELECT alert_id FROM delivery WHERE id = ANY(CAST(:ids AS uuid[])))
""")  # noqa: S608 - the conditions are ours

# An order that was mailed again since, or a report after which one of its schedule came.
_OVERTAKEN = text("""
SELECT d.id
FROM delivery AS d
WHERE d.id = ANY(CAST(:ids AS uuid[])) AND d.kind = 'order' AND EXISTS (
    SELECT FROM delivery AS newer
    WHERE newer.order_id = d.order_id AND newer.id > d.id
      AND (newer.state IN ('waiting', 'sending', 'failed', 'sent')
           OR newer.id = ANY(CAST(:ids AS uuid[]))))
UNION ALL
SELECT d.id
FROM delivery AS d
WHERE d.id = ANY(CAST(:ids AS uuid[])) AND d.kind = 'report' AND EXISTS (
    SELECT FROM delivery AS newer
    WHERE newer.kind = 'report' AND newer.destination = d.destination AND newer.id > d.id
      AND (newer.state IN ('waiting', 'sending', 'failed', 'sent')
           OR newer.id = ANY(CAST(:ids AS uuid[])))
      AND substring(newer.content FROM CAST(:kind AS text))
          = substring(d.content FROM CAST(:kind AS text))
      AND substring(newer.content FROM CAST(:schedule AS text))
          IS NOT DISTINCT FROM substring(d.content FROM CAST(:schedule AS text)))
""")

# PostgreSQL's JSON takes no NUL, which a content may hold.
_OF_REPORT = {"kind": '"kind": ?"([^"]+)"', "schedule": '"schedule": ?"([^"]+)"'}

_AGAIN = text("""
UPDATE delivery AS d
SET state = 'waiting', reason = NULL, next_at = NULL, gives_up_at = NULL, digest_id = NULL,
    recipients = CAST(n.recipients AS jsonb), replayed_at = :now, tried_before = d.attempts,
    duplicate_possible = d.duplicate_possible OR n.doubtful
FROM unnest(CAST(:ids AS uuid[]), CAST(:recipients AS text[]), CAST(:doubtful AS boolean[]))
     AS n (id, recipients, doubtful)
WHERE d.id = n.id
""")

# In the place of a first notice that is superseded there is another one; here there is none.
_NOT_AGAIN = text(f"""
UPDATE delivery AS d
SET state = CASE WHEN d.kind = 'first' OR n.reason = '{Reason.ENDED_UNTOLD}'
                 THEN 'suppressed' ELSE 'superseded' END,
    reason = n.reason, next_at = NULL, digest_id = NULL
FROM unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS n (id, reason)
WHERE d.id = n.id
""")  # noqa: S608 - the reason is ours


class Sought(NamedTuple):
    """What died at a destination: with this code, from `since` until `until`; None: whatever."""

    destination: str
    code: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Became(NamedTuple):
    """What becomes of the dead: `found` of them, `left` of which stay as they are for now.

    `superseded` are those after which the destination has heard, or hears, of something newer;
    `untold` tell of the end of what nobody was told.
    """

    found: int
    replayed: int
    superseded: int
    untold: int
    left: int


class Stretch(NamedTuple):
    """A part of what waited: digests or all else, after a delivery, the oldest first; None: all."""

    digests: bool | None = None
    after: UUID | None = None
    limit: int | None = None


Found = Row[tuple[object, ...]]
"""A dead delivery, locked."""


class Waiting(NamedTuple):
    """What waits again; `doubtful`: as what may have arrived already, it is marked."""

    id: UUID
    recipients: Recipients | None
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of some dead deliveries.

    `again` wait again; `reasons` are why others are not sent; what a digest was made of is among
    them where it is taken apart. `fates` are those of the dead themselves.
    """

    again: Sequence[Waiting]
    reasons: Mapping[UUID, str]
    fates: Mapping[UUID, str | None]

    def became(self, found: int) -> Became:
        """Return what becomes of these, of all that were found."""
        counts = Counter(self.fates.values())
        replayed = counts[AGAIN] + counts[Reason.TAKEN_APART]
        untold, later = counts[Reason.ENDED_UNTOLD], counts[LATER]
        decided = len(self.fates) - later
        return Became(found, replayed, decided - replayed - untold, untold, found - decided)


async def one(connection: AsyncConnection, id_: UUID) -> Found | None:
    """Return a delivery in whatever state, locked."""
    return (await connection.execute(_ONE, {"id": id_})).one_or_none()


async def look(connection: AsyncConnection, sought: Sought, most: int) -> tuple[int, Judged]:
    """Return how many there are, and what is to become of the oldest `most` of them."""
    dead = (await connection.execute(_FOUND, {**sought._asdict(), "limit": most})).all()
    found = await connection.scalar(_COUNT, sought._asdict()) or 0
    return found, await judge(connection, dead)


async def waited(
    connection: AsyncConnection, destination: str, now: datetime, stretch: Stretch
) -> Sequence[Found]:
    """Return what could have been sent to a destination by now, locked; notes are left out."""
    asked = {"destination": destination, "now": now, **stretch._asdict()}
    return (await connection.execute(_WAITED, asked)).all()


async def judge(connection: AsyncConnection, dead: Sequence[Found]) -> Judged:
    """Decide what is to become of dead deliveries of one destination, or of those that waited."""
    parts: dict[UUID, list[Found]] = {row.id: [] for row in dead if row.kind == Kind.DIGEST}
    for part in await connection.execute(_PARTS, {"digests": list(parts)}):
        parts[part.digest_id].append(part)
    ids = [row.id for row in dead if row.id not in parts]
    ids += [part.id for each in parts.values() for part in each]
    fates = await _fates(connection, ids, {row.destination for row in dead})
    again: list[Waiting] = []
    reasons: dict[UUID, str] = {}

    def decide(row: Found, *, doubtful: bool) -> None:
        fate = fates[row.id]
        if fate is AGAIN:
            again.append(waiting(row, doubtful=doubtful))
        else:
            reasons[row.id] = fate

    for row in dead:
        if row.id in parts:
            of_parts = [fates[part.id] for part in parts[row.id]]
            reached = bool((row.recipients or {}).get("reached"))
            fates[row.id] = fate_of_digest(of_parts, reached=reached)
        if fates[row.id] == LATER:
            continue
        decide(row, doubtful=False)
        if fates[row.id] is not AGAIN:
            for part in parts.get(row.id, ()):
                decide(part, doubtful=row.doubtful)
    return Judged(again, reasons, {row.id: fates[row.id] for row in dead})


def waiting(row: Found, *, doubtful: bool = False) -> Waiting:
    """Return a delivery as it waits again, for everybody who was not certainly reached."""
    if row.recipients is None:
        return Waiting(row.id, None, doubtful)
    recipients = read_recipients(row.recipients)
    refused = tuple(entry.rpartition(" ")[0] for entry in recipients.refused)
    left = recipients.left + recipients.in_doubt + refused
    everybody_left = replace(recipients, left=left, in_doubt=(), refused=())
    return Waiting(row.id, everybody_left, doubtful or bool(recipients.in_doubt))


async def _fates(
    connection: AsyncConnection, ids: Sequence[UUID], here: Collection[str]
) -> dict[UUID, str | None]:
    fates: dict[UUID, str | None] = dict.fromkeys(ids, AGAIN)
    overtaken = await connection.scalars(_OVERTAKEN, {"ids": ids} | _OF_REPORT)
    fates |= dict.fromkeys(overtaken, Reason.NEWER_REVISION)
    rows = await connection.execute(_EPISODES, {"ids": ids})
    episodes = [_notice(row, here, judged=row.id in fates) for row in rows]
    return fates | fates_of([each for each in episodes if each.id in fates], episodes)


def _notice(row: Found, here: Collection[str], *, judged: bool) -> Notice:
    of_digest = None if row.digest_state is None else State(row.digest_state)
    return Notice(
        id=row.id,
        kind=Kind(row.kind),
        event=AlertEvent(row.event),
        alert_id=row.alert_id,
        revision=row.revision,
        told=Told.NO if judged else _told(State(row.state), of_digest),
        here=row.destination in here,
        doubtful=row.doubtful,
        in_full=row.in_full,
    )


def _told(state: State, of_digest: State | None) -> Told:
    waits = {State.WAITING, State.FAILED}
    if State.SENT in {state, of_digest}:
        return Told.YES
    if State.SENDING in {state, of_digest} or of_digest in waits:
        return Told.GOING
    return Told.COMING if state in waits else Told.NO


async def carry_out(connection: AsyncConnection, judged: Judged, now: datetime) -> None:
    """Have wait again what is to, and say of all else why it does not."""
    await connection.execute(
        _AGAIN,
        {
            "ids": [each.id for each in judged.again],
            "recipients": [
                None if each.recipients is None else json.dumps(asdict(each.recipients))
                for each in judged.again
            ],
            "doubtful": [each.doubtful for each in judged.again],
            "now": now,
        },
    )
    await connection.execute(
        _NOT_AGAIN, {"ids": list(judged.reasons), "reasons": list(judged.reasons.values())}
    )
