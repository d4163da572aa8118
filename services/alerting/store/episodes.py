"""Episodes as they stand, and writing them with their history and their notices at once."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.draft import Announcement
from services.alerting.domain.people import Responsibilities
from services.alerting.domain.subject import Subject, subject_of
from services.alerting.store import addressing, covering, last_heard, silences
from shared.database.direct import Direct
from shared.events.stock_alerts import (
    AlertEvent,
    AlertFacts,
    AlertLevel,
    AlertRule,
    AtRisk,
    Gather,
    Hush,
    Recipient,
    StockAlert,
    SubjectKind,
)
from shared.observability import tracing

Key = tuple[str, Subject]
"""A rule and what it watches: one episode of the two is open at the most."""


@dataclass(slots=True)
class Episode:
    """An alert as it stands, with the notices and history that this transaction adds."""

    id: UUID
    number: int
    revision: int
    rule: AlertRule
    subject: Subject
    sku_name: str | None
    labels: dict[str, str]
    level: AlertLevel
    facts: AlertFacts
    opened_at: datetime
    resolved_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    owner: str | None = None
    snoozed_until: datetime | None = None
    untold: bool = False
    """Whether something that people should know was kept from them."""
    stock_class: str | None = None
    """As it stands; the one that it opened with is written then, for reviews."""
    supplier: str | None = None
    at_risk: AtRisk | None = None
    held_back: bool = False
    """Whether people are not told because its owner was interrupted often enough."""
    is_new: bool = False
    category: str | None = None
    """Of the SKU, when it opened; written then, and read only where it is asked for."""
    playbook: str | None = None
    """The playbook that it takes up in this transaction, as JSON."""

    def take_on(self, actor: str | None, at: datetime) -> bool:
        """Note who sees to it, and owns it if nobody does; False where somebody does already."""
        if self.acknowledged_at is not None:
            return False
        self.acknowledged_at, self.acknowledged_by = at, actor
        self.owner = self.owner or actor
        return True


@dataclass(frozen=True, slots=True)
class Entry:
    """One revision: what history keeps and what the outbox sends."""

    notice: StockAlert
    reason: str | None
    actor: str | None
    trace: str | None


_STORED = """
    a.id, a.number, a.revision, a.rule::text AS rule, a.subject_kind, a.sku, a.warehouse,
    a.sku_name, a.labels::text AS labels, a.level, a.facts::text AS facts, a.opened_at,
    a.resolved_at, a.acknowledged_at, a.acknowledged_by, a.owner, a.snoozed_until, a.untold,
    a.stock_class, a.supplier, a.at_risk_units, a.at_risk_money, a.at_risk_left_out, a.held_back
"""

_OPEN = Direct(f"""
SELECT {_STORED}
FROM alert AS a
JOIN unnest(CAST(:rule_id AS text[]), CAST(:kind AS text[]), CAST(:sku AS text[]),
            CAST(:warehouse AS text[])) AS n (rule_id, kind, sku, warehouse)
  ON a.rule_id = n.rule_id AND a.subject_kind = n.kind
     AND a.sku = n.sku AND a.warehouse = n.warehouse
WHERE a.resolved_at IS NULL
ORDER BY a.id
FOR UPDATE OF a
""")  # noqa: S608 - the columns are ours

_ONE = text(f"SELECT {_STORED} FROM alert AS a WHERE a.id = :id FOR UPDATE")  # noqa: S608 - as above

_LOCK = text("SELECT FROM alert WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE")

RECOVERS = """
    EXISTS (SELECT FROM condition AS r
            WHERE r.rule_id = a.rule_id AND r.subject_kind = a.subject_kind AND r.sku = a.sku
              AND r.warehouse = a.warehouse AND r.state = 'recovering')
"""
"""Whether what an open alert `a` warns of is over, but not yet for its recovery time."""

# What keeps them from being told is over: no snooze, no silence, and no action that covers them.
_TO_REMIND = text(f"""
SELECT {_STORED}
FROM alert AS a
WHERE a.resolved_at IS NULL AND (a.untold OR a.snoozed_until IS NOT NULL)
  AND (a.snoozed_until IS NULL OR a.snoozed_until <= :now)
  AND NOT EXISTS (SELECT FROM silence AS s WHERE {silences.COVERS})
  AND NOT {covering.IS_COVERED}
  AND NOT {RECOVERS}
ORDER BY a.id
LIMIT :limit
FOR UPDATE OF a SKIP LOCKED
""")  # noqa: S608 - the columns and the condition are ours

_SOME = text(f"""
SELECT {_STORED} FROM alert AS a WHERE a.id = ANY(CAST(:ids AS uuid[])) ORDER BY a.id FOR UPDATE
""")  # noqa: S608 - the columns are ours

_NUMBERS = Direct("SELECT nextval('alert_number') FROM generate_series(1, :count)")

_COLUMNS = """
    unnest(CAST(:id AS uuid[]), CAST(:number AS bigint[]), CAST(:revision AS int[]),
           CAST(:rule_id AS text[]), CAST(:kind AS text[]), CAST(:sku AS text[]),
           CAST(:warehouse AS text[]), CAST(:sku_name AS text[]), CAST(:level AS text[]),
           CAST(:rule AS text[]), CAST(:labels AS text[]), CAST(:facts AS text[]),
           CAST(:opened_at AS timestamptz[]), CAST(:resolved_at AS timestamptz[]),
           CAST(:acknowledged_at AS timestamptz[]), CAST(:acknowledged_by AS text[]),
           CAST(:owner AS text[]), CAST(:snoozed_until AS timestamptz[]),
           CAST(:untold AS boolean[]), CAST(:stock_class AS text[]), CAST(:supplier AS text[]),
           CAST(:at_risk_units AS float8[]), CAST(:at_risk_money AS numeric[]),
           CAST(:at_risk_left_out AS int[]), CAST(:held_back AS boolean[]),
           CAST(:category AS text[]), CAST(:playbook AS text[]))
        AS n (id, number, revision, rule_id, kind, sku, warehouse, sku_name, level, rule, labels,
              facts, opened_at, resolved_at, acknowledged_at, acknowledged_by, owner,
              snoozed_until, untold, stock_class, supplier, at_risk_units, at_risk_money,
              at_risk_left_out, held_back, category, playbook)
"""

_INSERT = Direct(f"""
INSERT INTO alert (id, number, revision, rule_id, subject_kind, sku, warehouse, sku_name, level,
                   rule, labels, facts, opened_at, resolved_at, owner, untold,
                   stock_class, opened_class, supplier, at_risk_units, at_risk_money,
                   at_risk_left_out, held_back, category, playbook)
SELECT n.id, n.number, n.revision, n.rule_id, n.kind, n.sku, n.warehouse, n.sku_name, n.level,
       n.rule::jsonb, n.labels::jsonb, n.facts::jsonb, n.opened_at, n.resolved_at, n.owner,
       n.untold, n.stock_class, n.stock_class, n.supplier, n.at_risk_units, n.at_risk_money,
       n.at_risk_left_out, n.held_back, n.category, n.playbook::jsonb
FROM {_COLUMNS}
""")  # noqa: S608 - the columns are ours

_UPDATE = Direct(f"""
UPDATE alert AS a
SET revision = n.revision, level = n.level, rule = n.rule::jsonb, labels = n.labels::jsonb,
    facts = n.facts::jsonb, sku_name = n.sku_name, resolved_at = n.resolved_at,
    acknowledged_at = n.acknowledged_at, acknowledged_by = n.acknowledged_by, owner = n.owner,
    snoozed_until = n.snoozed_until, untold = n.untold, stock_class = n.stock_class,
    supplier = n.supplier, at_risk_units = n.at_risk_units, at_risk_money = n.at_risk_money,
    at_risk_left_out = n.at_risk_left_out, held_back = n.held_back,
    playbook = coalesce(n.playbook::jsonb, a.playbook)
FROM {_COLUMNS}
WHERE a.id = n.id
""")  # noqa: S608 - the columns are ours

_HISTORY = Direct("""
INSERT INTO alert_history (alert_id, revision, event, level, previous_level, reason, facts,
                           occurred_at, recorded_at, tell_at, actor, note, hush, told)
SELECT n.alert_id, n.revision, n.event, n.level, n.previous_level, n.reason, n.facts::jsonb,
       n.occurred_at, n.recorded_at, n.tell_at, n.actor, n.note, n.hush::jsonb,
       string_to_array(n.told, '|')
FROM unnest(CAST(:alert_id AS uuid[]), CAST(:revision AS int[]), CAST(:event AS text[]),
            CAST(:level AS text[]), CAST(:previous_level AS text[]), CAST(:reason AS text[]),
            CAST(:facts AS text[]), CAST(:occurred_at AS timestamptz[]),
            CAST(:recorded_at AS timestamptz[]), CAST(:tell_at AS timestamptz[]),
            CAST(:actor AS text[]), CAST(:note AS text[]), CAST(:hush AS text[]),
            CAST(:told AS text[]))
     AS n (alert_id, revision, event, level, previous_level, reason, facts, occurred_at,
           recorded_at, tell_at, actor, note, hush, told)
""")

_OUTBOX = Direct("""
INSERT INTO outbox (alert_id, value, traceparent)
SELECT n.alert_id, n.value, n.traceparent
FROM unnest(CAST(:alert_id AS uuid[]), CAST(:value AS text[]), CAST(:traceparent AS text[]))
     WITH ORDINALITY AS n (alert_id, value, traceparent, position)
ORDER BY n.position
""")


async def open_episodes(
    connection: AsyncConnection, announcements: Iterable[Announcement]
) -> dict[Key, Episode]:
    """Return the open episodes that announcements speak of, locked in the order of their ids."""
    keys = list({(each.rule.id, each.subject): None for each in announcements})
    values = {
        "rule_id": [rule_id for rule_id, _ in keys],
        "kind": [subject.kind.value for _, subject in keys],
        "sku": [subject.sku for _, subject in keys],
        "warehouse": [subject.warehouse for _, subject in keys],
    }
    episodes = [_episode(row) for row in await _OPEN.rows(connection, **values)]
    return {(episode.rule.id, episode.subject): episode for episode in episodes}


async def locked(connection: AsyncConnection, alert_id: UUID) -> Episode | None:
    """Return an episode, open or not, locked; None when there is no such alert."""
    row = (await connection.execute(_ONE, {"id": alert_id})).mappings().one_or_none()
    return None if row is None else _episode(row)


async def lock(connection: AsyncConnection, ids: Iterable[UUID]) -> None:
    """Lock those of some alerts that there are, in the order of their ids.

    Before any is changed: whoever has several in hand takes them in this order.
    """
    await connection.execute(_LOCK, {"ids": list(ids)})


async def to_remind(connection: AsyncConnection, now: datetime, limit: int) -> list[Episode]:
    """Return open episodes that people were not told of and now may be, locked.

    Their facts are those of the subject as it was last heard of.
    """
    rows = await connection.execute(_TO_REMIND, {"now": now, "limit": limit})
    return await _present(connection, [_episode(row) for row in rows.mappings()])


async def present(connection: AsyncConnection, ids: Collection[UUID]) -> list[Episode]:
    """Return episodes, locked, with facts of the subject as it was last heard of."""
    rows = await connection.execute(_SOME, {"ids": list(ids)})
    return await _present(connection, [_episode(row) for row in rows.mappings()])


async def numbers(connection: AsyncConnection, count: int) -> list[int]:
    """Return so many running numbers for new episodes."""
    return [number for [number] in await _NUMBERS.rows(connection, count=count)] if count else []


async def _present(connection: AsyncConnection, episodes: list[Episode]) -> list[Episode]:
    heard = await last_heard.of_alerts(connection, [each.id for each in episodes])
    for each in episodes:
        if each.id in heard:
            each.facts = heard[each.id].told(each.facts)
    return episodes


def _episode(row: RowMapping) -> Episode:
    rule, kind = AlertRule.model_validate_json(row["rule"]), SubjectKind(row["subject_kind"])
    return Episode(
        id=row["id"],
        number=row["number"],
        revision=row["revision"],
        rule=rule,
        subject=subject_of(kind, row["sku"], row["warehouse"], rule.id),
        sku_name=row["sku_name"],
        labels=json.loads(row["labels"]),
        level=AlertLevel(row["level"]),
        facts=AlertFacts.model_validate_json(row["facts"]),
        opened_at=row["opened_at"],
        resolved_at=row["resolved_at"],
        acknowledged_at=row["acknowledged_at"],
        acknowledged_by=row["acknowledged_by"],
        owner=row["owner"],
        snoozed_until=row["snoozed_until"],
        untold=row["untold"],
        stock_class=row["stock_class"],
        supplier=row["supplier"],
        at_risk=at_risk_of(row),
        held_back=row["held_back"],
    )


def at_risk_of(row: RowMapping) -> AtRisk | None:
    """Return what a row of an alert says is at risk."""
    units = row["at_risk_units"]
    if units is None:
        return None
    return AtRisk(units=units, money=row["at_risk_money"], left_out=row["at_risk_left_out"])


def notice_of(
    episode: Episode,
    event: AlertEvent,
    *,
    occurred_at: datetime,
    recorded_at: datetime,
    previous_level: AlertLevel | None = None,
    hush: Hush | None = None,
    gather: Gather | None = None,
    note: str | None = None,
    actor: str | None = None,
    to: tuple[Recipient, ...] = (),
) -> StockAlert:
    """Return the notice of an episode's present revision."""
    return StockAlert(
        alert_id=episode.id,
        number=episode.number,
        revision=episode.revision,
        event=event,
        level=episode.level,
        previous_level=previous_level,
        rule=episode.rule,
        subject=episode.subject.kind,
        sku=episode.subject.sku,
        sku_name=episode.sku_name,
        warehouse=episode.subject.warehouse,
        labels=episode.labels,
        facts=episode.facts,
        opened_at=episode.opened_at,
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        acknowledged_by=episode.acknowledged_by,
        owner=episode.owner,
        stock_class=episode.stock_class,
        supplier=episode.supplier,
        at_risk=episode.at_risk,
        gather=gather,
        snoozed_until=episode.snoozed_until,
        hush=hush,
        note=note,
        actor=actor,
        to=to,
    )


async def write(
    connection: AsyncConnection,
    episodes: Iterable[Episode],
    entries: Sequence[Entry],
    table: Responsibilities | None = None,
) -> None:
    """Write episodes with the revisions that were added to them, in order.

    `table` is that of responsibilities, where this transaction has read it already.
    """
    touched = list(episodes)
    # What has resolved goes first: its subject may open again in the same batch, and only one
    # episode of a rule and subject may be open at any moment.
    for statement, some in (
        (_UPDATE, [each for each in touched if not each.is_new]),
        (_INSERT, [each for each in touched if each.is_new]),
    ):
        if some:
            await statement.rows(connection, **_columns(some))
    # Nothing can have covered what is made just now.
    told = [each.id for each in touched if not each.untold and not each.is_new]
    await covering.forget(connection, told)
    notices = await addressing.addressed(connection, [entry.notice for entry in entries], table)
    await _HISTORY.rows(
        connection,
        alert_id=[notice.alert_id for notice in notices],
        revision=[notice.revision for notice in notices],
        event=[notice.event.value for notice in notices],
        level=[notice.level.value for notice in notices],
        previous_level=[notice.previous_level for notice in notices],
        reason=[entry.reason for entry in entries],
        facts=[notice.facts.model_dump_json() for notice in notices],
        occurred_at=[notice.occurred_at for notice in notices],
        recorded_at=[notice.recorded_at for notice in notices],
        tell_at=[notice.gather and notice.gather.by for notice in notices],
        actor=[entry.actor for entry in entries],
        note=[notice.note for notice in notices],
        hush=[None if notice.hush is None else notice.hush.model_dump_json() for notice in notices],
        # No id holds the sign between them.
        told=["|".join(each.id for each in notice.to if each.id) for notice in notices],
    )
    await _OUTBOX.rows(
        connection,
        alert_id=[notice.alert_id for notice in notices],
        value=[notice.encode().decode() for notice in notices],
        traceparent=[tracing.continued(entry.trace) for entry in entries],
    )


def _columns(episodes: Sequence[Episode]) -> dict[str, list[object]]:
    return {
        "id": [each.id for each in episodes],
        "number": [each.number for each in episodes],
        "revision": [each.revision for each in episodes],
        "rule_id": [each.rule.id for each in episodes],
        "kind": [each.subject.kind.value for each in episodes],
        "sku": [each.subject.sku for each in episodes],
        "warehouse": [each.subject.warehouse for each in episodes],
        "sku_name": [each.sku_name for each in episodes],
        "level": [each.level.value for each in episodes],
        "rule": [each.rule.model_dump_json() for each in episodes],
        "labels": [json.dumps(each.labels, ensure_ascii=False) for each in episodes],
        "facts": [each.facts.model_dump_json() for each in episodes],
        "opened_at": [each.opened_at for each in episodes],
        "resolved_at": [each.resolved_at for each in episodes],
        "acknowledged_at": [each.acknowledged_at for each in episodes],
        "acknowledged_by": [each.acknowledged_by for each in episodes],
        "owner": [each.owner for each in episodes],
        "snoozed_until": [each.snoozed_until for each in episodes],
        "untold": [each.untold for each in episodes],
        "category": [each.category for each in episodes],
        "playbook": [each.playbook for each in episodes],
        "stock_class": [each.stock_class for each in episodes],
        "supplier": [each.supplier for each in episodes],
        "at_risk_units": [each.at_risk and each.at_risk.units for each in episodes],
        "at_risk_money": [each.at_risk and each.at_risk.money for each in episodes],
        "at_risk_left_out": [each.at_risk.left_out if each.at_risk else 0 for each in episodes],
        "held_back": [each.held_back for each in episodes],
    }
