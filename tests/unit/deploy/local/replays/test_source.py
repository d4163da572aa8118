from pathlib import Path

import duckdb
import pytest

from deploy.local.replays.source import UnreadableFileError, check_readable, read_lines
from tests.factories.online_retail import online_retail_lines, write_online_retail


def test_lines_are_read_as_they_were_written_and_in_their_order(tmp_path: Path) -> None:
    lines = online_retail_lines(2_500, seed=9)
    path = tmp_path / "file.parquet"
    write_online_retail(path, lines)
    check_readable(path)
    assert list(read_lines(path)) == lines


def test_a_seed_makes_the_same_file() -> None:
    assert online_retail_lines(300, seed=9) == online_retail_lines(300, seed=9)
    assert online_retail_lines(300, seed=9) != online_retail_lines(300, seed=10)


def test_a_generated_file_has_every_kind_of_dirt() -> None:
    lines = online_retail_lines(20_000, seed=1)
    distinct = set(lines)
    codes = {line.code for line in lines}
    assert len(distinct) < len(lines)
    assert any(line.invoice.startswith("C") for line in lines)
    assert any(line.quantity > 1_000 for line in lines)
    assert any(line.quantity < -1_000 for line in lines)
    assert any(line.code != line.code.upper() and line.code.upper() in codes for line in lines)
    assert {"POST", "M", "m", "gift_0001_20"} <= codes
    unpaid = [line for line in lines if line.unit_price == 0]
    assert any(line.customer is not None for line in unpaid)
    corrections = [line for line in unpaid if line.customer is None]
    assert {line.quantity > 0 for line in corrections} == {True, False}
    assert None in {line.description for line in corrections}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"none\.parquet"):
        check_readable(tmp_path / "none.parquet")


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    other = "COPY (SELECT 'x' AS InvoiceNo, 1 AS Quantity) TO $path (FORMAT parquet)"
    duckdb.execute(other, {"path": str(path)})
    with pytest.raises(UnreadableFileError, match=r"StockCode VARCHAR.*Quantity BIGINT"):
        check_readable(path)
