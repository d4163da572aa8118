"""`/v1/playbooks`: who does what until when, as data; every edit is a new version."""

from datetime import datetime
from http import HTTPStatus
from typing import Self

from fastapi import APIRouter, Depends, Request, Response

from services.alerting.api.desk import AtDesk, Editor, doer_of
from services.alerting.api.ids import MadeId
from services.alerting.domain.playbook import PlaybookDefinition
from services.alerting.store import people, playbooks, schedules
from services.alerting.store.audit import What
from services.alerting.store.playbooks import StoredPlaybook
from shared.database import audit
from shared.database.audit import Doer, Done
from shared.database.engine import Connection
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, after_text, page_of
from shared.http.problems import Problem, not_found

router = APIRouter(
    prefix="/v1/playbooks", tags=["playbooks"], dependencies=[Depends(require(Scope.ALERTS_READ))]
)


class Playbook(PlaybookDefinition):
    """The newest version of a playbook, and who made it."""

    id: str
    version: int
    changed_by: str
    changed_at: datetime

    @classmethod
    def of(cls, stored: StoredPlaybook) -> Self:
        """Return a stored version as it is answered."""
        return cls(
            **_definition(stored).model_dump(),
            id=stored.id,
            version=stored.version,
            changed_by=stored.changed_by,
            changed_at=stored.changed_at,
        )


@router.get("")
async def list_playbooks(at: AtDesk, cursor: Cursor = None, limit: Limit = 100) -> Page[Playbook]:
    """Return playbooks, by id; disabled ones too."""
    after = after_text(cursor)
    found = await at.ask(lambda connection: playbooks.page(connection, after, limit))
    return page_of(found, limit, lambda each: [each.id], Playbook.of)


@router.get("/{playbook_id}")
async def get_playbook(playbook_id: MadeId, at: AtDesk) -> Playbook:
    """Return a playbook."""
    found = await at.ask(lambda connection: playbooks.one(connection, playbook_id))
    if found is None:
        raise not_found(f"playbook {playbook_id}")
    return Playbook.of(found)


@router.put("/{playbook_id}", responses={HTTPStatus.CREATED: {"description": "A new playbook"}})
async def put_playbook(
    playbook_id: MadeId,
    definition: PlaybookDefinition,
    request: Request,
    response: Response,
    at: AtDesk,
    editor: Editor,
) -> Playbook:
    """Make a playbook, or a new version of it; saying the same again changes nothing.

    Episodes that are open go on with the version that they took up.
    """
    doer = doer_of(request, editor, at)

    async def put(connection: Connection) -> StoredPlaybook:
        await playbooks.begin_edit(connection)
        before = await playbooks.one(connection, playbook_id)
        if before is None:
            response.status_code = HTTPStatus.CREATED
        await _check(connection, playbook_id, definition)
        return await _store(connection, before, playbook_id, definition, doer)

    return Playbook.of(await at.change(put))


@router.delete("/{playbook_id}")
async def disable_playbook(
    playbook_id: MadeId, request: Request, at: AtDesk, editor: Editor
) -> Playbook:
    """Disable a playbook: no further episode takes it up, those that have go on."""
    doer = doer_of(request, editor, at)

    async def disable(connection: Connection) -> StoredPlaybook:
        await playbooks.begin_edit(connection)
        before = await playbooks.one(connection, playbook_id)
        if before is None:
            raise not_found(f"playbook {playbook_id}")
        disabled = _definition(before).model_copy(update={"enabled": False})
        return await _store(connection, before, playbook_id, disabled, doer)

    return Playbook.of(await at.change(disable))


async def _store(
    connection: Connection,
    before: StoredPlaybook | None,
    playbook_id: str,
    definition: PlaybookDefinition,
    doer: Doer,
) -> StoredPlaybook:
    if before is not None and _definition(before) == definition:
        return before
    made = StoredPlaybook(
        playbook_id,
        1 if before is None else before.version + 1,
        definition.model_dump_json(),
        doer.actor,
        doer.at,
    )
    await playbooks.add(connection, made)
    was, is_ = (each and _definition(each).model_dump(mode="json") for each in (before, made))
    await audit.add(connection, doer, Done(What.PLAYBOOK_PUT, playbook_id, was, is_))
    return made


async def _check(connection: Connection, playbook_id: str, definition: PlaybookDefinition) -> None:
    """Raise Problem for people, rotations and calendars unknown, and for a second default."""
    await people.begin_edit(connection)
    persons, rotations, calendars = definition.named()
    strangers = persons - await people.known(connection, persons)
    gone = rotations - (await schedules.some(connection, "rotation", rotations)).keys()
    off = calendars - (await schedules.some(connection, "working_calendar", calendars)).keys()
    errors = [
        {"field": "steps", "code": code, "message": f"{id_}: make it first, PUT {path}/{id_}"}
        for code, path, ids in (
            ("unknown_person", "/v1/people", strangers),
            ("unknown_rotation", "/v1/rotations", gone),
            ("unknown_calendar", "/v1/working-calendars", off),
        )
        for id_ in sorted(ids)
    ]
    if errors:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid",
            "The playbook names what there is not; see errors.",
            errors=errors,
        )
    levels = definition.default_for if definition.enabled else ()
    other = await playbooks.default_besides(connection, playbook_id, levels)
    if other is not None:
        raise Problem(
            HTTPStatus.CONFLICT,
            "default_taken",
            f"{other} is the default of one of these levels; take it out of there first.",
        )


def _definition(stored: StoredPlaybook) -> PlaybookDefinition:
    return PlaybookDefinition.model_validate_json(stored.body)
