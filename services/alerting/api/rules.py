"""`/v1/rules`: rules as data; every edit is a new version, and none is ever lost."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Body, Depends, Path, Request, Response
from pydantic import ValidationError

from services.alerting.api import rule_file
from services.alerting.api.desk import AtDesk, Editor, IdempotencyKey, doer_of, key_reused
from services.alerting.api.rule_bodies import (
    NEWEST,
    ImportedRules,
    RollBack,
    Rule,
    Verdict,
    definition_of,
    text_of,
)
from services.alerting.api.rule_file import NewRule, RuleCode
from services.alerting.domain.definition import RuleDefinition
from services.alerting.store import people, playbooks, rules, schedules
from services.alerting.store.audit import What
from services.alerting.store.rules import StoredRule
from shared.database import audit
from shared.database.audit import Doer, Done
from shared.database.engine import Connection
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, after_text, page_of, under_number
from shared.http.problems import FieldError, Problem, field_errors, not_found

router = APIRouter(
    prefix="/v1/rules", tags=["rules"], dependencies=[Depends(require(Scope.ALERTS_READ))]
)

RuleId = Annotated[RuleCode, Path()]


@router.get("")
async def list_rules(at: AtDesk, cursor: Cursor = None, limit: Limit = 100) -> Page[Rule]:
    """Return the newest version of each rule, by id; disabled ones too."""
    after = after_text(cursor)
    found = await at.ask(lambda connection: rules.page(connection, after, limit))
    return page_of(found, limit, lambda each: [each.id], Rule.of)


@router.get(
    "/export",
    response_class=Response,
    responses={
        HTTPStatus.OK.value: {
            "description": "The newest version of each rule",
            "content": {rule_file.MEDIA_TYPE: {"schema": rule_file.SCHEMA}},
        }
    },
)
async def export_rules(at: AtDesk) -> Response:
    """Return all rules as a YAML file that `POST /v1/rules/import` takes; disabled ones too."""
    found = await at.ask(rules.newest)
    written = await asyncio.to_thread(_written, found)
    return Response(written, media_type=rule_file.MEDIA_TYPE)


@router.get("/{rule_id}")
async def get_rule(rule_id: RuleId, at: AtDesk) -> Rule:
    """Return the newest version of a rule."""
    found = await at.ask(lambda connection: rules.one(connection, rule_id))
    if found is None:
        raise not_found(f"rule {rule_id}")
    return Rule.of(found)


@router.get("/{rule_id}/versions")
async def list_versions(
    rule_id: RuleId, at: AtDesk, cursor: Cursor = None, limit: Limit = 100
) -> Page[Rule]:
    """Return the versions of a rule, the newest first."""
    before = min(under_number(cursor), NEWEST)
    found = await at.ask(lambda connection: rules.versions(connection, rule_id, before, limit))
    if not found and cursor is None:
        raise not_found(f"rule {rule_id}")
    return page_of(found, limit, lambda each: [each.version], Rule.of)


@router.post("", status_code=HTTPStatus.CREATED)
async def create_rule(
    new: NewRule,
    request: Request,
    at: AtDesk,
    editor: Editor,
    idempotency_key: IdempotencyKey = None,
) -> Rule:
    """Make a rule; consumers evaluate it within a second, on what they know already too.

    The same Idempotency-Key with the same rule returns the first answer; with another rule, 422.
    """
    definition = new.definition()
    key = None if idempotency_key is None else f"{editor.subject}:{idempotency_key}"
    doer = doer_of(request, editor, at)

    async def create(connection: Connection) -> StoredRule:
        revision = await rules.begin_edit(connection)
        if key is not None:
            made = await rules.by_idempotency_key(connection, key)
            if made is not None:
                return _same(made, definition)
        rule_id = new.id or uuid4().hex
        if await rules.one(connection, rule_id) is not None:
            raise Problem(
                HTTPStatus.CONFLICT,
                "exists",
                f"There is a rule {rule_id} already; change it with PUT.",
            )
        await _check_names(connection, definition)
        return await _add(connection, revision, rule_id, None, definition, doer, key)

    return Rule.of(await at.change(create))


@router.post("/validate")
async def validate_rule(definition: Annotated[dict[str, Any], Body()], at: AtDesk) -> Verdict:
    """Say whether PUT would take a rule, without saving anything."""
    try:
        rule = RuleDefinition.model_validate(definition)
    except ValidationError as error:
        wrong = [FieldError.model_validate(each) for each in field_errors(error.errors())]
        return Verdict(valid=False, errors=wrong)
    unknown = await at.ask(lambda connection: _unknown(connection, rule))
    if unknown is not None:
        return Verdict(valid=False, errors=[unknown])
    texts = {"cel": text_of(rule.condition), "clear_cel": text_of(rule.clear_condition)}
    return Verdict(valid=True, rule=rule, **texts)


@router.post(
    "/import",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {rule_file.MEDIA_TYPE: {"schema": rule_file.SCHEMA}},
        }
    },
)
async def import_rules(request: Request, at: AtDesk, editor: Editor) -> ImportedRules:
    """Put the rules of a YAML file, all or none; rules that it does not name stay as they are.

    Doing it again changes nothing.
    """
    # A megabyte takes six seconds.
    said = await asyncio.to_thread(rule_file.read, await request.body())
    doer = doer_of(request, editor, at)

    async def take(connection: Connection) -> ImportedRules:
        done = ImportedRules(created=[], changed=[], unchanged=[])
        for index, each in enumerate(said):
            revision = await rules.begin_edit(connection)
            before = await rules.one(connection, each.id)
            place = f"rules.{index}."
            made = await _put(connection, revision, each.id, each.definition(), doer, place)
            if before is None:
                done.created.append(each.id)
            else:
                same = made.version == before.version
                (done.unchanged if same else done.changed).append(each.id)
        return done

    return await at.change(take)


@router.put("/{rule_id}", responses={HTTPStatus.CREATED: {"description": "A new rule"}})
async def put_rule(
    rule_id: RuleId,
    definition: RuleDefinition,
    request: Request,
    response: Response,
    at: AtDesk,
    editor: Editor,
) -> Rule:
    """Make a rule, or a new version of it; saying the same again changes nothing."""
    doer = doer_of(request, editor, at)

    async def put(connection: Connection) -> StoredRule:
        revision = await rules.begin_edit(connection)
        return await _put(connection, revision, rule_id, definition, doer)

    made = await at.change(put)
    if made.version == 1:
        response.status_code = HTTPStatus.CREATED
    return Rule.of(made)


@router.delete("/{rule_id}")
async def disable_rule(rule_id: RuleId, request: Request, at: AtDesk, editor: Editor) -> Rule:
    """Disable a rule: its open episodes are resolved, its versions stay."""
    doer = doer_of(request, editor, at)

    async def disable(connection: Connection) -> StoredRule:
        revision = await rules.begin_edit(connection)
        before = await rules.one(connection, rule_id)
        if before is None:
            raise not_found(f"rule {rule_id}")
        disabled = definition_of(before).model_copy(update={"enabled": False})
        return await _put(connection, revision, rule_id, disabled, doer)

    return Rule.of(await at.change(disable))


@router.post("/{rule_id}/rollback")
async def roll_back(
    rule_id: RuleId, body: RollBack, request: Request, at: AtDesk, editor: Editor
) -> Rule:
    """Make a new version that says what an earlier one said; nothing is lost.

    Doing it again changes nothing.
    """
    doer = doer_of(request, editor, at)

    async def again(connection: Connection) -> StoredRule:
        revision = await rules.begin_edit(connection)
        wanted = await rules.version(connection, rule_id, body.version)
        if wanted is None:
            raise not_found(f"version {body.version} of rule {rule_id}")
        return await _put(connection, revision, rule_id, definition_of(wanted), doer)

    return Rule.of(await at.change(again))


def _written(found: Sequence[StoredRule]) -> str:
    return rule_file.write([(each.id, definition_of(each)) for each in found])


async def _put(
    connection: Connection,
    revision: int,
    rule_id: str,
    definition: RuleDefinition,
    doer: Doer,
    place: str = "",
) -> StoredRule:
    """Return the newest version, made unless the rule says just that already."""
    before = await rules.one(connection, rule_id)
    if before is not None and definition_of(before) == definition:
        return before
    await _check_names(connection, definition, place)
    return await _add(connection, revision, rule_id, before, definition, doer)


async def _check_names(connection: Connection, definition: RuleDefinition, place: str = "") -> None:
    """Raise Problem 422 for what it names and there is not; `place` is the rule's in a file."""
    if definition.owner is not None:
        await people.begin_edit(connection)  # who is named is not deleted meanwhile
    wrong = await _unknown(connection, definition)
    if wrong is not None:
        error = wrong.model_dump() | {"field": place + wrong.field}
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, wrong.code, wrong.message, errors=[error])


async def _unknown(connection: Connection, definition: RuleDefinition) -> FieldError | None:
    """Return the playbook, person or working calendar that it names and there is not, or None."""
    named = definition.playbook
    if named is not None and await playbooks.one(connection, named) is None:
        message = f"There is no playbook {named}; see /v1/playbooks, or make one with PUT."
        return FieldError(field="playbook", code="unknown_playbook", message=message)
    named = definition.owner
    if named is not None and not await people.known(connection, [named]):
        message = f"There is no person {named}; see /v1/people, or make one with PUT."
        return FieldError(field="owner", code="unknown_person", message=message)
    named = definition.calendar
    if named is not None and not await schedules.some(connection, "working_calendar", [named]):
        message = (
            f"There is no working calendar {named}; see /v1/working-calendars, or make one with "
            "PUT."
        )
        return FieldError(field="active.calendar", code="unknown_calendar", message=message)
    return None


async def _add(
    connection: Connection,
    revision: int,
    rule_id: str,
    before: StoredRule | None,
    definition: RuleDefinition,
    doer: Doer,
    key: str | None = None,
) -> StoredRule:
    version = 1 if before is None else before.version + 1
    rule = StoredRule(rule_id, version, definition.model_dump_json(), doer.actor, doer.at)
    await rules.add(connection, rule, revision, key)
    was = None if before is None else definition_of(before).model_dump(mode="json")
    done = Done(What.RULE_PUT, rule_id, was, definition.model_dump(mode="json"))
    await audit.add(connection, doer, done)
    return rule


def _same(made: StoredRule, definition: RuleDefinition) -> StoredRule:
    if definition_of(made) != definition:
        raise key_reused("rule")
    return made
