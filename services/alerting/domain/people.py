"""Who sees to what: people, and the table of responsibilities."""

from collections.abc import Collection, Iterable, Mapping, Sequence
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

    None for a category, supplier or warehouse: any of them. `warehouse_group` stands in for the
    warehouse: any of the group's.
    """

    category: str | None
    warehouse: str | None
    owner: str | None
    deputy: str | None = None
    manager: str | None = None
    supplier: str | None = None
    warehouse_group: str | None = None

    @property
    def line(self) -> tuple[str | None, str | None, str | None]:
        """The people, as `Role` has their places."""
        return self.owner, self.deputy, self.manager


class Responsibilities:
    """The table at one revision, the warehouses of groups, and until when which people are away."""

    def __init__(
        self,
        rows: Sequence[Responsibility] = (),
        away: Mapping[str, datetime] | None = None,
        groups: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._rows = {
            (row.category, row.supplier, row.warehouse, row.warehouse_group): row for row in rows
        }
        self._away = away or {}
        self._groups_of: dict[str, list[str]] = {}
        for group, warehouses in sorted((groups or {}).items(), key=_narrow_first):
            for warehouse in warehouses:
                self._groups_of.setdefault(warehouse, []).append(group)

    def of(
        self,
        category: str | None,
        warehouse: str,
        now: datetime,
        supplier: str | None = None,
        rule_owner: str | None = None,
    ) -> str | None:
        """Return the person for a SKU's category, supplier and warehouse; None where all is silent.

        The first who is there: whom the rule names, if it does, then owner, deputy, manager of the
        row that says most. When none is, the first all the same, since an alert with an absent
        owner is found more easily than one without.
        """
        row = self.row(category, warehouse, supplier)
        return self.first_there((rule_owner, *(row.line if row else ())), now)

    def row(
        self, category: str | None, warehouse: str, supplier: str | None = None
    ) -> Responsibility | None:
        """Return the row that says most: more of the three, then category, supplier, warehouse.

        Of two that say the same but for the warehouse, the one that names it goes before one with a
        group, the group with fewer warehouses before another, and of as many the first by id.
        """
        groups = self._groups_of.get(warehouse, ())
        here = ((warehouse, None), *((None, group) for group in groups))
        anywhere = ((None, None),)
        order = (
            (category, supplier, here),
            (category, supplier, anywhere),
            (category, None, here),
            (None, supplier, here),
            (category, None, anywhere),
            (None, supplier, anywhere),
            (None, None, here),
            (None, None, anywhere),
        )
        keys = ((first, second, *place) for first, second, places in order for place in places)
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


def _narrow_first(group: tuple[str, Collection[str]]) -> tuple[int, str]:
    group_id, warehouses = group
    return len(warehouses), group_id
