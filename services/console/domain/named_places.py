"""Where something is named that cannot be deleted for that, as alerting says it in English."""

import re
from typing import Final, NamedTuple


class Place(NamedTuple):
    """A kind of place (`rule`, `row` …), and which of its kind; "" where there is but one."""

    kind: str
    id: str = ""


_ALONE: Final = {
    "the table of responsibilities": "table",
    "the approval limits": "limits",
    "open alerts": "alerts",
}
_ROW: Final = re.compile(r"row (\d+) of the table of responsibilities")
_FOLLOWED: Final = "open alerts that follow "
_KINDS: Final = ("rule", "playbook", "rotation")
KINDS: Final = (*_KINDS, *_ALONE.values(), "row", "followed", "other")


def place_of(said: str) -> Place:
    """Return the place that alerting means; rows count from 1; `other` is what it says itself."""
    if said in _ALONE:
        return Place(_ALONE[said])
    if row := _ROW.fullmatch(said):
        return Place("row", str(int(row[1]) + 1))
    if said.startswith(_FOLLOWED):
        return Place("followed", said.removeprefix(_FOLLOWED))
    kind, _, id_ = said.partition(" ")
    return Place(kind, id_) if kind in _KINDS and id_ else Place("other", said)
