"""What a worker knows, as it survives the worker: levels with their sales, and conditions.

Written in the transaction of the batch that changed it, so a claim finds exactly what was known
at the stored position: the last version of each level, and every state that is not all right.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.condition import Condition, State
from services.alerting.domain.memory import NO_TROUGHS, Known, Staged, Territory
from services.alerting.domain.pool import sold_together, summed
from services.alerting.domain.sales import SalesHistory
from services.alerting.domain.subject import Due, LevelSubject, PoolSubject, Subject, subject_of
from services.alerting.domain.trough import Trough
from shared.database.direct import Direct
from shared.database.engine import driver
from shared.events.stock_alerts import AlertLevel, GatherReason, SubjectKind


class StoredLine(NamedTuple):
    """An incoming line as it was kept."""

    quantity: int
    due_at: datetime | None
    reference: str


class StoredLevel(NamedTuple):
    """A level as it was kept."""

    sku: str
    warehouse: str
    version: int
    on_hand: int
    incoming: int
    available: int
    low_water: int
    last_change_at: datetime
    sold_total: int
    counted_at: datetime | None
    flags: tuple[str, ...]
    supply: tuple[StoredLine, ...]
    corrected: None
    """What a message says of the past is in the troughs."""


class StoredKnown(NamedTuple):
    """A level with its sales, as they were kept."""

    level: StoredLevel
    sales: SalesHistory


_LEVEL = """
SELECT partition, sku, warehouse, version, on_hand, incoming, available, low_water,
       last_change_at, sold_total, counted_at, flags, supply, day, day_opening, first_day, sold,
       troughs
FROM known_level
"""

_CONDITION = """
SELECT partition, subject_kind, sku, warehouse, rule_id, state, level, since, due_at, known,
       shifted_from
FROM condition
"""

_LEVELS = text(f"{_LEVEL} WHERE partition = ANY(:partitions)")

_CONDITIONS = text(f"{_CONDITION} WHERE partition = ANY(:partitions)")

_ONE_LEVEL = text(f"{_LEVEL} WHERE sku = :sku AND warehouse = :warehouse")

_OF_SKUS = text(f"{_LEVEL} WHERE sku = ANY(CAST(:skus AS text[]))")

# The key begins with the rule: without some, the parts of all rules would be looked through.
_BY_RULES = f"{_CONDITION} WHERE rule_id = ANY(CAST(:rules AS text[])) AND subject_kind = :kind"

_ITS_CONDITIONS = text(f"{_BY_RULES} AND sku = :sku AND warehouse = :warehouse")

_OUTS = text("""
SELECT partition, sku, rule_id, product FROM out_option WHERE partition = ANY(:partitions)
""")

_GATHERED_CONDITIONS = text(f"{_BY_RULES} AND sku = ANY(CAST(:skus AS text[]))")

_COLUMNS = """
    unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[],
           $7::bigint[], $8::bigint[], $9::timestamptz[], $10::bigint[], $11::int[],
           $12::bigint[], $13::text[], $14::int[], $15::timestamptz[], $16::text[], $17::text[],
           $18::text[])
        AS n (sku, warehouse, partition, version, on_hand, incoming, available, low_water,
              last_change_at, sold_total, day, day_opening, sold, first_day, counted_at, flags,
              supply, troughs)
"""

_UPDATE_LEVELS = f"""
UPDATE known_level AS k
SET version = n.version, on_hand = n.on_hand, incoming = n.incoming, available = n.available,
    low_water = n.low_water, last_change_at = n.last_change_at, sold_total = n.sold_total,
    day = n.day, day_opening = n.day_opening, sold = n.sold::bigint[],
    first_day = n.first_day, counted_at = n.counted_at, flags = n.flags, supply = n.supply,
    troughs = n.troughs
FROM {_COLUMNS}
WHERE k.sku = n.sku AND k.warehouse = n.warehouse
"""  # noqa: S608 - the columns are ours

_INSERT_LEVELS = f"""
INSERT INTO known_level (sku, warehouse, partition, version, on_hand, incoming, available,
                         low_water, last_change_at, sold_total, day, day_opening, sold,
                         first_day, counted_at, flags, supply, troughs)
SELECT n.sku, n.warehouse, n.partition, n.version, n.on_hand, n.incoming, n.available,
       n.low_water, n.last_change_at, n.sold_total, n.day, n.day_opening, n.sold::bigint[],
       n.first_day, n.counted_at, n.flags, n.supply, n.troughs
FROM {_COLUMNS}
"""  # noqa: S608 - the columns are ours

_PUT_CONDITIONS = Direct("""
INSERT INTO condition (rule_id, subject_kind, sku, warehouse, partition, state, level, since,
                       due_at, known, shifted_from)
SELECT n.*
FROM unnest(CAST(:rule_id AS text[]), CAST(:kind AS text[]), CAST(:sku AS text[]),
            CAST(:warehouse AS text[]), CAST(:partition AS int[]), CAST(:state AS text[]),
            CAST(:level AS text[]), CAST(:since AS timestamptz[]), CAST(:due_at AS timestamptz[]),
            CAST(:known AS text[]), CAST(:shifted_from AS text[])) AS n
ON CONFLICT (rule_id, subject_kind, sku, warehouse)
DO UPDATE SET state = excluded.state, level = excluded.level, since = excluded.since,
              due_at = excluded.due_at, known = excluded.known,
              shifted_from = excluded.shifted_from
""")

_END_CONDITIONS = Direct("""
DELETE FROM condition AS c
USING unnest(CAST(:rule_id AS text[]), CAST(:kind AS text[]), CAST(:sku AS text[]),
             CAST(:warehouse AS text[])) AS n (rule_id, kind, sku, warehouse)
WHERE c.rule_id = n.rule_id AND c.subject_kind = n.kind
  AND c.sku = n.sku AND c.warehouse = n.warehouse
""")


async def load(connection: AsyncConnection, partitions: Collection[int]) -> dict[int, Territory]:
    """Return what is known of partitions."""
    territories = {partition: Territory() for partition in partitions}
    conditions: dict[Subject, dict[str, Condition]] = {}
    wanted = {"partitions": list(partitions)}
    pools: list[tuple[int, PoolSubject]] = []
    for row in await connection.execute(_CONDITIONS, wanted):
        kind = SubjectKind(row.subject_kind)
        subject = subject_of(kind, row.sku, row.warehouse, row.rule_id)
        conditions.setdefault(subject, {})[row.rule_id] = _condition(row)
        if isinstance(subject, PoolSubject):
            pools.append((row.partition, subject))
    for row in await connection.execute(_LEVELS, wanted):
        level = LevelSubject(row.sku, row.warehouse)
        territories[row.partition].adopt(level, _known(row, conditions.get(level, {})))
    for row in await connection.execute(_OUTS, wanted):
        outs = territories[row.partition].outs
        outs[row.sku] = {**outs.get(row.sku, {}), row.rule_id: row.product}
    for partition, pool in pools:
        # What it has is added up from its levels whenever it is looked at.
        known = Known(summed(pool.sku, pool.warehouse, ()), sold_together((), 0), conditions[pool])
        territories[partition].adopt(pool, known)
    return territories


async def one(
    connection: AsyncConnection, level: LevelSubject, rules: Collection[str]
) -> Known | None:
    """Return what is known of a level, or None when no message has told of it.

    The conditions are those of some rules, by their ids.
    """
    row = (await connection.execute(_ONE_LEVEL, level._asdict())).one_or_none()
    if row is None:
        return None
    asked = level._asdict() | {"rules": list(rules), "kind": level.kind.value}
    conditions = await connection.execute(_ITS_CONDITIONS, asked)
    return _known(row, {each.rule_id: _condition(each) for each in conditions})


async def of_skus(connection: AsyncConnection, skus: Collection[str]) -> dict[Subject, StoredKnown]:
    """Return what is known of SKUs in each warehouse, but for its conditions."""
    rows = await connection.execute(_OF_SKUS, {"skus": list(skus)})
    return {LevelSubject(row.sku, row.warehouse): _stored(row) for row in rows}


async def conditions_of(
    connection: AsyncConnection, kind: SubjectKind, skus: Collection[str], rules: Collection[str]
) -> dict[Subject, Condition]:
    """Return the conditions that rules have of the pools of SKUs, or of products; one each."""
    asked = {"kind": kind.value, "skus": list(skus), "rules": list(rules)}
    rows = await connection.execute(_GATHERED_CONDITIONS, asked)
    return {subject_of(kind, row.sku, row.warehouse, row.rule_id): _condition(row) for row in rows}


async def save_levels(connection: AsyncConnection, staged: Iterable[Staged], *, new: bool) -> None:
    """Store levels that a message told of, all of them known before or none of them."""
    rows = [
        (
            level.sku,
            level.warehouse,
            partition,
            level.version,
            level.on_hand,
            level.incoming,
            level.available,
            level.low_water,
            level.last_change_at,
            level.sold_total,
            sales.day,
            sales.opening,
            # An array of arrays must be square in PostgreSQL, so each goes as its text.
            "{" + ",".join(map(str, sales.sold)) + "}",
            sales.first_day,
            level.counted_at,
            " ".join(level.flags),
            _written(level.supply) if level.supply else _NO_LINES,
            msgspec.json.encode(troughs).decode() if troughs else "",
        )
        for partition, (level, sales, _, troughs, _), _, _ in staged
    ]
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        database = await driver(connection)
        await database.execute(_INSERT_LEVELS if new else _UPDATE_LEVELS, *columns)


async def save_conditions(
    connection: AsyncConnection,
    changed: Mapping[tuple[Subject, str], tuple[int, Condition | None]],
) -> None:
    """Store changed conditions by subject and rule; None ends one."""
    put = [
        (rule_id, subject, partition, condition)
        for (subject, rule_id), (partition, condition) in changed.items()
        if condition is not None
    ]
    if put:
        values = {
            "rule_id": [each[0] for each in put],
            "kind": [each[1].kind.value for each in put],
            "sku": [each[1].sku for each in put],
            "warehouse": [each[1].warehouse for each in put],
            "partition": [each[2] for each in put],
            "state": [each[3].state.value for each in put],
            "level": [each[3].level.value for each in put],
            "since": [each[3].since for each in put],
            "due_at": [each[3].due_at for each in put],
            "known": [each[3].known for each in put],
            "shifted_from": [each[3].shifted_from for each in put],
        }
        await _PUT_CONDITIONS.rows(connection, **values)
    ended = [key for key, (_, condition) in changed.items() if condition is None]
    if ended:
        await _END_CONDITIONS.rows(
            connection,
            rule_id=[rule_id for _, rule_id in ended],
            kind=[subject.kind.value for subject, _ in ended],
            sku=[subject.sku for subject, _ in ended],
            warehouse=[subject.warehouse for subject, _ in ended],
        )


def _known(row: Row[Any], conditions: Mapping[str, Condition]) -> Known:
    troughs = _read_troughs(row.troughs) if row.troughs else NO_TROUGHS
    # Stored with messages only: what time or an edit has ended since is left out.
    held = {rule_id: each for rule_id, each in troughs.items() if rule_id in conditions}
    return Known(*_stored(row), conditions, held)


def _stored(row: Row[Any]) -> StoredKnown:
    told = (*row[1:11], tuple(row.flags.split()), _lines(row.supply), None)
    level = StoredLevel._make(told)
    sales = SalesHistory(
        day=row.day,
        total=row.sold_total,
        opening=row.day_opening,
        first_day=row.first_day,
        sold=tuple(row.sold),
    )
    return StoredKnown(level, sales)


def _condition(row: Row[Any]) -> Condition:
    known = None if row.known is None else GatherReason(row.known)
    shifted_from = None if row.shifted_from is None else AlertLevel(row.shifted_from)
    return Condition(
        State(row.state), AlertLevel(row.level), row.since, row.due_at, known, shifted_from
    )


_NO_LINES = "[]"
_read_troughs = msgspec.json.Decoder(dict[str, Trough]).decode
_read_lines = msgspec.json.Decoder(tuple[StoredLine, ...]).decode


def _lines(stored: str) -> tuple[StoredLine, ...]:
    return () if stored == _NO_LINES else _read_lines(stored)


def _written(supply: Sequence[Due]) -> str:
    lines = [(line.quantity, line.due_at, line.reference) for line in supply]
    return msgspec.json.encode(lines).decode()
