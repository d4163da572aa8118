"""Who configured what, when, and from where; and that nobody makes it undone."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import asyncpg
import pytest

from shared.clock import WallClock
from shared.http.auth import Scope
from shared.http.tokens import mint
from tests.integration.notifier.service import KEY, OTHER_KEY, PASSWORD, Notifier

pytestmark = pytest.mark.stack


async def entries(notifier: Notifier, **asked: str) -> list[dict[str, Any]]:
    """Return the audit, the oldest first."""
    answer = await notifier.client.get("/v1/audit", params=asked)
    assert answer.is_success, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items[::-1]


async def test_what_is_configured_is_in_it_with_who_when_and_from_where(
    notifier: Notifier,
) -> None:
    began = WallClock().now()
    for _ in range(2):  # the second time it changes nothing
        await notifier.bot()
    await notifier.bot(enabled=False)
    route: dict[str, object] = {"destination": "buyers", "match": {"rules": ["low"]}}
    for _ in range(2):
        await notifier.ask("PUT", "/v1/routes/r", route)
    await notifier.ask("PUT", "/v1/routes/r", route | {"match": {"levels": ["out"]}})

    found = await entries(notifier)
    assert [(each["what"], each["target"]) for each in found] == [
        ("destination.put", "buyers"),
        ("destination.put", "buyers"),
        ("route.put", "r"),
        ("route.put", "r"),
    ]
    assert {(each["actor"], each["address"]) for each in found} == {("anna", "127.0.0.1")}
    assert all(each["via"].startswith("python-httpx/") for each in found)
    assert all(each["at"] >= began.isoformat()[:19] for each in found)
    made, disabled, led, changed = [(each["before"], each["after"]) for each in found]
    shown = await notifier.ask("GET", "/v1/destinations/buyers")
    assert made == (None, shown | {"enabled": True})
    assert disabled == (shown | {"enabled": True}, shown)
    match = {"levels": [], "labels": {}, "rules": ["low"]}
    first = {"id": "r", "destination": "buyers", "enabled": True, "match": match}
    assert led == (None, first)
    assert changed == (first, first | {"match": {"levels": ["out"], "labels": {}, "rules": []}})


async def test_of_a_secret_it_says_that_it_is_new_and_no_more(notifier: Notifier) -> None:
    other = KEY[:-4] + OTHER_KEY[-4:]
    await notifier.bot(key=KEY)
    await notifier.bot(key=other)
    await notifier.mail(username="lowtide", password=PASSWORD)
    await notifier.mail(username="lowtide", password=PASSWORD[::-1])
    found = await entries(notifier)
    new = [each["after"].get("new_secrets") for each in found]
    assert new == [None, ["key"], None, ["password"]]
    text = (await notifier.client.get("/v1/audit")).text
    for secret in (KEY, other, PASSWORD, PASSWORD[::-1]):
        assert secret[:-4] not in text


async def test_it_is_asked_by_person_thing_and_time_page_by_page(notifier: Notifier) -> None:
    await notifier.bot()
    for number in range(3):
        await notifier.ask("PUT", f"/v1/routes/r{number}", {"destination": "buyers"})
    assert len(await entries(notifier, what="route")) == 3
    assert [each["target"] for each in await entries(notifier, what="route.put", target="r1")] == [
        "r1"
    ]
    assert await entries(notifier, actor="nobody") == []
    assert await entries(notifier, what="rout") == []
    assert await entries(notifier, **{"from": "2099-01-01T00:00:00Z"}) == []
    first = (await notifier.client.get("/v1/audit", params={"limit": 3})).json()
    rest = await entries(notifier, limit="3", cursor=first["next_cursor"])
    assert [each["target"] for each in first["items"]] == ["r2", "r1", "r0"]
    assert [each["target"] for each in rest] == ["buyers"]


async def test_who_may_only_look_does_not_read_it(notifier: Notifier) -> None:
    token = mint(
        notifier.key,
        subject="reader",
        scopes=[Scope.ALERTS_READ],
        now=notifier.clock.now(),
        lifetime=timedelta(days=7),
    )
    headers = {"Authorization": f"Bearer {token}"}
    answer = await notifier.client.get("/v1/audit", headers=headers)
    assert answer.status_code == HTTPStatus.FORBIDDEN


async def test_what_is_refused_leaves_nothing_in_it(notifier: Notifier) -> None:
    await notifier.bot()
    body = {"kind": "wecom_bot", "name": "x", "language": "en", "wecom_bot": {"key": KEY}}
    assert (await notifier.client.put("/v1/destinations/again", json=body)).is_client_error
    assert (
        await notifier.client.put("/v1/routes/r", json={"destination": "nowhere"})
    ).is_client_error
    assert [each["target"] for each in await entries(notifier)] == ["buyers"]


@pytest.mark.parametrize(
    "undoing", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"]
)
async def test_the_service_itself_cannot_alter_it(notifier: Notifier, undoing: str) -> None:
    await notifier.bot()
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
        await notifier.rows(undoing)
    assert len(await entries(notifier)) == 1
