"""The notifier's HTTP interface."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from services.notifier.settings import SecretSettings
from services.notifier.wiring import serve as notifier_serve
from shared.http.auth import Scope
from shared.http.tokens import mint
from shared.testing.vendor import Fault
from tests.factories.stock_alerts import alert_id, stock_alert
from tests.integration.notifier.service import KEY, OTHER_KEY, Notifier, Row

pytestmark = pytest.mark.stack


async def test_a_destination_keeps_its_secret_when_it_is_put_without(notifier: Notifier) -> None:
    await notifier.bot()
    body = {"kind": "wecom_bot", "name": "New name", "language": "en", "wecom_bot": {}}
    body["wecom_bot"] = {"url": notifier.wecom_url}
    changed = await notifier.ask("PUT", "/v1/destinations/buyers", body)
    assert changed == {
        "id": "buyers",
        "kind": "wecom_bot",
        "name": "New name",
        "language": "en",
        "timezone": "UTC",
        "enabled": True,
        "mentions": True,
        "wecom_bot": {"key": f"****{KEY[-4:]}", "url": notifier.wecom_url},
    }
    await notifier.tell(stock_alert(1))
    async with notifier.sending():
        await notifier.until_states("sent")


async def test_a_changed_key_is_used_for_the_next_message(notifier: Notifier) -> None:
    await notifier.bot()
    async with notifier.sending():
        await notifier.tell(stock_alert(1))
        await notifier.until_states("sent")
        await notifier.bot(key=OTHER_KEY)
        await notifier.tell(stock_alert(2))
        await notifier.until_states("sent", "sent")
    assert len(notifier.wecom.of(KEY)) == len(notifier.wecom.of(OTHER_KEY)) == 1


async def test_one_bot_has_one_destination(notifier: Notifier) -> None:
    await notifier.bot()
    answer = await notifier.client.put(
        "/v1/destinations/second",
        json={"kind": "wecom_bot", "name": "x", "language": "en", "wecom_bot": {"key": KEY}},
    )
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:lowtide:problem:key_in_use"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "fax"}, "kind"),
        ({"kind": "wecom_bot"}, ""),
        ({"kind": "wecom_bot", "wecom_bot": {}}, "wecom_bot.key"),
        ({"kind": "wecom_bot", "wecom_bot": {"key": "k", "url": "https://x.example/a?key=b"}}, ""),
        ({"kind": "wecom_bot", "wecom_bot": {"key": "k", "url": "http://\x00"}}, "wecom_bot.url"),
        ({"kind": "wecom_bot", "wecom_bot": {"key": "k", "url": "http://[::1"}}, "wecom_bot.url"),
        ({"kind": "wecom_bot", "wecom_bot": {"key": "k\r\nX: y"}}, "wecom_bot.key"),
        ({"kind": "wecom_bot", "wecom_bot": {"key": "k"}, "email": {}}, "email"),
        ({"kind": "slack", "wecom_bot": {"key": "k"}}, ""),
        ({"kind": "slack", "slack": {"token": "tökén", "channel": "C024BE91L"}}, "slack.token"),
        ({"kind": "webhook", "webhook": {"url": "https://x.example/\x00"}}, "webhook.url"),
        ({"kind": "webhook", "webhook": {"url": "http://169.254.169.254/latest"}}, "webhook.url"),
        ({"kind": "slack", "slack": {"url": "http://[fe80::1]"}}, "slack.url"),
        ({"kind": "wecom_bot", "wecom_bot": {"key": "k"}, "timezone": "Mars/Olympus"}, "timezone"),
        ({"kind": "email", "email": {"to": []}}, "email.to"),
        (
            {
                "kind": "email",
                "email": {"to": ["a@b.c\r\nBcc: d@e.f"], "from": "a@b.c", "host": "h", "port": 25},
            },
            "email.to.0",
        ),
        (
            {
                "kind": "email",
                "email": {"to": ["a@b.c"], "from": "a@b.c\nX: y", "host": "h", "port": 25},
            },
            "email.from",
        ),
        (
            {
                "kind": "email",
                "email": {"to": ["a@b.c", "d,e@b.c"], "from": "a@b.c", "host": "h", "port": 25},
            },
            "email.to.1",
        ),
    ],
)
async def test_a_destination_that_makes_no_sense_is_refused_with_the_field(
    notifier: Notifier, body: Row, field: str
) -> None:
    answer = await notifier.client.put(
        "/v1/destinations/x", json={"name": "x", "language": "en"} | body
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    fields = [each["field"] for each in answer.json()["errors"]]
    assert any(each.startswith(field) for each in fields), fields


async def test_routes_decide_by_level_label_and_rule(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.bot("boss", OTHER_KEY)
    match = {"levels": ["out"], "labels": {"team": "kitchen"}, "rules": []}
    put = await notifier.ask("PUT", "/v1/routes/boss", {"destination": "boss", "match": match})
    assert put == {"id": "boss", "destination": "boss", "match": match, "enabled": True}
    assert (await notifier.ask("GET", "/v1/routes"))["items"] == [put]
    await notifier.tell(
        stock_alert(1, labels={"team": "kitchen"}),
        stock_alert(2, level="watch", labels={"team": "kitchen"}),
        stock_alert(3),
    )
    boss = await notifier.ask("GET", "/v1/deliveries?destination=boss")
    assert [item["alert_number"] for item in items(boss)] == [1]
    buyers = await notifier.ask("GET", "/v1/deliveries?destination=buyers")
    assert [item["alert_number"] for item in items(buyers)] == [3, 2, 1]


def items(page: Row) -> list[Row]:
    found = page["items"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"destination": "\x00"}, "destination"),
        ({"match": {"rules": ["\x00"]}}, "match.rules.0"),
        ({"match": {"labels": {"team": "\x00"}}}, "match.labels.team"),
        ({"match": {"labels": {"team": "x" * 201}}}, "match.labels.team"),
        ({"match": {"labels": {"\x00": "kitchen"}}}, "match.labels"),
    ],
)
async def test_a_route_that_makes_no_sense_is_refused_with_the_field(
    notifier: Notifier, body: Row, field: str
) -> None:
    answer = await notifier.client.put("/v1/routes/r", json={"destination": "buyers"} | body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith(field)


async def test_a_route_to_nowhere_is_refused(notifier: Notifier) -> None:
    answer = await notifier.client.put("/v1/routes/r", json={"destination": "nowhere"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "destination"


async def test_deliveries_are_listed_page_by_page_newest_first(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.tell(*(stock_alert(number) for number in range(1, 6)))
    seen: list[object] = []
    cursor = ""
    while True:
        page = await notifier.ask("GET", f"/v1/deliveries?limit=2{cursor}")
        seen += [item["alert_number"] for item in items(page)]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [5, 4, 3, 2, 1]
    of_one = await notifier.ask("GET", f"/v1/deliveries?alert_id={alert_id(2)}&state=waiting")
    assert [item["alert_number"] for item in items(of_one)] == [2]
    assert items(await notifier.ask("GET", "/v1/deliveries?state=sent")) == []
    assert (await notifier.client.get("/v1/deliveries?cursor=x")).status_code == 422


async def test_a_delivery_is_shown_with_its_attempts(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.mail()
    notifier.wecom.order(Fault.STATUS_500)
    async with notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_settled()
    for destination, verdicts in (("buyers", ["transient", "accepted"]), ("post", ["accepted"])):
        (item,) = items(await notifier.ask("GET", f"/v1/deliveries?destination={destination}"))
        attempts = await attempts_of(notifier, item["id"])
        assert item["attempts"] == len(attempts)
        assert [each["verdict"] for each in attempts] == verdicts
        received = (notifier.wecom.accepted[0].content, notifier.mailbox.mails[0].text)
        assert attempts[-1]["rendered"] in received
    missing = await notifier.client.get("/v1/deliveries/00000000-0000-0000-0000-000000000000")
    assert missing.status_code == 404


async def attempts_of(notifier: Notifier, id_: object) -> list[Row]:
    attempts = (await notifier.ask("GET", f"/v1/deliveries/{id_}"))["attempts"]
    assert isinstance(attempts, list)
    return attempts


async def test_the_summary_counts_by_state_and_kind(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.tell(*(stock_alert(number) for number in range(1, 31)))
    async with notifier.sending():
        await notifier.until_settled()
    summary = await notifier.ask("GET", "/v1/deliveries/summary")
    assert summary["by_state"] == {"sent": 17, "merged": 14}
    assert summary["by_kind"] == {"first": {"sent": 16, "merged": 14}, "digest": {"sent": 1}}
    assert summary["duplicates_possible"] == 0
    digest = items(await notifier.ask("GET", "/v1/deliveries?kind=digest"))[0]["id"]
    merged = await notifier.ask("GET", f"/v1/deliveries?digest_id={digest}")
    assert len(items(merged)) == 14


async def test_only_what_has_failed_can_be_tried_again(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.tell(*(stock_alert(number) for number in range(1, 31)))
    async with notifier.sending():
        await notifier.until_settled()
    for state, words in (("sent", "It is sent"), ("merged", "retry that one")):
        item = items(await notifier.ask("GET", f"/v1/deliveries?state={state}"))[-1]
        answer = await notifier.client.post(f"/v1/deliveries/{item['id']}/retry")
        assert answer.status_code == 409
        assert words in answer.json()["detail"]


async def test_nothing_is_tried_again_where_it_is_disabled(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.tell(stock_alert(1))
    await notifier.bot(enabled=False)
    (row,) = await notifier.rows("UPDATE delivery SET state = 'dead' RETURNING id")
    answer = await notifier.client.post(f"/v1/deliveries/{row['id']}/retry")
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (409, "disabled")
    assert await notifier.states() == ["dead"]


async def test_a_retry_of_what_is_out_of_date_is_not_sent(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.tell(stock_alert(1))
    await notifier.rows("UPDATE delivery SET state = 'dead'")
    await notifier.tell(stock_alert(1, revision=2, event="resolved"))
    await notifier.rows("UPDATE delivery SET state = 'sent' WHERE revision = 2")
    (row,) = await notifier.rows("SELECT id FROM delivery WHERE state = 'dead'")
    retried = await notifier.ask("POST", f"/v1/deliveries/{row['id']}/retry")
    assert (retried["state"], retried["reason"]) == ("suppressed", "newer_revision: 2")


async def test_a_test_message_tells_whether_the_destination_works(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.bot("wrong", "no-such-bot-1")
    async with notifier.sending():
        works = await notifier.client.post(
            "/v1/destinations/buyers/test", headers={"Idempotency-Key": "one"}
        )
        again = await notifier.client.post(
            "/v1/destinations/buyers/test", headers={"Idempotency-Key": "one"}
        )
        fails = await notifier.client.post("/v1/destinations/wrong/test")
    assert (works.status_code, works.json()["state"]) == (200, "sent")
    assert again.json()["id"] == works.json()["id"]
    assert (fails.status_code, fails.json()["state"]) == (200, "dead")
    assert "93000" in fails.json()["reason"]
    (message,) = notifier.wecom.accepted
    assert "anna" in message.content
    assert (await notifier.client.post("/v1/destinations/nowhere/test")).status_code == 404


async def test_a_disabled_destination_gets_nothing(notifier: Notifier) -> None:
    await notifier.bot()
    await notifier.bot(enabled=False)
    await notifier.tell(stock_alert(1))
    assert await notifier.states() == ["suppressed"]
    assert (await notifier.client.post("/v1/destinations/buyers/test")).status_code == 409


async def test_reading_and_writing_need_their_scopes(notifier: Notifier) -> None:
    reader = mint(
        notifier.key,
        subject="reader",
        scopes=[Scope.ALERTS_READ],
        now=notifier.clock.now(),
        lifetime=timedelta(days=7),
    )
    headers = {"Authorization": f"Bearer {reader}"}
    assert (await notifier.client.get("/v1/destinations", headers=headers)).status_code == 200
    for method, path in (
        ("PUT", "/v1/destinations/x"),
        ("POST", "/v1/destinations/x/test"),
        ("PUT", "/v1/routes/x"),
        ("POST", "/v1/deliveries/00000000-0000-0000-0000-000000000000/retry"),
    ):
        refused = await notifier.client.request(method, path, headers=headers, json={})
        assert refused.status_code == 403, path
    for path in ("/v1/destinations", "/v1/routes", "/v1/deliveries", "/v1/deliveries/summary"):
        unknown = await notifier.client.get(path, headers={"Authorization": ""})
        assert unknown.status_code == 401, path


async def test_without_the_database_it_says_so_and_when_to_come_back(
    settings: SecretSettings, notifier: Notifier, key: Path
) -> None:
    away = settings.model_copy(
        update={"database_url": type(settings.database_url)("postgresql://x:y@127.0.0.1:1/z")}
    )
    app = notifier_serve.application(away)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://notifier",
            headers=notifier.client.headers,
        ) as client,
    ):
        answer = await client.get("/v1/deliveries")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert (await client.get("/readyz")).status_code == 503
