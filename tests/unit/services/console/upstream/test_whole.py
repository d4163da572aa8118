"""Lists that come part by part."""

import httpx

from services.console.upstream.people import People
from services.console.upstream.rules import Rules
from services.console.upstream.service import Service

PARTS = {"": ["an", "bo"], "bo": ["cai"]}


def answer(request: httpx.Request) -> httpx.Response:
    ids = PARTS[request.url.params.get("cursor", "")]
    rule = {"version": 1, "changed_by": "an", "changed_at": "2026-03-02T09:00:00Z"}
    items = [
        rule
        | {"id": one, "name": one if "people" in request.url.path else {"en": one}}
        | {"kind": "below", "enabled": True}
        for one in ids
    ]
    return httpx.Response(200, json={"items": items, "next_cursor": "bo" if "bo" in ids else None})


async def test_people_and_rules_are_told_to_the_last() -> None:
    async with httpx.AsyncClient(
        base_url="http://alerting", transport=httpx.MockTransport(answer)
    ) as http:
        service = Service("alerting", http)
        assert [one.id for one in await People(service).all()] == ["an", "bo", "cai"]
        assert await People(service).names() == {one: one for one in ("an", "bo", "cai")}
        assert [one.id for one in await Rules(service).all()] == ["an", "bo", "cai"]
