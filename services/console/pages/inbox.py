"""The demonstration's inbox: what the stand-in WeCom group and mailbox received."""

import asyncio

from fastapi import Request
from nicegui import ui

from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.upstream.answers import Message
from services.console.upstream.service import Refused
from services.console.upstream.standin import StandIn
from shared.errors import Unavailable

_ASK_SECONDS = 1.0


def register(context: Context) -> None:
    """Serve the page at `/inbox`, beside the demonstration only."""
    standin = context.standin
    if standin is None:
        return

    @ui.page("/inbox", reconnect_timeout=RECONNECT_SECONDS)
    def inbox(request: Request) -> None:
        page = InboxPage(Frame(context, request, "inbox"), standin)
        page.frame.keep(page.follow(), "inbox")


class InboxPage:
    """One viewer's look at the inbox."""

    def __init__(self, frame: Frame, standin: StandIn) -> None:
        self.frame = frame
        self._standin = standin
        self._messages: list[Message] | None = None
        words = frame.words
        frame.headline(words("inbox.title"), words("inbox.lead"))
        with frame.main:
            self._panel = LivePanel(self._html(away=False))

    async def follow(self) -> None:
        """Show what arrives."""
        while True:
            away = False
            try:
                self._messages = await self._standin.newest()
            except (Unavailable, Refused):
                away = True
            self._panel.show(self._html(away=away))
            await asyncio.sleep(_ASK_SECONDS)

    def _html(self, *, away: bool) -> str:
        return self.frame.html("inbox.html", messages=self._messages, away=away)
