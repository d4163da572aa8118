"""Dead letters: what one looks like, and how many a partition may have before it must stop."""

import base64
from collections.abc import Sequence

from shared.clock import Clock
from shared.events.dead_letters import DeadLetter, DeadReason
from shared.events.topics import DEAD_PARTITIONS
from shared.kafka.messages import Message, Record

LIMIT = 100
WINDOW = 10_000
"""More than LIMIT malformed records among a partition's last WINDOW stop it: a bad deployment of
a producer (or of ourselves) must halt the flow, not empty the topic into the dead letters."""

_TEXT_BYTES = 64 * 1024


def within_window(offsets: Sequence[int], next_offset: int) -> list[int]:
    """Return the malformed offsets that still count at a position."""
    return [offset for offset in offsets if offset >= next_offset - WINDOW]


def dead_letter(
    record: Record,
    topic: str,
    reason: DeadReason,
    detail: str,
    *,
    consumer: str,
    clock: Clock,
    first: str | None = None,
) -> Message:
    """Return the message for the dead topic; records of one partition stay in order there."""
    raw = record.value or b""
    cut = raw[:_TEXT_BYTES]
    try:
        value, exact = cut.decode(), None
    except UnicodeDecodeError:
        value, exact = cut.decode(errors="replace"), base64.b64encode(cut).decode()
    letter = DeadLetter(
        topic=topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason,
        detail=detail[:2_000],
        key=None if record.key is None else record.key[:1_024].decode(errors="replace"),
        value=None if record.value is None else value,
        value_base64=exact,
        truncated=len(raw) > _TEXT_BYTES,
        first=first,
        consumer=consumer,
        recorded_at=clock.now(),
    )
    partition = record.partition % DEAD_PARTITIONS
    return Message(partition, record.key, letter.encode(), tuple(record.headers))
