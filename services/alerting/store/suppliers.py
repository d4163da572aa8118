"""Who is ordered from."""

from collections.abc import Collection
from dataclasses import asdict

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.suppliers import Supplier

_SUPPLIER = """
SELECT id, name, language, timezone, email, minimum, order_weekdays, order_hour, days_since
FROM supplier
"""

_PAGE = text(f"{_SUPPLIER} WHERE id > :after ORDER BY id LIMIT :limit")

_ONE = text(f"{_SUPPLIER} WHERE id = :id")

_SOME = text(f"{_SUPPLIER} WHERE id = ANY(CAST(:ids AS text[]))")

_PUT = text("""
INSERT INTO supplier AS s
    (id, name, language, timezone, email, minimum, order_weekdays, order_hour, days_since)
VALUES (:id, :name, :language, :timezone, :email, :minimum, CAST(:order_weekdays AS integer[]),
        :order_hour, :days_since)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, language = excluded.language, timezone = excluded.timezone,
    email = excluded.email, minimum = excluded.minimum,
    order_weekdays = excluded.order_weekdays, order_hour = excluded.order_hour,
    days_since = CASE
        WHEN (s.order_weekdays, s.order_hour, s.timezone)
             = (excluded.order_weekdays, excluded.order_hour, excluded.timezone) THEN s.days_since
        ELSE excluded.days_since END
""")

_DELETE = text("DELETE FROM supplier WHERE id = :id")


async def page(connection: AsyncConnection, after: str, limit: int) -> list[Supplier]:
    """Return suppliers by id, those after an id."""
    rows = await connection.execute(_PAGE, {"after": after, "limit": limit})
    return [_supplier(row) for row in rows.mappings()]


async def one(connection: AsyncConnection, supplier_id: str) -> Supplier | None:
    """Return a supplier."""
    row = (await connection.execute(_ONE, {"id": supplier_id})).mappings().one_or_none()
    return None if row is None else _supplier(row)


async def some(connection: AsyncConnection, ids: Collection[str | None]) -> dict[str, Supplier]:
    """Return suppliers by id, those of `ids` that there are."""
    rows = await connection.execute(_SOME, {"ids": [each for each in ids if each is not None]})
    return {each.id: each for each in map(_supplier, rows.mappings())}


async def put(connection: AsyncConnection, supplier: Supplier) -> None:
    """Store a supplier; `days_since` only where its order days are other ones than before."""
    values = asdict(supplier) | {"order_weekdays": list(supplier.order_weekdays)}
    await connection.execute(_PUT, values)


async def delete(connection: AsyncConnection, supplier_id: str) -> None:
    """Delete a supplier; what was ordered stays as it is."""
    await connection.execute(_DELETE, {"id": supplier_id})


def _supplier(row: RowMapping) -> Supplier:
    return Supplier(**{**row, "order_weekdays": tuple(row["order_weekdays"])})
