"""Stock (库存): find any level by name, SKU or barcode; what is on screen stays current."""

import asyncio
from collections.abc import Sequence

from fastapi import Request
from nicegui import ui

from services.console.domain.feed import Subscription, of_level
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.pager import Pager
from services.console.upstream.answers import Level
from services.console.upstream.grid import Away, Grid, Question, Row, Rows
from services.console.upstream.service import Refused
from shared.errors import Unavailable
from shared.events.stock_levels import StockLevel

# Typing pauses longer than this are a word; asking for every letter would only flicker.
_TYPING_SECONDS = 0.2
# A service that was away is asked again this often while somebody waits for it.
_TRY_AGAIN_SECONDS = 3.0
# What ingest and the ledger take as `q`.
_MAX_WORDS = 128


def register(context: Context) -> None:
    """Serve the page at `/stock`."""

    @ui.page("/stock", reconnect_timeout=RECONNECT_SECONDS)
    def stock(request: Request, words: str = "", warehouse: str = "") -> None:
        frame = Frame(context, request, "stock")
        StockPage(frame, Question(words[:_MAX_WORDS], warehouse)).follow()


class OnScreen:
    """The part of the result that somebody looks at, and what changes in it meanwhile."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self.rows: Rows | None = None
        """None before the first answer."""

    def answered(self, rows: Rows) -> bool:
        """Show an answer; return whether to ask once more.

        What changes while an answer is on its way is told of watched rows only: those do not go
        back to what the answer says, and those that are new here may be behind.
        """
        if self.rows is not None:
            rows = rows.with_levels([row.level for row in self.rows.rows if row.level]).rows
        self.rows = rows
        keys = {of_level(row.sku, row.warehouse) for row in rows.rows}
        unwatched = keys - self._subscription.keys
        self._subscription.watch(keys)
        return bool(unwatched)

    def changed(self, levels: Sequence[StockLevel]) -> list[Row]:
        """Put newer levels in; return the rows that are other ones now."""
        if self.rows is None:
            return []
        newer = [Level.model_validate(level.model_dump()) for level in levels]
        self.rows, changed = self.rows.with_levels(newer)
        return changed


class StockPage:
    """One viewer's search and the part of its result that they look at."""

    def __init__(self, frame: Frame, question: Question) -> None:
        self._frame = frame
        self._grid = Grid(frame.context.ingest, frame.context.ledger, frame.context.directory)
        self._question = question
        self._pager = Pager()
        self._cursors_of: Away = ""
        """What was away when its cursors were told: a cursor is its service's own."""
        self._warehouses: dict[str, str] = {}
        self._away: Away = ""
        self._failure = ""
        self._asked = asyncio.Event()
        self._asked.set()
        self._subscription = frame.context.live.feed.subscribe()
        ui.context.client.on_delete(self._subscription.close)
        self._screen = OnScreen(self._subscription)
        words = frame.words
        frame.headline(words("stock.title"), words("stock.lead"))
        with frame.main:
            self._search = LivePanel(self._search_html())
            self._panel = LivePanel(self._html(), tag="section", classes="panel")
        self._search.on_field(self._type)
        self._panel.on_act(self._turn)

    def follow(self) -> None:
        """Answer the viewer's questions and show changes while the page is open."""
        self._frame.keep(self._answer(), "stock: answers")
        self._frame.keep(self._show_changes(), "stock: changes")

    def _type(self, name: str, value: str) -> None:
        question = self._question
        if name == "words":
            question = Question(value.strip()[:_MAX_WORDS], question.warehouse)
        elif name == "warehouse":
            question = Question(question.words, value)
        if question != self._question:
            self._question = question
            self._pager = Pager()
            self._asked.set()

    def _turn(self, act: str) -> None:
        following = self._screen.rows and self._screen.rows.next_cursor
        if act == "next":
            self._pager.forward(following or None)
        elif act == "previous":
            self._pager.back()
        self._asked.set()

    async def _answer(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._ask_names()
            answered = await self._ask() and bool(self._warehouses)
            await asyncio.sleep(_TYPING_SECONDS if answered else _TRY_AGAIN_SECONDS)
            if not answered:
                self._asked.set()

    async def _ask_names(self) -> None:
        warehouses = (await self._frame.context.directory.names()).warehouses
        if warehouses != self._warehouses:
            self._warehouses = warehouses
            self._search.show(self._search_html())

    async def _ask(self) -> bool:
        question, cursor = self._question, self._pager.cursor
        self._frame.readdress({"words": question.words, "warehouse": question.warehouse})
        self._failure = ""
        try:
            rows, away = await self._grid.rows(question, cursor, self._cursors_of)
        except Unavailable:
            self._away = "ledger"
            self._panel.show(self._html())
            return False
        except Refused as error:
            self._failure = self._frame.said_of(error, "ledger")
            self._panel.show(self._html())
            return False
        if (question, cursor) != (self._question, self._pager.cursor):
            return True  # something else was asked meanwhile; its turn comes next
        if away != self._cursors_of:
            self._pager, self._cursors_of = Pager(), away
        self._pager.came()
        self._away = away
        if self._screen.answered(rows):
            self._asked.set()
        self._panel.show(self._html())
        return not self._away

    async def _show_changes(self) -> None:
        async for levels in self._subscription.changes():
            if levels is None:
                self._asked.set()
            else:
                self._patch(self._screen.changed(levels))

    def _patch(self, rows: Sequence[Row]) -> None:
        self._panel.patch(
            {row.anchor: self._frame.html("stock_one_row.html", row=row) for row in rows}
        )

    def _search_html(self) -> str:
        return self._frame.html(
            "stock_search.html",
            words=self._question.words,
            warehouse=self._question.warehouse,
            warehouses=self._warehouses,
        )

    def _html(self) -> str:
        return self._frame.html(
            "stock_grid.html",
            page=self._screen.rows,
            away=self._away,
            failure=self._failure,
            searching=bool(self._question.words or self._question.warehouse),
            number_of_page=self._pager.number,
        )
