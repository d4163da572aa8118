"""Rows of the Stock page: the catalogue finds the SKUs, the ledger says how much there is.

The catalogue knows names, aliases and barcodes, so it is asked first. When it is away, the
ledger alone still finds by SKU.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from services.console.upstream.answers import Level, Page, Sku
from services.console.upstream.directory import Directory, Names
from services.console.upstream.ingest import Ingest
from services.console.upstream.ledger import Ledger
from shared.errors import Unavailable

# SKUs to a part: with two warehouses that is some 50 rows, a few screens.
SKUS_A_PART = 25
LEVELS_A_PART = 50
# What the catalogue and the ledger answer at once, at the most.
SKUS_AT_ONCE = 500

Away = Literal["", "ingest", "ledger"]
"""Which service did not answer, if any."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a viewer looks for."""

    words: str = ""
    warehouse: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A SKU in a warehouse; `level` is None where nothing was recorded yet.

    `warehouse` is empty where nothing was recorded anywhere.
    """

    anchor: str
    """Its id on the page."""
    sku: str
    name: str | None
    warehouse: str
    warehouse_name: str
    level: Level | None

    @property
    def is_out(self) -> bool:
        """Whether nothing can be sold."""
        return self.level is not None and self.level.available <= 0


class Changed(NamedTuple):
    """Rows after changes, and which of them changed."""

    rows: "Rows"
    changed: list[Row]


@dataclass(frozen=True, slots=True)
class Rows:
    """A part of the result."""

    rows: tuple[Row, ...]
    next_cursor: str | None

    def with_levels(self, levels: Sequence[Level]) -> Changed:
        """Return the rows with newer levels put in; older ones are left out."""
        newest = {(level.sku, level.warehouse): level for level in levels}
        rows: list[Row] = []
        changed: list[Row] = []
        for row in self.rows:
            level = newest.get((row.sku, row.warehouse))
            if level is not None and (row.level is None or row.level.version < level.version):
                changed.append(replace(row, level=level))
                rows.append(changed[-1])
            else:
                rows.append(row)
        return Changed(Rows(tuple(rows), self.next_cursor), changed)


class Grid:
    """Answers questions part by part."""

    def __init__(self, ingest: Ingest, ledger: Ledger, directory: Directory) -> None:
        self._ingest = ingest
        self._ledger = ledger
        self._directory = directory

    async def rows(
        self, question: Question, cursor: str, cursor_of: Away = ""
    ) -> tuple[Rows, Away]:
        """Return the first part with a row from a cursor on, and whether the catalogue was away.

        A cursor is its service's own: where `cursor_of`, what was away when it was told, is not
        what is away now, the part is the first.

        Raises Unavailable when the ledger is away, Refused when either says no.
        """
        names = await self._directory.names()
        at, limit = "" if cursor_of else cursor, SKUS_A_PART
        while True:
            try:
                found = await self._ingest.skus(words=question.words, cursor=at, limit=limit)
            except Unavailable:
                start = cursor if cursor_of == "ingest" else ""
                return await self._without_catalogue(question, start, names), "ingest"
            skus = [item.sku for item in found.items]
            levels = await self._ledger.levels_of(skus, question.warehouse)
            rows = _joined(question, found, levels, names)
            if rows.rows or not rows.next_cursor:
                return rows, ""
            # Much of the catalogue may have no level here: nobody should turn those pages.
            at, limit = rows.next_cursor, min(2 * limit, SKUS_AT_ONCE)

    async def _without_catalogue(self, question: Question, cursor: str, names: Names) -> Rows:
        page = await self._ledger.levels(
            words=question.words,
            warehouse=question.warehouse,
            cursor=cursor,
            limit=LEVELS_A_PART,
        )
        rows = (
            _row(index, level.sku, None, level.warehouse, names, level)
            for index, level in enumerate(page.items)
        )
        return Rows(tuple(rows), page.next_cursor)


def _joined(question: Question, found: Page[Sku], levels: list[Level], names: Names) -> Rows:
    by_sku: defaultdict[str, list[Level]] = defaultdict(list)
    for level in levels:
        by_sku[level.sku].append(level)
    rows: list[Row] = []
    for item in found.items:
        for level in sorted(by_sku[item.sku], key=lambda level: level.warehouse):
            rows.append(_row(len(rows), item.sku, item.name, level.warehouse, names, level))
        # A person who searched wants to see that the SKU exists.
        if not by_sku[item.sku] and question.words:
            rows.append(_row(len(rows), item.sku, item.name, question.warehouse, names, None))
    return Rows(tuple(rows), found.next_cursor)


def _row(
    index: int, sku: str, name: str | None, warehouse: str, names: Names, level: Level | None
) -> Row:
    label = names.warehouse(warehouse) if warehouse else ""
    return Row(f"row-{index}", sku, name, warehouse, label, level)
