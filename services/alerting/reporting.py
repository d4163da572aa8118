"""Make the reports that are due, each once, however many processes run and restart."""

from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import override

from services.alerting.domain.review import NOTHING
from services.alerting.domain.schedule import Due, last_due, period
from services.alerting.looking import Looking
from services.alerting.store import brief, cases, report_schedules, review
from services.alerting.store.report_schedules import ReportSchedule
from services.alerting.store.review import Dimension, SlaMinutes
from shared.clock import Clock
from shared.database.engine import Connection
from shared.events.alert_reports import (
    LONGEST_LIST,
    AlertReport,
    Brief,
    Figures,
    ReportKind,
    Review,
)
from shared.observability.logs import get_logger

_log = get_logger("alerting.reporting")


class Reporting(Looking):
    """Looks for schedules whose report is due and not made yet.

    After an outage the last one is made and the others are not: nobody reads three briefs.
    """

    what = "reports"
    at_once = 1

    def __init__(self, engine: AsyncEngine, clock: Clock, minutes: SlaMinutes) -> None:
        super().__init__(engine, clock)
        self._minutes = minutes

    @override
    async def step(self) -> int:
        now = self._clock.now()
        async with self._engine.begin() as connection:
            for schedule in await report_schedules.enabled(connection):
                due = last_due(
                    schedule.kind, schedule.hour, schedule.weekday, schedule.timezone, now
                )
                # What was due before the schedule was made or changed was never promised.
                if due.at >= schedule.changed_at and await self._make(
                    connection, schedule, due, now
                ):
                    return 1
        return 0

    async def _make(
        self, connection: Connection, schedule: ReportSchedule, due: Due, now: datetime
    ) -> bool:
        if await report_schedules.made(connection, schedule.id, due.day):
            return False
        report_id = uuid4()
        if not await report_schedules.run(connection, schedule.id, due.day, report_id, now):
            return False
        from_at, to_at = period(schedule.kind, due.at)
        is_brief = schedule.kind is ReportKind.DAILY_BRIEF
        report = AlertReport(
            report_id=report_id,
            kind=schedule.kind,
            schedule=schedule.id,
            destinations=tuple(schedule.destinations),
            from_at=from_at,
            to_at=to_at,
            recorded_at=now,
            brief=await self._brief(connection, schedule, now) if is_brief else None,
            review=None if is_brief else await self._review(connection, schedule, due.at, now),
        )
        await report_schedules.send(connection, report)
        _log.info("report made", schedule=schedule.id, day=due.day.isoformat())
        return True

    async def _brief(
        self, connection: Connection, schedule: ReportSchedule, now: datetime
    ) -> Brief:
        today = now.astimezone(ZoneInfo(schedule.timezone)).date()
        return await brief.brief(connection, self._minutes, now, today)

    async def _review(
        self, connection: Connection, schedule: ReportSchedule, to_at: datetime, now: datetime
    ) -> Review:
        from_at, _ = period(schedule.kind, to_at)
        counts = await cases.counts(connection, now.astimezone(ZoneInfo(schedule.timezone)).date())

        async def asked(
            from_at: datetime, to_at: datetime, by: Dimension | None = None
        ) -> dict[str | None, Figures]:
            found = await review.period(connection, from_at, to_at, by, self._minutes, now)
            return found.figures(min(to_at, now))

        week = to_at - from_at
        owners = await review.of_owners(connection, await asked(from_at, to_at, "owner"))
        by_owner = sorted(owners, key=lambda each: -each.figures.alerts)
        return Review(
            now=(await asked(from_at, to_at)).get(None, NOTHING),
            before=(await asked(from_at - week, from_at)).get(None, NOTHING),
            by_owner=tuple(by_owner[:LONGEST_LIST]),
            open_cases=counts.open,
            overdue_measures=counts.overdue,
        )
