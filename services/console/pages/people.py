"""People and responsibility (人员与职责): who there is, and who sees to what."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress

from fastapi import Request
from nicegui import ui

from services.console.domain.board import Section
from services.console.domain.merge import Values
from services.console.domain.people_form import CHAT_IDS, person_body, person_said, person_values
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.named_places import shown
from services.console.pages.open_form import OpenForm, Overtaken, parts
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
        self._form: OpenForm[Person] | None = None
        self._saving = False
        """While something is on its way, what is open stays, and nothing else opens."""
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
            if await self._look():
                await self._wanted.wait()
            else:
                await asyncio.sleep(_TRY_AGAIN_SECONDS)

    async def _look(self) -> bool:
        """Ask for all that is shown; returns whether there was an answer."""
        self._people = await answered(self._people, self._upstream.all())
        answers = [
            await self._table.ask(self._people.value or []),
            await self._groups.ask(),
            not self._people.away,
        ]
        self._show()
        return all(answers)

    def _show(self) -> None:
        self._panel.show(self._html())

    def _type(self, name: str, value: str) -> None:
        if self._form is not None and self._form.type(name, value):
            self._show()

    async def _act(self, act: str) -> None:
        if self._saving:
            return
        name, _, person_id = act.partition(":")
        form = self._form
        if name == "add":
            self._open(None)
        elif name == "edit":
            await self._edit(person_id)
        elif name == "cancel":
            self._form = None
        elif form is not None and self._frame.may_act():
            await self._change(form, act)
        self._show()
        if self._form is not None and self._form.errors:
            self._panel.point("[aria-invalid=true]")

    async def _edit(self, person_id: str) -> None:
        person = next((one for one in self._people.value or () if one.id == person_id), None)
        if person is None:
            return
        form = self._open(person)
        # Others may have changed them since the page asked.
        with suppress(Refused, Unavailable):
            there = await self._upstream.one(person_id)
            if there is not None and not self._saving:
                form.refresh(there)

    def _open(self, person: Person | None) -> OpenForm[Person]:
        form = self._form = OpenForm(person, person.id if person else "", _values_of)
        self._show()
        self._panel.point("#person-name" if person else "#person-id")
        return form

    async def _change(self, form: OpenForm[Person], act: str) -> None:
        if act == "save":
            form.errors, form.sure = self._wrong(form.values), False
            if not form.errors:
                await self._wait_for(self._save(form), form)
        elif act == form.delete and form.before is not None:
            if form.sure:
                await self._wait_for(self._upstream.delete(form.before.id), form)
            form.sure = not form.sure

    async def _wait_for(self, change: Awaitable[None], form: OpenForm[Person]) -> None:
        """Wait for a change, and close the form; or it says what is wrong."""
        self._saving = True
        form.errors, form.named = {}, []
        self._show()
        try:
            await change
        except Overtaken as error:
            form.errors = error.told(self._frame.words, "people")
        except Refused as error:
            form.errors = self._told(error)
            form.named = await shown(self._frame, error.used_by, form.values["id"])
        except Unavailable as error:
            form.errors = {"form": self._failed(error)}
        else:
            self._form = None
        finally:
            self._saving = False
        self._wanted.set()

    async def _save(self, form: OpenForm[Person]) -> None:
        said = person_said(form.values)
        there = await self._upstream.one(said["id"])
        wanted = form.over(there, said)
        if wanted is not None:
            base = {} if there is None else there.model_dump(mode="json")
            await self._upstream.put(said["id"], person_body(wanted, base))

    def _wrong(self, values: Values) -> dict[str, str]:
        words = self._frame.words
        missing = [name for name in ("id", "name") if not values[name].strip()]
        errors = {name: words("form.required") for name in missing}
        if any(sign in values["id"] for sign in "/|") or len(values["id"]) > 128:
            errors["id"] = words("people.id.wrong")
        return errors

    def _told(self, error: Refused) -> dict[str, str]:
        words = self._frame.words
        if error.code == "address_taken":
            return {"form": words("people.address_taken")}
        if error.code == "still_responsible":
            return {"form": words("people.still_responsible")}
        fields = [one.field.split(".")[0] for one in error.errors]
        known = [name for name in fields if name in _KNOWN_FIELDS]
        if not known:
            return {"form": self._failed(error)}
        return {name: words.get(f"people.{name}.wrong", words("form.wrong")) for name in known}

    def _failed(self, error: Refused | Unavailable) -> str:
        return self._frame.words("people.failed", reason=self._frame.said_of(error, "alerting"))

    def _html(self) -> str:
        return self._frame.html(
            "people.html",
            section=self._people,
            saving=self._saving,
            chat_ids=CHAT_IDS,
            now=self._frame.context.clock.now(),
            **parts(self._form),
        )


def _values_of(person: Person | None) -> Values:
    return person_values(None if person is None else person.model_dump(mode="json"))
