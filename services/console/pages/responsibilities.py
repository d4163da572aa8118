"""The table of responsibilities: its rows, one of them in a form, and sheets in and out."""

import csv
import io
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from services.console.domain.board import Section
from services.console.domain.people_form import (
    COLUMNS,
    agrees,
    lines_of,
    name_of_row,
    replaced,
    row_number,
    row_of,
    row_values,
)
from services.console.pages.frame import Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.open_form import OpenForm, parts
from services.console.upstream.answered import answered
from services.console.upstream.directory import Names
from services.console.upstream.people import Person, Row, UnknownCounts
from services.console.upstream.service import Refused, Wrong
from shared.errors import Unavailable

# A table may have thousands of rows; who wants others than the first searches.
_SHOWN = 100
# A sheet of nothing but mistakes would fill the page.
_ERRORS_SHOWN = 50
_HEAD_LINES = 2
"""A row's line in the sheet: counted from 1, after the head."""


class Responsibilities:
    """The panel below the people; `changed` has the page ask again."""

    def __init__(self, frame: Frame, changed: Callable[[], None]) -> None:
        self._frame = frame
        self._upstream = frame.context.people
        self._changed = changed
        self._table: Section[list[Row]] = Section()
        self._people: list[Person] = []
        self._unknown: Section[UnknownCounts] = Section()
        self._names = Names()
        self._groups: dict[str, str] = {}
        """Names of warehouse groups by id, as far as they were ever answered."""
        self._words = ""
        self._form: OpenForm[Row] | None = None
        self._saving = False
        """While something is on its way, what is open stays, and nothing else opens."""
        self._sheet: str | None = None
        """What is to be imported, where that form is open."""
        self._told: dict[str, Any] = {}
        """What became of the last import: `done` rows, or a `failure`, or `wrong` lines."""
        self._panel = LivePanel(self._html(), tag="section", classes="panel")
        self._panel.props("id=responsibilities")
        self._panel.on_act(self._act)
        self._panel.on_field(self._type)

    def call(self, names: Names) -> None:
        """Call warehouses by these names."""
        self._names = names
        self._show()

    async def ask(self, people: list[Person]) -> bool:
        """Ask for the table and show it; returns whether there was an answer."""
        self._people = people
        self._groups = await self._upstream.groups() or self._groups
        self._table = await answered(self._table, self._upstream.table())
        self._show()
        return not self._table.away

    async def count_unknown(self) -> None:
        """Count the products that the rows pass over, and show it."""
        self._unknown = await answered(self._unknown, self._upstream.count_unknown())
        self._show()

    def _show(self) -> None:
        self._panel.show(self._html())

    def _type(self, name: str, value: str) -> None:
        if name == "words":
            self._words = value.strip()
        elif name == "file":
            self._told = {} if value else {"failure": self._frame.words("form.file.none")}
            self._sheet = value
        elif name == "sheet":
            self._sheet = value
            return
        elif self._form is None or not self._form.type(name, value):
            return
        self._show()

    async def _act(self, act: str) -> None:
        if self._saving:
            return
        name, _, rest = act.partition(":")
        match name:
            case "add":
                self._open(None)
            case "edit":
                self._edit(rest)
            case "cancel":
                self._close()
            case "import":
                self._close()
                self._sheet, self._told = "", {}
                self._show()
                self._panel.point("#sheet-file")
            case "export":
                self._export()
            case _:
                await self._change(act)
        self._show()
        if self._form is not None and self._form.errors:
            self._panel.point("[aria-invalid=true]")

    async def _change(self, act: str) -> None:
        form = self._form
        if not self._frame.may_act():
            return
        if act == "take" and self._sheet is not None:
            await self._wait_for(self._import(self._sheet))
        elif act == "save" and form is not None:
            form.sure = False
            after = row_of(form.values, form.before or {})
            await self._wait_for(self._put(form, after))
        elif form is not None and form.before is not None and act == form.delete:
            if form.sure:
                await self._wait_for(self._put(form, None))
            form.sure = not form.sure

    def _edit(self, name: str) -> None:
        rows = self._table.value or []
        row = next((row for row in rows if name_of_row(row) == name), None)
        if row is not None:
            self._open(row)

    def _open(self, row: Row | None) -> None:
        self._close()
        self._form = OpenForm(row, name_of_row(row) if row else "", row_values)
        self._show()
        self._panel.point("#row-category")

    def _close(self) -> None:
        self._form, self._sheet, self._told = None, None, {}

    async def _wait_for(self, change: Awaitable[None]) -> None:
        self._saving = True
        self._show()
        try:
            await change
        finally:
            self._saving = False

    async def _put(self, form: OpenForm[Row], after: Row | None) -> None:
        """Have a row changed, added or taken away; or the form says why not."""
        at = -1
        try:
            # Others may have changed other rows since; theirs stay.
            rows = await self._upstream.table()
            change = replaced(rows, form.before, after)
            if change is None:
                form.errors = {"form": self._frame.words("table.changed")}
                self._changed()
                return
            table, at = change
            if table != rows:
                rows = await self._upstream.put_table(table)
        except Refused as error:
            form.errors = self._errors_of(error, at)
            return
        except Unavailable as error:
            form.errors = {"form": self._failed(error)}
            return
        self._close()
        self._table = Section(rows)

    def _errors_of(self, error: Refused, at: int) -> dict[str, str]:
        errors = {}
        for one in error.errors:
            place = row_number(one.field)
            if place is not None and place[0] == at and place[1] in COLUMNS:
                errors[place[1]] = self._wording(one)
        return errors or {"form": self._failed(error)}

    async def _import(self, sheet: str) -> None:
        try:
            rows = await self._upstream.import_table(sheet)
        except Refused as error:
            self._told = {"wrong": self._wrong_lines(error, lines_of(sheet)), "failure": ""}
            if not error.errors:
                unreadable = error.code == "unreadable_sheet"
                failure = self._frame.words("table.import.unreadable") if unreadable else None
                self._told = {"failure": failure or self._failed(error)}
            return
        except Unavailable as error:
            self._told = {"failure": self._failed(error)}
            return
        self._close()
        self._table, self._told = Section(rows), {"done": len(rows)}

    def _wrong_lines(self, error: Refused, lines: list[str]) -> list[dict[str, Any]]:
        wrong = []
        for one in error.errors[:_ERRORS_SHOWN]:
            row, column = row_number(one.field) or (0, "")
            line = row + _HEAD_LINES
            said = lines[line - 1] if line <= len(lines) else ""
            column = self._frame.words.get(f"table.{column}", column)
            wrong.append(
                {"line": line, "column": column, "words": self._wording(one), "said": said}
            )
        return wrong

    def _wording(self, wrong: Wrong) -> str:
        words = self._frame.words
        if wrong.code == "extra_forbidden":
            return words("table.import.column")
        return words.get(f"table.{wrong.code}", words("form.wrong"))

    def _failed(self, error: Refused | Unavailable) -> str:
        return self._frame.words("form.failed", reason=self._frame.said_of(error, "alerting"))

    def _export(self) -> None:
        sheet = io.StringIO()
        writer = csv.DictWriter(sheet, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(self._table.value or [])
        # With the mark, spreadsheets read Chinese names as such.
        ui.download.content(("\ufeff" + sheet.getvalue()).encode(), "responsibilities.csv")

    def _html(self) -> str:
        rows = self._table.value or []
        people = {one.id: one.name for one in self._people}
        named = people | self._groups | self._names.warehouses
        found = [row for row in rows if agrees(row, self._words, named)]
        return self._frame.html(
            "responsibilities.html",
            section=self._table,
            unknown=self._unknown.value,
            found=[(name_of_row(row), row) for row in found[:_SHOWN]],
            more=max(len(found) - _SHOWN, 0),
            words=self._words,
            searchable=len(rows) > 8,
            people=people,
            names=self._names,
            groups=self._groups,
            saving=self._saving,
            sheet=self._sheet,
            told=defaultdict(str, self._told),
            **parts(self._form),
        )
