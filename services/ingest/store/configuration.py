"""Channels, warehouses and mappings: small lists that people keep."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.domain.codes import Action, Kind, Mapping, taken
from services.ingest.store import quarantine
from services.ingest.store.audit import MOST_NAMED, What
from services.ingest.store.database import Row, row_of, rows_of
from shared.database import audit
from shared.database.audit import Doer, Done
from shared.events.catalog_warehouses import CatalogWarehouse

_NEXT_VERSION = text("UPDATE catalogue_version SET version = version + 1 RETURNING version")

_PUT_CHANNEL = text("""
INSERT INTO channel (channel, name, kind, changed_in, created_at, updated_at)
VALUES (:id, :name, :kind, :version, :now, :now)
ON CONFLICT (channel) DO UPDATE
SET name = excluded.name, kind = excluded.kind, changed_in = excluded.changed_in,
    updated_at = excluded.updated_at
RETURNING channel AS id, name, kind, created_at, updated_at
""")
_CHANNEL = text("SELECT name, kind FROM channel WHERE channel = :id")
_CHANNELS = text("""
SELECT channel AS id, name, kind, created_at, updated_at FROM channel
WHERE channel > :after ORDER BY channel LIMIT :limit
""")
_PUT_WAREHOUSE = text("""
INSERT INTO warehouse (warehouse, name, zone, version, changed_in, created_at, updated_at)
VALUES (:id, :name, :zone, :clock, :version, :now, :now)
ON CONFLICT (warehouse) DO UPDATE
SET name = excluded.name, zone = excluded.zone,
    version = greatest(warehouse.version + 1, excluded.version),
    changed_in = excluded.changed_in, updated_at = excluded.updated_at
RETURNING warehouse AS id, name, zone, created_at, updated_at
""")
_WAREHOUSE = text("SELECT name, zone FROM warehouse WHERE warehouse = :id")
_WAREHOUSES = text("""
SELECT warehouse AS id, name, zone, created_at, updated_at FROM warehouse
WHERE warehouse > :after ORDER BY warehouse LIMIT :limit
""")
# One publisher at a time: an older version must never follow a newer one into the topic.
_PUBLISHING_TURN = text("SELECT pg_try_advisory_xact_lock(hashtext('ingest.catalog.warehouses'))")
_UNPUBLISHED_WAREHOUSES = text("""
SELECT warehouse, version, name, zone, updated_at FROM warehouse
WHERE published_version < version ORDER BY warehouse LIMIT :limit
""")
_PUBLISHED_WAREHOUSES = text("""
UPDATE warehouse SET published_version = done.version
FROM unnest(CAST(:warehouses AS text[]), CAST(:versions AS bigint[])) AS done (warehouse, version)
WHERE warehouse.warehouse = done.warehouse
""")
_RENEW_WAREHOUSES = text("UPDATE warehouse SET version = greatest(version + 1, :clock)")
_PUT_MAPPINGS = text("""
INSERT INTO mapping (channel, kind, external, action, target, changed_in, updated_at)
SELECT :channel, given.*, :version, :now
FROM unnest(CAST(:kinds AS text[]), CAST(:externals AS text[]), CAST(:actions AS text[]),
            CAST(:targets AS text[])) AS given
ON CONFLICT (channel, kind, external) DO UPDATE
SET action = excluded.action, target = excluded.target, changed_in = excluded.changed_in,
    updated_at = excluded.updated_at
""")
_MAPPED = text("""
SELECT m.kind, m.external, m.action, m.target
FROM mapping AS m
JOIN unnest(CAST(:kinds AS text[]), CAST(:externals AS text[])) AS given (kind, external)
  ON m.kind = given.kind AND m.external = given.external
WHERE m.channel = :channel AND m.action <> 'remove'
""")
_MAPPINGS = text("""
SELECT kind, external, action, target, updated_at FROM mapping
WHERE channel = :channel AND action <> 'remove' AND (kind, external) > (:kind, :external)
ORDER BY kind, external LIMIT :limit
""")
_MAPPED_CODES = text("""
SELECT external, min(channel) AS channel FROM mapping
WHERE kind = :kind AND external = ANY (CAST(:codes AS text[])) AND action <> 'remove'
GROUP BY external
""")
_CHANNEL_EXISTS = text("SELECT EXISTS (SELECT FROM channel WHERE channel = :channel)")
_KNOWN_SKUS = text("SELECT sku FROM sku WHERE sku = ANY (CAST(:codes AS text[]))")
_KNOWN_WAREHOUSES = text(
    "SELECT warehouse FROM warehouse WHERE warehouse = ANY (CAST(:codes AS text[]))"
)


async def next_version(connection: AsyncConnection) -> int:
    """Take the next number of the catalogue; writers take turns from here to their commit."""
    version: int = (await connection.execute(_NEXT_VERSION)).scalar_one()
    return version


def clock_version(now: datetime) -> int:
    """Return the least version of what is changed now: milliseconds since 1970.

    A database that was put back to an earlier state counts on from numbers that readers have seen
    with other contents, and would drop; the clock does not go back with it.
    """
    return int(now.timestamp() * 1000)


async def put_channel(
    connection: AsyncConnection, channel: str, name: str, kind: str, doer: Doer
) -> Row:
    """Create or change a channel; returns it."""
    version = await next_version(connection)
    put: Row = {"name": name, "kind": kind}
    await _note_put(connection, doer, What.CHANNEL_PUT, channel, _CHANNEL, put)
    values = {"id": channel, "name": name, "kind": kind, "version": version, "now": doer.at}
    return row_of((await connection.execute(_PUT_CHANNEL, values)).mappings().one())


async def channels(connection: AsyncConnection, after: str, limit: int) -> list[Row]:
    """Return channels by id."""
    values = {"after": after, "limit": limit}
    return rows_of((await connection.execute(_CHANNELS, values)).mappings())


async def put_warehouse(
    connection: AsyncConnection, warehouse: str, name: str, zone: str, doer: Doer
) -> Row:
    """Create or change a warehouse; returns it. Raises MappedError for the new code of one."""
    version = await next_version(connection)
    if (await connection.execute(_WAREHOUSE, {"id": warehouse})).one_or_none() is None:
        mapped = await mapped_by(connection, Kind.WAREHOUSE, [warehouse])
        if mapped:
            raise MappedError(warehouse, mapped[warehouse])
    put: Row = {"name": name, "zone": zone}
    await _note_put(connection, doer, What.WAREHOUSE_PUT, warehouse, _WAREHOUSE, put)
    values = {
        "id": warehouse,
        "name": name,
        "zone": zone,
        "clock": clock_version(doer.at),
        "version": version,
        "now": doer.at,
    }
    return row_of((await connection.execute(_PUT_WAREHOUSE, values)).mappings().one())


async def warehouses(connection: AsyncConnection, after: str, limit: int) -> list[Row]:
    """Return warehouses by id."""
    values = {"after": after, "limit": limit}
    return rows_of((await connection.execute(_WAREHOUSES, values)).mappings())


async def _note_put(
    connection: AsyncConnection,
    doer: Doer,
    what: What,
    id_: str,
    stored: TextClause,
    put: Row,
) -> None:
    """Note in the audit what is put, before it is written, unless it is `stored` already."""
    found = (await connection.execute(stored, {"id": id_})).mappings().one_or_none()
    before = None if found is None else row_of(found)
    if before != put:
        await audit.add(connection, doer, Done(what, id_, before, put))


async def renew_warehouses(connection: AsyncConnection, now: datetime) -> int:
    """Give all warehouses a new version, so that they are told anew; returns how many."""
    found = await connection.execute(_RENEW_WAREHOUSES, {"clock": clock_version(now)})
    return found.rowcount


async def unpublished_warehouses(connection: AsyncConnection, limit: int) -> list[CatalogWarehouse]:
    """Return warehouses that catalog.warehouses does not have in their newest version.

    Empty as well while another process is publishing; the turn ends with the transaction.
    """
    if not (await connection.execute(_PUBLISHING_TURN)).scalar_one():
        return []
    rows = await connection.execute(_UNPUBLISHED_WAREHOUSES, {"limit": limit})
    return [CatalogWarehouse.model_validate(dict(row)) for row in rows.mappings()]


async def note_published_warehouses(
    connection: AsyncConnection, warehouses: Sequence[CatalogWarehouse]
) -> None:
    """Remember that the broker has warehouses in these versions."""
    values = {
        "warehouses": [each.warehouse for each in warehouses],
        "versions": [each.version for each in warehouses],
    }
    await connection.execute(_PUBLISHED_WAREHOUSES, values)


class MappedError(Exception):
    """A channel has a mapping of a code: what is called so itself would silently end that."""

    def __init__(self, code: str, channel: str) -> None:
        super().__init__(taken(code, channel))


async def mapped_by(
    connection: AsyncConnection, kind: Kind, codes: Collection[str]
) -> dict[str, str]:
    """Return of some codes those that a channel has a mapping of, each with one such channel."""
    found = await connection.execute(_MAPPED_CODES, {"kind": kind.value, "codes": list(codes)})
    return {row.external: row.channel for row in found}


@dataclass(frozen=True, slots=True)
class PutMappings:
    """What came of putting mappings; where channel or targets are missing, nothing was written.

    Nor where a code is `own`, a SKU's or warehouse's: it stands for that before any mapping of it.
    `waiting_again` are entries of the quarantine that were ignored for one of the codes.
    """

    channel_exists: bool
    missing: frozenset[tuple[Kind, str]] = frozenset()
    own: frozenset[tuple[Kind, str]] = frozenset()
    waiting_again: tuple[int, ...] = ()


async def put_mappings(
    connection: AsyncConnection, channel: str, mappings: Sequence[Mapping], doer: Doer
) -> PutMappings:
    """Create or change mappings of one channel; no spelling may appear twice."""
    version = await next_version(connection)
    if not await _channel_exists(connection, channel):
        return PutMappings(channel_exists=False)
    targets = {(each.kind, each.target) for each in mappings if each.target is not None}
    missing = targets - await _own_codes(connection, targets)
    meant = {
        (each.kind, each.external)
        for each in mappings
        if each.action is not Action.REMOVE and each.target != each.external
    }
    own = await _own_codes(connection, meant)
    waiting_again: tuple[int, ...] = ()
    if not missing and not own:
        values = {
            "channel": channel,
            "version": version,
            "now": doer.at,
            "kinds": [each.kind.value for each in mappings],
            "externals": [each.external for each in mappings],
            "actions": [each.action.value for each in mappings],
            "targets": [each.target for each in mappings],
        }
        rows = (await connection.execute(_MAPPED, values)).mappings()
        stored = {(row["kind"], row["external"]): row_of(row) for row in rows}
        await audit.add(connection, doer, *_done(channel, mappings, stored))
        await connection.execute(_PUT_MAPPINGS, values)
        others = [each for each in mappings if each.action is not Action.IGNORE]
        waiting_again = await quarantine.wait_again(
            connection,
            channel,
            [each.external for each in others if each.kind is Kind.SKU],
            [each.external for each in others if each.kind is Kind.WAREHOUSE],
        )
    return PutMappings(
        channel_exists=True, missing=frozenset(missing), own=own, waiting_again=waiting_again
    )


def _done(
    channel: str, mappings: Sequence[Mapping], stored: dict[tuple[str, str], Row]
) -> list[Done]:
    """Return what the audit has of mappings, if any is another one than is `stored`."""
    given: dict[tuple[str, str], Row | None] = {
        (each.kind.value, each.external): None if each.action is Action.REMOVE else _shown(each)
        for each in mappings
    }
    changed = [key for key, mapping in given.items() if mapping != stored.get(key)]
    named = changed[:MOST_NAMED]
    before = {"mappings": [stored[key] for key in named if key in stored]}
    after = {"mappings": [each for key in named if (each := given[key]) is not None]}
    done = Done(What.MAPPINGS_PUT, channel, before, {"changed": len(changed)} | after)
    return [done] if changed else []


def _shown(mapping: Mapping) -> Row:
    fields = {name: value for name, value in asdict(mapping).items() if name != "channel"}
    return fields | {"kind": mapping.kind.value, "action": mapping.action.value}


async def _channel_exists(connection: AsyncConnection, channel: str) -> bool:
    exists: bool = (await connection.execute(_CHANNEL_EXISTS, {"channel": channel})).scalar_one()
    return exists


async def _own_codes(
    connection: AsyncConnection, codes: Collection[tuple[Kind, str]]
) -> frozenset[tuple[Kind, str]]:
    """Return those of some codes that are a SKU's or warehouse's own."""
    known: set[tuple[Kind, str]] = set()
    for kind, question in ((Kind.SKU, _KNOWN_SKUS), (Kind.WAREHOUSE, _KNOWN_WAREHOUSES)):
        some = [code for each, code in codes if each is kind]
        if some:
            found = await connection.execute(question, {"codes": some})
            known.update((kind, row[0]) for row in found)
    return frozenset(known)


async def mappings_of(
    connection: AsyncConnection, channel: str, after: tuple[str, str], limit: int
) -> list[Row] | None:
    """Return a channel's mappings by (kind, external) after a pair; None: no such channel."""
    if not await _channel_exists(connection, channel):
        return None
    kind, external = after
    values = {"channel": channel, "kind": kind, "external": external, "limit": limit}
    return rows_of((await connection.execute(_MAPPINGS, values)).mappings())
