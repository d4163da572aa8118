"""Groups of warehouses that rows of the table of responsibilities name: one of them in a form."""

import re
from collections import defaultdict
from collections.abc import Callable

from services.console.domain.board import Section
from services.console.domain.people_form import group_body, group_values
from services.console.pages.frame import Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.named_places import Shown, shown
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
        self._editing: WarehouseGroup | None = None
        self._values: dict[str, str] | None = None
        """What the form holds, where it is open; `_editing` is None for a new group."""
        self._errors: dict[str, str] = {}
        self._named: list[Shown] = []
        """Where the group is named that could not be deleted."""
        self._saving = False
        self._sure = False
        """Whether the group is really to go once "delete" is pressed again."""
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
        if self._values is not None and name in self._values:
            self._values[name] = value
            if self._errors.pop(name, None):
                self._show()

    async def _act(self, act: str) -> None:
        name, _, rest = act.partition(":")
        match name:
            case "add":
                self._open(None)
            case "edit":
                groups = self._groups.value or ()
                self._open(next((one for one in groups if one.id == rest), None))
            case "cancel":
                self._close()
            case "warehouse" if self._values is not None:
                self._pick(self._values, rest)
            case "delete" if not self._sure:
                self._sure = True
            case "save" | "delete" if self._frame.may_act() and not self._saving:
                await self._change(name)
        self._show()
        if self._errors:
            self._panel.point("[aria-invalid=true]")

    def _open(self, group: WarehouseGroup | None) -> None:
        self._close()
        self._editing = group
        self._values = group_values(None if group is None else group.model_dump(mode="json"))
        self._show()
        self._panel.point("#group-name" if group else "#group-id")

    def _close(self) -> None:
        self._editing, self._values, self._errors, self._sure = None, None, {}, False
        self._named = []

    def _pick(self, values: dict[str, str], picked: str) -> None:
        chosen = values["warehouses"].splitlines()
        other = [one for one in chosen if one != picked]
        chosen = [*chosen, picked] if len(other) == len(chosen) else other
        values["warehouses"] = "\n".join(chosen)
        self._errors.pop("warehouses", None)

    async def _change(self, act: str) -> None:
        self._saving, self._named = True, []
        self._show()
        try:
            done = await (self._delete() if act == "delete" else self._save())
        except (Refused, Unavailable) as error:
            self._errors, done = {"form": self._failed(error)}, False
            if isinstance(error, Refused):
                self._named = await shown(self._frame, error.used_by)
        if done:
            self._close()
            self._changed()
        self._saving, self._sure = False, False

    async def _save(self) -> bool:
        values = self._values
        if values is None or not self._complete(values):
            return False
        group_id = values["id"].strip()
        before = await self._upstream.group(group_id)
        if self._editing is None and before is not None:
            self._errors = {"id": self._frame.words("groups.id.taken")}
            return False
        base = {} if before is None else before.model_dump(mode="json")
        await self._upstream.put_group(group_id, group_body(values, base))
        return True

    def _complete(self, values: dict[str, str]) -> bool:
        words = self._frame.words
        missing = [name for name in ("id", "name") if not values[name].strip()]
        self._errors = {name: words("form.required") for name in missing}
        if "id" not in missing and _ID.fullmatch(values["id"].strip()) is None:
            self._errors["id"] = words("groups.id.wrong")
        if not values["warehouses"]:
            self._errors["warehouses"] = words("groups.warehouses.none")
        return not self._errors

    async def _delete(self) -> bool:
        if self._editing is not None:
            await self._upstream.delete_group(self._editing.id)
        return True

    def _failed(self, error: Refused | Unavailable) -> str:
        words = self._frame.words
        if isinstance(error, Refused) and error.code == "in_use":
            return words("groups.in_use")
        return words("form.failed", reason=self._frame.said_of(error, "alerting"))

    def _html(self) -> str:
        chosen = (self._values or {}).get("warehouses", "").splitlines()
        known = self._names.warehouses | {one: self._names.warehouse(one) for one in chosen}
        return self._frame.html(
            "warehouse_groups.html",
            section=self._groups,
            names=self._names,
            warehouses=[(one, name, one in chosen) for one, name in known.items()],
            values=self._values,
            editing=self._editing,
            errors=defaultdict(str, self._errors),
            saving=self._saving,
            sure=self._sure,
            named=self._named,
        )
