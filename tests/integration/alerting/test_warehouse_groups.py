"""Groups of warehouses: one row of the table of responsibilities for many shops."""

from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from shared.http.auth import Scope
from tests.integration.alerting.service import Alerting, authorization
from tests.integration.alerting.test_people import opened, person

pytestmark = pytest.mark.stack

REFUSED = HTTPStatus.UNPROCESSABLE_ENTITY
SIDES = ("before", "after")


async def group(alerting: Alerting, group_id: str, *warehouses: str) -> dict[str, Any]:
    body = {"name": group_id.title(), "warehouses": warehouses}
    return await alerting.ask("PUT", f"/v1/warehouse-groups/{group_id}", body)


async def put_table(alerting: Alerting, *rows: dict[str, str]) -> None:
    await alerting.ask("PUT", "/v1/responsibilities", {"items": rows})


async def test_an_alert_is_whose_group_its_warehouse_is_in_when_it_opens(
    alerting: Alerting,
) -> None:
    for each in ("an", "bo", "cai"):
        await person(alerting, each)
    await group(alerting, "east", "E1", "E2")
    await put_table(
        alerting,
        {"owner": "an"},
        {"warehouse_group": "east", "owner": "bo"},
        {"warehouse": "E2", "owner": "cai"},
    )
    await alerting.put_rule("low")

    async def owners(sku: str) -> dict[str, str]:
        await alerting.tell(
            *(alerting.level(5, sku=sku, warehouse=each) for each in ("E1", "E2", "W"))
        )
        await alerting.caught_up()
        return {each["warehouse"]: each["owner"] for each in await alerting.alerts(sku=sku)}

    async with alerting.consuming():
        assert await owners("A") == {"E1": "bo", "E2": "cai", "W": "an"}
        await group(alerting, "east", "W", "E2")
        assert await owners("B") == {"E1": "an", "E2": "cai", "W": "bo"}
    # What is open already stays whose it was.
    assert {each["owner"] for each in await alerting.alerts(sku="A", warehouse="W")} == {"an"}


async def test_what_is_nobodys_and_cases_go_by_groups_too(alerting: Alerting) -> None:
    for each in ("an", "bo"):
        await person(alerting, each)
    await group(alerting, "east", "W", "E2")
    alert = await opened(alerting)
    await put_table(alerting, {"warehouse_group": "east", "owner": "bo", "manager": "an"})
    # A program takes it on: the manager of the row hears.
    await alerting.ask("POST", f"/v1/alerts/{alert['id']}/acknowledge")
    (told,) = await alerting.rows("SELECT told FROM alert_history WHERE event = 'acknowledged'")
    assert told["told"] == ["an"]
    missed = {"sku": "A", "warehouse": "E2", "note": "漏报"}
    case = await alerting.ask("POST", "/v1/cases", missed, HTTPStatus.CREATED)
    assert case["owner"] == "bo"


async def test_a_row_names_a_warehouse_or_a_group_that_there_is(alerting: Alerting) -> None:
    await person(alerting, "an")
    await group(alerting, "east", "E1")
    rows: list[dict[str, str]] = [{"warehouse_group": "east", "owner": "an"}]
    await put_table(alerting, *rows)
    for row, column, code in (
        ({"warehouse": "W", "warehouse_group": "east"}, "warehouse_group", "both"),
        ({"warehouse_group": "west"}, "warehouse_group", "unknown_group"),
        ({"warehouse_group": "an"}, "warehouse_group", "unknown_group"),
        ({"warehouse_group": "east"}, "category", "repeated"),
    ):
        table = {"items": [*rows, row | {"owner": "an"}]}
        problem = await alerting.ask("PUT", "/v1/responsibilities", table, REFUSED)
        assert [(each["field"], each["code"]) for each in problem["errors"]] == [
            (f"items.1.{column}", code)
        ]
        what_to_do = problem["errors"][0]["message"]
        assert ("PUT /v1/warehouse-groups" in what_to_do) is (code == "unknown_group")
    (row,) = (await alerting.ask("GET", "/v1/responsibilities"))["items"]
    assert (row["warehouse"], row["warehouse_group"]) == (None, "east")


async def test_a_sheet_names_groups(alerting: Alerting) -> None:
    await person(alerting, "an")
    await group(alerting, "east", "E1")

    async def taken(sheet: str) -> tuple[int, dict[str, Any]]:
        answer = await alerting.client.post(
            "/v1/responsibilities/import", content=sheet, headers={"Content-Type": "text/csv"}
        )
        return answer.status_code, answer.json()

    head = "category,supplier,warehouse,warehouse_group,owner\n"
    status, table = await taken(f"{head}cups,,,east,an\n,,W,,an\n")
    assert status == HTTPStatus.OK
    rows = [(row["warehouse"], row["warehouse_group"]) for row in table["items"]]
    assert rows == [(None, "east"), ("W", None)]
    status, problem = await taken(f"{head}cups,,W,east,an\n,,,west,an\n")
    assert status == REFUSED
    assert [each["field"] for each in problem["errors"]] == ["items.0.warehouse_group"]


async def test_a_group_that_a_row_names_is_not_deleted(alerting: Alerting) -> None:
    await person(alerting, "an")
    made = await group(alerting, "east", "E2", "E1", "E2")
    assert made == {"id": "east", "name": "East", "warehouses": ["E1", "E2"]}
    await group(alerting, "west", "W")
    await put_table(
        alerting,
        {"owner": "an"},
        {"warehouse_group": "east", "owner": "an"},
        {"category": "cups", "warehouse_group": "east", "owner": "an"},
    )
    path = "/v1/warehouse-groups/east"
    problem = await alerting.ask("DELETE", path, None, HTTPStatus.CONFLICT)
    assert problem["type"].endswith("in_use")
    assert problem["used_by"] == [f"row {each} of the table of responsibilities" for each in (1, 2)]
    await put_table(alerting, {"warehouse_group": "west", "owner": "an"})
    for status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND):
        assert (await alerting.client.delete(path)).status_code == status
    await alerting.ask("GET", path, None, HTTPStatus.NOT_FOUND)
    listed = await alerting.ask("GET", "/v1/warehouse-groups?limit=1")
    west = {"id": "west", "name": "West", "warehouses": ["W"]}
    assert listed["items"] == [west]


async def test_who_may_configure_changes_groups_and_the_audit_has_it(
    alerting: Alerting, key: Path
) -> None:
    reader = authorization(key, Scope.ALERTS_READ, Scope.ALERTS_WRITE)
    path = "/v1/warehouse-groups/east"
    body = {"name": "East", "warehouses": ["E1"]}
    for answer in (
        await alerting.client.put(path, json=body, headers=reader),
        await alerting.client.delete(path, headers=reader),
    ):
        assert answer.status_code == HTTPStatus.FORBIDDEN
    for warehouses in (["E1"], ["E1", "E1"], ["E1", "E2"]):  # the second changes nothing
        await group(alerting, "east", *warehouses)
    assert (await alerting.client.get(path, headers=reader)).json()["warehouses"] == ["E1", "E2"]
    await alerting.ask("PUT", path, {"name": "East", "warehouses": []}, REFUSED)
    await alerting.client.delete(path)
    found = (await alerting.ask("GET", "/v1/audit?what=warehouse_group"))["items"][::-1]
    assert [
        (each["actor"], each["what"], *((each[side] or {}).get("warehouses") for side in SIDES))
        for each in found
    ] == [
        ("buyer", "warehouse_group.put", None, ["E1"]),
        ("buyer", "warehouse_group.put", ["E1"], ["E1", "E2"]),
        ("buyer", "warehouse_group.deleted", ["E1", "E2"], None),
    ]
    assert {each["target"] for each in found} == {"east"}
