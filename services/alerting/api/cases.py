"""`/v1/cases`: stock-outs that were announced late or never, until what follows of them is done."""

from dataclasses import asdict
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from services.alerting.api.acting import Actor
from services.alerting.api.desk import (
    AtDesk,
    Desk,
    IdempotencyKey,
    Question,
    doer_of,
    id_of_made,
    key_reused,
)
from services.alerting.domain.cause import Cause
from services.alerting.domain.texts import Words
from services.alerting.store import cases, parameters, people
from services.alerting.store.audit import What
from services.alerting.store.cases import Case as StoredCase
from services.alerting.store.cases import CaseState, NewCase
from shared.database import audit
from shared.database.audit import Done
from shared.database.engine import Connection
from shared.events.base import Code, Instant
from shared.http.auth import Caller, Scope, require
from shared.http.pages import Cursor, Limit, Page, page_of, under_number
from shared.http.problems import Problem, not_found

router = APIRouter(
    prefix="/v1/cases", tags=["cases"], dependencies=[Depends(require(Scope.ALERTS_READ))]
)


class Sign(BaseModel):
    """What in the log speaks for a cause; further members are the values that say so."""

    model_config = ConfigDict(extra="allow")

    cause: Cause


class Case(BaseModel):
    """A case. `signs` are proposed from the log, the most telling first.

    `warned_at` is the first notice that people had; `back_at` when there was stock again;
    `overdue` that the measure was due before today (UTC). `opened_by` is null for one that became
    a case by itself.
    """

    id: UUID
    number: int
    state: CaseState
    sku: str
    warehouse: str
    owner: str | None
    ran_out_at: datetime
    back_at: datetime | None
    warned_at: datetime | None
    signs: list[Sign]
    opened_at: datetime
    opened_by: str | None
    note: str | None
    cause: Cause | None
    measure: str | None
    measure_due: date | None
    overdue: bool
    confirmed_at: datetime | None
    confirmed_by: str | None
    closed_at: datetime | None
    closed_by: str | None
    outcome: str | None

    @classmethod
    def of(cls, stored: StoredCase, today: date) -> Self:
        """Return a stored case as it is answered."""
        due = stored.measure_due
        overdue = stored.state == "confirmed" and due is not None and due < today
        return cls.model_validate({**asdict(stored), "overdue": overdue})


class CaseCounts(BaseModel):
    """Cases counted by state; `overdue` are confirmed ones whose measure is."""

    open: int
    confirmed: int
    closed: int
    overdue: int


class Missed(BaseModel):
    """A stock-out that nobody was warned of (漏报), as a person found it.

    `ran_out_at` left out: now. Whose it is follows from the table of responsibilities.
    """

    model_config = ConfigDict(extra="forbid")

    sku: Code
    warehouse: Code
    ran_out_at: Instant | None = None
    note: Words


class Confirmation(BaseModel):
    """What the cause was, what is done so that it does not happen again, and by when."""

    model_config = ConfigDict(extra="forbid")

    cause: Cause
    measure: Words
    due: date


class Closing(BaseModel):
    """What came of the measure."""

    model_config = ConfigDict(extra="forbid")

    outcome: Annotated[Words, Field(description="What was done, and whether it helped")]


@router.get("")
async def list_cases(
    at: AtDesk,
    *,
    state: CaseState | None = None,
    owner: Code | None = None,
    overdue: bool = False,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Case]:
    """Return cases, the newest first; `overdue=true` those whose measure is."""
    before = under_number(cursor)
    today = _today(at)
    found = await at.ask(
        lambda connection: cases.page(
            connection,
            state=state,
            owner=owner,
            overdue=overdue,
            today=today,
            before=before,
            limit=limit,
        )
    )
    return page_of(found, limit, lambda each: [each.number], lambda each: Case.of(each, today))


@router.get("/summary")
async def summary(at: AtDesk) -> CaseCounts:
    """Return how many cases there are, and how many measures are overdue."""
    today = _today(at)
    counts = await at.ask(lambda connection: cases.counts(connection, today))
    return CaseCounts.model_validate(counts, from_attributes=True)


@router.get("/{case_id}")
async def get_case(case_id: UUID, at: AtDesk) -> Case:
    """Return a case."""
    found = await at.ask(lambda connection: cases.one(connection, case_id))
    if found is None:
        raise _unknown(case_id)
    return Case.of(found, _today(at))


@router.post("", status_code=HTTPStatus.CREATED)
async def open_case(
    missed: Missed,
    request: Request,
    at: AtDesk,
    author: Actor,
    idempotency_key: IdempotencyKey = None,
) -> Case:
    """Open a case of a stock-out without a warning; a stock-out that has one already keeps it.

    The same Idempotency-Key makes one case only; with another one, 422.
    """
    doer = doer_of(request, author, at)
    case_id = id_of_made("case", author, idempotency_key)
    item = at.item(missed.sku, needed=True)
    category = None if item is None else item.category

    async def opened(connection: Connection) -> StoredCase | None:
        ran_out_at = missed.ran_out_at or doer.at
        known = await cases.stock_out_at(connection, missed.sku, missed.warehouse, ran_out_at)
        stock_out, began_at = (None, ran_out_at) if known is None else known
        table = await people.responsibilities(connection)
        given = await parameters.of_level(connection, missed.sku, missed.warehouse)
        new = NewCase(
            id=case_id,
            sku=missed.sku,
            warehouse=missed.warehouse,
            owner=table.of(category, missed.warehouse, doer.at, given.supplier),
            stock_out=stock_out,
            ran_out_at=began_at,
            warned_at=None,
            signs=(),
            opened_at=doer.at,
            opened_by=author.subject,
            note=missed.note,
        )
        if await cases.add(connection, new):
            done = Done(What.CASE_OPENED, str(case_id), after=missed.model_dump(mode="json"))
            await audit.add(connection, doer, done)
        found = await cases.one(connection, case_id)
        if found is None and stock_out is not None:
            return await cases.of_stock_out(connection, stock_out)
        said = (missed.sku, missed.warehouse, missed.note)
        if found is not None and (found.sku, found.warehouse, found.note) != said:
            raise key_reused("case")
        return found

    found = await at.change(opened)
    if found is None:
        raise _unknown(case_id)
    return Case.of(found, _today(at))


@router.post("/{case_id}/confirm")
async def confirm_case(
    case_id: UUID, body: Confirmation, request: Request, at: AtDesk, author: Actor
) -> Case:
    """Say what the cause was and what follows; its owner does, or whoever may change rules.

    It may be said anew until the case is closed.
    """
    doer = doer_of(request, author, at)

    async def confirm(connection: Connection) -> StoredCase | None:
        before = await _changeable(connection, case_id, author)
        said = body.model_dump(mode="json")
        if _said(before) != said:
            await cases.confirm(
                connection,
                case_id,
                cause=body.cause,
                measure=body.measure,
                due=body.due,
                by=author.subject,
                now=doer.at,
            )
            done = Done(What.CASE_CONFIRMED, str(case_id), _said(before), said)
            await audit.add(connection, doer, done)
        return await cases.one(connection, case_id)

    return await _changed(at, case_id, confirm)


@router.post("/{case_id}/close")
async def close_case(
    case_id: UUID, body: Closing, request: Request, at: AtDesk, author: Actor
) -> Case:
    """Say that the measure is taken.

    A case is confirmed first; closing it again changes nothing.
    """
    doer = doer_of(request, author, at)

    async def close(connection: Connection) -> StoredCase | None:
        found = await cases.one(connection, case_id, lock=True)
        if found is not None and found.state == "closed" and found.outcome == body.outcome:
            return found
        before = await _changeable(connection, case_id, author)
        if before.state == "open":
            raise Problem(
                HTTPStatus.CONFLICT,
                "not_confirmed",
                "Confirm the case first: its cause, a measure and a date.",
            )
        await cases.close(connection, case_id, outcome=body.outcome, by=author.subject, now=doer.at)
        done = Done(What.CASE_CLOSED, str(case_id), after={"outcome": body.outcome})
        await audit.add(connection, doer, done)
        return await cases.one(connection, case_id)

    return await _changed(at, case_id, close)


async def _changeable(connection: Connection, case_id: UUID, author: Caller) -> StoredCase:
    """Return a case, locked.

    Raises Problem 404 when it is unknown, 409 when it is closed, 403 when it is another's.
    """
    found = await cases.one(connection, case_id, lock=True)
    if found is None:
        raise _unknown(case_id)
    if found.state == "closed":
        raise Problem(
            HTTPStatus.CONFLICT,
            "already_closed",
            f"Case {found.number} is closed; open a new one if it happened again.",
        )
    if found.owner not in {None, author.subject} and not author.may(Scope.CONFIG_WRITE):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "not_the_owner",
            f"Case {found.number} is {found.owner}'s; ask them, or somebody who may change rules.",
        )
    return found


async def _changed(at: Desk, case_id: UUID, change: Question[StoredCase | None]) -> Case:
    found = await at.change(change)
    if found is None:
        raise _unknown(case_id)
    return Case.of(found, _today(at))


def _said(case: StoredCase) -> dict[str, object] | None:
    if case.cause is None or case.measure_due is None:
        return None
    due = case.measure_due.isoformat()
    return {"cause": case.cause.value, "measure": case.measure, "due": due}


def _today(at: Desk) -> date:
    return at.clock.now().astimezone(UTC).date()


def _unknown(case_id: UUID) -> Problem:
    return not_found(f"case {case_id}")
