"""Groups of warehouses that rows of the table of responsibilities name: one of them in a form."""

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress

from services.console.domain.board import Section
from services.console.domain.merge import Values
from services.console.domain.people_form import group_body, group_said, group_values
from services.console.pages.frame import Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.named_places import shown
from services.console.pages.open_form import OpenForm, Overtaken, parts
from services.console.upstream.answered import answered
from services.console.upstream.directory import Names
from services.console.upstream.people import WarehouseGroup
from services.console.upstream.service import Refused
from shared.errors import Unavailable

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class WarehouseGroups:
    """The panel below the table; `changed` has the page ask again."""

    def __init__(self, frame: Frame, changed: Callable[[], None]) -> None:
        self._frame = frame
        self._upstream = frame.context.people
        self._changed = changed
        self._groups: Section[list[WarehouseGroup]] = Section()
        self._names = Names()
        self._form: OpenForm[WarehouseGroup] | None = None
        self._saving = False
        """While something is on its way, what is open stays, and nothing else opens."""
        self._panel = LivePanel(self._html(), tag="section", classes="panel")
        self._panel.on_act(self._act)
        self._panel.on_field(self._type)

    def call(self, names: Names) -> None:
        """Call warehouses by these names."""
        self._names = names
        self._show()

    async def ask(self) -> bool:
        """Ask for the groups and show them; returns whether there was an answer."""
        self._groups = await answered(self._groups, self._upstream.all_groups())
        self._show()
        return not self._groups.away

    def _show(self) -> None:
        self._panel.show(self._html())

    def _type(self, name: str, value: str) -> None:
        if self._form is not None and self._form.type(name, value):
            self._show()

    async def _act(self, act: str) -> None:
        if self._saving:
            return
        name, _, rest = act.partition(":")
        form = self._form
        if name == "add":
            self._open(None)
        elif name == "edit":
            await self._edit(rest)
        elif name == "cancel":
            self._form = None
        elif name == "warehouse" and form is not None:
            form.type("warehouses", _picked(form.values["warehouses"], rest))
        elif form is not None and self._frame.may_act():
            await self._change(form, act)
        self._show()
        if self._form is not None and self._form.errors:
            self._panel.point("[aria-invalid=true]")

    async def _edit(self, group_id: str) -> None:
        group = next((one for one in self._groups.value or () if one.id == group_id), None)
        if group is None:
            return
        form = self._open(group)
        # Others may have changed it since the page asked.
        with suppress(Refused, Unavailable):
            there = await self._upstream.group(group_id)
            if there is not None and not self._saving:
                form.refresh(there)

    def _open(self, group: WarehouseGroup | None) -> OpenForm[WarehouseGroup]:
        form = self._form = OpenForm(
            group, group.id if group else "", _values_of, lists=("warehouses",)
        )
        self._show()
        self._panel.point("#group-name" if group else "#group-id")
        return form

    async def _change(self, form: OpenForm[WarehouseGroup], act: str) -> None:
        if act == "save":
            form.errors, form.sure = self._wrong(form.values), False
            if not form.errors:
                await self._wait_for(self._save(form), form)
        elif act == form.delete and form.before is not None:
            if form.sure:
                await self._wait_for(self._upstream.delete_group(form.before.id), form)
            form.sure = not form.sure

    async def _wait_for(self, change: Awaitable[None], form: OpenForm[WarehouseGroup]) -> None:
        """Wait for a change, and close the form; or it says what is wrong."""
        self._saving = True
        form.errors, form.named = {}, []
        self._show()
        try:
            await change
        except Overtaken as error:
            form.errors = error.told(self._frame.words, "groups")
        except (Refused, Unavailable) as error:
            form.errors = {"form": self._failed(error)}
            if isinstance(error, Refused):
                form.named = await shown(self._frame, error.used_by)
        else:
            self._form = None
        finally:
            self._saving = False
        self._changed()

    async def _save(self, form: OpenForm[WarehouseGroup]) -> None:
        said = group_said(form.values)
        there = await self._upstream.group(said["id"])
        wanted = form.over(there, said)
        if wanted is not None:
            base = {} if there is None else there.model_dump(mode="json")
            await self._upstream.put_group(said["id"], group_body(wanted, base))

    def _wrong(self, values: Values) -> dict[str, str]:
        words = self._frame.words
        missing = [name for name in ("id", "name") if not values[name].strip()]
        errors = {name: words("form.required") for name in missing}
        if "id" not in missing and _ID.fullmatch(values["id"].strip()) is None:
            errors["id"] = words("groups.id.wrong")
        if not values["warehouses"]:
            errors["warehouses"] = words("groups.warehouses.none")
        return errors

    def _failed(self, error: Refused | Unavailable) -> str:
        words = self._frame.words
        if isinstance(error, Refused) and error.code == "in_use":
            return words("groups.in_use")
        return words("form.failed", reason=self._frame.said_of(error, "alerting"))

    def _html(self) -> str:
        chosen = self._form.values["warehouses"].splitlines() if self._form else []
        known = self._names.warehouses | {one: self._names.warehouse(one) for one in chosen}
        return self._frame.html(
            "warehouse_groups.html",
            section=self._groups,
            names=self._names,
            warehouses=[(one, name, one in chosen) for one, name in known.items()],
            saving=self._saving,
            **parts(self._form),
        )


def _values_of(group: WarehouseGroup | None) -> Values:
    return group_values(None if group is None else group.model_dump(mode="json"))


def _picked(chosen: str, picked: str) -> str:
    before = chosen.splitlines()
    other = [one for one in before if one != picked]
    return "\n".join([*before, picked] if len(other) == len(before) else other)
