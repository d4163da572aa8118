"""`/v1/templates`: how a message would look, and whether it fits, without sending it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, SecretStr

from services.notifier.api.addresses import Body
from services.notifier.api.desk import AtDesk, Desk
from services.notifier.api.destinations import Reader
from services.notifier.api.manners import Zone
from services.notifier.destinations import kinds
from services.notifier.domain.addresses import (
    Address,
    DestinationKind,
    DingtalkBot,
    Email,
    FeishuBot,
    Slack,
    Webhook,
    WecomApp,
    WecomBot,
)
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.destinations import Destination, Language
from services.notifier.domain.outcomes import legible
from shared.events.stock_alerts import (
    Action,
    ActionKind,
    ActionState,
    AlertEvent,
    AlertFacts,
    AlertLevel,
    AlertRule,
    OrderLine,
    StockAlert,
)
from shared.http.problems import Problem

router = APIRouter(prefix="/v1/templates", tags=["templates"])

_NO_SECRET = SecretStr("")
_NOBODYS: tuple[Address, ...] = (
    WecomBot(_NO_SECRET, ""),
    WecomApp("", 1, _NO_SECRET, _NO_SECRET, _NO_SECRET, ("zhangsan",), ""),
    DingtalkBot(_NO_SECRET, ""),
    FeishuBot(_NO_SECRET, ""),
    Slack(_NO_SECRET, "C024BE91L", ""),
    Email(("buyer@example.com",), "Lowtide <lowtide@example.com>", "mail.example.com", 25),
    Webhook(_NO_SECRET, ""),
)
_ADDRESSES: Mapping[DestinationKind, Address] = {each.kind: each for each in _NOBODYS}

SAMPLE_ID = UUID(int=0)


class Look(Body):
    """How a message is to look: `timezone` is that of the times in it, as with a destination."""

    kind: DestinationKind
    language: Language
    timezone: Zone | None = None


class PreviewBody(Look):
    """What to show: an alert of your own, or the built-in sample of an event.

    `timezone` is that of the times in the message, as with a destination.
    """

    sample: AlertEvent = AlertEvent.OPENED
    alert: StockAlert | None = None
    possible_duplicate: bool = False


class PreviewAnswer(BaseModel):
    """A message that was not sent.

    `text` is what a person reads, `body` what would be sent (to Feishu, before it is signed).
    `counted_bytes` is its length by the vendor's way of counting, `longest_bytes` the most that
    it takes, null where there is no limit.
    """

    text: str
    body: str
    counted_bytes: int
    longest_bytes: int | None


@router.post("/preview", dependencies=[Reader])
async def preview(desk: AtDesk, body: PreviewBody) -> PreviewAnswer:
    """Render an alert for a kind of destination and a language."""
    alert = body.alert or _sample(body.sample, body.language, desk.clock.now())
    delivery = _delivery(alert, possible_duplicate=body.possible_duplicate)
    return previewed(desk, delivery, body)


def previewed(desk: Desk, delivery: Delivery, look: Look) -> PreviewAnswer:
    """Return how a delivery would look for a kind of destination."""
    address = _ADDRESSES[look.kind]
    destination = Destination(
        id="preview",
        name="preview",
        language=look.language,
        timezone=look.timezone or look.language.timezone,
        enabled=True,
        address=address,
    )
    try:
        rendered = desk.renderer.render(delivery, destination, desk.clock.now())
    except (ValueError, OverflowError) as error:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "unwritable",
            f"No message can be written of this: {legible(str(error))}. Send other values.",
        ) from None
    reading = kinds.read(look.kind, rendered)
    return PreviewAnswer(
        text=reading.text,
        body=rendered.decode(errors="replace"),
        counted_bytes=reading.counted_bytes,
        longest_bytes=address.longest_bytes,
    )


def _delivery(alert: StockAlert, *, possible_duplicate: bool) -> Delivery:
    return Delivery(
        id=SAMPLE_ID,
        kind=Kind.FIRST if alert.event is AlertEvent.OPENED else Kind.CHANGE,
        alert_id=alert.alert_id,
        alert_number=alert.number,
        event=alert.event,
        content=alert.model_dump_json(),
        attempts=1,
        duplicate_possible=possible_duplicate,
        has_first=False,
    )


SAMPLE_NAMES = {Language.CHINESE: "蓝色马克杯", Language.ENGLISH: "Blue mug"}
_NOTES = {Language.CHINESE: "已下单 200 件", Language.ENGLISH: "200 ordered"}
_PEOPLE = {Language.CHINESE: "李雷", Language.ENGLISH: "Anna"}


def _sample(event: AlertEvent, language: Language, now: datetime) -> StockAlert:
    acknowledged = event is AlertEvent.ACKNOWLEDGED
    return StockAlert(
        alert_id=SAMPLE_ID,
        number=1024,
        revision=1 if event is AlertEvent.OPENED else 2,
        event=event,
        level=AlertLevel.OUT,
        previous_level=AlertLevel.URGENT if event is AlertEvent.LEVEL_CHANGED else None,
        rule=AlertRule(
            id="stock-out",
            version=1,
            kind="stock_out",
            name={"zh-CN": "缺货", "en": "Out of stock"},
        ),
        sku="MUG-BLUE",
        sku_name=SAMPLE_NAMES[language],
        warehouse="SH-01",
        facts=AlertFacts(
            available=0,
            on_hand=12,
            low_water=0,
            threshold=20,
            daily_sales=3.4,
            days_of_cover=0.0,
            incoming=48,
        ),
        opened_at=now - timedelta(hours=2),
        occurred_at=now,
        recorded_at=now,
        acknowledged_by=_PEOPLE[language] if acknowledged else None,
        note=_NOTES[language] if acknowledged else None,
        action=_ordered(now) if event is AlertEvent.ACTED else None,
    )


def _ordered(now: datetime) -> Action:
    return Action(
        id=SAMPLE_ID,
        kind=ActionKind.BUY,
        state=ActionState.ORDERED,
        quantity=200,
        due_at=now + timedelta(days=5),
        order=OrderLine(
            id=SAMPLE_ID,
            number=12,
            reference="LT-12",
            line="1",
            lines=f"/v1/orders/{SAMPLE_ID}",
        ),
    )
