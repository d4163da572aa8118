"""Groups of warehouses that the table of responsibilities may name."""

from collections.abc import Collection
from dataclasses import asdict, dataclass

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class WarehouseGroup:
    """Warehouses that go together: each once, by code."""

    id: str
    name: str
    warehouses: tuple[str, ...]


_GROUP = "SELECT id, name, warehouses FROM warehouse_group"

_PAGE = text(f"{_GROUP} WHERE id > :after ORDER BY id LIMIT :limit")

_ONE = text(f"{_GROUP} WHERE id = :id")

_KNOWN = text("SELECT id FROM warehouse_group WHERE id = ANY(CAST(:ids AS text[]))")

_MEMBERS = text("SELECT id, warehouses FROM warehouse_group")

_PUT = text("""
INSERT INTO warehouse_group (id, name, warehouses)
VALUES (:id, :name, CAST(:warehouses AS text[]))
ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, warehouses = EXCLUDED.warehouses
""")

_NAMED = text("SELECT position FROM responsibility WHERE warehouse_group = :id ORDER BY position")

_DELETE = text("DELETE FROM warehouse_group WHERE id = :id")


async def page(connection: AsyncConnection, after: str, limit: int) -> list[WarehouseGroup]:
    """Return groups by id, those after an id."""
    rows = await connection.execute(_PAGE, {"after": after, "limit": limit})
    return [_group(row) for row in rows.mappings()]


async def one(connection: AsyncConnection, group_id: str) -> WarehouseGroup | None:
    """Return a group."""
    row = (await connection.execute(_ONE, {"id": group_id})).mappings().one_or_none()
    return None if row is None else _group(row)


async def known(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Return which of some ids are those of groups."""
    return set((await connection.execute(_KNOWN, {"ids": list(ids)})).scalars())


async def members(connection: AsyncConnection) -> dict[str, list[str]]:
    """Return the warehouses of every group, by the group's id."""
    return {row.id: row.warehouses for row in await connection.execute(_MEMBERS)}


async def put(connection: AsyncConnection, group: WarehouseGroup) -> None:
    """Store a group."""
    await connection.execute(_PUT, asdict(group) | {"warehouses": list(group.warehouses)})


async def delete(connection: AsyncConnection, group_id: str) -> list[str]:
    """Delete a group, unless rows of the table name it still: returns which, from 0."""
    rows = await connection.execute(_NAMED, {"id": group_id})
    places = [f"row {row.position - 1} of the table of responsibilities" for row in rows]
    if not places:
        await connection.execute(_DELETE, {"id": group_id})
    return places


def _group(row: RowMapping) -> WarehouseGroup:
    return WarehouseGroup(**{**row, "warehouses": tuple(row["warehouses"])})
