"""Who sees to what: people, and the table of responsibilities."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """A place in a row of the table, in the order in which they stand in for one another."""

    OWNER = "owner"
    DEPUTY = "deputy"
    MANAGER = "manager"


class Responsibility(NamedTuple):
    """A row of the table: whose a category of a supplier in a warehouse is; ids of people.

    None for a category, supplier or warehouse: any of them.
    """

    category: str | None
    warehouse: str | None
    owner: str | None
    deputy: str | None = None
    manager: str | None = None
    supplier: str | None = None

    @property
    def line(self) -> tuple[str | None, str | None, str | None]:
        """The people, as `Role` has their places."""
        return self.owner, self.deputy, self.manager


class Responsibilities:
    """The table at one revision, and until when which people are away."""

    def __init__(
        self, rows: Sequence[Responsibility] = (), away: Mapping[str, datetime] | None = None
    ) -> None:
        self._rows = {(row.category, row.supplier, row.warehouse): row for row in rows}
        self._away = away or {}

    def of(
        self, category: str | None, warehouse: str, now: datetime, supplier: str | None = None
    ) -> str | None:
        """Return the person for a SKU's category, supplier and warehouse; None where all is silent.

        Of the row that says most the first who is there: owner, deputy, manager. When none is, the
        owner all the same, since an alert with an absent owner is found more easily than one
        without.
        """
        row = self.row(category, warehouse, supplier)
        return None if row is None else self.first_there(row.line, now)

    def row(
        self, category: str | None, warehouse: str, supplier: str | None = None
    ) -> Responsibility | None:
        """Return the row that says most: more of the three, then category, supplier, warehouse."""
        keys = (
            (category, supplier, warehouse),
            (category, supplier, None),
            (category, None, warehouse),
            (None, supplier, warehouse),
            (category, None, None),
            (None, supplier, None),
            (None, None, warehouse),
            (None, None, None),
        )
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
