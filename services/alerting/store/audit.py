"""The audit: everything that people do, who, when, from where; only ever added to."""

import json
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection


class What(StrEnum):
    """What was done, by the thing it was done to."""

    RULE_PUT = "rule.put"
    PARAMETERS_PUT = "parameters.put"
    PERSON_PUT = "person.put"
    PERSON_DELETED = "person.deleted"
    RESPONSIBILITIES_PUT = "responsibilities.put"
    SILENCE_ADDED = "silence.added"
    SILENCE_ENDED = "silence.ended"
    PLAYBOOK_PUT = "playbook.put"
    WORKING_CALENDAR_PUT = "working_calendar.put"
    WORKING_CALENDAR_DELETED = "working_calendar.deleted"
    ROTATION_PUT = "rotation.put"
    ROTATION_DELETED = "rotation.deleted"
    ATTENTION_POLICY_PUT = "attention_policy.put"
    OCCASION_ADDED = "occasion.added"
    OCCASION_ENDED = "occasion.ended"
    SUPPLIER_PUT = "supplier.put"
    SUPPLIER_DELETED = "supplier.deleted"
    APPROVAL_LIMITS_PUT = "approval_limits.put"
    ORDER_PLACED = "order.placed"
    ORDER_MAILED = "order.mailed"
    ORDER_DESTINATION_PUT = "order_destination.put"
    ACTION_STEP = "action."
    """Followed by the step."""
    ALERT_ACT = "alert."
    """Followed by the event of the alert's revision."""
    CASE_OPENED = "case.opened"
    CASE_CONFIRMED = "case.confirmed"
    CASE_CLOSED = "case.closed"
    REPORT_SCHEDULE_PUT = "report_schedule.put"
    REPORT_SCHEDULE_DELETED = "report_schedule.deleted"


@dataclass(frozen=True, slots=True)
class Doer:
    """Who does it, when, and from where: the client's address and what program it is."""

    actor: str
    at: datetime
    address: str | None = None
    via: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Something done to a target; None before: it was not there, None after: it is not now."""

    what: str
    target: str
    before: object = None
    after: object = None


@dataclass(frozen=True, slots=True)
class Audited:
    """An entry of the audit."""

    id: int
    at: datetime
    actor: str
    address: str | None
    via: str | None
    what: str
    target: str
    before: Any
    after: Any


_ADD = text("""
INSERT INTO audit (at, actor, address, via, what, target, before, after)
SELECT :at, :actor, :address, :via, n.what, n.target, n.before::jsonb, n.after::jsonb
FROM unnest(CAST(:what AS text[]), CAST(:target AS text[]), CAST(:before AS text[]),
            CAST(:after AS text[]))
     WITH ORDINALITY AS n (what, target, before, after, position)
ORDER BY n.position
""")

_PAGE = text("""
SELECT id, at, actor, address, via, what, target, before::text AS before, after::text AS after
FROM audit
WHERE id < :before_id
  AND (CAST(:actor AS text) IS NULL OR actor = :actor)
  AND (CAST(:what AS text) IS NULL OR what = :what OR starts_with(what, :what || '.'))
  AND (CAST(:target AS text) IS NULL OR target = :target)
  AND (CAST(:since AS timestamptz) IS NULL OR at >= :since)
  AND (CAST(:until AS timestamptz) IS NULL OR at < :until)
ORDER BY id DESC
LIMIT :limit
""")


async def add(connection: AsyncConnection, doer: Doer, *done: Done) -> None:
    """Note what is done, in the transaction that does it: there is never one without the other."""
    if done:
        await connection.execute(
            _ADD,
            {
                "at": doer.at,
                "actor": doer.actor,
                "address": doer.address,
                "via": doer.via,
                "what": [each.what for each in done],
                "target": [each.target for each in done],
                "before": [_json(each.before) for each in done],
                "after": [_json(each.after) for each in done],
            },
        )


async def page(
    connection: AsyncConnection,
    *,
    actor: str | None,
    what: str | None,
    target: str | None,
    since: datetime | None,
    until: datetime | None,
    before: int,
    limit: int,
) -> list[Audited]:
    """Return entries, the newest first; `what` may be the part in front of the point."""
    rows = await connection.execute(
        _PAGE,
        {
            "actor": actor,
            "what": what,
            "target": target,
            "since": since,
            "until": until,
            "before_id": before,
            "limit": limit,
        },
    )
    return [_audited(row) for row in rows.mappings()]


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _audited(row: RowMapping) -> Audited:
    parts = {name: row[name] and json.loads(row[name]) for name in ("before", "after")}
    return Audited(**{**row, **parts})
