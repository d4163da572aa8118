"""What must be true after any fault of alerting and notifier, asked of everybody outside.

No crossing of a limit is lost or told as two episodes; every revision is one delivery at each
destination, in one state, with a reason where it was not sent; whoever reads something twice is
told so, and only where an answer was lost or a kill fell inside the send.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from uuid import UUID

from services.notifier.domain.deliveries import Kind, Reason, State
from shared.events.stock_alerts import ENDINGS, StockAlert
from tests.faults import response_readers
from tests.faults.between import Between, Span
from tests.faults.response_tables import Account, account
from tests.faults.response_traffic import MEASURES, Traffic
from tests.faults.wholeness import say

DESTINATIONS = ("app", "bot", "hook", "post")
OVER = {State.SENT, State.DEAD, State.MERGED, State.SUPPRESSED, State.SUPERSEDED}

_ANSWERS = "SELECT alert_id, outcome FROM alerting.response"


async def is_whole(traffic: Traffic, senders: Sequence[Between]) -> None:
    """Look at everything. Fails with what differs."""
    tables = traffic.tables
    seen = await account(tables)
    published = await traffic.alerting.notices()
    states = Counter(row["state"] for row in seen.deliveries.values())
    verdicts = Counter(row["code"] for row in seen.attempts)
    say(f"{len(published)} notices; deliveries: {dict(states)}; attempts: {dict(verdicts)}")
    _each_life_is_as_told(seen, traffic)
    _revisions_are_in_order(seen, published)
    _each_revision_is_one_delivery(seen)
    _each_episode_is_announced_once(seen)
    lapses = [span for sender in senders for span in sender.lapses]
    _doubts_have_a_cause(seen, traffic, lapses)
    response_readers.have_all(seen, traffic.outside)
    await _answers_act_once(seen, traffic)
    _ingest_was_told(traffic)
    for table in ("alerting.outbox", "alerting.call", "notifier.response_outbox"):
        assert not await tables.fetchval(f"SELECT count(*) FROM {table}"), table  # noqa: S608


def _each_life_is_as_told(seen: Account, traffic: Traffic) -> None:
    """Check that each episode had what the levels, the clock and the buyers say; no other."""
    events = seen.events()
    assert events.keys() == {sku for sku in traffic.told if traffic.expected(sku)}
    for episodes in (each for some in events.values() for each in some):
        ends = [place for place, event in enumerate(episodes, 1) if event in ENDINGS]
        assert ends in ([], [len(episodes)]), episodes
        assert episodes.count("opened") == 1, episodes
    for sku, times in traffic.late.items():
        assert events[sku] == [["opened", *MEASURES[:times]]], sku  # each timer fires once
    for sku in traffic.ordered:
        assert events[sku] == [["opened", "acted", "acted"]]


def _revisions_are_in_order(seen: Account, published: Sequence[StockAlert]) -> None:
    """Check that none is missing on the topic, and none stands before the one before it."""
    of: defaultdict[UUID, list[int]] = defaultdict(list)
    said: dict[tuple[UUID, int], StockAlert] = {}
    for each in published:
        newest = max(of[each.alert_id], default=0)
        assert each.revision <= newest + 1, f"{of[each.alert_id]}, then {each.revision}"
        of[each.alert_id].append(each.revision)
        assert said.setdefault((each.alert_id, each.revision), each) == each
    assert said.keys() == {(row["alert_id"], row["revision"]) for row in seen.history}


def _each_revision_is_one_delivery(seen: Account) -> None:
    """Check that intents and outcomes agree, one by one."""
    intents = {
        (row["alert_id"], row["revision"], destination)
        for row in seen.history
        for destination in DESTINATIONS
    }
    notices = [row for row in seen.deliveries.values() if row["alert_id"] is not None]
    outcomes = Counter((row["alert_id"], row["revision"], row["destination"]) for row in notices)
    assert outcomes == Counter(intents)
    others = {row["kind"] for row in seen.deliveries.values() if row["alert_id"] is None}
    dead = [row for row in seen.deliveries.values() if row["state"] == State.DEAD]
    assert others <= {Kind.DIGEST, *([Kind.META] if dead else [])}
    for row in dead:
        assert row["reason"].startswith(Reason.OUTCOME_UNKNOWN), row
        assert seen.doubts()[row["id"]] > 1, f"{row} was in doubt once, and comes once more"
    for row in seen.deliveries.values():
        assert row["state"] in OVER, row
        if row["state"] == State.MERGED:
            digest = seen.deliveries[row["digest_id"]]
            assert digest["destination"] == row["destination"]
            assert digest["kind"] == Kind.DIGEST
        elif row["state"] != State.SENT:
            assert row["reason"], row
        attempts = sum(each["delivery"] == row["id"] for each in seen.attempts)
        assert attempts == row["attempts"], row


def _each_episode_is_announced_once(seen: Account) -> None:
    firsts = Counter(
        (row["alert_id"], row["destination"])
        for row in seen.deliveries.values()
        if row["kind"] == Kind.FIRST and row["state"] != State.SUPERSEDED
    )
    episodes = {row["alert_id"] for row in seen.history}
    assert firsts == Counter((each, where) for each in episodes for where in DESTINATIONS)
    for row in seen.deliveries.values():
        if row["kind"] == Kind.FIRST:
            is_merged = row["state"] == State.MERGED
            message = seen.deliveries[row["digest_id"]] if is_merged else row
            # Dead are those of twice unknown outcome: a person may have them tried again.
            assert message["state"] in {State.SENT, State.DEAD}, message


def _doubts_have_a_cause(seen: Account, traffic: Traffic, lapses: Sequence[Span]) -> None:
    """Check that an outcome is unknown only where an answer was lost or a sender lapsed."""
    outside = traffic.outside
    lost = {
        "bot": outside.bot.answers_lost + outside.bot.hung,
        "app": outside.app.answers_lost + outside.app.hung,
        "hook": outside.receiver.answers_lost + outside.receiver.hung,
        "post": outside.mailbox.answers_lost + outside.mailbox.hung,
    }
    for destination in DESTINATIONS:
        unknown = [each for each in seen.at(destination) if each["verdict"] == "unknown"]
        interrupted = [each for each in unknown if each["code"] == "interrupted"]
        assert len(unknown) - len(interrupted) <= lost[destination], unknown
        for each in interrupted:
            assert any(
                span.began <= each["finished_at"] and each["started_at"] <= span.ended
                for span in lapses
            ), (each, lapses)


async def _answers_act_once(seen: Account, traffic: Traffic) -> None:
    """Check that each press was heard once, and acknowledged its alert at the most once."""
    answers = await traffic.tables.fetch(_ANSWERS)
    asked = Counter(seen.deliveries[each]["alert_id"] for each in traffic.pressed)
    assert Counter(each["alert_id"] for each in answers) == asked
    assert {each["outcome"] for each in answers} <= {"done", "unchanged", "resolved"}
    done = Counter(each["alert_id"] for each in answers if each["outcome"] == "done")
    acknowledged = Counter(
        row["alert_id"] for row in seen.history if row["event"] == "acknowledged"
    )
    assert done == acknowledged
    assert set(done.values()) <= {1}


def _ingest_was_told(traffic: Traffic) -> None:
    """Check that ingest has each purchase, under one identity, and nothing else."""
    ingest = traffic.outside.ingest
    assert ingest.rejected == {}
    assert ingest.events.keys() == {
        ("lowtide-orders", f"{action}-1", "1") for action in traffic.ordered.values()
    }
    assert len(ingest.repeats) <= ingest.answers_lost + ingest.hung
