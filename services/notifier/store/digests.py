"""Merging: everything that waits for a destination becomes one digest, set by set."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.contents import (
    DIGEST_LINES,
    Digest,
    DigestLine,
)
from services.notifier.domain.deliveries import MUST_ARRIVE, Kind, priority
from services.notifier.domain.holding import HoldReason
from services.notifier.store.configuration import REACH
from services.notifier.store.precedence import AFTER_DIGESTS, OLDER_HOLDS_UP, by_itself, in_doubt
from shared.events.stock_alerts import AlertEvent, AlertLevel, Recipient, StockAlert

# In the order of their ids, as whoever withdraws what waits takes them. What somebody may have goes
# by itself, and what is newer of its episode after it if that is not known.
_MERGE = text(f"""
WITH doubtful AS MATERIALIZED (
    SELECT alert_id, revision FROM delivery AS d
    WHERE destination = :destination AND state IN ('waiting', 'failed') AND {in_doubt("d")}
)
UPDATE delivery SET state = 'merged', digest_id = :digest, next_at = NULL
WHERE id IN (
    SELECT id FROM delivery AS d
    WHERE destination = :destination AND state IN ('waiting', 'failed')
      AND kind IN ('first', 'escalation', 'change') AND event <> 'refused'
      AND (not_before IS NULL OR not_before <= :now)
      AND {AFTER_DIGESTS}
      AND NOT {by_itself("d")}
      AND NOT EXISTS (
          SELECT FROM doubtful WHERE alert_id = d.alert_id AND revision <= d.revision)
      AND (CAST(:key AS text) IS NULL OR gather_key = :key AND NOT EXISTS (
          SELECT FROM delivery AS older
          WHERE older.alert_id = d.alert_id AND older.destination = d.destination
            AND older.revision < d.revision AND {OLDER_HOLDS_UP}
            AND older.gather_key IS DISTINCT FROM d.gather_key))
    ORDER BY id
    FOR UPDATE)
""")  # noqa: S608 - the condition is ours

_WHY = text("SELECT min(held_for) FROM delivery WHERE digest_id = :digest")

_COUNTS = text("""
SELECT kind, level, event, count(*) AS amount
FROM delivery WHERE digest_id = :digest
GROUP BY kind, level, event
""")

_EPISODES = text("SELECT count(DISTINCT alert_id) FROM delivery WHERE digest_id = :digest")

# Each episode once, at its newest revision; the most money at risk first, then the worst (units of
# different goods do not compare), those that are over last.
_LINES = text("""
SELECT content, duplicate_possible
FROM (SELECT DISTINCT ON (alert_id) event, level, available, alert_number,
             at_risk_money, at_risk_units, content,
             bool_or(duplicate_possible) OVER (PARTITION BY alert_id) AS duplicate_possible
      FROM delivery WHERE digest_id = :digest
      ORDER BY alert_id, revision DESC) AS newest
ORDER BY event IN ('resolved', 'retracted'), at_risk_money DESC NULLS LAST,
         CASE level WHEN 'out' THEN 0 WHEN 'urgent' THEN 1 ELSE 2 END,
         at_risk_units DESC NULLS LAST, available, alert_number
LIMIT :lines
""")

_REACH = text(f"SELECT {REACH} FROM destination WHERE id = :destination")  # noqa: S608 - the expression is ours

# All of them, to learn whom they are for: of use only where people are written to one by one.
_CONTENTS = text("SELECT content FROM delivery WHERE digest_id = :digest")

_CREATE = text("""
INSERT INTO delivery (id, kind, destination, state, priority, content, has_first, recorded_at)
SELECT :digest, 'digest', :destination, 'waiting', :priority, :content, :has_first,
       min(greatest(recorded_at, not_before, replayed_at))
FROM delivery WHERE digest_id = :digest
""")

_NEW_ID = text("SELECT uuidv7()")


class _Addressed(msgspec.Struct):
    """Whom an alert is for. Read here: PostgreSQL's JSON takes no NUL, which an alert may hold."""

    to: tuple[msgspec.Raw, ...] = ()


_addressed = msgspec.json.Decoder(_Addressed)


class Merged(NamedTuple):
    """A new digest, and how much went into it."""

    digest: UUID
    firsts: int
    changes: int


async def merge(
    connection: AsyncConnection, destination: str, now: datetime, key: str | None = None
) -> Merged | None:
    """Merge all notices that wait for a destination into a new digest that waits in their place.

    With a key, those that were to be told together under it. What is not due yet goes on waiting.
    Every merged delivery names the digest. Returns None when nothing waited any more.
    """
    digest: UUID = (await connection.execute(_NEW_ID)).scalar_one()
    parameters = {"destination": destination, "digest": digest, "now": now, "key": key}
    result = await connection.execute(_MERGE, parameters)
    if result.rowcount == 0:
        return None
    counts = (await connection.execute(_COUNTS, {"digest": digest})).all()
    content = await _content(connection, destination, digest, counts)
    if key is not None:
        content = await _held(connection, digest, content)
    firsts = sum(content.opened.values())
    await connection.execute(
        _CREATE,
        {
            "digest": digest,
            "destination": destination,
            "priority": priority(Kind.DIGEST),
            "content": content.model_dump_json(),
            "has_first": any(Kind(row.kind) in MUST_ARRIVE for row in counts),
        },
    )
    return Merged(digest, firsts, content.total - firsts)


async def _content(
    connection: AsyncConnection, destination: str, digest: UUID, counts: Sequence[Row[Any]]
) -> Digest:
    opened: dict[AlertLevel, int] = {}
    changes: dict[AlertEvent, int] = {}
    for row in counts:
        if row.kind == Kind.FIRST:
            level = AlertLevel(row.level)
            opened[level] = opened.get(level, 0) + row.amount
        else:
            event = AlertEvent(row.event)
            changes[event] = changes.get(event, 0) + row.amount
    lines = await connection.execute(_LINES, {"digest": digest, "lines": DIGEST_LINES})
    people, to_others = await _people(connection, destination, digest)
    return Digest(
        to=people,
        to_others=to_others,
        total=sum(opened.values()) + sum(changes.values()),
        opened=opened,
        changes=changes,
        episodes=await connection.scalar(_EPISODES, {"digest": digest}) or 0,
        lines=tuple(
            DigestLine(
                alert=StockAlert.model_validate_json(row.content),
                duplicate_possible=row.duplicate_possible,
            )
            for row in lines
        ),
    )


async def _people(
    connection: AsyncConnection, destination: str, digest: UUID
) -> tuple[tuple[Recipient, ...], bool]:
    """Return whom a digest can be written to by name, and whether some of it reaches nobody so."""
    reach = await connection.scalar(_REACH, {"destination": destination})
    if reach is None:
        return (), False
    contents = await connection.scalars(_CONTENTS, {"digest": digest})
    named = [{bytes(person) for person in _addressed.decode(each).to} for each in contents]
    everybody = sorted(set[bytes]().union(*named))
    known = {each: Recipient.model_validate_json(each) for each in everybody}
    reached = {each: person for each, person in known.items() if getattr(person, reach)}
    return tuple(reached.values()), any(reached.keys().isdisjoint(some) for some in named)


async def _held(connection: AsyncConnection, digest: UUID, content: Digest) -> Digest:
    """Return a digest that says why its notices were held until they could be one."""
    why = await connection.scalar(_WHY, {"digest": digest})
    update: dict[str, object] = {"why": None if why is None else HoldReason(why)}
    if why == HoldReason.SAME_OWNER and content.lines:
        alert = content.lines[0].alert
        owner = None if alert.owner is None else alert.called(alert.owner)
        update |= {"owner": owner, "supplier": alert.supplier}
    return content.model_copy(update=update)
