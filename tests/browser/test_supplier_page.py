"""A supplier's page in a real browser: what counts as opening it, with and without scripts."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from pydantic import SecretStr

from services.alerting.ordering.links import OrderLinks
from services.alerting.settings import AlertingSettings
from services.alerting.wiring import serve as alerting_serve
from shared.clock import WallClock
from shared.testing.stack import Database, Stack
from shared.testing.waiting import until
from tests.browser.serving import serving

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(120)]

ORDER = UUID(int=7)
_PLACED = """
INSERT INTO purchase_order (id, number, opened_at, placed_at) VALUES ($1, 1, now(), now())
"""
SECRET = SecretStr("a key of this test alone")
OPENED = "**/supplier/order/opened**"


@dataclass
class Placed:
    """An order that was placed, and the link to it."""

    link: str
    database: Database

    async def opened_at(self) -> datetime | None:
        """Return when somebody last did something on the page."""
        connection = await asyncpg.connect(self.database.url("alerting"))
        try:
            found: datetime | None = await connection.fetchval(
                "SELECT link_opened_at FROM purchase_order"
            )
            return found
        finally:
            await connection.close()

    async def is_opened(self) -> bool:
        """Return whether anybody has."""
        return await self.opened_at() is not None


@pytest_asyncio.fixture
async def placed(stack: Stack, topics: str, key: Path, database: Database) -> AsyncIterator[Placed]:
    settings = AlertingSettings(
        kafka=stack.bootstrap,
        topic_prefix=topics,
        jwks_file=key.parent / "jwks.json",
        database_url=database.url("alerting"),
        secret_key=SECRET,
    )
    connection = await asyncpg.connect(database.url("alerting"))
    await connection.execute(_PLACED, ORDER)
    await connection.close()
    async with serving(alerting_serve.application(settings)) as address:
        link = OrderLinks(SECRET, address).link(ORDER, WallClock().now())
        assert link is not None
        yield Placed(link, database)


@pytest_asyncio.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(locale="zh-CN")
    yield await context.new_page()
    await context.close()


async def test_an_order_is_opened_when_somebody_does_something_on_its_page(
    placed: Placed, page: Page
) -> None:
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    told: list[str] = []
    page.on("request", lambda request: told.append(request.method))
    await page.goto(placed.link)
    # What a script pretends is nobody's doing.
    await page.evaluate("dispatchEvent(new KeyboardEvent('keydown', {key: 'Tab'}))")
    await page.wait_for_load_state("networkidle")
    assert (told, await placed.opened_at()) == (["GET"], None)
    # Alerting may know of it before the browser's message of it is here.
    async with page.expect_request(OPENED):
        await page.keyboard.press("Tab")
        await page.mouse.move(200, 200)
    await until(placed.is_opened)
    assert (told, trouble) == (["GET", "POST"], [])


async def test_a_mouse_that_passes_over_the_page_opens_nothing_and_a_click_does(
    placed: Placed, page: Page
) -> None:
    told: list[str] = []
    page.on("request", lambda request: told.append(request.method))
    await page.goto(placed.link)
    await page.evaluate(
        "() => { seen = new Promise(done => addEventListener('pointermove', () => done(true))) }"
    )
    await page.mouse.move(200, 200)
    await page.mouse.move(210, 210)
    assert await page.evaluate("seen")
    # Whatever was told before this is on its way before it.
    assert await page.evaluate("fetch(location).then(answer => answer.ok)")
    assert (told, await placed.opened_at()) == (["GET", "GET"], None)
    async with page.expect_request(OPENED):
        await page.mouse.click(210, 210)
    await until(placed.is_opened)
    assert told == ["GET", "GET", "POST"]


async def test_without_scripts_the_page_shows_the_order_and_nothing_is_told(
    placed: Placed, browser: Browser
) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(placed.link)
    assert "LT-1" in await page.locator("h1").inner_text()
    await page.mouse.move(200, 200)
    await page.wait_for_load_state("networkidle")
    assert await placed.opened_at() is None
    await context.close()
