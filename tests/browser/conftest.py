"""A real Chromium, the whole stack with its demonstration, and a console whose services can go."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
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
    ViewportSize,
    async_playwright,
    expect,
)

from deploy.local.instance import TEST_PREFIX, home
from deploy.local.processes import CONSOLE, DEMONSTRATION, ROLES, STAND_IN
from deploy.local.stack import LocalStack
from services.console.api.access import SESSION_COOKIE
from services.console.domain.sign_in import mint_session
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
WIDE = ViewportSize(width=1360, height=900)
PHONE = ViewportSize(width=390, height=844)
SHELVES = 120
"""Levels of the demonstration."""
PATIENCE_MS = 20_000
OPENED_WITHIN_S = 120
TOLD_LINES = 40


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
        await self.page.screenshot(path=folder / f"{name}.png")


@dataclass(frozen=True)
class Look:
    """How a browser profile is set up."""

    address: str
    locale: str
    dark: bool
    phone: bool


class Profiles:
    """Signed-in browser profiles, kept for the whole run: with a warm cache pages load at once."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._known: dict[Look, BrowserContext] = {}

    async def fresh(self, look: Look) -> BrowserContext:
        """Return a profile of nobody, to be closed after use."""
        context = await self._browser.new_context(
            locale=look.locale,
            color_scheme="dark" if look.dark else "light",
            viewport=PHONE if look.phone else WIDE,
            timezone_id="Asia/Shanghai",
        )
        context.set_default_timeout(PATIENCE_MS)
        return context

    async def signed_in(self, look: Look, session: str) -> BrowserContext:
        """Return the profile of somebody who signed in."""
        if look not in self._known:
            self._known[look] = await self.fresh(look)
        context = self._known[look]
        await context.add_cookies([{"name": SESSION_COOKIE, "value": session, "url": look.address}])
        return context


class Desk:
    """Where viewers come from; every one is checked for trouble when the test is over."""

    def __init__(self, profiles: Profiles, stack: LocalStack) -> None:
        self.address = stack.url("console")
        self.stack = stack
        self._profiles = profiles
        self._viewers: list[Viewer] = []
        self._fresh: list[BrowserContext] = []

    async def viewer(
        self,
        *,
        signed_in: bool = True,
        locale: str = "zh-CN",
        dark: bool = False,
        phone: bool = False,
    ) -> Viewer:
        """Return a new viewer; a stranger has a browser profile of their own."""
        look = Look(self.address, locale, dark, phone)
        if signed_in:
            context = await self._profiles.signed_in(look, self._session())
        else:
            context = await self._profiles.fresh(look)
            self._fresh.append(context)
        page = await context.new_page()
        viewer = Viewer(context, page, [], self.address)
        page.on("console", lambda message: _note_message(viewer, message))
        page.on("pageerror", lambda error: viewer.trouble.append(f"error: {error}"))
        page.on("response", lambda response: _note_response(viewer, response))
        self._viewers.append(viewer)
        return viewer

    async def link(self) -> str:
        """Return a fresh sign-in link, as `make run` prints it."""
        return await self.stack.output(CONSOLE.name, "link")

    def _session(self) -> str:
        secret = self.stack.surroundings.credentials.console_secret
        return mint_session(secret, now=WallClock().now(), nonce=secrets.token_hex(8))

    async def close(self) -> None:
        """Close every page; a test fails on what its browsers complained about."""
        trouble = [one for viewer in self._viewers for one in viewer.trouble]
        for viewer in self._viewers:
            await viewer.page.close()
        for context in self._fresh:
            await context.close()
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The company sells until the run ends: what goes without it is not slowed down by it.
    items.sort(key=_has_company)


def _has_company(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and "company" in item.fixturenames


@pytest_asyncio.fixture(scope="session")
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    """Yield one Chromium for all tests."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        expect.set_options(timeout=PATIENCE_MS)
        yield started
        await started.close()


@pytest.fixture(scope="session")
def profiles(browser: Browser) -> Profiles:
    """Return the run's browser profiles."""
    return Profiles(browser)


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
        try:
            async with asyncio.timeout(OPENED_WITHIN_S):
                await _opened(running)
        except TimeoutError:
            pytest.fail(f"the shops did not open within {OPENED_WITHIN_S} s\n{_told(running)}")
        yield running
    running.instance.delete()


async def _opened(company: LocalStack) -> None:
    """Wait until the demonstration has set its company up and counted its shelves."""
    headers = {"Authorization": f"Bearer {company.token(Scope.STOCK_READ)}"}
    async with httpx.AsyncClient(base_url=company.url("ledger"), headers=headers) as client:
        # Another process is waited for, over HTTP.
        while (await client.get("/v1/summary")).json()["levels"] < SHELVES:  # noqa: ASYNC110
            await asyncio.sleep(0.2)


def _told(company: LocalStack) -> str:
    """Return the last lines of every log, for whoever has only the test's output."""
    return "\n".join(
        f"--- {path.name}\n" + "\n".join(path.read_text().splitlines()[-TOLD_LINES:])
        for path in sorted(company.instance.logs_folder.iterdir())
    )


@pytest_asyncio.fixture
async def desk(profiles: Profiles, company: LocalStack) -> AsyncIterator[Desk]:
    """Yield viewers of the whole stack's console."""
    desk = Desk(profiles, company)
    yield desk
    await desk.close()


@pytest_asyncio.fixture(scope="session")
async def fakes() -> AsyncIterator[tuple[FakeServices, str]]:
    """Yield services that say what a test wants, and their address."""
    services = FakeServices()
    async with serving(services.app) as address:
        yield services, address


@pytest_asyncio.fixture(scope="session")
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
        log = (running.instance.logs_folder / f"{CONSOLE.name}.log").read_text(encoding="utf-8")
        assert "Traceback" not in log, log
    running.instance.delete()


@pytest_asyncio.fixture
async def calm_desk(
    profiles: Profiles, lone_console: LocalStack, fakes: tuple[FakeServices, str]
) -> AsyncIterator[Desk]:
    """Yield viewers of the console over the fakes, all of which are there at first."""
    fakes[0].away.clear()
    desk = Desk(profiles, lone_console)
    yield desk
    await desk.close()


@pytest.fixture
def clock() -> WallClock:
    """Return the machine's clock, for events that happen now."""
    return WallClock()
