"""An episode: what messages link to. Facts, what happened, and what one can do about it."""

import asyncio
from uuid import UUID

from fastapi import Request
from nicegui import ui

from services.console.domain.feed import of_episode, of_level
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.not_found import show_not_found
from services.console.upstream.answers import Alert, Level
from services.console.upstream.directory import Names
from services.console.upstream.service import Refused
from shared.errors import Unavailable

_TRY_AGAIN_SECONDS = 3.0
_SNOOZES = {"snooze.1": 60, "snooze.8": 8 * 60}
"""By act, in minutes."""


def register(context: Context) -> None:
    """Serve the page at `/alerts/{id}`."""

    @ui.page("/alerts/{alert_id}", reconnect_timeout=RECONNECT_SECONDS)
    def alert(request: Request, alert_id: str) -> None:
        frame = Frame(context, request, "now")
        try:
            known = UUID(alert_id)
        except ValueError:
            show_not_found(frame)
            return
        AlertPage(frame, known).follow()


class AlertPage:
    """One viewer's look at an episode."""

    def __init__(self, frame: Frame, alert_id: UUID) -> None:
        self._frame = frame
        self._id = alert_id
        self._alert: Alert | None = None
        self._level: Level | None = None
        """What there is now, beside what there was when the alert last changed."""
        self._asked = False
        self._acting = False
        self._failure = ""
        self._names = Names()
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._subscription = frame.context.live.feed.subscribe()
        self._subscription.watch([of_episode(str(alert_id))])
        ui.context.client.on_delete(self._subscription.close)
        with frame.main:
            self._panel = LivePanel(self._html(away=False))
        self._panel.on_act(self._act)

    def follow(self) -> None:
        """Ask, and ask again whenever the episode changed while the page is open."""
        self._frame.keep(self._answer(), "alert: answers")
        self._frame.keep(self._hear_changes(), "alert: changes")

    async def _hear_changes(self) -> None:
        async for levels in self._subscription.changes():
            if levels is None:
                self._wanted.set()
            for level in levels or ():
                self._take(Level.model_validate(level.model_dump()))
                self._panel.show(self._html(away=False))

    async def _answer(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if not await self._ask():
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
                self._wanted.set()

    async def _ask(self) -> bool:
        self._names = await self._frame.context.directory.names()
        try:
            self._alert = await self._frame.context.alerting.alert(self._id)
        except (Unavailable, Refused):
            self._asked = True
            self._panel.show(self._html(away=True))
            return False
        self._asked = True
        if self._alert is not None:
            await self._ask_level(self._alert)
            self._frame.retitle(f"#{self._alert.number} {self._alert.sku_name or self._alert.sku}")
        self._panel.show(self._html(away=False))
        return True

    async def _ask_level(self, alert: Alert) -> None:
        self._subscription.watch([of_episode(str(self._id)), of_level(alert.sku, alert.warehouse)])
        try:
            level = await self._frame.context.ledger.level(alert.sku, alert.warehouse)
        except (Unavailable, Refused):
            return
        self._take(level)

    def _take(self, level: Level | None) -> None:
        if level is not None and (self._level is None or self._level.version < level.version):
            self._level = level

    async def _act(self, act: str) -> None:
        if act not in {"acknowledge", *_SNOOZES} or self._acting or not self._frame.may_act():
            return
        self._acting, self._failure = True, ""
        self._panel.show(self._html(away=False))
        try:
            if act in _SNOOZES:
                await self._frame.context.alerting.snooze(self._id, _SNOOZES[act])
            else:
                await self._frame.context.alerting.acknowledge(self._id)
        except Refused as error:
            self._failure = error.detail
        except Unavailable:
            words = self._frame.words
            self._failure = words("away", service=words("service.alerting"))
        self._acting = False
        await self._ask()

    def _html(self, *, away: bool) -> str:
        return self._frame.html(
            "alert.html",
            alert=self._alert,
            level=self._level,
            asked=self._asked,
            away=away,
            acting=self._acting,
            failure=self._failure,
            names=self._names,
        )
