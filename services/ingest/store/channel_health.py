"""When channels were last heard of, counted by all processes together."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.domain.hearing import Hearing
from shared.clock import Clock
from shared.events.channel_health import ChannelHealth, Told

SOONEST = timedelta(seconds=10)
LATEST = timedelta(minutes=5)
"""How often a channel is told of: when something came, and when nothing did."""

STRETCH = timedelta(minutes=5)
"""Events are counted by stretches so long: the last hour is exact to one of them."""

DAY = timedelta(days=1)
USUAL = timedelta(days=7)
"""A channel that has told of a warehouse no longer before it was last heard usually tells of it:
one that fell silent a year ago is still missed."""

_HEARD = text("""
INSERT INTO channel_health (channel, version, heard_at)
SELECT n.channel, 1, n.heard_at
FROM unnest(CAST(:channels AS text[]), CAST(:heard_at AS timestamptz[])) AS n (channel, heard_at)
JOIN channel USING (channel)
ORDER BY n.channel
ON CONFLICT (channel) DO UPDATE
SET version = channel_health.version + 1,
    heard_at = greatest(channel_health.heard_at, excluded.heard_at)
""")

_TOLD_OF = text("""
INSERT INTO channel_warehouse (channel, warehouse, heard_at)
SELECT n.channel, n.warehouse, n.heard_at
FROM unnest(CAST(:channels AS text[]), CAST(:warehouses AS text[]),
            CAST(:heard_at AS timestamptz[])) AS n (channel, warehouse, heard_at)
JOIN channel USING (channel)
ORDER BY n.channel, n.warehouse
ON CONFLICT (channel, warehouse) DO UPDATE
SET heard_at = greatest(channel_warehouse.heard_at, excluded.heard_at)
""")

_COUNTED = text("""
INSERT INTO channel_events (channel, since, events, quarantined, rejected)
SELECT n.channel, :since, n.events, n.quarantined, n.rejected
FROM unnest(CAST(:channels AS text[]), CAST(:events AS bigint[]),
            CAST(:quarantined AS bigint[]), CAST(:rejected AS bigint[]))
     AS n (channel, events, quarantined, rejected)
JOIN channel USING (channel)
ORDER BY n.channel
ON CONFLICT (channel, since) DO UPDATE
SET events = channel_events.events + excluded.events,
    quarantined = channel_events.quarantined + excluded.quarantined,
    rejected = channel_events.rejected + excluded.rejected
""")

_FORGET = text("DELETE FROM channel_events WHERE since < :before")

_TURN = text("SELECT pg_try_advisory_xact_lock(hashtext('ingest.channel.health'))")

_SUMS = """
    jsonb_build_object('events', coalesce(sum(events) FILTER (WHERE {0}), 0),
                       'quarantined', coalesce(sum(quarantined) FILTER (WHERE {0}), 0),
                       'rejected', coalesce(sum(rejected) FILTER (WHERE {0}), 0))::text
"""

_UNPUBLISHED = text(f"""
SELECT h.channel, h.version, h.heard_at, e.last_hour, e.last_day,
       ARRAY(SELECT w.warehouse FROM channel_warehouse AS w
             WHERE w.channel = h.channel AND w.heard_at > h.heard_at - CAST(:usual AS interval)
             ORDER BY 1) AS warehouses
FROM channel_health AS h
CROSS JOIN LATERAL (
    SELECT {_SUMS.format("since > :hour")} AS last_hour, {_SUMS.format("true")} AS last_day
    FROM channel_events WHERE channel = h.channel AND since > :day
) AS e
WHERE h.published_at IS NULL
   OR h.published_at <= :latest
   OR (h.version > h.published_version AND h.published_at <= :soonest)
ORDER BY h.channel
LIMIT :limit
""")  # noqa: S608 - the sums are ours

_PUBLISHED = text("""
UPDATE channel_health AS h SET published_version = n.version, published_at = n.told_at
FROM unnest(CAST(:channels AS text[]), CAST(:versions AS bigint[]),
            CAST(:told_at AS timestamptz[])) AS n (channel, version, told_at)
WHERE h.channel = n.channel
""")


async def add(connection: AsyncConnection, hearing: Hearing, now: datetime) -> None:
    """Add what a process has heard; a channel that there is no more is left out."""
    channels = sorted(hearing.heard_at)
    heard_at = [hearing.heard_at[each] for each in channels]
    await connection.execute(_HEARD, {"channels": channels, "heard_at": heard_at})
    told_of = sorted(hearing.told_of)
    await connection.execute(
        _TOLD_OF,
        {
            "channels": [channel for channel, _ in told_of],
            "warehouses": [warehouse for _, warehouse in told_of],
            "heard_at": [hearing.told_of[each] for each in told_of],
        },
    )
    seconds = STRETCH.total_seconds()
    since = datetime.fromtimestamp(now.timestamp() // seconds * seconds, now.tzinfo)
    await connection.execute(
        _COUNTED,
        {
            "since": since,
            "channels": channels,
            "events": [hearing.events[each] for each in channels],
            "quarantined": [hearing.quarantined[each] for each in channels],
            "rejected": [hearing.rejected[each] for each in channels],
        },
    )
    await connection.execute(_FORGET, {"before": now - DAY - STRETCH})


async def unpublished(
    connection: AsyncConnection, limit: int, *, clock: Clock
) -> list[ChannelHealth]:
    """Return the channels that are to be told of now; none while another process publishes."""
    if not (await connection.execute(_TURN)).scalar_one():
        return []
    now = clock.now()
    rows = await connection.execute(
        _UNPUBLISHED,
        {
            "limit": limit,
            "usual": USUAL,
            "hour": now - timedelta(hours=1) - STRETCH,
            "day": now - DAY - STRETCH,
            "soonest": now - SOONEST,
            "latest": now - LATEST,
        },
    )
    return [
        ChannelHealth(
            channel=row.channel,
            version=row.version,
            heard_at=row.heard_at,
            warehouses=tuple(row.warehouses),
            last_hour=Told.model_validate_json(row.last_hour),
            last_day=Told.model_validate_json(row.last_day),
            told_at=now,
        )
        for row in rows
    ]


async def note_published(connection: AsyncConnection, channels: Sequence[ChannelHealth]) -> None:
    """Remember that the broker has been told of channels."""
    await connection.execute(
        _PUBLISHED,
        {
            "channels": [each.channel for each in channels],
            "versions": [each.version for each in channels],
            "told_at": [each.told_at for each in channels],
        },
    )
