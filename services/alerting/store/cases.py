"""Cases: stock-outs that were announced late or never, with their cause and what follows of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.cause import Cause, Sign

CaseState = Literal["open", "confirmed", "closed"]


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it stands. `signs` are what the log proposes, the most telling first."""

    id: UUID
    number: int
    state: CaseState
    sku: str
    warehouse: str
    owner: str | None
    stock_out: UUID | None
    ran_out_at: datetime
    back_at: datetime | None
    warned_at: datetime | None
    signs: Sequence[Mapping[str, object]]
    opened_at: datetime
    opened_by: str | None
    note: str | None
    cause: Cause | None
    measure: str | None
    measure_due: date | None
    confirmed_at: datetime | None
    confirmed_by: str | None
    closed_at: datetime | None
    closed_by: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class NewCase:
    """A case to be opened; `opened_by` None: it became one by itself."""

    id: UUID
    sku: str
    warehouse: str
    owner: str | None
    stock_out: UUID | None
    ran_out_at: datetime
    warned_at: datetime | None
    signs: Sequence[Sign]
    opened_at: datetime
    opened_by: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Cases counted; `overdue` are confirmed, and their measure was due before today."""

    open: int
    confirmed: int
    closed: int
    overdue: int


_CASE = """
SELECT c.id, c.number, c.state, c.sku, c.warehouse, c.owner, c.stock_out, c.ran_out_at,
       s.ended_at AS back_at, c.warned_at, c.signs::text AS signs, c.opened_at, c.opened_by, c.note,
       c.cause, c.measure, c.measure_due, c.confirmed_at, c.confirmed_by, c.closed_at, c.closed_by,
       c.outcome
FROM stock_out_case AS c LEFT JOIN stock_out AS s ON s.id = c.stock_out
"""

_PAGE = text(f"""
{_CASE}
WHERE c.number < :before
  AND (CAST(:state AS text) IS NULL OR c.state = :state)
  AND (CAST(:owner AS text) IS NULL OR c.owner = :owner)
  AND (NOT :overdue OR (c.state = 'confirmed' AND c.measure_due < :today))
ORDER BY c.number DESC
LIMIT :limit
""")

_ONE = text(f"{_CASE} WHERE c.id = :id")

_LOCKED = text(f"{_CASE} WHERE c.id = :id FOR UPDATE OF c")

_ADD = text("""
INSERT INTO stock_out_case (id, stock_out, sku, warehouse, state, owner, ran_out_at, warned_at,
                            signs, opened_at, opened_by, note)
VALUES (:id, :stock_out, :sku, :warehouse, 'open', :owner, :ran_out_at, :warned_at,
        CAST(:signs AS jsonb), :opened_at, :opened_by, :note)
ON CONFLICT DO NOTHING
RETURNING id
""")

_OF_STOCK_OUT = text(f"{_CASE} WHERE c.stock_out = :stock_out")

_AT = text("""
SELECT id, began_at, ended_at FROM stock_out
WHERE sku = :sku AND warehouse = :warehouse AND began_at <= :at
ORDER BY began_at DESC
LIMIT 1
""")

_CONFIRM = text("""
UPDATE stock_out_case
SET state = 'confirmed', cause = :cause, measure = :measure, measure_due = :due,
    owner = coalesce(owner, :by), confirmed_by = :by, confirmed_at = :now
WHERE id = :id
""")

_CLOSE = text("""
UPDATE stock_out_case
SET state = 'closed', closed_by = :by, closed_at = :now, outcome = :outcome
WHERE id = :id
""")

_COUNTS = text("""
SELECT count(*) FILTER (WHERE state = 'open') AS open,
       count(*) FILTER (WHERE state = 'confirmed') AS confirmed,
       count(*) FILTER (WHERE state = 'closed') AS closed,
       count(*) FILTER (WHERE state = 'confirmed' AND measure_due < :today) AS overdue
FROM stock_out_case
""")


async def page(
    connection: AsyncConnection,
    *,
    state: CaseState | None,
    owner: str | None,
    overdue: bool,
    today: date,
    before: int,
    limit: int,
) -> list[Case]:
    """Return cases, the newest first; `overdue` only those whose measure is."""
    values = {"state": state, "owner": owner, "overdue": overdue, "today": today}
    rows = await connection.execute(_PAGE, {**values, "before": before, "limit": limit})
    return [_case(row) for row in rows.mappings()]


async def one(connection: AsyncConnection, case_id: UUID, *, lock: bool = False) -> Case | None:
    """Return a case; with `lock` nobody else changes it until the transaction ends."""
    statement = _LOCKED if lock else _ONE
    row = (await connection.execute(statement, {"id": case_id})).mappings().one_or_none()
    return None if row is None else _case(row)


async def add(connection: AsyncConnection, new: NewCase) -> bool:
    """Open a case; False when it is there already, or its stock-out has one."""
    signs = [{"cause": cause, **evidence} for cause, evidence in new.signs]
    values = {name: getattr(new, name) for name in NewCase.__slots__}
    made = await connection.scalar(
        _ADD, values | {"signs": json.dumps(signs, ensure_ascii=False, default=_plain)}
    )
    return made is not None


async def of_stock_out(connection: AsyncConnection, stock_out: UUID) -> Case | None:
    """Return the case of a stock-out."""
    found = await connection.execute(_OF_STOCK_OUT, {"stock_out": stock_out})
    row = found.mappings().one_or_none()
    return None if row is None else _case(row)


async def stock_out_at(
    connection: AsyncConnection, sku: str, warehouse: str, at: datetime
) -> tuple[UUID, datetime] | None:
    """Return the stock-out of a level on record that an instant lies in, and when it began."""
    values = {"sku": sku, "warehouse": warehouse, "at": at}
    row = (await connection.execute(_AT, values)).one_or_none()
    if row is None or (row.ended_at is not None and row.ended_at < at):
        return None
    return row.id, row.began_at


async def confirm(
    connection: AsyncConnection,
    case_id: UUID,
    *,
    cause: Cause,
    measure: str,
    due: date,
    by: str,
    now: datetime,
) -> None:
    """Store what the cause was and what is done about it by when; nobody's becomes theirs."""
    values = {"cause": cause.value, "measure": measure, "due": due, "by": by, "now": now}
    await connection.execute(_CONFIRM, {"id": case_id, **values})


async def close(
    connection: AsyncConnection, case_id: UUID, *, outcome: str, by: str, now: datetime
) -> None:
    """Store that the measure is taken, and with what outcome."""
    await connection.execute(_CLOSE, {"id": case_id, "outcome": outcome, "by": by, "now": now})


async def counts(connection: AsyncConnection, today: date) -> Counts:
    """Return how many cases there are in each state, and how many measures are overdue."""
    row = (await connection.execute(_COUNTS, {"today": today})).mappings().one()
    return Counts(**row)


def _case(row: RowMapping) -> Case:
    return Case(**{
        **row,
        "signs": json.loads(row["signs"]),
        "cause": None if row["cause"] is None else Cause(row["cause"]),
    })  # fmt: skip


def _plain(value: object) -> str:
    """Return a value that JSON has no form for: instants."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
