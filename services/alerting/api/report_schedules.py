"""`/v1/report-schedules`: which report goes where, and when."""

from dataclasses import asdict, replace
from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.alerting.api.desk import AtDesk, Editor, doer_of
from services.alerting.api.ids import MadeId
from services.alerting.domain.office_hours import Zone
from services.alerting.store import report_schedules
from services.alerting.store.audit import What
from services.alerting.store.report_schedules import ReportSchedule as StoredSchedule
from shared.database import audit
from shared.database.audit import Done
from shared.database.engine import Connection
from shared.events.alert_reports import SCHEDULED, ReportKind
from shared.events.base import Code
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, after_text, page_of
from shared.http.problems import not_found

router = APIRouter(
    prefix="/v1/report-schedules",
    tags=["reports"],
    dependencies=[Depends(require(Scope.ALERTS_READ))],
)


class ScheduleBody(BaseModel):
    """When a report is made and for whom.

    `hour` is on the clock of `timezone`; `weekday` (0 is Monday) is for the weekly review alone.
    `destinations` are ids of the notifier's; each gets it in its own language.
    """

    model_config = ConfigDict(extra="forbid")

    kind: ReportKind
    hour: Annotated[int, Field(ge=0, le=23)]
    weekday: Annotated[int, Field(ge=0, le=6)] | None = None
    timezone: Zone = "Asia/Shanghai"
    destinations: Annotated[list[Code], Field(min_length=1, max_length=100)]
    enabled: bool = True

    @model_validator(mode="after")
    def _made_by_schedule(self) -> Self:
        if self.kind not in SCHEDULED:
            raise ValueError(f"only {', '.join(SCHEDULED)} are made by schedule")
        return self

    @model_validator(mode="after")
    def _weekday_of_the_week(self) -> Self:
        if self.kind is ReportKind.DAILY_BRIEF and self.weekday is not None:
            raise ValueError("a daily brief has no weekday; leave it out")
        return self


class Schedule(ScheduleBody):
    """A schedule with its id."""

    id: str

    @classmethod
    def of(cls, stored: StoredSchedule) -> Self:
        """Return a stored schedule as it is answered."""
        return cls.model_validate({name: getattr(stored, name) for name in cls.model_fields})


@router.get("")
async def list_schedules(at: AtDesk, cursor: Cursor = None, limit: Limit = 100) -> Page[Schedule]:
    """Return schedules, by id."""
    after = after_text(cursor)
    found = await at.ask(lambda connection: report_schedules.page(connection, after, limit))
    return page_of(found, limit, lambda each: [each.id], Schedule.of)


@router.get("/{schedule_id}")
async def get_schedule(schedule_id: MadeId, at: AtDesk) -> Schedule:
    """Return a schedule."""
    found = await at.ask(lambda connection: report_schedules.one(connection, schedule_id))
    if found is None:
        raise _unknown(schedule_id)
    return Schedule.of(found)


@router.put("/{schedule_id}")
async def put_schedule(
    schedule_id: MadeId, body: ScheduleBody, request: Request, at: AtDesk, editor: Editor
) -> Schedule:
    """Make or change a schedule: it holds for what is due from now on, once each day."""
    doer = doer_of(request, editor, at)
    schedule = StoredSchedule(id=schedule_id, **body.model_dump(), changed_at=doer.at)

    async def put(connection: Connection) -> None:
        before = await report_schedules.one(connection, schedule_id)
        if before is None or replace(before, changed_at=doer.at) != schedule:
            await report_schedules.put(connection, schedule)
            done = Done(
                What.REPORT_SCHEDULE_PUT, schedule_id, before and asdict(before), asdict(schedule)
            )
            await audit.add(connection, doer, done)

    await at.change(put)
    return Schedule.of(schedule)


@router.delete("/{schedule_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_schedule(
    schedule_id: MadeId, request: Request, at: AtDesk, editor: Editor
) -> Response:
    """Delete a schedule."""
    doer = doer_of(request, editor, at)

    async def delete(connection: Connection) -> None:
        before = await report_schedules.one(connection, schedule_id)
        if before is None:
            raise _unknown(schedule_id)
        await report_schedules.delete(connection, schedule_id)
        done = Done(What.REPORT_SCHEDULE_DELETED, schedule_id, asdict(before))
        await audit.add(connection, doer, done)

    await at.change(delete)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _unknown(schedule_id: str) -> Exception:
    return not_found(f"report schedule {schedule_id}")
