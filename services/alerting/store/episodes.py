"""Write what became of episodes: the alert, its history and the notice in the outbox, at once."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.draft import Announcement
from services.alerting.domain.subject import LevelSubject, Subject
from shared.events.stock_alerts import AlertEvent, AlertFacts, AlertLevel, AlertRule, StockAlert
from shared.observability import tracing

_Key = tuple[str, Subject]


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
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class _Entry:
    """One revision: what history keeps and what the outbox sends."""

    notice: StockAlert
    reason: str | None
    actor: str | None
    trace: str | None


_STORED = """
    a.id, a.number, a.revision, a.rule::text AS rule, a.sku, a.warehouse, a.sku_name,
    a.labels::text AS labels, a.level, a.facts::text AS facts, a.opened_at, a.resolved_at,
    a.acknowledged_at, a.acknowledged_by
"""

_OPEN = text(f"""
SELECT {_STORED}
FROM alert AS a
JOIN unnest(CAST(:rule_id AS text[]), CAST(:sku AS text[]), CAST(:warehouse AS text[]))
     AS n (rule_id, sku, warehouse)
  ON a.rule_id = n.rule_id AND a.subject_kind = 'level'
     AND a.sku = n.sku AND a.warehouse = n.warehouse
WHERE a.resolved_at IS NULL
ORDER BY a.id
FOR UPDATE OF a
""")  # noqa: S608 - the columns are ours

_ONE = text(f"SELECT {_STORED} FROM alert AS a WHERE a.id = :id FOR UPDATE")  # noqa: S608 - as above

_NUMBERS = text("SELECT nextval('alert_number') FROM generate_series(1, :count)")

_COLUMNS = """
    unnest(CAST(:id AS uuid[]), CAST(:number AS bigint[]), CAST(:revision AS int[]),
           CAST(:rule_id AS text[]), CAST(:kind AS text[]), CAST(:sku AS text[]),
           CAST(:warehouse AS text[]), CAST(:sku_name AS text[]), CAST(:level AS text[]),
           CAST(:rule AS text[]), CAST(:labels AS text[]), CAST(:facts AS text[]),
           CAST(:opened_at AS timestamptz[]), CAST(:resolved_at AS timestamptz[]),
           CAST(:acknowledged_at AS timestamptz[]), CAST(:acknowledged_by AS text[]))
        AS n (id, number, revision, rule_id, kind, sku, warehouse, sku_name, level, rule, labels,
              facts, opened_at, resolved_at, acknowledged_at, acknowledged_by)
"""

_INSERT = text(f"""
INSERT INTO alert (id, number, revision, rule_id, subject_kind, sku, warehouse, sku_name, level,
                   rule, labels, facts, opened_at, resolved_at)
SELECT n.id, n.number, n.revision, n.rule_id, n.kind, n.sku, n.warehouse, n.sku_name, n.level,
       n.rule::jsonb, n.labels::jsonb, n.facts::jsonb, n.opened_at, n.resolved_at
FROM {_COLUMNS}
""")  # noqa: S608 - the columns are ours

_UPDATE = text(f"""
UPDATE alert AS a
SET revision = n.revision, level = n.level, rule = n.rule::jsonb, labels = n.labels::jsonb,
    facts = n.facts::jsonb, sku_name = n.sku_name, resolved_at = n.resolved_at,
    acknowledged_at = n.acknowledged_at, acknowledged_by = n.acknowledged_by
FROM {_COLUMNS}
WHERE a.id = n.id
""")  # noqa: S608 - the columns are ours

_HISTORY = text("""
INSERT INTO alert_history (alert_id, revision, event, level, previous_level, reason, facts,
                           occurred_at, recorded_at, actor, note)
SELECT n.alert_id, n.revision, n.event, n.level, n.previous_level, n.reason, n.facts::jsonb,
       n.occurred_at, n.recorded_at, n.actor, n.note
FROM unnest(CAST(:alert_id AS uuid[]), CAST(:revision AS int[]), CAST(:event AS text[]),
            CAST(:level AS text[]), CAST(:previous_level AS text[]), CAST(:reason AS text[]),
            CAST(:facts AS text[]), CAST(:occurred_at AS timestamptz[]),
            CAST(:recorded_at AS timestamptz[]), CAST(:actor AS text[]), CAST(:note AS text[]))
     AS n (alert_id, revision, event, level, previous_level, reason, facts, occurred_at,
           recorded_at, actor, note)
""")

_OUTBOX = text("""
INSERT INTO outbox (alert_id, value, traceparent)
SELECT n.alert_id, n.value, n.traceparent
FROM unnest(CAST(:alert_id AS uuid[]), CAST(:value AS text[]), CAST(:traceparent AS text[]))
     WITH ORDINALITY AS n (alert_id, value, traceparent, position)
ORDER BY n.position
""")


async def record(
    connection: AsyncConnection, announcements: Sequence[Announcement], recorded_at: datetime
) -> None:
    """Store what happened to episodes, in order, each as a new revision of its alert.

    Alerts are locked in the order of their ids first, so revisions never cross an
    acknowledgement, and a later revision enters the outbox after an earlier one has committed.
    """
    if not announcements:
        return
    episodes = await _open_episodes(connection, announcements)
    openings = sum(each.transition.event is AlertEvent.OPENED for each in announcements)
    numbers = iter(await _numbers(connection, openings))
    touched: dict[UUID, Episode] = {}
    entries = []
    for each in announcements:
        key = (each.rule.id, each.subject)
        if each.transition.event is AlertEvent.OPENED:
            episode = episodes[key] = _opened(each, next(numbers))
        else:
            episode = episodes[key]
            _move(episode, each)
        touched[episode.id] = episode
        entries.append(_entry(episode, each, recorded_at))
    await _write(connection, touched.values(), entries)


async def acknowledge(
    connection: AsyncConnection,
    alert_id: UUID,
    *,
    actor: str,
    note: str | None,
    now: datetime,
    trace: str | None,
) -> Episode | None:
    """Store that a person has taken an alert on; returns it as it stands, or None if unknown.

    Nothing changes for an alert that is acknowledged or resolved already.
    """
    row = (await connection.execute(_ONE, {"id": alert_id})).mappings().one_or_none()
    if row is None:
        return None
    episode = _episode(row)
    if episode.acknowledged_at is None and episode.resolved_at is None:
        episode.revision += 1
        episode.acknowledged_at = now
        episode.acknowledged_by = actor
        notice = _notice(episode, AlertEvent.ACKNOWLEDGED, None, now, now, note)
        await _write(connection, [episode], [_Entry(notice, None, actor, trace)])
    return episode


async def _open_episodes(
    connection: AsyncConnection, announcements: Iterable[Announcement]
) -> dict[_Key, Episode]:
    keys = list({(each.rule.id, each.subject): None for each in announcements})
    values = {
        "rule_id": [rule_id for rule_id, _ in keys],
        "sku": [subject.sku for _, subject in keys],
        "warehouse": [subject.warehouse for _, subject in keys],
    }
    rows = await connection.execute(_OPEN, values)
    episodes = [_episode(row) for row in rows.mappings()]
    return {(episode.rule.id, episode.subject): episode for episode in episodes}


async def _numbers(connection: AsyncConnection, count: int) -> list[int]:
    return list((await connection.execute(_NUMBERS, {"count": count})).scalars()) if count else []


def _episode(row: RowMapping) -> Episode:
    return Episode(
        id=row["id"],
        number=row["number"],
        revision=row["revision"],
        rule=AlertRule.model_validate_json(row["rule"]),
        subject=LevelSubject(row["sku"], row["warehouse"]),
        sku_name=row["sku_name"],
        labels=json.loads(row["labels"]),
        level=AlertLevel(row["level"]),
        facts=AlertFacts.model_validate_json(row["facts"]),
        opened_at=row["opened_at"],
        resolved_at=row["resolved_at"],
        acknowledged_at=row["acknowledged_at"],
        acknowledged_by=row["acknowledged_by"],
    )


def _opened(announcement: Announcement, number: int) -> Episode:
    rule, transition = announcement.rule, announcement.transition
    return Episode(
        id=uuid4(),
        number=number,
        revision=1,
        rule=rule.named(),
        subject=announcement.subject,
        sku_name=announcement.sku_name,
        labels=dict(rule.labels),
        level=transition.level,
        facts=transition.facts,
        opened_at=transition.occurred_at,
        is_new=True,
    )


def _move(episode: Episode, announcement: Announcement) -> None:
    rule, transition = announcement.rule, announcement.transition
    episode.revision += 1
    episode.rule = rule.named()
    episode.labels = dict(rule.labels)
    episode.sku_name = announcement.sku_name or episode.sku_name
    episode.level = transition.level
    episode.facts = transition.facts
    if transition.event is AlertEvent.RESOLVED:
        episode.resolved_at = max(transition.occurred_at, episode.opened_at)


def _entry(episode: Episode, announcement: Announcement, recorded_at: datetime) -> _Entry:
    transition = announcement.transition
    notice = _notice(
        episode,
        transition.event,
        transition.previous_level,
        transition.occurred_at,
        recorded_at,
        None,
    )
    return _Entry(notice, transition.reason.value, None, announcement.trace)


def _notice(
    episode: Episode,
    event: AlertEvent,
    previous_level: AlertLevel | None,
    occurred_at: datetime,
    recorded_at: datetime,
    note: str | None,
) -> StockAlert:
    return StockAlert(
        alert_id=episode.id,
        number=episode.number,
        revision=episode.revision,
        event=event,
        level=episode.level,
        previous_level=previous_level,
        rule=episode.rule,
        sku=episode.subject.sku,
        sku_name=episode.sku_name,
        warehouse=episode.subject.warehouse,
        labels=episode.labels,
        facts=episode.facts,
        opened_at=episode.opened_at,
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        acknowledged_by=episode.acknowledged_by,
        note=note,
    )


async def _write(
    connection: AsyncConnection, episodes: Iterable[Episode], entries: Sequence[_Entry]
) -> None:
    touched = list(episodes)
    # What has resolved goes first: its subject may open again in the same batch, and only one
    # episode of a rule and subject may be open at any moment.
    for statement, some in (
        (_UPDATE, [each for each in touched if not each.is_new]),
        (_INSERT, [each for each in touched if each.is_new]),
    ):
        if some:
            await connection.execute(statement, _columns(some))
    notices = [entry.notice for entry in entries]
    await connection.execute(
        _HISTORY,
        {
            "alert_id": [notice.alert_id for notice in notices],
            "revision": [notice.revision for notice in notices],
            "event": [notice.event.value for notice in notices],
            "level": [notice.level.value for notice in notices],
            "previous_level": [notice.previous_level for notice in notices],
            "reason": [entry.reason for entry in entries],
            "facts": [notice.facts.model_dump_json() for notice in notices],
            "occurred_at": [notice.occurred_at for notice in notices],
            "recorded_at": [notice.recorded_at for notice in notices],
            "actor": [entry.actor for entry in entries],
            "note": [notice.note for notice in notices],
        },
    )
    await connection.execute(
        _OUTBOX,
        {
            "alert_id": [notice.alert_id for notice in notices],
            "value": [notice.encode().decode() for notice in notices],
            "traceparent": [tracing.continued(entry.trace) for entry in entries],
        },
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
    }
