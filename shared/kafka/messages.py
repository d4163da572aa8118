"""What goes to and comes from the broker, free of the client library's types."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Message(NamedTuple):
    """One record to publish; the partition is always explicit (see `partition_of`)."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Outgoing(NamedTuple):
    """Messages for one topic, in order per partition; the topic is named without its prefix."""

    topic: str
    messages: Sequence[Message]


class Record(Protocol):
    """One record as the broker gave it. `timestamp` is the broker's, in ms; `topic` prefixed."""

    @property
    def topic(self) -> str: ...  # noqa: D102
    @property
    def partition(self) -> int: ...  # noqa: D102
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...  # noqa: D102
