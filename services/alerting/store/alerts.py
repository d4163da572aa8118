"""Questions about alerts, for people and other systems."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple
from uuid import UUID

from sqlalchemy import RowMapping, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.store.episodes import at_risk_of
from shared.events.stock_alerts import AlertFacts, AlertLevel, AlertRule, AtRisk, Hush, SubjectKind

State = Literal["open", "recovering", "resolved", "retracted"]


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert as it stands."""

    id: UUID
    number: int
    revision: int
    state: State
    level: AlertLevel
    rule: AlertRule
    subject: SubjectKind
    sku: str
    sku_name: str | None
    warehouse: str
    opened_at: datetime
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    owner: str | None
    snoozed_until: datetime | None
    facts: AlertFacts
    labels: Mapping[str, str]
    stock_class: str | None
    supplier: str | None
    at_risk: AtRisk | None
    held_back: bool


@dataclass(frozen=True, slots=True)
class StoredRevision:
    """What happened to an alert at one revision, and who did it where it was a person."""

    revision: int
    event: str
    level: AlertLevel
    previous_level: AlertLevel | None
    reason: str | None
    facts: AlertFacts
    occurred_at: datetime
    recorded_at: datetime
    actor: str | None
    note: str | None
    hush: Hush | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts to return; None leaves a question open."""

    is_open: bool | None = None
    level: AlertLevel | None = None
    rule: str | None = None
    sku: str | None = None
    warehouse: str | None = None
    owner: str | None = None
    subject: SubjectKind | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands now: open alerts by level, those that are nobody's, and notices that wait."""

    open: Mapping[AlertLevel, int]
    unowned: int
    outbox: int


@dataclass(frozen=True, slots=True)
class Totals:
    """All alerts there ever were, counted; by the level they opened at."""

    opened: Mapping[AlertLevel, int]
    resolved: int
    retracted: int
    subjects: int


_ALERT = """
SELECT a.id, a.number, a.revision, a.level, a.rule::text AS rule, a.subject_kind AS subject,
       a.sku, a.sku_name, a.warehouse, a.opened_at, a.resolved_at, a.acknowledged_at,
       a.acknowledged_by, a.owner,
       a.snoozed_until, a.facts::text AS facts, a.labels::text AS labels, a.stock_class,
       a.supplier, a.at_risk_units, a.at_risk_money, a.at_risk_left_out, a.held_back,
       CASE WHEN EXISTS (SELECT FROM alert_history AS h
                         WHERE h.alert_id = a.id AND h.event = 'retracted') THEN 'retracted'
            WHEN a.resolved_at IS NOT NULL THEN 'resolved'
            WHEN c.state = 'recovering' THEN 'recovering'
            ELSE 'open' END AS state
FROM alert AS a
LEFT JOIN condition AS c
  ON a.resolved_at IS NULL AND c.rule_id = a.rule_id AND c.subject_kind = a.subject_kind
     AND c.sku = a.sku AND c.warehouse = a.warehouse
"""

_ONE = text(f"{_ALERT} WHERE a.id = :id")

_HISTORY = text("""
SELECT revision, event, level, previous_level, reason, facts::text AS facts, occurred_at,
       recorded_at, actor, note, hush::text AS hush
FROM alert_history
WHERE alert_id = :id
ORDER BY revision
""")

_OPEN = text("SELECT level, count(*) FROM alert WHERE resolved_at IS NULL GROUP BY level")

_OPENED = text("SELECT level, count(*) FROM alert_history WHERE event = 'opened' GROUP BY level")

_RETRACTED = text("SELECT count(*) FROM alert_history WHERE event = 'retracted'")

_SUBJECTS = text(
    "SELECT count(*) FROM (SELECT DISTINCT subject_kind, sku, warehouse FROM alert) AS subject"
)

_OUTBOX = text("SELECT count(*) FROM outbox")

_UNOWNED = text("SELECT count(*) FROM alert WHERE resolved_at IS NULL AND owner IS NULL")


class Place(NamedTuple):
    """Where an alert stands among those ordered by what is at risk."""

    money: Decimal
    units: float
    number: int

    @classmethod
    def of(cls, alert: StoredAlert) -> "Place":
        """Return an alert's place; what nobody can say is nothing."""
        risk = alert.at_risk
        if risk is None:
            return cls(Decimal(0), 0.0, alert.number)
        return cls(risk.money or Decimal(0), risk.units, alert.number)


_BY_NUMBER = ("a.number DESC", "a.number < :before")

_PLACE = ("coalesce(a.at_risk_money, 0)", "coalesce(a.at_risk_units, 0)", "a.number")
_AFTER = "(CAST(:money AS numeric), CAST(:units AS float8), CAST(:number AS bigint))"
_BY_RISK = (
    ", ".join(f"{column} DESC" for column in _PLACE),
    f"({', '.join(_PLACE)}) < {_AFTER}",
)


async def page(
    connection: AsyncConnection, wanted: Filter, before: int | None, limit: int
) -> list[StoredAlert]:
    """Return alerts, the newest first, those with a number under `before`."""
    under = {} if before is None else {"before": before}
    return await _page(connection, wanted, _BY_NUMBER, under, limit)


async def page_by_risk(
    connection: AsyncConnection, wanted: Filter, before: Place | None, limit: int
) -> list[StoredAlert]:
    """Return alerts, those with the most at risk first (money, then units), after a place."""
    values = {} if before is None else before._asdict()
    return await _page(connection, wanted, _BY_RISK, values, limit)


async def _page(
    connection: AsyncConnection,
    wanted: Filter,
    order: tuple[str, str],
    before: Mapping[str, object],
    limit: int,
) -> list[StoredAlert]:
    values: dict[str, object] = {
        "level": wanted.level,
        "rule_id": wanted.rule,
        "sku": wanted.sku,
        "warehouse": wanted.warehouse,
        "owner": wanted.owner,
        "subject_kind": wanted.subject,
    }
    values = {name: value for name, value in values.items() if value is not None}
    terms = [f"a.{name} = :{name}" for name in values]
    if wanted.is_open is not None:
        terms.append(f"a.resolved_at IS {'' if wanted.is_open else 'NOT'} NULL")
    by, under = order
    if before:
        terms.append(under)
        values |= before
    where = f"WHERE {' AND '.join(terms)}" if terms else ""
    statement = text(f"{_ALERT} {where} ORDER BY {by} LIMIT :limit")
    rows = await connection.execute(statement, values | {"limit": limit})
    return [_alert(row) for row in rows.mappings()]


async def one(connection: AsyncConnection, alert_id: UUID) -> StoredAlert | None:
    """Return an alert."""
    row = (await connection.execute(_ONE, {"id": alert_id})).mappings().one_or_none()
    return None if row is None else _alert(row)


async def history(connection: AsyncConnection, alert_id: UUID) -> Sequence[StoredRevision]:
    """Return what happened to an alert, the oldest first."""
    rows = await connection.execute(_HISTORY, {"id": alert_id})
    return [_revision(row) for row in rows.mappings()]


async def standing(connection: AsyncConnection) -> Standing:
    """Return how many alerts are open; it reads nothing of those that have ended."""
    return Standing(
        open=await _by_level(connection, _OPEN),
        unowned=(await connection.execute(_UNOWNED)).scalar_one(),
        outbox=(await connection.execute(_OUTBOX)).scalar_one(),
    )


async def totals(connection: AsyncConnection) -> Totals:
    """Return how many alerts there were; it reads all of them."""
    opened = await _by_level(connection, _OPENED)
    still_open = await _by_level(connection, _OPEN)
    retracted = (await connection.execute(_RETRACTED)).scalar_one()
    return Totals(
        opened=opened,
        resolved=sum(opened.values()) - sum(still_open.values()) - retracted,
        retracted=retracted,
        subjects=(await connection.execute(_SUBJECTS)).scalar_one(),
    )


async def _by_level(connection: AsyncConnection, question: TextClause) -> dict[AlertLevel, int]:
    return {AlertLevel(row[0]): row[1] for row in await connection.execute(question)}


def _alert(row: RowMapping) -> StoredAlert:
    told = {name: row[name] for name in row if not name.startswith("at_risk_")}
    return StoredAlert(
        **{
            **told,
            "at_risk": at_risk_of(row),
            "level": AlertLevel(row["level"]),
            "subject": SubjectKind(row["subject"]),
            "rule": AlertRule.model_validate_json(row["rule"]),
            "facts": AlertFacts.model_validate_json(row["facts"]),
            "labels": json.loads(row["labels"]),
        }
    )


def _revision(row: RowMapping) -> StoredRevision:
    hush = row["hush"]
    return StoredRevision(
        **{
            **row,
            "facts": AlertFacts.model_validate_json(row["facts"]),
            "hush": None if hush is None else Hush.model_validate_json(hush),
        }
    )
