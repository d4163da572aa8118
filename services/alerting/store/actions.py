"""Store what is done about alerts, step by step."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.actions import (
    GIVEN_UP,
    OF_A_LEVEL,
    SUPPLYING,
    Step,
    after,
    first_state,
    late_at,
)
from services.alerting.domain.covering import OnTheWay, enough
from services.alerting.domain.refusals import (
    Covered,
    FromItself,
    KeyReused,
    LimitTooLow,
    NoLevel,
    OwnRequest,
    WrongState,
)
from services.alerting.domain.subject import LevelSubject
from services.alerting.store import (
    action_rows,
    acts,
    calls,
    confirmed_more,
    episodes,
    orders,
    parameters,
)
from services.alerting.store.action_rows import Change
from services.alerting.store.acts import By, Resolved
from services.alerting.store.covering import on_the_way
from services.alerting.store.episodes import Episode
from services.alerting.store.spending import altogether, approvers, needs_approval
from services.alerting.store.stored_action import StoredAction
from shared.events.alert_responses import FeedbackReason
from shared.events.stock_alerts import ActionKind, ActionState, Recipient


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to do about an alert; purchases and transfers have a quantity.

    Without a `supplier` it is that of the parameters. `category` is that of the SKU. `key` and
    `asked` tell a repeated request from another one.
    """

    kind: ActionKind
    quantity: int | None = None
    source: str | None = None
    supplier: str | None = None
    due_at: datetime | None = None
    reason: str | None = None
    category: str | None = None
    key: str | None = None
    asked: str | None = None


async def request(
    connection: AsyncConnection, alert_id: UUID, wanted: Wanted, by: By
) -> StoredAction | None:
    """Have something done about an alert: at once where no approval is needed.

    Like everything here: the first thing its transaction does, and None for what is not there.
    Raises Resolved, NoLevel, FromItself, Covered, KeyReused.
    """
    await action_rows.take_turn(connection)
    if wanted.key is not None:
        made = await action_rows.by_key(connection, wanted.key)
        if made is not None:
            if (made.alert_id, made.asked) != (alert_id, wanted.asked):
                raise KeyReused("This Idempotency-Key has asked for something else.")
            return made
    episode = await episodes.locked(connection, alert_id)
    if episode is None:
        return None
    action = await _begun(connection, episode, wanted, by)
    to: tuple[Recipient, ...] = ()
    if action.state is ActionState.PROPOSED:
        to = await approvers(connection, action, wanted.category)
    else:
        action = await _approved(connection, action, by.at)
    await action_rows.write(
        connection, [Change(episode, action, "request", by.note, to)], by, new=True
    )
    return action


async def approve(
    connection: AsyncConnection, action_id: UUID, category: str | None, by: By
) -> StoredAction | None:
    """Approve a request of somebody else's.

    What covers the shortage may have been ordered since it was asked for; what a supplier offers
    above an order is more than covers it, and for whoever approves to judge.
    Raises WrongState, OwnRequest, LimitTooLow, Covered.
    """
    await action_rows.take_turn(connection)
    before = await action_rows.one(connection, action_id)
    if before is None or _moved(before, Step.APPROVE) is before.state:
        return before
    if by.actor == before.requested_by:
        raise OwnRequest("Somebody else has to approve what you have asked for.")
    if await needs_approval(connection, before, category, by.person):
        raise LimitTooLow(_over(await altogether(connection, before), before))
    if not confirmed_more.is_rest(before):
        await _look_again(connection, before, by.at)
    action = await _approved(connection, before, by.at)
    return await _step(connection, replace(action, approved_by=by.actor), Step.APPROVE, by)


async def order(
    connection: AsyncConnection,
    action_id: UUID,
    by: By,
    *,
    due_at: datetime | None = None,
    reference: str | None = None,
) -> StoredAction | None:
    """Note that an approved action is ordered, by itself. Raises WrongState.

    Done again, it has ingest told again of what it has refused.
    """
    await action_rows.take_turn(connection)
    before = await action_rows.one(connection, action_id)
    if before is None:
        return None
    if _moved(before, Step.ORDER) is before.state:
        if not await calls.again(connection, action_id, by.at):
            return before
        return await _step(connection, replace(before, reason=None), Step.ORDER, by)
    return await _order(connection, replace(before, due_at=due_at or before.due_at), by, reference)


async def end(
    connection: AsyncConnection, action_id: UUID, step: Step, by: By
) -> StoredAction | None:
    """Reject, cancel, receive or finish an action. Raises WrongState.

    When what ingest was told of is cancelled, or has arrived by somebody's word, it is told that
    nothing comes any more: what it takes for open would be open for ever.
    """
    await action_rows.take_turn(connection)
    before = await action_rows.one(connection, action_id)
    if before is None or (state := _moved(before, step)) is before.state:
        return before
    was_ordered = before.state is ActionState.ORDERED
    action = replace(before, state=state, ended_at=by.at, reason=by.note or before.reason)
    if was_ordered:
        action = replace(action, told=action.told + 1)
    elif step is Step.CANCEL:
        action = replace(action, order_id=None, order_number=None, line=None)
    done = await _step(connection, action, step, by)
    if was_ordered:
        await orders.tell(connection, done, by.at)
    elif step is Step.CANCEL:
        await orders.drop_empty(connection)
    return done


async def ordered(
    connection: AsyncConnection,
    alert_id: UUID,
    quantity: int,
    by: By,
    category: str | None = None,
) -> StoredAction | None:
    """Note that somebody has ordered for an alert: so many units, from whoever supplies it.

    What was approved before is what was ordered; it gives way where more was, and somebody has to
    approve that. What needs an approval is proposed, not ordered. Raises Resolved, Covered.
    """
    await action_rows.take_turn(connection)
    episode = await episodes.locked(connection, alert_id)
    if episode is None:
        return None
    waiting = [
        each
        for each in await action_rows.of_alert(connection, alert_id)
        if each.kind is ActionKind.BUY and each.state is ActionState.APPROVED
    ]
    wanted = Wanted(ActionKind.BUY, quantity, category=category)
    if waiting:
        approved = waiting[0]
        said = replace(approved, quantity=quantity)
        is_more = said.expected > approved.expected
        if not is_more or not await needs_approval(connection, said, category, by.person):
            return await _order(connection, said, by)
        await end(connection, approved.id, Step.CANCEL, by)
        wanted = replace(wanted, supplier=approved.supplier)
    action = await request(connection, alert_id, wanted, by)
    if action is None or action.state is not ActionState.APPROVED:
        return action
    return await _order(connection, action, by)


async def request_count(connection: AsyncConnection, alert_id: UUID, by: By) -> StoredAction | None:
    """Ask for a count of an alert's level, unless one is asked for already. Raises Resolved."""
    await action_rows.take_turn(connection)
    for each in await action_rows.of_alert(connection, alert_id):
        if each.kind is ActionKind.COUNT and each.state is ActionState.APPROVED:
            return each
    return await request(connection, alert_id, Wanted(ActionKind.COUNT, reason=by.note), by)


async def opinion(
    connection: AsyncConnection,
    alert_id: UUID,
    reason: FeedbackReason | None,
    by: By,
    *,
    words: str,
) -> Episode | None:
    """Keep what somebody thinks of an alert; where the numbers are wrong the shelf is counted.

    Returns the episode as it stands, None if it is unknown; see `acts.feedback`.
    """
    if reason is not FeedbackReason.DATA_WRONG:
        return await acts.feedback(connection, alert_id, reason, by, words=words)
    await action_rows.take_turn(connection)
    before = await episodes.locked(connection, alert_id)
    after = await acts.feedback(connection, alert_id, reason, by, words=words)
    if before is None or after is None or after.revision == before.revision:
        return after
    if not isinstance(before.subject, LevelSubject):
        return after
    await request_count(connection, alert_id, by)
    return await episodes.locked(connection, alert_id)


async def refused(connection: AsyncConnection, action_id: UUID, why: str, by: By) -> None:
    """Note on an action that ingest has refused what it was told of it."""
    await action_rows.take_turn(connection)
    before = await action_rows.one(connection, action_id)
    if before is not None:
        await _step(connection, replace(before, reason=why), "refused", replace(by, note=why))


async def _begun(
    connection: AsyncConnection, episode: Episode, wanted: Wanted, by: By
) -> StoredAction:
    if episode.resolved_at is not None:
        raise Resolved(f"Alert {episode.number} is resolved already; there is nothing left to do.")
    sku, warehouse = episode.subject.sku, episode.subject.warehouse
    if wanted.kind in OF_A_LEVEL and not isinstance(episode.subject, LevelSubject):
        raise NoLevel(episode.number)
    if wanted.source == warehouse:
        raise FromItself(warehouse)
    if wanted.kind in SUPPLYING:
        under_way = await _under_way(connection, episode, by.at, proposed=True)
        if under_way is not None:
            raise Covered(under_way.id, under_way.number)
    given = await parameters.of_level(connection, sku, warehouse)
    buys = wanted.kind is ActionKind.BUY
    supplier = (wanted.supplier or given.supplier) if buys else None
    unit_cost = given.unit_cost if buys else None
    action = StoredAction(
        id=uuid4(),
        number=await action_rows.next_number(connection),
        alert_id=episode.id,
        kind=wanted.kind,
        state=ActionState.PROPOSED,
        sku=sku,
        sku_name=episode.sku_name,
        warehouse=warehouse,
        quantity=wanted.quantity,
        confirmed_quantity=None,
        source=wanted.source,
        supplier=supplier,
        unit_cost=unit_cost,
        order_id=None,
        line=None,
        reference=None,
        told=0,
        due_at=wanted.due_at,
        late_at=None,
        is_late=False,
        is_incoming=False,
        needs_approval=False,
        requested_by=by.actor or "",
        requested_at=by.at,
        approved_by=None,
        approved_at=None,
        ordered_at=None,
        ended_at=None,
        reason=wanted.reason,
        asked=wanted.asked,
        idempotency_key=wanted.key,
        owner=episode.owner,
    )
    waits = buys and await needs_approval(connection, action, wanted.category, action.requested_by)
    state = first_state(wanted.kind, needs_approval=waits)
    return replace(
        action,
        state=state,
        needs_approval=waits,
        ended_at=by.at if state is ActionState.DONE else None,
    )


async def _look_again(connection: AsyncConnection, action: StoredAction, now: datetime) -> None:
    """Raise Covered where something else that is approved or ordered covers the shortage by now."""
    found = await action_rows.locked_episodes(connection, [action])
    covers = await _under_way(connection, found[action.alert_id], now)
    if covers is not None:
        instead = "turn this request down, or cancel that action first"
        raise Covered(covers.id, covers.number, instead)


async def _under_way(
    connection: AsyncConnection, episode: Episode, now: datetime, *, proposed: bool = False
) -> OnTheWay | None:
    """Return what is approved or ordered, or even `proposed`, that covers an alert's shortage."""
    found = await on_the_way(connection, [episode.subject], now, proposed=proposed)
    present = await episodes.present(connection, [episode.id])
    facts = present[0].facts if present else episode.facts
    return enough(episode.rule.kind, facts, found.get(episode.subject, ()))


async def _approved(
    connection: AsyncConnection, action: StoredAction, now: datetime
) -> StoredAction:
    if action.state is ActionState.DONE:
        return action
    late = late_at(action.due_at, now) if action.kind in SUPPLYING else None
    approved = replace(action, state=ActionState.APPROVED, approved_at=now, late_at=late)
    return await orders.collect(connection, approved, now)


async def _order(
    connection: AsyncConnection, action: StoredAction, by: By, reference: str | None = None
) -> StoredAction:
    done = await orders.order_alone(connection, action, by, reference)
    done = await _step(connection, done, Step.ORDER, by)
    await orders.tell(connection, done, by.at)
    await orders.drop_empty(connection)
    return done


async def _step(
    connection: AsyncConnection, action: StoredAction, step: str, by: By
) -> StoredAction:
    found = await action_rows.locked_episodes(connection, [action])
    is_worse = action.state in GIVEN_UP and by.actor != action.requested_by
    change = Change(found[action.alert_id], action, step, by.note, is_worse=is_worse)
    await action_rows.write(connection, [change], by)
    return action


def _over(cost: Decimal | None, action: StoredAction) -> str:
    said = "of which nobody knows the cost" if cost is None else f"of {cost}"
    if cost is not None and cost != action.cost:
        said += " with all that is bought for the same shortage"
    return f"Your limit does not cover a request {said}; somebody else's has to."


def _moved(action: StoredAction, step: Step) -> ActionState:
    state = after(action.kind, action.state, step)
    if state is None:
        raise WrongState(
            f"Action {action.number} ({action.kind}) is {action.state}; "
            f"{step} cannot be done with it."
        )
    return state
