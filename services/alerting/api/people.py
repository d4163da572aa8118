"""`/v1/people` and `/v1/responsibilities`: who sees to what."""

import csv
from collections.abc import Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.alerting.api import sheets
from services.alerting.api.desk import AtDesk, Desk, Editor, doer_of
from services.alerting.api.ids import GivenId
from services.alerting.domain.people import Responsibility as Row
from services.alerting.domain.texts import Name
from services.alerting.store import people
from services.alerting.store.audit import What
from services.alerting.store.people import Person as StoredPerson
from shared.chat_ids import DingtalkUserid, FeishuOpenId, SlackUserId
from shared.database import audit
from shared.database.audit import Doer, Done
from shared.database.engine import Connection
from shared.events.base import Code, Instant
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, after_text, page_of
from shared.http.problems import Problem, not_found, words_of
from shared.mail_addresses import MailAddress

router = APIRouter(tags=["people"], dependencies=[Depends(require(Scope.ALERTS_READ))])

MAX_ROWS = 5_000

_STRANGER = ("unknown_person", "Make the person first: PUT /v1/people/…")
_STRANGE = {
    "warehouse_group": ("unknown_group", "Make the group first: PUT /v1/warehouse-groups/…")
}


class PersonBody(BaseModel):
    """A person; `language` is that of the messages to them.

    `away_until`: what opens before goes to the deputy. One e-mail address or chat id belongs to one
    person. `feishu_open_id` (ou_…) and `slack_user_id` (U…) are the vendors' ids, no names.
    """

    model_config = ConfigDict(extra="forbid")

    name: Name
    language: Literal["zh-CN", "en"] = "zh-CN"
    email: MailAddress | None = None
    wecom_userid: Annotated[Name, StringConstraints(max_length=64)] | None = None
    dingtalk_userid: DingtalkUserid | None = None
    feishu_open_id: FeishuOpenId | None = None
    slack_user_id: SlackUserId | None = None
    away_until: Instant | None = None


class Person(PersonBody):
    """A person; `id` is the subject of the person's sign-in."""

    id: str

    @classmethod
    def of(cls, stored: StoredPerson) -> Self:
        """Return a stored person as it is answered."""
        return cls.model_validate(stored, from_attributes=True)


class Responsibility(BaseModel):
    """Who sees to a category of a supplier in a warehouse; leave any of the three out for all.

    Instead of a warehouse a row may name a group of them. The row that names more of the three
    decides; of two that name as many, the one with the category, then the one with the supplier.
    Where only the place differs, the warehouse goes before a group, the group with fewer
    warehouses before another, and of as many the first by id. The first of owner, deputy and
    manager who is not away gets what opens.
    """

    model_config = ConfigDict(extra="forbid")

    category: Name | None = None
    supplier: Code | None = None
    warehouse: Code | None = None
    warehouse_group: Code | None = None
    owner: Code | None = None
    deputy: Code | None = None
    manager: Code | None = None


class Table(BaseModel):
    """The table of responsibilities, whole."""

    model_config = ConfigDict(extra="forbid")

    items: Annotated[list[Responsibility], Field(max_length=MAX_ROWS)]


@router.get("/v1/people")
async def list_people(at: AtDesk, cursor: Cursor = None, limit: Limit = 100) -> Page[Person]:
    """Return people, by id."""
    after = after_text(cursor)
    found = await at.ask(lambda connection: people.page(connection, after, limit))
    return page_of(found, limit, lambda each: [each.id], Person.of)


@router.get("/v1/people/{person_id}")
async def get_person(person_id: GivenId, at: AtDesk) -> Person:
    """Return a person."""
    found = await at.ask(lambda connection: people.one(connection, person_id))
    if found is None:
        raise not_found(f"person {person_id}")
    return Person.of(found)


@router.put("/v1/people/{person_id}")
async def put_person(
    person_id: GivenId, body: PersonBody, request: Request, at: AtDesk, editor: Editor
) -> Person:
    """Make or change a person."""
    person = StoredPerson(id=person_id, **body.model_dump())
    doer = doer_of(request, editor, at)

    async def put(connection: Connection) -> str | None:
        before = await people.one(connection, person_id)
        other = await people.put(connection, person)
        if other is None and before != person:
            done = Done(What.PERSON_PUT, person_id, before and asdict(before), asdict(person))
            await audit.add(connection, doer, done)
        return other

    other = await at.change(put)
    if other is not None:
        raise Problem(
            HTTPStatus.CONFLICT,
            "address_taken",
            "The e-mail address or a chat id (of WeCom, DingTalk, Feishu or Slack) is that of "
            f"{other}; each belongs to one person.",
        )
    return Person.of(person)


@router.delete("/v1/people/{person_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_person(
    person_id: GivenId, request: Request, at: AtDesk, editor: Editor
) -> Response:
    """Delete a person, unless the table, a rule, a playbook, a rotation or a limit names them."""
    doer = doer_of(request, editor, at)

    async def delete(connection: Connection) -> list[str]:
        before = await people.one(connection, person_id)
        places = await people.delete(connection, person_id)
        if before is not None and not places:
            done = Done(What.PERSON_DELETED, person_id, asdict(before))
            await audit.add(connection, doer, done)
        return places

    if places := await at.change(delete):
        raise Problem(
            HTTPStatus.CONFLICT,
            "still_responsible",
            f"{person_id} is named in {', '.join(places)}; name somebody else there first.",
            used_by=places,
        )
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/v1/responsibilities")
async def get_responsibilities(at: AtDesk) -> Table:
    """Return the table of responsibilities."""
    rows = await at.ask(people.table)
    return Table(items=[Responsibility(**row._asdict()) for row in rows])


@router.put("/v1/responsibilities")
async def put_responsibilities(table: Table, request: Request, at: AtDesk, editor: Editor) -> Table:
    """Replace the table of responsibilities, or refuse it with what is wrong in which row."""
    places = range(len(table.items))
    return await _replaced(at, table, places, doer_of(request, editor, at))


@router.post("/v1/responsibilities/import")
async def import_responsibilities(
    request: Request,
    at: AtDesk,
    editor: Editor,
    sheet: Annotated[str, Body(media_type="text/csv", max_length=1_000_000)],
) -> Table:
    """Replace the table by a sheet.

    CSV with a head of category, supplier, warehouse, warehouse_group, owner, deputy, manager.
    Columns may be left out, and cells and rows be empty. Errors name a row by its place below the
    head, from 0, empty ones counted.
    """
    items, places, errors = [], [], []
    try:
        lines = list(sheets.table(sheet.removeprefix("\ufeff"))[1])
    except csv.Error as error:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "unreadable_sheet", f"This is no CSV: {error}."
        ) from None
    for place, cells in lines:
        try:
            items.append(Responsibility.model_validate(cells))
            places.append(place)
        except ValidationError as error:
            errors += [
                _error(place, str(each["loc"][0]), each["type"], words_of(each))
                for each in error.errors()
            ]
    if errors or len(items) > MAX_ROWS:
        raise _refused(errors or [_error(MAX_ROWS, "items", "too_long", "5,000 rows at the most")])
    return await _replaced(at, Table(items=items), places, doer_of(request, editor, at))


async def _replaced(at: Desk, table: Table, places: Sequence[int], doer: Doer) -> Table:
    """Store the table; `places` are what its rows are called by in errors."""
    rows = [Row(**each.model_dump()) for each in table.items]
    first: dict[tuple[str | None, ...], int] = {}
    errors = []
    for number, row in zip(places, rows, strict=True):
        about = (row.category, row.supplier, row.warehouse, row.warehouse_group)
        earlier = first.setdefault(about, number)
        if earlier != number:
            errors.append(
                _error(number, "category", "repeated", f"Row {earlier} speaks of the same already")
            )
        if row.warehouse is not None and row.warehouse_group is not None:
            errors.append(
                _error(number, "warehouse_group", "both", "Name a warehouse or a group, not both")
            )
        if row.owner is row.deputy is row.manager is None:
            errors.append(_error(number, "owner", "missing", "Name an owner or a manager"))
    if errors:
        raise _refused(errors)

    async def replace(connection: Connection) -> list[tuple[int, str]]:
        before = await people.table(connection)
        strangers = await people.put_table(connection, rows)
        if not strangers and before != rows:
            old, new = ([row._asdict() for row in each] for each in (before, rows))
            done = Done(What.RESPONSIBILITIES_PUT, "responsibilities", old, new)
            await audit.add(connection, doer, done)
        return strangers

    strangers = await at.change(replace)
    if strangers:
        raise _refused(
            [
                _error(places[number], column, *_STRANGE.get(column, _STRANGER))
                for number, column in strangers
            ]
        )
    return table


def _error(row: int, column: str, code: str, message: str) -> dict[str, str]:
    field = f"items.{row}.{column}" if column else f"items.{row}"
    return {"field": field, "code": code, "message": message}


def _refused(errors: list[dict[str, str]]) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        "The table stays as it was; see errors for what to change in which row (from 0).",
        errors=errors,
    )
