"""SKUs: bulk upsert in a handful of statements, search, and what is not yet published."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.domain.catalogue import (
    Conflict,
    Kits,
    SkuItem,
    conflicts,
    kit_conflicts,
    mapped_conflicts,
)
from services.ingest.domain.codes import Kind
from services.ingest.store.audit import MOST_NAMED, What
from services.ingest.store.configuration import clock_version, mapped_by, next_version
from services.ingest.store.database import Row, row_of, rows_of
from shared.database import audit
from shared.database.audit import Doer, Done
from shared.events.catalog_items import CatalogItem

_FIELDS = """name, category, brand, unit, life_cycle, cost, price, kit, oversell,
             stock_class, barcodes, aliases, tags, attributes"""

_STORED = text(f"SELECT sku, {_FIELDS} FROM sku WHERE sku = ANY (CAST(:skus AS text[]))")  # noqa: S608 - the columns are ours
_OWNERS = text("""
SELECT spelling, sku FROM sku_spelling
WHERE spelling = ANY (CAST(:codes AS text[])) AND sku <> ALL (CAST(:skus AS text[]))
""")
_COLLIDING = text("SELECT sku FROM sku WHERE sku = ANY (CAST(:spellings AS text[]))")
_UPSERT = text(f"""
INSERT INTO sku (sku, {_FIELDS}, version, changed_in, created_at, updated_at)
SELECT sku, {_FIELDS}, :clock, :version, :now, :now
FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS item (
    sku text, name text, category text, brand text, unit text, life_cycle text,
    cost numeric, price numeric, kit jsonb, oversell boolean, stock_class text, barcodes text[],
    aliases text[], tags text[], attributes jsonb)
ORDER BY sku
ON CONFLICT (sku) DO UPDATE
SET name = excluded.name, category = excluded.category, brand = excluded.brand,
    unit = excluded.unit, life_cycle = excluded.life_cycle, cost = excluded.cost,
    price = excluded.price, kit = excluded.kit, oversell = excluded.oversell,
    stock_class = excluded.stock_class, barcodes = excluded.barcodes, aliases = excluded.aliases,
    tags = excluded.tags, attributes = excluded.attributes,
    version = greatest(sku.version + 1, excluded.version), changed_in = excluded.changed_in,
    updated_at = excluded.updated_at
""")  # noqa: S608 - the columns are ours
_KITS_AMONG = text("""
SELECT sku FROM sku
WHERE kit <> '[]' AND sku = ANY (CAST(:codes AS text[])) AND sku <> ALL (CAST(:skus AS text[]))
""")
_KITS_CONTAINING = text("""
SELECT component ->> 'sku' AS component, sku
FROM sku, jsonb_array_elements(kit) AS component
WHERE kit <> '[]' AND component ->> 'sku' = ANY (CAST(:codes AS text[]))
  AND sku <> ALL (CAST(:skus AS text[]))
""")
_FORGET_SPELLINGS = text("DELETE FROM sku_spelling WHERE sku = ANY (CAST(:skus AS text[]))")
_ADD_SPELLINGS = text("""
INSERT INTO sku_spelling (spelling, sku)
SELECT * FROM unnest(CAST(:spellings AS text[]), CAST(:skus AS text[]))
""")
_PUBLIC = f"sku, {_FIELDS}, version, created_at, updated_at"
_ONE = text(f"SELECT {_PUBLIC} FROM sku WHERE sku = :sku")  # noqa: S608 - the columns are ours
_PAGE = text(f"SELECT {_PUBLIC} FROM sku WHERE sku > :after ORDER BY sku LIMIT :limit")  # noqa: S608 - the columns are ours
_SEARCH = text(f"""
SELECT {_PUBLIC} FROM sku
WHERE sku > :after
  AND (sku ILIKE :pattern OR name ILIKE :pattern
       OR sku IN (SELECT sku FROM sku_spelling WHERE spelling ILIKE :pattern))
ORDER BY sku LIMIT :limit
""")  # noqa: S608 - the columns are ours

# One publisher at a time: an older version must never follow a newer one into the topic.
_PUBLISHING_TURN = text("SELECT pg_try_advisory_xact_lock(hashtext('ingest.catalog.items'))")
_UNPUBLISHED = text(f"""
SELECT sku, {_FIELDS}, version, updated_at FROM sku
WHERE published_version < version ORDER BY sku LIMIT :limit
""")  # noqa: S608 - the columns are ours
# In the order in which an upsert locks them: otherwise each of the two may wait for the other.
_LOCKED = text("""
SELECT FROM sku WHERE sku = ANY (CAST(:skus AS text[])) ORDER BY sku FOR NO KEY UPDATE
""")
_PUBLISHED = text("""
UPDATE sku SET published_version = done.version
FROM unnest(CAST(:skus AS text[]), CAST(:versions AS bigint[])) AS done (sku, version)
WHERE sku.sku = done.sku
""")

_RENEW = text("""
WITH next AS (
    SELECT sku FROM sku WHERE sku > :after ORDER BY sku LIMIT :limit FOR NO KEY UPDATE
), renewed AS (
    UPDATE sku SET version = greatest(version + 1, :clock)
    FROM next WHERE sku.sku = next.sku
)
SELECT count(*) AS skus, max(sku) AS last FROM next
""")


@dataclass(frozen=True, slots=True)
class Upserted:
    """What an upsert did. With conflicts, nothing was done."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    conflicts: tuple[Conflict, ...] = ()


async def upsert(connection: AsyncConnection, items: Sequence[SkuItem], doer: Doer) -> Upserted:
    """Create or change SKUs, each named once; what stays the same is not written."""
    version = await next_version(connection)
    skus = [item.sku for item in items]
    stored = {
        row["sku"]: _stored(row)
        for row in (await connection.execute(_STORED, {"skus": skus})).mappings()
    }
    merged = [
        stored[item.sku].changed_by(item) if item.sku in stored else item.tidied() for item in items
    ]
    found = await _conflicts(connection, merged, stored)
    if found:
        return Upserted(conflicts=tuple(found))
    changed = [item for item in merged if stored.get(item.sku) != item]
    updated = sum(item.sku in stored for item in changed)
    if changed:
        await _write(connection, changed, version, doer.at)
        await _respell(connection, changed, stored)
        named = [item.sku for item in changed[:MOST_NAMED]]
        told = {"created": len(changed) - updated, "updated": updated, "skus": named}
        await audit.add(connection, doer, Done(What.SKUS_PUT, "catalogue", None, told))
    return Upserted(len(changed) - updated, updated, len(items) - len(changed))


def _stored(row: RowMapping) -> SkuItem:
    lists = {name: tuple(row[name]) for name in ("barcodes", "aliases", "tags")}
    return SkuItem.model_validate({**row, **lists})


async def _conflicts(
    connection: AsyncConnection, merged: Sequence[SkuItem], stored: Mapping[str, SkuItem]
) -> list[Conflict]:
    skus = [item.sku for item in merged]
    spellings = [spelling for item in merged for spelling in item.spellings]
    owners = await connection.execute(_OWNERS, {"codes": spellings + skus, "skus": skus})
    colliding = await connection.execute(_COLLIDING, {"spellings": spellings})
    found = conflicts(
        merged,
        frozenset(row.sku for row in colliding) | frozenset(skus),
        {row.spelling: row.sku for row in owners},
    )
    found += kit_conflicts(merged, await _kits(connection, merged, stored))
    new = [sku for sku in skus if sku not in stored]
    return found + mapped_conflicts(merged, await mapped_by(connection, Kind.SKU, new))


async def _kits(
    connection: AsyncConnection, merged: Sequence[SkuItem], stored: Mapping[str, SkuItem]
) -> Kits:
    skus = [item.sku for item in merged]
    kits = [item.sku for item in merged if item.kit]
    added = [
        spelling
        for item in merged
        for spelling in item.spellings
        if item.sku not in stored or spelling not in stored[item.sku].spellings
    ]
    if not kits and not added:
        return Kits(frozenset(), {}, {})
    components = [each.sku for item in merged for each in item.kit]
    among = await connection.execute(_KITS_AMONG, {"codes": components, "skus": skus})
    containing = await connection.execute(_KITS_CONTAINING, {"codes": kits + added, "skus": skus})
    owners = await connection.execute(_OWNERS, {"codes": components, "skus": skus})
    return Kits(
        frozenset(row.sku for row in among),
        {row.component: row.sku for row in containing},
        {row.spelling: row.sku for row in owners},
    )


async def _write(
    connection: AsyncConnection, items: Sequence[SkuItem], version: int, now: datetime
) -> None:
    documents = json.dumps([item.model_dump(mode="json") for item in items])
    values = {"items": documents, "clock": clock_version(now), "version": version, "now": now}
    await connection.execute(_UPSERT, values)


async def _respell(
    connection: AsyncConnection, items: Sequence[SkuItem], stored: dict[str, SkuItem]
) -> None:
    respelled = [
        item
        for item in items
        if item.spellings != (stored[item.sku].spellings if item.sku in stored else ())
    ]
    if not respelled:
        return
    await connection.execute(_FORGET_SPELLINGS, {"skus": [item.sku for item in respelled]})
    pairs = [(spelling, item.sku) for item in respelled for spelling in item.spellings]
    values = {"spellings": [pair[0] for pair in pairs], "skus": [pair[1] for pair in pairs]}
    await connection.execute(_ADD_SPELLINGS, values)


async def find(connection: AsyncConnection, sku: str) -> Row | None:
    """Return a SKU's master data."""
    found = (await connection.execute(_ONE, {"sku": sku})).mappings().one_or_none()
    return None if found is None else row_of(found)


async def search(
    connection: AsyncConnection, words: str | None, after: str, limit: int
) -> list[Row]:
    """Return SKUs by code, those after one; with words, where code, name or spelling has them."""
    values: dict[str, object] = {"after": after, "limit": limit}
    if words:
        escaped = words.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        found = await connection.execute(_SEARCH, {**values, "pattern": f"%{escaped}%"})
    else:
        found = await connection.execute(_PAGE, values)
    return rows_of(found.mappings())


async def unpublished(connection: AsyncConnection, limit: int) -> list[CatalogItem]:
    """Return items that catalog.items does not have in their newest version.

    Empty as well while another process is publishing; the turn ends with the transaction.
    """
    if not (await connection.execute(_PUBLISHING_TURN)).scalar_one():
        return []
    rows = await connection.execute(_UNPUBLISHED, {"limit": limit})
    names = CatalogItem.model_fields.keys()
    return [
        CatalogItem.model_validate({name: row[name] for name in names & row.keys()})
        for row in rows.mappings()
    ]


async def note_published(connection: AsyncConnection, items: Sequence[CatalogItem]) -> None:
    """Remember that the broker has items in these versions."""
    skus = [each.sku for each in items]
    await connection.execute(_LOCKED, {"skus": skus})
    values = {"skus": skus, "versions": [each.version for each in items]}
    await connection.execute(_PUBLISHED, values)


async def renew(
    connection: AsyncConnection, after: str, limit: int, now: datetime
) -> tuple[int, str]:
    """Give up to `limit` SKUs behind one a new version, so that catalog.items is told them anew.

    Returns how many, and the last of them.
    """
    values = {"after": after, "limit": limit, "clock": clock_version(now)}
    row = (await connection.execute(_RENEW, values)).one()
    return row.skus, row.last or after
