"""What suppliers do with their orders: they open them, and say what comes and when."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.actions import late_at, postponed
from services.alerting.store import action_rows, confirmed_more, covering
from services.alerting.store.action_rows import Change
from services.alerting.store.acts import By
from services.alerting.store.orders import tell
from services.alerting.store.stored_action import StoredAction
from shared.events.stock_alerts import ActionState


class Confirmed(NamedTuple):
    """What a supplier says of a line: units (0: none will come), and when they come."""

    quantity: int
    due_at: datetime | None


_CONFIRMED = text("UPDATE purchase_order SET confirmed_at = :now WHERE id = :id")

_OPENED = text("UPDATE purchase_order SET link_opened_at = :now WHERE id = :id")

# Whoever orders a second time only has ingest told again: the first time said when it was to come.
_ASKED_FOR = text("""
SELECT DISTINCT ON (action_id) action_id, due_at FROM action_history
WHERE action_id = ANY(CAST(:ids AS uuid[])) AND step = 'order'
ORDER BY action_id, id
""")


async def asked_for(
    connection: AsyncConnection, lines: Collection[StoredAction]
) -> dict[UUID, datetime | None]:
    """Return when lines were to come as they were ordered, whatever the supplier has said since."""
    rows = await connection.execute(_ASKED_FOR, {"ids": [line.id for line in lines]})
    return {row.action_id: row.due_at for row in rows}


async def opened(connection: AsyncConnection, order_id: UUID, now: datetime) -> None:
    """Note that somebody has done something on the page of an order."""
    await connection.execute(_OPENED, {"id": order_id, "now": now})


async def confirm(
    connection: AsyncConnection, order_id: UUID, said: Mapping[int, Confirmed], by: By
) -> frozenset[int]:
    """Take down what a supplier says of lines, by number; only those still to come can change.

    Ingest is told of what comes otherwise than it was told before. Where less comes, or much later,
    it covers nothing any more: people are told of what was kept from them because of it, and what
    else is on its way does not cover. Returns the lines of which more was said than is approved:
    the rest waits until somebody approves it.
    """
    await action_rows.take_turn(connection)
    lines = {
        line.line: line
        for line in await action_rows.of_order(connection, order_id)
        if line.state is ActionState.ORDERED and line.line is not None and line.line in said
    }
    grown: Counter[tuple[str, str]] = Counter()
    for number, line in lines.items():
        grown[line.sku, line.warehouse] += max(said[number].quantity - line.expected, 0)
    taken = {
        number: said[number]._replace(
            quantity=await confirmed_more.taken(
                connection, line, said[number].quantity, grown[line.sku, line.warehouse]
            )
        )
        for number, line in lines.items()
    }
    news = {number: line for number, line in lines.items() if _is_news(line, taken[number])}
    more = {number: line for number, line in lines.items() if said[number] != taken[number]}
    if not news and not more:
        return frozenset()
    episodes = await action_rows.locked_episodes(connection, (news | more).values())
    asked = await asked_for(connection, news.values())
    changes = {}
    for number, line in news.items():
        told = taken[number]
        differs = (told.quantity, told.due_at) != (line.expected, line.due_at)
        after = _confirmed(line, told, asked.get(line.id), by.at, differs)
        is_worse = told.quantity < line.expected or _is_later(after, asked.get(line.id))
        changes[number] = Change(episodes[line.alert_id], after, "confirm", is_worse=is_worse)
    await connection.execute(_CONFIRMED, {"id": order_id, "now": by.at})
    if changes:
        await action_rows.write(connection, [*changes.values()], by)
    worse = [each.action.id for each in changes.values() if each.is_worse]
    await covering.lose(connection, worse)
    for number, change in changes.items():
        if change.action.told > lines[number].told:
            await tell(connection, change.action, by.at)
    waiting = set()
    for number, line in more.items():
        after = changes[number].action if number in changes else line
        episode, units = episodes[line.alert_id], said[number].quantity
        if await confirmed_more.ask_for_rest(connection, after, episode, units, by):
            waiting.add(number)
    return frozenset(waiting)


def _is_news(line: StoredAction, said: Confirmed) -> bool:
    return line.confirmed_quantity is None or (
        (said.quantity, said.due_at) != (line.expected, line.due_at)
    )


def _is_later(line: StoredAction, asked_for: datetime | None) -> bool:
    """Return whether a line will come when it would be late by the date that it was ordered for."""
    since = line.ordered_at or line.requested_at
    return line.due_at is not None and line.due_at > late_at(asked_for, since)


def _confirmed(
    line: StoredAction, said: Confirmed, asked_for: datetime | None, at: datetime, differs: bool
) -> StoredAction:
    until = postponed(said.due_at, asked_for, line.ordered_at or at)
    after = replace(
        line,
        confirmed_quantity=said.quantity,
        due_at=said.due_at,
        late_at=until,
        is_late=line.is_late and until <= at,
        told=line.told + differs,
    )
    if said.quantity:
        return after
    reason = "the supplier cannot deliver any"
    return replace(after, state=ActionState.CANCELLED, ended_at=at, reason=reason)
