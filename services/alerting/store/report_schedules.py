"""When which reports go to whom, and which have been made."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events.alert_reports import AlertReport, ReportKind
from shared.observability import tracing


@dataclass(frozen=True, slots=True)
class ReportSchedule:
    """A report at an hour (and of the review a weekday, 0 is Monday) for some destinations."""

    id: str
    kind: ReportKind
    hour: int
    weekday: int | None
    timezone: str
    destinations: list[str]
    enabled: bool
    changed_at: datetime


_SCHEDULE = """
SELECT id, kind, hour, weekday, timezone, destinations, enabled, changed_at FROM report_schedule
"""

_PAGE = text(f"{_SCHEDULE} WHERE id > :after ORDER BY id LIMIT :limit")

_ONE = text(f"{_SCHEDULE} WHERE id = :id")

_ENABLED = text(f"{_SCHEDULE} WHERE enabled ORDER BY id")

_PUT = text("""
INSERT INTO report_schedule (id, kind, hour, weekday, timezone, destinations, enabled, changed_at)
VALUES (:id, :kind, :hour, :weekday, :timezone, :destinations, :enabled, :changed_at)
ON CONFLICT (id) DO UPDATE SET
    kind = excluded.kind, hour = excluded.hour, weekday = excluded.weekday,
    timezone = excluded.timezone, destinations = excluded.destinations,
    enabled = excluded.enabled, changed_at = excluded.changed_at
""")

_DELETE = text("DELETE FROM report_schedule WHERE id = :id")

# Whoever is second waits for the first to commit, and then finds it made.
_RUN = text("""
INSERT INTO report_run (schedule, due_day, report_id, made_at)
VALUES (:schedule, :due_day, :report_id, :now)
ON CONFLICT DO NOTHING
RETURNING report_id
""")

_SEND = text("""
INSERT INTO report_outbox (report_id, value, traceparent)
VALUES (:report_id, :value, :traceparent)
""")

_MADE = text("""
SELECT EXISTS (SELECT FROM report_run WHERE schedule = :schedule AND due_day = :due_day)
""")


async def page(connection: AsyncConnection, after: str, limit: int) -> list[ReportSchedule]:
    """Return schedules by id, those after an id."""
    rows = await connection.execute(_PAGE, {"after": after, "limit": limit})
    return [_schedule(row) for row in rows.mappings()]


async def one(connection: AsyncConnection, schedule_id: str) -> ReportSchedule | None:
    """Return a schedule."""
    row = (await connection.execute(_ONE, {"id": schedule_id})).mappings().one_or_none()
    return None if row is None else _schedule(row)


async def enabled(connection: AsyncConnection) -> list[ReportSchedule]:
    """Return the schedules in force."""
    return [_schedule(row) for row in (await connection.execute(_ENABLED)).mappings()]


async def put(connection: AsyncConnection, schedule: ReportSchedule) -> None:
    """Store a schedule."""
    await connection.execute(_PUT, asdict(schedule))


async def delete(connection: AsyncConnection, schedule_id: str) -> None:
    """Delete a schedule; what it has sent stays known."""
    await connection.execute(_DELETE, {"id": schedule_id})


async def made(connection: AsyncConnection, schedule_id: str, due_day: date) -> bool:
    """Return whether a schedule's report of a day is made."""
    values = {"schedule": schedule_id, "due_day": due_day}
    return bool(await connection.scalar(_MADE, values))


async def run(
    connection: AsyncConnection, schedule_id: str, due_day: date, report_id: UUID, now: datetime
) -> bool:
    """Note that a schedule's report of a day is made; False when another has made it."""
    values = {"schedule": schedule_id, "due_day": due_day, "report_id": report_id, "now": now}
    return await connection.scalar(_RUN, values) is not None


async def send(connection: AsyncConnection, report: AlertReport) -> None:
    """Put a report into the outbox."""
    values = {"report_id": report.report_id, "value": report.encode().decode()}
    await connection.execute(_SEND, {**values, "traceparent": tracing.continued(None)})


def _schedule(row: RowMapping) -> ReportSchedule:
    return ReportSchedule(**{**row, "kind": ReportKind(row["kind"])})
