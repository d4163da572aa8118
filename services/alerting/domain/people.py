"""Who sees to what: people, and the table of responsibilities."""

from collections.abc import Iterable, Mapping, Sequence
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
        row = self.row(category, warehouse)
        return None if row is None else self.first_there(row[2:], now)

    def row(self, category: str | None, warehouse: str) -> Responsibility | None:
        """Return the row that says most of a category in a warehouse."""
        keys = ((category, warehouse), (category, None), (None, warehouse), (None, None))
        return next((self._rows[key] for key in keys if key in self._rows), None)

    def first_there(self, people: Iterable[str | None], now: datetime) -> str | None:
        """Return the first of some people who is not away, or else the first."""
        named = [person for person in people if person is not None]
        there = (person for person in named if not self.is_away(person, now))
        return next(there, named[0] if named else None)

    def is_away(self, person: str, now: datetime) -> bool:
        """Return whether somebody is away."""
        until = self._away.get(person)
        return until is not None and now < until
