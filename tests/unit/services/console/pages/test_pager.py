"""Turning pages faster than they come."""

from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import httpx
import pytest
from nicegui import Client, ui
from typing_extensions import override

from services.console.domain.feed import Feed
from services.console.domain.language import Language
from services.console.domain.texts import Words
from services.console.pages.alerts import AlertsPage
from services.console.pages.context import Context
from services.console.pages.deliveries import DeliveriesPage
from services.console.pages.frame import Frame
from services.console.pages.orders import OrdersPage
from services.console.pages.stock import StockPage
from services.console.upstream import alerting
from services.console.upstream.actions import Actions
from services.console.upstream.directory import Directory
from services.console.upstream.grid import Question
from services.console.upstream.ingest import Ingest
from services.console.upstream.ledger import Ledger
from services.console.upstream.notifier import Notifier, Sought
from services.console.upstream.orders import Orders
from services.console.upstream.people import People
from services.console.upstream.service import Service
from shared.clock import WallClock

WHEN = "2026-03-02T09:00:00Z"
LAST = 9


class Lists:
    """Answers lists of nine parts with an item each; a cursor is the number of a part."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[int] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, parameters = request.url.path, request.url.params
        if path == "/v1/levels/query":
            return httpx.Response(200, json={"items": [level()]})
        is_list = (
            path in {"/v1/skus", "/v1/deliveries", "/v1/alerts"}
            or parameters.get("state") == "placed"
        )
        if self.away or not is_list:
            return httpx.Response(503)
        part = int(parameters.get("cursor", "1"))
        self.asked.append(part)
        following = str(part + 1) if part < LAST else None
        return httpx.Response(200, json={"items": [ITEMS[path]], "next_cursor": following})


def level() -> dict[str, object]:
    units = dict.fromkeys(("on_hand", "reserved", "unavailable", "incoming", "available"), 1)
    return {"sku": "CUP", "warehouse": "hz", "version": 1} | units


ITEMS: dict[str, dict[str, object]] = {
    "/v1/skus": {"sku": "CUP", "name": "Cup"},
    "/v1/deliveries": {
        "id": str(UUID(int=1)),
        "kind": "alert",
        "state": "sent",
        "created_at": WHEN,
    },
    "/v1/alerts": {
        "id": str(UUID(int=1)),
        "number": 1,
        "state": "open",
        "level": "out",
        "rule": {"id": "r", "kind": "below"},
        "sku": "CUP",
        "warehouse": "hz",
        "opened_at": WHEN,
    },
    "/v1/orders": {
        "id": str(UUID(int=1)),
        "number": 1,
        "reference": "LT-1",
        "state": "placed",
        "opened_at": WHEN,
        "placed_at": WHEN,
        "lines": 1,
    },
}


class Viewer(Frame):
    """Somebody in front of no page."""

    def __init__(self, service: Service) -> None:
        ingest = Ingest(service)
        context = SimpleNamespace(
            ingest=ingest,
            ledger=Ledger(service),
            directory=Directory(ingest, WallClock()),
            alerting=alerting.Alerting(service),
            notifier=Notifier(service),
            orders=Orders(service),
            actions=Actions(service),
            people=People(service),
            live=SimpleNamespace(feed=Feed()),
            clock=WallClock(),
        )
        self.address = "/"
        self.context = cast("Context", context)
        self.language, self.words = Language.ENGLISH, Words(Language.ENGLISH)
        self.myself = None
        self.main = ui.element()

    @override
    def readdress(self, asked: Mapping[str, str]) -> None:
        """Nobody sees the address."""


class Turned:
    """A page with a list, its buttons, and what it says."""

    def __init__(self, which: str, service: Service) -> None:
        with Client(ui.page(f"/{which}"), request=None):
            viewer = Viewer(service)
            self.page: StockPage | DeliveriesPage | OrdersPage | AlertsPage
            if which == "stock":
                self.page = StockPage(viewer, Question())
            elif which == "deliveries":
                self.page = DeliveriesPage(viewer, Sought())
            elif which == "alerts":
                self.page = AlertsPage(viewer, alerting.Sought())
            else:
                self.page = OrdersPage(viewer)

    async def press(self, *directions: str) -> None:
        for direction in directions:
            if isinstance(self.page, StockPage):
                self.page._turn({"on": "next", "back": "previous"}[direction])
            elif isinstance(self.page, AlertsPage):
                self.page._act({"on": "earlier", "back": "later"}[direction])
            else:
                await self.page._act({"on": "earlier", "back": "later"}[direction])

    async def comes(self) -> None:
        await self.page._ask()

    def says(self, words: str) -> bool:
        return words in (
            self.page._list_html()
            if isinstance(self.page, DeliveriesPage | AlertsPage)
            else self.page._html()
        )


@pytest.fixture
def lists() -> Lists:
    return Lists()


@pytest.fixture(params=["stock", "deliveries", "orders", "alerts"])
async def turned(request: pytest.FixtureRequest, lists: Lists) -> AsyncIterator[Turned]:
    transport = httpx.MockTransport(lists.answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        turned = Turned(request.param, Service("it", client))
        await turned.comes()
        yield turned


async def test_a_second_press_before_the_page_came_turns_it_once(
    turned: Turned, lists: Lists
) -> None:
    await turned.press("on", "on", "on")
    await turned.comes()
    assert turned.says("Page 2")
    await turned.press("on")
    await turned.comes()
    assert turned.says("Page 3")
    assert lists.asked == [1, 2, 3]


async def test_on_after_back_is_of_the_page_that_came(turned: Turned, lists: Lists) -> None:
    await turned.press("on")
    await turned.comes()
    await turned.press("back", "on")
    await turned.comes()
    assert turned.says("Page 1")
    await turned.press("on")
    await turned.comes()
    assert lists.asked == [1, 2, 1, 2]


async def test_what_does_not_come_can_be_turned_back(turned: Turned, lists: Lists) -> None:
    await turned.press("on")
    lists.away = True
    await turned.comes()
    await turned.press("on", "back")
    lists.away = False
    await turned.comes()
    assert turned.says("Page 1")
    assert lists.asked == [1, 1]


@pytest.mark.parametrize("turned", ["stock"], indirect=True)
async def test_of_new_words_the_first_page_comes_first(turned: Turned, lists: Lists) -> None:
    assert isinstance(turned.page, StockPage)
    turned.page._type("words", "cup")
    await turned.press("on")
    await turned.comes()
    assert lists.asked == [1, 1]
