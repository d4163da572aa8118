"""People and responsibility (人员与职责): who there is, and who sees to what."""

import asyncio
from collections import defaultdict

from fastapi import Request
from nicegui import ui

from services.console.domain.board import Section
from services.console.domain.people_form import CHAT_IDS, person_body, person_values
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.named_places import Shown, shown
from services.console.pages.responsibilities import Responsibilities
from services.console.pages.warehouse_groups import WarehouseGroups
from services.console.upstream.answered import answered
from services.console.upstream.people import Person
from services.console.upstream.service import Refused
from shared.errors import Unavailable

_TRY_AGAIN_SECONDS = 3.0
_NAMES_SECONDS = 5.0
_COUNT_SECONDS = 15.0
_KNOWN_FIELDS = frozenset({"name", "email", *CHAT_IDS})


def register(context: Context) -> None:
    """Serve the page at `/people`."""

    @ui.page("/people", reconnect_timeout=RECONNECT_SECONDS)
    def people(request: Request) -> None:
        PeoplePage(Frame(context, request, "people")).follow()


class PeoplePage:
    """One viewer's look at people; one of them may be in the form."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._upstream = frame.context.people
        self._people: Section[list[Person]] = Section()
        self._wanted = asyncio.Event()
        self._editing: Person | None = None
        self._values: dict[str, str] | None = None
        """What the form holds, where it is open; `_editing` is None for a new person."""
        self._errors: dict[str, str] = {}
        self._named: list[Shown] = []
        """Where the person is named who could not be deleted."""
        self._saving = False
        self._deleting = ""
        words = frame.words
        frame.headline(words("people.title"), words("people.lead"))
        with frame.main:
            self._panel = LivePanel(self._html(), tag="section", classes="panel")
            self._table = Responsibilities(frame, self._ask_again)
            self._groups = WarehouseGroups(frame, self._ask_again)
        self._panel.on_act(self._act)
        self._panel.on_field(self._type)

    def follow(self) -> None:
        """Ask until there is an answer, and again after every change."""
        self._frame.keep(self._answer(), "people")
        self._frame.keep(self._ask_names(), "people: names")
        self._frame.keep(self._count_unknown(), "people: unknown")

    def _ask_again(self) -> None:
        self._wanted.set()

    async def _ask_names(self) -> None:
        while True:
            names = await self._frame.context.directory.names()
            self._table.call(names)
            self._groups.call(names)
            await asyncio.sleep(_NAMES_SECONDS)

    async def _count_unknown(self) -> None:
        while True:
            await self._table.count_unknown()
            await asyncio.sleep(_COUNT_SECONDS)

    async def _answer(self) -> None:
        while True:
            self._wanted.clear()
            self._people = await answered(self._people, self._upstream.all())
            answers = [
                await self._table.ask(self._people.value or []),
                await self._groups.ask(),
                not self._people.away,
            ]
            self._panel.show(self._html())
            if not all(answers):
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
            else:
                await self._wanted.wait()

    def _type(self, name: str, value: str) -> None:
        if self._values is not None and name in self._values:
            self._values[name] = value
            if self._errors.pop(name, None):
                self._panel.show(self._html())

    async def _act(self, act: str) -> None:
        name, _, person_id = act.partition(":")
        if name == "add":
            self._open(None)
        elif name == "edit":
            people = self._people.value or ()
            self._open(next((one for one in people if one.id == person_id), None))
        elif name == "cancel":
            self._close()
        elif name == "delete" and self._deleting != person_id:
            self._deleting = person_id
        elif self._frame.may_act() and not self._saving:
            await (self._delete(person_id) if name == "delete" else self._save())
        self._panel.show(self._html())

    def _open(self, person: Person | None) -> None:
        self._editing, self._errors, self._named, self._deleting = person, {}, [], ""
        self._values = person_values(None if person is None else person.model_dump(mode="json"))
        self._panel.show(self._html())
        self._panel.point("#person-name" if person else "#person-id")

    def _close(self) -> None:
        self._editing, self._values, self._errors, self._deleting = None, None, {}, ""
        self._named = []

    async def _save(self) -> None:
        values = self._values
        if values is None or not self._complete(values):
            self._panel.show(self._html())
            self._panel.point("[aria-invalid=true]")
            return
        self._saving, self._named = True, []
        self._panel.show(self._html())
        try:
            person_id = await self._put(values)
        except Refused as error:
            self._errors = self._told(error)
        except Unavailable as error:
            self._errors = {"form": self._failed(error)}
        else:
            if person_id is not None:
                self._close()
                self._wanted.set()
        self._saving = False
        if self._errors:
            self._panel.show(self._html())
            self._panel.point("[aria-invalid=true]")

    async def _put(self, values: dict[str, str]) -> str | None:
        """Return the person's id once it is saved; None when a new one is there already."""
        person_id = values["id"].strip()
        before = await self._upstream.one(person_id)
        if self._editing is None and before is not None:
            self._errors = {"id": self._frame.words("people.id.taken")}
            return None
        base = before.model_dump(mode="json") if before else {}
        await self._upstream.put(person_id, person_body(values, base))
        return person_id

    def _complete(self, values: dict[str, str]) -> bool:
        words = self._frame.words
        missing = [name for name in ("id", "name") if not values[name].strip()]
        self._errors = {name: words("form.required") for name in missing}
        if any(sign in values["id"] for sign in "/|") or len(values["id"]) > 128:
            self._errors["id"] = words("people.id.wrong")
        return not self._errors

    def _told(self, error: Refused) -> dict[str, str]:
        words = self._frame.words
        if error.code == "address_taken":
            return {"form": words("people.address_taken")}
        fields = [one.field.split(".")[0] for one in error.errors]
        known = [name for name in fields if name in _KNOWN_FIELDS]
        if not known:
            return {"form": self._failed(error)}
        return {name: words.get(f"people.{name}.wrong", words("form.wrong")) for name in known}

    async def _delete(self, person_id: str) -> None:
        self._saving, self._named = True, []
        try:
            await self._upstream.delete(person_id)
        except Refused as error:
            known = error.code == "still_responsible"
            words = self._frame.words("people.still_responsible")
            self._errors = {"form": words if known else self._failed(error)}
            self._named = await shown(self._frame, error.used_by, person_id)
        except Unavailable as error:
            self._errors = {"form": self._failed(error)}
        else:
            self._close()
            self._wanted.set()
        self._saving, self._deleting = False, ""

    def _failed(self, error: Refused | Unavailable) -> str:
        return self._frame.words("people.failed", reason=self._frame.said_of(error, "alerting"))

    def _html(self) -> str:
        return self._frame.html(
            "people.html",
            section=self._people,
            values=self._values,
            editing=self._editing,
            errors=defaultdict(str, self._errors),
            saving=self._saving,
            deleting=self._deleting,
            named=self._named,
            chat_ids=CHAT_IDS,
            now=self._frame.context.clock.now(),
        )
