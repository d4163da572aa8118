"""The quarantine: durable before anything is answered, in order of arrival."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.domain.quarantine import Entry, Reason, State
from services.ingest.store.audit import MOST_NAMED, What
from services.ingest.store.database import Row, rows_of
from shared.database import audit
from shared.database.audit import Doer, Done

# A repeat changes nothing, but what was dropped as ignored waits again: its mapping is gone.
_PUT = text("""
INSERT INTO quarantine (
    reason, state, detail, payload, channel, event_id, line, sku, warehouse, counterparty,
    unknown_sku, unknown_warehouse, unknown_counterparty, first_payload, identity,
    source_topic, source_partition, source_offset, occurred_at, received_at, recorded_at)
SELECT reason, 'waiting', detail, payload, channel, event_id, line, sku, warehouse, counterparty,
    unknown_sku, unknown_warehouse, unknown_counterparty, first_payload, identity,
    source_topic, source_partition, source_offset, occurred_at, received_at, :now
FROM unnest(
    CAST(:reason AS text[]), CAST(:detail AS text[]), CAST(:payload AS text[]),
    CAST(:channel AS text[]), CAST(:event_id AS text[]), CAST(:line AS text[]),
    CAST(:sku AS text[]), CAST(:warehouse AS text[]), CAST(:counterparty AS text[]),
    CAST(:unknown_sku AS text[]), CAST(:unknown_warehouse AS text[]),
    CAST(:unknown_counterparty AS text[]), CAST(:first_payload AS text[]),
    CAST(:identity AS bytea[]), CAST(:source_topic AS text[]),
    CAST(:source_partition AS int[]), CAST(:source_offset AS bigint[]),
    CAST(:occurred_at AS timestamptz[]), CAST(:received_at AS timestamptz[]))
  WITH ORDINALITY AS entry (
    reason, detail, payload, channel, event_id, line, sku, warehouse, counterparty,
    unknown_sku, unknown_warehouse, unknown_counterparty, first_payload, identity,
    source_topic, source_partition, source_offset, occurred_at, received_at, ordinality)
ORDER BY ordinality
ON CONFLICT DO NOTHING
""")
_WAIT_AGAIN = text("""
UPDATE quarantine SET state = 'waiting', replayed_at = NULL
WHERE identity = ANY (CAST(:identity AS bytea[])) AND state = 'ignored'
""")
# It was dropped for one of these codes, whether that was what was unknown about it or not.
_MEANT_OTHERWISE = text("""
UPDATE quarantine SET state = 'waiting', replayed_at = NULL
WHERE state = 'ignored' AND channel = :channel
  AND (sku = ANY (CAST(:skus AS text[])) OR warehouse = ANY (CAST(:warehouses AS text[]))
       OR counterparty = ANY (CAST(:warehouses AS text[])))
RETURNING id
""")
_DISMISS = text("""
UPDATE quarantine SET state = 'dismissed', replayed_at = NULL
WHERE id = ANY (CAST(:ids AS bigint[])) AND state = 'waiting'
RETURNING id
""")
_REOPEN = text("""
UPDATE quarantine SET state = 'waiting', replayed_at = NULL
WHERE id = ANY (CAST(:ids AS bigint[])) AND state IN ('ignored', 'dismissed')
RETURNING id
""")

_MATCHES = """
    (CAST(:state AS text) IS NULL OR state = :state)
AND (CAST(:reason AS text) IS NULL OR reason = :reason)
AND (CAST(:channel AS text) IS NULL OR channel = :channel)
AND (CAST(:code AS text) IS NULL
     OR :code IN (unknown_sku, unknown_warehouse, unknown_counterparty)
     OR :code IN (sku, warehouse, counterparty))
AND (CAST(:ids AS bigint[]) IS NULL OR id = ANY (CAST(:ids AS bigint[])))
AND (CAST(:spellings AS text[]) IS NULL
     OR unknown_sku = ANY (CAST(:spellings AS text[]))
     OR unknown_warehouse = ANY (CAST(:spellings AS text[]))
     OR unknown_counterparty = ANY (CAST(:spellings AS text[])))
"""
_LIST = text(f"""
SELECT id, reason, state, channel, event_id, line, sku, warehouse, counterparty, unknown_sku,
       unknown_warehouse, unknown_counterparty, detail, payload, first_payload, source_topic,
       source_partition, source_offset, occurred_at, received_at, recorded_at, replayed_at
FROM quarantine WHERE id > :after AND {_MATCHES} ORDER BY id LIMIT :limit
""")  # noqa: S608 - the conditions are ours
# Locked in order of arrival: a second replay of the same entries waits, then finds them done.
_TAKE = text(f"""
SELECT id, reason, payload FROM quarantine
WHERE id > :after AND {_MATCHES} ORDER BY id LIMIT :limit FOR UPDATE
""")  # noqa: S608 - the conditions are ours
_SETTLE = text("""
UPDATE quarantine SET state = :state, replayed_at = :now
WHERE id = ANY (CAST(:ids AS bigint[]))
""")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are meant; None stands for any.

    `code` is a SKU, warehouse or counterparty as it was sent; `spellings` are codes of which one
    is unknown to the entry.
    """

    state: State | None = State.WAITING
    reason: Reason | None = None
    channel: str | None = None
    code: str | None = None
    ids: tuple[int, ...] | None = None
    spellings: tuple[str, ...] | None = None

    def values(self) -> dict[str, object]:
        """Return the filter as the queries' parameters."""
        return {
            "state": self.state,
            "reason": self.reason,
            "channel": self.channel,
            "code": self.code,
            "ids": None if self.ids is None else list(self.ids),
            "spellings": None if self.spellings is None else list(self.spellings),
        }


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry taken for a replay."""

    id: int
    reason: str
    payload: str


async def put(connection: AsyncConnection, entries: Sequence[Entry], now: datetime) -> None:
    """Store entries in their order; those that are there already stay as they are."""
    if not entries:
        return
    plain = (
        *("detail", "payload", "channel", "event_id", "line", "sku", "warehouse"),
        *("counterparty", "unknown_sku", "unknown_warehouse", "unknown_counterparty"),
        *("first_payload", "identity", "occurred_at", "received_at"),
    )
    values: dict[str, object] = {
        name: [getattr(entry, name) for entry in entries] for name in plain
    }
    values["reason"] = [str(entry.reason) for entry in entries]
    values["source_topic"] = [each.source and each.source.topic for each in entries]
    values["source_partition"] = [each.source and each.source.partition for each in entries]
    values["source_offset"] = [each.source and each.source.offset for each in entries]
    await connection.execute(_PUT, {**values, "now": now})
    await connection.execute(_WAIT_AGAIN, {"identity": values["identity"]})


async def entries(
    connection: AsyncConnection, matching: Filter, after: int, limit: int
) -> list[Row]:
    """Return entries in order of arrival, those after an id."""
    values = {**matching.values(), "after": after, "limit": limit}
    return rows_of((await connection.execute(_LIST, values)).mappings())


async def take(
    connection: AsyncConnection, matching: Filter, after: int, limit: int
) -> list[Waiting]:
    """Lock entries in order of arrival until the transaction ends."""
    values = {**matching.values(), "after": after, "limit": limit}
    rows = await connection.execute(_TAKE, values)
    return [Waiting(row.id, row.reason, row.payload) for row in rows]


async def settle(
    connection: AsyncConnection, ids: Collection[int], state: State, now: datetime
) -> None:
    """Note what became of entries."""
    if ids:
        await connection.execute(_SETTLE, {"ids": list(ids), "state": state.value, "now": now})


async def wait_again(
    connection: AsyncConnection,
    channel: str,
    skus: Collection[str],
    warehouses: Collection[str],
) -> tuple[int, ...]:
    """Let entries of a channel wait that were ignored and name such a code; returns their ids."""
    values = {"channel": channel, "skus": list(skus), "warehouses": list(warehouses)}
    rows = await connection.execute(_MEANT_OTHERWISE, values)
    return tuple(sorted(row.id for row in rows))


async def dismiss(connection: AsyncConnection, ids: Collection[int], doer: Doer) -> int:
    """Let entries wait no longer, without sending them; returns how many waited until now."""
    return await _move(connection, _DISMISS, ids, doer, What.QUARANTINE_DISMISSED)


async def reopen(connection: AsyncConnection, ids: Collection[int], doer: Doer) -> int:
    """Let entries wait that were ignored or dismissed; returns how many."""
    return await _move(connection, _REOPEN, ids, doer, What.QUARANTINE_REOPENED)


async def _move(
    connection: AsyncConnection, change: TextClause, ids: Collection[int], doer: Doer, what: What
) -> int:
    moved = sorted(row.id for row in await connection.execute(change, {"ids": sorted(ids)}))
    if moved:
        told = {"entries": len(moved), "ids": moved[:MOST_NAMED]}
        await audit.add(connection, doer, Done(what, "quarantine", None, told))
    return len(moved)
