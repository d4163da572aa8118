"""What is done about an alert, from its proposal to its receipt, and what it covers meanwhile."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio
from openpyxl import load_workbook
from pydantic import SecretStr
from typing_extensions import override

from services.alerting.approving import Approving
from services.alerting.calling import Calling
from services.alerting.domain.actions import PATIENCE
from services.alerting.ordering.links import OrderLinks
from services.alerting.ordering.mails import OrderMails
from services.alerting.reminding import Reminding
from services.alerting.settings import AlertingSettings
from services.alerting.store import action_rows, actions, confirming
from services.alerting.store.acts import By
from services.alerting.store.approval_lateness import Patience
from services.alerting.store.calls import FIRST_PAUSE
from services.alerting.store.confirming import Confirmed
from services.alerting.supplying import Supplying
from services.alerting.wiring import tick as alerting_tick
from services.ingest.settings import IngestSettings
from services.ingest.wiring import serve as ingest_serve
from shared.clock import ManualClock, WallClock
from shared.database.engine import Engine, create_engine
from shared.events.stock_alerts import StockAlert
from shared.events.stock_changes import StockChange
from shared.http.auth import Scope
from shared.testing import unruly_http
from shared.testing.reading import all_records
from shared.testing.stack import Database
from shared.testing.waiting import until
from tests.integration.alerting.service import Alerting, alerting_on, authorization, running

pytestmark = pytest.mark.stack

DAY = timedelta(days=1)
SECRET = "a key of this test alone"
PARAMETERS = {
    "reorder_point": 50,
    "order_quantity": 100,
    "moq": 60,
    "pack_multiple": 24,
    "unit_cost": "2.50",
    "supplier": "ACME",
    "lead_time_days": 5,
}


@dataclass
class Shop:
    """Alerting with people, a supplier and a rule, and what works on its tables."""

    alerting: Alerting
    clock: ManualClock
    engine: Engine
    key: Path
    consuming: AsyncExitStack = field(default_factory=AsyncExitStack)
    is_consuming: bool = False

    async def put_rule(self, rule_id: str, **fields: object) -> None:
        """Make or change a rule; the next level that is told finds it."""
        await self.consuming.aclose()
        self.is_consuming = False
        await self.alerting.put_rule(rule_id, **fields)

    async def hear(self, available: int, **fields: object) -> dict[str, Any]:
        """Tell a level, let it be evaluated, and return the newest alert."""
        if not self.is_consuming:
            await self.consuming.enter_async_context(self.alerting.consuming())
            self.is_consuming = True
        await self.alerting.tell(self.alerting.level(available, **fields))
        await self.alerting.caught_up()
        found = await self.alerting.alerts()
        return found[-1] if found else {}

    async def post(
        self, path: str, body: object = None, status: int = HTTPStatus.OK, *, by: str = "buyer"
    ) -> dict[str, Any]:
        scopes = (Scope.ALERTS_READ, Scope.ALERTS_WRITE)
        answer = await self.alerting.client.post(
            path, json=body, headers=authorization(self.key, *scopes, subject=by)
        )
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def get(self, path: str) -> dict[str, Any]:
        return await self.alerting.ask("GET", path)

    async def buy(
        self, alert: dict[str, Any], quantity: int = 144, **fields: object
    ) -> dict[str, Any]:
        body = {"kind": "buy", "quantity": quantity} | fields
        return await self.post(f"/v1/alerts/{alert['id']}/actions", body, HTTPStatus.CREATED)

    async def limits(self, *rows: dict[str, object]) -> None:
        for person in ("buyer", "lin", "an"):
            await self.alerting.ask("PUT", f"/v1/people/{person}", {"name": person.title()})
        await self.alerting.ask("PUT", "/v1/approval-limits", {"items": rows})

    async def follow(self) -> int:
        """Let what has happened be seen, once."""
        mails = OrderMails(OrderLinks(None, ""), None, None)
        return await Supplying(self.engine, self.clock, mails).step()

    async def call_for_approval(self) -> int:
        """Let people be told of requests that wait for too long: an hour, around the clock."""
        patience = Patience(timedelta(hours=1), "none")
        return await Approving(self.engine, self.clock, patience).step()

    async def remind(self) -> int:
        """Let people be told of what nothing keeps from them any more; returns of how many."""
        return await Reminding(self.engine, self.clock).step()

    async def confirm(
        self, bought: dict[str, Any], quantity: int, due_at: datetime | None = None
    ) -> None:
        """Let the supplier say what comes of a purchase, and when."""
        by = By("supplier:ACME", None, self.clock.now(), None)
        said = {bought["order"]["line"]: Confirmed(quantity, due_at)}
        async with self.engine.begin() as connection:
            await confirming.confirm(connection, UUID(bought["order"]["id"]), said, by)

    async def told(self) -> list[StockAlert]:
        """Return all notices, once none waits for the broker any more."""
        async with self.alerting.relaying():

            async def all_there() -> bool:
                return await self.alerting.rows("SELECT FROM outbox") == []

            await until(all_there)
        return await self.alerting.notices()

    async def offered(self, alert: dict[str, Any]) -> tuple[int | None, int | None]:
        """Return what the card of an alert and its proposals offer to buy."""
        found = await self.get(f"/v1/alerts/{alert['id']}")
        proposed = (await self.get(f"/v1/alerts/{alert['id']}/proposals"))["items"]
        bought = [each["quantity"] for each in proposed if each["kind"] == "buy"]
        return found["facts"]["proposed"], next(iter(bought), None)

    async def hush(self, alert: dict[str, Any]) -> list[tuple[str, str | None]]:
        found = await self.get(f"/v1/alerts/{alert['id']}")
        return [(each["event"], (each["hush"] or {}).get("by")) for each in found["history"]]


@pytest.fixture
def settings(settings: AlertingSettings) -> AlertingSettings:
    # Nobody listens there: what `tick` would tell ingest of waits.
    return settings.model_copy(
        update={
            "secret_key": SecretStr(SECRET),
            "ingest_url": "http://127.0.0.1:9",
            "supplier_url": "http://alerting",
        }
    )


@pytest_asyncio.fixture
async def shop(settings: AlertingSettings, database: Database, key: Path) -> AsyncIterator[Shop]:
    clock = ManualClock(WallClock().now())
    async with alerting_on(settings, database, key, clock) as alerting:
        await alerting.put_rule("low")
        body = {"name": "Acme", "language": "en", "timezone": "Asia/Shanghai"}
        await alerting.ask("PUT", "/v1/suppliers/ACME", body)
        await alerting.ask("PUT", "/v1/parameters?sku=A&warehouse=W", PARAMETERS)
        engine = create_engine(database.url("alerting"))
        shop = Shop(alerting, clock, engine, key)
        yield shop
        await shop.consuming.aclose()
        await engine.dispose()


class Lossy(httpx.AsyncBaseTransport):
    """Delivers, and loses the first answers: the process is gone before it can hear them."""

    def __init__(self, transport: httpx.AsyncBaseTransport, losses: int) -> None:
        self._transport = transport
        self.losses = losses
        self.delivered = asyncio.Event()

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._transport.handle_async_request(request)
        if self.losses:
            self.losses -= 1
            self.delivered.set()
            await asyncio.Event().wait()
        return answer


@dataclass
class Ingest:
    """Ingest as alerting reaches it."""

    settings: IngestSettings
    client: httpx.AsyncClient
    transport: Lossy

    async def supplies(self) -> list[StockChange]:
        """Return what is on `stock.changes`."""
        return [
            StockChange.model_validate_json(each.value or b"")
            for each in await all_records(self.settings, "stock.changes")
        ]


@asynccontextmanager
async def ingesting(shop: Shop, *, losses: int = 0, channel: bool = True) -> AsyncIterator[Ingest]:
    """Run ingest in this process, with its channel for orders."""
    given = shop.alerting.settings
    settings = IngestSettings(
        kafka=given.kafka,
        topic_prefix=given.topic_prefix,
        database_url=SecretStr(shop.alerting.database.url("ingest")),
        jwks_file=given.jwks_file,
    )
    async with ingest_serve.serving(settings, WallClock()) as serving:
        transport = Lossy(httpx.ASGITransport(serving.app), losses)
        headers = authorization(shop.key, Scope.EVENTS_WRITE, Scope.CONFIG_WRITE, subject="tick")
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(serving.app), base_url="http://ingest", headers=headers
        ) as office:
            await office.put("/v1/warehouses/W", json={"name": "W", "zone": "Asia/Shanghai"})
            await office.post("/v1/skus", json={"items": [{"sku": "A"}]})
            if channel:
                body = {"name": "Orders", "kind": "api"}
                await office.put("/v1/channels/lowtide-orders", json=body)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://ingest", headers=headers
        ) as client:
            yield Ingest(settings, client, transport)


def line(reference: str, quantity: int) -> dict[str, object]:
    return {
        "incoming": quantity,
        "supply": ({"quantity": quantity, "due_at": None, "reference": reference},),
    }


async def test_a_console_acts_for_people_and_nobody_approves_their_own_request(shop: Shop) -> None:
    alert = await shop.hear(12)
    await shop.limits({"person": "buyer", "amount": "100"}, {"person": "lin", "amount": "1000"})
    await shop.alerting.ask("PUT", "/v1/people/王%20敏", {"name": "王敏"})

    async def act(path: str, person: str, body: object = None, *more: Scope) -> httpx.Response:
        scopes = (Scope.ALERTS_READ, Scope.ALERTS_WRITE, *more)
        headers = authorization(shop.key, *scopes, subject="console")
        headers |= {"Lowtide-Acting-For": person, "User-Agent": "pages/1"}
        return await shop.alerting.client.post(path, json=body, headers=headers)

    path = f"/v1/alerts/{alert['id']}/actions"
    body = {"kind": "buy", "quantity": 144}
    may = Scope.ALERTS_ACT_FOR
    for person, more, code in (
        ("buyer", (), "may_not_act_for"),
        ("nobody", (may,), "unknown_actor"),
    ):
        assert (await act(path, person, body, *more)).json()["type"].endswith(code)
    asked = (await act(path, "buyer", body, may)).json()
    assert (asked["requested_by"], asked["state"]) == ("buyer", "proposed")
    approval = f"/v1/actions/{asked['id']}/approve"
    assert (await act(approval, "buyer", None, may)).json()["type"].endswith("own_request")
    assert (await act(approval, "lin", None, may)).json()["approved_by"] == "lin"
    path = f"/v1/alerts/{alert['id']}/snooze"
    put_off = await act(path, quote("王 敏"), {"minutes": 60}, may)
    assert put_off.json()["history"][-1]["actor"] == "王 敏"

    case = {"sku": "A", "warehouse": "W", "note": "漏报"}
    await shop.alerting.ask("PUT", "/v1/responsibilities", {"items": [{"owner": "lin"}]})
    for person, status in (("lin", HTTPStatus.OK), ("buyer", HTTPStatus.FORBIDDEN)):
        made = await act("/v1/cases", person, case, may, Scope.CONFIG_WRITE)
        confirmed = await act(
            f"/v1/cases/{made.json()['id']}/confirm",
            person,
            {"cause": "data_late", "measure": "call", "due": "2099-01-01"},
            may,
            Scope.CONFIG_WRITE,
        )
        assert confirmed.status_code == status, confirmed.text

    entries = (await shop.get("/v1/audit?what=action"))["items"]
    assert [(each["what"], each["actor"], each["via"]) for each in entries] == [
        ("action.approve", "lin", "console · pages/1"),
        ("action.request", "buyer", "console · pages/1"),
    ]


async def test_a_purchase_goes_from_its_proposal_to_its_receipt(shop: Shop) -> None:
    alert = await shop.hear(12)
    await shop.limits({"person": "buyer", "amount": "100"}, {"person": "lin", "amount": "1000"})
    proposed = (await shop.get(f"/v1/alerts/{alert['id']}/proposals"))["items"]
    assert [(each["kind"], each["quantity"], each["cost"]) for each in proposed][:1] == [
        ("buy", 144, "360.00")
    ]
    asked = await shop.buy(alert, note="runs out on Friday")
    assert (asked["state"], asked["needs_approval"], asked["order"]) == ("proposed", True, None)
    # What would be refused as covered is not offered any more.
    offered = (await shop.get(f"/v1/alerts/{alert['id']}/proposals"))["items"]
    assert [each["kind"] for each in offered] == ["substitute", "lower_share", "none"]
    path = f"/v1/actions/{asked['id']}"
    for by, code in (("buyer", "own_request"), ("an", "limit_too_low")):
        problem = await shop.post(f"{path}/approve", None, HTTPStatus.FORBIDDEN, by=by)
        assert problem["type"].endswith(code)
    approved = await shop.post(f"{path}/approve", {"note": "go on"}, by="lin")
    assert (approved["state"], approved["approved_by"]) == ("approved", "lin")
    order = f"/v1/orders/{approved['order']['id']}"
    collected = await shop.get(order)
    assert (collected["state"], collected["money"], collected["link"]) == ("open", "360.00", None)

    placed = await shop.post(f"{order}/place")
    assert await shop.post(f"{order}/place") == placed | {"link": placed["link"]}
    (item,) = placed["items"]
    assert (item["state"], item["reference"]) == ("ordered", placed["reference"])

    # It is on its way: the level tells of it, then of its arrival.
    await shop.hear(12, **line(placed["reference"], 144))
    assert await shop.follow() == 1
    assert (await shop.get(path))["is_incoming"]
    assert await shop.follow() == 0
    assert (await shop.hear(156))["state"] == "resolved"
    assert await shop.follow() == 1
    assert (await shop.get(f"/v1/alerts/{alert['id']}/proposals"))["items"] == []
    done = await shop.get(path)
    assert [(each["step"], each["state"], each["actor"]) for each in done["history"]] == [
        ("request", "proposed", "buyer"),
        ("approve", "approved", "lin"),
        ("order", "ordered", "buyer"),
        ("link", "ordered", None),
        ("receive", "received", None),
    ]
    acted = [each for each in await shop.told() if each.event == "acted"]
    assert [(each.actor, each.note, each.action and each.action.state) for each in acted] == [
        ("buyer", "runs out on Friday", "proposed"),
        ("lin", "go on", "approved"),
        ("buyer", None, "ordered"),
        (None, None, "received"),
    ]
    assert [each.hush and each.hush.by for each in acted] == [None, None, None, "ended"]
    assert [each.id for each in acted[0].to] == ["lin"]
    assert acted[2].action is not None
    assert acted[2].action.order is not None
    told = acted[2].action.order
    assert (told.reference, told.line, told.supplier, told.lines) == (
        placed["reference"],
        "1",
        "ACME",
        order,
    )


async def test_a_late_approval_is_called_for_then_escalates_and_never_approves_itself(
    shop: Shop,
) -> None:
    await shop.limits({"person": "buyer", "amount": "100"}, {"person": "lin", "amount": "1000"})
    row = {"owner": "buyer", "deputy": "lin", "manager": "an"}
    await shop.alerting.ask("PUT", "/v1/responsibilities", {"items": [row]})
    asked = await shop.buy(await shop.hear(12))
    hour, instant = timedelta(hours=1), timedelta(milliseconds=1)
    shop.clock.advance(hour - instant)
    assert await shop.call_for_approval() == 0
    shop.clock.advance(instant)
    assert [await shop.call_for_approval() for _ in range(2)] == [1, 0]
    shop.clock.advance(hour - instant)
    assert await shop.call_for_approval() == 0
    shop.clock.advance(instant)
    assert await shop.call_for_approval() == 1
    shop.clock.advance(10 * DAY)
    assert await shop.call_for_approval() == 0
    found = await shop.get(f"/v1/actions/{asked['id']}")
    assert (found["state"], found["approved_by"]) == ("proposed", None)
    steps = [(each["step"], each["alert_revision"]) for each in found["history"]]
    assert steps == [("request", 2), ("remind", 3), ("escalate", 4)]
    told = (await shop.told())[2:]
    assert [(each.event, [to.id for to in each.to]) for each in told] == [
        ("reminded", ["lin"]),
        ("escalated", ["an"]),
    ]
    assert all(each.action is not None and str(each.action.id) == asked["id"] for each in told)
    notes = [each.note or "" for each in told]
    assert all(each.startswith("采购 144：自") and "To buy 144: Nobody" in each for each in notes)
    assert notes[1].endswith("escalated to An.")
    approved = await shop.post(f"/v1/actions/{asked['id']}/approve", by="lin")
    assert approved["state"] == "approved"


async def test_a_late_approval_is_called_for_when_a_silence_is_over(shop: Shop) -> None:
    await shop.limits({"person": "buyer", "amount": "100"}, {"person": "lin", "amount": "1000"})
    alert = await shop.hear(12)
    ends_at = (shop.clock.now() + DAY).isoformat()
    silence = await shop.alerting.ask(
        "POST",
        "/v1/silences",
        {"rule": "low", "ends_at": ends_at, "comment": "stocktaking"},
        HTTPStatus.CREATED,
    )
    await shop.buy(alert)
    for _ in range(3):
        shop.clock.advance(timedelta(hours=1))
        assert await shop.call_for_approval() == 0
    await shop.alerting.ask("DELETE", f"/v1/silences/{silence['id']}")
    assert await shop.call_for_approval() == 1
    assert (await shop.hush(alert))[-1] == ("reminded", None)


@pytest.mark.parametrize("ended", ["approve", "reject"])
async def test_what_was_decided_is_not_called_for(shop: Shop, ended: str) -> None:
    await shop.limits({"person": "buyer", "amount": "100"}, {"person": "lin", "amount": "1000"})
    asked = await shop.buy(await shop.hear(12))
    await shop.post(f"/v1/actions/{asked['id']}/{ended}", by="lin")
    shop.clock.advance(DAY)
    assert await shop.call_for_approval() == 0


async def test_a_playbook_that_waits_for_the_approval_calls_for_it_itself(shop: Shop) -> None:
    await shop.limits({"person": "buyer", "amount": "100"}, {"person": "lin", "amount": "1000"})
    steps = [{"expects": "approve", "within_minutes": 600}]
    playbook = {"name": {"en": "Until approved"}, "steps": steps}
    assert (await shop.alerting.client.put("/v1/playbooks/approval", json=playbook)).is_success
    await shop.put_rule("low", playbook="approval")
    await shop.hear(50)
    await shop.buy(await shop.hear(12))
    shop.clock.advance(DAY)
    assert await shop.call_for_approval() == 0


async def test_the_sheet_holds_texts_and_no_formulas(shop: Shop) -> None:
    await shop.alerting.name("A", name='=HYPERLINK("http://evil.example","\x07cup")')
    alert = await shop.hear(12)
    order = f"/v1/orders/{(await shop.buy(alert))['order']['id']}"
    await shop.post(f"{order}/place")
    answer = await shop.alerting.client.get(f"{order}.xlsx")
    assert answer.status_code == HTTPStatus.OK
    page = load_workbook(io.BytesIO(answer.content)).active
    assert page is not None
    cells = [cell for row in page.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f"]
    head, row = [[cell.value for cell in row] for row in page.iter_rows(min_row=5, max_row=6)]
    assert head[:5] == ["Line", "SKU", "Name", "Deliver to", "Quantity"]
    assert row[:7] == [
        1, "A", '=HYPERLINK("http://evil.example"," cup")', "W", 144, 2.5, 360,
    ]  # fmt: skip


async def test_a_supplier_confirms_by_a_link_and_may_change_it_until_it_arrives(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    await shop.alerting.name("A", name="<script>alert(1)</script>")
    alert = await shop.hear(12)
    bought = await shop.buy(alert)
    order = await shop.post(f"/v1/orders/{bought['order']['id']}/place")
    async with httpx.AsyncClient(
        transport=shop.alerting.client._transport, base_url="http://alerting"
    ) as supplier:
        page = await supplier.get(order["link"])
        assert page.status_code == HTTPStatus.OK
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert" in page.text
        assert order["reference"] in page.text
        of_order = f"/v1/orders/{order['id']}"
        assert (await shop.get(of_order))["link_opened_at"] is None
        assert page.headers["cache-control"] == "no-store"

        for form, marked in (
            ({"quantity-1": "many", "due-1": "2026-12-24"}, "Enter a whole number"),
            ({"quantity-1": "120", "due-1": "soon"}, "Enter a date"),
        ):
            wrong = await supplier.post(order["link"], data=form)
            assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
            assert marked in wrong.text
            # Without scripts whoever sends the form has opened it.
            assert (await shop.get(of_order))["link_opened_at"] is not None
        for _ in range(2):  # sent again, it is one confirmation
            sent = {"quantity-1": "120", "due-1": "2027-01-05"}
            assert (
                "We have your confirmation" in (await supplier.post(order["link"], data=sent)).text
            )
        said = await shop.get(f"/v1/actions/{bought['id']}")
        assert (said["quantity"], said["confirmed_quantity"]) == (144, 120)
        assert said["due_at"] == "2027-01-04T16:00:00Z"  # midnight at the supplier's
        assert said["history"][-1]["actor"] == "supplier:ACME"

        await supplier.post(order["link"], data={"quantity-1": "96", "due-1": "2027-01-07"})
        said = await shop.get(f"/v1/actions/{bought['id']}")
        assert [each["quantity"] for each in said["history"]] == [144, 144, 120, 96]
        bodies = [
            row["body"] for row in await shop.alerting.rows("SELECT body FROM call ORDER BY id")
        ]
        assert ['"quantity": 144' in bodies[0], '"quantity": 120' in bodies[1], len(bodies)] == [
            True,
            True,
            3,
        ]

        await shop.post(f"/v1/actions/{bought['id']}/receive")
        late = await supplier.post(order["link"], data={"quantity-1": "1", "due-1": "2027-02-01"})
        assert "no line of this order left" in late.text
        # Nor can who had the page read before.
        by = By("supplier:ACME", None, shop.clock.now(), None)
        async with shop.engine.begin() as connection:
            await confirming.confirm(connection, UUID(order["id"]), {1: Confirmed(1, None)}, by)
        assert (await shop.get(f"/v1/actions/{bought['id']}"))["confirmed_quantity"] == 96

        forged = OrderLinks(SecretStr("another key"), "http://alerting").link(
            bought["order"]["id"], shop.clock.now()
        )
        assert forged is not None
        for link, status in (
            (forged, HTTPStatus.FORBIDDEN),
            (order["link"] + "x", HTTPStatus.FORBIDDEN),
        ):
            for refused in (await supplier.get(link), await supplier.post(link, data={})):
                assert refused.status_code == status
                assert "ACME" not in refused.text
        shop.clock.advance(31 * DAY)
        gone = await supplier.get(order["link"], headers={"Accept-Language": "en"})
        assert (gone.status_code, "expired" in gone.text) == (HTTPStatus.GONE, True)
    # The link is a secret.
    logged = capsys.readouterr().out
    assert "/supplier/order" in logged
    assert order["link"].rpartition("=")[2] not in logged
    assert all(order["link"] not in each.model_dump_json() for each in await shop.told())


async def test_ingest_is_told_once_of_what_was_ordered_although_the_process_was_killed(
    shop: Shop,
) -> None:
    alert = await shop.hear(12)
    bought = await shop.buy(alert)
    order = await shop.post(f"/v1/orders/{bought['order']['id']}/place")
    async with ingesting(shop, losses=1) as ingest:
        dying = asyncio.ensure_future(  # noqa: TID251 - it is killed, not awaited
            Calling(shop.engine, shop.clock, ingest.client).step()
        )
        await ingest.transport.delivered.wait()
        dying.cancel()
        await asyncio.wait([dying])
        calling = Calling(shop.engine, shop.clock, ingest.client)
        assert await calling.step() == 0  # it may still be under way
        shop.clock.advance(FIRST_PAUSE)
        assert await calling.step() == 1
        shop.clock.advance(DAY)
        assert await calling.step() == 0
        told = await ingest.supplies()
    assert {(each.channel, each.id, each.line) for each in told} == {
        ("lowtide-orders", f"{bought['id']}-1", "1")
    }
    assert {(each.type, each.sku, each.warehouse, each.quantity) for each in told} == {
        ("supply_expected", "A", "W", 144)
    }
    assert {each.reference for each in told} == {order["reference"]}
    assert {each.eta for each in told} == {each.occurred_at + 5 * DAY for each in told}
    assert (await shop.get(f"/v1/actions/{bought['id']}"))["telling"] is None


async def test_tick_tells_ingest_with_a_token_of_its_own(shop: Shop) -> None:
    bought = await shop.buy(await shop.hear(12))
    await shop.post(f"/v1/actions/{bought['id']}/order")
    asked: list[unruly_http.Request] = []

    def answer(request: unruly_http.Request) -> unruly_http.Reply:
        asked.append(request)
        return unruly_http.Reply.of({"accepted": 1}, HTTPStatus.ACCEPTED)

    async with unruly_http.serving(answer) as port:
        settings = shop.alerting.settings.model_copy(
            update={
                "ingest_url": f"http://127.0.0.1:{port}",
                "service_token": SecretStr("a token"),
            }
        )

        async def told() -> bool:
            return await shop.alerting.rows("SELECT FROM call") == []

        async with running(lambda stop: alerting_tick.run(settings, stop, shop.clock)):
            await until(told)
    (request,) = asked
    assert (request.method, request.path) == ("POST", "/v1/events")
    assert request.headers["authorization"] == "Bearer a token"
    assert json.loads(request.body)[0]["id"] == f"{bought['id']}-1"


async def test_what_ingest_refuses_is_shown_and_told_again_on_request(shop: Shop) -> None:
    bought = await shop.buy(await shop.hear(12))
    await shop.post(f"/v1/orders/{bought['order']['id']}/place")
    path = f"/v1/actions/{bought['id']}"
    async with ingesting(shop, channel=False) as ingest:
        calling = Calling(shop.engine, shop.clock, ingest.client)
        assert await calling.step() == 1
        refused = await shop.get(path)
        assert "lowtide-orders" in refused["reason"]
        assert refused["telling"] == {"trouble": refused["reason"], "refused": True}
        assert refused["history"][-1]["step"] == "refused"
        shop.clock.advance(DAY)
        assert await calling.step() == 0
        assert (await shop.post(f"{path}/order"))["reason"] is None
    async with ingesting(shop) as ingest:
        calling = Calling(shop.engine, shop.clock, ingest.client)
        assert await calling.step() == 1
        assert (await shop.get(path))["telling"] is None
        # Given up, it is taken back.
        assert (await shop.post(f"{path}/cancel", {"note": "too dear"}))["state"] == "cancelled"
        assert await calling.step() == 1
        told = await ingest.supplies()
    assert [each.type for each in sorted(told, key=lambda each: each.id)] == [
        "supply_expected",
        "supply_cancelled",
    ]


async def test_what_is_ordered_is_neither_told_nor_ordered_again_until_it_is_late(
    shop: Shop,
) -> None:
    alert = await shop.hear(12)
    path = f"/v1/alerts/{alert['id']}/actions"
    body = {"kind": "buy", "quantity": 144}
    bought = await shop.post(path, body, HTTPStatus.CREATED)
    again = await shop.post(path, body, HTTPStatus.CONFLICT)
    assert (again["type"].rpartition(":")[2], again["action"]) == ("covered", bought["id"])
    await shop.post(f"/v1/orders/{bought['order']['id']}/place")
    # The episode ends and opens again; and another rule finds the level short, too.
    await shop.hear(35)
    await shop.put_rule("lower", levels=[{"level": "urgent", "enter": 15, "exit": 18}])
    await shop.hear(11)
    _, reopened, other = await shop.alerting.alerts()
    assert await shop.hush(reopened) == [("opened", "covered")]
    assert await shop.hush(other) == [("opened", "covered")]
    assert await shop.post(
        f"/v1/alerts/{other['id']}/actions", {"kind": "buy", "quantity": 24}, HTTPStatus.CONFLICT
    ) | {"instance": ""} == again | {"instance": ""}
    assert await shop.remind() == 0
    shop.clock.advance(5 * DAY)
    assert await shop.follow() == 0
    shop.clock.advance(DAY + timedelta(seconds=1))
    assert await shop.follow() == 1
    assert (await shop.get(f"/v1/actions/{bought['id']}"))["is_late"]
    assert await shop.remind() == 2
    reminders = [each for each in await shop.told() if each.event == "reminded"]
    assert sorted(each.rule.id for each in reminders) == ["low", "lower"]
    # Nothing is on its way any more that could be counted upon.
    assert (await shop.buy(other, 24))["state"] == "approved"


async def test_a_card_offers_what_the_proposals_do_with_what_is_on_order(shop: Shop) -> None:
    first = await shop.hear(12)
    assert await shop.offered(first) == (144, 144)
    bought = await shop.buy(first, 60)
    # 150 − 12 − 60 = 78, which is 3.25 packs of 24; the limit of 20 would not hold any more.
    await shop.put_rule("more", levels=[{"level": "watch", "enter": 100}])
    second = await shop.hear(12)
    assert await shop.offered(second) == (96, 96)
    # On its own card a press says that what was approved is ordered; then there is nothing to buy.
    assert await shop.offered(first) == (60, None)
    await shop.post(f"/v1/actions/{bought['id']}/order")
    assert await shop.offered(first) == (None, None)


async def test_a_card_offers_again_what_does_not_come(shop: Shop) -> None:
    bought = await shop.buy(await shop.hear(12))
    await shop.post(f"/v1/actions/{bought['id']}/order")
    await shop.hear(35)
    reopened = await shop.hear(11)
    assert await shop.offered(reopened) == (None, None)
    await shop.post(f"/v1/actions/{bought['id']}/cancel")
    assert await shop.remind() == 1
    (reminder,) = [each for each in await shop.told() if each.event == "reminded"]
    assert reminder.facts.proposed == 144
    assert await shop.offered(reopened) == (144, 144)


async def test_nothing_is_offered_of_what_is_not_bought_any_more(shop: Shop) -> None:
    await shop.alerting.name("A", life_cycle="phase_out")
    alert = await shop.hear(12)
    assert await shop.offered(alert) == (None, None)
    # Not when people are told of it again, either.
    await shop.post(f"/v1/alerts/{alert['id']}/snooze", {"minutes": 1})
    shop.clock.advance(timedelta(minutes=2))
    assert await shop.remind() == 1
    assert await shop.offered(alert) == (None, None)


async def test_what_gets_worse_is_told_although_something_is_on_its_way(shop: Shop) -> None:
    await shop.put_rule(
        "low",
        levels=[
            {"level": "watch", "enter": 20, "exit": 30},
            {"level": "out", "enter": 1, "exit": 2},
        ],
    )
    bought = await shop.buy(await shop.hear(12))
    await shop.post(f"/v1/actions/{bought['id']}/order")
    await shop.hear(35)
    reopened = await shop.hear(11)
    await shop.hear(0)
    assert await shop.hush(reopened) == [("opened", "covered"), ("level_changed", None)]


async def test_when_what_covered_it_is_cancelled_people_are_told(shop: Shop) -> None:
    bought = await shop.buy(await shop.hear(12))
    await shop.post(f"/v1/actions/{bought['id']}/order")
    await shop.hear(35)
    reopened = await shop.hear(11)
    await shop.post(f"/v1/actions/{bought['id']}/cancel")
    assert await shop.remind() == 1
    assert await shop.hush(reopened) == [("opened", "covered"), ("reminded", None)]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("how", ["cancelled", "late", "fewer"])
async def test_what_several_cover_together_is_told_when_one_of_them_is_lost(
    shop: Shop, which: int, how: str
) -> None:
    await shop.put_rule("low", levels=[{"level": "watch", "enter": 100}])
    alert = await shop.hear(12)
    due = [shop.clock.now() + (1 if each == which else 9) * DAY for each in (0, 1)]
    bought = [
        await shop.buy(alert, units, due_at=at.isoformat())
        for units, at in zip((5, 4), due, strict=True)
    ]
    bought = [await shop.post(f"/v1/actions/{each['id']}/order") for each in bought]
    await shop.put_rule("lower", levels=[{"level": "urgent", "enter": 20}])
    other = await shop.hear(12)  # 12, 5 and 4 are more than 20
    assert await shop.hush(other) == [("opened", "covered")]
    assert await shop.remind() == 0
    reminded = 2  # who has asked for it is, too
    if how == "cancelled":
        await shop.post(f"/v1/actions/{bought[which]['id']}/cancel")
        reminded = 1  # but not of what he has given up himself
    elif how == "late":
        shop.clock.advance(3 * DAY)
        await shop.follow()
    else:
        await shop.confirm(bought[which], 1, due[which])
    assert await shop.remind() == reminded
    assert await shop.hush(other) == [("opened", "covered"), ("reminded", None)]


async def test_what_the_rest_covers_is_not_told_when_one_is_lost(shop: Shop) -> None:
    await shop.hear(100, warehouse="N")
    await shop.put_rule(
        "low", levels=[{"level": "watch", "enter": 100}], scope={"warehouses": ["W"]}
    )
    alert = await shop.hear(12)
    bought = [await shop.buy(alert, units) for units in (5, 4)]
    await shop.put_rule("lower", levels=[{"level": "urgent", "enter": 20}])
    other = await shop.hear(12)
    path = f"/v1/alerts/{alert['id']}/actions"
    moved = await shop.post(
        path, {"kind": "transfer", "quantity": 9, "source": "N"}, HTTPStatus.CREATED
    )
    await shop.post(f"/v1/actions/{bought[0]['id']}/cancel")
    assert await shop.remind() == 0
    # What is late is still incoming, and not counted upon.
    placed = await shop.post(f"/v1/actions/{bought[1]['id']}/order")
    await shop.hear(12, **line(placed["reference"], 4))
    await shop.follow()
    assert await shop.remind() == 0
    await shop.post(f"/v1/actions/{moved['id']}/cancel")
    assert await shop.remind() == 1
    assert await shop.hush(other) == [("opened", "covered"), ("reminded", None)]


async def test_what_the_supplier_cannot_deliver_is_waited_for_no_longer(shop: Shop) -> None:
    """Whoever ordered it is reminded, and the playbook expects them to act again."""
    steps = [{"expects": each, "within_minutes": 600} for each in ("act", "confirm")]
    playbook = {"name": {"en": "Until confirmed"}, "steps": steps}
    assert (await shop.alerting.client.put("/v1/playbooks/order", json=playbook)).is_success
    await shop.alerting.ask("PUT", "/v1/attention-policy", {"enabled": False})
    await shop.put_rule("low", playbook="order")
    await shop.hear(50)
    alert = await shop.hear(12)
    bought = await shop.buy(alert)
    await shop.post(f"/v1/orders/{bought['order']['id']}/place")
    await shop.confirm(bought, 0)
    shown = await shop.get(f"/v1/alerts/{alert['id']}")
    assert shown["playbook"]["step"]["expects"] == "act"
    assert await shop.remind() == 1
    told = [event for event, _ in await shop.hush(alert)]
    assert told == ["opened", "acted", "acted", "acted", "reminded"]
    # Who gives up what they have asked for knows it; others do not.
    for by, reminded in (("buyer", 0), ("lin", 1)):
        again = await shop.buy(alert)
        shown = await shop.get(f"/v1/alerts/{alert['id']}")
        assert shown["playbook"]["step"]["expects"] == "confirm"
        await shop.post(f"/v1/actions/{again['id']}/cancel", by=by)
        assert await shop.remind() == reminded
    path = f"/v1/alerts/{alert['id']}/actions"
    await shop.post(path, {"kind": "count"}, HTTPStatus.CREATED)
    again = await shop.buy(alert)
    await shop.post(f"/v1/actions/{again['id']}/cancel")
    shown = await shop.get(f"/v1/alerts/{alert['id']}")
    assert shown["playbook"]["step"]["expects"] == "confirm"  # the shelf is being counted


@pytest.mark.parametrize(
    ("quantity", "days", "reminded"),
    [(1, 5, 2), (144, 40, 2), (144, 5.5, 0), (200, 3, 0)],
    ids=["fewer", "later", "as ordered", "more and sooner"],
)
async def test_what_comes_otherwise_than_ordered_covers_nothing_if_that_is_worse(
    shop: Shop, quantity: int, days: float, reminded: int
) -> None:
    bought = await shop.buy(await shop.hear(12))
    await shop.post(f"/v1/orders/{bought['order']['id']}/place")
    await shop.put_rule("lower", levels=[{"level": "urgent", "enter": 15, "exit": 18}])
    other = await shop.hear(11)
    assert await shop.hush(other) == [("opened", "covered")]
    await shop.confirm(bought, quantity, shop.clock.now() + days * DAY)
    assert await shop.remind() == reminded
    # However late it says it is, it is counted upon for two weeks more and no longer.
    shop.clock.advance(5 * DAY + PATIENCE)
    assert await shop.follow() == 1
    assert (await shop.get(f"/v1/actions/{bought['id']}"))["is_late"]
    await shop.confirm(bought, quantity, shop.clock.now() + 90 * DAY)
    assert await shop.follow() == 0


async def test_while_it_recovers_nobody_is_told_that_what_covered_it_is_gone(shop: Shop) -> None:
    bought = await shop.buy(await shop.hear(12))
    await shop.post(f"/v1/actions/{bought['id']}/order")
    levels = [{"level": "urgent", "enter": 15, "exit": 18}]
    await shop.put_rule("lower", levels=levels, recovery_seconds=3_600)
    other = await shop.hear(11)
    assert (other["rule"]["id"], await shop.hush(other)) == ("lower", [("opened", "covered")])
    await shop.hear(156)
    await shop.post(f"/v1/actions/{bought['id']}/receive")
    assert await shop.remind() == 0
    await shop.hear(11)
    assert await shop.remind() == 1


async def known_as_urgent(shop: Shop) -> dict[str, Any]:
    """Return an alert of the rule `lower` that an order covers, and that got worse all the same."""
    bought = await shop.buy(await shop.hear(12))
    await shop.post(f"/v1/actions/{bought['id']}/order")
    ranks = (("watch", 16), ("urgent", 10), ("out", 1))
    levels = [{"level": level, "enter": enter} for level, enter in ranks]
    await shop.put_rule("lower", levels=levels)
    alert = await shop.hear(11)
    await shop.hear(5)
    return alert


async def silence_lower(shop: Shop) -> None:
    """Silence the rule `lower` for an hour."""
    ends_at = (shop.clock.now() + timedelta(hours=1)).isoformat()
    body = {"rule": "lower", "ends_at": ends_at, "comment": "stocktaking"}
    await shop.alerting.ask("POST", "/v1/silences", body, HTTPStatus.CREATED)


async def test_what_was_told_although_it_was_covered_is_told_again_after_a_silence(
    shop: Shop,
) -> None:
    other = await known_as_urgent(shop)
    await silence_lower(shop)
    await shop.hear(0)
    told = [("opened", "covered"), ("level_changed", None), ("level_changed", "silence")]
    assert await shop.hush(other) == told
    shop.clock.advance(timedelta(hours=2))
    assert await shop.remind() == 1
    # Eased in a silence, it is not taken for worse than it is until what covers it has arrived.
    await silence_lower(shop)
    await shop.hear(8)
    await shop.hear(12)
    told += [("reminded", None), *[("level_changed", "silence")] * 2]
    assert await shop.hush(other) == told
    shop.clock.advance(timedelta(hours=2))
    assert await shop.remind() == 1
    assert await shop.hush(other) == [*told, ("reminded", None)]


async def test_what_eased_in_a_silence_is_told_although_it_was_covered_on_the_way(
    shop: Shop,
) -> None:
    other = await known_as_urgent(shop)
    await silence_lower(shop)
    for available in (0, 8, 12):  # worse than they know, as they know it, better
        await shop.hear(available)
    shop.clock.advance(timedelta(hours=2))
    assert await shop.remind() == 1
    *_, last = await shop.hush(other)
    assert last == ("reminded", None)


async def test_what_has_arrived_by_somebodys_word_is_expected_no_longer(shop: Shop) -> None:
    bought = await shop.buy(await shop.hear(12))
    await shop.post(f"/v1/actions/{bought['id']}/order")
    for _ in range(2):
        done = await shop.post(f"/v1/actions/{bought['id']}/receive")
        assert done["state"] == "received"
    bodies = await shop.alerting.rows("SELECT body FROM call ORDER BY id")
    told = [json.loads(each["body"])[0] for each in bodies]
    assert [(each["id"], each["type"], each["quantity"]) for each in told] == [
        (f"{bought['id']}-1", "supply_expected", 144),
        (f"{bought['id']}-2", "supply_cancelled", 0),
    ]


async def test_who_may_approve_is_not_judged_before_the_catalogue_is_read(
    shop: Shop, settings: AlertingSettings
) -> None:
    """By its category, which is in it, somebody else's limit may be meant."""
    alert = await shop.hear(12)
    away = settings.model_copy(update={"kafka": "127.0.0.1:9"})
    async with shop.alerting.answering(away, is_read=False) as client:
        for path, body in (
            (f"/v1/alerts/{alert['id']}/actions", {"kind": "buy", "quantity": 144}),
            ("/v1/cases", {"sku": "A", "warehouse": "W", "note": "漏报"}),
        ):
            answer = await client.post(path, json=body)
            assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
            assert "Retry-After" in answer.headers
        path = f"/v1/alerts/{alert['id']}/actions"
        asked = await client.post(path, json={"kind": "none", "reason": "out of season"})
        assert asked.status_code == HTTPStatus.CREATED
        approval = f"/v1/actions/{asked.json()['id']}/approve"
        answer = await client.post(approval)
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE


async def test_who_has_to_wait_for_others_for_too_long_may_try_again(
    shop: Shop, settings: AlertingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = await shop.hear(12)
    path = f"/v1/alerts/{alert['id']}/actions"
    monkeypatch.setattr("shared.database.engine.LOCK_TIMEOUT_MS", 50)
    async with shop.alerting.answering(settings) as client:
        async with shop.engine.begin() as other:
            await action_rows.take_turn(other)
            answer = await client.post(path, json={"kind": "count"})
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert answer.headers["Retry-After"]
        assert (await client.post(path, json={"kind": "count"})).is_success


async def test_a_call_that_takes_its_time_is_made_by_nobody_else(shop: Shop) -> None:
    """Each takes longer than a third of the pause after which it would be made again."""
    alert = await shop.hear(12)
    for _ in range(4):
        bought = await shop.buy(alert)
        await shop.post(f"/v1/actions/{bought['id']}/order")
        await shop.post(f"/v1/actions/{bought['id']}/receive")
    arrived: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        arrived.append(json.loads(request.content)[0]["id"])
        shop.clock.advance(timedelta(seconds=4))
        if len(arrived) == 3:
            async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
                await Calling(shop.engine, shop.clock, client).step()
        return httpx.Response(HTTPStatus.ACCEPTED)

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
        calling = Calling(shop.engine, shop.clock, client)
        while await calling.step():
            pass
    assert (len(arrived), len(set(arrived))) == (8, 8)


async def test_a_call_without_an_end_is_given_up(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought = await shop.buy(await shop.hear(12))
    await shop.post(f"/v1/actions/{bought['id']}/order")
    monkeypatch.setattr("services.alerting.calling.TIMEOUT_SECONDS", 0)

    async def answer(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError("nobody waits for it")

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
        assert await Calling(shop.engine, shop.clock, client).step() == 1
    telling = (await shop.get(f"/v1/actions/{bought['id']}"))["telling"]
    assert telling == {"trouble": "ingest cannot be reached (TimeoutError)", "refused": False}


async def test_what_an_order_has_no_room_for_is_collected_in_the_next_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.alerting.store.orders.MAX_LINES", 2)
    bought = []
    for sku in "ABC":
        await shop.alerting.ask("PUT", f"/v1/parameters?sku={sku}", {"supplier": "ACME"})
        bought.append(await shop.buy(await shop.hear(5, sku=sku)))
    first, second, third = [each["order"] for each in bought]
    assert (first["id"] == second["id"], first["id"] == third["id"]) == (True, False)
    assert [first["line"], second["line"], third["line"]] == [1, 2, 1]
    assert len((await shop.get("/v1/orders?state=open"))["items"]) == 2
    await shop.post(f"/v1/orders/{first['id']}/place")
    (left,) = (await shop.get("/v1/orders?state=open"))["items"]
    assert (left["id"], left["lines"]) == (third["id"], 1)


async def test_orders_are_collected_by_supplier_until_they_are_worth_the_minimum(
    shop: Shop,
) -> None:
    await shop.alerting.ask(
        "PUT", "/v1/suppliers/ACME", {"name": "Acme", "minimum": "500", "email": "a@acme.example"}
    )
    await shop.alerting.ask(
        "PUT", "/v1/parameters?sku=B&warehouse=W", PARAMETERS | {"unit_cost": "1.00"}
    )
    alerts = [await shop.hear(12), await shop.hear(5, sku="B")]
    first, second = await asyncio.gather(*map(shop.buy, alerts))
    assert first["order"]["id"] == second["order"]["id"]
    assert {first["order"]["line"], second["order"]["line"]} == {1, 2}
    order = f"/v1/orders/{first['order']['id']}"
    await shop.post(f"/v1/actions/{second['id']}/cancel")
    await shop.follow()
    assert [(await shop.get(order))[each] for each in ("state", "money", "lines")] == [
        "open",
        "360.00",
        1,
    ]
    await shop.buy(alerts[1])
    await shop.follow()
    assert [(await shop.get(order))[each] for each in ("state", "money", "lines", "placed_by")] == [
        "placed",
        "504.00",
        2,
        None,
    ]
    assert (await shop.get("/v1/orders?state=open"))["items"] == []
    found = await shop.get("/v1/actions?state=ordered&supplier=ACME&limit=1")
    rest = await shop.get(f"/v1/actions?state=ordered&cursor={found['next_cursor']}")
    assert [each["sku"] for each in found["items"] + rest["items"]] == ["B", "A"]


async def test_another_order_day_sends_nothing_at_once(shop: Shop) -> None:
    async def on(days_from_now: int) -> None:
        day = shop.clock.now() + timedelta(days=days_from_now)
        days = [day.astimezone(ZoneInfo("Asia/Shanghai")).isoweekday()]
        await shop.alerting.ask(
            "PUT", "/v1/suppliers/ACME", {"name": "Acme", "order_weekdays": days}
        )

    await on(3)
    order = (await shop.buy(await shop.hear(12)))["order"]["id"]
    shop.clock.advance(timedelta(days=2))
    await on(-1)
    await on(-1)
    await shop.follow()
    assert (await shop.get(f"/v1/orders/{order}"))["state"] == "open"
    shop.clock.advance(timedelta(days=7))
    await shop.follow()
    assert (await shop.get(f"/v1/orders/{order}"))["state"] == "placed"


async def test_an_order_has_what_a_buyer_decides_by_and_what_the_supplier_made_of_it(
    shop: Shop,
) -> None:
    tuesdays = {"minimum": "5000", "order_weekdays": [2], "order_hour": 9}
    acme = {"name": "Acme", "timezone": "Asia/Shanghai", "email": "a@acme.example"} | tuesdays
    await shop.alerting.ask("PUT", "/v1/suppliers/ACME", acme)
    await shop.alerting.ask("PUT", "/v1/parameters?sku=B&warehouse=W", PARAMETERS)
    alerts = [await shop.hear(12), await shop.hear(5, sku="B")]
    first, second = [await shop.buy(alert) for alert in alerts]
    path = f"/v1/orders/{first['order']['id']}"
    (listed,) = (await shop.get("/v1/orders?state=open"))["items"]
    collected = await shop.get(path)
    assert {name: collected[name] for name in listed} == listed
    assert (listed["supplier_name"], listed["supplier_email"]) == ("Acme", "a@acme.example")
    assert (listed["money"], listed["minimum"]) == ("720.00", "5000")
    leaves = datetime.fromisoformat(listed["leaves_at"]).astimezone(ZoneInfo("Asia/Shanghai"))
    assert (leaves.isoweekday(), leaves.hour, leaves > shop.clock.now()) == (2, 9, True)
    assert [(each["moq"], each["pack_multiple"]) for each in collected["items"]] == [(60, 24)] * 2

    # Whoever places it has seen what they place.
    seen = {"lines": [first["id"]]}
    problem = await shop.post(f"{path}/place", seen, HTTPStatus.CONFLICT)
    assert problem["type"].endswith("order_changed")
    placed = await shop.post(f"{path}/place", {"lines": [second["id"], first["id"]]})
    assert (placed["leaves_at"], placed["link_opened_at"]) == (None, None)
    bought = await shop.get("/v1/actions?state=ordered&kind=buy")
    assert [each["id"] for each in bought["items"]] == [second["id"], first["id"]]
    assert (await shop.get("/v1/actions?kind=transfer"))["items"] == []

    async with httpx.AsyncClient(
        transport=shop.alerting.client._transport, base_url="http://alerting"
    ) as supplier:
        shop.clock.advance(timedelta(minutes=7))
        for method, headers in (
            ("GET", {}),
            ("HEAD", {}),
            ("GET", {"Purpose": "prefetch", "Sec-Purpose": "prefetch;prerender"}),
        ):
            await supplier.request(method, placed["link"], headers=headers)
        assert (await shop.get(path))["link_opened_at"] is None
        opening = placed["link"].replace("/order?", "/order/opened?")
        for link, status in ((opening + "x", 403), (opening, 204)):
            assert (await supplier.post(link)).status_code == status
        opened = (await shop.get(path))["link_opened_at"]
        assert datetime.fromisoformat(opened) == shop.clock.now()
        said = {"quantity-1": "120", "due-1": "2099-01-05", "quantity-2": "0", "due-2": ""}
        await supplier.post(placed["link"], data=said)
    confirmed = await shop.get(path)
    kept = confirmed["items"][0]
    assert (kept["quantity"], kept["confirmed_quantity"]) == (144, 120)
    asked_for = shop.clock.now() - timedelta(minutes=7) + 5 * DAY
    assert datetime.fromisoformat(kept["asked_due_at"]) == asked_for
    assert kept["due_at"] == "2099-01-04T16:00:00Z"
    # What will not come costs nothing.
    assert confirmed["lines_by_state"] == {"ordered": 1, "cancelled": 1}
    assert (confirmed["money"], confirmed["lines_late"]) == ("300.00", 0)
    # Nobody is mailed: there is no destination for orders.
    assert (confirmed["by_mail"], confirmed["mails"]) == (False, [])
    problem = await shop.post(f"{path}/mails", None, HTTPStatus.CONFLICT)
    assert problem["type"].endswith("no_mail")
    await shop.alerting.ask("PUT", "/v1/order-destination", {"destination": "office"})
    assert (await shop.get(path))["by_mail"] is True
    shop.clock.advance(80 * 366 * DAY)
    await shop.follow()
    assert (await shop.get(path))["lines_late"] == 1
    await shop.post(f"/v1/actions/{first['id']}/cancel")
    given_up = await shop.get(path)
    assert (given_up["money"], given_up["lines_late"]) == (None, 0)


async def test_a_repeated_request_makes_one_action(shop: Shop) -> None:
    alert = await shop.hear(12)
    path = f"/v1/alerts/{alert['id']}/actions"
    answers = [
        await shop.alerting.client.post(
            path,
            json={"kind": "buy", "quantity": quantity},
            headers={"Idempotency-Key": "monday"},
        )
        for quantity in (144, 144, 24)
    ]
    assert [each.status_code for each in answers] == [201, 201, 422]
    assert answers[0].json() == answers[1].json()
    assert answers[2].json()["type"].endswith("idempotency_key_reused")
    assert len((await shop.get(f"/v1/actions?alert={alert['id']}"))["items"]) == 1


async def test_a_repeated_request_puts_an_alert_off_once(shop: Shop) -> None:
    alert = await shop.hear(12)
    path = f"/v1/alerts/{alert['id']}/snooze"
    answers = []
    for minutes in (60, 60, 90):
        answers.append(
            await shop.alerting.client.post(
                path, json={"minutes": minutes}, headers={"Idempotency-Key": "monday"}
            )
        )
        shop.clock.advance(timedelta(minutes=5))
    assert [each.status_code for each in answers] == [200, 200, 422]
    assert answers[0].json() == answers[1].json()
    assert answers[2].json()["type"].endswith("idempotency_key_reused")
    unknown = f"/v1/alerts/{UUID(int=0)}/snooze"
    answer = await shop.alerting.client.post(
        unknown, json={"minutes": 60}, headers={"Idempotency-Key": "tuesday"}
    )
    assert answer.status_code == HTTPStatus.NOT_FOUND
    shop.clock.advance(timedelta(minutes=45))
    assert await shop.remind() == 1


async def test_a_review_goes_by_the_class_that_an_alert_opened_with(shop: Shop) -> None:
    parameters = "/v1/parameters?sku=A&warehouse=W"
    await shop.alerting.ask("PUT", parameters, PARAMETERS | {"stock_class": "A"})
    alert = await shop.hear(12)
    await shop.alerting.ask("PUT", parameters, PARAMETERS | {"stock_class": "C"})
    await shop.put_rule("low", scope={"classes": ["A"]})
    await shop.hear(11)  # it is C now, and so no concern of the rule any more
    ended = await shop.get(f"/v1/alerts/{alert['id']}")
    assert (ended["state"], ended["stock_class"]) == ("resolved", "C")
    now = shop.clock.now()
    period = f"from={(now - DAY):%Y-%m-%dT%H:%M:%SZ}&to={(now + DAY):%Y-%m-%dT%H:%M:%SZ}"
    found = await shop.get(f"/v1/review?{period}&by=class")
    groups = {each["group"]: each["figures"]["alerts"] for each in found["groups"]}
    assert groups == {"A": 1}


async def test_a_count_is_done_when_the_level_was_counted_since(shop: Shop) -> None:
    counted = shop.clock.now() - DAY
    alert = await shop.hear(12, counted_at=counted)
    asked = await shop.post(
        f"/v1/alerts/{alert['id']}/actions", {"kind": "count"}, HTTPStatus.CREATED
    )
    assert asked["state"] == "approved"
    assert await shop.follow() == 0
    await shop.hear(13, counted_at=shop.clock.now() + timedelta(minutes=1))
    assert await shop.follow() == 1
    assert (await shop.get(f"/v1/actions/{asked['id']}"))["state"] == "done"


async def test_who_presses_a_button_orders_what_was_approved_or_what_is_said(shop: Shop) -> None:
    alert = await shop.hear(12)
    bought = await shop.buy(alert)
    by = By("lin", None, shop.clock.now(), None)
    async with shop.engine.begin() as connection:
        done = await actions.ordered(connection, alert["id"], 96, by)
    assert done is not None
    assert (str(done.id), done.state, done.expected) == (bought["id"], "ordered", 96)
    assert (await shop.get("/v1/orders?state=open"))["items"] == []
    other = await shop.hear(5, sku="B")
    async with shop.engine.begin() as connection:
        fresh = await actions.ordered(connection, other["id"], 30, by)
        counts = [await actions.request_count(connection, other["id"], by) for _ in range(2)]
    assert fresh is not None
    assert (fresh.state, fresh.supplier, fresh.requested_by) == ("ordered", None, "lin")
    assert counts[0] is not None
    assert counts[1] == counts[0]
    assert [row["n"] for row in await shop.alerting.rows("SELECT count(*) AS n FROM call")] == [2]


async def test_who_orders_more_than_was_approved_needs_an_approval_of_it(shop: Shop) -> None:
    await shop.limits({"person": "buyer", "amount": "100"}, {"person": "lin", "amount": "1000"})
    alert = await shop.hear(12)
    approved = await shop.buy(alert, 36, supplier="OTHER")
    assert approved["state"] == "approved"
    by = By("buyer", None, shop.clock.now(), None)
    async with shop.engine.begin() as connection:
        done = await actions.ordered(connection, alert["id"], 400, by)
    assert done is not None
    assert (done.state, done.expected, done.supplier) == ("proposed", 400, "OTHER")
    assert (await shop.get(f"/v1/actions/{approved['id']}"))["state"] == "cancelled"
    assert await shop.alerting.rows("SELECT FROM call") == []


async def test_limits_are_held_against_what_is_bought_for_a_shortage_altogether(
    shop: Shop,
) -> None:
    await shop.limits({"person": "buyer", "amount": "100"}, {"person": "lin", "amount": "150"})
    await shop.put_rule("low", levels=[{"level": "watch", "enter": 500}])
    alert = await shop.hear(12)
    first = await shop.buy(alert, 36)  # 90
    assert first["state"] == "approved"
    second = await shop.buy(alert, 5)  # 12.50
    assert (second["state"], second["needs_approval"]) == ("proposed", True)
    # The alert of another rule on the same SKU in the same warehouse is the same shortage.
    await shop.put_rule("lower", levels=[{"level": "watch", "enter": 400}])
    other = await shop.hear(11)
    third = await shop.buy(other, 24)  # 60
    assert third["state"] == "proposed"
    assert (await shop.post(f"/v1/actions/{second['id']}/approve", by="lin"))["state"] == "approved"
    problem = await shop.post(
        f"/v1/actions/{third['id']}/approve", None, HTTPStatus.FORBIDDEN, by="lin"
    )
    assert problem["type"].endswith("limit_too_low")
    assert "of 162.50 with all that is bought for the same shortage" in problem["detail"]
    # What has arrived was bought as well, as long as the alert goes on; what is given up was not.
    await shop.post(f"/v1/actions/{first['id']}/order")
    await shop.post(f"/v1/actions/{first['id']}/receive")
    assert (await shop.buy(alert, 5))["state"] == "proposed"
    await shop.post(f"/v1/actions/{second['id']}/cancel")
    assert (await shop.buy(alert, 4))["state"] == "approved"
    by = By("buyer", None, shop.clock.now(), None)
    async with shop.engine.begin() as connection:
        pressed = await actions.ordered(connection, alert["id"], 5, by)
    assert pressed is not None
    assert pressed.state == "proposed"
    # Another warehouse is another shortage.
    elsewhere = await shop.hear(12, warehouse="N")
    await shop.alerting.ask("PUT", "/v1/parameters?sku=A&warehouse=N", PARAMETERS)
    assert (await shop.buy(elsewhere, 36))["state"] == "approved"


async def test_who_may_approve_it_altogether_is_told(shop: Shop) -> None:
    await shop.limits(
        {"person": "buyer", "amount": "100"},
        {"person": "lin", "amount": "150"},
        {"person": "an", "amount": "1000"},
    )
    await shop.put_rule("low", levels=[{"level": "watch", "enter": 500}])
    alert = await shop.hear(12)
    await shop.buy(alert, 36)
    await shop.buy(alert, 30)  # 75, but 165 with the first
    assert [each.id for each in (await shop.told())[-1].to] == ["an"]


async def test_what_is_covered_by_now_is_not_approved_until_that_is_given_up(shop: Shop) -> None:
    await shop.limits(
        {"person": "buyer", "amount": "10"},
        {"person": "lin", "amount": "1000"},
        {"person": "an", "amount": "1000"},
    )
    alert = await shop.hear(12)
    asked = await shop.buy(alert, 5)  # too few to cover it
    assert asked["state"] == "proposed"
    body = {"kind": "buy", "quantity": 144}
    path = f"/v1/alerts/{alert['id']}/actions"
    enough = await shop.post(path, body, HTTPStatus.CREATED, by="lin")
    assert enough["state"] == "approved"
    approve = f"/v1/actions/{asked['id']}/approve"
    problem = await shop.post(approve, None, HTTPStatus.CONFLICT, by="an")
    assert problem["type"].endswith("covered")
    assert problem["action"] == enough["id"]
    assert "turn this request down" in problem["detail"]
    assert (await shop.get(f"/v1/actions/{asked['id']}"))["state"] == "proposed"
    await shop.post(f"/v1/actions/{enough['id']}/cancel", by="lin")
    assert (await shop.post(approve, by="an"))["state"] == "approved"
    await shop.post(path, body, HTTPStatus.CREATED, by="lin")
    # Said once more, it changes nothing, whatever covers it since.
    assert (await shop.post(approve, by="an"))["state"] == "approved"


@pytest.mark.parametrize("by_hand", [True, False])
async def test_what_is_ordered_after_the_end_of_its_alert_is_told_to_programs_alone(
    shop: Shop, by_hand: bool
) -> None:
    alert = await shop.hear(12)
    bought = await shop.buy(alert)
    ending = f"/v1/alerts/{alert['id']}/resolve"
    if by_hand:
        await shop.post(ending, {"note": "seen to"}, by="lin")
    else:
        assert (await shop.hear(156))["state"] == "resolved"
    before = await shop.get(f"/v1/alerts/{alert['id']}")
    await shop.post(f"/v1/orders/{bought['order']['id']}/place", by="an")
    await shop.post(f"/v1/actions/{bought['id']}/receive", by="an")
    notices = await shop.told()
    assert [(each.event, each.hush and each.hush.by) for each in notices] == [
        ("opened", None),
        ("acted", None),
        ("resolved", None),
        ("acted", "ended"),
        ("acted", "ended"),
    ]
    assert [each.revision for each in notices] == [1, 2, 3, 4, 5]
    states = [(each.action.state, each.action.order is not None) for each in notices if each.action]
    assert states == [("approved", True), ("ordered", True), ("received", True)]
    # Nothing else has changed: neither whose it is, nor when and by whom it was ended.
    after = await shop.get(f"/v1/alerts/{alert['id']}")
    news = {"revision", "history"}
    assert {name: each for name, each in after.items() if name not in news} == {
        name: each for name, each in before.items() if name not in news
    }
    if by_hand:
        assert (await shop.post(ending, {"note": "seen to"}, by="lin"))["state"] == "resolved"
    steps = (await shop.get(f"/v1/actions/{bought['id']}"))["history"]
    assert [each["alert_revision"] for each in steps] == [2, 4, 5]


@pytest.mark.parametrize("approved", [True, False])
async def test_what_a_supplier_confirms_above_what_was_approved_waits_for_an_approval(
    shop: Shop, approved: bool
) -> None:
    await shop.limits({"person": "buyer", "amount": "100"}, {"person": "lin", "amount": "1000"})
    alert = await shop.hear(12)
    units = 60 if approved else 36
    bought = await shop.buy(alert, units)
    if approved:
        await shop.post(f"/v1/actions/{bought['id']}/approve", by="lin")
    bought = await shop.post(f"/v1/actions/{bought['id']}/order")
    order = await shop.get(f"/v1/orders/{bought['order']['id']}")
    said = {"quantity-1": "100", "due-1": "2099-01-05"}
    async with httpx.AsyncClient(
        transport=shop.alerting.client._transport, base_url="http://alerting"
    ) as supplier:
        for _ in range(2):  # sent again, it is asked for once
            page = await supplier.post(order["link"], data=said)
            assert "needs the buyer" in page.text
            assert f'value="{units}"' in page.text
        confirmed = await shop.get(f"/v1/actions/{bought['id']}")
        assert (confirmed["confirmed_quantity"], confirmed["cost"]) == (units, f"{units * 2.5:.2f}")
        (rest,) = (await shop.get("/v1/actions?state=proposed"))["items"]
        assert (rest["quantity"], rest["requested_by"]) == (100 - units, "supplier:ACME")
        assert rest["needs_approval"] is True
        # Still more is asked for as far as it is not asked for yet.
        await supplier.post(order["link"], data=said | {"quantity-1": "110"})
        waiting = (await shop.get("/v1/actions?state=proposed"))["items"]
        assert [each["quantity"] for each in waiting] == [10, 100 - units]
        await shop.post(f"/v1/actions/{rest['id']}/approve", None, HTTPStatus.FORBIDDEN)
        done = await shop.post(f"/v1/actions/{rest['id']}/approve", by="lin")
        assert (done["state"], done["order"]["id"] != order["id"]) == ("approved", True)
        await shop.post(f"/v1/actions/{waiting[0]['id']}/reject", by="lin")
        page = await supplier.post(order["link"], data=said | {"quantity-1": "110"})
        assert "needs the buyer" not in page.text
    assert (await shop.get("/v1/actions?state=proposed"))["items"] == []


async def test_a_supplier_may_confirm_more_as_far_as_nobody_has_to_approve_it(shop: Shop) -> None:
    bought = await shop.buy(await shop.hear(12), 60)
    await shop.post(f"/v1/orders/{bought['order']['id']}/place")
    await shop.confirm(bought, 100)
    assert (await shop.get(f"/v1/actions/{bought['id']}"))["confirmed_quantity"] == 100
    await shop.limits({"person": "buyer", "amount": "300"})
    await shop.confirm(bought, 120)
    assert (await shop.get(f"/v1/actions/{bought['id']}"))["confirmed_quantity"] == 120
    await shop.confirm(bought, 121)
    assert (await shop.get(f"/v1/actions/{bought['id']}"))["confirmed_quantity"] == 120
    (rest,) = (await shop.get("/v1/actions?state=proposed"))["items"]
    assert rest["quantity"] == 1


async def test_doing_nothing_says_why_and_other_things_are_done_when_somebody_says_so(
    shop: Shop,
) -> None:
    alert = await shop.hear(12)
    path = f"/v1/alerts/{alert['id']}/actions"
    for wrong in ({"kind": "none"}, {"kind": "buy"}, {"kind": "transfer", "quantity": 5}):
        await shop.post(path, wrong, HTTPStatus.UNPROCESSABLE_ENTITY)
    nothing = await shop.post(path, {"kind": "none", "reason": "out of season"}, HTTPStatus.CREATED)
    assert (nothing["state"], nothing["reason"]) == ("done", "out of season")
    stop = await shop.post(path, {"kind": "stop_selling"}, HTTPStatus.CREATED)
    problem = await shop.post(f"/v1/actions/{stop['id']}/order", None, HTTPStatus.CONFLICT)
    assert problem["type"].endswith("wrong_state")
    assert (await shop.post(f"/v1/actions/{stop['id']}/done"))["state"] == "done"
    assert (await shop.post(f"/v1/actions/{stop['id']}/done"))["state"] == "done"


async def test_a_transfer_of_less_than_it_takes_hushes_nothing_and_holds_up_no_purchase(
    shop: Shop,
) -> None:
    await shop.hear(100, warehouse="N")
    alert = await shop.hear(12)
    path = f"/v1/alerts/{alert['id']}/actions"
    for units in (1, 8):  # 12, 1 and 8 are more than 20
        body = {"kind": "transfer", "quantity": units, "source": "N"}
        await shop.post(path, body, HTTPStatus.CREATED)
        await shop.put_rule(f"of-{units}", levels=[{"level": "urgent", "enter": 20}])
        other = await shop.hear(12)
        told = None if units == 1 else "covered"
        assert await shop.hush(other) == [("opened", told)]
    problem = await shop.post(path, {"kind": "buy", "quantity": 144}, HTTPStatus.CONFLICT)
    assert problem["type"].endswith("covered")
    # Where it leaves from it covers nothing.
    await shop.put_rule("home", levels=[{"level": "watch", "enter": 101}])
    left = await shop.hear(99, warehouse="N")
    assert await shop.hush(left) == [("opened", None)]


async def test_a_transfer_from_where_the_units_are_missing_is_refused(shop: Shop) -> None:
    alert = await shop.hear(12)
    problem = await shop.post(
        f"/v1/alerts/{alert['id']}/actions",
        {"kind": "transfer", "quantity": 144, "source": alert["warehouse"]},
        HTTPStatus.UNPROCESSABLE_ENTITY,
    )
    assert problem["type"].endswith("from_itself")
    assert "name another warehouse" in problem["detail"]
    assert (await shop.get("/v1/actions"))["items"] == []


async def test_a_transfer_comes_from_where_there_is_most_to_spare(shop: Shop) -> None:
    await shop.alerting.ask("PUT", "/v1/parameters?sku=A&warehouse=N", {"reorder_point": 30})
    await shop.hear(100, warehouse="N")
    alert = await shop.hear(12)
    first = (await shop.get(f"/v1/alerts/{alert['id']}/proposals"))["items"][0]
    assert (first["kind"], first["source"], first["quantity"]) == ("transfer", "N", 70)
    moved = await shop.post(
        f"/v1/alerts/{alert['id']}/actions",
        {name: first[name] for name in ("kind", "source", "quantity")},
        HTTPStatus.CREATED,
    )
    sent = await shop.post(f"/v1/actions/{moved['id']}/order", {"reference": "TO 7"})
    assert (sent["state"], sent["reference"], sent["order"]) == ("ordered", "TO 7", None)
    assert await shop.alerting.rows("SELECT FROM call") == []
    await shop.hear(12, **line("TO 7", 70))
    await shop.follow()
    await shop.hear(82)
    await shop.follow()
    assert (await shop.get(f"/v1/actions/{moved['id']}"))["state"] == "received"
