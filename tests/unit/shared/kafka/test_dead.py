import base64
from datetime import UTC, datetime

import pytest

from shared.clock import ManualClock
from shared.events.dead_letters import DeadLetter, DeadReason
from shared.kafka.dead import LIMIT, WINDOW, dead_letter, within_window
from shared.kafka.messages import Message
from tests.factories.records import FakeRecord

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MESSAGE_BYTES = 1_000_000
"""What a broker takes by default is a little more."""


def buried(record: FakeRecord, detail: str = "because") -> tuple[Message, DeadLetter]:
    message = dead_letter(
        record,
        "stock.changes",
        DeadReason.UNDECODABLE,
        detail,
        consumer="ledger",
        clock=ManualClock(NOW),
    )
    return message, DeadLetter.model_validate_json(message.value or b"")


def size(message: Message) -> int:
    headers = sum(len(name) + len(value) for name, value in message.headers)
    return len(message.key or b"") + len(message.value or b"") + headers


def test_a_letter_says_where_the_record_was_and_what_was_wrong() -> None:
    record = FakeRecord(
        b"not json", 7, partition=5, key=b"A", headers=(("traceparent", b"00-1-2-01"),)
    )
    message, letter = buried(record)
    assert (letter.topic, letter.partition, letter.offset) == ("stock.changes", 5, 7)
    assert (letter.reason, letter.detail) == (DeadReason.UNDECODABLE, "because")
    assert (letter.key, letter.value, letter.value_base64) == ("A", "not json", None)
    assert (letter.consumer, letter.recorded_at, letter.truncated) == ("ledger", NOW, False)
    assert message.key == b"A"
    assert list(message.headers) == [("traceparent", b"00-1-2-01")]


def test_bytes_that_are_no_text_are_kept_exactly() -> None:
    _, letter = buried(FakeRecord(b"\xff\x00sku"))
    assert letter.value == "\ufffd\x00sku"
    assert base64.b64decode(letter.value_base64 or "") == b"\xff\x00sku"


def test_a_record_without_value_or_key_has_a_letter() -> None:
    _, letter = buried(FakeRecord(None))
    assert (letter.key, letter.value) == (None, None)


@pytest.mark.parametrize(
    "record",
    [
        FakeRecord(b"x" * MESSAGE_BYTES),
        FakeRecord(b"\x00" * MESSAGE_BYTES),
        FakeRecord(b"\xff" * MESSAGE_BYTES),
        FakeRecord("\u2028".encode() * 300_000),
        FakeRecord(key=b"k" * MESSAGE_BYTES),
        FakeRecord(key=b"\x01" * MESSAGE_BYTES),
        FakeRecord(headers=(("h", b"x" * MESSAGE_BYTES),)),
        FakeRecord(headers=tuple((f"h{number}", b"x" * 1_000) for number in range(900))),
    ],
    ids=["text", "NUL", "no text", "three bytes", "key", "odd key", "header", "headers"],
)
def test_a_letter_is_never_too_large_to_be_sent(record: FakeRecord) -> None:
    message, letter = buried(record, detail="\x01" * 100_000)
    assert size(message) < MESSAGE_BYTES * 2 // 3
    assert letter.truncated == (len(record.value or b"") > 64 * 1024)


def test_a_small_header_is_kept_beside_a_huge_one() -> None:
    headers = (("traceparent", b"00"), ("huge", b"x" * 500_000))
    message, _ = buried(FakeRecord(headers=headers))
    assert list(message.headers) == [("traceparent", b"00")]


def test_malformed_records_count_for_as_long_as_they_are_in_the_window() -> None:
    assert within_window([0, 1, 2], WINDOW) == [0, 1, 2]
    assert within_window([0, 1, 2], WINDOW + 1) == [1, 2]
    assert within_window([0, 1, 2], WINDOW + 3) == []
    assert LIMIT < WINDOW
