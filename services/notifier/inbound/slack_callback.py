"""Slack's callbacks: checked by their signature, and read.

The signature is `v0=` and the HMAC-SHA256, in hexadecimal, of `v0:{timestamp}:{body}` under the
app's signing secret; the body is the form as it came, byte by byte (docs.slack.dev: verifying
requests from Slack). In its field `payload` stands what was pressed, as JSON (block_actions
payload).
"""

import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from services.notifier.domain.cards import Press
from services.notifier.inbound.proofs import Forged, check_age
from shared.events.alert_responses import Via

_PRESSED = "block_actions"


def verify(secret: SecretStr, signature: str, timestamp: str, body: bytes, now: datetime) -> None:
    """Check that a callback is the vendor's and new. Raises Forged."""
    key = secret.get_secret_value().encode()
    signed = b":".join((b"v0", timestamp.encode(), body))
    expected = f"v0={hmac.new(key, signed, hashlib.sha256).hexdigest()}"
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise Forged("the signature is wrong")
    check_age(timestamp, now)


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _User(_Part):
    id: str = Field(pattern=r"^[A-Za-z0-9]{1,64}$")


class _Option(_Part):
    value: str


class _Action(_Part):
    action_id: str
    block_id: str
    action_ts: str = Field(pattern=r"^[0-9]{1,11}\.[0-9]{1,6}$")
    value: str | None = None
    """Of a button."""
    selected_option: _Option | None = None
    """Of a menu."""


class _Payload(_Part):
    type: str
    user: _User | None = None
    actions: tuple[_Action, ...] = ()


def press_in(body: bytes) -> Press | None:
    """Return the press that a callback tells of; None where it tells of something else.

    Raises Forged for what is not of the vendor's form.
    """
    said = parse_qs(body.decode("ascii", "replace")).get("payload")
    if said is None:
        return None
    try:
        payload = _Payload.model_validate_json(said[0])
    except ValidationError:
        raise Forged("the payload is none") from None
    if payload.type != _PRESSED or payload.user is None or not payload.actions:
        return None
    action = payload.actions[0]
    chosen = action.selected_option
    return Press(
        who=payload.user.id,
        at=datetime.fromtimestamp(float(action.action_ts), UTC),
        task_id=action.block_id,
        event_key=action.value or action.action_id,
        options=() if chosen is None else (chosen.value,),
        via=Via.SLACK,
    )
