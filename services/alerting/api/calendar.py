"""`/v1/calendar`: promotions and holidays, in whose windows rules warn otherwise."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.alerting.api.desk import (
    AtDesk,
    Editor,
    IdempotencyKey,
    doer_of,
    id_of_made,
    key_reused,
)
from services.alerting.domain.calendar import Occasion as DomainOccasion
from services.alerting.domain.texts import Label, Text
from services.alerting.store import calendar, rules
from services.alerting.store.audit import What
from services.alerting.store.calendar import StoredOccasion
from shared.database import audit
from shared.database.audit import Done
from shared.database.engine import Connection
from shared.events.base import Code, Instant
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, before_moment, page_of
from shared.http.problems import not_found

router = APIRouter(
    prefix="/v1/calendar", tags=["calendar"], dependencies=[Depends(require(Scope.ALERTS_READ))]
)

LONGEST = timedelta(days=366)
"""A longer window is a rule that should be changed."""


class _Said(BaseModel):
    name: Annotated[dict[Literal["zh-CN", "en"], Text], Field(min_length=1)]
    kind: Literal["promotion", "holiday"] = "promotion"
    starts_at: Instant
    ends_at: Instant
    rule: Code | None = None
    sku: Code | None = None
    warehouse: Code | None = None
    labels: Annotated[dict[Label, Label], Field(max_length=20)] = Field(default_factory=dict)
    factor: Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False)] = 1
    shift: Annotated[int, Field(ge=-2, le=2)] = 0
    mute: bool = False


class NewOccasion(_Said):
    """An occasion to be entered: in its window it is for all rules that agree in all that is given.

    `factor` multiplies enter and exit limits (not those of `custom`, `data_doubt` and
    `broken_size_run`, which have no unit), `shift` makes levels more severe (or less, under 0),
    `mute` lets nothing open; what is open goes on.
    """

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not timedelta() < self.ends_at - self.starts_at <= LONGEST:
            raise ValueError("ends_at must be after starts_at, and no more than 366 days after it")
        if self.factor == 1 and not self.shift and not self.mute:
            raise ValueError("say what it does: a factor other than 1, a shift, or mute")
        return self

    def occasion(self, id_: UUID) -> DomainOccasion:
        """Return it as it is evaluated."""
        return DomainOccasion(id_, **self.model_dump(exclude={"kind"}))


class Occasion(_Said):
    """An occasion, and who entered it; one that was ended before it began ends as it begins."""

    id: UUID
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, stored: StoredOccasion) -> Self:
        """Return a stored occasion as it is answered."""
        said = stored.occasion
        return cls.model_validate(
            {name: getattr(said, name) for name in _Said.model_fields if name != "kind"}
            | {
                "kind": stored.kind,
                "id": said.id,
                "created_by": stored.created_by,
                "created_at": stored.created_at,
            }
        )


@router.get("")
async def list_occasions(
    at: AtDesk, *, ended: bool = False, cursor: Cursor = None, limit: Limit = 100
) -> Page[Occasion]:
    """Return occasions, the latest first; `ended=true` shows those that are over as well."""
    before, now = before_moment(cursor), at.clock.now()
    found = await at.ask(
        lambda connection: calendar.page(
            connection, in_force=not ended, now=now, before=before, limit=limit
        )
    )
    return page_of(
        found,
        limit,
        lambda each: [each.occasion.starts_at.isoformat(), str(each.occasion.id)],
        Occasion.of,
    )


@router.post("", status_code=HTTPStatus.CREATED)
async def add_occasion(
    new: NewOccasion,
    request: Request,
    at: AtDesk,
    editor: Editor,
    idempotency_key: IdempotencyKey = None,
) -> Occasion:
    """Enter an occasion. Levels are looked at anew when its window begins and when it ends.

    The same Idempotency-Key with the same occasion returns the first answer; with another, 422.
    """
    doer = doer_of(request, editor, at)
    stored = StoredOccasion(
        kind=new.kind,
        occasion=new.occasion(id_of_made("occasion", editor, idempotency_key)),
        created_by=doer.actor,
        created_at=doer.at,
    )

    async def add(connection: Connection) -> StoredOccasion:
        await rules.begin_edit(connection)
        made = await calendar.one(connection, stored.occasion.id)
        if made is None:
            await calendar.add(connection, stored)
            after = new.model_dump(mode="json")
            added = Done(What.OCCASION_ADDED, str(stored.occasion.id), None, after)
            await audit.add(connection, doer, added)
            return stored
        if (made.kind, made.occasion) != (stored.kind, stored.occasion):
            raise key_reused("occasion")
        return made

    return Occasion.of(await at.change(add))


@router.get("/{occasion_id}")
async def get_occasion(occasion_id: UUID, at: AtDesk) -> Occasion:
    """Return an occasion."""
    return _answer(occasion_id, await at.ask(lambda each: calendar.one(each, occasion_id)))


@router.delete("/{occasion_id}")
async def end_occasion(occasion_id: UUID, request: Request, at: AtDesk, editor: Editor) -> Occasion:
    """End an occasion now: rules go on as without it. One that is over stays as it is."""
    doer = doer_of(request, editor, at)

    async def end(connection: Connection) -> StoredOccasion | None:
        await rules.begin_edit(connection)
        before = await calendar.one(connection, occasion_id)
        await calendar.end(connection, occasion_id, doer.at)
        after = await calendar.one(connection, occasion_id)
        if before is not None and after is not None and before != after:
            ends = [{"ends_at": each.occasion.ends_at} for each in (before, after)]
            await audit.add(connection, doer, Done(What.OCCASION_ENDED, str(occasion_id), *ends))
        return after

    return _answer(occasion_id, await at.change(end))


def _answer(occasion_id: UUID, found: StoredOccasion | None) -> Occasion:
    if found is None:
        raise not_found(f"occasion {occasion_id}")
    return Occasion.of(found)
