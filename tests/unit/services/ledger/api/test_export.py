import csv
import io
from datetime import UTC, datetime

import pytest

from services.ledger.api.export import as_csv


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_calculate_is_a_text(formula: str) -> None:
    assert as_csv([[formula, -1, "a=1"]]).decode().lstrip('"').startswith(f"'{formula[0]}")
    ((shown, number, harmless),) = csv.reader(io.StringIO(as_csv([[formula, -1, "a=1"]]).decode()))
    assert (shown.strip("\r"), number, harmless) == (f"'{formula}".strip("\r"), "-1", "a=1")


def test_a_table_is_what_rfc_4180_says() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert as_csv([['a"b', "c,d", None, noon], ["货", "", 0, 1]]).decode() == (
        '"a""b","c,d",,2026-03-01T12:00:00Z\r\n货,,0,1\r\n'
    )
