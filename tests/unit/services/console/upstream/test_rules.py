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
    """Makes a rule once a key, as alerting does; the first answer is lost on its way."""

    def __init__(self) -> None:
        self.made: dict[str, bytes] = {}
        self.lost = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        key = request.headers["idempotency-key"]
        if self.made.setdefault(key, request.content) != request.content:
            return httpx.Response(422, json={"detail": "This key was used for something else."})
        if not self.lost:
            self.lost = True
            raise httpx.ReadTimeout("lost")
        told = {"id": f"rule-{len(self.made)}", "version": 1, "changed_by": "console"}
        told["changed_at"] = "2026-03-02T09:00:00Z"
        return httpx.Response(201, json=json.loads(request.content) | told)


async def test_a_rule_that_was_edited_after_a_lost_answer_is_made_and_the_same_one_once() -> None:
    alerting = MakesRules()
    transport = httpx.MockTransport(alerting.answer)
    rule = {"name": {"en": "Low"}, "kind": "below", "enabled": True}
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        rules = Rules(Service("alerting", client))
        with pytest.raises(Unavailable):
            await rules.create(rule, FORM)
        assert (await rules.create(rule, FORM)).id == "rule-1"
        assert (await rules.create(rule | {"name": {"en": "Lower"}}, FORM)).id == "rule-2"
    assert len(alerting.made) == 2
