"""One purchase order: its lines and where each stands, and what its supplier has made of it."""

import asyncio
from uuid import UUID

from fastapi import Request
from nicegui import ui

from services.console.domain import order_state
from services.console.domain.board import Section
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.not_found import show_not_found
from services.console.pages.order_doing import OrderDoing
from services.console.upstream.answered import answered
from services.console.upstream.delivery_answers import CountedDelivery
from services.console.upstream.directory import Names
from services.console.upstream.notifier import Sought
from services.console.upstream.order_answers import OrderWithLines

_ASK_SECONDS = 5.0
_MAILS_AT_MOST = 20


def register(context: Context) -> None:
    """Serve the page at `/orders/{id}`."""

    @ui.page("/orders/{order_id}", reconnect_timeout=RECONNECT_SECONDS)
    def order(request: Request, order_id: str) -> None:
        frame = Frame(context, request, "orders")
        try:
            known = UUID(order_id)
        except ValueError:
            show_not_found(frame)
            return
        frame.keep(OrderPage(frame, known).follow(), "order")


class OrderPage:
    """One viewer's look at an order."""

    def __init__(self, frame: Frame, order_id: UUID) -> None:
        self._frame = frame
        self._id = order_id
        self._upstream = frame.context.orders
        self._order: Section[OrderWithLines | None] = Section()
        self._mails: Section[list[CountedDelivery]] = Section()
        self._asked = False
        self._names = Names()
        self._people: dict[str, str] = {}
        self._doing = OrderDoing(frame, self._show, self._ask, self._order_of)
        with frame.main:
            self._panel = LivePanel(self._html())
        self._panel.on_act(self._act)
        self._panel.on_field(self._doing.type)

    async def follow(self) -> None:
        """Ask every five seconds while the page is open."""
        while True:
            await self._ask()
            await asyncio.sleep(_ASK_SECONDS)

    async def _ask(self) -> None:
        self._names = await self._frame.context.directory.names()
        self._order = await answered(self._order, self._upstream.one(self._id))
        self._mails = await answered(self._mails, self._sent())
        self._asked = True
        if self._order.value is not None:
            order = self._order.value
            self._frame.retitle(f"{order.reference} {order.called}".strip())
        if not self._people:
            self._people = await self._frame.context.people.names()
        self._show()

    async def _sent(self) -> list[CountedDelivery]:
        sought = Sought(order_id=str(self._id))
        page = await self._frame.context.notifier.deliveries(sought, limit=_MAILS_AT_MOST)
        return page.items

    async def _act(self, act: str) -> None:
        focus = await self._doing.act(act)
        self._show()
        if self._doing.link is not None and act.startswith("link:"):
            focus = "[data-copy]"
        if focus:
            self._panel.point(focus)

    def _order_of(self, order_id: str) -> OrderWithLines | None:
        return self._order.value if order_id == str(self._id) else None

    def _show(self) -> None:
        self._panel.show(self._html())

    def _html(self) -> str:
        return self._frame.html(
            "order.html",
            section=self._order,
            mails=self._mails,
            asked=self._asked,
            doing=self._doing,
            names=self._names,
            people=self._people,
            state=order_state,
        )
