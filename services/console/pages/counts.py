"""Counts (盘点): those that wait for somebody, stocktake by stocktake and one by one."""

import asyncio

from fastapi import Request
from nicegui import ui

from services.console.domain.board import Section
from services.console.pages.context import Context
from services.console.pages.count_doing import STEPS, CountDoing
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.pager import Pager
from services.console.pages.wanted import Wanted
from services.console.upstream.answered import answered
from services.console.upstream.answers import Page
from services.console.upstream.directory import Names
from services.console.upstream.stocktakes import Count, Stocktake

_ASK_SECONDS = 5.0
# Typing pauses longer than this are a reference; asking for every letter would only flicker.
_TYPING_SECONDS = 0.3
# What the ledger takes as a reference.
_MAX_REFERENCE = 512

STATES = ("waiting", "recount_requested")


def register(context: Context) -> None:
    """Serve the page at `/counts`; the address says which are looked at."""

    @ui.page("/counts", reconnect_timeout=RECONNECT_SECONDS)
    def counts(request: Request, reference: str = "", state: str = "") -> None:
        frame = Frame(context, request, "stock")
        frame.retitle(frame.words("counts.title"))
        page = CountsPage(frame, _cleaned(reference), state if state in STATES else STATES[0])
        frame.keep(page.follow(), "counts")


class CountsPage:
    """One viewer's look at the counts that wait."""

    def __init__(self, frame: Frame, reference: str, state: str) -> None:
        self.frame = frame
        self._upstream = frame.context.stocktakes
        self._reference = self._typed = reference
        self._state = state
        self._stocktakes: Section[Page[Stocktake]] = Section()
        self._counts: Section[Page[Count]] = Section()
        self._pager = Pager()
        self._names = Names()
        self._people: dict[str, str] = {}
        self._wanted = Wanted()
        self._doing = CountDoing(frame, self._show, self._ask, self._stocktake_of, self._count_of)
        words = frame.words
        frame.headline(words("counts.title"), words("counts.lead"))
        with frame.main:
            self._search = LivePanel(self._search_html())
            self._panel = LivePanel(self._html())
        self._search.on_field(self._seek)
        self._panel.on_act(self._act)

    async def follow(self) -> None:
        """Ask every five seconds while the page is open, and at once for something else."""
        while True:
            self._wanted.clear()
            await self._ask()
            await self._wanted.within(_ASK_SECONDS)

    async def _ask(self) -> None:
        sought = (self._reference, self._state, self._pager.cursor)
        reference, state, cursor = sought
        stocktakes = await answered(self._stocktakes, self._upstream.waiting(reference))
        counts = await answered(self._counts, self._upstream.counts(state, reference, cursor))
        self._names = await self.frame.context.directory.names()
        if not self._people:
            self._people = await self.frame.context.people.names()
        if sought == (self._reference, self._state, self._pager.cursor):
            self._stocktakes, self._counts = stocktakes, counts
            if not counts.away:
                self._pager.came()
        self._show()

    async def _seek(self, name: str, value: str) -> None:
        if name == "reference":
            self._typed = value = _cleaned(value)
            await asyncio.sleep(_TYPING_SECONDS)
            if value != self._typed:  # more was typed meanwhile
                return
        sought = (self._typed, value if name == "state" and value in STATES else self._state)
        if sought == (self._reference, self._state):
            return
        self._reference, self._state = sought
        self._pager, self._stocktakes, self._counts = Pager(), Section(), Section()
        state = "" if self._state == STATES[0] else self._state
        self.frame.readdress({"reference": self._reference, "state": state})
        self._show()
        self._wanted.set()

    async def _act(self, act: str) -> None:
        page = self._counts.value
        if self._pager.turn(act, page.next_cursor if page else None):
            self._wanted.set()
            return
        focus = await self._doing.act(act)
        self._show()
        if focus:
            self._panel.point(focus)

    def _stocktake_of(self, key: str) -> Stocktake | None:
        page = self._stocktakes.value
        return next((one for one in page.items if key_of(one) == key), None) if page else None

    def _count_of(self, number: str) -> Count | None:
        page = self._counts.value
        return next((one for one in page.items if str(one.id) == number), None) if page else None

    def _show(self) -> None:
        self._search.show(self._search_html())
        self._panel.show(self._html())

    def _search_html(self) -> str:
        return self.frame.html(
            "counts_search.html", reference=self._reference, state=self._state, states=STATES
        )

    def _html(self) -> str:
        return self.frame.html(
            "counts.html",
            stocktakes=self._stocktakes,
            counts=self._counts,
            state=self._state,
            number_of_page=self._pager.number,
            doing=self._doing,
            steps=STEPS,
            key_of=key_of,
            names=self._names,
            people=self._people,
        )


def key_of(stocktake: Stocktake) -> str:
    """Return what tells a stocktake from the others; codes have no bar in them."""
    return f"{stocktake.state}|{stocktake.warehouse}|{stocktake.reference}"


def _cleaned(reference: str) -> str:
    return reference.replace("\x00", "").strip()[:_MAX_REFERENCE]
