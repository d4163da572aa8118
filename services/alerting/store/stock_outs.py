"""Keep the record of what has run out, when, and what was known of it then.

Asked of the levels as they are every half a minute, besides the alerts: what no rule watches runs
out, too, and nothing is added to the work on each level message.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.cause import CLASSES, Log
from services.alerting.domain.stock_out import SHORTAGE_KINDS, StockOut
from services.alerting.store import turns
from services.alerting.store.ended_by_hand import HELD_AT
from services.alerting.store.last_told import IS_WARNING
from services.alerting.store.parameters import joined, value
from services.alerting.store.turns import Turn

_OVERLAP = timedelta(minutes=1)
"""Revisions are looked at again for as long: one may commit after a later one."""

# What waits is replaced by a rise that people are told of, and by an end (ADR 94).
TOLD = f"""
    {IS_WARNING} AND h.hush IS NULL
    AND (h.tell_at IS NULL OR NOT EXISTS (
        SELECT FROM alert_history AS n
        WHERE n.alert_id = h.alert_id AND n.revision > h.revision AND n.recorded_at < h.tell_at
          AND n.hush IS NULL
          AND (n.event IN ('resolved', 'retracted')
               OR n.event = 'level_changed' AND (n.level = 'out' OR n.previous_level = 'watch'))))
"""
"""Whether people are told that there is an episode, by a revision `h`."""

TOLD_AT = "coalesce(h.tell_at, h.recorded_at)"
"""When they are, by the wall clock; one that waits for others, with them."""

WARNED_AT = "h.occurred_at + coalesce(h.tell_at - h.recorded_at, interval '0')"
"""When they are, by the clock of evaluations."""

FIRST_WARNING = f"""
LEFT JOIN LATERAL (
    SELECT a.id, a.rule_id, a.owner, {WARNED_AT} AS warned_at
    FROM alert AS a JOIN alert_history AS h ON h.alert_id = a.id
    WHERE a.subject_kind = 'level' AND a.sku = s.sku AND a.warehouse = s.warehouse
      AND a.rule->>'kind' = ANY(CAST(:shortage_kinds AS text[]))
      AND a.opened_at <= coalesce(s.ended_at, 'infinity')
      AND {HELD_AT.format(at="s.began_at")}
      AND {WARNED_AT} <= coalesce(s.ended_at, 'infinity') AND {TOLD}
    ORDER BY warned_at, a.number
    LIMIT 1
) AS w ON true
"""  # noqa: S608 - the condition is ours
"""Joins a stock-out `s` with the first warning of it that people had, `w`."""

WARNING: Mapping[str, object] = {"shortage_kinds": sorted(SHORTAGE_KINDS)}
"""What FIRST_WARNING is asked with."""

_LOOKED_AT = text("SELECT looked_at FROM stock_out_look")

_LOOK = text("""
INSERT INTO stock_out_look (looked_at) VALUES (:now)
ON CONFLICT (one) DO UPDATE SET looked_at = excluded.looked_at
""")

_END = text("""
UPDATE stock_out AS s
SET ended_at = greatest(k.last_change_at, s.began_at)
FROM known_level AS k
WHERE s.ended_at IS NULL AND k.sku = s.sku AND k.warehouse = s.warehouse AND k.available > 0
""")

# A mean as for rules: of a week at the least. The last complete day and the present one are the
# two before it ran out.
_KNOWN = f"""
    (SELECT avg(sold) FROM unnest(k.sold) AS d (sold) HAVING count(*) >= 7),
    greatest(k.sold_total - k.day_opening, k.sold[cardinality(k.sold)]),
    concat_ws(' ', nullif(k.flags, ''), CASE WHEN k.on_hand < 0 THEN 'negative' END), k.supply,
    {value("stock_class")}, {value("price")}
FROM known_level AS k
{joined("k")}
"""  # noqa: S608 - the columns are ours

_COLUMNS = """
INSERT INTO stock_out (sku, warehouse, began_at, heard_at, ended_at, found, judged, daily_sales,
                       busiest_day, doubts, supply, stock_class, price)
"""

# What never sold is not missed, unless a rule says so: a first import has many zeros. So what rules
# say is found from the open alerts, once, not for each level that is at zero.
_BEGIN = text(f"""
{_COLUMNS}
SELECT k.sku, k.warehouse, least(k.last_change_at, e.opened_at),
       CASE WHEN :in_event_time THEN k.last_change_at ELSE :now END, NULL, :first, :first, {_KNOWN}
LEFT JOIN (
    SELECT a.sku, a.warehouse, min(h.occurred_at) AS opened_at
    FROM alert AS a JOIN alert_history AS h ON h.alert_id = a.id
    WHERE a.resolved_at IS NULL AND a.subject_kind = 'level'
      AND h.level = 'out' AND CAST(h.facts->>'available' AS bigint) <= 0
      AND h.occurred_at > (SELECT coalesce(max(s.ended_at), '-infinity') FROM stock_out AS s
                           WHERE s.sku = a.sku AND s.warehouse = a.warehouse)
    GROUP BY a.sku, a.warehouse
) AS e ON e.sku = k.sku AND e.warehouse = k.warehouse
WHERE k.is_out AND (k.sold_total > 0 OR e.opened_at IS NOT NULL)
  AND NOT EXISTS (SELECT FROM stock_out AS s
                  WHERE s.sku = k.sku AND s.warehouse = k.warehouse AND s.ended_at IS NULL)
ON CONFLICT DO NOTHING
""")  # noqa: S608 - the columns are ours

_PASSED = text(f"""
{_COLUMNS}
SELECT k.sku, k.warehouse, e.began_at,
       CASE WHEN :in_event_time THEN e.began_at ELSE e.heard_at END,
       greatest(k.last_change_at, e.began_at), false, false, {_KNOWN}
JOIN (
    SELECT a.sku, a.warehouse, min(h.occurred_at) AS began_at, min(h.recorded_at) AS heard_at
    FROM alert_history AS h JOIN alert AS a ON a.id = h.alert_id
    WHERE h.level = 'out' AND h.recorded_at > :since AND a.subject_kind = 'level'
      AND h.event IN ('opened', 'level_changed')
      AND CAST(h.facts->>'available' AS bigint) <= 0
    GROUP BY a.sku, a.warehouse
) AS e ON e.sku = k.sku AND e.warehouse = k.warehouse
WHERE k.available > 0
  AND NOT EXISTS (SELECT FROM stock_out AS s
                  WHERE s.sku = k.sku AND s.warehouse = k.warehouse
                    AND coalesce(s.ended_at, 'infinity') >= e.began_at)
""")  # noqa: S608 - the columns are ours

# Those that go on and matter too little so far are left out: there may be many, for long. A class
# of two letters is of that of the first, as `stock_class.is_of` has it.
_TO_JUDGE = text(f"""
SELECT s.*, w.warned_at, w.owner
FROM stock_out AS s {FIRST_WARNING}
WHERE NOT s.judged
  AND (s.ended_at IS NOT NULL OR s.stock_class = ANY(CAST(:classes AS text[]))
       OR length(s.stock_class) = 2 AND left(s.stock_class, 1) = ANY(CAST(:classes AS text[]))
       OR s.daily_sales * s.price * EXTRACT(epoch FROM :now - s.began_at) / 86400
          >= CAST(:money_limit AS numeric))
ORDER BY s.id
LIMIT :limit
""")  # noqa: S608 - the join is ours

_NEWEST_CHANGE = text("SELECT max(last_change_at) FROM known_level")

_JUDGED = text("UPDATE stock_out SET judged = true WHERE id = ANY(CAST(:ids AS uuid[]))")

_WATCHED = text(f"""
SELECT a.rule_id, a.owner, a.acknowledged_at,
       (SELECT h.hush->>'by' FROM alert_history AS h
        WHERE h.alert_id = a.id AND h.hush IS NOT NULL
          AND {IS_WARNING}
        ORDER BY h.revision LIMIT 1) AS hushed_by
FROM alert AS a
WHERE a.subject_kind = 'level' AND a.sku = :sku AND a.warehouse = :warehouse
  AND a.rule->>'kind' = ANY(CAST(:shortage_kinds AS text[]))
  AND a.opened_at <= coalesce(CAST(:ended_at AS timestamptz), 'infinity')
  AND {HELD_AT.format(at=":began_at")}
ORDER BY a.number
""")  # noqa: S608 - the condition is ours


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stock-out on record, with the first warning that people had of it."""

    id: UUID
    sku: str
    warehouse: str
    stock_class: str | None
    owner: str | None
    heard_at: datetime
    busiest_day: int | None
    doubts: tuple[str, ...]
    supply: str
    stock_out: StockOut


async def look(connection: AsyncConnection, now: datetime, *, in_event_time: bool) -> bool:
    """Note what has run out and what is back since the last look; False while another one looks.

    The first look ever only finds what is out already: nobody knows since when it was.
    """
    if not await turns.taken(connection, Turn.STOCK_OUTS):
        return False
    looked_at: datetime | None = await connection.scalar(_LOOKED_AT)
    await connection.execute(_END)
    said = {"now": now, "in_event_time": in_event_time}
    await connection.execute(_BEGIN, said | {"first": looked_at is None})
    if looked_at is not None:
        said = {"since": looked_at - _OVERLAP, "in_event_time": in_event_time}
        await connection.execute(_PASSED, said)
    await connection.execute(_LOOK, {"now": now})
    return True


async def newest_change(connection: AsyncConnection) -> datetime | None:
    """Return the moment of the newest change of any level."""
    found: datetime | None = await connection.scalar(_NEWEST_CHANGE)
    return found


async def to_judge(
    connection: AsyncConnection, now: datetime, money_limit: Decimal, limit: int
) -> list[Recorded]:
    """Return stock-outs of which it can be said by now whether they become a case."""
    said = {"now": now, "money_limit": money_limit, "classes": sorted(CLASSES), "limit": limit}
    rows = await connection.execute(_TO_JUDGE, {**WARNING, **said})
    return [_recorded(row) for row in rows.mappings()]


async def judged(connection: AsyncConnection, ids: list[UUID]) -> None:
    """Note that stock-outs need not be judged any more."""
    if ids:
        await connection.execute(_JUDGED, {"ids": ids})


async def log_of(connection: AsyncConnection, recorded: Recorded) -> tuple[Log, str | None]:
    """Return what the log has on a stock-out, and the owner of what warned of it, if anybody."""
    stock_out = recorded.stock_out
    found = await connection.execute(
        _WATCHED,
        {
            **WARNING,
            "sku": recorded.sku,
            "warehouse": recorded.warehouse,
            "began_at": stock_out.began_at,
            "ended_at": stock_out.ended_at,
        },
    )
    rows = found.all()
    told = stock_out.warned_at is not None and stock_out.warned_at <= stock_out.began_at
    lines = [(str(line[2]), line[1]) for line in _lines(recorded.supply) if line[1] is not None]
    log = Log(
        stock_out=stock_out,
        heard_at=recorded.heard_at,
        watched_by=tuple(dict.fromkeys(row.rule_id for row in rows)),
        doubts=recorded.doubts,
        overdue=tuple(
            sorted((each for each in lines if each[1] < stock_out.began_at), key=lambda x: x[1])
        ),
        busiest_day=recorded.busiest_day,
        acknowledged_at=min(
            (row.acknowledged_at for row in rows if row.acknowledged_at), default=None
        ),
        hushed_by=None if told else next((row.hushed_by for row in rows if row.hushed_by), None),
    )
    return log, recorded.owner or next((row.owner for row in rows if row.owner), None)


_lines = msgspec.json.Decoder(list[tuple[int, datetime | None, str]]).decode


def stock_out_of(row: RowMapping | Mapping[str, Any]) -> StockOut:
    """Return a stock-out from a row with its columns and `warned_at`."""
    return StockOut(
        began_at=row["began_at"],
        ended_at=row["ended_at"],
        warned_at=row["warned_at"],
        daily_sales=row["daily_sales"],
        price=row["price"],
    )


def _recorded(row: RowMapping) -> Recorded:
    return Recorded(
        id=row["id"],
        sku=row["sku"],
        warehouse=row["warehouse"],
        stock_class=row["stock_class"],
        owner=row["owner"],
        heard_at=row["heard_at"],
        busiest_day=row["busiest_day"],
        doubts=tuple(row["doubts"].split()),
        supply=row["supply"],
        stock_out=stock_out_of(row),
    )
