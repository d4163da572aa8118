"""`/v1/deliveries`: what became of every message, and another try for those that failed."""

from collections import Counter
from dataclasses import asdict
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Self
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from services.notifier.api.desk import AtDesk, Writer
from services.notifier.destinations import kinds
from services.notifier.domain.addresses import DestinationKind
from services.notifier.domain.deliveries import Kind, State
from services.notifier.domain.holding import HoldReason
from services.notifier.store import listing, replays
from services.notifier.store.listing import AttemptRow, DeliveryRow
from shared.database.engine import Connection
from shared.events.base import Code
from shared.http.audit import doer_of
from shared.http.auth import Scope, require
from shared.http.pages import Cursor, Limit, Page, bad_cursor, decode_cursor, encode_cursor
from shared.http.problems import Problem, not_found

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])

_READ = [Depends(require(Scope.ALERTS_READ))]

COUNTED_FOR = timedelta(days=7)
"""How far back what is over and done is counted: it is counted anew for whoever looks."""


class RecipientsAnswer(BaseModel):
    """How far a message has come, where people are told by name.

    `overtaken` have heard of something newer before it was their turn.
    """

    left: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()
    in_doubt: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    overtaken: tuple[str, ...] = ()


class _Delivery(BaseModel):
    id: UUID
    kind: Kind
    alert_id: UUID | None
    alert_number: int | None
    revision: int | None
    event: str | None
    level: str | None
    destination: str | None
    state: State
    reason: str | None
    digest_id: UUID | None
    duplicate_possible: bool
    recipients: RecipientsAnswer | None
    next_at: datetime | None
    not_before: datetime | None
    held_for: HoldReason | None
    gather_key: str | None
    order_id: UUID | None
    recorded_at: datetime
    created_at: datetime
    sent_at: datetime | None


class DeliveryAnswer(_Delivery):
    """A delivery. `kind` is first, escalation, change, digest, order, report, test or meta.

    `reason` says why its state is so; `digest_id` names the digest it was merged into;
    `recorded_at` is when its alert was recorded; `attempts` is their number. What waits on purpose
    waits until `not_before`, because of `held_for`, and is one message then with all that has its
    `gather_key`. `order_id` is the purchase order that is mailed to its supplier.
    """

    attempts: int

    @classmethod
    def of(cls, row: DeliveryRow) -> Self:
        """Return a stored delivery as it is answered."""
        return cls.model_validate(row, from_attributes=True)


class AttemptAnswer(BaseModel):
    """An attempt; `rendered` is the text as it was sent (of an e-mail: its plain part)."""

    number: int
    started_at: datetime
    finished_at: datetime | None
    verdict: str | None
    code: str | None
    detail: str | None
    marked: bool
    rendered: str

    @classmethod
    def of(cls, row: AttemptRow) -> Self:
        """Return a stored attempt as it is answered."""
        return cls(
            number=row.number,
            started_at=row.started_at,
            finished_at=row.finished_at,
            verdict=row.verdict,
            code=row.code,
            detail=row.detail,
            marked=row.marked,
            rendered=kinds.read(DestinationKind(row.kind), row.rendered).text,
        )


class DeliveryDetail(_Delivery):
    """A delivery with all its attempts, oldest first."""

    attempts: list[AttemptAnswer]

    @classmethod
    def of(cls, row: DeliveryRow, attempts: list[AttemptRow]) -> Self:
        """Return a stored delivery as it is answered."""
        told = [AttemptAnswer.of(attempt) for attempt in attempts]
        return cls.model_validate({**asdict(row), "attempts": told})


class Summary(BaseModel):
    """Deliveries counted by state and by kind.

    All that wait, are being sent, are tried again or are dead; of the others those made `since` an
    instant. `lag_records` are alert messages not yet read, `behind_seconds` how long the oldest of
    them has waited, both null while the broker cannot say.
    """

    since: datetime
    by_state: dict[State, int]
    by_kind: dict[Kind, dict[State, int]]
    duplicates_possible: int
    lag_records: int | None
    behind_seconds: float | None


@router.get("", dependencies=_READ)
async def list_deliveries(
    desk: AtDesk,
    *,
    state: State | None = None,
    kind: Kind | None = None,
    alert_id: UUID | None = None,
    destination: Code | None = None,
    digest_id: UUID | None = None,
    order_id: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[DeliveryAnswer]:
    """Return deliveries, newest first."""
    before = id_before(cursor)
    rows = await desk.asked(
        lambda connection: listing.page(
            connection,
            state=state,
            kind=kind,
            alert_id=alert_id,
            destination=destination,
            digest_id=digest_id,
            order_id=order_id,
            before=before,
            limit=limit + 1,
        )
    )
    more = len(rows) > limit
    items = [DeliveryAnswer.of(row) for row in rows[:limit]]
    return Page(items=items, next_cursor=encode_cursor(str(items[-1].id)) if more else None)


def id_before(cursor: str | None) -> UUID | None:
    """Return the id that a page comes before; None: it is the first. Raises Problem 422."""
    if cursor is None:
        return None
    (position,) = decode_cursor(cursor, str)
    try:
        return UUID(str(position))
    except ValueError:
        raise bad_cursor() from None


@router.get("/summary", dependencies=_READ)
async def summarise(desk: AtDesk) -> Summary:
    """Return how many deliveries there are, and how far behind the notifier is."""
    # By the hour, so that who asks again and again sees what has changed.
    since = (desk.clock.now() - COUNTED_FOR).replace(minute=0, second=0, microsecond=0)
    tallies = await desk.asked(lambda connection: listing.tally(connection, since))
    lag = await desk.lag()
    by_state: Counter[State] = Counter()
    by_kind: dict[Kind, dict[State, int]] = {}
    for each in tallies:
        kind, state = Kind(each.kind), State(each.state)
        by_state[state] += each.amount
        by_kind.setdefault(kind, {})[state] = each.amount
    return Summary(
        since=since,
        by_state=dict(by_state),
        by_kind=by_kind,
        duplicates_possible=sum(each.duplicates for each in tallies),
        lag_records=None if lag is None else lag.records,
        behind_seconds=None if lag is None else lag.seconds,
    )


@router.get("/{id_}", dependencies=_READ)
async def get_delivery(desk: AtDesk, id_: UUID) -> DeliveryDetail:
    """Return a delivery with its attempts."""

    async def question(connection: Connection) -> DeliveryDetail | None:
        row = await listing.one(connection, id_)
        if row is None:
            return None
        return DeliveryDetail.of(row, await listing.attempts(connection, id_))

    found = await desk.asked(question)
    if found is None:
        raise not_found(f"delivery {id_}")
    return found


@router.post("/{id_}/retry")
async def retry(desk: AtDesk, id_: UUID, request: Request, caller: Writer) -> DeliveryAnswer:
    """Have a dead or failed delivery tried again at once; it is safe to ask twice.

    What tells of nothing any more is not sent, and its state says why.
    """
    doer = doer_of(request, caller, desk.clock.now())

    async def change(connection: Connection) -> tuple[State | None, DeliveryRow | None]:
        if await listing.is_for_disabled(connection, id_):
            raise disabled()
        before = await replays.try_again(connection, id_, doer)
        return before, await listing.one(connection, id_)

    before, after = await desk.asked(change)
    if before is None or after is None:
        raise not_found(f"delivery {id_}")
    if before not in {State.DEAD, State.FAILED, State.WAITING, State.SENDING}:
        raise Problem(HTTPStatus.CONFLICT, "not_retryable", _why_not(after), state=before)
    if after.state == State.DEAD:
        raise Problem(
            HTTPStatus.CONFLICT,
            "newer_under_way",
            "Something newer of its alert is being sent; try it again once that is sent or has "
            "failed.",
            state=before,
        )
    return DeliveryAnswer.of(after)


def disabled() -> Problem:
    """Return the answer (409) to whoever wants something sent where nothing may be."""
    return Problem(HTTPStatus.CONFLICT, "disabled", "The destination is disabled; enable it first.")


def _why_not(row: DeliveryRow) -> str:
    if row.state == State.MERGED:
        return f"It went into the digest {row.digest_id}; retry that one."
    return f"It is {row.state}; only dead and failed deliveries can be tried again."
