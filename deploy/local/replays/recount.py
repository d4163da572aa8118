"""Recount the file plainly with DuckDB: what every level and every alert ought to be.

Nothing here comes from Lowtide or from the code that posts: one set-based pass over the file,
sharing only the declaration with mapping.py and supply.py. Times stay wall times of the file's
zone; the order of changes is the same as in UTC.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

from deploy.local.replays.declaration import Declaration


@dataclass(frozen=True)
class Level:
    """A SKU's level after the whole file, in units; `lowest` since its opening count."""

    on_hand: int
    sold_total: int
    returned_total: int
    received_total: int
    lowest: int


@dataclass(frozen=True)
class Recount:
    """What the replay has to end with.

    `events` are the file's lines, openings and receipts; `identities` are the changes that count,
    repeats left out; `contradictory` are goods lines whose sign no change can carry.
    """

    lines: int
    ignored: int
    contradictory: int
    duplicates: int
    openings: int
    receipts: int
    identities: int
    levels: Mapping[str, Level]

    @property
    def events(self) -> int:
        """Return how many events are to be posted."""
        return self.lines + self.openings + self.receipts

    def alerted(self, kind: str, limit: float) -> frozenset[str]:
        """Return the SKUs that a rule without pending time has to have alerted at some time.

        `stock_out` holds at its limit, `below` under it; a SKU that starts there counts.
        """
        if kind == "stock_out":
            return frozenset(sku for sku, level in self.levels.items() if level.lowest <= limit)
        if kind == "below":
            return frozenset(sku for sku, level in self.levels.items() if level.lowest < limit)
        raise ValueError(f"what {kind} alerts is not decided by the lowest level alone")


def recount(path: Path, declaration: Declaration) -> Recount:
    """Recount a file; see the SQL for each step."""
    with duckdb.connect() as connection:
        _lines(connection, path, declaration)
        _supply(connection, declaration)
        connection.execute(_CHANGES)
        levels = {
            str(sku): Level(*map(int, numbers))
            for sku, *numbers in connection.execute(_LEVELS).fetchall()
        }

        def count(question: str) -> int:
            (number,) = connection.execute(question).fetchone() or (0,)
            return int(number)

        return Recount(
            lines=count("SELECT count(*) FROM lines"),
            ignored=count("SELECT count(*) FROM lines WHERE service"),
            contradictory=count("SELECT count(*) FROM lines WHERE NOT service AND contradictory"),
            duplicates=count(
                "SELECT count(*) - (SELECT count(*) FROM goods) FROM lines"
                " WHERE NOT service AND NOT contradictory"
            ),
            openings=count("SELECT count(*) FROM openings"),
            receipts=count("SELECT count(*) FROM receipts"),
            identities=count("SELECT count(*) FROM changes"),
            levels=levels,
        )


def _lines(connection: duckdb.DuckDBPyConnection, path: Path, declaration: Declaration) -> None:
    codes = declaration.codes
    patterns = [pattern.replace("_", "!_").replace("*", "%") for pattern in codes.service]
    connection.execute(
        _LINES,
        {"path": str(path), "service": patterns, "cancelled": codes.cancellation_prefix},
    )
    connection.execute(_GOODS)


def _supply(connection: duckdb.DuckDBPyConnection, declaration: Declaration) -> None:
    opening = asdict(declaration.opening)
    receipts = asdict(declaration.receipts)
    connection.execute(_SPAN)
    connection.execute(_OPENINGS, opening)
    weekday = {"weekday": receipts.pop("weekday")}
    calendar = {key: receipts[key] for key in ("lead_days", "arrival_hour", "observed_days")}
    quantity = {key: receipts[key] for key in ("covered_days", "pack_units")}
    connection.execute(_ORDERS, weekday | calendar)
    connection.execute(_RECEIPTS, quantity)


# Unpaid without a customer: somebody corrected the stock. Paid lines by the invoice's prefix.
_LINES = """
CREATE TABLE lines AS
SELECT *,
       len(list_filter($service, lambda pattern: sku LIKE pattern ESCAPE '!')) > 0 AS service,
       CASE kind WHEN 'sale' THEN Quantity < 1 WHEN 'return' THEN Quantity > -1
                 ELSE Quantity = 0 END AS contradictory
FROM (SELECT *, file_row_number AS position, upper(StockCode) AS sku,
             CASE WHEN UnitPrice <= 0 AND CustomerID IS NULL THEN 'adjustment'
                  WHEN starts_with(InvoiceNo, $cancelled) THEN 'return'
                  ELSE 'sale' END AS kind
      FROM read_parquet($path, file_row_number = true))
"""

# Exact duplicates of all eight columns count once, where the first of them stands.
_GOODS = """
CREATE TABLE goods AS
SELECT any_value(sku) AS sku, any_value(kind) AS kind, Quantity AS quantity,
       InvoiceDate AS moment, min(position) AS position
FROM lines WHERE NOT service AND NOT contradictory
GROUP BY InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country
"""

_SPAN = """
CREATE TABLE span AS
SELECT CAST(min(InvoiceDate) AS DATE) AS first_day, max(InvoiceDate) AS last FROM lines
"""

_OPENINGS = """
CREATE TABLE openings AS
WITH sold AS (
    SELECT sku, sum(quantity) AS units FROM goods, span
    WHERE kind = 'sale' AND moment < first_day + to_days(CAST($observed_days AS INTEGER))
    GROUP BY sku
)
SELECT sku, CAST(first_day AS TIMESTAMP) AS moment,
       CAST((coalesce(units, 0) * $cover_days * $safety_percent
             + $observed_days * 100 * $pack_units - 1)
            // ($observed_days * 100 * $pack_units) * $pack_units AS BIGINT) AS quantity
FROM (SELECT DISTINCT sku FROM lines WHERE NOT service) LEFT JOIN sold USING (sku), span
"""

_ORDERS = """
CREATE TABLE orders AS
SELECT day, greatest(CAST(first_day AS TIMESTAMP),
                     day - to_days(CAST($observed_days AS INTEGER))) AS since,
       day + to_days(CAST($lead_days AS INTEGER)) + to_hours($arrival_hour) AS arrival
FROM span, unnest(generate_series(CAST(first_day AS TIMESTAMP), last, INTERVAL 1 DAY)) days(day)
WHERE day > first_day AND isodow(day) = $weekday + 1
  AND day + to_days(CAST($lead_days AS INTEGER)) + to_hours($arrival_hour) <= last
"""

_RECEIPTS = """
CREATE TABLE receipts AS
SELECT sku, arrival AS moment,
       CAST((sum(quantity) * $covered_days + date_diff('day', since, day) * $pack_units - 1)
            // (date_diff('day', since, day) * $pack_units) * $pack_units AS BIGINT) AS quantity
FROM orders JOIN goods ON goods.kind = 'sale' AND goods.moment >= since AND goods.moment < day
GROUP BY sku, arrival, since, day
"""

# At one instant: the opening count, then receipts, then the file's lines in their order.
_CHANGES = """
CREATE TABLE changes AS
SELECT sku, moment, 0 AS step, 0 AS position, 'count' AS kind, quantity AS effect FROM openings
UNION ALL
SELECT sku, moment, 1, 0, 'receipt', quantity FROM receipts
UNION ALL
SELECT sku, moment, 2, position, kind, CASE kind WHEN 'adjustment' THEN quantity ELSE -quantity END
FROM goods
"""

_LEVELS = """
SELECT sku, sum(effect) AS on_hand,
       coalesce(-sum(effect) FILTER (WHERE kind = 'sale'), 0) AS sold_total,
       coalesce(sum(effect) FILTER (WHERE kind = 'return'), 0) AS returned_total,
       coalesce(sum(effect) FILTER (WHERE kind = 'receipt'), 0) AS received_total,
       min(running) AS lowest
FROM (SELECT *, sum(effect) OVER (PARTITION BY sku ORDER BY moment, step, position
                                  ROWS UNBOUNDED PRECEDING) AS running FROM changes)
GROUP BY sku
"""
