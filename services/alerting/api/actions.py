"""`/v1/alerts/{id}/actions` and `/v1/actions`: what is done about alerts."""

from collections.abc import Sequence
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from services.alerting.api.acting import Actor
from services.alerting.api.action_bodies import (
    Action,
    ActionWithHistory,
    NewAction,
    Ordering,
    PastStep,
    Remark,
)
from services.alerting.api.desk import AtDesk, Desk, IdempotencyKey, Question, doer_of
from services.alerting.domain.actions import Step
from services.alerting.domain.refusals import (
    Covered,
    FromItself,
    KeyReused,
    LimitTooLow,
    NoLevel,
    OwnRequest,
    WrongState,
)
from services.alerting.store import action_rows, actions, alerts, calls
from services.alerting.store.actions import Wanted
from services.alerting.store.acts import By, Resolved
from services.alerting.store.stored_action import StoredAction
from shared.database.engine import Connection
from shared.errors import LowtideError
from shared.events.base import Code
from shared.events.stock_alerts import ActionKind, ActionState
from shared.http.auth import Caller, Scope, require
from shared.http.pages import Cursor, Limit, Page, page_of, under_number
from shared.http.problems import Problem, not_found

router = APIRouter(tags=["actions"], dependencies=[Depends(require(Scope.ALERTS_READ))])


@router.post("/v1/alerts/{alert_id}/actions", status_code=HTTPStatus.CREATED)
async def add_action(
    alert_id: UUID,
    new: NewAction,
    request: Request,
    at: AtDesk,
    caller: Actor,
    idempotency_key: IdempotencyKey = None,
) -> ActionWithHistory:
    """Have something done about an alert.

    It is approved at once, and a purchase collected into its supplier's open order, unless all
    that is bought for the shortage costs more than the caller's limit: then it is proposed until
    somebody else approves it. 409 `covered` names an action because of which the shortage is
    covered already. The same Idempotency-Key with the same body makes one action only.
    """
    key = None if idempotency_key is None else f"{caller.subject}:{idempotency_key}"
    category = await _category(at, alert_id, needed=new.kind is ActionKind.BUY)

    async def add(connection: Connection) -> StoredAction | None:
        wanted = Wanted(
            kind=new.kind,
            quantity=new.quantity,
            source=new.source,
            supplier=new.supplier,
            due_at=new.due_at,
            reason=new.reason,
            category=category,
            key=key,
            asked=None if key is None else new.model_dump_json(),
        )
        return await actions.request(connection, alert_id, wanted, by_of(at, request, caller, new))

    return await _done(at, f"alert {alert_id}", add)


@router.get("/v1/actions")
async def list_actions(
    at: AtDesk,
    state: ActionState | None = None,
    kind: ActionKind | None = None,
    supplier: Code | None = None,
    owner: Code | None = None,
    alert: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Action]:
    """Return actions, the newest first; `owner` is that of the alert."""
    asked = {
        "state": state,
        "kind": kind,
        "supplier": supplier,
        "owner": owner,
        "alert_id": alert,
    }
    wanted: dict[str, object] = {name: each for name, each in asked.items() if each is not None}
    before = under_number(cursor)

    async def listed(connection: Connection) -> list[Action]:
        found = await action_rows.page(connection, wanted, before, limit)
        return await answered(connection, found)

    return page_of(await at.ask(listed), limit, lambda each: [each.number], lambda each: each)


@router.get("/v1/actions/{action_id}")
async def get_action(action_id: UUID, at: AtDesk) -> ActionWithHistory:
    """Return an action with its history."""
    return await _with_history(at, action_id, f"action {action_id}")


@router.post("/v1/actions/{action_id}/approve")
async def approve(
    action_id: UUID, request: Request, at: AtDesk, caller: Actor, body: Remark | None = None
) -> ActionWithHistory:
    """Approve what somebody else has asked for, within one's own limit.

    409 `covered` names an action that covers the shortage by now: turn the request down, or cancel
    that action first; what a supplier offers above an order is not held against it. Doing it again
    changes nothing, here as with all that follows; 409 `wrong_state` where it cannot be done.
    """
    found = await at.ask(lambda connection: action_rows.one(connection, action_id))
    category = None if found is None else await _category(at, found.alert_id, needed=True)
    by = by_of(at, request, caller, body)
    return await _done(
        at, f"action {action_id}", lambda each: actions.approve(each, action_id, category, by)
    )


@router.post("/v1/actions/{action_id}/order")
async def order(
    action_id: UUID, request: Request, at: AtDesk, caller: Actor, body: Ordering | None = None
) -> ActionWithHistory:
    """Say that a purchase is ordered, or a transfer under way, by itself.

    A purchase becomes an order of its own, and ingest is told of what is expected; done again, it
    is told again of what it has refused.
    """
    by = by_of(at, request, caller, body)
    said = body or Ordering()

    async def note(connection: Connection) -> StoredAction | None:
        return await actions.order(
            connection, action_id, by, due_at=said.due_at, reference=said.reference
        )

    return await _done(at, f"action {action_id}", note)


def _ending(path: str, step: Step, description: str) -> None:
    """Add the route of a step that ends an action."""

    async def endpoint(
        action_id: UUID, request: Request, at: AtDesk, caller: Actor, body: Remark | None = None
    ) -> ActionWithHistory:
        by = by_of(at, request, caller, body)
        return await _done(
            at, f"action {action_id}", lambda each: actions.end(each, action_id, step, by)
        )

    router.add_api_route(
        f"/v1/actions/{{action_id}}/{path}",
        endpoint,
        methods=["POST"],
        name=path,
        description=description,
    )


_ending("reject", Step.REJECT, "Turn down what somebody has asked for.")
_ending(
    "cancel",
    Step.CANCEL,
    "Give up what is not over. Ingest is told that what was ordered will not come; the supplier "
    "you have to tell yourself.",
)
_ending("receive", Step.RECEIVE, "Say that it has arrived; a receipt of its reference does so too.")
_ending("done", Step.FINISH, "Say that it is done; a count is done when the level was counted.")


def by_of(at: Desk, request: Request, caller: Caller, body: Remark | None) -> By:
    """Return who does something, and what is said to it."""
    note = None if body is None else body.note
    doer = doer_of(request, caller, at)
    return By(caller.subject, note, doer.at, request.state.traceparent, doer)


async def answered(connection: Connection, found: Sequence[StoredAction]) -> list[Action]:
    """Return stored actions as they are answered."""
    telling = await calls.standing(connection, [each.id for each in found])
    return [Action.of(each, telling) for each in found]


async def _category(at: Desk, alert_id: UUID, *, needed: bool) -> str | None:
    """Return the category of an alert's SKU: who may spend how much on it depends on that."""
    found = await at.ask(lambda connection: alerts.one(connection, alert_id))
    item = None if found is None else at.item(found.sku, needed=needed)
    return None if item is None else item.category


async def _done(at: Desk, what: str, act: Question[StoredAction | None]) -> ActionWithHistory:
    try:
        action = await at.change(act)
    except LowtideError as error:
        raise _problem(error) from error
    if action is None:
        raise not_found(what)
    return await _with_history(at, action.id, what)


def _problem(error: LowtideError) -> Exception:
    match error:
        case Resolved():
            return Problem(HTTPStatus.CONFLICT, "already_resolved", str(error))
        case Covered():
            return Problem(HTTPStatus.CONFLICT, "covered", str(error), action=str(error.action))
        case WrongState():
            return Problem(HTTPStatus.CONFLICT, "wrong_state", str(error))
        case OwnRequest():
            return Problem(HTTPStatus.FORBIDDEN, "own_request", str(error))
        case LimitTooLow():
            return Problem(HTTPStatus.FORBIDDEN, "limit_too_low", str(error))
        case NoLevel():
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "not_of_a_level", str(error))
        case FromItself():
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "from_itself", str(error))
        case KeyReused():
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused", str(error))
        case _:
            return error


async def _with_history(at: Desk, action_id: UUID, what: str) -> ActionWithHistory:
    async def ask(connection: Connection) -> ActionWithHistory:
        found = await action_rows.one(connection, action_id)
        if found is None:
            raise not_found(what)
        answer = ActionWithHistory.of(found, await calls.standing(connection, [action_id]))
        past = await action_rows.history(connection, action_id)
        answer.history = [PastStep.of(each) for each in past]
        return answer

    return await at.ask(ask)
