"""All alerts: the list that messages link to, with what nobody was told of."""

import asyncio
from dataclasses import replace

from fastapi import Request
from nicegui import ui

from services.console.domain.board import Section
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.pager import Pager
from services.console.pages.wanted import Wanted
from services.console.upstream.alerting import Sought
from services.console.upstream.answers import Alert, Page
from services.console.upstream.directory import Names
from services.console.upstream.service import Refused
from shared.errors import Unavailable
from shared.events.stock_alerts import SEVERITY, AlertLevel

_ASK_SECONDS = 5.0
# Typing pauses longer than this are a code; asking for every letter would only flicker.
_TYPING_SECONDS = 0.3
# What alerting takes as a code.
_MAX_CODE = 128

STATES = ("open", "resolved", "all")
LEVELS = tuple(sorted(AlertLevel, key=lambda level: SEVERITY[level], reverse=True))
_CHOICES = ("state", "owner", "warehouse", "rule")


def register(context: Context) -> None:
    """Serve the page at `/alerts`; the address says which are looked at."""

    @ui.page("/alerts", reconnect_timeout=RECONNECT_SECONDS)
    def alerts(
        request: Request,
        *,
        state: str = "open",
        level: str = "",
        owner: str = "",
        warehouse: str = "",
        rule: str = "",
        sku: str = "",
    ) -> None:
        sought = Sought(
            state=state if state in STATES else "open",
            level=level if level in set(AlertLevel) else "",
            owner=owner[:_MAX_CODE],
            warehouse=warehouse[:_MAX_CODE],
            rule=rule[:_MAX_CODE],
            sku=sku.strip()[:_MAX_CODE],
        )
        frame = Frame(context, request, "now")
        frame.retitle(frame.words("alerts.title"))
        frame.keep(AlertsPage(frame, sought).follow(), "alerts")


class AlertsPage:
    """One viewer's look at a part of the alerts."""

    def __init__(self, frame: Frame, sought: Sought) -> None:
        self.frame = frame
        self._alerting = frame.context.alerting
        self._sought = sought
        self._typed = sought.sku
        self._pager = Pager()
        self._page: Section[Page[Alert]] = Section()
        self._failure = ""
        self._names = Names()
        self._people: dict[str, str] = {}
        self._rules: dict[str, str] = {}
        self._wanted = Wanted()
        words = frame.words
        frame.headline(words("alerts.title"), words("alerts.lead"))
        with frame.main:
            self._filters = LivePanel(self._filters_html())
            self._list = LivePanel(self._list_html(), tag="section", classes="panel")
        self._filters.on_act(self._choose)
        self._filters.on_field(self._type)
        self._list.on_act(self._act)

    async def follow(self) -> None:
        """Ask every five seconds while the page is open, and at once for something else."""
        while True:
            self._wanted.clear()
            await self._ask()
            await self._ask_names()
            await self._wanted.within(_ASK_SECONDS)

    async def _ask(self) -> None:
        sought, cursor = self._sought, self._pager.cursor
        failure = ""
        try:
            page = Section(await self._alerting.found(sought, cursor=cursor))
        except Unavailable:
            page = self._page.without_answer()
        except Refused as error:
            page = Section(Page[Alert](items=[]))
            failure = self.frame.said_of(error, "alerting")
        if (sought, cursor) != (self._sought, self._pager.cursor):
            return
        self._page, self._failure = page, failure
        if not page.away:
            self._pager.came()
        self._show()

    async def _ask_names(self) -> None:
        self._names = await self.frame.context.directory.names()
        if not self._people:
            self._people = await self.frame.context.people.names()
        if not self._rules:
            self._rules = await self.frame.rule_names()
        self._show()

    def _choose(self, act: str) -> None:
        if act == "mine":
            mine = self.frame.acting_for or ""
            self._seek(replace(self._sought, owner="" if self._sought.owner == mine else mine))
        else:
            level = act if act in set(AlertLevel) and act != self._sought.level else ""
            self._seek(replace(self._sought, level=level))

    async def _type(self, name: str, value: str) -> None:
        if name == "sku":
            self._typed = value = value.strip()[:_MAX_CODE]
            await asyncio.sleep(_TYPING_SECONDS)
            if value == self._typed:  # nothing more was typed meanwhile
                self._seek(replace(self._sought, sku=value))
        elif name in _CHOICES:
            self._seek(replace(self._sought, **{name: value, "sku": self._typed}))

    def _seek(self, sought: Sought) -> None:
        if sought == self._sought:
            return
        self._sought, self._pager, self._page = sought, Pager(), Section()
        self._typed, self._failure = sought.sku, ""
        self.frame.readdress(sought.parameters)
        self._show()
        self._wanted.set()

    def _act(self, act: str) -> None:
        page = self._page.value
        if act == "clear":
            self._seek(Sought())
        elif self._pager.turn(act, page.next_cursor if page else None):
            self._wanted.set()

    def _show(self) -> None:
        self._filters.show(self._filters_html())
        self._list.show(self._list_html())

    def _filters_html(self) -> str:
        return self.frame.html(
            "alerts_filters.html",
            sought=self._sought,
            levels=LEVELS,
            states=STATES,
            myself=self.frame.acting_for,
            people=self._people,
            warehouses=self._names.warehouses,
            rules=self._rules,
        )

    def _list_html(self) -> str:
        return self.frame.html(
            "alerts_list.html",
            section=self._page,
            sought=self._sought,
            filtered=self._sought != Sought(),
            failure=self._failure,
            number_of_page=self._pager.number,
            names=self._names,
            people=self._people,
        )
