"""People, rows and groups of a company, and somebody's hand on a page that changes such things."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Protocol, cast

from nicegui import ui
from typing_extensions import override

from services.console.domain.language import Language
from services.console.domain.texts import Words
from services.console.pages.context import Context
from services.console.pages.frame import Frame
from services.console.pages.live_panel import LivePanel
from services.console.upstream.people import People, Person, Row, WarehouseGroup
from shared.errors import Unavailable


class Gate:
    """What questions wait at until a test lets them through."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()

    async def turn(self) -> None:
        """Wait until it is open."""
        self.asked.set()
        await self.open.wait()


class Company(People):
    """What alerting keeps; a test has it answer late, or keep something and not say so."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.persons: dict[str, dict[str, Any]] = {}
        self.warehouse_groups: dict[str, dict[str, Any]] = {}
        self.rows: list[Row] = []
        self.loses_answers = False

    def _answer(self) -> None:
        if self.loses_answers:
            raise Unavailable("alerting")

    @override
    async def all(self) -> list[Person]:
        return [_person(one, said) for one, said in self.persons.items()]

    @override
    async def one(self, person_id: str) -> Person | None:
        await self.gate.turn()
        said = self.persons.get(person_id)
        return None if said is None else _person(person_id, said)

    @override
    async def put(self, person_id: str, body: dict[str, object]) -> None:
        await self.gate.turn()
        self.persons[person_id] = body
        self._answer()

    @override
    async def delete(self, person_id: str) -> None:
        await self.gate.turn()
        self.persons.pop(person_id, None)
        self._answer()

    @override
    async def all_groups(self) -> list[WarehouseGroup]:
        return [_group(one, said) for one, said in self.warehouse_groups.items()]

    @override
    async def group(self, group_id: str) -> WarehouseGroup | None:
        await self.gate.turn()
        said = self.warehouse_groups.get(group_id)
        return None if said is None else _group(group_id, said)

    @override
    async def put_group(self, group_id: str, body: dict[str, object]) -> None:
        await self.gate.turn()
        self.warehouse_groups[group_id] = body
        self._answer()

    @override
    async def delete_group(self, group_id: str) -> None:
        await self.gate.turn()
        self.warehouse_groups.pop(group_id, None)
        self._answer()

    @override
    async def table(self) -> list[Row]:
        await self.gate.turn()
        return deepcopy(self.rows)

    @override
    async def put_table(self, rows: list[Row]) -> list[Row]:
        await self.gate.turn()
        self.rows = deepcopy(rows)
        self._answer()
        return deepcopy(rows)


def _person(person_id: str, said: dict[str, Any]) -> Person:
    return Person.model_validate({"id": person_id} | said)


def _group(group_id: str, said: dict[str, Any]) -> WarehouseGroup:
    return WarehouseGroup.model_validate({"id": group_id} | said)


class Viewer(Frame):
    """Somebody in front of no page."""

    def __init__(self, company: Company) -> None:
        at = datetime(2026, 3, 2, tzinfo=UTC)
        clock = SimpleNamespace(now=lambda: at)
        self.address = "/"
        self.context = cast("Context", SimpleNamespace(people=company, clock=clock))
        self.language, self.words = Language.ENGLISH, Words(Language.ENGLISH)
        self.main = ui.element()

    @override
    def may_act(self) -> bool:
        return True


class Acting(Protocol):
    """What is shown and pressed."""

    _panel: LivePanel

    async def _act(self, act: str) -> None: ...

    def _type(self, name: str, value: str) -> None: ...


class Hand:
    """Somebody's hand on a page or a part of it."""

    def __init__(self, gate: Gate, page: Acting) -> None:
        self._gate = gate
        self._page = page

    async def press(self, act: str) -> None:
        """Press a button, whatever is shown, and wait for all that comes of it."""
        await self._page._act(act)

    def act_of(self, label: str) -> str:
        """Return the act of the button that says this and can be pressed."""
        found = re.findall(r'<button[^>]*data-act="([^"]+)" *>([^<]*)</button>', self.shown)
        (act,) = [act for act, said in found if said == label]
        return str(act)

    @asynccontextmanager
    async def waiting(self, act: str) -> AsyncIterator[None]:
        """Press a button whose answer is on its way until the block is left."""
        self._gate.open.clear()
        self._gate.asked.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.press(act))
            await self._gate.asked.wait()
            yield
            self._gate.open.set()

    def type(self, **said: str) -> None:
        """Type into fields of the form."""
        for name, value in said.items():
            self._page._type(name, value)

    @property
    def shown(self) -> str:
        """What is shown, as HTML."""
        return str(self._page._panel.props["html"])

    @property
    def failure(self) -> str:
        """What the form says did not work."""
        found = re.search(r'class="failure" role="alert">([^<]*)', self.shown)
        return found.group(1) if found else ""

    def holds(self, name: str) -> str | None:
        """Return what a text field of the form holds; None where none is shown."""
        found = re.search(rf'<input id="[^"]+" name="{name}" [^>]*value="([^"]*)"', self.shown)
        return found.group(1) if found else None
