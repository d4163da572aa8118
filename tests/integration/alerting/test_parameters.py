"""Parameters over HTTP, and how fast running consumers follow them."""

from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from shared.http.auth import Scope
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting, authorization

pytestmark = pytest.mark.stack

PATH = "/v1/parameters"


async def test_a_parameter_is_kept_with_who_set_it_and_when(alerting: Alerting) -> None:
    made = await alerting.ask("PUT", f"{PATH}?sku=A/1&warehouse=W", {"safety_stock": 40})
    assert (made["sku"], made["warehouse"], made["safety_stock"]) == ("A/1", "W", 40)
    assert made["moq"] is None
    (origin,) = made["provenance"].values()
    assert (origin["source"], origin["by"]) == ("typed", "buyer")
    (listed,) = (await alerting.ask("GET", PATH))["items"]
    assert listed == made


async def test_what_is_left_out_is_not_set_any_more_and_the_rest_keeps_its_origin(
    alerting: Alerting,
) -> None:
    path = f"{PATH}?sku=A"
    first = await alerting.ask("PUT", path, {"safety_stock": 40, "unit_cost": "12.50"})
    second = await alerting.ask("PUT", path, {"unit_cost": 12.5, "supplier": "acme"})
    assert (second["safety_stock"], second["unit_cost"]) == (None, "12.50")
    assert second["provenance"]["unit_cost"] == first["provenance"]["unit_cost"]
    assert set(second["provenance"]) == {"unit_cost", "supplier"}


async def test_a_rule_follows_a_parameter_that_is_set_changed_and_taken_away(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("safe", kind="below_safety_stock", levels=[])
    await alerting.tell(alerting.level(12), alerting.level(12, sku="B"))
    async with alerting.consuming():
        await alerting.caught_up()
        assert await alerting.alerts() == []
        await alerting.ask("PUT", f"{PATH}?sku=A", {"safety_stock": 13})
        await until(lambda: _states(alerting, ["open"]))
        await alerting.ask("PUT", f"{PATH}?sku=A&warehouse=W", {"safety_stock": 12})
        await until(lambda: _states(alerting, ["resolved"]))
        await alerting.ask("DELETE", f"{PATH}?sku=A&warehouse=W")
        await until(lambda: _states(alerting, ["resolved", "open"]))
        await alerting.ask("DELETE", f"{PATH}?sku=A")
        await until(lambda: _states(alerting, ["resolved", "resolved"]))
    first, second = await alerting.alerts()
    told = await alerting.ask("GET", f"/v1/alerts/{second['id']}")
    assert told["history"][-1]["reason"] == "no_parameter"
    assert {first["sku"], second["sku"]} == {"A"}
    assert first["facts"]["threshold"] is None
    opened, _ = told["history"]
    assert opened["facts"]["threshold"] == 13


async def test_a_rule_for_a_class_follows_the_levels_that_come_into_it_and_leave(
    alerting: Alerting,
) -> None:
    await alerting.put_rule("important", scope={"classes": ["A", "B"]})
    await alerting.put_rule("of-acme", scope={"suppliers": ["acme"]})
    await alerting.tell(alerting.level(12), alerting.level(12, sku="B"))
    async with alerting.consuming():
        await alerting.caught_up()
        assert await alerting.alerts() == []
        await alerting.ask("PUT", f"{PATH}?sku=A", {"stock_class": "AX"})
        await until(lambda: _states(alerting, ["open"]))
        await alerting.ask("PUT", f"{PATH}?sku=A&warehouse=W", {"stock_class": "C"})
        await until(lambda: _states(alerting, ["resolved"]))
        explained = await alerting.ask("GET", "/v1/explain?sku=A&warehouse=W&rule=important")
        assert [each["reason"] for each in explained["rules"]] == ["out_of_scope"]
        await alerting.ask("PUT", f"{PATH}?sku=B", {"supplier": "acme"})
        await until(lambda: _states(alerting, ["resolved", "open"]))
        explained = await alerting.ask("GET", "/v1/explain?sku=B&warehouse=W&rule=of-acme")
        assert [each["reason"] for each in explained["rules"]] == ["firing"]
    assert [each["rule"]["id"] for each in await alerting.alerts()] == ["important", "of-acme"]


async def test_what_the_catalogue_says_holds_where_nothing_is_set(alerting: Alerting) -> None:
    """Class, cost and price; with class a rule's scope follows, too."""
    await alerting.put_rule("important", scope={"classes": ["A"]})
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await alerting.caught_up()
        await alerting.name("A", stock_class="A", cost="2.500000", price="9.90")
        await until(lambda: _states(alerting, ["open"]))
        given = await _given(alerting)
        assert (given["stock_class"], given["unit_cost"], given["price"]) == ("A", "2.5", "9.9")
        assert (await alerting.ask("GET", PATH))["items"] == []
        await alerting.ask("PUT", f"{PATH}?sku=A", {"unit_cost": "3.00", "price": "9.00"})
        await alerting.ask("PUT", f"{PATH}?sku=A&warehouse=W", {"price": "8.00"})
        given = await _given(alerting)
        assert (given["stock_class"], given["unit_cost"], given["price"]) == ("A", "3.00", "8.00")
        await alerting.name("A", version=2, stock_class="C")
        await until(lambda: _states(alerting, ["resolved"]))
        await alerting.name("A", version=3, stock_class="A")
        await until(lambda: _states(alerting, ["resolved", "open"]))
    assert [each["stock_class"] for each in await alerting.alerts()] == ["C", "A"]


async def test_skus_without_class_or_supplier_are_counted_and_listed(alerting: Alerting) -> None:
    await alerting.name("A", stock_class="A")
    await alerting.tell(
        alerting.level(12), alerting.level(12, warehouse="V"), alerting.level(12, sku="B")
    )
    async with alerting.consuming():
        await alerting.caught_up()
        await until(lambda: alerting.has_parameters("A"))
    unknown = f"{PATH}/unknown"
    assert await alerting.ask("GET", f"{unknown}/summary") == {"stock_class": 1, "supplier": 2}
    await alerting.ask("PUT", f"{PATH}?sku=A&warehouse=W", {"supplier": "acme"})
    first = await alerting.ask("GET", f"{unknown}?of=supplier&limit=1")
    assert first["items"][0]["sku"] == "A"
    assert first["items"][0]["warehouses"] == ["V"]
    rest = await alerting.ask("GET", f"{unknown}?of=supplier&cursor={first['next_cursor']}")
    assert [(each["sku"], each["warehouses"]) for each in rest["items"]] == [("B", ["W"])]
    assert rest["next_cursor"] is None
    await alerting.ask("PUT", f"{PATH}?sku=B", {"stock_class": "C", "supplier": "acme"})
    assert await alerting.ask("GET", f"{unknown}/summary") == {"stock_class": 0, "supplier": 1}
    assert (await alerting.ask("GET", f"{unknown}?of=stock_class"))["items"] == []


async def test_a_consumer_that_starts_goes_by_what_was_set_before(alerting: Alerting) -> None:
    await alerting.put_rule("safe", kind="below_safety_stock", levels=[])
    await alerting.ask("PUT", f"{PATH}?sku=A", {"safety_stock": 13})
    await alerting.tell(alerting.level(12))
    async with alerting.consuming():
        await alerting.caught_up()
    assert len(await alerting.alerts()) == 1


async def test_an_import_takes_good_lines_and_says_what_to_do_about_the_others(
    alerting: Alerting,
) -> None:
    await alerting.ask("PUT", f"{PATH}?sku=B", {"moq": 6, "price": "2.00"})
    table = "sku,warehouse,moq,supplier\nA,W,12,acme\nB,,6,\nC,W,0,\nA,V,1,\n"
    answer = await _import(alerting, table, "text/csv")
    (rejected,) = answer.pop("rejected")
    assert answer == {"created": 2, "changed": 0, "unchanged": 1}
    assert (rejected["index"], rejected["field"]) == (2, "moq")
    assert "from 1 to" in rejected["message"]
    again = await _import(alerting, table, "text/csv")
    assert (again["created"], again["changed"], again["unchanged"]) == (0, 0, 3)
    listed = (await alerting.ask("GET", PATH))["items"]
    assert [(each["sku"], each["warehouse"], each["moq"]) for each in listed] == [
        ("A", "V", 1),
        ("A", "W", 12),
        ("B", None, 6),
    ]
    assert listed[1]["provenance"]["moq"]["source"] == "imported"
    assert listed[2]["provenance"]["moq"]["source"] == "typed"
    assert listed[2]["price"] == "2.00"


async def test_an_import_without_any_good_line_is_refused(alerting: Alerting) -> None:
    body = '{"sku": "A", "moq": 0}\n{"sku": "A"}'
    headers = {"Content-Type": "application/x-ndjson"}
    answer = await alerting.client.post(f"{PATH}/import", content=body, headers=headers)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert [each["index"] for each in answer.json()["errors"]] == [0, 1]
    assert (await alerting.ask("GET", PATH))["items"] == []


async def test_an_import_is_followed_as_a_whole(alerting: Alerting) -> None:
    """Also one that takes several questions to read."""
    await alerting.put_rule("safe", kind="below_safety_stock", levels=[])
    skus = [f"sku {number}" for number in range(5_000)]
    await alerting.tell(*(alerting.level(12, sku=sku) for sku in (skus[0], skus[-1], "other")))
    async with alerting.consuming():
        await alerting.caught_up()
        lines = "".join(f"{sku},13\n" for sku in skus)
        answer = await _import(alerting, f"sku,safety_stock\n{lines}", "text/csv")
        assert answer["created"] == len(skus)
        await until(lambda: _states(alerting, ["open", "open"]))
    assert {each["sku"] for each in await alerting.alerts()} == {skus[0], skus[-1]}


async def test_parameters_come_in_pages_and_by_filter(alerting: Alerting) -> None:
    for sku, warehouse in (("B", "W"), ("A", "W"), ("A", ""), ("A", "V")):
        place = f"&warehouse={warehouse}" if warehouse else ""
        await alerting.ask("PUT", f"{PATH}?sku={sku}{place}", {"moq": 1})
    first = await alerting.ask("GET", f"{PATH}?limit=3")
    second = await alerting.ask("GET", f"{PATH}?limit=3&cursor={first['next_cursor']}")
    keys = [(each["sku"], each["warehouse"]) for each in first["items"] + second["items"]]
    assert keys == [("A", None), ("A", "V"), ("A", "W"), ("B", "W")]
    assert second["next_cursor"] is None
    for query, count in (("sku=A", 3), ("warehouse=W", 2), ("sku=A&warehouse=V", 1)):
        assert len((await alerting.ask("GET", f"{PATH}?{query}"))["items"]) == count, query


async def test_what_was_taken_away_is_gone_and_may_be_set_anew(alerting: Alerting) -> None:
    path = f"{PATH}?sku=A&warehouse=W"
    await alerting.ask("PUT", path, {"moq": 6})
    assert (await alerting.ask("DELETE", path))["moq"] == 6
    problem = await alerting.ask("DELETE", path, None, HTTPStatus.NOT_FOUND)
    assert "warehouse W" in problem["detail"]
    assert (await alerting.ask("GET", PATH))["items"] == []
    await alerting.ask("PUT", path, {"moq": 7})
    assert len((await alerting.ask("GET", PATH))["items"]) == 1


async def _given(alerting: Alerting) -> dict[str, Any]:
    explained = await alerting.ask("GET", "/v1/explain?sku=A&warehouse=W")
    given: dict[str, Any] = explained["parameters"]
    return given


async def test_changing_parameters_needs_its_scope(alerting: Alerting, key: Path) -> None:
    reading = authorization(key, Scope.ALERTS_READ)
    for method, path in (("PUT", "?sku=A"), ("DELETE", "?sku=A"), ("POST", "/import")):
        answer = await alerting.client.request(method, PATH + path, json={}, headers=reading)
        assert answer.status_code == HTTPStatus.FORBIDDEN, method
    assert (await alerting.client.get(PATH, headers=reading)).status_code == HTTPStatus.OK


async def _import(alerting: Alerting, body: str, kind: str) -> dict[str, Any]:
    answer = await alerting.client.post(
        f"{PATH}/import", content=body.encode(), headers={"Content-Type": kind}
    )
    assert answer.status_code == HTTPStatus.OK, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _states(alerting: Alerting, wanted: list[str]) -> bool:
    return [each["state"] for each in await alerting.alerts()] == wanted


async def test_what_is_phased_out_is_not_proposed_to_be_bought(alerting: Alerting) -> None:
    await alerting.put_rule("low", levels=[{"level": "watch", "enter": 20}])
    for sku, life_cycle in (("A", "active"), ("B", "phase_out"), ("C", "ended")):
        await alerting.name(sku, life_cycle=life_cycle)
        await alerting.ask("PUT", f"{PATH}?sku={sku}", {"reorder_point": 30, "order_quantity": 50})
    await alerting.tell(*(alerting.level(12, sku=sku) for sku in "ABC"))
    async with alerting.consuming():
        await alerting.caught_up()
    facts = {each["sku"]: each["facts"] for each in await alerting.alerts()}
    assert {sku: each["proposed"] for sku, each in facts.items()} == {"A": 68, "B": None, "C": None}
    assert {sku: each["is_bought"] for sku, each in facts.items()} == {
        "A": True,
        "B": False,
        "C": False,
    }
