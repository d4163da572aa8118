"""Rows of the table of responsibilities: what is pressed changes the row that was meant."""

import re

import pytest
from nicegui import Client, ui

from services.console.pages.responsibilities import Responsibilities
from services.console.upstream.people import Row
from tests.unit.services.console.pages.company import Company, Hand, Viewer


def row(category: str, owner: str = "lin") -> Row:
    places = dict.fromkeys(("supplier", "warehouse", "warehouse_group", "deputy", "manager"))
    return {"category": category, "owner": owner} | places


class Table(Hand):
    """The panel, with three rows in it."""

    def __init__(self) -> None:
        self.company = Company()
        self.company.rows = [row("drinks"), row("grain"), row("snacks")]
        with Client(ui.page("/people"), request=None):
            self.panel = Responsibilities(Viewer(self.company), lambda: None)
        super().__init__(self.company.gate, self.panel)

    async def look(self) -> "Table":
        await self.panel.ask([])
        return self

    def edit_of(self, category: str) -> str:
        """Return the act of the button beside a row."""
        found = re.search(rf'<strong>{category}<.*?data-act="(edit:[^"]+)"', self.shown, re.DOTALL)
        assert found is not None
        return found.group(1)

    @property
    def categories(self) -> list[str]:
        return [one["category"] for one in self.company.rows]


@pytest.mark.parametrize("sure", [True, False], ids=["deleted", "saved"])
async def test_what_is_pressed_while_a_row_is_saved_changes_no_other_row(sure: bool) -> None:
    table = await Table().look()
    await table.press(table.edit_of("drinks"))
    other = table.edit_of("grain")
    if sure:
        await table.press(table.act_of("Delete"))
    table.type(category="tea")
    async with table.waiting(table.act_of("Really delete" if sure else "Save")):
        await table.press(other)
        await table.press("add")
        await table.press("import")
        await table.press("cancel")
    assert table.categories == (["grain", "snacks"] if sure else ["tea", "grain", "snacks"])
    assert table.holds("category") is None


async def test_while_a_row_is_saved_no_button_looks_as_if_it_did_something() -> None:
    table = await Table().look()
    await table.press(table.edit_of("drinks"))
    async with table.waiting("save"):
        buttons = re.findall(r"<button[^>]*>", table.shown)
        assert len(buttons) == 6, "of each row and of the form"
        assert all(" disabled" in one for one in buttons)


async def test_a_button_opens_the_row_that_it_stood_beside() -> None:
    table = await Table().look()
    second, third = table.edit_of("grain"), table.edit_of("snacks")
    table.company.rows.pop(0)
    await table.look()
    await table.press(second)
    assert table.holds("category") == "grain"
    await table.press("cancel")
    table.company.rows.pop()
    await table.look()
    await table.press(third)
    assert table.holds("category") is None, "it is gone, and nothing else opens for it"


async def test_two_presses_that_were_made_at_once_delete_nothing() -> None:
    table = await Table().look()
    await table.press(table.edit_of("drinks"))
    delete = table.act_of("Delete")
    await table.press(delete)
    await table.press(delete)
    assert len(table.company.rows) == 3
    await table.press("cancel")
    await table.press(table.edit_of("grain"))
    await table.press(table.act_of("Delete"))
    await table.press(delete.replace("delete:", "delete:sure:"))
    assert len(table.company.rows) == 3, "this was meant for another row"
    await table.press(table.act_of("Really delete"))
    assert table.categories == ["drinks", "snacks"]


@pytest.mark.parametrize("change", ["Save", "Really delete", "add"])
async def test_a_change_whose_answer_was_lost_is_done_when_it_is_made_again(change: str) -> None:
    table = await Table().look()
    await table.press("add" if change == "add" else table.edit_of("drinks"))
    if change == "Really delete":
        await table.press(table.act_of("Delete"))
    table.type(category="tea", owner="lin")
    table.company.loses_answers = True
    await table.press(table.act_of("Save" if change == "add" else change))
    assert "Not saved" in table.failure
    kept = list(table.company.rows)
    if change == "Really delete":
        await table.press(table.act_of("Delete"))
    table.company.loses_answers = False
    await table.press(table.act_of("Save" if change == "add" else change))
    assert (table.failure, table.holds("category")) == ("", None)
    assert table.company.rows == kept
    assert ("tea" in table.categories) == (change != "Really delete")
