"""What is on the Stock page between an answer of the ledger and the changes that follow it."""

from services.console.domain.feed import Feed, of_level
from services.console.pages.stock import OnScreen
from services.console.upstream.answers import Level
from services.console.upstream.grid import Row, Rows
from tests.factories.stock_levels import stock_level


def answer(**versions: int) -> Rows:
    rows = [
        Row(
            f"row-{place}",
            sku,
            None,
            "hz",
            "Hangzhou",
            Level(**stock_level(sku, version).model_dump()),
        )
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
    feed.offer(of_level("CUP", "hz"), stock_level("CUP", 2))
    assert not screen.answered(answer(CUP=2, SOCK=4))
    assert screen.answered(answer(SOCK=4, HAT=9)), "of the hat nothing was told so far"
    assert not feed.wants(of_level("CUP", "hz"))


def test_an_answer_that_was_overtaken_on_its_way_takes_nothing_back() -> None:
    screen = OnScreen(Feed().subscribe())
    screen.answered(answer(CUP=1, SOCK=4))
    assert [row.sku for row in screen.changed([stock_level("CUP", 3), stock_level("SOCK", 2)])] == [
        "CUP"
    ]
    screen.answered(answer(CUP=2, SOCK=5))
    assert shown(screen) == [3, 5]
