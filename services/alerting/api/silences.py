"""`/v1/silences`: for a while people are not told of some alerts."""

from dataclasses import asdict
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.alerting.api.desk import AtDesk, IdempotencyKey, doer_of, id_of_made, key_reused
from services.alerting.domain.texts import NO_NUL, Label
from services.alerting.store import silences
from services.alerting.store.audit import What
from services.alerting.store.silences import Silence as StoredSilence
from shared.database import audit
from shared.database.audit import Done
from shared.database.engine import Connection
from shared.events.base import Code, Instant
from shared.http.auth import Caller, Scope, require
from shared.http.pages import Cursor, Limit, Page, before_moment, page_of
from shared.http.problems import Problem, not_found

router = APIRouter(
    prefix="/v1/silences", tags=["silences"], dependencies=[Depends(require(Scope.ALERTS_READ))]
)

LONGEST = timedelta(days=366)
"""A silence without an end is a rule that should be switched off."""

Author = Annotated[Caller, Depends(require(Scope.ALERTS_WRITE))]


class NewSilence(BaseModel):
    """What is silenced: alerts that agree in all that is given, one thing at the least.

    Without `starts_at` it begins at once. `comment` says to others why.
    """

    model_config = ConfigDict(extra="forbid")

    rule: Code | None = None
    sku: Code | None = None
    warehouse: Code | None = None
    labels: Annotated[dict[Label, Label], Field(max_length=20)] = Field(default_factory=dict)
    starts_at: Instant | None = None
    ends_at: Instant
    comment: Annotated[str, StringConstraints(min_length=1, max_length=1_000, pattern=NO_NUL)]

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.rule or self.sku or self.warehouse or self.labels):
            raise ValueError("name a rule, a sku, a warehouse or labels: not everything at once")
        return self


class Silence(BaseModel):
    """A silence; it is in force from `starts_at` until `ends_at`."""

    id: UUID
    rule: str | None
    sku: str | None
    warehouse: str | None
    labels: dict[str, str]
    starts_at: datetime
    ends_at: datetime
    comment: str
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, stored: StoredSilence) -> Self:
        """Return a stored silence as it is answered."""
        return cls.model_validate(stored, from_attributes=True)


@router.get("")
async def list_silences(
    at: AtDesk, *, ended: bool = False, cursor: Cursor = None, limit: Limit = 100
) -> Page[Silence]:
    """Return silences, the newest first; `ended=true` shows those that are over as well."""
    before, now = before_moment(cursor), at.clock.now()
    found = await at.ask(
        lambda connection: silences.page(
            connection, in_force=not ended, now=now, before=before, limit=limit
        )
    )
    return page_of(
        found, limit, lambda each: [each.created_at.isoformat(), str(each.id)], Silence.of
    )


@router.post("", status_code=HTTPStatus.CREATED)
async def add_silence(
    new: NewSilence,
    request: Request,
    at: AtDesk,
    author: Author,
    idempotency_key: IdempotencyKey = None,
) -> Silence:
    """Keep some alerts from people for a while. They go on being recorded.

    What opens meanwhile and still holds at the end is told then, once. The end of an alert that
    was announced before is told at any time. The same Idempotency-Key makes one silence only;
    with another silence, 422.
    """
    now = at.clock.now()
    starts_at = new.starts_at or now
    if new.ends_at <= max(now, starts_at) or new.ends_at - starts_at > LONGEST:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "silence_out_of_range",
            "ends_at must lie ahead, after starts_at and no more than 366 days after it.",
        )
    silence = StoredSilence(
        id=id_of_made("silence", author, idempotency_key),
        rule=new.rule,
        sku=new.sku,
        warehouse=new.warehouse,
        labels=new.labels,
        starts_at=starts_at,
        ends_at=new.ends_at,
        comment=new.comment,
        created_by=author.subject,
        created_at=now,
    )

    doer = doer_of(request, author, at)

    async def add(connection: Connection) -> StoredSilence | None:
        if await silences.add(connection, silence):
            done = Done(What.SILENCE_ADDED, str(silence.id), after=asdict(silence))
            await audit.add(connection, doer, done)
            return silence
        made = await silences.one(connection, silence.id)
        if made is not None and _but_for_its_times(made) != _but_for_its_times(silence):
            raise key_reused("silence")
        return made

    return _answer(silence.id, await at.change(add))


@router.get("/{silence_id}")
async def get_silence(silence_id: UUID, at: AtDesk) -> Silence:
    """Return a silence."""
    found = await at.ask(lambda connection: silences.one(connection, silence_id))
    return _answer(silence_id, found)


@router.delete("/{silence_id}")
async def end_silence(silence_id: UUID, request: Request, at: AtDesk, author: Author) -> Silence:
    """End a silence now; one that is over stays as it is."""
    doer = doer_of(request, author, at)

    async def end(connection: Connection) -> StoredSilence | None:
        before = await silences.one(connection, silence_id)
        await silences.end(connection, silence_id, doer.at)
        after = await silences.one(connection, silence_id)
        if before is not None and after is not None and before != after:
            ends = [{"ends_at": each.ends_at} for each in (before, after)]
            await audit.add(connection, doer, Done(What.SILENCE_ENDED, str(silence_id), *ends))
        return after

    return _answer(silence_id, await at.change(end))


def _answer(silence_id: UUID, found: StoredSilence | None) -> Silence:
    if found is None:
        raise not_found(f"silence {silence_id}")
    return Silence.of(found)


def _but_for_its_times(silence: StoredSilence) -> tuple[object, ...]:
    """Return what a repeated request says again: it may begin now, and have been ended since."""
    return silence.rule, silence.sku, silence.warehouse, silence.labels, silence.comment
