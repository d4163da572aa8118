"""Links in mails by which one person acts on one alert, once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from services.notifier.domain.cards import SNOOZE_MINUTES, buttons_of
from shared.events.alert_responses import AlertResponse, FeedbackReason, ResponseKind, Via
from shared.events.stock_alerts import AlertEvent, StockAlert

LASTS: Final = timedelta(hours=72)

_RESPONSES = UUID("9a3c1c36-15a4-5b0b-8f0d-0a9b6ad0f2c4")


@dataclass(frozen=True, slots=True)
class Link:
    """What a link stands for: an act of whoever got a delivery at an address."""

    delivery: UUID
    who: str
    act: ResponseKind


def acts_by_mail(alert: StockAlert) -> list[ResponseKind]:
    """Return what may be done by a link; an order wants its quantity, and so the console."""
    if alert.event is AlertEvent.REFUSED:
        return []
    return [kind for kind in buttons_of(alert) if kind is not ResponseKind.ORDERED]


def response_by(
    link: Link,
    alert_id: UUID,
    *,
    reason: FeedbackReason | None,
    minutes: int | None,
    now: datetime,
) -> AlertResponse:
    """Return what following a link, and confirming it, means."""
    snoozing = link.act is ResponseKind.SNOOZE
    return AlertResponse(
        response_id=uuid5(_RESPONSES, f"{link.delivery}|{link.who.lower()}|{link.act}"),
        alert_id=alert_id,
        kind=link.act,
        reason=reason if link.act is ResponseKind.FALSE_ALARM else None,
        minutes=(minutes or SNOOZE_MINUTES[0]) if snoozing else None,
        via=Via.EMAIL,
        who=link.who,
        responded_at=now,
        received_at=now,
    )
