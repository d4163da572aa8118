"""Channels, warehouses, SKUs and mappings through the API."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from urllib.parse import quote

import pytest
from sqlalchemy import text

from services.ingest import __main__ as ingest_main
from services.ingest.domain.catalogue import SkuItem
from services.ingest.settings import IngestSettings
from services.ingest.store import catalogue, configuration
from services.ingest.store.database import Connection, Row
from services.ingest.store.known_codes import POLL_SECONDS
from shared.clock import WallClock
from shared.database.audit import Doer
from shared.database.engine import create_engine
from shared.events.catalog_items import CatalogItem
from shared.http.auth import Scope
from shared.testing.waiting import until
from tests.integration.ingest.service import Ingest, event, running

pytestmark = pytest.mark.stack

Act = Callable[[Connection, Sequence[str]], Awaitable[object]]


async def upsert(connection: Connection, skus: Sequence[str]) -> None:
    items = [SkuItem(sku=each, name="new") for each in skus]
    await catalogue.upsert(connection, items, Doer("test", WallClock().now()))


async def note(connection: Connection, skus: Sequence[str]) -> None:
    now = WallClock().now()
    items = [CatalogItem(sku=each, version=1, updated_at=now) for each in skus]
    await catalogue.note_published(connection, items)


async def refused(ingest: Ingest, method: str, path: str, body: object) -> list[dict[str, object]]:
    answer = await ingest.client.request(method, path, json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    errors: list[dict[str, object]] = answer.json()["errors"]
    return errors


async def test_skus_are_created_changed_and_left_alone(ingest: Ingest) -> None:
    lamp = {"sku": "A", "name": "Lamp", "cost": "2.50", "aliases": ["a"], "tags": ["light"]}
    counts = []
    for item in (lamp, lamp, {"sku": "A", "name": "Lantern"}, {"sku": "A", "name": "Lantern"}):
        answer = await ingest.ask("POST", "/v1/skus", {"items": [item, {"sku": "B"}]})
        counts.append((answer["created"], answer["updated"], answer["unchanged"]))
    assert counts == [(2, 0, 0), (0, 0, 2), (0, 1, 1), (0, 0, 2)]
    stored = await ingest.ask("GET", "/v1/skus/A")
    assert (stored["name"], stored["cost"], stored["aliases"]) == ("Lantern", "2.50", ["a"])
    assert (await ingest.client.get("/v1/skus/C")).status_code == 404


@pytest.mark.parametrize("code", ["A/B", "A%2FB", "50% #1?", "货 /架"])
async def test_codes_that_hold_what_paths_are_made_of_are_asked_for_by_path(
    ingest: Ingest, code: str
) -> None:
    segment = quote(code, safe="")
    await ingest.ask("POST", "/v1/skus", {"items": [{"sku": code}]})
    assert (await ingest.ask("GET", f"/v1/skus/{segment}"))["sku"] == code
    body = {"name": "East", "zone": "Europe/London"}
    assert (await ingest.ask("PUT", f"/v1/warehouses/{segment}", body))["id"] == code
    assert (await ingest.ask("PUT", f"/v1/channels/{segment}", {"name": "Shop"}))["id"] == code
    path = f"/v1/channels/{segment}/mappings"
    ignored = {"kind": "sku", "external": "x", "action": "ignore"}
    assert (await ingest.ask("PUT", path, {"items": [ignored]}))["mapped"] == 1
    assert (await ingest.ask("GET", path))["items"]


async def test_a_code_that_would_mean_two_skus_is_refused_and_nothing_written(
    ingest: Ingest,
) -> None:
    await ingest.ask("POST", "/v1/skus", {"items": [{"sku": "A", "aliases": ["x"]}]})
    items = [{"sku": "B", "name": "New"}, {"sku": "C", "barcodes": ["x"]}, {"sku": "x"}]
    errors = await refused(ingest, "POST", "/v1/skus", {"items": items})
    assert [(each["index"], each["field"], each["code"]) for each in errors] == [
        (1, "barcodes", "is_sku"),
        (2, "sku", "is_spelling"),
    ]
    errors = await refused(ingest, "POST", "/v1/skus", {"items": items[:2]})
    assert [(each["index"], each["code"]) for each in errors] == [(1, "taken")]
    assert (await ingest.client.get("/v1/skus/B")).status_code == 404


async def test_an_alias_moves_from_one_sku_to_another_in_one_request(ingest: Ingest) -> None:
    await ingest.set_up()
    for a, b in (["x"], []), ([], ["x"]), (["x"], []):
        items = [{"sku": "A", "aliases": a}, {"sku": "B", "aliases": b}]
        await ingest.ask("POST", "/v1/skus", {"items": items})
        await ingest.post(event(id=f"{a}{b}", sku="x"))
    assert sorted(str(each["sku"]) for each in await ingest.published()) == ["A", "A", "B"]


async def test_a_thousand_skus_change_with_their_aliases_in_one_request(ingest: Ingest) -> None:
    for name in ("first", "second"):
        items = [
            {"sku": f"S{number}", "name": name, "aliases": [f"s{number}", f"{name}{number}"]}
            for number in range(1_000)
        ]
        await ingest.ask("POST", "/v1/skus", {"items": items})
    found = await ingest.rows("SELECT spelling, sku FROM sku_spelling")
    assert {(row["spelling"], row["sku"]) for row in found} == {
        (spelling, f"S{number}")
        for number in range(1_000)
        for spelling in (f"s{number}", f"second{number}")
    }


async def test_more_than_a_thousand_items_are_too_many(ingest: Ingest) -> None:
    await ingest.set_up()
    for method, path in (("POST", "/v1/skus"), ("PUT", "/v1/channels/shop/mappings")):
        item = {"sku": "A"} if method == "POST" else {"kind": "sku", "external": "x", "target": "A"}
        answer = await ingest.client.request(method, path, json={"items": [item] * 1_001})
        assert answer.status_code == 413


async def test_skus_are_found_by_code_name_alias_and_barcode_page_by_page(ingest: Ingest) -> None:
    items = [
        {"sku": "A1", "name": "Red lamp"},
        {"sku": "A2", "name": "Blue 100% lamp", "aliases": ["old_7"]},
        {"sku": "A3", "barcodes": ["4006381333931"]},
    ]
    await ingest.ask("POST", "/v1/skus", {"items": items})

    async def found(q: str) -> list[str]:
        answer = await ingest.client.get("/v1/skus", params={"q": q})
        return [each["sku"] for each in answer.json()["items"]]

    assert await found("LAMP") == ["A1", "A2"]
    assert await found("100%") == ["A2"]
    assert await found("old_") == ["A2"]
    assert await found("_") == ["A2"]
    assert await found("38133") == ["A3"]
    cursor, pages = None, []
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await ingest.client.get("/v1/skus", params=params)).json()
        pages.append([each["sku"] for each in page["items"]])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages == [["A1", "A2"], ["A3"]]


async def test_what_is_committed_reaches_catalog_items_in_its_newest_version(
    ingest: Ingest,
) -> None:
    for name in ("Lamp", "Lantern"):
        items = [{"sku": "A", "name": name, "price": "9.90", "category": "light"}, {"sku": "B"}]
        await ingest.ask("POST", "/v1/skus", {"items": items})
    stored = {
        row["sku"]: row["version"] for row in await ingest.rows("SELECT sku, version FROM sku")
    }

    async def published() -> bool:
        newest = {each["sku"]: each for each in await ingest.published("catalog.items")}
        return {sku: (each["version"], each["name"]) for sku, each in newest.items()} == {
            "A": (stored["A"], "Lantern"),
            "B": (stored["B"], None),
        }

    await until(published)

    async def noted() -> bool:
        return await ingest.rows("SELECT FROM sku WHERE published_version <> version") == []

    await until(noted)


async def test_after_a_restore_readers_take_edits_for_newer_than_what_they_have_seen(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_main, "RENEWED_AT_ONCE", 1)

    async def edit(suffix: str) -> None:
        items = [{"sku": sku, "name": f"{sku} {suffix}"} for sku in ("A", "B", "Ä")]
        await ingest.ask("POST", "/v1/skus", {"items": items})
        await ingest.ask("PUT", "/v1/warehouses/W", {"name": f"W {suffix}", "zone": "Asia/Tokyo"})

    async def until_readers_know(suffix: str) -> None:
        """Wait until what a reader keeps, who drops what is not newer, ends with a suffix."""

        async def known() -> bool:
            newest: dict[object, tuple[object, object]] = {}
            for topic, key in (("catalog.items", "sku"), ("catalog.warehouses", "warehouse")):
                for each in await ingest.published(topic):
                    version, name = each["version"], each["name"]
                    if each[key] not in newest or version > newest[each[key]][0]:  # type: ignore[operator]
                        newest[each[key]] = version, name
            return {key: name for key, (_, name) in newest.items()} == {
                key: f"{key} {suffix}" for key in ("A", "B", "Ä", "W")
            }

        await until(known)

    await edit("kept")
    await until_readers_know("kept")
    await ingest.rows("CREATE TABLE kept AS SELECT * FROM sku")
    await ingest.rows("CREATE TABLE kept_warehouse AS SELECT * FROM warehouse")

    async def restore() -> None:
        await ingest.rows("DELETE FROM sku")
        await ingest.rows("DELETE FROM warehouse")
        await ingest.rows("INSERT INTO sku SELECT * FROM kept WHERE sku <> 'B'")
        await ingest.rows("INSERT INTO warehouse SELECT * FROM kept_warehouse")
        await ingest.rows("UPDATE sku SET published_version = version")
        await ingest.rows("UPDATE warehouse SET published_version = version")

    for suffix in ("lost", "also lost"):
        await edit(suffix)
        await until_readers_know(suffix)
    await restore()
    await edit("again")
    await until_readers_know("again")

    await edit("lost too")
    await until_readers_know("lost too")
    await restore()
    await ingest.ask("POST", "/v1/skus", {"items": [{"sku": "B", "name": "B kept"}]})
    await ingest_main.republish(ingest.settings, WallClock().now())
    await until_readers_know("kept")


async def test_what_a_process_could_not_publish_the_next_one_does(
    ingest: Ingest, settings: IngestSettings
) -> None:
    nowhere = settings.model_copy(update={"kafka": "127.0.0.1:1", "send_seconds": 0.2})
    async with running(nowhere, ingest.database, ingest.key, wait=False) as alone:

        async def loaded() -> bool:
            return (await alone.client.get("/v1/channels")).is_success

        await until(loaded)
        await alone.ask("POST", "/v1/skus", {"items": [{"sku": "A", "name": "Lamp"}]})

    async def published() -> bool:
        return [each["sku"] for each in await ingest.published("catalog.items")] == ["A"]

    await until(published)


async def test_a_warehouse_needs_a_time_zone_that_exists(ingest: Ingest) -> None:
    for body in ({"name": "Main"}, {"name": "Main", "zone": "Mars/Base"}):
        errors = await refused(ingest, "PUT", "/v1/warehouses/main", body)
        assert [each["field"] for each in errors] == ["zone"]
    body = {"name": "主仓", "zone": "Asia/Shanghai"}
    await ingest.ask("PUT", "/v1/warehouses/main", body)
    (stored,) = (await ingest.client.get("/v1/warehouses")).json()["items"]
    assert {"id": "main", **body}.items() <= stored.items()


async def test_a_warehouse_and_its_changes_reach_catalog_warehouses(ingest: Ingest) -> None:
    for name, zone in (("Main", "Europe/London"), ("主仓", "Asia/Shanghai")):
        await ingest.ask("PUT", "/v1/warehouses/main", {"name": name, "zone": zone})
    # Made before its versions were kept: it is told of all the same.
    await ingest.rows("""
        INSERT INTO warehouse (warehouse, name, zone, changed_in, created_at, updated_at)
        VALUES ('old', 'Old', 'Asia/Tokyo', 0, now(), now())
    """)

    async def published() -> bool:
        told = await ingest.published("catalog.warehouses")
        newest = {each["warehouse"]: each for each in told}
        return {key: each["zone"] for key, each in newest.items()} == {
            "main": "Asia/Shanghai",
            "old": "Asia/Tokyo",
        }

    await until(published)


async def test_a_kit_is_stored_published_and_refused_where_it_would_nest(ingest: Ingest) -> None:
    box = {
        "sku": "BOX",
        "kit": [{"sku": "A", "quantity": 2}, {"sku": "B", "quantity": 1}],
        "oversell": True,
        "stock_class": "A",
    }
    await ingest.ask("POST", "/v1/skus", {"items": [box, {"sku": "A", "aliases": ["a"]}]})
    assert (await ingest.ask("POST", "/v1/skus", {"items": [{"sku": "BOX"}]}))["unchanged"] == 1
    stored = await ingest.ask("GET", "/v1/skus/BOX")
    assert {name: stored[name] for name in box} == box
    items = [
        {"sku": "A", "kit": [{"sku": "C", "quantity": 1}]},
        {"sku": "CRATE", "kit": [{"sku": "BOX", "quantity": 6}]},
    ]
    errors = await refused(ingest, "POST", "/v1/skus", {"items": items})
    assert [(each["index"], each["code"]) for each in errors] == [
        (0, "is_component"),
        (1, "is_kit"),
    ]
    items = [{"sku": "BAG", "kit": [{"sku": "a", "quantity": 1}]}]
    errors = await refused(ingest, "POST", "/v1/skus", {"items": items})
    assert [(each["index"], each["code"]) for each in errors] == [(0, "is_spelling")]

    async def published() -> bool:
        told = {each["sku"]: each for each in await ingest.published("catalog.items")}
        return "BOX" in told and {name: told["BOX"][name] for name in box} == box

    await until(published)


async def test_mappings_need_their_channel_and_targets(ingest: Ingest) -> None:
    await ingest.set_up()
    path = "/v1/channels/shop/mappings"
    answer = await ingest.client.put("/v1/channels/nobody/mappings", json={"items": []})
    assert answer.status_code == 404
    items: list[dict[str, object]] = [
        {"kind": "sku", "external": "x", "target": "A"},
        {"kind": "sku", "external": "y", "target": "C"},
        {"kind": "warehouse", "external": "x", "target": "A"},
    ]
    errors = await refused(ingest, "PUT", path, {"items": items})
    assert [(each["index"], each["code"]) for each in errors] == [
        (1, "unknown_sku"),
        (2, "unknown_warehouse"),
    ]
    errors = await refused(ingest, "PUT", path, {"items": [items[0], items[0]]})
    assert [(each["index"], each["code"]) for each in errors] == [(1, "repeated")]
    for wrong in ({"action": "ignore", "target": "A"}, {}, {"action": "map"}):
        await refused(ingest, "PUT", path, {"items": [{"kind": "sku", "external": "x", **wrong}]})
    assert (await ingest.ask("GET", path))["items"] == []


async def test_a_code_is_either_mapped_or_a_products_or_warehouses_own(ingest: Ingest) -> None:
    await ingest.set_up()
    await ingest.ask("POST", "/v1/skus", {"items": [{"sku": "A", "barcodes": ["4006381333931"]}]})
    path = "/v1/channels/shop/mappings"
    own: list[dict[str, object]] = [
        {"kind": "sku", "external": "A", "target": "B"},
        {"kind": "sku", "external": "B", "action": "ignore"},
        {"kind": "warehouse", "external": "main", "action": "ignore"},
        {"kind": "sku", "external": "x", "target": "4006381333931"},
    ]
    errors = await refused(ingest, "PUT", path, {"items": own})
    assert [(each["index"], each["field"], each["code"]) for each in errors] == [
        (3, "target", "unknown_sku"),
        (0, "external", "is_sku"),
        (1, "external", "is_sku"),
        (2, "external", "is_warehouse"),
    ]
    assert "another spelling of A; name A" in str(errors[0]["message"])
    # What says what is so anyway, or takes something away, is no contradiction.
    harmless: list[dict[str, object]] = [
        {"kind": "sku", "external": "A", "target": "A"},
        {"kind": "sku", "external": "B", "action": "remove"},
    ]
    assert (await ingest.ask("PUT", path, {"items": harmless}))["mapped"] == 2

    mapped: list[dict[str, object]] = [
        {"kind": "sku", "external": "1001", "target": "A"},
        {"kind": "warehouse", "external": "1", "target": "main"},
    ]
    await ingest.ask("PUT", path, {"items": mapped})
    errors = await refused(ingest, "POST", "/v1/skus", {"items": [{"sku": "C"}, {"sku": "1001"}]})
    assert [(each["index"], each["field"], each["code"]) for each in errors] == [
        (1, "sku", "is_mapped")
    ]
    assert "channel shop has a mapping of 1001" in str(errors[0]["message"])
    zone = {"name": "One", "zone": "Europe/London"}
    answer = await ingest.client.put("/v1/warehouses/1", json=zone)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:lowtide:problem:is_mapped")
    removed = [{"kind": each["kind"], "external": each["external"]} for each in mapped]
    items = [each | {"action": "remove"} for each in removed]
    await ingest.ask("PUT", path, {"items": items})
    await ingest.ask("POST", "/v1/skus", {"items": [{"sku": "1001"}]})
    await ingest.ask("PUT", "/v1/warehouses/1", zone)


async def test_a_removed_mapping_counts_no_more(ingest: Ingest) -> None:
    await ingest.set_up()
    path = "/v1/channels/shop/mappings"
    mapping = {"kind": "sku", "external": "x"}
    await ingest.ask("PUT", path, {"items": [mapping | {"target": "A"}]})
    assert (await ingest.post(event(sku="x")))["accepted"] == 1
    await ingest.ask("PUT", path, {"items": [mapping | {"action": "remove"}]})
    assert (await ingest.post(event(sku="x")))["quarantined"] == 1
    assert (await ingest.ask("GET", path))["items"] == []


async def test_another_process_knows_a_new_code_at_once_and_a_changed_one_within_a_second(
    ingest: Ingest, settings: IngestSettings
) -> None:
    await ingest.set_up()
    path = "/v1/channels/shop/mappings"
    async with running(settings, ingest.database, ingest.key) as other:
        await ingest.ask("POST", "/v1/skus", {"items": [{"sku": "C"}]})
        assert (await other.post(event(sku="C")))["accepted"] == 1
        mapping = {"kind": "sku", "external": "x"}
        await ingest.ask("PUT", path, {"items": [mapping | {"target": "A"}]})
        assert (await other.post(event(sku="x")))["accepted"] == 1
        await ingest.ask("PUT", path, {"items": [mapping | {"action": "ignore"}]})

        async def ignored() -> bool:
            return (await other.post(event(sku="x")))["ignored"] == 1

        await until(ignored)
    assert POLL_SECONDS <= 0.5, "half a second is left for the answer"


async def test_a_database_put_back_to_an_earlier_state_is_read_anew(ingest: Ingest) -> None:
    await ingest.set_up()
    await ingest.rows("DELETE FROM sku WHERE sku = 'B'")
    await ingest.rows("UPDATE catalogue_version SET version = 1")

    async def forgotten() -> bool:
        return (await ingest.post(event(sku="B")))["quarantined"] == 1

    await until(forgotten)
    assert (await ingest.post(event(sku="A")))["accepted"] == 1


async def test_configuration_needs_its_scope(ingest: Ingest) -> None:
    headers = ingest.token(Scope.EVENTS_WRITE, Scope.STOCK_READ)
    for method, path in (
        ("PUT", "/v1/channels/x"),
        ("PUT", "/v1/warehouses/x"),
        ("PUT", "/v1/channels/x/mappings"),
        ("POST", "/v1/skus"),
        ("POST", "/v1/quarantine/replay"),
    ):
        answer = await ingest.client.request(method, path, headers=headers, json={})
        assert answer.status_code == 403, path


async def test_the_interface_describes_itself(ingest: Ingest) -> None:
    document = (await ingest.client.get("/openapi.json")).json()
    body = document["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "application/x-ndjson"}
    event_schema = body["application/json"]["schema"]["oneOf"][0]
    assert "received_at" not in event_schema["properties"]
    assert set(event_schema["required"]) == {
        *("id", "type", "sku", "warehouse", "quantity", "occurred_at")
    }


async def test_a_component_of_a_stored_kit_becomes_nobodys_alias(ingest: Ingest) -> None:
    box = {"sku": "BOX", "kit": [{"sku": "x", "quantity": 2}]}
    await ingest.ask("POST", "/v1/skus", {"items": [box, {"sku": "A"}]})
    alias = {"sku": "A", "aliases": ["x"]}
    (error,) = await refused(ingest, "POST", "/v1/skus", {"items": [alias]})
    assert (error["field"], error["code"]) == ("aliases", "is_component")
    mended = box | {"kit": [{"sku": "A", "quantity": 2}]}
    answer = await ingest.ask("POST", "/v1/skus", {"items": [alias, mended]})
    assert answer["updated"] == 2


@pytest.mark.parametrize("act", [upsert, note])
async def test_rows_of_skus_are_locked_in_one_order(ingest: Ingest, act: Act) -> None:
    await ingest.set_up()
    parts = ingest.serving.parts
    engine = create_engine(ingest.database.url("ingest"))
    async with engine.connect() as holding, asyncio.TaskGroup() as group:
        await holding.execute(text("SELECT FROM sku WHERE sku = 'A' FOR NO KEY UPDATE"))
        acting = group.create_task(parts.database.write(act, ("B", "A")))

        async def waits() -> bool:
            return bool(
                await ingest.rows(
                    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    " AND datname = current_database()"
                )
            )

        await until(waits)
        free = "SELECT FROM sku WHERE sku = 'B' FOR NO KEY UPDATE NOWAIT"
        await holding.execute(text(free))
        await holding.rollback()
        await acting
    await engine.dispose()


@pytest.mark.parametrize(("deadlocks", "status"), [(2, 200), (99, 503)])
async def test_a_change_that_met_a_deadlock_is_done_again(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch, deadlocks: int, status: int
) -> None:
    put_channel, tries = configuration.put_channel, count()

    async def unlucky(connection: Connection, *values: object) -> Row:
        if next(tries) < deadlocks:
            await connection.execute(
                text("DO $$ BEGIN RAISE EXCEPTION 'met' USING ERRCODE = '40P01'; END $$")
            )
        found: Row = await put_channel(connection, *values)  # type: ignore[arg-type]
        return found

    monkeypatch.setattr(configuration, "put_channel", unlucky)
    answer = await ingest.client.put("/v1/channels/shop", json={"name": "Shop"})
    assert answer.status_code == status, answer.text
    assert ("retry-after" in answer.headers) == (status == 503)
