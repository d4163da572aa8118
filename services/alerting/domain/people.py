"""Who sees to what: people, and the table of responsibilities."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple


class Responsibility(NamedTuple):
    """A row of the table: whose a category in a warehouse is (None: any of them); ids of people."""

    category: str | None
    warehouse: str | None
    owner: str | None
    deputy: str | None = None
    manager: str | None = None


class Responsibilities:
    """The table at one revision, and until when which people are away."""

    def __init__(
        self, rows: Sequence[Responsibility] = (), away: Mapping[str, datetime] | None = None
    ) -> None:
        self._rows = {(row.category, row.warehouse): row for row in rows}
        self._away = away or {}

    def of(self, category: str | None, warehouse: str, now: datetime) -> str | None:
        """Return the person for a SKU's category in a warehouse; None where the table is silent.

        The row that says most decides: category and warehouse, category, warehouse, neither. Of
        it the first who is there: owner, deputy, manager. When none is, the owner all the same,
        since an alert with an absent owner is found more easily than one without.
        """
        row = self.row_for(category, warehouse)
        return None if row is None else self._first_there(row, now)

    def row_for(self, category: str | None, warehouse: str) -> Responsibility | None:
        """Return the row that says most of a category in a warehouse."""
        for key in ((category, warehouse), (category, None), (None, warehouse), (None, None)):
            row = self._rows.get(key)
            if row is not None:
                return row
        return None

    def _first_there(self, row: Responsibility, now: datetime) -> str | None:
        named = [person for person in row[2:] if person is not None]
        there = (person for person in named if not self._is_away(person, now))
        return next(there, named[0] if named else None)

    def _is_away(self, person: str, now: datetime) -> bool:
        until = self._away.get(person)
        return until is not None and now < until
