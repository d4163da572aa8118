"""Who the viewer is: said once in a session, and noted with what they do from then on."""

import asyncio

from fastapi import Request
from nicegui import ui

from services.console.domain.board import Section
from services.console.domain.sign_in import own_path
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.upstream.answered import answered
from services.console.upstream.people import Person

_TRY_AGAIN_SECONDS = 3.0


def register(context: Context) -> None:
    """Serve the page at `/me`; `back` is where to go on afterwards."""

    @ui.page("/me", reconnect_timeout=RECONNECT_SECONDS)
    def me(request: Request, back: str = "/") -> None:
        page = MePage(Frame(context, request, "me.title"), back)
        page.frame.keep(page.answer(), "me")


class MePage:
    """One viewer's choice among people."""

    def __init__(self, frame: Frame, back: str) -> None:
        self.frame = frame
        self._back = back
        self._people: Section[list[Person]] = Section()
        words, myself = frame.words, frame.myself
        title, lead = words("me.title"), words("me.lead")
        if myself is not None:
            title, lead = words("me.is", name=myself.name), words("me.is.hint")
        frame.headline(title, lead)
        with frame.main:
            self._panel = LivePanel(self._html(), classes="" if myself else "panel")

    async def answer(self) -> None:
        """Ask who there is until there is an answer."""
        while self.frame.myself is None:
            self._people = await answered(self._people, self.frame.context.people.all())
            self._panel.show(self._html())
            if not self._people.away:
                return
            await asyncio.sleep(_TRY_AGAIN_SECONDS)

    def _html(self) -> str:
        return self.frame.html(
            "me.html", section=self._people, myself=self.frame.myself, back=own_path(self._back)
        )
