"""What is left of a page whose connection breaks."""

import asyncio

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Desk
from tests.browser.fake_services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(120)]

AWAY_SECONDS = 12
BREAK = f"""(() => {{
  const {{ io }} = window.socket;
  io.randomizationFactor(0);
  io.reconnectionDelayMax({AWAY_SECONDS}000);
  io.reconnectionDelay({AWAY_SECONDS}000);
  window.isThatPage = true;
  io.engine.close();
}})()"""


async def test_what_is_typed_outlives_a_connection_that_is_away_for_a_while(
    calm_desk: Desk, fakes: tuple[FakeServices, str]
) -> None:
    people = fakes[0].configuration.people
    before = dict(people["anna"])
    viewer = await calm_desk.viewer(locale="en-GB")
    page = viewer.page
    await viewer.open("/people")
    await page.locator("[data-act='edit:anna']").click()
    name = page.locator("#person-name")
    await name.fill("Anna B.")
    await page.evaluate(BREAK)
    await page.locator("#person-email").fill("anna.b@shop.example")
    away = page.locator("#popup")
    await expect(away).to_have_attribute("aria-hidden", "false")
    await asyncio.sleep(AWAY_SECONDS - 2)
    await expect(away).to_have_attribute("aria-hidden", "true")
    assert await page.evaluate("window.isThatPage")
    await expect(name).to_have_value("Anna B.")
    await page.locator("form[data-key=person-anna]").get_by_role("button", name="Save").click()
    await expect(name).to_have_count(0)
    saved = people["anna"]
    people["anna"] = before  # the others find her as she was
    assert (saved["name"], saved["email"]) == ("Anna B.", "anna.b@shop.example")
