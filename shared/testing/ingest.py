"""A strict `POST /v1/events` of ingest: what it was told, by identity, and how often.

It refuses what has no token or is no list of events, and what says something else under an identity
that it knows. An order's errcode is the HTTP status to answer with.
"""

import json

from typing_extensions import override

from shared.clock import Clock
from shared.testing.unruly_http import Reply, Request
from shared.testing.vendor import FakeVendor, Refused

PATH = "/v1/events"

_NEEDED = {"id", "line", "channel", "type", "sku", "warehouse", "quantity", "occurred_at"}

Identity = tuple[str, str, str]
"""Channel, id and line."""


class FakeIngest(FakeVendor):
    """Ingest: `events` are without repeats, which `repeats` has by identity."""

    path = PATH

    def __init__(self, token: str, *, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._token = token
        self.events: dict[Identity, dict[str, object]] = {}
        self.repeats: list[Identity] = []

    @override
    def _key_of(self, request: Request) -> str:
        return request.path

    @override
    def _accept(self, key: str, request: Request, *, answer_lost: bool) -> Reply:
        if request.headers.get("authorization") != f"Bearer {self._token}":
            raise Refused(401, "no token of ours")
        told = [(_identity(each), each) for each in _read(request.body)]
        for identity, event in told:
            if self.events.get(identity, event) != event:
                raise Refused(409, f"{identity} was another event before")
        for identity, event in told:
            if identity in self.events:
                self.repeats.append(identity)
            self.events[identity] = event
        return Reply.of({"accepted": len(told)}, 202)

    @override
    def _refuse(self, refused: Refused) -> Reply:
        return Reply.of({"detail": refused.errmsg}, int(refused.errcode))


def _read(raw: bytes) -> list[dict[str, object]]:
    try:
        events = json.loads(raw)
    except ValueError as error:
        raise Refused(400, "the body is no JSON") from error
    if not isinstance(events, list) or not events:
        raise Refused(400, "the body is no list of events")
    for each in events:
        if not isinstance(each, dict) or not each.keys() >= _NEEDED:
            raise Refused(422, "an event lacks something")
    return events


def _identity(event: dict[str, object]) -> Identity:
    return str(event["channel"]), str(event["id"]), str(event["line"])
