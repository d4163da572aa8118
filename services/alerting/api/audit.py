"""`/v1/audit`: everything that people did, who, when, from where; it can only be read."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from services.alerting.api.desk import AtDesk
from services.alerting.store import audit
from services.alerting.store.audit import Audited
from shared.events.base import Code, Instant
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, page_of, under_number

router = APIRouter(
    prefix="/v1/audit", tags=["audit"], dependencies=[Depends(require(Scope.CONFIG_WRITE))]
)


class Entry(BaseModel):
    """Something done: `address` is the client's, `via` what program it said it is.

    `before` is null for what was not there, `after` for what is not any more; of parameters and
    alerts only what the act is about.
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


@router.get("")
async def list_entries(
    at: AtDesk,
    actor: Code | None = None,
    what: Annotated[
        Code | None, Query(description="`rule.put`, or `rule` for all that is done to rules")
    ] = None,
    target: Annotated[
        str | None,
        Query(
            max_length=300,
            pattern=r"^[^\x00]*$",
            description="The id of what it was done to; of parameters SKU|warehouse",
        ),
    ] = None,
    from_at: Annotated[Instant | None, Query(alias="from")] = None,
    to_at: Annotated[Instant | None, Query(alias="to")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Entry]:
    """Return what was done, the newest first."""
    before = under_number(cursor)
    found = await at.ask(
        lambda connection: audit.page(
            connection,
            actor=actor,
            what=what,
            target=target,
            since=from_at,
            until=to_at,
            before=before,
            limit=limit,
        )
    )
    return page_of(found, limit, lambda each: [each.id], Entry.of)
