"""What must be true of every alert's life, asked of the tables and of the vendors."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg

from services.alerting.domain.actions import GIVEN_UP
from services.alerting.domain.attention import AttentionPolicy
from services.notifier.domain.deliveries import Reason, State
from shared.events.stock_alerts import (
    ENDINGS,
    SEVERITY,
    AlertEvent,
    AlertLevel,
    Expected,
    GatherReason,
    HushKind,
    StockAlert,
)
from shared.testing.wecom import Accepted
from tests.integration.lives.shop import Sent, Shop

MINUTE = timedelta(minutes=1)
MOST_A_MINUTE = {"bot": 20, "app": 30}
TOO_OFTEN = 45009
REPEATS_KNOWN = timedelta(hours=4)
ANNOUNCING = frozenset(
    {
        AlertEvent.OPENED,
        AlertEvent.LEVEL_CHANGED,
        AlertEvent.REMINDED,
        AlertEvent.ESCALATED,
    }
)
LATE = frozenset({AlertEvent.REMINDED, AlertEvent.ESCALATED})
WANTED_BY = {"app": frozenset(AlertLevel), "bot": frozenset({AlertLevel.URGENT, AlertLevel.OUT})}
UNDECIDED = ("waiting", "sending", "failed")

Episode = tuple[str, UUID]
"""A destination and an alert."""


class Row(NamedTuple):
    """A delivery."""

    id: UUID
    kind: str
    alert_id: UUID | None
    revision: int | None
    event: str | None
    destination: str | None
    state: str
    reason: str | None
    gather_key: str | None
    held_for: str | None
    not_before: datetime | None
    digest_id: UUID | None
    duplicate_possible: bool
    attempts: int
    started: int
    """Attempts that are recorded."""


_ROWS = """
SELECT d.id, d.kind, d.alert_id, d.revision, d.event, d.destination, d.state, d.reason,
       d.gather_key, d.held_for, d.not_before, d.digest_id, d.duplicate_possible, d.attempts,
       (SELECT count(*) FROM notifier.attempt AS a WHERE a.delivery = d.id)::int AS started
FROM notifier.delivery AS d ORDER BY d.id
"""


class Account:
    """Everything that there is to be seen at one moment."""

    def __init__(self, shop: Shop, rows: Sequence[Row], policy: AttentionPolicy) -> None:
        self.shop = shop
        self.policy = policy
        self.rows = {row.id: row for row in rows}
        self.published = shop.published
        self.by_revision = {(each.alert_id, each.revision): each for each in shop.published}
        self.of_episode: defaultdict[Episode, list[Row]] = defaultdict(list)
        self.merged: defaultdict[UUID, list[Row]] = defaultdict(list)
        for row in rows:
            if row.alert_id is not None and row.destination is not None:
                self.of_episode[row.destination, row.alert_id].append(row)
            if row.digest_id is not None:
                self.merged[row.digest_id].append(row)

    def told_by(self, row: Row) -> Iterable[Row]:
        """Return the notices that a message has: its own, or those merged into it."""
        return self.merged[row.id] if row.kind == "digest" else (row,)

    def revisions(self) -> Mapping[UUID, list[StockAlert]]:
        """Return what was published of each alert, in order."""
        found: defaultdict[UUID, list[StockAlert]] = defaultdict(list)
        for each in self.published:
            found[each.alert_id].append(each)
        return found

    def accepted(self) -> list[tuple[Sent, Row]]:
        """Return the messages that vendors took, in order."""
        return [(sent, self.rows[sent.delivery]) for sent in self.shop.sent if sent.accepted]


async def account(
    administrator: asyncpg.Connection, shop: Shop, policy: AttentionPolicy
) -> Account:
    """Ask the tables."""
    found = [Row(*each) for each in await administrator.fetch(_ROWS)]
    return Account(shop, found, policy)


async def one_open_episode(administrator: asyncpg.Connection) -> None:
    """At most one episode of a rule and subject is open."""
    twice = await administrator.fetch(
        "SELECT rule_id, sku, warehouse FROM alerting.alert WHERE resolved_at IS NULL "
        "GROUP BY 1, 2, 3 HAVING count(*) > 1"
    )
    assert not twice


async def lives_end(administrator: asyncpg.Connection, seen: Account) -> None:
    """After its end an episode has no revision but of what is ordered; revisions have no gaps."""
    rows = await administrator.fetch(
        "SELECT alert_id, array_agg(event ORDER BY revision) AS events, "
        "array_agg(revision ORDER BY revision) AS revisions "
        "FROM alerting.alert_history GROUP BY alert_id"
    )
    for row in rows:
        assert row["revisions"] == list(range(1, len(row["revisions"]) + 1))
        endings = [place for place, each in enumerate(row["events"], 1) if each in ENDINGS]
        assert len(endings) <= 1, row["events"]
        assert {*row["events"][max(endings, default=len(row["events"])) :]} <= {AlertEvent.ACTED}
    published = seen.revisions()
    for row in rows:
        told = [each.event for each in published.get(row["alert_id"], ())]
        assert told == row["events"], "the outbox and the history differ"


async def what_goes_on_is_open_or_was_ended(administrator: asyncpg.Connection) -> None:
    """What a rule holds of a subject has an open episode, or one that somebody has ended."""
    held = """
        SELECT rule_id, sku, warehouse FROM alerting.condition
        WHERE state <> 'pending' ORDER BY 1, 2, 3
    """
    told = """
        SELECT rule_id, sku, warehouse FROM alerting.alert WHERE resolved_at IS NULL
        UNION ALL SELECT rule_id, sku, warehouse FROM alerting.ended_by_hand
        WHERE held_until IS NULL ORDER BY 1, 2, 3
    """
    assert await administrator.fetch(held) == await administrator.fetch(told)


async def what_opens_risen_is_worse_than_what_was_ended(administrator: asyncpg.Connection) -> None:
    """What opens without having crossed a limit anew is worse than what a person ended before."""
    risen = await administrator.fetch("""
        SELECT h.level, p.level AS before, p.actor
        FROM alerting.alert_history AS h JOIN alerting.alert AS a ON a.id = h.alert_id
        LEFT JOIN LATERAL (
            SELECT b.level, e.actor
            FROM alerting.alert AS b JOIN alerting.alert_history AS e
              ON e.alert_id = b.id AND e.revision = b.revision
            WHERE (b.rule_id, b.sku, b.warehouse) = (a.rule_id, a.sku, a.warehouse)
              AND b.number < a.number
            ORDER BY b.number DESC LIMIT 1
        ) AS p ON true
        WHERE h.event = 'opened' AND h.reason = 'level_rose'
    """)
    for each in risen:
        assert each["actor"] is not None
        assert SEVERITY[AlertLevel(each["level"])] > SEVERITY[AlertLevel(each["before"])]


def nothing_after_the_end(seen: Account) -> None:
    """Whoever was told of an end hears no more of that episode."""
    ended: dict[Episode, UUID] = {}
    for sent, row in seen.accepted():
        for told in seen.told_by(row):
            if told.alert_id is None or told.event == AlertEvent.REFUSED:
                continue
            episode = (sent.destination, told.alert_id)
            assert ended.get(episode, row.id) == row.id, f"{told} after its end"
        for told in seen.told_by(row):
            if told.alert_id is not None and told.event in ENDINGS:
                ended[sent.destination, told.alert_id] = row.id


def announced_once(seen: Account) -> None:
    """Each episode has one first notice at a destination that wants it, or a reason why not.

    Whoever was asked for an approval hears of the end even so.
    """
    for alert_id, revisions in seen.revisions().items():
        for destination, levels in WANTED_BY.items():
            rows = seen.of_episode[destination, alert_id]
            standing = [
                row
                for row in rows
                if row.kind == "first"
                and row.state != State.SUPERSEDED
                and row.reason != Reason.ENDED_UNTOLD
            ]
            assert len(standing) <= 1, standing
            known = {row.revision for row in rows}
            wanted = [each for each in revisions if each.level in levels]
            assert {each.revision for each in wanted} <= known
            to_announce = [
                each
                for each in wanted
                if (each.event in ANNOUNCING or each.asks_for_approval) and each.hush is None
            ]
            firsts = [row for row in rows if row.kind == "first"]
            assert bool(firsts) == bool(to_announce), (rows, to_announce)
            asked = next(
                (place for place, row in enumerate(rows) if row.kind == "escalation"), None
            )
            if not standing:
                assert all(row.reason for row in rows[:asked]), rows
            if asked is not None:  # beside a first notice or after it: somebody knows
                ends = [row for row in rows[asked:] if row.event in ENDINGS]
                assert all(row.reason != Reason.ENDED_UNTOLD for row in ends), rows


def limits_hold(seen: Account, refusals_ordered: int) -> None:
    """No vendor has to refuse or drop anything because it comes too fast."""
    shop = seen.shop
    assert shop.bot.rejected[TOO_OFTEN] + shop.app.rejected[TOO_OFTEN] <= refusals_ordered
    assert shop.app.dropped == []
    _spread([each.at for each in shop.bot.accepted], MOST_A_MINUTE["bot"])
    for shown in shop.app.phones.values():
        _spread([each.at for each in shown], MOST_A_MINUTE["app"])


def _spread(instants: Sequence[datetime], most: int) -> None:
    for first, last in zip(instants, instants[most:], strict=False):
        assert last - first >= MINUTE


def sums_agree(seen: Account) -> None:
    """Every revision is one delivery in one state, and every message one of an attempt."""
    shop = seen.shop
    pairs = Counter(
        (row.alert_id, row.revision, row.destination)
        for row in seen.rows.values()
        if row.alert_id is not None
    )
    assert set(pairs.values()) <= {1}
    assert {pair[:2] for pair in pairs} == set(seen.by_revision)
    for row in seen.rows.values():
        if row.state == State.MERGED:
            assert row.digest_id is not None
            assert seen.rows[row.digest_id].destination == row.destination
        else:
            assert row.digest_id is None
        if row.state in {State.SUPPRESSED, State.SUPERSEDED, State.DEAD}:
            assert row.reason
    calls = Counter(sent.delivery for sent in shop.sent)
    for delivery, count in calls.items():
        assert seen.rows[delivery].started >= count
    there = {sent.delivery for sent in shop.sent if sent.accepted or sent.is_known}
    for row in seen.rows.values():
        assert row.state != State.SENT or row.id in there, row
    by = Counter(dict.fromkeys(MOST_A_MINUTE, 0))
    for sent in shop.sent:
        by[sent.destination] += sent.accepted
    assert by == {"bot": len(shop.bot.accepted), "app": len(shop.app.taken)}


def duplicates_say_so(seen: Account) -> None:
    """What the group reads twice says so the second time; a phone shows nothing twice."""
    shop = seen.shop
    accepted = iter(shop.bot.accepted)
    read: set[UUID] = set()
    for sent, row in seen.accepted():
        if sent.destination != "bot":
            continue
        message: Accepted = next(accepted)
        if row.id in read:
            assert row.duplicate_possible, row
            assert "可能重复" in message.content
        read.add(row.id)
    for user, shown in shop.app.phones.items():
        cards = Counter(each.task_id for each in shown if each.task_id is not None)
        assert set(cards.values()) <= {1}, user
        texts: dict[str, datetime] = {}
        for each in shown:
            if each.task_id is None:
                text = json.dumps(each.body, sort_keys=True)
                assert each.at - texts.get(text, each.at - REPEATS_KNOWN) >= REPEATS_KNOWN
                texts[text] = each.at


def attention_is_kept(seen: Account) -> None:
    """Beyond a day's budget a person hears only of what goes outside it."""
    told: defaultdict[tuple[str, date], set[UUID]] = defaultdict(set)
    for sent, row in seen.accepted():
        if sent.destination != "app":
            continue
        for each in seen.told_by(row):
            if each.alert_id is None or each.revision is None:
                continue
            alert = seen.by_revision[each.alert_id, each.revision]
            if each.held_for == GatherReason.SAME_OWNER and each.not_before is not None:
                if alert.owner is not None:
                    day = seen.policy.day_of(each.not_before)
                    told[alert.owner, day].add(row.id)
            elif each.gather_key is None and each.kind == "first":
                _goes_outside(alert, seen.policy)
    for (person, day), messages in told.items():
        assert len(messages) <= seen.policy.interruptions_a_day, (person, day)


def easings_are_heard(seen: Account) -> None:
    """Nobody takes an episode for worse than it is because of what it costs, or what is ordered."""
    for revisions in seen.revisions().values():
        told: AlertLevel | None = None
        for each in revisions:
            if each.event not in ANNOUNCING:
                continue
            if each.hush is None:
                told = each.level
            elif told is not None and each.hush.by in {HushKind.BUDGET, HushKind.COVERED}:
                assert SEVERITY[each.level] >= SEVERITY[told], each


def _goes_outside(alert: StockAlert, policy: AttentionPolicy) -> None:
    """Assert that a notice that was told at once may be."""
    is_of_a_playbook = alert.event in LATE and alert.note is not None
    if is_of_a_playbook or alert.asks_for_approval:
        return
    stock_class = alert.stock_class
    money = None if alert.at_risk is None else alert.at_risk.money
    is_much = policy.money is not None and money is not None and money > policy.money
    is_out = alert.level is AlertLevel.OUT and (stock_class is None or policy.matters(stock_class))
    assert is_out or is_much, alert


def timers_are_void(seen: Account) -> None:
    """Nobody is told that something is late which is done."""
    for revisions in seen.revisions().values():
        done: set[Expected] = set()
        under_way: dict[UUID, bool] = {}
        for each in revisions:
            if each.event in {AlertEvent.ACKNOWLEDGED, AlertEvent.ASSIGNED}:
                done.add(Expected.ACKNOWLEDGE)
            if each.event is AlertEvent.ACTED:
                done |= {Expected.ACKNOWLEDGE, Expected.ACT}
                if each.action is not None:
                    under_way[each.action.id] = each.action.state not in GIVEN_UP
                    if not any(under_way.values()):
                        done.discard(Expected.ACT)  # nothing comes of it: somebody has to act again
            is_late = each.event in LATE and each.note is not None and each.step is not None
            if is_late and each.step is not None:
                assert each.step.expects not in done, each


RECOVERS = """
EXISTS (SELECT FROM alerting.condition AS r
        WHERE (r.rule_id, r.sku, r.warehouse) = (a.rule_id, a.sku, a.warehouse)
          AND r.subject_kind = a.subject_kind AND r.state = 'recovering')
"""


async def nothing_waits(administrator: asyncpg.Connection, seen: Account) -> None:
    """All is told, and what is not has a reason that still holds."""
    left = [row for row in seen.rows.values() if row.state in UNDECIDED]
    assert left == []
    for table in ("alerting.outbox", "notifier.response_outbox"):
        assert await administrator.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608
    late = await administrator.fetch(
        "SELECT a.number FROM alerting.timer AS t JOIN alerting.alert AS a ON a.id = t.alert_id "  # noqa: S608 - ours
        "WHERE a.resolved_at IS NULL AND t.due_at <= $1 AND NOT " + RECOVERS,
        seen.shop.clock.now(),
    )
    assert late == []
    untold = await administrator.fetch(
        "SELECT a.number FROM alerting.alert AS a "  # noqa: S608 - ours
        "WHERE a.resolved_at IS NULL AND (a.untold OR a.snoozed_until <= $1) AND NOT "
        + RECOVERS
        + "AND NOT coalesce((SELECT bool_and(NOT c.is_lost AND n.late_at > $1 "
        "AND n.state IN ('approved', 'ordered')) FROM alerting.covered_alert AS c "
        "JOIN alerting.action AS n ON n.id = c.action_id WHERE c.alert_id = a.id), false)",
        seen.shop.clock.now(),
    )
    assert untold == []
