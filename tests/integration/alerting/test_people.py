"""People, what they are responsible for, and whose an alert is when it opens."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from shared.clock import WallClock
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting

pytestmark = pytest.mark.stack


async def person(alerting: Alerting, person_id: str, **fields: object) -> dict[str, Any]:
    return await alerting.ask("PUT", f"/v1/people/{person_id}", {"name": person_id} | fields)


async def opened(alerting: Alerting, sku: str = "A") -> dict[str, Any]:
    """Let a SKU run low and return its alert."""
    await alerting.put_rule("low")
    await alerting.tell(alerting.level(5, sku=sku))
    async with alerting.consuming():
        await alerting.caught_up()
    return (await alerting.alerts(sku=sku))[-1]


async def test_an_alert_belongs_to_whoever_is_responsible_when_it_opens(
    alerting: Alerting,
) -> None:
    for each in ("an", "bo", "cai"):
        await person(alerting, each)
    rows = [
        {"category": "cups", "owner": "an"},
        {"warehouse": "W", "owner": "bo", "deputy": "cai"},
    ]
    await alerting.ask("PUT", "/v1/responsibilities", {"items": rows})
    await alerting.name("A", category="cups")
    assert (await opened(alerting))["owner"] == "an"
    assert (await opened(alerting, "B"))["owner"] == "bo"
    later = (WallClock().now() + timedelta(days=1)).isoformat()
    await person(alerting, "bo", away_until=later)
    assert (await opened(alerting, "C"))["owner"] == "cai"
    assert (await alerting.ask("GET", "/v1/alerts/summary"))["unowned"] == 0
    async with alerting.relaying():

        async def told() -> bool:
            return len(await alerting.notices()) == 3

        await until(told)
    assert {each.sku: each.owner for each in await alerting.notices()} == {
        "A": "an",
        "B": "bo",
        "C": "cai",
    }


async def test_an_alert_that_is_nobodys_is_counted(alerting: Alerting) -> None:
    assert (await opened(alerting))["owner"] is None
    assert (await alerting.ask("GET", "/v1/alerts/summary"))["unowned"] == 1


async def test_the_table_is_replaced_whole_or_not_at_all(alerting: Alerting) -> None:
    await person(alerting, "an")
    good = {"items": [{"category": "cups", "owner": "an"}]}
    await alerting.ask("PUT", "/v1/responsibilities", good)
    for row, field, code in (
        ({"category": "plates", "owner": "nobody"}, "items.1.owner", "unknown_person"),
        ({"category": "cups", "owner": "an"}, "items.1.category", "repeated"),
        ({"category": "plates"}, "items.1.owner", "missing"),
    ):
        problem = await alerting.ask(
            "PUT",
            "/v1/responsibilities",
            {"items": [*good["items"], row]},
            HTTPStatus.UNPROCESSABLE_ENTITY,
        )
        assert [(each["field"], each["code"]) for each in problem["errors"]] == [(field, code)]
    (row,) = (await alerting.ask("GET", "/v1/responsibilities"))["items"]
    assert (row["category"], row["owner"]) == ("cups", "an")


SHEETS = (
    "\ufeffcategory,warehouse,owner,deputy\ncups,,an,\n,W,bo,an\n",
    "category , warehouse,owner,deputy,,\r\n\r\n cups ,, an,\r\n,W,bo,an,,\r\n,,,,,\r\n , ,,\r\n",
)


@pytest.mark.parametrize("sheet", SHEETS, ids=["plain", "of a spreadsheet"])
async def test_the_table_comes_from_a_sheet(alerting: Alerting, sheet: str) -> None:
    await person(alerting, "an")
    await person(alerting, "bo")
    answer = await alerting.client.post(
        "/v1/responsibilities/import", content=sheet, headers={"Content-Type": "text/csv"}
    )
    assert answer.status_code == HTTPStatus.OK, answer.text
    rows = (await alerting.ask("GET", "/v1/responsibilities"))["items"]
    assert [tuple(row.values()) for row in rows] == [
        ("cups", None, None, None, "an", None, None),
        (None, None, "W", None, "bo", "an", None),
    ]


@pytest.mark.parametrize(
    ("sheet", "field"),
    [
        ("category,boss\ncups,an\n", "items.0.boss"),
        ("owner\nan,bo\n", "items.0"),
        ("owner\nA|B\n", "items.0.owner"),
        ("category,owner\n\n,\ncups,A|B\n", "items.2.owner"),
        ("category,owner\n\ncups,\n", "items.1.owner"),
        ("category,owner\n\ncups,nobody\n", "items.1.owner"),
    ],
)
async def test_a_sheet_that_cannot_be_is_refused_with_row_and_column(
    alerting: Alerting, sheet: str, field: str
) -> None:
    answer = await alerting.client.post(
        "/v1/responsibilities/import", content=sheet, headers={"Content-Type": "text/csv"}
    )
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert [each["field"] for each in answer.json()["errors"]] == [field]


CHAT_IDS = {
    "dingtalk_userid": "manager4220",
    "feishu_open_id": "ou_7d8a6e6df7621556ce0d21922b676706",
    "slack_user_id": "U012AB3CD",
}


async def test_an_address_belongs_to_one_person(alerting: Alerting) -> None:
    addresses = {"email": "an@example.com", "wecom_userid": "An"} | CHAT_IDS
    assert (await person(alerting, "an", **addresses)).items() >= addresses.items()
    for same in (
        {"email": "AN@example.com"},
        {"wecom_userid": "an"},
        *({name: id_} for name, id_ in CHAT_IDS.items()),
        {"dingtalk_userid": CHAT_IDS["dingtalk_userid"].upper()},
    ):
        problem = await alerting.ask(
            "PUT", "/v1/people/bo", {"name": "Bo"} | same, HTTPStatus.CONFLICT
        )
        assert problem["type"].endswith("address_taken")
        assert "is that of an;" in problem["detail"]
    await person(alerting, "an", **addresses)
    await person(alerting, "an")
    await person(alerting, "bo", **addresses)


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("dingtalk_userid", "all"),
        ("dingtalk_userid", "lin wang"),
        ("feishu_open_id", "lin@example.com"),
        ("feishu_open_id", "ou_1></at>"),
        ("slack_user_id", "@lin"),
        ("slack_user_id", "!channel"),
    ],
)
async def test_what_is_no_id_of_a_vendors_is_refused_with_where_to_find_it(
    alerting: Alerting, field: str, written: str
) -> None:
    body = {"name": "An", field: written}
    problem = await alerting.ask("PUT", "/v1/people/an", body, HTTPStatus.UNPROCESSABLE_ENTITY)
    (error,) = problem["errors"]
    assert error["field"] == field
    assert error["message"].startswith("send ")


async def test_who_is_responsible_cannot_be_deleted(alerting: Alerting) -> None:
    await person(alerting, "an")
    await person(alerting, "bo")
    await alerting.ask("PUT", "/v1/responsibilities", {"items": [{"owner": "an"}]})
    problem = await alerting.ask("DELETE", "/v1/people/an", None, HTTPStatus.CONFLICT)
    assert problem["type"].endswith("still_responsible")
    for _ in range(2):
        answer = await alerting.client.delete("/v1/people/bo")
        assert answer.status_code == HTTPStatus.NO_CONTENT
    await alerting.ask("GET", "/v1/people/bo", None, HTTPStatus.NOT_FOUND)


async def test_an_id_from_elsewhere_may_hold_what_paths_are_made_of(alerting: Alerting) -> None:
    for code in ("A/B", "A%2FB", "50% #1?", "供应商 /1"):
        segment = quote(code, safe="")
        for path in (f"/v1/people/{segment}", f"/v1/suppliers/{segment}"):
            assert (await alerting.ask("PUT", path, {"name": "An"}))["id"] == code
            assert (await alerting.ask("GET", path))["id"] == code
            assert (await alerting.client.delete(path)).status_code == HTTPStatus.NO_CONTENT


async def test_a_suppliers_row_decides_whose_an_alert_is_and_who_hears_of_it(
    alerting: Alerting,
) -> None:
    for each in ("an", "bo", "cai"):
        await person(alerting, each)
    sheet = "category,supplier,warehouse,owner,manager\n,,W,an,\n,ACME,W,bo,\n,IDLE,,,cai\n"
    sheet += ",,,,an\n"
    answer = await alerting.client.post(
        "/v1/responsibilities/import", content=sheet, headers={"Content-Type": "text/csv"}
    )
    rows = answer.json()["items"]
    assert [each["supplier"] for each in rows] == [None, "ACME", "IDLE", None]
    assert await alerting.ask("PUT", "/v1/responsibilities", {"items": rows}) == {"items": rows}
    twice = {"items": [*rows, rows[1]]}
    await alerting.ask("PUT", "/v1/responsibilities", twice, HTTPStatus.UNPROCESSABLE_ENTITY)
    for sku, supplier in (("A", "ACME"), ("B", "OTHER"), ("C", "IDLE")):
        await alerting.ask("PUT", f"/v1/parameters?sku={sku}", {"supplier": supplier})
    await alerting.put_rule("low")
    await alerting.tell(alerting.level(5), alerting.level(5, sku="B"))
    await alerting.tell(alerting.level(5, sku="C", warehouse="V"))
    async with alerting.consuming():
        await alerting.caught_up()
    owners = {each["sku"]: each["owner"] for each in await alerting.alerts()}
    assert owners == {"A": "bo", "B": "an", "C": "cai"}
    # Of one that is nobody's the manager of the row hears.
    await alerting.rows("UPDATE alert SET owner = NULL WHERE sku = 'C'")
    (nobodys,) = await alerting.alerts(sku="C")
    until_ = {"minutes": 60}
    await alerting.ask("POST", f"/v1/alerts/{nobodys['id']}/snooze", until_)
    (told,) = await alerting.rows(
        "SELECT told FROM alert_history WHERE alert_id = $1 ORDER BY revision DESC LIMIT 1",
        UUID(nobodys["id"]),
    )
    assert told["told"] == ["cai"]


async def test_nor_is_one_whom_a_playbook_a_rotation_or_a_limit_names(alerting: Alerting) -> None:
    """What names them is said; old versions of a playbook, and disabled ones, do not count."""
    for each in ("an", "bo", "cai"):
        await person(alerting, each)
    late = {"do": "escalate", "after_minutes": 5, "to": [{"person": "an"}]}
    step = {"whom": [{"person": "bo"}], "expects": "act", "within_minutes": 5, "late": [late]}
    playbook = {"name": {"en": "Quick"}, "steps": [step]}
    cover = {"starts_at": "2026-03-02T00:00:00Z", "ends_at": "2026-03-03T00:00:00Z", "person": "an"}
    rotation = {"people": ["bo", "cai"], "zone": "UTC", "starts_on": "2026-03-02"}
    for path, body in (
        ("playbooks/quick", playbook),
        ("rotations/duty", rotation | {"overrides": [cover]}),
        ("approval-limits", {"items": [{"person": "an"}]}),
    ):
        assert (await alerting.client.put(f"/v1/{path}", json=body)).is_success
    problem = await alerting.ask("DELETE", "/v1/people/an", None, HTTPStatus.CONFLICT)
    assert problem["detail"] == (
        "an is named in playbook quick, rotation duty, the approval limits; "
        "name somebody else there first."
    )
    assert problem["used_by"] == ["playbook quick", "rotation duty", "the approval limits"]
    problem = await alerting.ask("DELETE", "/v1/people/cai", None, HTTPStatus.CONFLICT)
    assert "named in rotation duty;" in problem["detail"]
    await alerting.ask("PUT", "/v1/rotations/duty", rotation | {"people": ["cai"]})
    await alerting.ask("PUT", "/v1/approval-limits", {"items": []})
    await alerting.ask("PUT", "/v1/playbooks/quick", playbook | {"steps": [step | {"late": []}]})
    assert (await alerting.client.delete("/v1/people/an")).status_code == HTTPStatus.NO_CONTENT
    await alerting.ask("DELETE", "/v1/people/bo", None, HTTPStatus.CONFLICT)
    await alerting.ask("DELETE", "/v1/playbooks/quick")
    assert (await alerting.client.delete("/v1/people/bo")).status_code == HTTPStatus.NO_CONTENT


async def test_nor_is_one_who_owns_an_open_alert_or_whom_its_playbook_names(
    alerting: Alerting,
) -> None:
    for each in ("an", "bo"):
        await person(alerting, each)
    await alerting.ask("PUT", "/v1/responsibilities", {"items": [{"owner": "an"}]})
    step = {"whom": [{"person": "bo"}], "expects": "act", "within_minutes": 5}
    playbook = {"name": {"en": "Quick"}, "steps": [step]}
    await alerting.ask("PUT", "/v1/attention-policy", {"enabled": False})
    assert (await alerting.client.put("/v1/playbooks/quick", json=playbook)).is_success
    await alerting.put_rule("low", playbook="quick")
    async with alerting.consuming():
        for units in (50, 5):
            await alerting.tell(alerting.level(units))
            await alerting.caught_up()
        await alerting.ask("PUT", "/v1/responsibilities", {"items": []})
        await alerting.put_rule("low")
        await alerting.ask("DELETE", "/v1/playbooks/quick")
        for each, where in (("an", "open alerts"), ("bo", "open alerts that follow quick")):
            problem = await alerting.ask("DELETE", f"/v1/people/{each}", None, HTTPStatus.CONFLICT)
            assert problem["detail"].startswith(f"{each} is named in {where};")
        await alerting.tell(alerting.level(50))
        await alerting.caught_up()
    for each in ("an", "bo"):
        answer = await alerting.client.delete(f"/v1/people/{each}")
        assert answer.status_code == HTTPStatus.NO_CONTENT


async def test_of_what_a_program_has_taken_on_the_manager_hears(alerting: Alerting) -> None:
    await person(alerting, "cai")
    table = {"items": [{"warehouse": "W", "owner": "cai", "manager": "cai"}]}
    alert = await opened(alerting)
    await alerting.ask("PUT", "/v1/responsibilities", table)
    taken = await alerting.ask("POST", f"/v1/alerts/{alert['id']}/acknowledge")
    assert taken["owner"] == "buyer"  # whose token it is; no person of /v1/people
    (told,) = await alerting.rows("SELECT told FROM alert_history WHERE event = 'acknowledged'")
    assert told["told"] == ["cai"]


async def test_people_come_in_pages(alerting: Alerting) -> None:
    for each in ("an", "bo", "cai"):
        await person(alerting, each)
    first = await alerting.ask("GET", "/v1/people?limit=2")
    second = await alerting.ask("GET", f"/v1/people?limit=2&cursor={first['next_cursor']}")
    assert [each["id"] for each in first["items"] + second["items"]] == ["an", "bo", "cai"]
