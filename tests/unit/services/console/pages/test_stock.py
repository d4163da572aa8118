"""What is on the Stock page between an answer of the ledger and the changes that follow it."""

from datetime import UTC, datetime

from services.console.domain.feed import Feed, of_level
from services.console.pages.stock import OnScreen
from services.console.upstream.answers import Level
from services.console.upstream.grid import Row, Rows
from shared.events.stock_levels import StockLevel


def told(sku: str, version: int) -> StockLevel:
    return StockLevel(
        sku=sku,
        warehouse="hz",
        version=version,
        on_hand=version,
        reserved=0,
        unavailable=0,
        incoming=0,
        available=version,
        low_water=0,
        counted_at=None,
        last_change_at=datetime(2026, 3, 2, tzinfo=UTC),
        sold_total=0,
        returned_total=0,
        received_total=0,
    )


def answer(**versions: int) -> Rows:
    rows = [
        Row(f"row-{place}", sku, None, "hz", "Hangzhou", Level(**told(sku, version).model_dump()))
        for place, (sku, version) in enumerate(versions.items())
    ]
    return Rows(tuple(rows), None)


def shown(screen: OnScreen) -> list[int]:
    assert screen.rows is not None
    return [row.level.version for row in screen.rows.rows if row.level]


def test_rows_that_nobody_watched_while_they_were_asked_for_are_asked_for_once_more() -> None:
    feed = Feed()
    screen = OnScreen(feed.subscribe())
    assert screen.answered(answer(CUP=1, SOCK=4))
    feed.offer(of_level("CUP", "hz"), told("CUP", 2))
    assert not screen.answered(answer(CUP=2, SOCK=4))
    assert screen.answered(answer(SOCK=4, HAT=9)), "of the hat nothing was told so far"
    assert not feed.wants(of_level("CUP", "hz"))


def test_an_answer_that_was_overtaken_on_its_way_takes_nothing_back() -> None:
    screen = OnScreen(Feed().subscribe())
    screen.answered(answer(CUP=1, SOCK=4))
    assert [row.sku for row in screen.changed([told("CUP", 3), told("SOCK", 2)])] == ["CUP"]
    screen.answered(answer(CUP=2, SOCK=5))
    assert shown(screen) == [3, 5]
