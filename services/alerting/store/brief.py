"""How things stand at one moment: the questions of the daily brief."""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.stock_out import StockOut
from services.alerting.store import cases
from services.alerting.store.parameters import joined, value
from services.alerting.store.review import ANSWERED, DUE, SlaMinutes, sla
from services.alerting.store.stock_outs import TOLD, TOLD_AT, WARNING
from services.alerting.store.timers import LATE
from shared.events.alert_reports import LONGEST_LIST, Brief, OutOfStock

_STOCK_OUTS = text("SELECT count(*) FROM stock_out WHERE ended_at IS NULL")

_WORST = text("""
SELECT s.sku, s.warehouse, s.began_at, s.daily_sales, s.price,
       (SELECT a.sku_name FROM alert AS a
        WHERE a.sku = s.sku AND a.warehouse = s.warehouse AND a.sku_name IS NOT NULL
        ORDER BY a.number DESC LIMIT 1) AS sku_name
FROM stock_out AS s
WHERE s.ended_at IS NULL
ORDER BY s.daily_sales * s.price * EXTRACT(epoch FROM :now - s.began_at) DESC NULLS LAST,
         s.daily_sales DESC NULLS LAST, s.began_at, s.sku, s.warehouse
LIMIT :limit
""")

# Of several alerts of one level the one that was looked at last: it knows best.
_AT_RISK = text("""
SELECT coalesce(sum(units), 0), sum(money)
FROM (
    SELECT DISTINCT ON (a.sku, a.warehouse) a.at_risk_units AS units, a.at_risk_money AS money
    FROM alert AS a
    WHERE a.resolved_at IS NULL AND a.subject_kind = 'level'
      AND a.rule->>'kind' = ANY(CAST(:shortage_kinds AS text[]))
    ORDER BY a.sku, a.warehouse, (SELECT max(h.recorded_at) FROM alert_history AS h
                                  WHERE h.alert_id = a.id) DESC, a.number DESC
) AS level
""")

# What lasts longer than the rule allows; its limit is in days.
_OVERSTOCKED = text(f"""
SELECT coalesce(sum(units), 0), sum(units * unit_cost)
FROM (
    SELECT DISTINCT ON (a.sku, a.warehouse)
           {value("unit_cost")} AS unit_cost,
           k.available - coalesce(CAST(a.facts->>'daily_sales' AS float8), 0)
                         * coalesce(CAST(a.facts->>'threshold' AS float8), 0) AS units
    FROM alert AS a
    JOIN known_level AS k ON k.sku = a.sku AND k.warehouse = a.warehouse
    {joined("a")}
    WHERE a.resolved_at IS NULL AND a.subject_kind = 'level' AND a.rule->>'kind' = 'overstock'
    ORDER BY a.sku, a.warehouse, a.number
) AS level
WHERE units > 0
""")  # noqa: S608 - the columns are ours

_OPEN = text(f"""
SELECT count(*) FILTER (WHERE owner IS NULL) AS unowned,
       count(DISTINCT (sku, warehouse)) FILTER (WHERE kind IN ('data_doubt', 'negative')) AS doubts,
       count(*) FILTER (WHERE CASE WHEN follows THEN is_late
                                   ELSE answered_at IS NULL AND {DUE} < :now END) AS overdue
FROM (
    SELECT a.sku, a.warehouse, a.owner, a.rule->>'kind' AS kind, e.*,
           t.alert_id IS NOT NULL AS follows, {LATE} AS is_late, t.first_by
    FROM alert AS a LEFT JOIN timer AS t ON t.alert_id = a.id
    CROSS JOIN LATERAL (
        SELECT min({TOLD_AT}) FILTER (WHERE {TOLD}) AS told_at,
               (array_agg(h.level ORDER BY h.revision) FILTER (WHERE {TOLD}))[1] AS level,
               min(h.recorded_at) FILTER (WHERE h.{ANSWERED}) AS answered_at
        FROM alert_history AS h
        WHERE h.alert_id = a.id
    ) AS e
    WHERE a.resolved_at IS NULL
) AS episode
""")  # noqa: S608 - the conditions are ours

_CENT = Decimal("0.01")


class _Amount(NamedTuple):
    units: float
    money: Decimal | None


async def brief(
    connection: AsyncConnection, minutes: SlaMinutes, now: datetime, today: date
) -> Brief:
    """Return how things stand; `today` decides which measures are overdue."""
    at_risk = await _amount(connection, _AT_RISK, **WARNING)
    overstocked = await _amount(connection, _OVERSTOCKED)
    alerts = (await connection.execute(_OPEN, {**sla(minutes), "now": now})).one()
    known = await cases.counts(connection, today)
    return Brief(
        stock_outs=await connection.scalar(_STOCK_OUTS) or 0,
        units_at_risk=at_risk.units,
        money_at_risk=at_risk.money,
        overdue_alerts=alerts.overdue,
        unowned_alerts=alerts.unowned,
        units_overstocked=overstocked.units,
        money_overstocked=overstocked.money,
        data_doubts=alerts.doubts,
        open_cases=known.open,
        overdue_measures=known.overdue,
        worst=await _worst(connection, now),
    )


async def _worst(connection: AsyncConnection, now: datetime) -> tuple[OutOfStock, ...]:
    rows = await connection.execute(_WORST, {"now": now, "limit": LONGEST_LIST})
    found = []
    for row in rows:
        stock_out = StockOut(row.began_at, None, None, row.daily_sales, row.price)
        units, money = stock_out.lost(now)
        found.append(
            OutOfStock(
                sku=row.sku,
                sku_name=row.sku_name,
                warehouse=row.warehouse,
                since=row.began_at,
                lost_units=None if row.daily_sales is None else units,
                lost_money=money,
            )
        )
    return tuple(found)


async def _amount(connection: AsyncConnection, statement: TextClause, **values: object) -> _Amount:
    units, money = (await connection.execute(statement, values)).one()
    return _Amount(units, None if money is None else Decimal(money).quantize(_CENT))
