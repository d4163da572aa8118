"""Who sees to what: people, and the table of responsibilities."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Part(StrEnum):
    """In which part somebody sees to an alert."""

    OWNER = "owner"
    DEPUTY = "deputy"
    MANAGER = "manager"


class Responsibility(NamedTuple):
    """A row of the table: for a category and a warehouse (None: any), who; ids of people."""

    category: str | None
    warehouse: str | None
    owner: str | None
    deputy: str | None = None
    manager: str | None = None


class Responsible(NamedTuple):
    """Who sees to an alert, and as what."""

    person: str
    part: Part


class Responsibilities:
    """The table at one revision, and until when which people are away."""

    def __init__(
        self, rows: Sequence[Responsibility] = (), away: Mapping[str, datetime] | None = None
    ) -> None:
        self._rows = {(row.category, row.warehouse): row for row in rows}
        self._away = away or {}

    def of(self, category: str | None, warehouse: str, now: datetime) -> Responsible | None:
        """Return who sees to a SKU's category in a warehouse; None where the table is silent.

        The row that says most decides: category and warehouse, category, warehouse, neither. Of
        it the first who is there: owner, deputy, manager. When none is, the owner all the same,
        since an alert with an absent owner is found more easily than one without.
        """
        for key in ((category, warehouse), (category, None), (None, warehouse), (None, None)):
            row = self._rows.get(key)
            if row is not None:
                return self._first_there(row, now)
        return None

    def _first_there(self, row: Responsibility, now: datetime) -> Responsible | None:
        people = ((row.owner, Part.OWNER), (row.deputy, Part.DEPUTY), (row.manager, Part.MANAGER))
        named = [Responsible(person, part) for person, part in people if person is not None]
        there = (each for each in named if not self._is_away(each.person, now))
        return next(there, named[0] if named else None)

    def _is_away(self, person: str, now: datetime) -> bool:
        until = self._away.get(person)
        return until is not None and now < until
