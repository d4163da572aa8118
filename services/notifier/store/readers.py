"""What waits for people who are counted one by one, and what each of them has had.

A delivery is for its `readers` or, where it has none of its own, for those of the destination.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.deliveries import Kind
from services.notifier.domain.destinations import Destination
from services.notifier.domain.holding import SUMMARIES
from services.notifier.domain.limits import MARGIN, Candidate, Limit, Merge, Send, Window, widest
from services.notifier.store.queue import LONGEST_ATTEMPT, MAY_GO

PAGE = 200
"""Deliveries looked at together; those behind are looked at when nobody before them has room."""

_READERS = "coalesce(d.readers, CAST(:others AS text[]))"

_IN_DOUBT = """(
d.attempts > 0 AND EXISTS (SELECT FROM attempt WHERE delivery = d.id AND verdict = 'unknown'))"""

_LOOK = text(f"""
SELECT id, CASE WHEN event = 'refused' THEN 'meta' ELSE kind END AS kind, held_for,
       CASE WHEN NOT {_IN_DOUBT} THEN gather_key END AS gather_key, {_READERS} AS readers,
       {_IN_DOUBT} AS whole
FROM delivery AS d
WHERE {MAY_GO} AND (not_before IS NULL OR not_before <= :now)
  AND NOT {_READERS} <@ CAST(:resting AS text[])
ORDER BY priority, id
LIMIT :limit
""")  # noqa: S608 - the conditions are ours

_NEXT_AT = text("""
SELECT min(greatest(next_at, not_before)) FROM delivery
WHERE destination = :destination AND state IN ('waiting', 'failed')
  AND greatest(next_at, not_before) > :now
""")

_HAD = text("""
SELECT coalesce(finished_at, started_at) AS instant, kind, readers
FROM attempt
WHERE lane = :lane AND started_at > :since
ORDER BY 1
""")

# What may have arrived stays whole: written for fewer people, it is another message to the vendor.
_DIVIDE = f"""
WITH whole AS (
    SELECT d.id, {_READERS} AS readers
    FROM delivery AS d
    WHERE d.destination = :destination AND d.state IN ('waiting', 'failed')
      AND {_READERS} && CAST(:apart AS text[]) AND NOT {_READERS} <@ CAST(:apart AS text[])
      AND NOT {_IN_DOUBT} AND {{which}}
    ORDER BY d.id
    FOR UPDATE
), part AS (
    INSERT INTO delivery (
        kind, alert_id, alert_number, revision, event, level, available, at_risk_money,
        at_risk_units, destination, state, gather_key, held_for, not_before, priority, content,
        has_first, recipients, gives_up_at, recorded_at, traceparent, duplicate_possible, part_of,
        readers)
    SELECT kind, alert_id, alert_number, revision, event, level, available, at_risk_money,
           at_risk_units, destination, 'waiting', gather_key, held_for, not_before, priority,
           content, has_first, recipients, gives_up_at, recorded_at, traceparent,
           duplicate_possible, coalesce(part_of, d.id),
           ARRAY(SELECT one FROM unnest(whole.readers) AS one
                 WHERE one = ANY(CAST(:apart AS text[])))
    FROM delivery AS d JOIN whole ON whole.id = d.id
)
UPDATE delivery AS d
SET readers = ARRAY(SELECT one FROM unnest(whole.readers) AS one
                      WHERE one <> ALL(CAST(:apart AS text[])))
FROM whole
WHERE d.id = whole.id
"""  # noqa: S608 - the conditions are ours

_DIVIDE_ONE = text(_DIVIDE.format(which="d.id = :id"))
_DIVIDE_TOGETHER = text(
    _DIVIDE.format(
        which=f"""d.gather_key = :key AND d.not_before <= :now
      AND {_READERS} <@ CAST(:all AS text[]) AND {_READERS} @> CAST(:all AS text[])"""
    )
)
# What a digest may be made of.
_DIVIDE_NOTICES = text(
    _DIVIDE.format(
        which="""d.kind IN ('first', 'escalation', 'change') AND d.event <> 'refused'
      AND (d.not_before IS NULL OR d.not_before <= :now)"""
    )
)


async def look(
    connection: AsyncConnection, destination: Destination, now: datetime, resting: Collection[str]
) -> tuple[list[Candidate], bool]:
    """Return what may be sent now, most important first, and whether there is more behind.

    What is for nobody but those who rest is left out. What waited on purpose together, for the
    same readers, is one candidate.
    """
    found = await connection.execute(
        _LOOK,
        {
            "destination": destination.id,
            "others": list(destination.address.readers),
            "now": now,
            "resting": sorted(resting),
            "limit": PAGE,
        },
    )
    rows = found.all()
    amounts: dict[tuple[str, frozenset[str]], int] = {}
    for row in rows:
        if row.gather_key is not None:
            group = (row.gather_key, frozenset(row.readers))
            amounts[group] = amounts.get(group, 0) + 1
    candidates = []
    for row in rows:
        together: str | None = None
        if row.gather_key is not None:
            amount = amounts.pop((row.gather_key, frozenset(row.readers)), 0)
            if amount == 0:
                continue
            if amount > 1 or row.held_for in SUMMARIES:
                together = row.gather_key
        candidates.append(
            Candidate(row.id, Kind(row.kind), together, tuple(row.readers), row.whole)
        )
    return candidates, len(rows) == PAGE


async def next_at(connection: AsyncConnection, destination: str, now: datetime) -> datetime | None:
    """Return when the next of those that wait for a moment may go; None where none does."""
    found: datetime | None = await connection.scalar(
        _NEXT_AT, {"destination": destination, "now": now}
    )
    return found


async def windows(
    connection: AsyncConnection, lane: str, limits: Sequence[Limit], now: datetime
) -> Callable[[str], Window]:
    """Return each reader's sliding window as the attempts tell it, whoever made them."""
    since = now - widest(limits).span - MARGIN - LONGEST_ATTEMPT
    had: dict[str | None, list[tuple[datetime, str]]] = {}
    for row in await connection.execute(_HAD, {"lane": lane, "since": since}):
        # Of attempts of an earlier version it is not known whom they were for: perhaps everybody.
        for reader in row.readers or (None,):
            had.setdefault(reader, []).append((row.instant, row.kind))

    def window(reader: str) -> Window:
        own = sorted([*had.get(None, ()), *had.get(reader, ())])
        digests = [instant for instant, kind in own if kind == Kind.DIGEST]
        return Window(limits, [instant for instant, _ in own], digests[-1] if digests else None)

    return window


async def divide(
    connection: AsyncConnection, destination: Destination, step: Send | Merge, now: datetime
) -> None:
    """Give those who have had enough parts of their own of what a step is about.

    What is merged for one reader is divided the other way round: it is this reader's part.
    """
    parameters: dict[str, object] = {
        "destination": destination.id,
        "others": list(destination.address.readers),
        "apart": list(step.apart),
    }
    match step:
        case Send(id_, apart) if apart:
            await connection.execute(_DIVIDE_ONE, parameters | {"id": id_})
        case Merge(str(key), readers, apart) if apart:
            every = [*readers, *apart]
            await connection.execute(
                _DIVIDE_TOGETHER, parameters | {"key": key, "all": every, "now": now}
            )
        case Merge(None, readers) if readers:
            await connection.execute(
                _DIVIDE_NOTICES, parameters | {"apart": list(readers), "now": now}
            )
        case _:
            pass
