"""`/v1/approval-limits`: who may spend how much without asking, and approve for others."""

from http import HTTPStatus
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.alerting.api.desk import AtDesk, Editor, doer_of
from services.alerting.domain.parameter_values import Money
from services.alerting.domain.people import Role
from services.alerting.store import approval_limits, people
from services.alerting.store.approval_limits import ApprovalLimit as Row
from services.alerting.store.audit import What
from shared.database import audit
from shared.database.audit import Done
from shared.database.engine import Connection
from shared.events.base import Code
from shared.http.auth import Scope, require
from shared.http.problems import Problem

router = APIRouter(
    prefix="/v1/approval-limits",
    tags=["actions"],
    dependencies=[Depends(require(Scope.ALERTS_READ))],
)


class ApprovalLimit(BaseModel):
    """The limit of a person, or of a role in the table of responsibilities; one of the two.

    An amount of null is no limit: it covers what has no known cost as well.
    """

    model_config = ConfigDict(extra="forbid")

    person: Code | None = None
    role: Role | None = None
    amount: Money | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.person is None) is (self.role is None):
            raise ValueError("name either a person or a role")
        return self


class ApprovalLimits(BaseModel):
    """All limits. While there is none, nothing needs an approval."""

    model_config = ConfigDict(extra="forbid")

    items: Annotated[list[ApprovalLimit], Field(max_length=1_000)]


@router.get("")
async def get_approval_limits(at: AtDesk) -> ApprovalLimits:
    """Return all limits."""
    rows = await at.ask(approval_limits.table)
    return ApprovalLimits(items=[ApprovalLimit(**row._asdict()) for row in rows])


@router.put("")
async def put_approval_limits(
    said: ApprovalLimits, request: Request, at: AtDesk, editor: Editor
) -> ApprovalLimits:
    """Replace all limits, or refuse them with what is wrong in which row."""
    doer = doer_of(request, editor, at)
    rows = [Row(each.person, each.role, each.amount) for each in said.items]
    first: dict[tuple[str | None, Role | None], int] = {}
    errors = [
        _error(number, "repeated", f"Row {earlier} speaks of the same already")
        for number, row in enumerate(rows)
        if (earlier := first.setdefault((row.person, row.role), number)) != number
    ]

    async def replace(connection: Connection) -> list[dict[str, str]]:
        await people.begin_edit(connection)
        named = {row.person for row in rows if row.person is not None}
        known = await people.known(connection, named)
        strangers = [
            _error(number, "unknown_person", "Make the person first: PUT /v1/people/…")
            for number, row in enumerate(rows)
            if row.person is not None and row.person not in known
        ]
        before = await approval_limits.table(connection)
        if not strangers and before != rows:
            await approval_limits.put_table(connection, rows)
            old, new = ([row._asdict() for row in each] for each in (before, rows))
            done = Done(What.APPROVAL_LIMITS_PUT, "approval_limits", old, new)
            await audit.add(connection, doer, done)
        return strangers

    errors = errors or await at.change(replace)
    if errors:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid",
            "The limits stay as they were; see errors for what to change in which row (from 0).",
            errors=errors,
        )
    return said


def _error(row: int, code: str, message: str) -> dict[str, str]:
    return {"field": f"items.{row}", "code": code, "message": message}
