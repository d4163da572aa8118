"""What a mistyped address gets: a page with a way back."""

from fastapi import Request
from nicegui import ui

from services.console.pages.context import Context
from services.console.pages.frame import Frame
from services.console.pages.live_panel import LivePanel


def register(context: Context) -> None:
    """Serve the page wherever no other one is; register it last."""

    @ui.page("/{_rest:path}")
    def not_found(request: Request) -> None:
        show_not_found(Frame(context, request, "not_found"))


def show_not_found(frame: Frame) -> None:
    """Fill a frame with the page."""
    ui.context.client.status_code = 404
    with frame.main:
        LivePanel(frame.html("not_found.html"))
