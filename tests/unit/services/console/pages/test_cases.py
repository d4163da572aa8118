"""Cases: while one is saved, nothing becomes of what was meant for another."""

import re
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from nicegui import Client, ui
from typing_extensions import override

from services.console.domain.language import Language
from services.console.domain.sign_in import Myself
from services.console.domain.texts import Words
from services.console.pages.cases import Cases
from services.console.pages.context import Context
from services.console.pages.frame import Frame
from services.console.upstream.answers import Page
from services.console.upstream.directory import Names
from services.console.upstream.reviews import Case, Reviews
from services.console.upstream.service import Refused, Wrong
from tests.unit.services.console.pages.company import Gate, Hand

FIRST, SECOND = UUID(int=1), UUID(int=2)


class Kept(Reviews):
    """Two open cases, and what was said of them."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.said: list[tuple[str, str]] = []
        self.refuses = False

    @override
    def acting_for(self, person: str | None) -> "Kept":
        return self

    @override
    async def cases(self, cursor: str = "", limit: int = 50) -> Page[Case]:
        at = datetime(2026, 3, 2, tzinfo=UTC)
        place: dict[str, Any] = {"sku": "CUP", "warehouse": "hz", "ran_out_at": at}
        cases = [
            Case(id=one, number=one.int, state="open", **place)
            for one in (FIRST, SECOND)
            if (str(one), "confirm") not in self.said
        ]
        return Page[Case](items=cases)

    @override
    async def step(self, case_id: str, step: str, body: dict[str, object]) -> None:
        await self.gate.turn()
        if self.refuses:
            raise Refused(422, "No.", errors=[Wrong(field="measure", code="long", message="Long")])
        self.said.append((case_id, step))


class Viewer(Frame):
    """Somebody with a name in front of no page."""

    def __init__(self, reviews: Reviews) -> None:
        self.address = "/"
        self.context = cast("Context", SimpleNamespace(reviews=reviews))
        self.language, self.words = Language.ENGLISH, Words(Language.ENGLISH)
        self.myself = Myself("lin", "林晓")

    @override
    def may_act(self) -> bool:
        return True


class Desk(Hand):
    """The panel of cases, with the first one's cause filled in."""

    def __init__(self) -> None:
        self.reviews = Kept()
        with Client(ui.page("/review"), request=None):
            self.panel = Cases(Viewer(self.reviews))
        super().__init__(self.reviews.gate, self.panel)

    async def fill_in(self) -> "Desk":
        await self.panel.ask(Names(), {})
        await self.press(f"confirm:{FIRST}")
        self.type(cause="no_rule", measure="Add one", due="2026-11-20")
        return self


async def test_while_a_case_is_saved_no_button_looks_as_if_it_did_something() -> None:
    desk = await Desk().fill_in()
    async with desk.waiting("send"):
        await desk.press(f"confirm:{SECOND}")
        await desk.press("missed")
        await desk.press("close-form")
        await desk.press("send")
        buttons = re.findall(r"<button[^>]*>", desk.shown)
        assert len(buttons) == 5, "of each case, of the form, and for a missed one"
        assert all(" disabled" in one for one in buttons)
    assert desk.reviews.said == [(str(FIRST), "confirm")]
    await desk.press(f"confirm:{SECOND}")
    assert desk.holds("measure") == "", "and then there is room for it"


async def test_what_is_wrong_with_a_case_stands_in_its_own_form() -> None:
    desk = await Desk().fill_in()
    desk.reviews.refuses = True
    async with desk.waiting("send"):
        await desk.press(f"confirm:{SECOND}")
    assert desk.holds("measure") == "Add one"
    assert 'id="case-measure-note"' in desk.shown
