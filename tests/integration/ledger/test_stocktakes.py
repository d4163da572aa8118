"""Stocktakes that wait, decided on as one: through topic, tables and HTTP."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.ledger.commands.verify import verify
from services.ledger.store import stocktakes
from services.ledger.store.items import keep
from shared.clock import WallClock
from shared.database.engine import create_engine, driver
from shared.events.catalog_items import CatalogItem
from shared.events.stock_changes import StockChange
from shared.http.auth import Scope
from shared.http.tokens import mint
from shared.testing.waiting import until
from tests.integration.ledger.service import START, Ledger, change

HOUR = timedelta(hours=1)
LINES = 10_000


def line(sku: str, quantity: int, reference: str | None = "ST-1", **more: object) -> StockChange:
    """Return what a person has counted of a SKU."""
    told = {
        "id": f"{reference} {sku}",
        "type": "count",
        "sku": sku,
        "quantity": quantity,
        "reference": reference,
        "actor": "li",
        "occurred_at": START + HOUR,
    }
    return change(**(told | more))


async def found(api: httpx.AsyncClient, path: str, **asked: str | int) -> list[dict[str, Any]]:
    answer = await api.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def decide(api: httpx.AsyncClient, step: str, **chosen: object) -> dict[str, int]:
    answer = await api.post(f"/v1/stocktakes/{step}", json=chosen)
    assert answer.status_code == 200, answer.text
    decided: dict[str, int] = answer.json()
    return decided


async def no_difference_allowed(api: httpx.AsyncClient) -> None:
    assert (await api.put("/v1/count-tolerances", json={"units": 0})).is_success


async def until_settled(ledger: Ledger) -> None:
    """Wait until the levels know all that was decided."""

    async def settled() -> bool:
        rows = await ledger.rows(
            "SELECT count(*) FROM stock_count "
            "WHERE state IN ('approved', 'rejected') AND settled_at IS NULL"
        )
        return bool(rows[0][0] == 0)

    await until(settled)


def states(counts: Sequence[dict[str, Any]]) -> dict[str, str]:
    return {each["sku"]: each["state"] for each in counts}


async def test_a_stocktake_of_ten_thousand_lines_is_approved_as_one_and_only_as_far_as_seen(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    await no_difference_allowed(api)
    lines = range(LINES)
    async with ledger.consuming():
        await ledger.publish(
            *(line(f"S{n}", n % 50 + 1) for n in lines),
            line("Z", 5, "ST-2"),
            line("N", 5, None),
        )
        await ledger.until_recorded(LINES + 2)
        seen = {each["reference"]: each for each in await found(api, "/v1/stocktakes")}
        assert seen.keys() == {"ST-1", "ST-2"}
        whole = sum(n % 50 + 1 for n in lines)
        assert seen["ST-1"] == {
            "reference": "ST-1",
            "warehouse": "W",
            "state": "waiting",
            "counts": LINES,
            "variance": whole,
            "absolute_variance": whole,
            "variance_money": None,
            "without_cost": LINES,
            "up_to": seen["ST-1"]["up_to"],
        }
        # Told after the stocktake was looked at.
        await ledger.publish(line("LATE", 7))
        await ledger.until_recorded(LINES + 3)

        up_to = seen["ST-1"]["up_to"]
        assert await decide(api, "approve", reference="ST-1", up_to=up_to, counts=LINES) == {
            "decided": LINES,
            "left": 0,
        }
        assert await decide(api, "approve", reference="ST-1", up_to=up_to, counts=LINES) == {
            "decided": 0,
            "left": 0,
        }
        await until_settled(ledger)
    wrong = await ledger.rows(
        """
        SELECT sku, on_hand, doubt FROM level
        WHERE sku LIKE 'S%' AND (on_hand <> substr(sku, 2)::int % 50 + 1 OR doubt <> 0)
        """
    )
    assert wrong == []
    kept = await ledger.rows(
        """
        SELECT count(*), min(decided_by), max(decided_by) FROM stock_count
        WHERE state = 'approved'
        """
    )
    assert tuple(kept[0]) == (LINES, "zhang", "zhang")
    assert states(await found(api, "/v1/counts", state="waiting")) == dict.fromkeys(
        ("Z", "N", "LATE"), "waiting"
    )
    assert states(await found(api, "/v1/counts", reference="ST-2")) == {"Z": "waiting"}
    assert len(await found(api, "/v1/counts", reference="ST-1", limit=500)) == 500

    audit = await found(api, "/v1/audit", what="stocktake", target="ST-1")
    assert {(each["actor"], each["what"]) for each in audit} == {("zhang", "stocktake.approved")}
    assert {each["before"]["state"] for each in audit} == {"waiting"}
    numbers = [number for each in audit for number in each["after"]["counts"]]
    assert len(numbers) == len(set(numbers)) == LINES
    assert max(len(each["after"]["counts"]) for each in audit) == stocktakes.PORTION
    assert sum(each["after"]["variance"] for each in audit) == whole
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    try:
        report = await verify(engine, progress=lambda *_: None, found=print)
    finally:
        await engine.dispose()
    assert report.differing == 0


async def test_what_is_to_be_counted_again_is_left_alone_unless_it_is_named(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    await no_difference_allowed(api)
    engine = create_engine(ledger.settings.database_url.get_secret_value())
    async with engine.begin() as connection:
        item = CatalogItem(sku="A", version=1, cost=Decimal("2.5"), updated_at=START)
        await keep(await driver(connection), [item])
    await engine.dispose()
    async with ledger.consuming():
        await ledger.publish(
            change(id="r", type="receipt", quantity=10),
            line("A", 4),
            line("B", 5),
            line("C", 90),
            line("D", 3, warehouse="N", id="elsewhere"),
        )
        await ledger.until_recorded(5)
        (wild,) = await found(api, "/v1/counts", sku="C", reference="ST-1")
        assert (await api.post(f"/v1/counts/{wild['id']}/request-recount")).is_success

        seen = await found(api, "/v1/stocktakes", reference="ST-1")
        sums = {
            (each["warehouse"], each["state"]): tuple(
                each[name]
                for name in (
                    *("counts", "variance", "absolute_variance"),
                    *("variance_money", "without_cost"),
                )
            )
            for each in seen
        }
        assert sums == {
            ("W", "waiting"): (2, -1, 11, "-15.0", 1),
            ("W", "recount_requested"): (1, 90, 90, None, 1),
            ("N", "waiting"): (1, 3, 3, None, 1),
        }
        first, *rest = await found(api, "/v1/stocktakes", limit=1)
        assert (first, rest) == (seen[0], [])
        seen_there = {"up_to": 10**9, "counts": 2}
        chosen = {"reference": "ST-1", "warehouse": "W"} | seen_there
        assert await decide(api, "approve", **chosen) == {"decided": 2, "left": 0}
        again = {"state": "recount_requested"}
        assert await decide(api, "request-recount", **chosen, **again) == {"decided": 0, "left": 1}
        assert await decide(api, "request-recount", reference="ST-1", **seen_there) == {
            "decided": 1,
            "left": 0,
        }
        assert await decide(api, "reject", reference="ST-1", **seen_there, **again) == {
            "decided": 2,
            "left": 0,
        }
        await until_settled(ledger)
    assert states(await found(api, "/v1/counts", reference="ST-1")) == {
        "A": "approved",
        "B": "approved",
        "C": "rejected",
        "D": "rejected",
    }
    assert await found(api, "/v1/stocktakes") == []


async def test_who_counts_while_pages_are_turned_makes_no_stocktake_pass_unseen(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    await no_difference_allowed(api)
    names = ["ST-1", "ST-2", "ST-3"]
    async with ledger.consuming():
        for number, name in enumerate(names, 1):
            await ledger.publish(line("A", 5, name))
            await ledger.until_recorded(number)
        first = (await api.get("/v1/stocktakes", params={"limit": 1})).json()
        await ledger.publish(line("B", 5, "ST-1"), line("B", 5, "ST-4"))
        await ledger.until_recorded(5)
    page, told = first, first["items"]
    while page["next_cursor"]:
        asked = {"limit": 1, "cursor": page["next_cursor"]}
        page = (await api.get("/v1/stocktakes", params=asked)).json()
        told += page["items"]
    assert [each["reference"] for each in told] == names[::-1]
    # As it is by now, and so is what it may be decided on by.
    (now,) = await found(api, "/v1/stocktakes", reference="ST-1")
    assert (told[-1], now["counts"]) == (now, 2)
    assert (await api.get("/v1/stocktakes", params={"cursor": "WzFd"})).status_code == 422


async def test_what_one_request_leaves_the_next_goes_on_with(
    ledger: Ledger, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stocktakes, "PORTION", 2)
    monkeypatch.setattr(stocktakes, "PORTIONS", 2)
    await no_difference_allowed(api)
    async with ledger.consuming():
        await ledger.publish(*(line(f"S{n}", 5) for n in range(7)))
        await ledger.until_recorded(7)
    chosen = {"reference": "ST-1", "up_to": 10**9, "counts": 7}
    done = [await decide(api, "reject", **chosen) for _ in range(3)]
    assert [(each["decided"], each["left"]) for each in done] == [(4, 3), (3, 0), (0, 0)]


async def test_what_came_below_the_newest_that_was_seen_is_not_decided_on_unseen(
    ledger: Ledger, api: httpx.AsyncClient
) -> None:
    """Ids are given before they can be read: by another worker, or to what is to be recounted."""
    await no_difference_allowed(api)
    async with ledger.consuming():
        await ledger.publish(line("A", 4), line("B", 5), line("C", 6))
        await ledger.until_recorded(3)
    chosen = {"reference": "ST-1", "up_to": 10**9, "counts": 2}
    refused = await api.post("/v1/stocktakes/approve", json=chosen)
    assert (refused.status_code, refused.json()["type"]) == (
        409,
        "urn:lowtide:problem:stocktake_changed",
    )
    assert refused.json()["decided"] == 0
    counts = await found(api, "/v1/counts", state="waiting")
    assert len(counts) == 3
    seen = chosen | {"counts": 3}
    assert await decide(api, "approve", **seen) == {"decided": 3, "left": 0}


async def test_a_console_decides_for_the_person_whom_it_names(
    ledger: Ledger, api: httpx.AsyncClient, key: Path
) -> None:
    await no_difference_allowed(api)
    async with ledger.consuming():
        await ledger.publish(line("A", 4), line("B", 4))
        await ledger.until_recorded(2)
    chosen = {"reference": "ST-1", "up_to": 10**9, "counts": 2}
    person = {"Lowtide-Acting-For": "%E7%8E%8B"}
    refused = await api.post("/v1/stocktakes/approve", json=chosen, headers=person)
    assert (refused.status_code, refused.json()["type"]) == (
        403,
        "urn:lowtide:problem:may_not_act_for",
    )
    token = mint(
        key,
        subject="console",
        scopes=[Scope.CONFIG_WRITE, Scope.ALERTS_ACT_FOR],
        now=WallClock().now(),
        lifetime=HOUR,
    )
    async with ledger.api(token) as console:
        nobody = await console.post(
            "/v1/stocktakes/approve", json=chosen, headers={"Lowtide-Acting-For": "%00"}
        )
        assert nobody.status_code == 422
        done = await console.post("/v1/stocktakes/approve", json=chosen, headers=person)
        assert done.json() == {"decided": 2, "left": 0}
    counts = await found(api, "/v1/counts", reference="ST-1")
    assert {each["decided_by"] for each in counts} == {"王"}
    (entry,) = await found(api, "/v1/audit", what="stocktake")
    assert (entry["actor"], entry["via"].split(" · ")[0]) == ("王", "console")


async def test_a_choice_that_names_nothing_is_refused(api: httpx.AsyncClient) -> None:
    seen = {"up_to": 1, "counts": 1}
    for choice in ({"reference": ""} | seen, {"reference": "ST-1"}, seen):
        assert (await api.post("/v1/stocktakes/approve", json=choice)).status_code == 422
    applied = {"reference": "ST-1", "state": "applied"} | seen
    assert (await api.post("/v1/stocktakes/approve", json=applied)).status_code == 422
