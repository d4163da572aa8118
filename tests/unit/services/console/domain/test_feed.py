import asyncio
from collections.abc import AsyncIterator

import pytest

from services.console.domain import feed as feed_module
from services.console.domain.feed import Feed, of_episode, of_level
from shared.events.stock_levels import StockLevel
from tests.factories.stock_levels import stock_level

CUP, SOCK = of_level("CUP", "hz"), of_level("SOCK", "hz")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "PAUSE_SECONDS", 0)


async def taken(changes: AsyncIterator[list[StockLevel] | None]) -> list[tuple[str, int]] | None:
    async with asyncio.timeout(2):
        levels = await anext(changes)
    return None if levels is None else [(one.sku, one.version) for one in levels]


async def test_a_page_sees_the_levels_it_watches_and_no_others() -> None:
    feed = Feed()
    page = feed.subscribe()
    page.watch([CUP])
    feed.offer(SOCK, stock_level("SOCK", 1))
    feed.offer(CUP, stock_level("CUP", 2))
    assert await taken(page.changes()) == [("CUP", 2)]


async def test_between_two_looks_only_the_newest_is_kept() -> None:
    feed = Feed()
    page = feed.subscribe()
    page.watch([CUP])
    for version in (3, 5, 4):
        feed.offer(CUP, stock_level("CUP", version))
    assert await taken(page.changes()) == [("CUP", 5)]


async def test_every_page_gets_the_change() -> None:
    feed = Feed()
    pages = [feed.subscribe() for _ in range(50)]
    for page in pages:
        page.watch([CUP])
    feed.offer(CUP, stock_level("CUP", 1))
    for page in pages:
        assert await taken(page.changes()) == [("CUP", 1)]


async def test_who_is_told_to_ask_again_gets_none_instead_of_what_was_pending() -> None:
    feed = Feed()
    page = feed.subscribe()
    page.watch([CUP])
    changes = page.changes()
    feed.offer(CUP, stock_level("CUP", 1))
    feed.refetch()
    assert await taken(changes) is None
    feed.offer(CUP, stock_level("CUP", 2))
    assert await taken(changes) == [("CUP", 2)]


async def test_an_episode_that_changed_is_asked_for_by_who_shows_it() -> None:
    feed = Feed()
    shown, other = feed.subscribe(), feed.subscribe()
    shown.watch([of_episode("a")])
    other.watch([of_episode("b"), CUP])
    feed.touch(of_episode("a"))
    feed.offer(CUP, stock_level("CUP", 1))
    assert await taken(shown.changes()) is None
    assert await taken(other.changes()) == [("CUP", 1)]


async def test_watching_something_else_forgets_what_was_watched_before() -> None:
    feed = Feed()
    page = feed.subscribe()
    page.watch([CUP])
    feed.offer(CUP, stock_level("CUP", 1))
    page.watch([SOCK])
    assert not feed.wants(CUP)
    feed.offer(CUP, stock_level("CUP", 2))
    feed.offer(SOCK, stock_level("SOCK", 1))
    assert await taken(page.changes()) == [("SOCK", 1)]


def test_a_closed_page_leaves_nothing_behind() -> None:
    feed = Feed()
    page, other = feed.subscribe(), feed.subscribe()
    page.watch([CUP, SOCK])
    other.watch([CUP])
    page.close()
    assert feed.wants(CUP)
    assert not feed.wants(SOCK)
    other.close()
    other.close()
    assert not feed.wants(CUP)
