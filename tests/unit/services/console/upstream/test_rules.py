"""What alerting is asked of rules."""

import json
from uuid import UUID

import httpx
import pytest

from services.console.upstream.rules import Rules
from services.console.upstream.service import Service
from shared.errors import Unavailable

FORM = UUID(int=1)


class MakesRules:
    """Makes a rule once a key and changes it by PUT, as alerting does; the first answer is lost."""

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.versions: dict[str, list[dict[str, object]]] = {}
        self.lost = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if request.method == "PUT":
            rule_id = request.url.path.rpartition("/")[2]
        else:
            rule_id, key = body.pop("id"), request.headers["idempotency-key"]
            if key not in self.keys and rule_id in self.versions:
                problem = {"type": "urn:lowtide:problem:exists", "detail": "There is one."}
                return httpx.Response(409, json=problem)
            if self.keys.setdefault(key, request.content) != request.content:
                return httpx.Response(422, json={"detail": "This key was used for something else."})
        versions = self.versions.setdefault(rule_id, [])
        if not versions or versions[-1] != body:
            versions.append(body)
        if not self.lost:
            self.lost = True
            raise httpx.ReadTimeout("lost")
        told = {"id": rule_id, "version": len(versions), "changed_by": "console"}
        return httpx.Response(200, json=body | told | {"changed_at": "2026-03-02T09:00:00Z"})


async def test_a_rule_that_was_edited_after_a_lost_answer_is_the_same_rule() -> None:
    alerting = MakesRules()
    transport = httpx.MockTransport(alerting.answer)
    rule = {"name": {"en": "Low"}, "kind": "below", "enabled": True}
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        rules = Rules(Service("alerting", client))
        with pytest.raises(Unavailable):
            await rules.create(rule, FORM)
        first = await rules.create(rule, FORM)
        edited = await rules.create(rule | {"name": {"en": "Lower"}}, FORM)
    assert (first.version, edited.version) == (1, 2)
    assert {first.id, edited.id} == alerting.versions.keys()
