"""Records of both topics reach who watches; anything else is not even read."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest
from typing_extensions import override

from services.console.domain.feed import Feed, of_episode, of_episodes, of_level
from services.console.inbound import stock_alerts, stock_levels
from shared.events.stock_alerts import (
    AlertEvent,
    AlertFacts,
    AlertLevel,
    AlertRule,
    StockAlert,
)
from shared.events.stock_levels import StockLevel

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass
class Given:
    """A record as the broker gives it."""

    key: bytes | None
    value: bytes | None
    topic: str = "stock.levels"
    partition: int = 0
    offset: int = 0
    timestamp: int = 0
    headers: list[tuple[str, bytes]] = field(default_factory=list)


class Spy(Feed):
    """Notes what is passed on."""

    def __init__(self, *wanted: bytes) -> None:
        super().__init__()
        self.wanted = set(wanted)
        self.offered: list[tuple[bytes, int]] = []
        self.touched: list[bytes] = []

    @override
    def wants(self, key: bytes) -> bool:
        return key in self.wanted

    @override
    def offer(self, key: bytes, level: StockLevel) -> None:
        self.offered.append((key, level.version))

    @override
    def touch(self, key: bytes) -> None:
        self.touched.append(key)


def level(version: int) -> bytes:
    return StockLevel(
        sku="CUP",
        warehouse="hz",
        version=version,
        on_hand=1,
        reserved=0,
        unavailable=0,
        incoming=0,
        available=1,
        low_water=1,
        counted_at=None,
        last_change_at=NOW,
        sold_total=0,
        returned_total=0,
        received_total=0,
    ).encode()


def test_only_the_newest_record_of_a_watched_level_is_passed_on() -> None:
    key = of_level("CUP", "hz")
    feed = Spy(key)
    records = [Given(key, level(1)), Given(key, level(2)), Given(b"SOCK|hz", b"never read")]
    stock_levels.take(records, feed)
    assert feed.offered == [(key, 2)]


@pytest.mark.parametrize("value", [b"{", b"{}", b"\xff", None])
def test_what_cannot_be_read_does_not_stop_the_rest(value: bytes | None) -> None:
    cup, sock = of_level("CUP", "hz"), of_level("SOCK", "hz")
    feed = Spy(cup, sock)
    stock_levels.take([Given(sock, value), Given(cup, level(1)), Given(None, b"{}")], feed)
    assert feed.offered == [(cup, 1)]


def test_an_alert_touches_its_own_page_and_its_levels() -> None:
    alert = StockAlert(
        alert_id=UUID(int=5),
        number=1,
        revision=1,
        event=AlertEvent.OPENED,
        level=AlertLevel.OUT,
        rule=AlertRule(id="r", version=1, kind="stock_out", name={}),
        sku="CUP",
        warehouse="hz",
        facts=AlertFacts(available=0, on_hand=0, low_water=0),
        opened_at=NOW,
        occurred_at=NOW,
        recorded_at=NOW,
    )
    feed = Spy()
    stock_alerts.take([Given(b"", b"nonsense"), Given(b"", None), Given(b"", alert.encode())], feed)
    assert feed.touched == [of_episode(str(UUID(int=5))), of_episodes("CUP", "hz")]
