"""The list of rules, and a file of them."""

import pytest
from playwright.async_api import FilePayload, expect

from tests.browser.conftest import Desk
from tests.browser.fake_services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(120)]


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
async def test_a_file_on_its_way_is_said_to_be_and_may_take_longer_than_a_question(
    calm_desk: Desk, fakes: tuple[FakeServices, str], locale: str
) -> None:
    chinese = locale == "zh-CN"
    viewer = await calm_desk.viewer(locale=locale, phone=chinese)
    page = viewer.page
    await viewer.open("/rules")
    await expect(page.locator("table.rules tbody tr")).to_have_count(5)
    said = page.locator("[role=status]")
    async with fakes[0].configuration.held_up:
        file = FilePayload(name="rules.yaml", mimeType="application/yaml", buffer=b"rules: []")
        await page.locator("#rules-file").set_input_files(file)
        await expect(said).to_have_text("正在导入…" if chinese else "Importing…")
        await expect(page.locator("#rules-file")).to_be_disabled()
        await viewer.keep_screenshot(f"rules-importing-{locale}")
        await page.wait_for_timeout(3_500)
        await expect(said).to_have_text("正在导入…" if chinese else "Importing…")
    await expect(said).to_contain_text("新建 1 条" if chinese else "1 new")
