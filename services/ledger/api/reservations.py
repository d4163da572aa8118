"""`/v1/reservations`: hold stock for a while, all or nothing over some lines."""

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import blake2b
from http import HTTPStatus
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, Field, ValidationError

from services.ledger.api.dependencies import AtDesk, FromBooks
from services.ledger.domain import reservations as domain
from services.ledger.domain.reservations import (
    Ended,
    Fulfil,
    Once,
    Outcome,
    Release,
    Reserve,
    Reused,
    State,
    Unknown,
    Wanted,
)
from shared.events.base import MAX_QUANTITY, Code
from shared.http.auth import Caller, Scope, admit, require
from shared.http.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from shared.http.problems import MEDIA_TYPE, Problem, not_found
from shared.http.short_way import ShortWay

router = APIRouter(prefix="/v1/reservations", tags=["reservations"])

EXPIRES_SECONDS = 15 * 60
MAX_EXPIRES_SECONDS = 7 * 24 * 3600
MAX_LINES = 100
MAX_KEY = 200
"""Characters of an Idempotency-Key."""

Reference = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00]+$")]


class NewLine(BaseModel):
    """What a line wants; quantities in the SKU's base unit."""

    sku: Code
    warehouse: Code
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY, strict=True)]


class NewReservation(BaseModel):
    """What to hold, all or nothing.

    `reference` names the order that it is for: an `order_placed` of the same reference is the
    same promise. It is given back after `expires_in_seconds` unless it is fulfilled before.
    """

    lines: Annotated[list[NewLine], Field(min_length=1, max_length=MAX_LINES)]
    reference: Reference | None = None
    expires_in_seconds: Annotated[int, Field(ge=1, le=MAX_EXPIRES_SECONDS, strict=True)] = (
        EXPIRES_SECONDS
    )


class Line(BaseModel):
    """A line of a reservation, named by its place in the request, from 0."""

    line: str
    sku: str
    warehouse: str
    quantity: int


class Reservation(BaseModel):
    """A reservation; it may be fulfilled as long as it is `held`."""

    id: str
    reference: str | None
    state: State
    lines: list[Line]
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    behind_seconds: float | None

    @classmethod
    def of(cls, made: domain.Reservation, behind_seconds: float | None) -> Self:
        """Return a reservation as it is answered."""
        return cls(
            id=made.id,
            reference=made.reference,
            state=made.state,
            lines=[
                Line(line=each.line, sku=each.sku, warehouse=each.warehouse, quantity=each.quantity)
                for each in made.lines
            ],
            created_at=made.created_at,
            expires_at=made.expires_at,
            ended_at=made.ended_at,
            behind_seconds=behind_seconds,
        )


class Reservations(Page[Reservation]):
    """Reservations, the newest first."""


def present(
    behind_seconds: float | None, request: domain.Request, outcome: Outcome
) -> tuple[int, bytes]:
    """Return the status and the body that tell of what became of a request."""
    match outcome:
        case domain.Reservation():
            made = isinstance(request, Reserve)
            body = Reservation.of(outcome, behind_seconds).model_dump_json().encode()
            return (HTTPStatus.CREATED if made else HTTPStatus.OK), body
        case Unknown():
            problem = not_found(f"reservation {outcome.id}")
        case Ended():
            ended = outcome.reservation
            advice = (
                "its goods are shipped and nothing is held; report a return if they come back"
                if ended.state is State.FULFILLED
                else "nothing is held any more; make another one"
            )
            problem = Problem(
                HTTPStatus.CONFLICT,
                "reservation_ended",
                f"The reservation is {ended.state.value} since {ended.ended_at}: {advice}.",
                state=ended.state.value,
                behind_seconds=behind_seconds,
            )
        case Reused():
            problem = Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "This Idempotency-Key has asked for something else; send a new key with it.",
            )
        case lacking:
            problem = Problem(
                HTTPStatus.CONFLICT,
                "insufficient_stock",
                "Nothing is reserved; see lacking for what there is too little of.",
                lacking=[each._asdict() for each in lacking],
                behind_seconds=behind_seconds,
            )
    path = "/v1/reservations" + ("" if isinstance(request, Reserve) else f"/{request.id}")
    return problem.status, bytes(problem.response(path).body)


Writer = Annotated[Caller, Depends(require(Scope.RESERVATIONS_WRITE))]
_READING = [Depends(require(Scope.RESERVATIONS_WRITE, Scope.STOCK_READ))]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=MAX_KEY,
        description="The same key with the same content answers the same, for 7 days at least",
    ),
]
Id = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[0-9a-z]+$")]


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {MEDIA_TYPE: {"schema": {"type": "object"}}}}


_CREATED: dict[int | str, dict[str, Any]] = {
    409: _problem("`insufficient_stock`: `lacking` says which lines want how much too much"),
    422: _problem("`invalid`, or `idempotency_key_reused`"),
}
_TURNED: dict[int | str, dict[str, Any]] = {
    404: _problem("There is no such reservation"),
    409: _problem("`reservation_ended` otherwise"),
}


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    response_model=Reservation,
    responses=_CREATED,
)
async def create_reservation(
    new: NewReservation, desk: AtDesk, caller: Writer, idempotency_key: IdempotencyKey = None
) -> Response:
    """Hold stock for all lines, or answer 409 and hold nothing."""
    wanted = tuple(
        Wanted(str(place), each.sku, each.warehouse, each.quantity)
        for place, each in enumerate(new.lines)
    )
    asked = Reserve(
        desk.new_id(),
        wanted,
        new.reference,
        timedelta(seconds=new.expires_in_seconds),
        caller.subject,
        _once(caller, idempotency_key, "reserve", new.model_dump_json),
    )
    return _response(*await desk.ask(asked))


async def _created(request: Request) -> Response | None:
    """Answer a request that is as it should be; all others are left."""
    key = request.headers.get("idempotency-key")
    if request.headers.get("content-type") != "application/json" or (
        key is not None and not 1 <= len(key) <= MAX_KEY
    ):
        return None
    try:
        new = NewReservation.model_validate_json(await request.body())
    except ValidationError:
        return None
    caller = await admit(request, Scope.RESERVATIONS_WRITE)
    return await create_reservation(new, request.app.state.desk, caller, key)


SHORT_WAY = ShortWay("POST", "/v1/reservations", _created)


@router.post("/{reservation_id}/fulfil", response_model=Reservation, responses=_TURNED)
async def fulfil_reservation(
    reservation_id: Id, desk: AtDesk, caller: Writer, idempotency_key: IdempotencyKey = None
) -> Response:
    """Take what is held from the shelf; what channels reported as shipped is not taken again."""
    once = _once(caller, idempotency_key, "fulfil", lambda: reservation_id)
    return _response(*await desk.ask(Fulfil(reservation_id, caller.subject, once)))


@router.delete("/{reservation_id}", response_model=Reservation, responses=_TURNED)
async def release_reservation(reservation_id: Id, desk: AtDesk, caller: Writer) -> Response:
    """Give back what is held, unless channels have reported all of it as shipped (409)."""
    return _response(*await desk.ask(Release(reservation_id, caller.subject)))


@router.get("/{reservation_id}", dependencies=_READING)
async def reservation(reservation_id: Id, ledger: FromBooks) -> Reservation:
    """Return a reservation as it is. Needs `reservations:write` or `stock:read`."""
    found = await ledger.reservation(reservation_id)
    if found is None:
        raise not_found(f"reservation {reservation_id}")
    return Reservation.of(found, await ledger.behind_seconds())


@router.get("", dependencies=_READING)
async def list_reservations(
    ledger: FromBooks,
    reference: Annotated[Reference | None, Query()] = None,
    sku: Code | None = None,
    state: State | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Reservations:
    """Return reservations, the newest first. Needs `reservations:write` or `stock:read`."""
    before = str(decode_cursor(cursor, str)[0]) if cursor else None
    found = await ledger.reservations(
        reference=reference, state=state, sku=sku, before=before, limit=limit
    )
    behind_seconds = await ledger.behind_seconds()
    return Reservations(
        items=[Reservation.of(each, behind_seconds) for each in found],
        next_cursor=encode_cursor(found[-1].id) if len(found) == limit else None,
    )


def _once(caller: Caller, key: str | None, act: str, content: Callable[[], str]) -> Once | None:
    """Return what makes a repeat of a request answer the same: keys are a caller's own."""
    if key is None:
        return None
    told = f"{act}\0{content()}".encode()
    return Once(
        blake2b(f"{caller.subject}\0{key}".encode(), digest_size=16).digest(),
        int.from_bytes(blake2b(told, digest_size=8).digest()) >> 1,
    )


def _response(status: int, body: bytes) -> Response:
    media_type = "application/json" if status < HTTPStatus.BAD_REQUEST else MEDIA_TYPE
    return Response(body, status, media_type=media_type)
