"""Products whose class or supplier nobody has said: rules and responsibilities pass them over."""

from fastapi import Request
from nicegui import ui

from services.console.domain.board import Section
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.pager import Pager
from services.console.pages.wanted import Wanted
from services.console.upstream.answered import answered
from services.console.upstream.answers import Page
from services.console.upstream.directory import Names
from services.console.upstream.people import UnknownOfSku

_ASK_SECONDS = 15.0

KINDS = ("stock_class", "supplier")


def register(context: Context) -> None:
    """Serve the page at `/people/unknown`; `of` says what is not known."""

    @ui.page("/people/unknown", reconnect_timeout=RECONNECT_SECONDS)
    def unknown(request: Request, of: str = "") -> None:
        page = UnknownPage(Frame(context, request, "people"), of if of in KINDS else KINDS[0])
        page.frame.keep(page.follow(), "unknown")


class UnknownPage:
    """One viewer's look at the products that lack something."""

    def __init__(self, frame: Frame, of: str) -> None:
        self.frame = frame
        self._of = of
        self._page: Section[Page[UnknownOfSku]] = Section()
        self._pager = Pager()
        self._names = Names()
        self._wanted = Wanted()
        title = frame.words(f"unknown.title.{of}")
        frame.retitle(title)
        frame.headline(title, frame.words(f"unknown.lead.{of}"))
        with frame.main:
            self._panel = LivePanel(self._html(), tag="section", classes="panel")
        self._panel.on_act(self._turn)

    async def follow(self) -> None:
        """Ask every quarter of a minute while the page is open, and at once for another part."""
        while True:
            self._wanted.clear()
            cursor = self._pager.cursor
            self._names = await self.frame.context.directory.names()
            page = await answered(self._page, self.frame.context.people.unknown(self._of, cursor))
            if cursor == self._pager.cursor:
                self._page = page
                if not page.away:
                    self._pager.came()
            self._panel.show(self._html())
            await self._wanted.within(_ASK_SECONDS)

    def _turn(self, act: str) -> None:
        page = self._page.value
        if self._pager.turn(act, page.next_cursor if page else None):
            self._wanted.set()

    def _html(self) -> str:
        return self.frame.html(
            "unknown.html",
            section=self._page,
            number_of_page=self._pager.number,
            names=self._names,
        )
