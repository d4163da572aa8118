"""Actions as they stand, and writing them with their history and their alerts' revisions."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import CursorResult, RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.actions import GIVEN_UP
from services.alerting.domain.hush import hush_of
from services.alerting.store import episodes, offers, silences, steps, turns
from services.alerting.store.acts import By
from services.alerting.store.audit import What
from services.alerting.store.episodes import Entry, Episode
from services.alerting.store.stored_action import StoredAction, notice_of
from services.alerting.store.turns import Turn
from shared.database import audit
from shared.database.audit import Done
from shared.events.stock_alerts import (
    ActionKind,
    ActionState,
    AlertEvent,
    Expected,
    Hush,
    HushKind,
    Recipient,
)


class Change(NamedTuple):
    """An action as a step leaves it, with its alert; both are locked by this transaction.

    `to` are people whom the revision is for, where it is for some. What nobody did, such as that
    it is late, is `quiet`: no revision says so. `is_worse`: less of it comes, or later, or nothing,
    than who asked for it counts upon; they are reminded of the alert, if it still holds. `event`:
    what the revision is, where nothing was done and it is that which is told.
    """

    episode: Episode
    action: StoredAction
    step: str
    note: str | None = None
    to: tuple[Recipient, ...] = ()
    quiet: bool = False
    is_worse: bool = False
    event: AlertEvent = AlertEvent.ACTED


_COLUMNS = [
    each.name for each in fields(StoredAction) if each.name not in {"order_number", "owner"}
]

_SELECT = f"""
SELECT {", ".join(f"t.{name}" for name in _COLUMNS)}, o.number AS order_number, a.owner
FROM action AS t JOIN alert AS a ON a.id = t.alert_id
LEFT JOIN purchase_order AS o ON o.id = t.order_id
"""  # noqa: S608 - the columns are ours

_ONE = text(f"{_SELECT} WHERE t.id = :id")

_SOME = text(f"{_SELECT} WHERE t.id = ANY(CAST(:ids AS uuid[]))")

_BY_KEY = text(f"{_SELECT} WHERE t.idempotency_key = :key")

_OF_ORDERS = text(f"""
{_SELECT} WHERE t.order_id = ANY(CAST(:order_ids AS uuid[])) ORDER BY t.line
""")

_OF_ALERT = text(f"{_SELECT} WHERE t.alert_id = :alert_id ORDER BY t.number")

_OTHERS = text("""
SELECT EXISTS (SELECT FROM action WHERE alert_id = :alert_id AND id <> :id
                                    AND state NOT IN ('rejected', 'cancelled'))
""")

_NUMBER = text("SELECT nextval('action_number')")

_INSERT = text(f"""
INSERT INTO action ({", ".join(_COLUMNS)}) VALUES ({", ".join(f":{name}" for name in _COLUMNS)})
""")  # noqa: S608 - the columns are ours

_UPDATE = text(f"""
UPDATE action SET {", ".join(f"{name} = :{name}" for name in _COLUMNS)} WHERE id = :id
""")  # noqa: S608 - the columns are ours

_NOTE = text("""
INSERT INTO action_history (action_id, step, state, quantity, due_at, actor, note, at,
                            alert_revision)
VALUES (:action_id, :step, :state, :quantity, :due_at, :actor, :note, :at, :alert_revision)
""")

_HISTORY = text("""
SELECT step, state, quantity, due_at, actor, note, at, alert_revision
FROM action_history WHERE action_id = :id ORDER BY id
""")


class Past(NamedTuple):
    """A step of an action's history; `alert_revision` is None where its alert does not say so."""

    step: str
    state: str
    quantity: int | None
    due_at: datetime | None
    actor: str | None
    note: str | None
    at: datetime
    alert_revision: int | None


async def take_turn(connection: AsyncConnection) -> None:
    """Wait until no other transaction changes actions; before anything else is locked."""
    await turns.wait_for(connection, Turn.ACTIONS)


async def one(connection: AsyncConnection, action_id: UUID) -> StoredAction | None:
    """Return an action."""
    return _optional(await connection.execute(_ONE, {"id": action_id}))


async def by_key(connection: AsyncConnection, key: str) -> StoredAction | None:
    """Return the action that a request with this Idempotency-Key has made."""
    return _optional(await connection.execute(_BY_KEY, {"key": key}))


async def of_order(connection: AsyncConnection, order_id: UUID) -> list[StoredAction]:
    """Return the lines of an order."""
    return (await of_orders(connection, [order_id]))[order_id]


async def of_orders(
    connection: AsyncConnection, order_ids: Collection[UUID]
) -> dict[UUID, list[StoredAction]]:
    """Return the lines of each of some orders."""
    found: dict[UUID, list[StoredAction]] = {order_id: [] for order_id in order_ids}
    for line in _all(await connection.execute(_OF_ORDERS, {"order_ids": list(order_ids)})):
        if line.order_id is not None:
            found[line.order_id].append(line)
    return found


async def of_alert(connection: AsyncConnection, alert_id: UUID) -> list[StoredAction]:
    """Return what is done about an alert, the oldest first."""
    return _all(await connection.execute(_OF_ALERT, {"alert_id": alert_id}))


async def page(
    connection: AsyncConnection,
    wanted: dict[str, object],
    before: int | None,
    limit: int,
) -> list[StoredAction]:
    """Return actions, the newest first, with a number under `before`.

    `wanted` maps state, kind, supplier, owner and alert_id to what they have to be.
    """
    columns = {
        "state": "t.state",
        "kind": "t.kind",
        "supplier": "t.supplier",
        "owner": "a.owner",
        "alert_id": "t.alert_id",
    }
    terms = [f"{columns[name]} = :{name}" for name in wanted]
    values = dict(wanted)
    if before is not None:
        terms.append("t.number < :before")
        values["before"] = before
    where = f"WHERE {' AND '.join(terms)}" if terms else ""
    statement = text(f"{_SELECT} {where} ORDER BY t.number DESC LIMIT :limit")
    return _all(await connection.execute(statement, values | {"limit": limit}))


async def history(connection: AsyncConnection, action_id: UUID) -> list[Past]:
    """Return what happened to an action, the oldest first."""
    return [Past(*row) for row in await connection.execute(_HISTORY, {"id": action_id})]


async def next_number(connection: AsyncConnection) -> int:
    """Return the running number of a new action."""
    return int((await connection.execute(_NUMBER)).scalar_one())


async def locked_episodes(
    connection: AsyncConnection, actions: Iterable[StoredAction]
) -> dict[UUID, Episode]:
    """Return the alerts of actions, locked in the order of their ids."""
    found = {}
    for alert_id in sorted({action.alert_id for action in actions}):
        episode = await episodes.locked(connection, alert_id)
        if episode is None:
            raise AssertionError("an action refers to an alert that is there")
        found[alert_id] = episode
    return found


async def write(
    connection: AsyncConnection, changes: Sequence[Change], by: By, *, new: bool = False
) -> None:
    """Write actions as steps have left them, each with its history and a revision of its alert.

    Of an alert that has ended only programs are told, which keep books of what is ordered: nobody
    takes it on, and nothing is expected any more. Whoever has something done about an open one
    takes it on. What somebody did is in the audit; what followed is not.
    """
    if by.actor is not None:
        await audit.add(connection, by.audited, *await _done(connection, changes))
    await connection.execute(
        _INSERT if new else _UPDATE, [_values(each.action) for each in changes]
    )
    open_ones = {each.episode.id: each.episode for each in changes if _asks_people(each)}
    await offers.renew(connection, open_ones.values(), by.at)
    touched: dict[UUID, Episode] = {}
    entries = []
    revisions: list[int | None] = []
    for change in changes:
        episode = change.episode
        if change.quiet or (_is_over(change) and change.event is not AlertEvent.ACTED):
            revisions.append(None)
            continue
        touched[episode.id] = episode
        episode.revision += 1
        if _asks_people(change):
            await _move(connection, change, by)
        revisions.append(episode.revision)
        notice = episodes.notice_of(
            episode,
            change.event,
            occurred_at=by.at,
            recorded_at=by.at,
            hush=await _hush(connection, episode, change.event, by.at),
            note=change.note,
        ).model_copy(
            update={"actor": by.actor, "action": notice_of(change.action), "to": change.to}
        )
        entries.append(Entry(notice, None, by.actor, by.trace))
    if entries:
        await episodes.write(connection, touched.values(), entries)
    await connection.execute(
        _NOTE,
        [
            {
                "action_id": each.action.id,
                "step": each.step,
                "state": each.action.state.value,
                "quantity": each.action.expected or None,
                "due_at": each.action.due_at,
                "actor": by.actor,
                "note": each.note,
                "at": by.at,
                "alert_revision": revision,
            }
            for each, revision in zip(changes, revisions, strict=True)
        ],
    )


def _asks_people(change: Change) -> bool:
    return not (_is_over(change) or change.quiet)


def _is_over(change: Change) -> bool:
    """Return whether its alert has ended, which may be after it was looked for."""
    return change.episode.resolved_at is not None


async def _move(connection: AsyncConnection, change: Change, by: By) -> None:
    """Let an open alert be taken on, and its playbook go on or back, by what is done about it."""
    episode = change.episode
    if by.actor is not None:
        episode.take_on(by.actor, by.at)
    if change.is_worse:
        episode.untold = True
    if change.action.state in GIVEN_UP and not await _is_done_otherwise(connection, change):
        await steps.undone(connection, episode.id, Expected.ACT, by.at)
    for what in _meets(change):
        await steps.met(connection, episode.id, what, by.at, owner=episode.owner)


async def _done(connection: AsyncConnection, changes: Sequence[Change]) -> list[Done]:
    """Return steps for the audit, with how the actions stood before."""
    ids = [each.action.id for each in changes]
    before = {each.id: _told(each) for each in _all(await connection.execute(_SOME, {"ids": ids}))}
    return [
        Done(
            f"{What.ACTION_STEP}{each.step}",
            str(each.action.id),
            before.get(each.action.id),
            _told(each.action) | {"note": each.note},
        )
        for each in changes
    ]


def _told(action: StoredAction) -> dict[str, object]:
    return {
        "alert": action.alert_id,
        "kind": action.kind,
        "state": action.state,
        "quantity": action.quantity if action.confirmed_quantity is None else action.expected,
        "supplier": action.supplier,
        "cost": action.cost,
        "due_at": action.due_at,
        "order": action.order_id,
    }


def _meets(change: Change) -> tuple[Expected, ...]:
    """Return what a step does of all that playbooks expect."""
    match change.step, change.action.state:
        case _, ActionState.CANCELLED:
            return ()
        case "request", ActionState.PROPOSED:
            return (Expected.ACT,)
        case "request", ActionState.DONE:
            return (Expected.ACT, Expected.APPROVE, Expected.CONFIRM)
        case "request", _:
            return (Expected.ACT, Expected.APPROVE)
        case "approve", _:
            return (Expected.APPROVE,)
        case "confirm" | "receive" | "finish", _:
            return (Expected.CONFIRM,)
        case _:
            return ()


async def _is_done_otherwise(connection: AsyncConnection, change: Change) -> bool:
    """Return whether something else is done about the alert of an action that is given up."""
    values = {"alert_id": change.action.alert_id, "id": change.action.id}
    return bool(await connection.scalar(_OTHERS, values))


async def _hush(
    connection: AsyncConnection, episode: Episode, event: AlertEvent, now: datetime
) -> Hush | None:
    if episode.resolved_at is not None:
        return Hush(by=HushKind.ENDED)
    silence = await silences.covering_one(
        connection,
        episode.rule.id,
        episode.subject.sku,
        episode.subject.warehouse,
        episode.labels,
        now,
    )
    return hush_of(
        event,
        rose=False,
        silence=silence,
        snoozed_until=episode.snoozed_until,
        now=now,
    )


def _values(action: StoredAction) -> dict[str, object]:
    found = asdict(action)
    return {name: found[name] for name in _COLUMNS} | {
        "kind": action.kind.value,
        "state": action.state.value,
    }


def _optional(rows: CursorResult[Any]) -> StoredAction | None:
    return next(iter(_all(rows)), None)


def _all(rows: CursorResult[Any]) -> list[StoredAction]:
    return [_action(row) for row in rows.mappings()]


def _action(row: RowMapping) -> StoredAction:
    return StoredAction(
        **{**row, "kind": ActionKind(row["kind"]), "state": ActionState(row["state"])}
    )
