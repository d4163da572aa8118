"""Orders (订单): purchases that wait, what is collected by supplier, and what was ordered."""

from fastapi import Request
from nicegui import ui

from services.console.domain import order_state
from services.console.domain.board import Section
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.order_doing import OrderDoing
from services.console.pages.pager import Pager
from services.console.pages.wanted import Wanted
from services.console.upstream.answered import answered
from services.console.upstream.answers import Page
from services.console.upstream.directory import Names
from services.console.upstream.order_answers import Order, OrderWithLines, Purchase

_ASK_SECONDS = 5.0


def register(context: Context) -> None:
    """Serve the page at `/orders`."""

    @ui.page("/orders", reconnect_timeout=RECONNECT_SECONDS)
    def orders(request: Request) -> None:
        page = OrdersPage(Frame(context, request, "orders"))
        page.frame.keep(page.follow(), "orders")


class OrdersPage:
    """One viewer's look at what is bought."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self._upstream = frame.context.orders
        self._to_approve: Section[list[Purchase]] = Section()
        self._collected: Section[list[OrderWithLines]] = Section()
        self._lone: Section[list[Purchase]] = Section()
        self._placed: Section[Page[Order]] = Section()
        self._pager = Pager()
        self._names = Names()
        self._people: dict[str, str] = {}
        self._wanted = Wanted()
        self._doing = OrderDoing(frame, self._show, self._ask, self._order_of)
        words = frame.words
        frame.headline(words("orders.title"), words("orders.lead"))
        with frame.main:
            self._panel = LivePanel(self._html())
        self._panel.on_act(self._act)
        self._panel.on_field(self._doing.type)

    async def follow(self) -> None:
        """Ask every five seconds while the page is open, and at once after whatever was done."""
        while True:
            self._wanted.clear()
            await self._ask()
            await self._wanted.within(_ASK_SECONDS)

    async def _ask(self) -> None:
        self._names = await self.frame.context.directory.names()
        self._to_approve = await answered(self._to_approve, self._upstream.to_approve())
        self._collected = await answered(self._collected, self._upstream.collected())
        self._lone = await answered(self._lone, self._upstream.uncollected())
        cursor = self._pager.cursor
        placed = await answered(self._placed, self._upstream.placed(cursor))
        if cursor == self._pager.cursor:
            self._placed = placed
            if not placed.away:
                self._pager.came()
        if not self._people:
            self._people = await self.frame.context.people.names()
        self._show()

    async def _act(self, act: str) -> None:
        page = self._placed.value
        if self._pager.turn(act, page.next_cursor if page else None):
            self._wanted.set()
        else:
            focus = await self._doing.act(act)
            self._show()
            if focus:
                self._panel.point(focus)

    def _order_of(self, order_id: str) -> OrderWithLines | None:
        return next((one for one in self._collected.value or () if str(one.id) == order_id), None)

    def _show(self) -> None:
        self._panel.show(self._html())

    def _html(self) -> str:
        return self.frame.html(
            "orders.html",
            to_approve=self._to_approve,
            collected=self._collected,
            lone=self._lone,
            placed=self._placed,
            number_of_page=self._pager.number,
            doing=self._doing,
            names=self._names,
            people=self._people,
            state=order_state,
        )
