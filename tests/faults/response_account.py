"""What must be true after any fault of alerting and notifier, asked of everybody outside.

No crossing of a limit is lost or told as two episodes; every revision is one delivery at each
destination, in one state, with a reason where it was not sent; whoever reads something twice is
told so, and only where an answer was lost or a kill fell inside the send.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from email import message_from_bytes, policy
from typing import NamedTuple
from uuid import UUID

import asyncpg

from services.notifier.domain.deliveries import Kind, State
from shared.events.stock_alerts import ENDINGS, StockAlert
from shared.testing.wecom_app import FakeWecomApp, Shown
from tests.faults.between import Between, Span
from tests.faults.response_traffic import MEASURES, Traffic
from tests.faults.wholeness import say

DESTINATIONS = ("app", "bot", "hook", "post")
MARKS = ("可能重复", "Possible duplicate")
OVER = {State.SENT, State.DEAD, State.MERGED, State.SUPPRESSED, State.SUPERSEDED}

_HISTORY = """
SELECT a.sku, h.alert_id, h.revision, h.event
FROM alerting.alert_history AS h JOIN alerting.alert AS a ON a.id = h.alert_id
ORDER BY h.alert_id, h.revision
"""
_DELIVERIES = """
SELECT id, kind, alert_id, revision, event, destination, state, reason, digest_id,
       duplicate_possible, attempts
FROM notifier.delivery ORDER BY id
"""
_ATTEMPTS = """
SELECT a.delivery, a.number, a.rendered, a.marked, a.verdict, a.code, a.started_at, a.finished_at,
       d.destination
FROM notifier.attempt AS a JOIN notifier.delivery AS d ON d.id = a.delivery
ORDER BY a.started_at
"""
_ANSWERS = "SELECT alert_id, outcome FROM alerting.response"


class Read(NamedTuple):
    """A message that somebody has, and what tells which it is."""

    key: str
    says_so: bool
    """It says that it may be a repeat."""


class Account:
    """What the tables have."""

    def __init__(
        self,
        history: Sequence[asyncpg.Record],
        deliveries: Sequence[asyncpg.Record],
        attempts: Sequence[asyncpg.Record],
    ) -> None:
        self.history = history
        self.deliveries = {row["id"]: row for row in deliveries}
        self.attempts = attempts
        self.merged: defaultdict[UUID, list[asyncpg.Record]] = defaultdict(list)
        for row in deliveries:
            if row["digest_id"] is not None:
                self.merged[row["digest_id"]].append(row)

    def events(self) -> Mapping[str, list[list[str]]]:
        """Return what happened to each SKU's episodes."""
        episodes: defaultdict[UUID, list[str]] = defaultdict(list)
        of: defaultdict[str, dict[UUID, list[str]]] = defaultdict(dict)
        for row in self.history:
            episodes[row["alert_id"]].append(row["event"])
            of[row["sku"]][row["alert_id"]] = episodes[row["alert_id"]]
        return {sku: list(each.values()) for sku, each in of.items()}

    def at(self, destination: str) -> list[asyncpg.Record]:
        """Return the attempts there, in order."""
        return [each for each in self.attempts if each["destination"] == destination]

    def told_by(self, delivery: UUID) -> Iterable[asyncpg.Record]:
        """Return the deliveries that a message tells of."""
        row = self.deliveries[delivery]
        return (row, *self.merged[delivery])


async def is_whole(traffic: Traffic, senders: Sequence[Between]) -> None:
    """Look at everything. Fails with what differs."""
    tables = traffic.tables
    seen = Account(
        await tables.fetch(_HISTORY), await tables.fetch(_DELIVERIES), await tables.fetch(_ATTEMPTS)
    )
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
    _readers_are_told(seen, "bot", _in_the_group(traffic), _text_of_a_message)
    _readers_are_told(seen, "post", _in_the_mailbox(traffic), _id_of_a_mail)
    _programs_know_repeats(seen, traffic)
    _phones_show_nothing_twice(seen, traffic.outside.app)
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
        assert events[sku] == [["opened", *MEASURES[:times]]], "each timer fires once"
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
    assert others <= {Kind.DIGEST}, "nothing about the notifier itself"
    for row in seen.deliveries.values():
        assert row["state"] in OVER, row
        if row["state"] == State.MERGED:
            digest = seen.deliveries[row["digest_id"]]
            assert digest["destination"] == row["destination"]
            assert digest["state"] == State.SENT or digest["reason"], digest
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
        if row["kind"] == Kind.FIRST and row["state"] == State.MERGED:
            assert seen.deliveries[row["digest_id"]]["state"] == State.SENT
        elif row["kind"] == Kind.FIRST:
            assert row["state"] == State.SENT, row


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


def _readers_are_told(
    seen: Account, destination: str, read: Sequence[Read], key_of: Callable[[bytes], str]
) -> None:
    """Check that people who cannot know a repeat have all, and what they have twice says so."""
    attempts = seen.at(destination)
    had: Counter[UUID] = Counter()
    for message, delivery in _whose(read, attempts, key_of):
        for row in seen.told_by(delivery):
            if had[row["id"]]:
                assert message.says_so, f"{row} came again without a word"
                assert row["duplicate_possible"], row
            had[row["id"]] += 1
    doubts = Counter(each["delivery"] for each in attempts if each["verdict"] == "unknown")
    for delivery in {each["delivery"] for each in attempts if each["verdict"] == "accepted"}:
        assert had[delivery], f"{seen.deliveries[delivery]} was sent, and nobody has it"
    for delivery, times in had.items():
        digest = seen.deliveries[delivery]["digest_id"]
        excused = doubts[delivery] + (0 if digest is None else doubts[digest])
        assert times <= 1 + excused, f"{seen.deliveries[delivery]} came {times} times"


def _whose(
    read: Sequence[Read], attempts: Sequence[asyncpg.Record], key_of: Callable[[bytes], str]
) -> Iterable[tuple[Read, UUID]]:
    """Yield messages with the delivery that each is of.

    Two may say the very same, when a level is where it was: they come in the order in which they
    were sent, but for those that never came.
    """
    came = Counter(each.key for each in read)
    sent: defaultdict[str, list[asyncpg.Record]] = defaultdict(list)
    for attempt in attempts:
        sent[key_of(attempt["rendered"])].append(attempt)
    left = {}
    for key, some in sent.items():
        certain = sorted(some, key=lambda each: each["verdict"] != "accepted")[: came[key]]
        left[key] = iter(sorted(certain, key=lambda each: each["started_at"]))
    for message in read:
        attempt = next(left.get(message.key, iter(())), None)
        assert attempt is not None, f"nobody has sent this: {message}"
        yield message, attempt["delivery"]


def _in_the_group(traffic: Traffic) -> list[Read]:
    return [
        Read(_canonical(each.body), any(mark in each.content for mark in MARKS))
        for each in traffic.outside.bot.accepted
    ]


def _text_of_a_message(rendered: bytes) -> str:
    return _canonical(json.loads(rendered))


def _in_the_mailbox(traffic: Traffic) -> list[Read]:
    return [
        Read(str(each.message["Message-ID"]), any(mark in each.text for mark in MARKS))
        for each in traffic.outside.mailbox.mails
    ]


def _id_of_a_mail(rendered: bytes) -> str:
    return str(message_from_bytes(rendered, policy=policy.default)["Message-ID"])


def _canonical(body: object) -> str:
    return json.dumps(body, sort_keys=True)


def _programs_know_repeats(seen: Account, traffic: Traffic) -> None:
    """Check that a webhook's receiver has each delivery, under its own id."""
    receiver = traffic.outside.receiver
    sent = {
        str(row["id"])
        for row in seen.deliveries.values()
        if row["destination"] == "hook" and row["state"] == State.SENT
    }
    assert {each.id for each in receiver.events} == sent
    doubts = sum(each["verdict"] == "unknown" for each in seen.at("hook"))
    assert len(receiver.repeats) <= doubts


def _phones_show_nothing_twice(seen: Account, app: FakeWecomApp) -> None:
    """Check that whoever has a card or a text has it once, whatever befell its sending."""
    assert app.dropped == []
    shown = [each for phone in app.phones.values() for each in phone]
    for user, phone in app.phones.items():
        cards = Counter(each.task_id for each in phone if each.task_id is not None)
        assert set(cards.values()) <= {1}, user
        texts = Counter(_text(each) for each in phone if each.task_id is None)
        assert set(texts.values()) <= {1}, user
    assert not any(mark in each.text for each in shown for mark in MARKS)
    _phones_show_all(seen, shown)


def _phones_show_all(seen: Account, shown: Collection[Shown]) -> None:
    there = {each.task_id or _text(each) for each in shown}
    for attempt in seen.at("app"):
        if attempt["verdict"] != "accepted":
            continue
        body = json.loads(attempt["rendered"])
        if "changes" in body:
            continue
        card = body.get("template_card")
        assert (card["task_id"] if card else body["markdown"]["content"]) in there, body


def _text(shown: Shown) -> str:
    return str(shown.body["content"])


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
