"""What people and programs have of what the notifier has sent them, and what they have twice.

Whoever cannot know a repeat is told that it may be one, and has it only where an answer was lost
or a kill fell inside the send; a phone shows nothing twice; programs know repeats by their id.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from email import message_from_bytes, policy
from typing import NamedTuple
from uuid import UUID

import asyncpg

from services.notifier.domain.cards import task_id
from services.notifier.domain.deliveries import State
from shared.testing.webhook import FakeReceiver
from shared.testing.wecom_app import FakeWecomApp, Shown
from tests.faults.response_tables import Account
from tests.faults.response_traffic import Outside

MARKS = ("可能重复", "Possible duplicate")


class Read(NamedTuple):
    """A message that somebody has, and what tells which it is."""

    key: str
    says_so: bool
    """It says that it may be a repeat."""


def have_all(seen: Account, outside: Outside) -> None:
    """Check that each has what was sent there, and no more than that without a word."""
    _people_are_told(seen, "bot", _in_the_group(outside), _text_of_a_message)
    _people_are_told(seen, "post", _in_the_mailbox(outside), _id_of_a_mail)
    _programs_know_repeats(seen, outside.receiver)
    _phones_show_nothing_twice(seen, outside.app)


def _people_are_told(
    seen: Account, destination: str, read: Sequence[Read], key_of: Callable[[bytes], str]
) -> None:
    """Check that people who cannot know a repeat have all, and what they have twice says so."""
    attempts = seen.at(destination)
    had: Counter[UUID] = Counter()
    for message, delivery in _whose(read, attempts, key_of):
        for row in seen.told_by(delivery):
            if had[row["id"]]:
                assert message.says_so, f"{row} came again without a word"
                assert row["duplicate_possible"] or seen.deliveries[delivery]["duplicate_possible"]
            had[row["id"]] += 1
    doubts = seen.doubts()
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


def _in_the_group(outside: Outside) -> list[Read]:
    return [
        Read(_canonical(each.body), any(mark in each.content for mark in MARKS))
        for each in outside.bot.accepted
    ]


def _text_of_a_message(rendered: bytes) -> str:
    return _canonical(json.loads(rendered))


def _in_the_mailbox(outside: Outside) -> list[Read]:
    return [
        Read(str(each.message["Message-ID"]), any(mark in each.text for mark in MARKS))
        for each in outside.mailbox.mails
    ]


def _id_of_a_mail(rendered: bytes) -> str:
    return str(message_from_bytes(rendered, policy=policy.default)["Message-ID"])


def _canonical(body: object) -> str:
    return json.dumps(body, sort_keys=True)


def _programs_know_repeats(seen: Account, receiver: FakeReceiver) -> None:
    """Check that a webhook's receiver has each delivery, under its own id.

    What was in doubt it may have as well, whatever became of it: in doubt twice, it is given up.
    """
    attempts = seen.at("hook")
    has = {UUID(each.id) for each in receiver.events}
    sent = {
        row["id"]
        for row in seen.deliveries.values()
        if row["destination"] == "hook" and row["state"] == State.SENT
    }
    assert sent <= has, "sent, and the receiver does not have it"
    in_doubt = {each["delivery"] for each in attempts if each["verdict"] == "unknown"}
    assert has - sent <= in_doubt, "the receiver has what nobody says was sent"
    doubts = sum(each["verdict"] == "unknown" for each in attempts)
    assert len(receiver.repeats) <= doubts


def _phones_show_nothing_twice(seen: Account, app: FakeWecomApp) -> None:
    """Check that whoever has a card or a text has it once, whatever befell its sending."""
    assert app.dropped == []
    shown = [each for phone in app.phones.values() for each in phone]
    ours = {task_id(row["id"]) for row in seen.deliveries.values() if row["destination"] == "app"}
    assert {each.task_id for each in shown} <= {None, *ours}, "a card for each delivery, no other"
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
