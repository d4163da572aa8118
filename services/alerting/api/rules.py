"""`/v1/rules`: rules as data; every edit is a new version, and none is ever lost."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self
from uuid import uuid4

from fastapi import APIRouter, Depends, Header, Path, Response
from pydantic import StringConstraints

from services.alerting.api.desk import Desk, desk
from services.alerting.domain.definition import RuleDefinition
from services.alerting.store import rules
from services.alerting.store.rules import StoredRule
from shared.database.engine import Connection
from shared.http.auth import Caller, Scope, require
from shared.http.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from shared.http.problems import Problem, not_found

router = APIRouter(
    prefix="/v1/rules", tags=["rules"], dependencies=[Depends(require(Scope.ALERTS_READ))]
)

_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

AtDesk = Annotated[Desk, Depends(desk)]
Editor = Annotated[Caller, Depends(require(Scope.CONFIG_WRITE))]
RuleId = Annotated[str, Path(pattern=_ID)]


class NewRule(RuleDefinition):
    """A rule to be made; without an `id` it gets one."""

    id: Annotated[str, StringConstraints(pattern=_ID)] | None = None

    def definition(self) -> RuleDefinition:
        """Return the rule without its id."""
        return RuleDefinition(**self.model_dump(exclude={"id"}))


class Rule(RuleDefinition):
    """One version of a rule, and who made it."""

    id: str
    version: int
    changed_by: str
    changed_at: datetime

    @classmethod
    def of(cls, stored: StoredRule) -> Self:
        """Return a stored version as it is answered."""
        return cls(
            **RuleDefinition.model_validate_json(stored.body).model_dump(),
            id=stored.id,
            version=stored.version,
            changed_by=stored.changed_by,
            changed_at=stored.changed_at,
        )


@router.get("")
async def list_rules(at: AtDesk, cursor: Cursor = None, limit: Limit = 100) -> Page[Rule]:
    """Return the newest version of each rule, by id; disabled ones too."""
    after = "" if cursor is None else str(decode_cursor(cursor, str)[0])
    found = await at.ask(lambda connection: rules.page(connection, after, limit))
    more = encode_cursor(found[-1].id) if len(found) == limit else None
    return Page(items=[Rule.of(each) for each in found], next_cursor=more)


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
    before = 2**31 - 1 if cursor is None else int(decode_cursor(cursor, int)[0])
    found = await at.ask(lambda connection: rules.versions(connection, rule_id, before, limit))
    if not found and cursor is None:
        raise not_found(f"rule {rule_id}")
    more = encode_cursor(found[-1].version) if len(found) == limit else None
    return Page(items=[Rule.of(each) for each in found], next_cursor=more)


@router.post("", status_code=HTTPStatus.CREATED)
async def create_rule(
    new: NewRule,
    at: AtDesk,
    editor: Editor,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Rule:
    """Make a rule; consumers evaluate it within a second, on what they know already too.

    The same Idempotency-Key with the same rule returns the first answer; with another rule, 422.
    """
    definition = new.definition()
    key = None if idempotency_key is None else f"{editor.subject}:{idempotency_key}"

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
        rule = _version(rule_id, 1, definition, editor, at)
        await rules.add(connection, rule, revision, key)
        return rule

    return Rule.of(await at.change(create))


@router.put("/{rule_id}", responses={HTTPStatus.CREATED: {"description": "A new rule"}})
async def put_rule(
    rule_id: RuleId, definition: RuleDefinition, response: Response, at: AtDesk, editor: Editor
) -> Rule:
    """Make a rule, or a new version of it; saying the same again changes nothing."""

    async def put(connection: Connection) -> StoredRule:
        revision = await rules.begin_edit(connection)
        before = await rules.one(connection, rule_id)
        if before is not None and _definition(before) == definition:
            return before
        version = 1 if before is None else before.version + 1
        rule = _version(rule_id, version, definition, editor, at)
        await rules.add(connection, rule, revision)
        return rule

    made = await at.change(put)
    if made.version == 1:
        response.status_code = HTTPStatus.CREATED
    return Rule.of(made)


@router.delete("/{rule_id}")
async def disable_rule(rule_id: RuleId, at: AtDesk, editor: Editor) -> Rule:
    """Disable a rule: its open episodes are resolved, its versions stay."""

    async def disable(connection: Connection) -> StoredRule:
        revision = await rules.begin_edit(connection)
        before = await rules.one(connection, rule_id)
        if before is None:
            raise not_found(f"rule {rule_id}")
        definition = _definition(before)
        if not definition.enabled:
            return before
        disabled = definition.model_copy(update={"enabled": False})
        rule = _version(rule_id, before.version + 1, disabled, editor, at)
        await rules.add(connection, rule, revision)
        return rule

    return Rule.of(await at.change(disable))


def _version(
    rule_id: str, version: int, definition: RuleDefinition, editor: Caller, at: Desk
) -> StoredRule:
    return StoredRule(
        rule_id, version, definition.model_dump_json(), editor.subject, at.clock.now()
    )


def _definition(stored: StoredRule) -> RuleDefinition:
    return RuleDefinition.model_validate_json(stored.body)


def _same(made: StoredRule, definition: RuleDefinition) -> StoredRule:
    if _definition(made) != definition:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "This Idempotency-Key has made another rule; send a new key with a new rule.",
        )
    return made
