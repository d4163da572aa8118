"""What alerting is asked of rules: their versions, what is wrong with one, and new ones."""

import asyncio
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

from pydantic import ConfigDict, Field, TypeAdapter

from services.console.upstream.answers import Alert, Answer, Page
from services.console.upstream.service import Refused, Service, Wrong, key_of
from services.console.upstream.whole import whole
from shared.errors import Unavailable

Definition = dict[str, Any]
"""A rule as PUT takes it: all that alerting says of it, also what pages do not show."""


class Rule(Answer):
    """One version of a rule; `cel` is its condition as text, `clear_cel` its clear condition."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str
    version: int
    changed_by: str
    changed_at: datetime
    cel: str | None = None
    clear_cel: str | None = None
    name: dict[str, str]
    kind: str
    enabled: bool

    @property
    def definition(self) -> Definition:
        """The rule without its identity and without what is only told."""
        told = {"id", "version", "changed_by", "changed_at", "cel", "clear_cel"}
        return self.model_dump(mode="json", exclude=told)


class Verdict(Answer):
    """Whether a rule could be saved: as it would be, or what is wrong."""

    valid: bool
    rule: Definition | None = None
    cel: str | None = None
    clear_cel: str | None = None
    errors: list[Wrong] = Field(default_factory=list)


class WorkingCalendar(Answer):
    """A working calendar, by its id."""

    id: str


class Playbook(Answer):
    """A playbook; `default_for` are the levels that follow it where a rule names none."""

    id: str
    name: dict[str, str]
    default_for: list[str] = Field(default_factory=list)
    enabled: bool = True


class Imported(Answer):
    """What became of the rules of a file, by id."""

    created: list[str]
    changed: list[str]
    unchanged: list[str]


T = TypeVar("T")

_RULE = TypeAdapter(Rule)
_RULES = TypeAdapter(Page[Rule])
_VERDICT = TypeAdapter(Verdict)
_IMPORTED = TypeAdapter(Imported)
_CALENDARS = TypeAdapter(Page[WorkingCalendar])
_PLAYBOOKS = TypeAdapter(Page[Playbook])
_ALERTS = TypeAdapter(Page[Alert])
_YAML = "application/yaml"
_IMPORT_SECONDS = 60.0
COUNTED = 100
"""Open alerts of a rule are counted so far."""


class Rules:
    """Rules as pages see them. What changes them raises Refused."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def all(self) -> list[Rule]:
        """Return the newest version of each rule."""
        return await whole(self._service, _RULES, "/v1/rules")

    async def one(self, rule_id: str) -> Rule | None:
        """Return the newest version of a rule, or None where there is none."""
        return await self._service.get(_RULE, _path(rule_id), {})

    async def versions(self, rule_id: str) -> list[Rule]:
        """Return the versions of a rule, newest first (the last 100)."""
        page = await self._service.get(_RULES, f"{_path(rule_id)}/versions", {})
        return page.items if page else []

    async def open_alerts(self, rule_ids: list[str]) -> dict[str, int | None]:
        """Return how many alerts of each rule are open.

        100 means that many or more, None that there was no answer.
        """
        async with asyncio.TaskGroup() as group:
            tasks = {one: group.create_task(self._open_alerts(one)) for one in rule_ids}
        return {one: task.result() for one, task in tasks.items()}

    async def _open_alerts(self, rule_id: str) -> int | None:
        parameters: dict[str, str | int] = {"rule": rule_id, "state": "open", "limit": COUNTED}
        try:
            page = await self._service.get(_ALERTS, "/v1/alerts", parameters)
        except (Unavailable, Refused):
            return None
        return len(page.items) if page else 0

    async def validate(self, definition: Definition) -> Verdict:
        """Return whether a rule could be saved; nothing is."""
        found = await self._service.post(_VERDICT, "/v1/rules/validate", definition)
        return _there(found)

    async def create(self, definition: Definition, form: UUID) -> Rule:
        """Make a rule; what the same form says once more is the same one, or its next version."""
        key, rule_id = key_of(form, definition), form.hex
        try:
            body = definition | {"id": rule_id}
            made = await self._service.post(_RULE, "/v1/rules", body, idempotency_key=key)
        except Refused as error:
            if error.code != "exists":
                raise
            return await self.put(rule_id, definition)
        return _there(made)

    async def put(self, rule_id: str, definition: Definition) -> Rule:
        """Make a new version of a rule."""
        found = await self._service.put(_RULE, _path(rule_id), definition)
        return _there(found)

    async def roll_back(self, rule_id: str, version: int) -> Rule:
        """Make a new version that says what an earlier one said."""
        body = {"version": version}
        found = await self._service.post(_RULE, f"{_path(rule_id)}/rollback", body)
        return _there(found)

    async def calendars(self) -> list[str]:
        """Return the ids of the working calendars; none without an answer."""
        try:
            found = await whole(self._service, _CALENDARS, "/v1/working-calendars")
        except (Unavailable, Refused):
            return []
        return [one.id for one in found]

    async def playbooks(self) -> list[Playbook]:
        """Return the playbooks, by id; none without an answer."""
        try:
            return await whole(self._service, _PLAYBOOKS, "/v1/playbooks")
        except (Unavailable, Refused):
            return []

    async def file(self) -> bytes:
        """Return all rules as a YAML file."""
        return await self._service.file("/v1/rules/export")

    async def import_file(self, text: str) -> Imported:
        """Put the rules of a YAML file, all or none; many of them take a while."""
        found = await self._service.post_file(
            _IMPORTED, "/v1/rules/import", _YAML, text, patience_seconds=_IMPORT_SECONDS
        )
        return _there(found)


def _there(answer: T | None) -> T:
    if answer is None:
        raise Unavailable("alerting")
    return answer


def _path(rule_id: str) -> str:
    return f"/v1/rules/{quote(rule_id, safe='')}"
