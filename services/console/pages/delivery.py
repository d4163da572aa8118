"""One notice: what it said, what was tried, and why it is where it is."""

from uuid import UUID

from fastapi import Request
from nicegui import ui

from services.console.domain.board import Section
from services.console.domain.trouble import trouble
from services.console.pages.context import Context
from services.console.pages.deliveries import headline
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.not_found import show_not_found
from services.console.pages.wanted import Wanted
from services.console.upstream.answered import answered
from services.console.upstream.delivery_answers import DeliveryWithAttempts, Destination
from services.console.upstream.service import Refused
from shared.errors import Unavailable

_ASK_SECONDS = 2.0


def register(context: Context) -> None:
    """Serve the page at `/deliveries/{id}`."""

    @ui.page("/deliveries/{delivery_id}", reconnect_timeout=RECONNECT_SECONDS)
    def delivery(request: Request, delivery_id: str) -> None:
        frame = Frame(context, request, "deliveries")
        try:
            known = UUID(delivery_id)
        except ValueError:
            show_not_found(frame)
            return
        frame.keep(DeliveryPage(frame, known).follow(), "delivery")


class DeliveryPage:
    """One viewer's look at a notice."""

    def __init__(self, frame: Frame, delivery_id: UUID) -> None:
        self._frame = frame
        self._notifier = frame.context.notifier
        self._id = delivery_id
        self._asked = False
        self._delivery: Section[DeliveryWithAttempts | None] = Section()
        self._destinations: Section[list[Destination]] = Section()
        self._wanted = Wanted()
        self._retrying = False
        self._failure = ""
        with frame.main:
            self._panel = LivePanel(self._html())
        self._panel.on_act(self._act)

    async def follow(self) -> None:
        """Ask every two seconds while the page is open."""
        while True:
            self._wanted.clear()
            self._destinations = await answered(self._destinations, self._notifier.destinations())
            self._delivery = await answered(self._delivery, self._notifier.delivery(self._id))
            self._asked = True
            self._panel.show(self._html())
            await self._wanted.within(_ASK_SECONDS)

    async def _act(self, act: str) -> None:
        if act != "retry" or self._retrying or not self._frame.may_act():
            return
        self._retrying, self._failure = True, ""
        self._panel.show(self._html())
        try:
            await self._notifier.retry(self._id)
        except (Refused, Unavailable) as error:
            self._failure = self._frame.said_of(error, "notifier")
        self._retrying = False
        self._wanted.set()

    def _html(self) -> str:
        delivery = self._delivery.value
        wanted = delivery and delivery.destination
        places = self._destinations.value or ()
        place = next((one for one in places if one.id == wanted), None)
        attempts = delivery.attempts if delivery else []
        said = attempts[-1].rendered if attempts else ""
        kind = place.kind if place else ""
        return self._frame.html(
            "delivery.html",
            section=self._delivery,
            asked=self._asked,
            place=place,
            said=said,
            headline=headline(said),
            markup="markdown" if kind.endswith(("_bot", "_app")) else "text",
            troubles={one.number: trouble(kind, one.code) for one in attempts},
            retrying=self._retrying,
            failure=self._failure,
            now=self._frame.context.clock.now(),
        )
