"""Who configured what, when, and from where; and that nobody makes it undone."""

from typing import Any

import asyncpg
import pytest

from services.ingest.store.audit import MOST_NAMED
from shared.clock import WallClock
from tests.integration.ingest.service import Ingest

pytestmark = pytest.mark.stack


async def entries(ingest: Ingest, **asked: str) -> list[dict[str, Any]]:
    """Return the audit, the oldest first."""
    answer = await ingest.client.get("/v1/audit", params=asked)
    assert answer.is_success, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items[::-1]


async def test_what_is_configured_is_in_it_with_who_when_and_from_where(ingest: Ingest) -> None:
    began = WallClock().now()
    for _ in range(2):  # the second time it changes nothing
        await ingest.set_up()
    await ingest.ask("PUT", "/v1/channels/shop", {"name": "The shop"})
    await ingest.ask("PUT", "/v1/warehouses/main", {"name": "Main", "zone": "Asia/Shanghai"})
    await ingest.ask("POST", "/v1/skus", {"items": [{"sku": "B", "cost": "2"}, {"sku": "C"}]})

    found = await entries(ingest)
    assert [(each["what"], each["target"], each["before"], each["after"]) for each in found] == [
        ("channel.put", "shop", None, {"name": "Shop", "kind": "api"}),
        ("warehouse.put", "main", None, {"name": "Main", "zone": "Europe/London"}),
        ("skus.put", "catalogue", None, {"created": 2, "updated": 0, "skus": ["A", "B"]}),
        ("channel.put", "shop", {"name": "Shop", "kind": "api"},
         {"name": "The shop", "kind": "api"}),
        ("warehouse.put", "main", {"name": "Main", "zone": "Europe/London"},
         {"name": "Main", "zone": "Asia/Shanghai"}),
        ("skus.put", "catalogue", None, {"created": 1, "updated": 1, "skus": ["B", "C"]}),
    ]  # fmt: skip
    assert {(each["actor"], each["address"]) for each in found} == {("test", "127.0.0.1")}
    assert all(each["via"].startswith("python-httpx/") for each in found)
    assert all(each["at"] >= began.isoformat()[:19] for each in found)


async def test_of_mappings_it_has_those_that_changed(ingest: Ingest) -> None:
    await ingest.set_up()
    path = "/v1/channels/shop/mappings"
    x, y = ({"kind": "sku", "external": external} for external in ("x", "y"))
    for items in (
        [x | {"target": "A"}, y | {"action": "ignore"}],
        [x | {"target": "A"}, y | {"action": "ignore"}],
        [x | {"target": "B"}, y | {"action": "ignore"}],
        [x | {"action": "remove"}, {"kind": "sku", "external": "z", "action": "remove"}],
    ):
        await ingest.ask("PUT", path, {"items": items})
    to_a, to_b = ({**x, "action": "map", "target": target} for target in ("A", "B"))
    ignored = {**y, "action": "ignore", "target": None}
    found = await entries(ingest, what="mappings", target="shop")
    assert [(each["before"], each["after"]) for each in found] == [
        ({"mappings": []}, {"changed": 2, "mappings": [to_a, ignored]}),
        ({"mappings": [to_a]}, {"changed": 1, "mappings": [to_b]}),
        ({"mappings": [to_b]}, {"changed": 1, "mappings": []}),
    ]


async def test_of_many_at_once_it_says_how_many_and_names_the_first(ingest: Ingest) -> None:
    await ingest.set_up()
    skus = [f"S{number:03}" for number in range(MOST_NAMED + 1)]
    await ingest.ask("POST", "/v1/skus", {"items": [{"sku": sku} for sku in skus]})
    codes = [{"kind": "sku", "external": f"x {sku}", "target": sku} for sku in skus]
    await ingest.ask("PUT", "/v1/channels/shop/mappings", {"items": codes})
    *_, catalogue, mappings = await entries(ingest)
    assert (catalogue["after"]["created"], catalogue["after"]["skus"]) == (
        MOST_NAMED + 1,
        skus[:MOST_NAMED],
    )
    assert mappings["after"]["changed"] == MOST_NAMED + 1
    assert len(mappings["after"]["mappings"]) == MOST_NAMED


async def test_what_is_refused_leaves_nothing_in_it(ingest: Ingest) -> None:
    await ingest.set_up()
    before = await entries(ingest)
    for method, path, body in (
        ("POST", "/v1/skus", {"items": [{"sku": "C"}, {"sku": "C"}]}),
        ("POST", "/v1/skus", {"items": [{"sku": "C", "aliases": ["A"]}]}),
        (
            "PUT",
            "/v1/channels/shop/mappings",
            {"items": [{"kind": "sku", "external": "x", "target": "nothing"}]},
        ),
        ("PUT", "/v1/warehouses/main", {"name": "Main", "zone": "Moon/Base"}),
    ):
        assert (await ingest.client.request(method, path, json=body)).is_client_error
    assert await entries(ingest) == before


@pytest.mark.parametrize(
    "undoing", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"]
)
async def test_the_service_itself_cannot_alter_it(ingest: Ingest, undoing: str) -> None:
    await ingest.ask("PUT", "/v1/channels/shop", {"name": "Shop"})
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
        await ingest.rows(undoing)
    assert len(await entries(ingest)) == 1
