"""Cards with buttons: what their keys say, and what a press on one means.

A card's task id names the delivery that it came with, so that whoever presses it names the alert,
and a vendor that is sent it again recognises it. In Slack the card is a message's block of buttons,
and its task id the block's.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from shared.events.alert_responses import AlertResponse, FeedbackReason, ResponseKind, Via
from shared.events.base import MAX_QUANTITY
from shared.events.stock_alerts import (
    ENDINGS,
    AlertEvent,
    StockAlert,
)

SNOOZE_MINUTES: Final = (240, 1_440, 4_320)
"""What may be chosen; the first is meant where nothing is."""

REASONS: Final = (
    FeedbackReason.DATA_WRONG,
    FeedbackReason.SHORT_LIVED,
    FeedbackReason.KNOWN,
    FeedbackReason.NOT_ACTIONABLE,
    FeedbackReason.LIMIT_UNSUITABLE,
)
"""Why an alert may be a false alarm."""

NO_CHOICE: Final = "none"

_PREFIX = "lowtide-"
_TASK = re.compile(rf"{_PREFIX}([0-9a-f]{{32}})")
_RESPONSES = UUID("2f7d4d8e-6d0b-5c1f-9a53-0f1f6a1f9c11")


def task_id(delivery: UUID) -> str:
    """Return the name of a delivery's card: the same however often it is sent."""
    return _PREFIX + delivery.hex


def delivery_of(task: str) -> UUID | None:
    """Return the delivery that a card came with; None for a card that is not ours."""
    found = _TASK.fullmatch(task)
    return None if found is None else UUID(found[1])


def asks_somebody(alert: StockAlert) -> bool:
    """Return whether a revision asks people to do something, and so rings: a card of its own.

    All else changes the card that is there, without a sound.
    """
    match alert.event:
        case AlertEvent.OPENED | AlertEvent.ESCALATED | AlertEvent.REMINDED:
            return True
        case AlertEvent.LEVEL_CHANGED:
            return alert.previous_level is None or alert.rose
        case _:
            return alert.asks_for_approval


def changes_card(alert: StockAlert) -> bool:
    """Return whether a revision belongs on the card that is there, if it can be changed."""
    return not asks_somebody(alert) and alert.event is not AlertEvent.REFUSED


def buttons_of(alert: StockAlert) -> list[ResponseKind]:
    """Return what may still be done about an alert at a revision."""
    if alert.event in ENDINGS:
        return []
    taken = {ResponseKind.ACKNOWLEDGE} if alert.acknowledged_by is not None else set()
    return [kind for kind in ResponseKind if kind not in taken]


def proposed_quantity(alert: StockAlert) -> int | None:
    """Return the units that alerting proposes to buy, where it does."""
    return alert.facts.proposed


def key_of(kind: ResponseKind, quantity: int | None = None) -> str:
    """Return a button's key."""
    return kind.value if quantity is None else f"{kind}:{quantity}"


def option_ids() -> list[str]:
    """Return the keys of the choices that go with the buttons, that of no choice first."""
    reasons = [f"reason:{reason}" for reason in REASONS]
    return [NO_CHOICE, *reasons, *(f"minutes:{minutes}" for minutes in SNOOZE_MINUTES)]


@dataclass(frozen=True, slots=True)
class Press:
    """A button that somebody pressed, as the vendor tells it."""

    who: str
    at: datetime
    task_id: str
    event_key: str
    options: Collection[str] = ()
    response_code: str | None = None
    via: Via = Via.WECOM_APP


def response_of(press: Press, alert_id: UUID, received_at: datetime) -> AlertResponse | None:
    """Return what a press means; None for a button that is not ours.

    A choice counts only with the button that it belongs to.
    """
    name, _, amount = press.event_key.partition(":")
    if name not in set(ResponseKind) or (amount and not _is_quantity(amount)):
        return None
    kind = ResponseKind(name)
    chosen = dict(each.split(":", 1) for each in press.options if ":" in each)
    reason, minutes = chosen.get("reason"), chosen.get("minutes", "")
    return AlertResponse(
        response_id=uuid5(
            _RESPONSES,
            f"{press.who.lower()}|{press.at.timestamp():.0f}|{press.task_id}|{press.event_key}",
        ),
        alert_id=alert_id,
        kind=kind,
        reason=FeedbackReason(reason)
        if kind is ResponseKind.FALSE_ALARM and reason in set(FeedbackReason)
        else None,
        quantity=int(amount) if kind is ResponseKind.ORDERED and amount else None,
        minutes=_minutes(minutes) if kind is ResponseKind.SNOOZE else None,
        via=press.via,
        who=press.who,
        responded_at=press.at,
        received_at=received_at,
    )


def _is_quantity(amount: str) -> bool:
    return amount.isascii() and amount.isdigit() and 1 <= int(amount[:14]) <= MAX_QUANTITY


def _minutes(chosen: str) -> int:
    return next((each for each in SNOOZE_MINUTES if str(each) == chosen), SNOOZE_MINUTES[0])
