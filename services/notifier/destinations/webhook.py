"""Webhooks as Standard Webhooks 1.0.0 describes them: a JSON event, signed, to another program.

    webhook-id          the delivery's, the same whenever it is repeated
    webhook-timestamp   of the attempt, in seconds; receivers refuse what is minutes old
    webhook-signature   `v1,` and base64(HMAC-SHA256(secret, "{id}.{timestamp}.{body}"))

Any 2xx is delivery. 410 says that the receiver wants nothing any more, 429 and 503 may say when
to come back. Other 4xx will not change by themselves (the specification leaves them open).
"""

import base64
import hashlib
import hmac
import json
import ssl
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel

from services.notifier.destinations.exchange import Answer, Exchange, of_status
from services.notifier.destinations.rendering import Reading
from services.notifier.destinations.transport import Message
from services.notifier.domain.addresses import Webhook
from services.notifier.domain.contents import Digest, Failure, FailureNote, TestNote
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.outcomes import Outcome, Verdict
from shared.events.alert_reports import AlertReport
from shared.events.stock_alerts import StockAlert

_NOTES = {
    Failure.REFUSED: "notifier.destination_failed",
    Failure.AWAY: "notifier.destination_away",
    Failure.BACK: "notifier.destination_back",
}


class _Event(NamedTuple):
    """The payload that the specification recommends; `data` is what the topic carries."""

    type: str
    timestamp: datetime
    data: BaseModel


def render(delivery: Delivery, now: datetime) -> bytes:
    """Return the JSON body of a delivery: type, timestamp and data."""
    event = _event(delivery, now)
    body = {
        "type": event.type,
        "timestamp": event.timestamp.isoformat(),
        "data": event.data.model_dump(mode="json"),
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _event(delivery: Delivery, now: datetime) -> _Event:
    match delivery.kind:
        case Kind.FIRST | Kind.ESCALATION | Kind.CHANGE:
            alert = StockAlert.model_validate_json(delivery.content)
            return _Event(f"stock.alert.{alert.event}", alert.occurred_at, alert)
        case Kind.DIGEST:
            # Made while the destination was of another kind: webhooks have no limit.
            digest = Digest.model_validate_json(delivery.content)
            return _Event("stock.alert.digest", now, digest)
        case Kind.REPORT:
            report = AlertReport.model_validate_json(delivery.content)
            return _Event(f"stock.report.{report.kind}", report.recorded_at, report)
        case Kind.ORDER:
            raise ValueError("an order goes by mail, and to its supplier alone")
        case Kind.TEST:
            return _Event("notifier.test", now, TestNote.model_validate_json(delivery.content))
        case Kind.META:
            note = FailureNote.model_validate_json(delivery.content)
            return _Event(_NOTES[note.what], now, note)


def read(rendered: bytes) -> Reading:
    """Return the body as it is: programs read it."""
    return Reading(rendered.decode(), len(rendered))


def signature(secret: str, id_: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`; `secret` begins with `whsec_`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{id_}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(signed.digest()).decode()}"


class WebhookTransport:
    """Calls one endpoint."""

    def __init__(self, webhook: Webhook, tls: ssl.SSLContext) -> None:
        self._webhook = webhook
        self._exchange = Exchange(tls, webhook.secrets.values())

    async def send(self, message: Message) -> Outcome:
        """Post one event."""
        id_, timestamp = str(message.delivery), int(message.now.timestamp())
        secret = self._webhook.secret.get_secret_value()
        headers = {
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(secret, id_, timestamp, message.rendered),
        }
        return await self._exchange.post(
            self._webhook.url, message.rendered, judge, now=message.now, headers=headers
        )

    async def close(self) -> None:
        """Close kept connections."""
        await self._exchange.close()


def judge(answer: Answer) -> Outcome:
    """Return what an answer means."""
    status = answer.status
    if 200 <= status < 300:
        return Outcome(Verdict.ACCEPTED, str(status), "ok")
    if status == 410:
        return Outcome(Verdict.PERMANENT, "410", "HTTP 410, so it is disabled now", gone=True)
    return of_status(answer)
