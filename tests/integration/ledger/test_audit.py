"""Who set and decided what, when, and from where; and that nobody makes it undone."""

from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from shared.clock import WallClock
from tests.integration.ledger.service import START, Ledger, change

TOLERANCES = "/v1/count-tolerances"


async def entries(api: httpx.AsyncClient, **asked: str) -> list[dict[str, Any]]:
    """Return the audit, the oldest first."""
    answer = await api.get("/v1/audit", params=asked)
    assert answer.is_success, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items[::-1]


async def test_tolerances_are_in_it_with_who_when_and_from_where(api: httpx.AsyncClient) -> None:
    began = WallClock().now()
    dear = {"class": "A", "warehouse": "N"}
    for limits in ({"units": 5}, {"units": 5}, {"percent": "2.5"}):  # one changes nothing
        assert (await api.put(TOLERANCES, params=dear, json=limits)).is_success
    assert (await api.put(TOLERANCES, json={"units": 0})).is_success
    for _ in range(2):
        assert (await api.delete(TOLERANCES, params=dear)).is_success
    assert (await api.put(TOLERANCES, json={"units": -1})).is_client_error

    found = await entries(api)
    assert [(each["what"], each["target"]) for each in found] == [
        ("count_tolerance.put", "A|N"),
        ("count_tolerance.put", "A|N"),
        ("count_tolerance.put", "|"),
        ("count_tolerance.deleted", "A|N"),
    ]
    assert {(each["actor"], each["address"]) for each in found} == {("zhang", "127.0.0.1")}
    assert all(each["via"].startswith("python-httpx/") for each in found)
    assert all(each["at"] >= began.isoformat()[:19] for each in found)
    none = {"stock_class": "A", "warehouse": "N", "units": None, "percent": None, "money": None}
    five, percent = none | {"units": 5}, none | {"percent": "2.5"}
    sides = [(each["before"], each["after"]) for each in found]
    assert sides[:2] == [(None, five), (five, percent)]
    assert sides[3] == (percent, None)
    (last,) = await entries(api, what="count_tolerance.deleted", target="A|N", actor="zhang")
    assert last == found[3]
    # Names that others make up: of a stocktake, and of who signs in elsewhere.
    for asked in ({"target": "S" * 512}, {"actor": "auth0|5f7c8ec7"}):
        assert await entries(api, **asked) == []
    refused = await api.get("/v1/audit", params={"target": "a\x00b"})
    assert refused.status_code == 422


async def test_so_are_decisions_on_counts(ledger: Ledger, api: httpx.AsyncClient) -> None:
    assert (await api.put(TOLERANCES, json={"units": 2})).is_success
    async with ledger.consuming():
        await ledger.publish(
            change(id="r", type="receipt", quantity=30),
            change(
                id="c", type="count", quantity=9, actor="li", occurred_at=START + timedelta(hours=1)
            ),
        )
        await ledger.until_recorded(2)
        (waiting,) = (await api.get("/v1/counts", params={"state": "waiting"})).json()["items"]
        for decision in ("request-recount", "request-recount", "approve"):
            answer = await api.post(f"/v1/counts/{waiting['id']}/{decision}")
            assert answer.is_success, answer.text
    found = await entries(api, what="count")
    assert [(each["actor"], each["what"], each["target"]) for each in found] == [
        ("zhang", "count.recount_requested", str(waiting["id"])),
        ("zhang", "count.approved", str(waiting["id"])),
    ]
    assert [(each["before"]["state"], each["after"]["state"]) for each in found] == [
        ("waiting", "recount_requested"),
        ("recount_requested", "approved"),
    ]


@pytest.mark.parametrize(
    "undoing", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"]
)
async def test_the_service_itself_cannot_alter_it(
    ledger: Ledger, api: httpx.AsyncClient, undoing: str
) -> None:
    assert (await api.put(TOLERANCES, json={"units": 0})).is_success
    connection = await asyncpg.connect(ledger.database.url("ledger"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
            await connection.execute(undoing)
    finally:
        await connection.close()
    assert len(await entries(api)) == 1
