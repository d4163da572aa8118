"""An order's whole way to its supplier: over the broker, by real SMTP, and back by its link."""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from openpyxl import load_workbook
from pydantic import SecretStr

from services.alerting.settings import AlertingSettings
from services.notifier.settings import SecretSettings
from services.notifier.wiring import consume as notifier_consume
from shared.clock import ManualClock
from shared.events.alert_reports import TOPIC as REPORTS
from shared.http.auth import Scope
from shared.testing.mailbox import Mail
from shared.testing.reading import all_records
from shared.testing.stack import Database
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting, alerting_on, authorization
from tests.integration.alerting.service import running as role
from tests.integration.notifier.service import Notifier
from tests.integration.notifier.service import running as notifier_on

pytestmark = pytest.mark.stack

SUPPLIER = "orders@acme.example"
PARAMETERS = {"unit_cost": "2.50", "supplier": "ACME", "lead_time_days": 5}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def secret() -> SecretStr:
    return SecretStr(Fernet.generate_key().decode())


@pytest_asyncio.fixture
async def alerting(
    surroundings: dict[str, Any],
    database: Database,
    key: Path,
    clock: ManualClock,
    secret: SecretStr,
) -> AsyncIterator[Alerting]:
    settings = AlertingSettings(
        **surroundings,
        database_url=SecretStr(database.url("alerting")),
        secret_key=secret,
        supplier_url="http://alerting",
        ingest_url="http://127.0.0.1:9",
        order_destination="office",
    )
    async with alerting_on(settings, database, key, clock) as service:
        await service.put_rule("low")
        await service.ask("PUT", "/v1/people/lin", {"name": "Lin", "email": "lin@shop.example"})
        await service.ask("PUT", "/v1/suppliers/ACME", acme())
        for sku in ("A", "B"):
            await service.ask("PUT", f"/v1/parameters?sku={sku}&warehouse=W", PARAMETERS)
        yield service


@pytest_asyncio.fixture
async def notifier(
    surroundings: dict[str, Any], database: Database, key: Path, secret: SecretStr
) -> AsyncIterator[Notifier]:
    settings = SecretSettings(
        **surroundings,
        database_url=SecretStr(database.url("notifier")),
        secret_key=secret,
        console_url="http://console.example",
    )
    async with notifier_on(settings, database, key) as service:
        await service.mail("office", to=("office@shop.example",))
        # Neither hears of alerts: these are about orders alone.
        for place in ("office", "staff"):
            if place == "staff":
                await service.mail(place, to=("boss@shop.example",), personal=True)
            body = {"destination": place, "match": {"rules": ["none"]}}
            await service.ask("PUT", f"/v1/routes/{place}", body)
        yield service


def acme(**fields: object) -> dict[str, object]:
    given = {"name": "Acme", "language": "en", "timezone": "Asia/Shanghai", "email": SUPPLIER}
    return given | fields


@asynccontextmanager
async def working(alerting: Alerting, notifier: Notifier) -> AsyncIterator[None]:
    """Run what lies between an order and its supplier."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(alerting.relaying())
        await stack.enter_async_context(
            role(lambda stop: notifier_consume.run(notifier.settings, stop))
        )
        await stack.enter_async_context(notifier.sending())
        yield


async def bought(alerting: Alerting, key: Path, *skus: str) -> str:
    """Return the address of the order into which purchases of these are collected."""
    async with alerting.consuming():
        await alerting.tell(*(alerting.level(5, sku=sku) for sku in skus))
        await alerting.caught_up()
    orders = set()
    for alert in sorted(await alerting.alerts(), key=lambda each: str(each["sku"])):
        body = {"kind": "buy", "quantity": 144}
        made = await post(alerting, key, f"/v1/alerts/{alert['id']}/actions", body)
        orders.add(f"/v1/orders/{made['order']['id']}")
    (order,) = orders
    return order


async def post(
    alerting: Alerting, key: Path, path: str, body: object = None, **headers: str
) -> dict[str, Any]:
    """Do something as the buyer."""
    given = authorization(key, Scope.ALERTS_READ, Scope.ALERTS_WRITE, subject="lin")
    answer = await alerting.client.post(path, json=body, headers=given | headers)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def deliveries(notifier: Notifier, order: str) -> list[dict[str, Any]]:
    """Return what became of an order's mails, the newest first."""
    path = f"/v1/deliveries?order_id={order.rpartition('/')[2]}"
    items: list[dict[str, Any]] = (await notifier.client.get(path)).json()["items"]
    return items


async def until_states(notifier: Notifier, *expected: str) -> None:
    """Wait until mails of orders and notes about them are so; alerts do not count."""
    found: list[str] = []

    async def reached() -> bool:
        query = "SELECT state FROM delivery WHERE kind IN ('order', 'meta') ORDER BY id"
        found[:] = [row["state"] for row in await notifier.rows(query)]
        return found == list(expected)

    try:
        await until(reached)
    except TimeoutError:
        pytest.fail(f"{found} instead of {expected}")


def link_in(mail: Mail) -> str:
    found = re.findall(r"http://alerting/supplier/order\?token=\S+", mail.text)
    assert len(found) == 1, mail.text
    assert str(found[0]) in mail.html.replace("&amp;", "&")
    return str(found[0])


async def test_a_placed_order_is_mailed_once_and_confirmed_by_the_link_that_nobody_else_reads(
    alerting: Alerting, notifier: Notifier, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = await bought(alerting, key, "A", "B")
    async with working(alerting, notifier):
        # Two presses at once.
        placed, _ = await asyncio.gather(*(post(alerting, key, f"{order}/place") for _ in range(2)))
        await until_states(notifier, "sent")
        (mail,) = notifier.mailbox.mails
        assert mail.recipients == (SUPPLIER,)
        assert (mail.message["To"], mail.message["Subject"]) == (SUPPLIER, "Purchase order LT-1")
        assert "2026-03-31 20:00 (Asia/Shanghai)" in mail.text
        (sheet,) = mail.message.iter_attachments()
        assert sheet.get_filename() == "LT-1.xlsx"
        page = load_workbook(io.BytesIO(sheet.get_content())).active
        assert page is not None
        assert [[cell.value for cell in row[1:5]] for row in page.iter_rows(min_row=6)] == [
            ["A", None, "W", 144],
            ["B", None, "W", 144],
        ]
        (told,) = placed["mails"]
        assert (told["address"], told["asked_by"], placed["by_mail"]) == (SUPPLIER, "lin", True)
        (delivery,) = await deliveries(notifier, order)
        assert (delivery["kind"], delivery["recipients"]["reached"]) == ("order", [SUPPLIER])

        # Once more on request, and once for each key.
        for attempt in ("one", "one", "two"):
            await post(alerting, key, f"{order}/mails", **{"Idempotency-Key": attempt})
        await until_states(notifier, "sent", "sent", "sent")
        links = [link_in(each) for each in notifier.mailbox.mails]
        assert len(links) == 3

        async with httpx.AsyncClient(
            transport=alerting.client._transport, base_url="http://alerting"
        ) as supplier:
            assert (await supplier.get(links[0])).status_code == HTTPStatus.OK
            await supplier.post(links[0], data={"quantity-1": "120", "due-1": "2026-03-09"})
        confirmed = await alerting.ask("GET", order)
        assert confirmed["state"] == "confirmed"
        assert confirmed["items"][0]["confirmed_quantity"] == 120

    seen = [capsys.readouterr().out, *await on_topic(alerting), *await dumped(notifier)]
    seen += [
        (await notifier.client.get(f"/v1/deliveries/{each['id']}")).text
        for each in await deliveries(notifier, order)
    ]
    everything = "\n".join(seen)
    assert "Purchase order LT-1" in everything
    for link in links:
        token = link.rpartition("=")[2]
        assert token not in everything
        assert token.rpartition(".")[2] not in everything


async def test_a_mail_that_does_not_arrive_is_told_to_the_buyer_and_can_be_sent_again(
    alerting: Alerting, notifier: Notifier, key: Path, clock: ManualClock
) -> None:
    # It leaves by itself: worth the minimum. The server first puts it off, then refuses it.
    await alerting.ask("PUT", "/v1/suppliers/ACME", acme(minimum="300"))
    notifier.mailbox.refuse(SUPPLIER, 451, times=1)
    order = await bought(alerting, key, "A")
    async with working(alerting, notifier):
        await until_states(notifier, "sent")
        (mail,) = notifier.mailbox.mails
        assert mail.recipients == (SUPPLIER,)
        assert (await alerting.ask("GET", order))["placed_by"] is None

        notifier.mailbox.refuse(SUPPLIER, 550)
        await post(alerting, key, f"{order}/mails")
        await until_states(notifier, "sent", "dead", "sent")
        _, note = notifier.mailbox.mails
        assert note.recipients == ("lin@shop.example",)
        assert note.message["Subject"] == "Order LT-1 did not reach its supplier"
        assert f"{SUPPLIER} (550)" in note.text
        assert f"http://console.example/orders/{order.rpartition('/')[2]}" in note.text

        # A corrected address is for the next mail.
        await alerting.ask("PUT", "/v1/suppliers/ACME", acme(email="sales@acme.example"))
        await post(alerting, key, f"{order}/mails")
        await until_states(notifier, "sent", "dead", "sent", "sent")
        assert notifier.mailbox.mails[-1].recipients == ("sales@acme.example",)


async def test_an_order_goes_nowhere_without_a_mailbox_or_the_key_of_its_link(
    alerting: Alerting, notifier: Notifier, key: Path
) -> None:
    order = await bought(alerting, key, "A")
    await notifier.bot("office-bot")
    other = alerting.settings.model_copy(update={"order_destination": "office-bot"})
    stranger = alerting.settings.model_copy(update={"secret_key": SecretStr("another")})
    async with working(alerting, notifier):
        async with alerting.answering(other) as client:
            await post(replace(alerting, client=client), key, f"{order}/place")
        await until_states(notifier, "suppressed", "sent")
        async with alerting.answering(stranger) as client:
            await post(replace(alerting, client=client), key, f"{order}/mails")
        await until_states(notifier, "suppressed", "sent", "dead", "sent")
    dead, lost = await deliveries(notifier, order)
    assert lost["reason"] == "no_destination: office-bot"
    assert "LOWTIDE_SECRET_KEY" in dead["reason"]
    assert [mail.recipients for mail in notifier.mailbox.mails] == [("lin@shop.example",)] * 2


async def test_the_mailbox_that_is_chosen_comes_before_that_of_the_environment(
    alerting: Alerting, notifier: Notifier, key: Path
) -> None:
    path = "/v1/order-destination"
    default = await alerting.ask("GET", path)
    assert default == {
        "destination": "office",
        "chosen": None,
        "changed_by": None,
        "changed_at": None,
    }
    order = await bought(alerting, key, "A")
    await notifier.mail("purchasing", to=("p@shop.example",))
    chosen = await alerting.ask("PUT", path, {"destination": "purchasing"})
    assert (chosen["destination"], chosen["chosen"]) == ("purchasing", "purchasing")
    async with working(alerting, notifier):
        await post(alerting, key, f"{order}/place")
        await until_states(notifier, "sent")
        back = await alerting.ask("PUT", path, {"destination": None})
        assert (back["destination"], back["chosen"]) == ("office", None)
        await post(alerting, key, f"{order}/mails")
        await until_states(notifier, "sent", "sent")
    told = await deliveries(notifier, order)
    assert [each["destination"] for each in told] == ["office", "purchasing"]
    entries = (await alerting.ask("GET", "/v1/audit?what=order_destination"))["items"]
    assert [(each["before"], each["after"]) for each in entries] == [
        ({"destination": "purchasing"}, {"destination": None}),
        ({"destination": None}, {"destination": "purchasing"}),
    ]


async def on_topic(alerting: Alerting) -> list[str]:
    """Return all that is on `alert.reports`."""
    records = await all_records(alerting.settings, REPORTS)
    found = [(each.value or b"").decode() for each in records]
    assert len(found) == 3
    return found


async def dumped(notifier: Notifier) -> list[str]:
    """Return all that the notifier keeps of deliveries and attempts."""
    connection = await asyncpg.connect(notifier.database.url("notifier"))
    try:
        rows = await connection.fetch("SELECT d::text AS row FROM delivery AS d")
        sent = await connection.fetch("SELECT rendered FROM attempt")
    finally:
        await connection.close()
    return [*(row["row"] for row in rows), *(row["rendered"].decode() for row in sent)]
