"""What people write is kept as it is, or refused: the database takes no NUL."""

from http import HTTPStatus
from uuid import uuid4

import pytest

from tests.integration.alerting.service import Alerting

pytestmark = pytest.mark.stack

NUL = "a\x00b"
SOON, LATER = "2099-01-01T00:00:00Z", "2099-01-02T00:00:00Z"
WINDOW: dict[str, object] = {"starts_at": SOON, "ends_at": LATER, "mute": True}
ALERT, CASE = f"/v1/alerts/{uuid4()}", f"/v1/cases/{uuid4()}"
SILENCE: dict[str, object] = {
    "sku": "A",
    "ends_at": LATER,
    "starts_at": SOON,
    "comment": "stock-taking",
}
CAUSE: dict[str, object] = {"cause": "limit_too_low", "due": "2099-01-01"}


async def test_a_text_with_a_nul_is_refused_wherever_it_stands(alerting: Alerting) -> None:
    posts: list[tuple[str, dict[str, object]]] = [
        (f"{ALERT}/acknowledge", {"note": NUL}),
        (f"{ALERT}/assign", {"to": "lin", "note": NUL}),
        ("/v1/silences", SILENCE | {"comment": NUL}),
        ("/v1/silences", SILENCE | {"labels": {"team": NUL}}),
        ("/v1/silences", SILENCE | {"labels": {NUL: "north"}}),
        ("/v1/calendar", WINDOW | {"name": {"en": NUL}}),
        ("/v1/calendar", WINDOW | {"name": {"en": "Sale"}, "labels": {"team": NUL}}),
        ("/v1/cases", {"sku": "A", "warehouse": "W", "note": NUL}),
        (f"{CASE}/confirm", CAUSE | {"measure": NUL}),
        (f"{CASE}/close", {"outcome": NUL}),
    ]
    found = {}
    for path, body in posts:
        answer = await alerting.client.post(path, json=body)
        found[f"{path} {body}"] = answer.status_code
    rule = {"kind": "below", "levels": [{"level": "watch", "enter": 20, "exit": 30}]}
    puts: list[tuple[str, dict[str, object]]] = [
        ("/v1/attention-policy", {"classes": [NUL]}),
        ("/v1/rules/low", rule | {"name": {"en": NUL}}),
        ("/v1/rules/low", rule | {"name": {"en": "Low"}, "labels": {"team": NUL}}),
    ]
    for path, body in puts:
        answer = await alerting.client.put(path, json=body)
        found[f"{path} {body}"] = answer.status_code
    assert found == dict.fromkeys(found, HTTPStatus.UNPROCESSABLE_ENTITY)
