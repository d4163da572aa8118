"""A real Chromium, the whole stack with its demonstration, and a console whose services can go."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Response,
    async_playwright,
)

from deploy.local.instance import TEST_PREFIX, home
from deploy.local.processes import CONSOLE, DEMONSTRATION, ROLES, STAND_IN
from deploy.local.stack import LocalStack
from shared.clock import WallClock
from shared.http.auth import Scope
from shared.testing.stack import Stack, fresh_database, fresh_topics
from tests.browser.fake_services import FakeServices
from tests.browser.serving import serving

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE = {"width": 1360, "height": 900}
PHONE = {"width": 390, "height": 844}
SHELVES = 120
"""Levels of the demonstration."""
PATIENCE = timedelta(seconds=20)


@dataclass
class Viewer:
    """Somebody in front of a browser. `trouble` is what the browser complained about."""

    context: BrowserContext
    page: Page
    trouble: list[str]
    address: str

    async def open(self, path: str) -> None:
        """Go to a page and wait for its frame."""
        await self.page.goto(self.address + path)
        await self.page.wait_for_selector(".page")

    async def keep_screenshot(self, name: str) -> None:
        """Keep what is on screen, for people to look at after the tests."""
        folder = home() / "screenshots"
        folder.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=folder / f"{name}.png", full_page=True)


class Desk:
    """Where viewers come from; every one is checked for trouble when the test is over."""

    def __init__(self, browser: Browser, address: str, stack: LocalStack) -> None:
        self.address = address
        self.stack = stack
        self._browser = browser
        self._viewers: list[Viewer] = []

    async def viewer(
        self,
        *,
        signed_in: bool = True,
        locale: str = "zh-CN",
        dark: bool = False,
        phone: bool = False,
    ) -> Viewer:
        """Return a new viewer with a browser profile of their own."""
        context = await self._browser.new_context(
            locale=locale,
            color_scheme="dark" if dark else "light",
            viewport=PHONE if phone else WIDE,  # type: ignore[arg-type] # a TypedDict of its own
            timezone_id="Asia/Shanghai",
        )
        context.set_default_timeout(PATIENCE.total_seconds() * 1000)
        page = await context.new_page()
        viewer = Viewer(context, page, [], self.address)
        page.on("console", lambda message: _note_message(viewer, message))
        page.on("pageerror", lambda error: viewer.trouble.append(f"error: {error}"))
        page.on("response", lambda response: _note_response(viewer, response))
        self._viewers.append(viewer)
        if signed_in:
            await page.goto(await self.link())
        return viewer

    async def link(self) -> str:
        """Return a fresh sign-in link."""
        return await self.stack.output(CONSOLE.name, "link")

    async def close(self) -> None:
        """Close every browser profile; a test fails on what its browsers complained about."""
        trouble = [one for viewer in self._viewers for one in viewer.trouble]
        for viewer in self._viewers:
            await viewer.context.close()
        assert trouble == []


def _note_message(viewer: Viewer, message: ConsoleMessage) -> None:
    # Statuses are noted with their address below; the console's line has only the number.
    if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
        viewer.trouble.append(f"{message.type}: {message.text}")


def _note_response(viewer: Viewer, response: Response) -> None:
    if response.status >= 400:
        viewer.trouble.append(f"{response.status} {response.url}")
    if not response.url.startswith((viewer.address, "data:")):
        viewer.trouble.append(f"from elsewhere: {response.url}")


@pytest_asyncio.fixture(scope="session")
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    """Yield one Chromium for all tests."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield started
        await started.close()


@pytest_asyncio.fixture(scope="session")
async def company(stack: Stack, template: str) -> AsyncIterator[LocalStack]:
    """Yield the whole stack with its demonstration."""
    async with (
        fresh_database(stack, template) as database,
        fresh_topics(stack) as prefix,
        LocalStack(
            f"{TEST_PREFIX}{os.getpid()}-{secrets.token_hex(3)}",
            processes=[STAND_IN, *ROLES],
            afterwards=[DEMONSTRATION],
            servers=stack,
            database=database.name,
            topic_prefix=prefix,
        ) as running,
    ):
        await _opened(running)
        yield running
    running.instance.delete()


async def _opened(company: LocalStack) -> None:
    """Wait until the demonstration has set its company up and counted its shelves."""
    headers = {"Authorization": f"Bearer {company.token(Scope.STOCK_READ)}"}
    async with (
        asyncio.timeout(60),
        httpx.AsyncClient(base_url=company.url("ledger"), headers=headers) as client,
    ):
        # Another process is waited for, over HTTP.
        while (await client.get("/v1/summary")).json()["levels"] < SHELVES:  # noqa: ASYNC110
            await asyncio.sleep(0.2)


@pytest_asyncio.fixture
async def desk(browser: Browser, company: LocalStack) -> AsyncIterator[Desk]:
    """Yield viewers of the whole stack's console."""
    desk = Desk(browser, company.url("console"), company)
    yield desk
    await desk.close()


@pytest_asyncio.fixture(scope="module")
async def fakes() -> AsyncIterator[tuple[FakeServices, str]]:
    """Yield services that say what a test wants, and their address."""
    services = FakeServices()
    async with serving(services.app) as address:
        yield services, address


@pytest_asyncio.fixture(scope="module")
async def lone_console(
    stack: Stack, template: str, fakes: tuple[FakeServices, str]
) -> AsyncIterator[LocalStack]:
    """Yield a console over the fakes."""
    services = ("ingest", "ledger", "alerting", "notifier", "standin")
    environment = {f"LOWTIDE_{service.upper()}_URL": fakes[1] for service in services}
    async with (
        fresh_topics(stack) as prefix,
        LocalStack(
            f"{TEST_PREFIX}{os.getpid()}-{secrets.token_hex(3)}",
            processes=[CONSOLE],
            servers=stack,
            database=template,
            topic_prefix=prefix,
            environment=environment,
        ) as running,
    ):
        yield running
    running.instance.delete()


@pytest_asyncio.fixture
async def calm_desk(
    browser: Browser, lone_console: LocalStack, fakes: tuple[FakeServices, str]
) -> AsyncIterator[Desk]:
    """Yield viewers of the console over the fakes, all of which are there at first."""
    fakes[0].away.clear()
    desk = Desk(browser, lone_console.url("console"), lone_console)
    yield desk
    await desk.close()


@pytest.fixture
def clock() -> WallClock:
    """Return the machine's clock, for events that happen now."""
    return WallClock()
