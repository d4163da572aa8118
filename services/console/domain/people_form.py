"""A person as a form, a row of the table of responsibilities, and a group of warehouses."""

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from services.console.domain.merge import Values

_PLACE: Final = ("category", "supplier", "warehouse", "warehouse_group")
COLUMNS: Final = (*_PLACE, "owner", "deputy", "manager")
"""Of the table, as sheets have them: what a row is about, and who."""

CHAT_IDS: Final = ("wecom_userid", "dingtalk_userid", "feishu_open_id", "slack_user_id")
"""What vendors of chat know a person by."""

_FIELDS: Final = ("name", "language", "email", *CHAT_IDS, "away_until")


def person_values(person: Mapping[str, Any] | None) -> Values:
    """Return the form of a person, or of a new one."""
    person = person or {"language": "zh-CN"}
    return person_said({name: str(person.get(name) or "") for name in ("id", *_FIELDS)})


def person_said(values: Mapping[str, str]) -> Values:
    """Return what a form of a person says, however it is written."""
    said = {name: value.strip() for name, value in values.items()}
    return said | {"away_until": _instant(said["away_until"])}


def _instant(text: str) -> str:
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return text


def person_body(values: Mapping[str, str], base: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is to be put; what `base` says beyond the form stays."""
    said = {name: values[name].strip() or None for name in _FIELDS}
    return {name: value for name, value in base.items() if name != "id"} | said


def row_values(row: Mapping[str, Any] | None) -> Values:
    """Return the form of a row, or of a new one."""
    return {name: str((row or {}).get(name) or "") for name in COLUMNS}


def row_of(values: Mapping[str, str], base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row that a form says; what `base` says beyond it stays."""
    return dict(base) | {name: values[name].strip() or None for name in COLUMNS}


def name_of_row(row: Mapping[str, Any]) -> str:
    """Return what a row is called: by all that it says, since its number is soon another row's."""
    said = json.dumps(dict(row), sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def group_values(group: Mapping[str, Any] | None) -> Values:
    """Return the form of a group of warehouses, or of a new one; warehouses one a line."""
    group = group or {"id": "", "name": "", "warehouses": []}
    return {
        "id": group["id"],
        "name": group["name"],
        "warehouses": "\n".join(group["warehouses"]),
    }


def group_said(values: Mapping[str, str]) -> Values:
    """Return what a form of a group says, however it is written."""
    return {name: value.strip() for name, value in values.items()}


def group_body(values: Mapping[str, str], base: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is to be put; what `base` says beyond the form stays."""
    said = {"name": values["name"].strip(), "warehouses": values["warehouses"].splitlines()}
    return {name: value for name, value in base.items() if name != "id"} | said


def replaced(
    rows: Sequence[Mapping[str, Any]],
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> tuple[list[dict[str, Any]], int] | None:
    """Return the table with a row changed (added, taken away), and where that row is.

    What is so already stays, as when it was saved before and no answer came back. None when the row
    is no longer as it was: somebody else has changed it.
    """
    table = [dict(row) for row in rows]
    if before is not None and dict(before) in table:
        at = table.index(dict(before))
        table[at : at + 1] = [] if after is None else [dict(after)]
        return table, at
    said = [row_values(row) for row in table]
    if after is not None and row_values(after) in said:
        return table, said.index(row_values(after))
    if before is None:
        return ([*table, dict(after)], len(table)) if after is not None else None
    is_gone = all(_place(row) != _place(row_values(before)) for row in said)
    return (table, len(table)) if after is None and is_gone else None


def _place(values: Values) -> list[str]:
    return [values[name] for name in _PLACE]


def row_number(field: str) -> tuple[int, str] | None:
    """Return the row (from 0) and column that an error such as items.3.owner is about."""
    parts = field.split(".")
    if len(parts) < 2 or parts[0] != "items" or not parts[1].isdigit():
        return None
    return int(parts[1]), parts[2] if len(parts) > 2 else ""


def lines_of(sheet: str) -> list[str]:
    """Return a sheet's lines, head first; none where it is no CSV."""
    try:
        text = io.StringIO(sheet.removeprefix("\ufeff"), newline="")
        return [",".join(cells) for cells in csv.reader(text)]
    except csv.Error:
        return []


def agrees(row: Mapping[str, Any], words: str, names: Mapping[str, str]) -> bool:
    """Return whether a row has the words in a cell, or in the name of what a cell stands for."""
    cells = [str(row.get(name) or "") for name in COLUMNS]
    told = " ".join([*cells, *(names.get(cell, "") for cell in cells)])
    return words.casefold() in told.casefold()
