"""Requests as they go over the wire, ready but for their number and instant (see `traffic`)."""

import json
import random
from collections.abc import Sequence

from tests.bench.plan import CHANNEL, Place
from tests.bench.traffic import INSTANT, NUMBER

_HOST = "lowtide.bench"


def sales(token: str, places: Sequence[Place], at_once: int, *, prefix: str = "T") -> list[str]:
    """Return requests that sell one unit from each place, so many events at once.

    The events' identities begin with the prefix, so that those of different runs differ.
    """
    shuffled = list(places)
    random.Random(prefix).shuffle(shuffled)  # noqa: S311 - a workload, not a secret
    return [
        post("/v1/events", token, [_sale(place, prefix, line) for line, place in enumerate(some)])
        for some in (
            shuffled[start : start + at_once] for start in range(0, len(shuffled), at_once)
        )
    ]


def _sale(place: Place, prefix: str, line: int) -> dict[str, object]:
    return {
        "id": f"{prefix}-{NUMBER}",
        "line": str(line),
        "channel": CHANNEL,
        "type": "sale",
        "sku": place.sku,
        "warehouse": place.warehouse,
        "quantity": 1,
        "occurred_at": INSTANT,
        "reference": f"order/{NUMBER}",
    }


def reservations(token: str, places: Sequence[Place], prefix: str) -> list[str]:
    """Return requests that each reserve one unit of a place."""
    return [
        post(
            "/v1/reservations",
            token,
            {"lines": [{"sku": place.sku, "warehouse": place.warehouse, "quantity": 1}]},
            f"Idempotency-Key: {prefix}-{NUMBER}",
        )
        for place in places
    ]


def post(path: str, token: str, body: object, *further: str) -> str:
    """Return a POST of JSON with further header lines."""
    text = json.dumps(body)
    head = [f"Content-Type: application/json\r\nContent-Length: {len(text)}", *further]
    return _request("POST", path, token, head) + text


def get(path: str, token: str) -> str:
    """Return a GET."""
    return _request("GET", path, token, [])


def _request(method: str, path: str, token: str, head: Sequence[str]) -> str:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {_HOST}", f"Authorization: Bearer {token}"]
    return "\r\n".join([*lines, *head]) + "\r\n\r\n"
