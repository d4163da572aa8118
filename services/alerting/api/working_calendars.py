"""`/v1/working-calendars`: when people work, for the times of playbooks and the hours of rules."""

from http import HTTPStatus

from fastapi import APIRouter, Depends, Request, Response

from services.alerting.api.desk import AtDesk, Editor, doer_of
from services.alerting.api.ids import MadeId
from services.alerting.domain.office_hours import CalendarDefinition
from services.alerting.store import people, rules, schedules
from services.alerting.store.audit import What
from shared.database.engine import Connection
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, after_text, page_of
from shared.http.problems import Problem, not_found

router = APIRouter(
    prefix="/v1/working-calendars",
    tags=["playbooks"],
    dependencies=[Depends(require(Scope.ALERTS_READ))],
)


class WorkingCalendar(CalendarDefinition):
    """A working calendar."""

    id: str


@router.get("", response_model_by_alias=True)
async def list_calendars(
    at: AtDesk, cursor: Cursor = None, limit: Limit = 100
) -> Page[WorkingCalendar]:
    """Return working calendars, by id."""
    after = after_text(cursor)
    found = await at.ask(
        lambda connection: schedules.page(connection, "working_calendar", after, limit)
    )
    return page_of(found, limit, lambda each: [each.id], lambda each: _answer(each.id, each.body))


@router.get("/{calendar_id}")
async def get_calendar(calendar_id: MadeId, at: AtDesk) -> WorkingCalendar:
    """Return a working calendar."""
    found = await at.ask(
        lambda connection: schedules.some(connection, "working_calendar", [calendar_id])
    )
    if calendar_id not in found:
        raise not_found(f"working calendar {calendar_id}")
    return _answer(calendar_id, found[calendar_id])


@router.put("/{calendar_id}")
async def put_calendar(
    calendar_id: MadeId,
    definition: CalendarDefinition,
    request: Request,
    at: AtDesk,
    editor: Editor,
) -> WorkingCalendar:
    """Make or change a working calendar.

    Limits that are running already stay as they were set; rules that name it follow at once.
    """
    body = definition.model_dump_json(by_alias=True)
    doer, what = doer_of(request, editor, at), What.WORKING_CALENDAR_PUT

    async def put(connection: Connection) -> None:
        await rules.begin_edit(connection)  # it is part of those that name it
        await schedules.put(connection, "working_calendar", calendar_id, body, what, doer)

    await at.change(put)
    return _answer(calendar_id, body)


@router.delete("/{calendar_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_calendar(
    calendar_id: MadeId, request: Request, at: AtDesk, editor: Editor
) -> Response:
    """Delete a working calendar; 409 `in_use` says which rules, playbooks and so on name it."""
    doer, what = doer_of(request, editor, at), What.WORKING_CALENDAR_DELETED

    async def delete(connection: Connection) -> Response:
        await rules.begin_edit(connection)
        await people.begin_edit(connection)
        places = await schedules.delete(connection, "working_calendar", calendar_id, what, doer)
        return deleted(f"working calendar {calendar_id}", places)

    return await at.change(delete)


def deleted(what: str, places: list[str] | None) -> Response:
    """Return that it is gone; raise Problem 404 where it never was, 409 while it is named."""
    if places is None:
        raise not_found(what)
    if places:
        raise Problem(
            HTTPStatus.CONFLICT,
            "in_use",
            f"The {what} is named by {', '.join(places)}; name another there first.",
            used_by=places,
        )
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _answer(calendar_id: str, body: str) -> WorkingCalendar:
    definition = CalendarDefinition.model_validate_json(body)
    return WorkingCalendar(id=calendar_id, **definition.model_dump(by_alias=True))
