"""`/v1/audit`: everything that people did, who, when, from where; it can only be read.

An application that includes the router has an `AuditTrail` as its `state.audit`.
"""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, StringConstraints

from shared.database.audit import Audited, AuditTrail, Doer
from shared.events.base import Code, Instant
from shared.http.auth import Caller, Scope, require
from shared.http.pages import Cursor, Limit, Page, page_of, under_number

router = APIRouter(
    prefix="/v1/audit", tags=["audit"], dependencies=[Depends(require(Scope.CONFIG_WRITE))]
)

_VIA_CHARACTERS = 100
_Text = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00]*$")]
"""Others than us may have made it up: names of an OpenID provider's, references of stocktakes."""


def doer_of(request: Request, caller: Caller | str, at: datetime) -> Doer:
    """Return who asks, when, and from where, for the audit of what the request changes.

    Where the caller speaks for a person, from where begins with the caller.
    """
    through = None if isinstance(caller, str) else caller.through
    program = request.headers.get("user-agent", "")
    return Doer(
        actor=caller if isinstance(caller, str) else caller.subject,
        at=at,
        address=None if request.client is None else request.client.host,
        via=" · ".join(filter(None, (through, program)))[:_VIA_CHARACTERS] or None,
    )


class Entry(BaseModel):
    """Something done: `address` is the client's, `via` what program it said it is.

    `before` is null for what was not there, `after` for what is not any more; of some things only
    what the act is about.
    """

    id: int
    at: datetime
    actor: str
    address: str | None
    via: str | None
    what: str
    target: str
    before: Any
    after: Any

    @classmethod
    def of(cls, stored: Audited) -> Self:
        """Return a stored entry as it is answered."""
        return cls.model_validate(stored, from_attributes=True)


async def _trail(request: Request) -> AuditTrail:
    found: AuditTrail = request.app.state.audit
    return found


@router.get("")
async def list_entries(
    trail: Annotated[AuditTrail, Depends(_trail)],
    actor: Annotated[_Text | None, Query(description="Who did it, as the token names them")] = None,
    what: Annotated[
        Code | None, Query(description="`rule.put`, or `rule` for all that is done to rules")
    ] = None,
    target: Annotated[
        _Text | None,
        Query(description="The id of what it was done to; of what has two, both with | between"),
    ] = None,
    from_at: Annotated[Instant | None, Query(alias="from")] = None,
    to_at: Annotated[Instant | None, Query(alias="to")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Entry]:
    """Return what was done, the newest first."""
    found = await trail.page(
        actor=actor,
        what=what,
        target=target,
        since=from_at,
        until=to_at,
        before=under_number(cursor),
        limit=limit,
    )
    return page_of(found, limit, lambda each: [each.id], Entry.of)
