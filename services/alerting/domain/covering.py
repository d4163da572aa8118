"""Whether what is on its way covers a shortage, so that it is neither told nor ordered again."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.alerting.domain.actions import COVERING
from services.alerting.domain.kind import RuleKind
from shared.events.stock_alerts import (
    KINDS_IN_DAYS,
    SHORTAGES,
    ActionKind,
    ActionState,
    AlertFacts,
)

MAY_ASK_TO_BUY = SHORTAGES | {RuleKind.CUSTOM}
"""Most custom conditions are about a shortage of some sort."""


class OnTheWay(NamedTuple):
    """An action that brings stock to a level; `is_incoming`: the level's incoming has it already.

    `late_at`: from then on it is not counted upon.
    """

    id: UUID
    number: int
    kind: ActionKind
    state: ActionState
    quantity: int
    is_incoming: bool
    late_at: datetime | None


def counted_upon(kind: str, on_the_way: Iterable[OnTheWay]) -> list[OnTheWay]:
    """Return what can cover what a rule of a kind warns of, the first to be late first.

    For a shelf that runs out before stock can arrive no number of units says so: there any purchase
    is all that can be done, and a transfer says nothing.
    """
    if kind not in SHORTAGES:
        return []
    coming = sorted(on_the_way, key=_until)
    if kind == RuleKind.RUN_OUT_BEFORE_INBOUND:
        coming = [each for each in coming if each.kind is ActionKind.BUY]
    return coming


def covering(kind: str, facts: AlertFacts, on_the_way: Iterable[OnTheWay]) -> OnTheWay | None:
    """Return the action that covers what a rule of a kind warns of, or None.

    Purchases and transfers do together where the limit would not hold if they, and what is
    incoming, were here. Of several the one with which, when it is late, they cover it no more.
    """
    coming = counted_upon(kind, on_the_way)
    more = sum(each.quantity for each in coming if not each.is_incoming)
    units = facts.available + facts.incoming + more
    if not coming or not _suffices(kind, facts, units):
        return None
    for each in coming[:-1]:
        units -= each.quantity
        if not _suffices(kind, facts, units):
            return each
    return coming[-1]


def enough(kind: str, facts: AlertFacts, coming: Iterable[OnTheWay]) -> OnTheWay | None:
    """Return the action because of which no more can be asked for, or None.

    `coming` has what is only asked for as well. Where nobody knows how much is enough, any is.
    """
    if kind in SHORTAGES:
        return covering(kind, facts, coming)
    return max(coming, key=_until, default=None)


def on_order(coming: Iterable[OnTheWay]) -> int:
    """Return the units that are approved or ordered and not yet in the level's incoming."""
    return sum(each.quantity for each in coming if each.state in COVERING and not each.is_incoming)


def _suffices(kind: str, facts: AlertFacts, units: int) -> bool:
    if kind == RuleKind.RUN_OUT_BEFORE_INBOUND:
        return True
    limit = facts.threshold or 0
    if kind not in KINDS_IN_DAYS:
        return units > limit
    return not facts.daily_sales or units / facts.daily_sales > limit


def _until(each: OnTheWay) -> tuple[float, int]:
    until = float("inf") if each.late_at is None else each.late_at.timestamp()
    return until, each.number
