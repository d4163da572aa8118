"""A level: its quantities as they change, its open alerts, and its statement."""

import asyncio

from fastapi import Request
from nicegui import ui

from services.console.domain.board import Section, most_urgent_first
from services.console.domain.feed import of_episodes, of_level
from services.console.domain.texts import CATALOGUE
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.upstream.answered import answered
from services.console.upstream.answers import Alert, Level, Sku, StatementLine
from services.console.upstream.directory import Names
from services.console.upstream.overview import episode
from services.console.upstream.service import Refused
from shared.errors import Unavailable
from shared.events.stock_levels import StockLevel
from shared.http.segments import unescaped

# A service that was away is asked again this often while somebody waits for it.
_TRY_AGAIN_SECONDS = 3.0
# A screenful, and as many more whenever earlier movements are wanted; more than the ledger answers
# at once would be of two moments, and their balances would not fit together.
_LINES = 50
_MOST_LINES = 500
# Many lines are not asked for more often than this.
_LONG_STATEMENT_SECONDS = 0.5
_TYPES = {key.removeprefix("type.") for key in CATALOGUE if key.startswith("type.")}


def register(context: Context) -> None:
    """Serve the page; both codes may contain an escaped slash."""

    @ui.page("/stock/{sku}/{warehouse}", reconnect_timeout=RECONNECT_SECONDS)
    def level(request: Request, sku: str, warehouse: str) -> None:
        frame = Frame(context, request, "stock")
        # The application whose dependency does it is not the one that NiceGUI's pages are of.
        LevelPage(frame, unescaped(sku), unescaped(warehouse)).follow()


class LevelPage:
    """One viewer's look at a level."""

    def __init__(self, frame: Frame, sku: str, warehouse: str) -> None:
        self._frame = frame
        self._sku = sku
        self._warehouse = warehouse
        self._level: Level | None = None
        self._level_asked = False
        self._lines: list[StatementLine] | None = None
        self._wanted_lines = _LINES
        self._more = False
        """Whether there are lines before those."""
        self._open: Section[list[Alert]] = Section()
        self._names = Names()
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._subscription = frame.context.live.feed.subscribe()
        self._subscription.watch([of_level(sku, warehouse), of_episodes(sku, warehouse)])
        ui.context.client.on_delete(self._subscription.close)
        with frame.main:
            self._head = LivePanel(self._head_html(None), classes="title")
            self._quantities = LivePanel(
                self._quantities_html(away=False), tag="section", classes="panel"
            )
            self._alerts = LivePanel("")
            self._statement = LivePanel(
                self._statement_html(away=False), tag="section", classes="panel"
            )
        self._statement.on_act(self._extend)

    def follow(self) -> None:
        """Ask for everything, then show changes while the page is open."""
        self._frame.keep(self._name(), "level: name")
        self._frame.keep(self._answer(), "level: answers")
        self._frame.keep(self._show_changes(), "level: changes")

    async def _name(self) -> None:
        sku: Section[Sku | None] = Section()
        while True:
            names = await self._frame.context.directory.names()
            if names != self._names:
                self._names = names
                self._wanted.set()
            sku = await answered(sku, self._frame.context.ingest.sku(self._sku))
            self._head.show(self._head_html(sku.value))
            label = (sku.value and sku.value.name) or self._sku
            self._frame.retitle(f"{label} · {self._names.warehouse(self._warehouse)}")
            if not sku.away and self._names.warehouses:
                return
            await asyncio.sleep(_TRY_AGAIN_SECONDS)

    async def _answer(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            complete = await self._ask_level()
            complete = await self._ask_statement() and complete
            complete = await self._ask_alerts() and complete
            if self._wanted_lines > _LINES:
                await asyncio.sleep(_LONG_STATEMENT_SECONDS)
            if not complete:
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
                self._wanted.set()

    async def _show_changes(self) -> None:
        async for levels in self._subscription.changes():
            for level in levels or ():
                self._take(level)
            self._wanted.set()

    def _take(self, level: StockLevel) -> None:
        """Show the quantities at once; the statement follows when the ledger has answered."""
        if self._level is None or self._level.version < level.version:
            self._level = Level.model_validate(level.model_dump())
            self._quantities.show(self._quantities_html(away=False))

    async def _ask_level(self) -> bool:
        try:
            level = await self._frame.context.ledger.level(self._sku, self._warehouse)
        except (Unavailable, Refused):
            self._quantities.show(self._quantities_html(away=True))
            return False
        self._level_asked = True
        # While the question was under way, something newer may have come the other way.
        if level is not None and (self._level is None or self._level.version <= level.version):
            self._level = level
        self._quantities.show(self._quantities_html(away=False))
        return True

    async def _ask_statement(self) -> bool:
        ledger = self._frame.context.ledger
        try:
            page = await ledger.statement(self._sku, self._warehouse, self._wanted_lines)
        except (Unavailable, Refused):
            self._statement.show(self._statement_html(away=True))
            return False
        self._lines, self._more = page.items, page.next_cursor is not None
        self._statement.show(self._statement_html(away=False))
        return True

    def _extend(self, _: str) -> None:
        """Have more lines, all asked for anew: what came late has changed those on screen."""
        shown = len(self._lines or ())
        self._wanted_lines = min(shown + _LINES, _MOST_LINES)
        self._wanted.set()

    async def _ask_alerts(self) -> bool:
        alerting = self._frame.context.alerting
        self._open = await answered(self._open, alerting.of_level(self._sku, self._warehouse))
        self._names = await self._frame.context.directory.names()
        found = [episode(alert, self._names) for alert in self._open.value or ()]
        away = self._open.away
        episodes = most_urgent_first(found)
        self._alerts.show(self._frame.html("level_alerts.html", episodes=episodes, away=away))
        return not away

    def _head_html(self, sku: Sku | None) -> str:
        return self._frame.html(
            "level_head.html",
            sku=self._sku,
            name=sku and sku.name,
            brand=sku and sku.brand,
            category=sku and sku.category,
            warehouse_name=self._names.warehouse(self._warehouse),
        )

    def _quantities_html(self, *, away: bool) -> str:
        return self._frame.html(
            "level_quantities.html",
            asked=self._level_asked or self._level is not None or away,
            level=self._level,
            away=away,
            sku=self._sku,
            warehouse_name=self._names.warehouse(self._warehouse),
        )

    def _statement_html(self, *, away: bool) -> str:
        return self._frame.html(
            "level_statement.html",
            lines=self._lines,
            more=self._more and len(self._lines or ()) < _MOST_LINES,
            most=_MOST_LINES if self._more else 0,
            names=self._names,
            types=_TYPES,
            away=away,
        )
