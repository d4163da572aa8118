"""CSV tables as spreadsheet programs write them."""

import csv
import io
from collections.abc import Iterator

Row = tuple[int, dict[str, str]]
"""What one row says by column, behind its place: from 0 below the head, blank rows counted."""


def table(sheet: str) -> tuple[list[str], Iterator[Row]]:
    """Return the names in a sheet's head, and its rows; those that say nothing are left out.

    Cells are stripped, and empty ones left out; what is in no column has no name. Raises csv.Error,
    also on the way.
    """
    rows = csv.reader(io.StringIO(sheet, newline=""), strict=True)
    names = [name.strip() for name in next(rows, [])]
    return names, _said(names, rows)


def _said(names: list[str], rows: Iterator[list[str]]) -> Iterator[Row]:
    for index, row in enumerate(rows):
        cells = zip([*names, *("" for _ in row[len(names) :])], row, strict=False)
        if said := {name: cell.strip() for name, cell in cells if cell.strip()}:
            yield index, said
