"""What is done about an episode: its states, and which step leads from one to the next.

proposed → approved → ordered → received      what is bought, or moved between warehouses
proposed → approved → done                    all else; doing nothing is done at once
rejected (from proposed), cancelled (from any that has not ended)
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.events.stock_alerts import ActionKind, ActionState


class Step(StrEnum):
    """What somebody does with an action; the words of its history."""

    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    ORDER = "order"
    RECEIVE = "receive"
    FINISH = "finish"


SUPPLYING: Final = frozenset({ActionKind.BUY, ActionKind.TRANSFER})
"""Kinds that bring stock: they are ordered and received, and may cover a shortage."""

OF_A_LEVEL: Final = SUPPLYING | {ActionKind.COUNT}
"""Kinds that happen in one warehouse with one SKU."""

GOING_ON: Final = frozenset({ActionState.PROPOSED, ActionState.APPROVED, ActionState.ORDERED})
"""States from which something is still expected."""

GIVEN_UP: Final = frozenset({ActionState.REJECTED, ActionState.CANCELLED})
"""States in which nothing comes of it."""

COVERING: Final = frozenset({ActionState.APPROVED, ActionState.ORDERED})
"""States in which an action that brings stock stands for it."""

LATE_AFTER: Final = timedelta(days=1)
"""A date without an hour is the beginning of its day; who delivers in its course is not late."""

PATIENCE: Final = timedelta(days=14)
"""For so long something is taken to be on its way of which nobody has said when it comes."""

_LEADS_TO: Final[Mapping[Step, ActionState]] = {
    Step.APPROVE: ActionState.APPROVED,
    Step.REJECT: ActionState.REJECTED,
    Step.CANCEL: ActionState.CANCELLED,
    Step.ORDER: ActionState.ORDERED,
    Step.RECEIVE: ActionState.RECEIVED,
    Step.FINISH: ActionState.DONE,
}


def first_state(kind: ActionKind, *, needs_approval: bool) -> ActionState:
    """Return the state in which an action begins."""
    if kind is ActionKind.NONE:
        return ActionState.DONE
    return ActionState.PROPOSED if needs_approval else ActionState.APPROVED


def after(kind: ActionKind, state: ActionState, step: Step) -> ActionState | None:
    """Return the state that a step leads to, or None where it cannot be done.

    A step that has been done leads to where it led: a request that is repeated changes nothing.
    """
    wanted = _LEADS_TO[step]
    return wanted if state is wanted or _is_possible(kind, state, step) else None


def _is_possible(kind: ActionKind, state: ActionState, step: Step) -> bool:
    match step:
        case Step.APPROVE | Step.REJECT:
            return state is ActionState.PROPOSED
        case Step.CANCEL:
            return state in GOING_ON
        case Step.ORDER:
            return kind in SUPPLYING and state is ActionState.APPROVED
        case Step.RECEIVE:
            return kind in SUPPLYING and state is ActionState.ORDERED
        case Step.FINISH:
            return kind not in SUPPLYING and state is ActionState.APPROVED


def late_at(due_at: datetime | None, since: datetime) -> datetime:
    """Return from when on an action is late that was approved or ordered at `since`."""
    return since + PATIENCE if due_at is None else due_at + LATE_AFTER


def postponed(due_at: datetime | None, asked_for: datetime | None, since: datetime) -> datetime:
    """Return from when on an action is late that was ordered at `since`, once a supplier has a say.

    A later date than the one asked for has so much patience and no more: one in the far future
    would keep a shortage from people for ever.
    """
    return min(late_at(due_at, since), (asked_for or since) + PATIENCE)
