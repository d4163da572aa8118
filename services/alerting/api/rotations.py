"""`/v1/rotations`: people who take turns."""

from http import HTTPStatus

from fastapi import APIRouter, Depends, Request, Response

from services.alerting.api.desk import AtDesk, Desk, Editor, doer_of
from services.alerting.api.ids import MadeId
from services.alerting.api.working_calendars import deleted
from services.alerting.domain.turns import RotationDefinition
from services.alerting.store import people, schedules
from services.alerting.store.audit import What
from shared.database.engine import Connection
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, after_text, page_of
from shared.http.problems import Problem, not_found

router = APIRouter(
    prefix="/v1/rotations", tags=["playbooks"], dependencies=[Depends(require(Scope.ALERTS_READ))]
)


class Rotation(RotationDefinition):
    """A rotation, and whose turn it is now."""

    id: str
    on_duty: str


@router.get("")
async def list_rotations(at: AtDesk, cursor: Cursor = None, limit: Limit = 100) -> Page[Rotation]:
    """Return rotations, by id."""
    after = after_text(cursor)
    found = await at.ask(lambda connection: schedules.page(connection, "rotation", after, limit))
    answers = await _answers(at, {each.id: each.body for each in found})
    return page_of(answers, limit, lambda each: [each.id], lambda each: each)


@router.get("/{rotation_id}")
async def get_rotation(rotation_id: MadeId, at: AtDesk) -> Rotation:
    """Return a rotation."""
    found = await at.ask(lambda connection: schedules.some(connection, "rotation", [rotation_id]))
    if not found:
        raise not_found(f"rotation {rotation_id}")
    (rotation,) = await _answers(at, found)
    return rotation


@router.put("/{rotation_id}")
async def put_rotation(
    rotation_id: MadeId,
    definition: RotationDefinition,
    request: Request,
    at: AtDesk,
    editor: Editor,
) -> Rotation:
    """Make or change a rotation, of people whom there are."""
    body = definition.model_dump_json()
    named = definition.named()
    doer, what = doer_of(request, editor, at), What.ROTATION_PUT

    async def put(connection: Connection) -> set[str]:
        await people.begin_edit(connection)
        strangers = named - await people.known(connection, named)
        if not strangers:
            await schedules.put(connection, "rotation", rotation_id, body, what, doer)
        return strangers

    strangers = await at.change(put)
    if strangers:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "unknown_person",
            f"There is no person {', '.join(sorted(strangers))}; make them with PUT /v1/people/….",
        )
    (rotation,) = await _answers(at, {rotation_id: body})
    return rotation


@router.delete("/{rotation_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_rotation(
    rotation_id: MadeId, request: Request, at: AtDesk, editor: Editor
) -> Response:
    """Delete a rotation; 409 `in_use` says which playbooks name it."""
    doer, what = doer_of(request, editor, at), What.ROTATION_DELETED

    async def delete(connection: Connection) -> Response:
        await people.begin_edit(connection)
        places = await schedules.delete(connection, "rotation", rotation_id, what, doer)
        return deleted(f"rotation {rotation_id}", places)

    return await at.change(delete)


async def _answers(at: Desk, bodies: dict[str, str]) -> list[Rotation]:
    now = at.clock.now()
    table = await at.ask(people.responsibilities)
    answers = []
    for id_, body in bodies.items():
        definition = RotationDefinition.model_validate_json(body)
        on_duty = definition.rotation().on_duty(now, lambda person: table.is_away(person, now))
        answers.append(Rotation(**definition.model_dump(), id=id_, on_duty=on_duty))
    return answers
