"""Parameters by SKU and warehouse, with their provenance."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from sys import intern
from typing import NamedTuple

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.parameters import (
    CATALOGUE,
    NOTHING_SET,
    Parameters,
    ParameterSet,
    Provenance,
    Source,
)

Key = tuple[str, str | None]
"""A SKU with a warehouse, or with None for all of them (an empty text in the table).

Or with CATALOGUE: what the catalogue says, which has no provenance.
"""


class Position(NamedTuple):
    """Where a reader of changes stands: after this row."""

    revision: int
    sku: str = ""
    warehouse: str = ""


_TYPES = {
    "safety_stock": "bigint",
    "reorder_point": "bigint",
    "order_quantity": "bigint",
    "moq": "bigint",
    "pack_multiple": "bigint",
    "lead_time_days": "float8",
    "lead_time_sd_days": "float8",
    "stock_class": "text",
    "supplier": "text",
    "unit_cost": "numeric",
    "price": "numeric",
}
_NAMES = ", ".join(Parameters._fields)
_ARRAYS = ", ".join(f"CAST(:{name} AS {_TYPES[name]}[])" for name in Parameters._fields)
_REPLACED = ", ".join(f"{name} = excluded.{name}" for name in Parameters._fields)

_REVISION = text("SELECT revision FROM parameter_book")

_NEXT_REVISION = text("UPDATE parameter_book SET revision = revision + 1 RETURNING revision")

_CHANGED = text(f"""
SELECT revision, sku, warehouse, {_NAMES}
FROM parameter
WHERE (revision, sku, warehouse) > (:revision, :sku, :warehouse)
ORDER BY revision, sku, warehouse
LIMIT :limit
""")  # noqa: S608 - the columns are ours

_STORED = f"sku, warehouse, {_NAMES}, provenance::text AS provenance"

_OF_KEYS = text(f"""
SELECT {_STORED}
FROM parameter
JOIN unnest(CAST(:sku AS text[]), CAST(:warehouse AS text[])) AS n (sku, warehouse)
  USING (sku, warehouse)
""")  # noqa: S608 - the columns are ours

_PUT = text(f"""
INSERT INTO parameter (sku, warehouse, revision, {_NAMES}, provenance)
SELECT n.sku, n.warehouse, CAST(:revision AS bigint), {_NAMES}, n.provenance::jsonb
FROM unnest(CAST(:sku AS text[]), CAST(:warehouse AS text[]), {_ARRAYS},
            CAST(:provenance AS text[]))
     AS n (sku, warehouse, {_NAMES}, provenance)
ON CONFLICT (sku, warehouse)
DO UPDATE SET revision = excluded.revision, {_REPLACED}, provenance = excluded.provenance
""")  # noqa: S608 - the columns are ours


async def revision(connection: AsyncConnection) -> int:
    """Return the revision of the parameters, which grows with every edit."""
    return int((await connection.execute(_REVISION)).scalar_one())


async def begin_edit(connection: AsyncConnection) -> int:
    """Take the next revision; other edits wait for this transaction."""
    return int((await connection.execute(_NEXT_REVISION)).scalar_one())


async def changed(
    connection: AsyncConnection, after: Position, limit: int
) -> tuple[list[tuple[str, str | None, Parameters]], Position]:
    """Return sets changed after a position, removed ones without values, and the new position."""
    rows = (await connection.execute(_CHANGED, {**after._asdict(), "limit": limit})).all()
    found = [(row[1], _warehouse(row[2]), _shared(Parameters._make(row[3:]))) for row in rows]
    return found, Position(*rows[-1][:3]) if rows else after


async def page(
    connection: AsyncConnection,
    after: tuple[str, str],
    limit: int,
    *,
    sku: str | None = None,
    warehouse: str | None = None,
) -> list[ParameterSet]:
    """Return sets by SKU and warehouse, those after a key (all warehouses come first)."""
    wanted = {"sku": sku, "warehouse": warehouse}
    values = {name: value for name, value in wanted.items() if value is not None}
    terms = "".join(f" AND {name} = :{name}" for name in values)
    statement = text(f"""
        SELECT {_STORED}
        FROM parameter
        WHERE provenance <> '{{}}' AND (sku, warehouse) > (:after_sku, :after_warehouse){terms}
        ORDER BY sku, warehouse
        LIMIT :limit
    """)  # noqa: S608 - the names are ours, the values bound
    after_key = {"after_sku": after[0], "after_warehouse": after[1]}
    rows = await connection.execute(statement, {**values, **after_key, "limit": limit})
    return [_stored(row) for row in rows.mappings()]


async def of_keys(connection: AsyncConnection, keys: Collection[Key]) -> Mapping[Key, ParameterSet]:
    """Return what is stored of some keys, removed sets without values."""
    columns = {
        "sku": [sku for sku, _ in keys],
        "warehouse": [warehouse or "" for _, warehouse in keys],
    }
    rows = (await connection.execute(_OF_KEYS, columns)).mappings()
    return {(each.sku, each.warehouse): each for each in map(_stored, rows)}


async def of_level(connection: AsyncConnection, sku: str, warehouse: str) -> Parameters:
    """Return what holds for a SKU in a warehouse."""
    return (await of_levels(connection, [(sku, warehouse)]))[sku, warehouse]


async def of_levels(
    connection: AsyncConnection, levels: Collection[tuple[str, str]]
) -> Mapping[tuple[str, str], Parameters]:
    """Return what holds for each of some SKUs in warehouses."""
    wider = {(sku, where) for sku, _ in levels for where in (None, CATALOGUE)}
    known = await of_keys(connection, {*levels, *wider})
    values = {key: each.values for key, each in known.items()}
    return {
        (sku, warehouse): values.get((sku, warehouse), NOTHING_SET)
        .over(values.get((sku, None), NOTHING_SET))
        .over(values.get((sku, CATALOGUE), NOTHING_SET))
        for sku, warehouse in levels
    }


def joined(level: str) -> str:
    """Return the joins that give a query what holds for its levels; see `value`."""
    return f"""
LEFT JOIN parameter AS own ON own.sku = {level}.sku AND own.warehouse = {level}.warehouse
LEFT JOIN parameter AS general ON general.sku = {level}.sku AND general.warehouse = ''
LEFT JOIN parameter AS said ON said.sku = {level}.sku AND said.warehouse = '{CATALOGUE}'
"""


def value(name: str) -> str:
    """Return what to select of the joined: the warehouse's own value wins, as everywhere."""
    return f"coalesce(own.{name}, general.{name}, said.{name})"


class Unknown(NamedTuple):
    """A SKU of which something is not known, and in which warehouses."""

    sku: str
    warehouses: list[str]


async def unknown(connection: AsyncConnection, name: str, after: str, limit: int) -> list[Unknown]:
    """Return SKUs with levels for which a parameter has no value, by SKU."""
    statement = text(f"""
        SELECT level.sku, array_agg(level.warehouse ORDER BY level.warehouse)
        FROM known_level AS level {joined("level")}
        WHERE level.sku > :after AND {value(name)} IS NULL
        GROUP BY level.sku
        ORDER BY level.sku
        LIMIT :limit
    """)  # noqa: S608 - the columns are ours
    rows = await connection.execute(statement, {"after": after, "limit": limit})
    return [Unknown(sku, list(warehouses)) for sku, warehouses in rows]


async def count_unknown(connection: AsyncConnection, names: Sequence[str]) -> dict[str, int]:
    """Return of how many SKUs with levels each parameter has no value in some warehouse."""
    counts = ", ".join(
        f"count(DISTINCT level.sku) FILTER (WHERE {value(name)} IS NULL)" for name in names
    )
    statement = text(f"SELECT {counts} FROM known_level AS level {joined('level')}")  # noqa: S608
    return dict(zip(names, (await connection.execute(statement)).one(), strict=True))


async def put(connection: AsyncConnection, sets: Sequence[ParameterSet], at_revision: int) -> None:
    """Store sets, each key once; `at_revision` comes from `begin_edit`."""
    columns: dict[str, object] = {
        name: [getattr(each.values, name) for each in sets] for name in Parameters._fields
    }
    columns |= {
        "sku": [each.sku for each in sets],
        "warehouse": [each.warehouse or "" for each in sets],
        "provenance": [_written(each.provenance.items()) for each in sets],
    }
    await connection.execute(_PUT, {**columns, "revision": at_revision})


def _stored(row: RowMapping) -> ParameterSet:
    told: dict[str, tuple[str, str, str]] = json.loads(row["provenance"])
    return ParameterSet(
        sku=row["sku"],
        warehouse=_warehouse(row["warehouse"]),
        values=Parameters._make(row[name] for name in Parameters._fields),
        provenance={
            name: Provenance(Source(source), by, datetime.fromisoformat(at))
            for name, (source, by, at) in told.items()
        },
    )


def _written(provenance: Iterable[tuple[str, Provenance]]) -> str:
    return json.dumps(
        {name: (each.source, each.by, each.at.isoformat()) for name, each in provenance}
    )


def _warehouse(stored: str) -> str | None:
    return intern(stored) or None


def _shared(values: Parameters) -> Parameters:
    """Keep one copy of the texts that thousands of sets have in common."""
    if values.stock_class is None and values.supplier is None:
        return values
    return values._replace(
        stock_class=None if values.stock_class is None else intern(values.stock_class),
        supplier=None if values.supplier is None else intern(values.supplier),
    )
