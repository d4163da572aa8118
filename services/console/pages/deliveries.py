"""Notices (通知): what became of each, and how the destinations are."""

import asyncio
import re
from dataclasses import dataclass, replace
from uuid import UUID

from fastapi import Request
from nicegui import ui

from services.console.domain.board import Section
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.mailbox import Mailbox
from services.console.pages.pager import Pager
from services.console.pages.replaying import Replaying
from services.console.pages.tested import Tests
from services.console.pages.wanted import Wanted
from services.console.upstream.answered import answered
from services.console.upstream.answers import Page
from services.console.upstream.delivery_answers import (
    CountedDelivery,
    DeliverySummary,
    Destination,
    Route,
)
from services.console.upstream.health import Health, health_of
from services.console.upstream.notifier import Notifier, Sought
from services.console.upstream.service import Refused
from shared.errors import Unavailable

_MARKS = re.compile(r"</?font\b[^>]*>|\*\*")
"""What colours a group's message, or makes it bold."""

_ASK_SECONDS = 2.0
# A first look at a page reads what each of its notices said; not all at once.
_READ_AT_ONCE = 6

STATES = ("waiting", "sending", "sent", "failed", "dead", "merged", "suppressed", "superseded")


def register(context: Context) -> None:
    """Serve the page at `/deliveries`."""

    @ui.page("/deliveries", reconnect_timeout=RECONNECT_SECONDS)
    def deliveries(request: Request, state: str = "", destination: str = "") -> None:
        sought = Sought(state=state if state in STATES else "", destination=destination)
        page = DeliveriesPage(Frame(context, request, "deliveries"), sought)
        page.frame.keep(page.follow(), "deliveries")


@dataclass(frozen=True, slots=True)
class Place:
    """A destination with its routes and how it is."""

    destination: Destination
    routes: tuple[Route, ...]
    health: Health

    @property
    def gets_nothing(self) -> bool:
        """Whether it has routes, and all of them are off."""
        return bool(self.routes) and not any(route.enabled for route in self.routes)


async def places(notifier: Notifier) -> list[Place]:
    """Return all destinations. Raises Unavailable or Refused."""
    destinations = await notifier.destinations()
    routes = await notifier.routes()
    found = []
    for one in destinations:
        own = tuple(route for route in routes if route.destination == one.id)
        found.append(Place(one, own, await health_of(notifier, one)))
    return found


class DeliveriesPage:
    """One viewer's look at a part of the notices."""

    def __init__(self, frame: Frame, sought: Sought) -> None:
        self.frame = frame
        self._notifier = frame.context.notifier
        self._sought = sought
        self._pager = Pager()
        self._summary: Section[DeliverySummary] = Section()
        self._page: Section[Page[CountedDelivery]] = Section()
        self._places: Section[list[Place]] = Section()
        self._headlines: dict[tuple[UUID, int], str] = {}
        self._wanted = Wanted()
        self._failure = ""
        self._retrying = ""
        self._replaying = Replaying(frame, self._notifier, self._show_list)
        self._replaying.look_at(sought)
        self._tests = Tests(frame, self._notifier, self._kind_of, self._show)
        self._mailbox = Mailbox(frame, frame.context.orders, self._show)
        words = frame.words
        frame.headline(words("deliveries.title"), words("deliveries.lead"))
        with frame.main:
            self._filters = LivePanel(self._filters_html())
            with ui.element("div").classes("columns"):
                self._list = LivePanel(self._list_html(), tag="section", classes="panel")
                self._side = LivePanel(self._side_html(), tag="section", classes="panel")
        self._filters.on_act(self._choose)
        self._filters.on_field(self._choose_destination)
        self._list.on_act(self._act)
        self._side.on_act(self._act_on_destination)

    async def _act_on_destination(self, act: str) -> None:
        # Each knows its own acts.
        await self._tests.act(act)
        await self._mailbox.act(act)

    async def follow(self) -> None:
        """Ask every two seconds while the page is open, and at once for something else."""
        while True:
            self._wanted.clear()
            await self._ask()
            await self._wanted.within(_ASK_SECONDS)

    async def _ask(self) -> None:
        sought, cursor = self._sought, self._pager.cursor
        self._summary = await answered(self._summary, self._notifier.summary())
        page = await answered(self._page, self._notifier.deliveries(sought, cursor=cursor))
        if (sought, cursor) != (self._sought, self._pager.cursor):
            return
        self._page = page
        if not page.away and page.value is not None:
            self._pager.came()
            await self._read(page.value.items)
        self._show()
        self._places = await answered(self._places, places(self._notifier))
        self._show()
        if any(place.destination.kind == "email" for place in self._places.value or ()):
            await self._mailbox.ask()
            self._side.show(self._side_html())

    async def _read(self, deliveries: list[CountedDelivery]) -> None:
        """Learn the first line of what each said; what was sent never changes."""
        at_once = asyncio.Semaphore(_READ_AT_ONCE)
        on_page = {(one.id, one.attempts) for one in deliveries if one.attempts}
        self._headlines = {key: self._headlines[key] for key in on_page if key in self._headlines}
        async with asyncio.TaskGroup() as group:
            for key in on_page - self._headlines.keys():
                group.create_task(self._read_one(key, at_once))

    async def _read_one(self, key: tuple[UUID, int], at_once: asyncio.Semaphore) -> None:
        async with at_once:
            try:
                found = await self._notifier.delivery(key[0])
            except (Unavailable, Refused):
                return
        if found is not None and found.attempts:
            self._headlines[key] = headline(found.attempts[-1].rendered)

    def _kind_of(self, destination: str) -> str:
        places = self._places.value or ()
        return next(
            (one.destination.kind for one in places if one.destination.id == destination), ""
        )

    def _choose(self, state: str) -> None:
        chosen = state if state in STATES and state != self._sought.state else ""
        self._seek(replace(self._sought, state=chosen))

    def _choose_destination(self, name: str, value: str) -> None:
        if name == "destination" and value != self._sought.destination:
            self._seek(replace(self._sought, destination=value))

    def _seek(self, sought: Sought) -> None:
        self._sought, self._pager, self._page = sought, Pager(), Section()
        self._failure = ""
        self._replaying.look_at(sought)
        self.frame.readdress({"state": sought.state, "destination": sought.destination})
        self._show()
        self._wanted.set()

    async def _act(self, act: str) -> None:
        page = self._page.value
        self._pager.turn(act, page.next_cursor if page else None)
        if act.startswith("retry:"):
            await self._retry(act.removeprefix("retry:"))
        elif act.startswith("replay"):
            await self._replaying.act(act)
        self._wanted.set()

    async def _retry(self, delivery_id: str) -> None:
        if self._retrying or not self.frame.may_act():
            return
        self._retrying, self._failure = delivery_id, ""
        self._show()
        try:
            await self._notifier.retry(UUID(delivery_id))
        except (Refused, Unavailable) as error:
            self._failure = self.frame.said_of(error, "notifier")
        self._retrying = ""

    def _show(self) -> None:
        self._filters.show(self._filters_html())
        self._show_list()
        self._side.show(self._side_html())

    def _show_list(self) -> None:
        self._list.show(self._list_html())

    def _filters_html(self) -> str:
        places = self._places.value or []
        return self.frame.html(
            "deliveries_filters.html",
            summary=self._summary,
            sought=self._sought,
            states=STATES,
            destinations=[place.destination for place in places],
        )

    def _list_html(self) -> str:
        places = self._places.value or []
        return self.frame.html(
            "deliveries_list.html",
            section=self._page,
            sought=self._sought,
            number_of_page=self._pager.number,
            headlines=self._headlines,
            places={place.destination.id: place.destination for place in places},
            retrying=self._retrying,
            failure=self._failure,
            replaying=self._replaying,
            now=self.frame.context.clock.now(),
        )

    def _side_html(self) -> str:
        return self.frame.html(
            "destinations.html", section=self._places, tests=self._tests, mailbox=self._mailbox
        )


def headline(said: str) -> str:
    """Return the first line of a message, without its marks."""
    lines = (_MARKS.sub("", line).lstrip(" #>").rstrip() for line in said.splitlines())
    return next((line for line in lines if line), "")
