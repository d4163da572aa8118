"""A strict receiver of Standard Webhooks 1.0.0, which remembers what it has had.

It refuses (401) what is not signed, not signed with its secret, or not of these five minutes, and
(400) what is no JSON event. It knows a repeat by its `webhook-id`. An order's errcode is the HTTP
status to answer with.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from typing_extensions import override

from shared.clock import Clock
from shared.testing.unruly_http import Reply, Request
from shared.testing.vendor import FakeVendor, Refused

PATH = "/hooks/stock"
TOLERANCE = timedelta(minutes=5)

_TYPE = re.compile(r"[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*")


@dataclass(frozen=True, slots=True)
class Received:
    """An event at its first arrival; `raw` is its body as it came."""

    id: str
    at: datetime
    type: str
    data: dict[str, Any]
    raw: bytes
    answer_lost: bool


class FakeReceiver(FakeVendor):
    """The receiver: `events` are without repeats, which `repeats` counts by id.

    `retry_after` is said with 429 and 503. What it `chokes_on`, by the data, it answers with 500.
    """

    path = PATH

    def __init__(self, secret: str, *, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._key = base64.b64decode(secret.removeprefix("whsec_"))
        self.events: list[Received] = []
        self.repeats: list[str] = []
        self.retry_after: int | str | None = None
        self.chokes_on: Callable[[dict[str, Any]], bool] = lambda _: False

    @override
    def _key_of(self, request: Request) -> str:
        return request.path

    @override
    def _accept(self, key: str, request: Request, *, answer_lost: bool) -> Reply:
        now = self._clock.now()
        id_ = self._verified(request, now)
        event = _event(request)
        if self.chokes_on(event["data"]):
            raise Refused(500, "something is wrong with this one")
        if any(id_ == known.id for known in self.events):
            self.repeats.append(id_)
        else:
            self.events.append(
                Received(id_, now, event["type"], event["data"], request.body, answer_lost)
            )
        return Reply(204, b"")

    @override
    def _refuse(self, refused: Refused) -> Reply:
        status = int(refused.errcode)
        waits = self.retry_after is not None and status in {429, 503}
        headers = {"Retry-After": str(self.retry_after)} if waits else {}
        return Reply.of({"detail": refused.errmsg}, status, headers)

    def _verified(self, request: Request, now: datetime) -> str:
        id_ = request.headers.get("webhook-id", "")
        timestamp = request.headers.get("webhook-timestamp", "")
        if not id_ or "." in id_ or not re.fullmatch(r"[0-9]{1,12}", timestamp):
            raise Refused(401, "webhook-id or webhook-timestamp is missing or malformed")
        if abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
            raise Refused(401, "not of these five minutes")
        signed = f"{id_}.{timestamp}.".encode() + request.body
        expected = b"v1," + base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256))
        given = request.headers.get("webhook-signature", "").encode().split(b" ")
        if not any(hmac.compare_digest(expected, each) for each in given):
            raise Refused(401, "no signature matches")
        return id_


def _event(request: Request) -> dict[str, Any]:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refused(400, "the body is not announced as JSON")
    try:
        event = json.loads(request.body)
        moment = datetime.fromisoformat(event["timestamp"])
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(400, "the body is no event") from error
    if (
        moment.tzinfo is None
        or not isinstance(event.get("type"), str)
        or not _TYPE.fullmatch(event["type"])
        or not isinstance(event.get("data"), dict)
    ):
        raise Refused(400, "type, timestamp or data is missing")
    found: dict[str, Any] = event
    return found
