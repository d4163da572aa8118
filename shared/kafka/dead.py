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
_KEY_BYTES = 1_024
_HEADER_BYTES = 8 * 1024
"""A letter always fits a message: 64 KiB become six times as many where each is an escape."""


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
        key=None if record.key is None else record.key[:_KEY_BYTES].decode(errors="replace"),
        value=None if record.value is None else value,
        value_base64=exact,
        truncated=len(raw) > _TEXT_BYTES,
        first=first,
        consumer=consumer,
        recorded_at=clock.now(),
    )
    return Message(
        record.partition % DEAD_PARTITIONS,
        None if record.key is None else record.key[:_KEY_BYTES],
        letter.encode(),
        _small(record.headers),
    )


def _small(headers: Sequence[tuple[str, bytes]]) -> tuple[tuple[str, bytes], ...]:
    """Return the headers that fit, in order; those of ours are small."""
    kept, room = [], _HEADER_BYTES
    for name, value in headers:
        room -= len(name) + len(value or b"")
        if room >= 0:
            kept.append((name, value))
    return tuple(kept)
