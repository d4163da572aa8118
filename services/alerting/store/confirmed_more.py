"""What a supplier confirms above what was approved: it waits for an approval of its own."""

from dataclasses import replace
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.store import action_rows, approval_limits
from services.alerting.store.action_rows import Change
from services.alerting.store.acts import By
from services.alerting.store.episodes import Episode
from services.alerting.store.spending import approvers, needs_approval
from services.alerting.store.stored_action import StoredAction
from shared.events.stock_alerts import ActionState

_KEY = "confirmed|"

_CATEGORY = text("SELECT category FROM alert WHERE id = :id")

_ASKED_FOR = text("""
SELECT coalesce(sum(quantity), 0) FROM action
WHERE idempotency_key LIKE :key || '%' AND state NOT IN ('rejected', 'cancelled')
""")


async def taken(connection: AsyncConnection, line: StoredAction, said: int, more: int) -> int:
    """Return how many of the units that a supplier says of a line are confirmed.

    No more than were approved; where nobody had to approve it, all for which nobody has to now.
    What was confirmed before stays so. `more` are the units by which this line and others of its
    SKU and warehouse are said to grow.
    """
    at_least = max(line.quantity or 0, line.expected)
    if said <= at_least:
        return said
    if line.approved_by is not None:
        limits = await approval_limits.limits(connection)
        return at_least if limits.are_set else said
    whole = replace(line, confirmed_quantity=line.expected + more)
    category = await _category(connection, line.alert_id)
    waits = await needs_approval(connection, whole, category, line.requested_by)
    return at_least if waits else said


async def ask_for_rest(
    connection: AsyncConnection, line: StoredAction, episode: Episode, said: int, by: By
) -> bool:
    """Ask for what a supplier says above what is confirmed; returns whether any of it waits.

    Once for each quantity that is said: what was turned down is not asked for again.
    """
    found = await action_rows.by_key(connection, _key(line, said))
    if found is not None:
        return found.state is ActionState.PROPOSED
    asked_for = int(await connection.scalar(_ASKED_FOR, {"key": _key(line)}) or 0)
    rest = said - line.expected - asked_for
    if rest <= 0:
        return asked_for > 0
    request = replace(
        line,
        id=uuid4(),
        number=await action_rows.next_number(connection),
        state=ActionState.PROPOSED,
        quantity=rest,
        confirmed_quantity=None,
        order_id=None,
        order_number=None,
        line=None,
        reference=None,
        told=0,
        late_at=None,
        is_late=False,
        is_incoming=False,
        needs_approval=True,
        requested_by=by.person,
        requested_at=by.at,
        approved_by=None,
        approved_at=None,
        ordered_at=None,
        reason=None,
        asked=None,
        idempotency_key=_key(line, said),
    )
    to = await approvers(connection, request, await _category(connection, line.alert_id))
    change = Change(episode, request, "request", None, to)
    await action_rows.write(connection, [change], by, new=True)
    return True


def is_rest(action: StoredAction) -> bool:
    """Return whether an action asks for what a supplier said above what was approved."""
    key = action.idempotency_key or ""
    return key.startswith(_KEY) and ":" not in key


def _key(line: StoredAction, said: int | None = None) -> str:
    # A caller's own key has a colon.
    return f"{_KEY}{line.id}|{'' if said is None else said}"


async def _category(connection: AsyncConnection, alert_id: UUID) -> str | None:
    """Return the category of an alert's SKU: who may spend how much on it depends on that."""
    found: str | None = await connection.scalar(_CATEGORY, {"id": alert_id})
    return found
