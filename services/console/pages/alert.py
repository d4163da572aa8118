"""An episode: what messages link to. Facts, what happened, and what one can do about it."""

import asyncio
from uuid import UUID

from fastapi import Request
from nicegui import ui

from services.console.domain.board import Section
from services.console.domain.feed import of_episode, of_level
from services.console.pages.alert_acts import ACTS, REASONS, SNOOZES
from services.console.pages.alert_doing import PREFIX, AlertDoing
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.not_found import show_not_found
from services.console.upstream.answered import answered
from services.console.upstream.answers import Alert, Level
from services.console.upstream.delivery_answers import CountedDelivery
from services.console.upstream.directory import Names
from services.console.upstream.notifier import Sought
from services.console.upstream.service import Refused
from services.console.upstream.timeline import timeline
from shared.errors import Unavailable
from shared.events.stock_alerts import SubjectKind

_TRY_AGAIN_SECONDS = 3.0
# Nothing tells the page of a notice on its way, so it looks.
_NOTICES_SECONDS = 3.0
_NOTICES = 200


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
        self._away = False
        self._notices: Section[list[CountedDelivery]] = Section()
        self._destinations: dict[str, str] = {}
        self._people: dict[str, str] = {}
        self._asking_people = False
        self._fields: dict[str, str] = {"to": "", "note": ""}
        """What is typed into the forms on the page, for the acts that need it."""
        self._assigning = False
        self._ending = False
        self._unsaid = False
        """Whether somebody has tried to end the alert without saying why."""
        self._judging = False
        self._thanks = False
        self._alerting = frame.context.alerting.acting_for(frame.acting_for)
        self._doing = AlertDoing(frame, alert_id, self._show)
        self._acting = ""
        self._failure = ""
        self._names = Names()
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._subscription = frame.context.live.feed.subscribe()
        self._subscription.watch([of_episode(str(alert_id))])
        ui.context.client.on_delete(self._subscription.close)
        with frame.main:
            self._panel = LivePanel(self._html())
        self._panel.on_act(self._act)
        self._panel.on_field(self._type)

    def follow(self) -> None:
        """Ask, and ask again whenever the episode changed while the page is open."""
        self._frame.keep(self._answer(), "alert: answers")
        self._frame.keep(self._hear_changes(), "alert: changes")
        self._frame.keep(self._look_at_notices(), "alert: notices")

    async def _hear_changes(self) -> None:
        async for levels in self._subscription.changes():
            if levels is None:
                self._wanted.set()
            for level in levels or ():
                self._take(Level.model_validate(level.model_dump()))
                self._show()

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
            self._asked = self._away = True
            self._show()
            return False
        self._asked, self._away = True, False
        complete = True
        if self._alert is not None:
            complete = await self._ask_level(self._alert)
            complete = await self._doing.ask(is_open=self._alert.is_open) and complete
            await self._ask_people()
            self._frame.retitle(f"#{self._alert.number} {self._alert.sku_name or self._alert.sku}")
        self._show()
        return complete

    async def _ask_now(self) -> None:
        if not await self._ask():
            self._wanted.set()

    async def _ask_people(self) -> None:
        if not self._people:
            self._people = await self._frame.context.people.names()

    async def _ask_level(self, alert: Alert) -> bool:
        if alert.subject is not SubjectKind.LEVEL:
            return True  # of several no one level says what there is
        self._subscription.watch([of_episode(str(self._id)), of_level(alert.sku, alert.warehouse)])
        try:
            level = await self._frame.context.ledger.level(alert.sku, alert.warehouse)
        except (Unavailable, Refused):
            return False
        self._take(level)
        return True

    def _take(self, level: Level | None) -> None:
        if level is not None and (self._level is None or self._level.version < level.version):
            self._level = level

    async def _look_at_notices(self) -> None:
        notifier = self._frame.context.notifier
        sought = Sought(alert_id=str(self._id))
        while True:
            self._notices = await answered(self._notices, self._told(sought))
            self._names = await self._frame.context.directory.names()
            if self._notices.value and not self._destinations:
                places = await answered(Section(), notifier.destinations())
                self._destinations = {one.id: one.name for one in places.value or ()}
            self._show()
            await asyncio.sleep(_NOTICES_SECONDS)

    async def _told(self, sought: Sought) -> list[CountedDelivery]:
        page = await self._frame.context.notifier.deliveries(sought, limit=_NOTICES)
        return page.items

    def _type(self, name: str, value: str) -> None:
        if name in self._fields:
            self._fields[name] = value
        self._doing.type(name, value)

    async def _act(self, act: str) -> None:
        if act in {"assigning", "assigning.cancel"}:
            await self._choose_person(open_=act == "assigning")
        elif act in {"ending", "ending.cancel"}:
            self._say_why(open_=act == "ending")
        elif act == "resolve" and not self._fields["note"].strip():
            self._unsaid = True
            self._show()
            self._panel.point("#end-note")
        elif act.startswith(PREFIX):
            await self._do_something(act)
        elif act == "judging":
            self._judging, self._thanks = not self._judging, False
            self._show()
        elif act in ACTS and not self._acting and self._frame.may_act():
            await self._do(act)

    async def _choose_person(self, *, open_: bool) -> None:
        is_open = self._assigning
        self._assigning, self._ending, self._failure = open_, False, ""
        if open_ and not is_open:
            owner = self._alert.owner if self._alert else None
            self._fields |= {"to": owner or next(iter(self._people), ""), "note": ""}
            self._show()
            self._panel.point("#assign-to")
            await self._offer_people()
        self._show()

    async def _offer_people(self) -> None:
        known, failure = self._people, ""
        self._asking_people = True
        try:
            self._people = {one.id: one.name for one in await self._frame.context.people.all()}
        except (Refused, Unavailable) as error:
            failure = self._frame.said_of(error, "alerting")
        self._asking_people = False
        if not self._assigning:
            return  # something else was wanted meanwhile
        self._assigning, self._failure = bool(known) or not failure, failure
        self._fields["to"] = self._fields["to"] or next(iter(self._people), "")
        if not known:
            self._show()
            self._panel.point("#assign-to")

    def _say_why(self, *, open_: bool) -> None:
        self._assigning, self._ending, self._failure = False, open_, ""
        self._unsaid = False
        self._fields |= {"note": ""}
        self._show()
        self._panel.point("#end-note")

    async def _do_something(self, act: str) -> None:
        before = self._doing.form
        await self._doing.act(act)
        self._show()
        form = self._doing.form
        if self._doing.errors:
            self._panel.point(".doing [aria-invalid=true]")
        elif form is not None and form is not before:
            self._panel.point(f"#do-{form.asked[0]}")
        elif form is None:
            await self._ask_now()

    async def _do(self, act: str) -> None:
        self._acting, self._failure = act, ""
        self._show()
        try:
            await ACTS[act](self._alerting, self._id, self._fields)
        except (Refused, Unavailable) as error:
            self._failure = self._frame.said_of(error, "alerting")
        else:
            self._assigning = self._assigning and act != "assign"
            self._ending = self._ending and act != "resolve"
            self._thanks = act.startswith("feedback.")
            self._judging = self._judging and not self._thanks
        self._acting = ""
        await self._ask_now()

    def _show(self) -> None:
        self._panel.show(self._html())

    def _html(self) -> str:
        return self._frame.html(
            "alert.html",
            alert=self._alert,
            level=self._level,
            asked=self._asked,
            away=self._away,
            steps=timeline(self._alert.history if self._alert else (), self._notices.value or ()),
            notices_away=self._notices.away,
            destinations=self._destinations,
            people=self._people,
            asking_people=self._asking_people,
            fields=self._fields,
            assigning=self._assigning,
            ending=self._ending,
            unsaid=self._unsaid,
            acting=self._acting,
            doing=self._doing,
            is_open=self._alert is not None and self._alert.is_open,
            judging=self._judging,
            thanks=self._thanks,
            reasons=REASONS,
            now=self._frame.context.clock.now(),
            snoozes=SNOOZES,
            failure=self._failure,
            names=self._names,
        )
