"""`/v1/deliveries/replay`: what died at a destination once more, and who asked for it."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.notifier.api.deliveries import disabled, id_before
from services.notifier.api.desk import AtDesk, Writer
from services.notifier.api.destinations import found_destination
from services.notifier.store import replays
from services.notifier.store.dead_letters import Became, Sought
from services.notifier.store.replays import KeyReused, Replay
from shared.database.engine import Connection
from shared.events.base import Code, Instant
from shared.http.audit import doer_of
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, page_of
from shared.http.problems import Problem

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])

_READ = [Depends(require(Scope.CONFIG_WRITE))]

MOST = 1_000
"""Messages of one replay. Each is locked, a digest with all that it was made of, until all of them
are decided on."""


VendorCode = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]


class ReplayBody(BaseModel):
    """What is to be sent again: all that died at a destination, as far as the rest agrees.

    `code` is that of the last attempt (the vendor's errcode, an HTTP status, an SMTP code), `since`
    and `until` are when it died. `limit` counts messages: a digest is one, whatever it was made of.
    `dry_run` only counts.
    """

    model_config = ConfigDict(extra="forbid")

    destination: Code
    code: VendorCode | None = None
    since: Instant | None = None
    until: Instant | None = None
    limit: Annotated[int, Field(ge=1, le=MOST)] = 500
    dry_run: bool = False


class ReplayAnswer(BaseModel):
    """What becomes of the `found` messages that died there: the oldest are replayed first.

    A digest is one of them, replayed if anything of it is: then it is taken apart.

    `replayed` wait again, within the destination's limits, by their kind and level. `superseded`
    tell of what is past by now, `untold` of the end of what nobody there was told of: neither is
    sent. `left` were more than `limit`, or something newer of their alert is just being sent; ask
    again for those, with another Idempotency-Key.
    """

    dry_run: bool
    found: int
    replayed: int
    superseded: int
    untold: int
    left: int

    @classmethod
    def of(cls, became: Became, *, dry_run: bool) -> Self:
        """Return what becomes of them as it is answered."""
        return cls(dry_run=dry_run, **became._asdict())


class ReplayEntry(BaseModel):
    """Who had what sent again: `address` is the client's, `via` what program it said it is.

    `asked` are the conditions, or the one delivery that was retried; `became` is the answer;
    `deliveries` are those that wait again.
    """

    id: UUID
    at: datetime
    actor: str
    address: str | None
    via: str | None
    asked: dict[str, object]
    became: dict[str, int]
    deliveries: list[UUID]

    @classmethod
    def of(cls, stored: Replay) -> Self:
        """Return a stored entry as it is answered."""
        return cls(**stored._asdict())


@router.post("/replay")
async def replay(
    desk: AtDesk,
    body: ReplayBody,
    request: Request,
    caller: Writer,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> ReplayAnswer:
    """Have sent again what died at a destination, or count it first.

    What is out of date is not sent. The same Idempotency-Key with the same conditions returns the
    first answer; with others, 422.
    """
    destination = await found_destination(desk, body.destination)
    if not destination.enabled:
        raise disabled()
    sought = Sought(body.destination, body.code, body.since, body.until)
    doer = doer_of(request, caller, desk.clock.now())
    key = None if idempotency_key is None else f"{caller.subject}:{idempotency_key}"

    async def ask(connection: Connection) -> Became:
        if body.dry_run:
            return await replays.preview(connection, sought, most=body.limit)
        return await replays.replay(connection, sought, doer, most=body.limit, key=key)

    try:
        became = await desk.asked(ask)
    except KeyReused as error:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "This Idempotency-Key has made another replay; send a new key with a new replay.",
        ) from error
    return ReplayAnswer.of(became, dry_run=body.dry_run)


@router.get("/replays", dependencies=_READ)
async def list_replays(
    desk: AtDesk, *, cursor: Cursor = None, limit: Limit = 100
) -> Page[ReplayEntry]:
    """Return who had what sent again, the newest first, retries of single ones among them."""
    before = id_before(cursor)
    found = await desk.asked(
        lambda connection: replays.page(connection, before=before, limit=limit)
    )
    return page_of(found, limit, lambda each: [str(each.id)], ReplayEntry.of)
