from dataclasses import dataclass


@dataclass(frozen=True)
class FakeRecord:
    """A record as the broker would give it."""

    value: bytes | None = b"{}"
    offset: int = 0
    topic: str = "stock.changes"
    partition: int = 0
    timestamp: int = 0
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
