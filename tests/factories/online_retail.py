"""Make a file with the columns of `uci_online_retail.parquet` and the same kinds of dirt.

The same seed and number of lines give the same file. It has exact duplicates, lines that differ
from another only in the code's letter case, cancellations (one of a monster order), unpaid
corrections with descriptions, free goods to customers, service codes in both cases, codes that
are never sold, and invoices whose minute changes half way.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from deploy.local.replays.source import COLUMNS, Line

FIRST_DAY = datetime(2010, 12, 1)  # noqa: DTZ001 - the file's times are wall times
DAYS = 120
"""Past the first 60 days and the change to summer time."""

SKUS = 180
COUNTRIES = ("United Kingdom", "Germany", "EIRE", "France")
SERVICE = (("POST", "POSTAGE", 18.0), ("DOT", "DOTCOM POSTAGE", 40.0), ("M", "Manual", 1.5))
SERVICE_MORE = (
    ("m", "Manual", 2.5),
    ("gift_0001_20", "Gift Voucher", 16.67),
    ("C2", "CARRIAGE", 50.0),
)
CORRECTIONS = ("damaged", "check", "?", "thrown away", "found", None, "wet pallet", "Unknown")


def online_retail_lines(count: int, seed: int) -> list[Line]:
    """Return `count` lines in file order, by time as in the real file."""
    draw = random.Random(seed)  # noqa: S311 - reproducible, not secret
    return sorted(_lines(draw, count), key=lambda line: line.invoiced_at)[:count]


def write_online_retail(path: Path, lines: list[Line]) -> None:
    """Write lines as a Parquet file in their order."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE file ({columns})")
        marks = ", ".join("?" * len(COLUMNS))
        for start in range(0, len(lines), 1_000):
            chunk = lines[start : start + 1_000]
            rows = ", ".join(f"({marks})" for _ in chunk)
            values = [value for line in chunk for value in line]
            connection.execute(f"INSERT INTO file VALUES {rows}", values)  # noqa: S608 - only marks
        connection.execute("COPY file TO $path (FORMAT parquet)", {"path": str(path)})


def _lines(draw: random.Random, count: int) -> Iterator[Line]:
    made, invoice = 0, 536_365
    minutes = DAYS * 24 * 60
    while made < count:
        day_minute = FIRST_DAY + timedelta(minutes=minutes * made // count)
        at = day_minute.replace(hour=draw.randrange(7, 20), minute=draw.randrange(60))
        lines = list(_invoice(draw, str(invoice), at))
        invoice += 1
        made += len(lines)
        yield from lines


def _invoice(draw: random.Random, number: str, at: datetime) -> Iterator[Line]:
    kind = draw.random()
    if kind < 0.06:
        yield _correction(draw, number, at)
        return
    customer = None if draw.random() < 0.25 else float(draw.randrange(12_346, 18_288))
    country = draw.choice(COUNTRIES)
    cancels = kind < 0.2
    monster = draw.random() < 0.002
    for position in range(draw.randint(1, 3) if cancels else draw.randint(1, 40)):
        code = _code(draw)
        quantity = draw.choice((1, 1, 2, 2, 4, 6, 12)) if not monster else 7_000 + position
        price = 0.0 if customer is not None and draw.random() < 0.01 else 2.55
        line = Line(
            invoice=f"C{number}" if cancels else number,
            code=code,
            description=f"ITEM {code.upper()}",
            quantity=-quantity if cancels else quantity,
            invoiced_at=at + timedelta(minutes=position > 20),
            unit_price=price,
            customer=customer,
            country=country,
        )
        yield line
        if draw.random() < 0.01:
            yield line
        if draw.random() < 0.01:
            yield line._replace(code=code.swapcase())
        if monster:
            later = at + timedelta(minutes=12)
            yield line._replace(invoice=f"C{number}", quantity=-quantity, invoiced_at=later)
    if not cancels and draw.random() < 0.12:
        code, description, price = draw.choice(SERVICE + SERVICE_MORE)
        charge = Line(number, code, description, 1, at, price, customer, country)
        yield charge
        if draw.random() < 0.2:
            yield charge


def _correction(draw: random.Random, number: str, at: datetime) -> Line:
    units = draw.choice((-60, -24, -7, -1, 3, 30))
    description = draw.choice(CORRECTIONS)
    code = f"{90_000 + draw.randrange(12)}" if draw.random() < 0.2 else _code(draw)
    return Line(number, code, description, units, at, 0.0, None, "United Kingdom")


def _code(draw: random.Random) -> str:
    """Return one of the goods' codes; low ones sell most, a tenth come in two letter cases."""
    rank = int(SKUS * draw.random() ** 2.5)
    if rank % 10 == 3:
        return f"{84_000 + rank}{draw.choice('Aa')}"
    return f"{22_000 + rank}" if rank % 3 else f"{85_000 + rank}B"
