"""Questions about how warnings were dealt with in a period, by owner, rule, class or warehouse."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.review import Dealt, Period
from services.alerting.domain.stock_out import Shortage, StockOut
from services.alerting.store import people
from services.alerting.store.stock_outs import (
    FIRST_WARNING,
    TOLD,
    TOLD_AT,
    WARNED_AT,
    WARNING,
    stock_out_of,
)
from shared.events.alert_reports import Figures, GroupFigures, Share, Spans
from shared.events.stock_alerts import AlertLevel

Dimension = Literal["owner", "rule", "class", "warehouse"]

SlaMinutes = Mapping[AlertLevel, int]
"""Within how many minutes somebody is to see to an alert of a level."""

DUE = """
    coalesce(first_by, told_at + make_interval(mins => CASE level
        WHEN 'out' THEN CAST(:sla_out AS int) WHEN 'urgent' THEN CAST(:sla_urgent AS int)
        ELSE CAST(:sla_watch AS int) END))
"""
"""By when somebody was to see to an episode: by the clock of its playbook's first step, or else of
its `told_at` and the `level` then."""

ANSWERED = "event IN ('acknowledged', 'assigned', 'acted', 'resolved', 'retracted')"
"""After these nobody waits for anybody."""

_JUDGED = "told_at IS NOT NULL AND (answered_at IS NOT NULL OR due_at < :now)"
"""Whether it can be said by now if somebody saw to an episode in time; nobody is late for what he
was not told of."""

_ALERT_GROUPS: Final[Mapping[Dimension | None, str]] = {
    None: "CAST(NULL AS text)",
    "owner": "a.owner",
    "rule": "a.rule_id",
    "class": "a.opened_class",
    "warehouse": "a.warehouse",
}

_STOCK_OUT_GROUPS: Final[Mapping[Dimension | None, str]] = {
    None: "CAST(NULL AS text)",
    "owner": "coalesce(w.owner, c.owner)",
    "rule": "w.rule_id",
    "class": "s.stock_class",
    "warehouse": "s.warehouse",
}

_DEALT = """
WITH episode AS (
    SELECT {group} AS part, a.acknowledged_at, a.opened_at, a.resolved_at, e.*,
           t.first_by, o.is_right
    FROM alert AS a LEFT JOIN timer AS t ON t.alert_id = a.id
    CROSS JOIN LATERAL (
        SELECT min({told_at}) FILTER (WHERE {told}) AS told_at,
               (array_agg(h.level ORDER BY h.revision) FILTER (WHERE {told}))[1] AS level,
               min(h.recorded_at) FILTER (WHERE {answered}) AS answered_at,
               bool_or(h.event = 'resolved' AND (h.reason = 'recovered' OR h.actor IS NOT NULL))
                   AS is_over,
               bool_or(h.event = 'retracted') AS retracted,
               count(*) FILTER (WHERE h.event = 'escalated') AS escalations
        FROM alert_history AS h
        WHERE h.alert_id = a.id
    ) AS e
    LEFT JOIN LATERAL (
        SELECT f.reason IS NOT DISTINCT FROM 'useful' AS is_right
        FROM feedback AS f WHERE f.alert_id = a.id
        ORDER BY f.id DESC
        LIMIT 1
    ) AS o ON true
    WHERE a.opened_at >= :from_at AND a.opened_at < :to_at
), clock AS (
    SELECT *, {due} AS due_at,
           CASE WHEN acknowledged_at > told_at
                THEN EXTRACT(epoch FROM acknowledged_at - told_at) / 60
           END AS to_acknowledge,
           CASE WHEN is_over THEN EXTRACT(epoch FROM resolved_at - opened_at) / 60
           END AS to_resolve
    FROM episode
)
SELECT part, count(*) AS alerts,
       count(to_acknowledge) AS acknowledged,
       CAST(avg(to_acknowledge) AS float8) AS mean_to_acknowledge,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY to_acknowledge) AS median_to_acknowledge,
       count(to_resolve) AS resolved,
       CAST(avg(to_resolve) AS float8) AS mean_to_resolve,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY to_resolve) AS median_to_resolve,
       count(*) FILTER (WHERE {judged} AND answered_at <= due_at) AS in_time,
       count(*) FILTER (WHERE {judged}) AS judged,
       CAST(sum(escalations) AS bigint) AS escalations,
       count(*) FILTER (WHERE retracted) AS retracted,
       count(*) FILTER (WHERE is_right) AS said_right,
       count(is_right) AS said
FROM clock
GROUP BY part
"""

_STOCK_OUTS = """
SELECT {group} AS part, s.began_at, s.ended_at, s.daily_sales, s.price, w.warned_at
FROM stock_out AS s {first_warning}
LEFT JOIN stock_out_case AS c ON c.stock_out = s.id
WHERE s.began_at >= :from_at AND s.began_at < :to_at AND NOT s.found
"""

_SHORTAGES = """
SELECT {group} AS part, a.sku, a.warehouse, e.warned_at, e.ended_at, e.available, e.cover_days,
       e.available_at_end,
       EXISTS (SELECT FROM stock_out AS s
               WHERE s.sku = a.sku AND s.warehouse = a.warehouse AND s.began_at <= e.ended_at
                 AND coalesce(s.ended_at, 'infinity') >= a.opened_at) AS ran_out
FROM alert AS a
CROSS JOIN LATERAL (
    SELECT min({warned_at}) FILTER (WHERE {told}) AS warned_at,
           max(h.occurred_at) FILTER (WHERE h.event = 'resolved' AND h.reason = 'recovered')
               AS ended_at,
           min(CAST(h.facts->>'available' AS bigint)) FILTER (WHERE h.revision = 1) AS available,
           min(CAST(h.facts->>'days_of_cover' AS float8)) FILTER (WHERE h.revision = 1)
               AS cover_days,
           min(CAST(h.facts->>'available' AS bigint)) FILTER (WHERE h.event = 'resolved')
               AS available_at_end
    FROM alert_history AS h
    WHERE h.alert_id = a.id
) AS e
WHERE a.opened_at >= :from_at AND a.opened_at < :to_at AND a.subject_kind = 'level'
  AND a.rule->>'kind' = ANY(CAST(:shortage_kinds AS text[]))
  AND e.warned_at IS NOT NULL AND e.ended_at IS NOT NULL
"""


def sla(minutes: SlaMinutes) -> dict[str, object]:
    """Return what DUE is asked with."""
    return {f"sla_{level}": minutes[level] for level in AlertLevel}


async def period(
    connection: AsyncConnection,
    from_at: datetime,
    to_at: datetime,
    by: Dimension | None,
    minutes: SlaMinutes,
    now: datetime,
) -> Period:
    """Return what opened, ran out and was prevented in [from_at, to_at), by group (None: all)."""
    within = {"from_at": from_at, "to_at": to_at}
    return Period(
        await _dealt(connection, within, by, minutes, now),
        await _stock_outs(connection, within, by),
        await _shortages(connection, within, by),
    )


async def of_owners(
    connection: AsyncConnection, figures: Mapping[str | None, Figures]
) -> list[GroupFigures]:
    """Return the figures of owners with the names of those who are people."""
    known = await people.recipients(connection, {each for each in figures if each is not None})
    names = {each.id: each.name for each in known.values()}
    return [
        GroupFigures(group=owner, name=None if owner is None else names.get(owner), figures=each)
        for owner, each in figures.items()
    ]


async def _dealt(
    connection: AsyncConnection,
    within: Mapping[str, object],
    by: Dimension | None,
    minutes: SlaMinutes,
    now: datetime,
) -> dict[str | None, Dealt]:
    statement = _DEALT.format(
        group=_ALERT_GROUPS[by],
        told=TOLD,
        told_at=TOLD_AT,
        answered=f"h.{ANSWERED}",
        judged=_JUDGED,
        due=DUE,
    )
    values = {**within, **sla(minutes), "now": now}
    rows = await connection.execute(text(statement), values)
    return {row["part"]: _counted(row) for row in rows.mappings()}


async def _stock_outs(
    connection: AsyncConnection, within: Mapping[str, object], by: Dimension | None
) -> list[tuple[str | None, StockOut]]:
    statement = _STOCK_OUTS.format(group=_STOCK_OUT_GROUPS[by], first_warning=FIRST_WARNING)
    rows = await connection.execute(text(statement), {**within, **WARNING})
    return [(row["part"], stock_out_of(row)) for row in rows.mappings()]


async def _shortages(
    connection: AsyncConnection, within: Mapping[str, object], by: Dimension | None
) -> list[tuple[str | None, Shortage]]:
    statement = _SHORTAGES.format(group=_ALERT_GROUPS[by], told=TOLD, warned_at=WARNED_AT)
    rows = await connection.execute(text(statement), {**within, **WARNING})
    return [
        (row["part"], Shortage(**{name: row[name] for name in Shortage._fields}))
        for row in rows.mappings()
    ]


def _counted(row: RowMapping) -> Dealt:
    return Dealt(
        alerts=row["alerts"],
        to_acknowledge=Spans(
            count=row["acknowledged"],
            mean=row["mean_to_acknowledge"],
            median=row["median_to_acknowledge"],
        ),
        to_resolve=Spans(
            count=row["resolved"], mean=row["mean_to_resolve"], median=row["median_to_resolve"]
        ),
        within_sla=Share(part=row["in_time"], whole=row["judged"]),
        escalations=row["escalations"],
        retracted=row["retracted"],
        right=Share(part=row["said_right"], whole=row["said"]),
    )
