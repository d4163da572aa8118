"""What is around every page: header, language, theme, and the page's own work while it is open."""

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from contextlib import suppress
from typing import cast
from urllib.parse import urlencode

from fastapi import Request
from nicegui import background_tasks, ui

from services.console.domain.board import Section
from services.console.domain.language import Language
from services.console.domain.sign_in import Session
from services.console.domain.texts import Words
from services.console.pages import render
from services.console.pages.context import Context
from services.console.pages.live_panel import LivePanel
from services.console.pages.viewer import address_of, language_of
from services.console.upstream.answered import answered
from services.console.upstream.service import Refused
from shared.errors import Unavailable

PLACES = ("stock", "orders", "deliveries", "review", "rules", "people")
"""Pages in the bar after Now, by name and path."""

# For so long a page waits for a connection that broke: to load it anew drops what is being typed.
# One that was closed costs as much longer, for nobody can tell the two apart.
RECONNECT_SECONDS = 60.0
# What sends a viewer to sign in is on its way at once; a page that is still there then is cut off.
_LEAVE_SECONDS = 2.0


class Frame:
    """One open page of one viewer: the head of it, and what keeps it current."""

    def __init__(self, context: Context, request: Request, current: str, title: str = "") -> None:
        self.context = context
        self.language = language_of(request)
        self.words = Words(self.language)
        self._client = ui.context.client
        self.session = cast("Session", request.state.session)
        self.myself = self.session.myself
        ui.page_title(f"{title or self.words(current)} · {self.words('brand')}")
        ui.add_head_html(_head(self.language, context.assets))
        self._current = current
        self.address = address_of(request.scope)
        """Where the viewer is: path and query."""
        self._header = LivePanel(self._header_html(), tag="header")
        # The library's own page element is the `main` landmark around all of this.
        self.main = ui.element("div").props("id=main tabindex=-1").classes("page")
        context.live.presence.enter()
        self._client.on_delete(context.live.presence.leave)
        self.keep(self._end_with_session(), "session")

    def html(self, template: str, **values: object) -> str:
        """Return a template in the viewer's language; `here` in it is the page's address."""
        return render.html(self.language, template, here=self.address, **values)

    def headline(self, title: str, lead: str) -> None:
        """Begin the page with what it is and what for."""
        with self.main:
            LivePanel(self.html("title.html", title=title, lead=lead), classes="title")

    async def rule_names(self) -> dict[str, str]:
        """Return what rules are called, by id; none while alerting is away."""
        rules = await answered(Section(), self.context.rules.all())
        return {one.id: self.words.named(one.name) for one in rules.value or ()}

    def retitle(self, title: str) -> None:
        """Name the page by what turned out to be on it."""
        with self._client:
            ui.page_title(f"{title} · {self.words('brand')}")

    def readdress(self, asked: Mapping[str, str]) -> None:
        """Put what is looked at into the address, for a reload, for links and for coming back.

        What is asked for with an empty text is what is shown anyway, and left out.
        """
        path = self.address.partition("?")[0]
        given = urlencode({name: value for name, value in asked.items() if value})
        address = f"{path}?{given}" if given else path
        if address == self.address:
            return
        self.address = address
        self._header.show(self._header_html())
        with self._client:
            ui.navigate.history.replace(address)

    def keep(self, work: Coroutine[None, None, None], name: str) -> None:
        """Run a page's work until it ends or the page is closed."""
        task = background_tasks.create(work, name=name)
        self._client.on_delete(lambda: task.cancel() and None)

    def may_act(self) -> bool:
        """Return whether the viewer is still signed in; sends them to sign in when not."""
        ended = self.context.endings.has(self.session)
        if self.session.is_alive(self.context.clock.now()) and not ended:
            return True
        self._send_to_sign_in()
        return False

    @property
    def acting_for(self) -> str | None:
        """Who does what is done on this page: the viewer, where they have said who they are."""
        return None if self.myself is None else self.myself.id

    def said_of(self, error: Refused | Unavailable, service: str) -> str:
        """Return why something did not work, for the viewer."""
        if isinstance(error, Refused):
            return self.words.get(f"refused.{error.code}", error.detail)
        return self.words("away", service=self.words(f"service.{service}"))

    def wrong_in(self, error: Refused, fields: Collection[str]) -> dict[str, str]:
        """Return what is wrong with which of a form's fields, for the viewer."""
        wrong = [one for one in error.errors if one.field in fields]
        return {
            one.field: self.words.get(f"wrong.{one.code}", self.words("form.wrong"))
            for one in wrong
        }

    async def _end_with_session(self) -> None:
        left = (self.session.ends_at - self.context.clock.now()).total_seconds()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(left, 0.0)):
                await self.context.endings.of(self.session)
        self._send_to_sign_in()
        await asyncio.sleep(_LEAVE_SECONDS)
        while not self._client.has_socket_connection:  # noqa: ASYNC110 - nothing tells of it
            # It has left, and is deleted in a while, and this task with it; unless it comes back.
            await asyncio.sleep(_LEAVE_SECONDS)
        self._client.delete()

    def _send_to_sign_in(self) -> None:
        with self._client:
            # Which sends them on to sign in, and back afterwards.
            ui.navigate.to(self.address)

    def _header_html(self) -> str:
        return self.html(
            "header.html", current=self._current, places=self._places(), myself=self.myself
        )

    def _places(self) -> list[tuple[str, str]]:
        places = [(name, f"/{name}") for name in PLACES]
        places = [("now", "/"), *places]
        return [*places, ("inbox", "/inbox")] if self.context.standin else places


def _head(language: Language, assets: str) -> str:
    return (
        f"<script>document.documentElement.lang={language.value!r}</script>"
        f'<script src="/static/console.js?{assets}"></script>'
        f'<link rel="stylesheet" href="/static/console.css?{assets}">'
        f'<link rel="stylesheet" href="/static/forms.css?{assets}">'
        '<meta name="referrer" content="same-origin">'
    )
