"""Now (看板): what is low, what is out, and how current that is."""

from fastapi import Request
from nicegui import ui

from services.console.domain.board import Board
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from shared.events.stock_alerts import AlertLevel

# A screenful, of all levels or of the one that was chosen.
_SHOWN = 20


def register(context: Context) -> None:
    """Serve the page at `/`."""

    @ui.page("/", reconnect_timeout=RECONNECT_SECONDS)
    def now(request: Request) -> None:
        page = NowPage(Frame(context, request, "now"))
        page.frame.keep(page.follow(), "now")


class NowPage:
    """One viewer's board, filtered by the level they picked."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self._board = frame.context.live.board.value
        self._chosen = ""
        words = frame.words
        frame.headline(words("now.title"), words("now.lead"))
        with frame.main:
            self._tiles = LivePanel(self._tiles_html())
            with ui.element("div").classes("columns"):
                self._alerts = LivePanel(self._alerts_html(), tag="section", classes="panel")
                with ui.element("div").classes("side"):
                    self._out = LivePanel(
                        self._html("now_out.html"), tag="section", classes="panel"
                    )
                    self._current = LivePanel(
                        self._html("now_current.html"), tag="section", classes="panel"
                    )
        self._tiles.on_act(self._choose)
        self._alerts.on_act(self._choose)

    async def follow(self) -> None:
        """Show every new board."""
        async for board in self.frame.context.live.board.values():
            self._show(board)

    def _show(self, board: Board) -> None:
        self._board = board
        self._tiles.show(self._tiles_html())
        self._alerts.show(self._alerts_html())
        self._out.show(self._html("now_out.html"))
        self._current.show(self._html("now_current.html"))

    def _choose(self, act: str) -> None:
        self._chosen = act if act in set(AlertLevel) and act != self._chosen else ""
        self._show(self._board)

    def _html(self, template: str) -> str:
        return self.frame.html(template, board=self._board)

    def _tiles_html(self) -> str:
        return self.frame.html("now_tiles.html", board=self._board, chosen=self._chosen)

    def _alerts_html(self) -> str:
        shown = self._board.pressing_of(self._chosen)[:_SHOWN]
        return self.frame.html(
            "now_alerts.html",
            board=self._board,
            chosen=self._chosen,
            shown=shown,
            more=max(self._board.open_of(self._chosen) - len(shown), 0),
        )
