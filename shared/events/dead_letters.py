"""`<topic>.dead`: records that a consumer could not apply, with reason and position.

Key: as the source. At least once: unique by (topic, partition, offset, reason).
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from shared.events.base import Code, Event, Instant

VERSION = 1


class DeadReason(StrEnum):
    """Why a record was put aside. The first two count against the partition's limit."""

    UNDECODABLE = "undecodable"
    """Not JSON, or no text at all."""
    INVALID = "invalid"
    """JSON that is not the topic's schema."""
    ID_REUSED = "id_reused"
    """A known identity with other content."""
    FROM_THE_FUTURE = "from_the_future"
    """Dated more than five minutes ahead."""
    TOO_OLD = "too_old"
    """Dated before what is left of its level's past: those days are archived."""
    MISPLACED = "misplaced"
    """In another partition than its SKU's: from before the topic grew, or by a writer's mistake."""

    @property
    def malformed(self) -> bool:
        """Whether the record, rather than what it says, is at fault."""
        return self in {DeadReason.UNDECODABLE, DeadReason.INVALID}


class DeadLetter(Event):
    """A record put aside.

    `value` is the record's text (undecodable bytes replaced), `value_base64` its exact bytes
    where the text could not hold them; both cut at 64 KiB with `truncated` set.
    """

    v: Literal[1] = 1
    topic: str
    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]
    reason: Annotated[DeadReason | Code, Field(union_mode="left_to_right")]
    """One of DeadReason, or of those that a newer writer has."""
    detail: str
    key: str | None = None
    value: str | None = None
    value_base64: str | None = None
    truncated: bool = False
    first: str | None = None
    """For id_reused: the content first recorded under this identity, as JSON."""
    consumer: str
    recorded_at: Instant


def dead_topic(topic: str) -> str:
    """Return the dead-letter topic of a topic."""
    return f"{topic}.dead"
