"""What is looked at is in the address: one comes back to it."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Desk

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(120)]


async def test_a_search_is_there_again_on_the_way_back_from_what_it_found(
    calm_desk: Desk,
) -> None:
    viewer = await calm_desk.viewer(locale="en-GB")
    page = viewer.page
    await viewer.open("/stock")
    rows = page.locator("tbody tr")
    await expect(rows.nth(1)).to_be_visible()
    search = page.get_by_role("searchbox")
    await search.fill("sku-1001")
    await page.get_by_role("combobox").select_option("hangzhou")
    await expect(rows).to_have_count(1)
    found = f"{calm_desk.address}/stock?words=sku-1001&warehouse=hangzhou"
    await expect(page).to_have_url(found)
    await rows.locator("a").first.click()
    await page.wait_for_url("**/stock/SKU-1001/hangzhou")
    await page.go_back()
    await expect(page).to_have_url(found)
    await expect(search).to_have_value("sku-1001")
    await expect(page.get_by_role("combobox")).to_have_value("hangzhou")
    await expect(rows).to_have_count(1)


async def test_filters_of_notices_outlive_a_reload_and_saying_who_one_is(
    calm_desk: Desk,
) -> None:
    viewer = await calm_desk.viewer(signed_in=False, locale="en-GB")
    page = viewer.page
    await page.goto(await calm_desk.link())
    await viewer.open("/deliveries")
    dead = page.locator("[data-act=dead]")
    await dead.click()
    address = f"{calm_desk.address}/deliveries?state=dead"
    await expect(page).to_have_url(address)
    await page.reload()
    await expect(dead).to_have_attribute("aria-pressed", "true")
    await page.locator("header .myself").click()
    # Pressed once more there, it leads to where one is, not away from where one came from.
    await page.locator("header .myself").click()
    await page.locator(".person", has_text="林晓").click()
    await expect(page).to_have_url(address)
    await expect(dead).to_have_attribute("aria-pressed", "true")
    await dead.click()
    await page.locator("[data-act=all]").click()
    await expect(page).to_have_url(f"{calm_desk.address}/deliveries")


async def test_who_has_to_sign_in_again_comes_back_to_what_was_looked_at(
    calm_desk: Desk,
) -> None:
    viewer = await calm_desk.viewer(signed_in=False)
    page = viewer.page
    await page.goto(await calm_desk.link())
    odd = f"{calm_desk.address}/stock/A%2FB%201%2B2%3F/hangzhou"
    for address in (f"{calm_desk.address}/alerts?level=watch", odd):
        await page.goto(address)
        await expect(page.locator(".page")).to_be_visible()
        headers = {"Origin": calm_desk.address}
        await viewer.context.request.post(f"{calm_desk.address}/sign-out", headers=headers)
        await expect(page).to_have_url(f"{calm_desk.address}/sign-in")
        await page.goto(await calm_desk.link())
        await expect(page).to_have_url(address)
