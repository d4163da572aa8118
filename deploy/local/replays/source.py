"""Read the lines of a file in their order."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

CHUNK_LINES = 20_000


class Line(NamedTuple):
    """One line as the file has it, all eight columns.

    Two lines are exact duplicates when they are equal. `invoiced_at` is wall time without a zone.
    """

    invoice: str
    code: str
    description: str | None
    quantity: int
    invoiced_at: datetime
    unit_price: float
    customer: float | None
    country: str | None


COLUMNS = {
    "InvoiceNo": "VARCHAR",
    "StockCode": "VARCHAR",
    "Description": "VARCHAR",
    "Quantity": "BIGINT",
    "InvoiceDate": "TIMESTAMP",
    "UnitPrice": "DOUBLE",
    "CustomerID": "DOUBLE",
    "Country": "VARCHAR",
}


class UnreadableFileError(ValueError):
    """The file is not one of the kind that this replay knows."""


def check_readable(path: Path) -> None:
    """Raise UnreadableFileError for a file that is not there or of another kind."""
    with duckdb.connect() as connection:
        try:
            found = connection.execute(
                "DESCRIBE SELECT * FROM read_parquet($path)", {"path": str(path)}
            ).fetchall()
        except duckdb.Error as error:
            raise UnreadableFileError(
                f"{path} is no readable Parquet file: {str(error).splitlines()[0]}"
            ) from error
    kinds = {str(name): str(kind) for name, kind, *_ in found}
    wrong = [f"{name} {kind}" for name, kind in COLUMNS.items() if kinds.get(name) != kind]
    if wrong:
        raise UnreadableFileError(f"{path} lacks the columns {', '.join(wrong)}")


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a file that was checked, in file order."""
    with duckdb.connect() as connection:
        result = connection.execute(
            f"SELECT {', '.join(COLUMNS)} FROM read_parquet($path, file_row_number = true)"  # noqa: S608 - the names are constants above
            " ORDER BY file_row_number",
            {"path": str(path)},
        )
        while chunk := result.fetchmany(CHUNK_LINES):
            yield from map(Line._make, chunk)
