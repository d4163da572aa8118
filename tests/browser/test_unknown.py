"""Products of which class or supplier is not known: counted beside responsibilities, and listed."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Desk
from tests.browser.fake_services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(120)]


@pytest.fixture
def without_supplier(fakes: tuple[FakeServices, str]) -> Iterator[list[dict[str, Any]]]:
    """Yield the products without a supplier, none at first."""
    products = fakes[0].configuration.without_supplier
    yield products
    products.clear()


@pytest.mark.parametrize(
    ("locale", "counted", "title"),
    [
        ("zh-CN", "2 个商品没有供应商", "没有供应商的商品"),
        ("en-GB", "2 products have no supplier", "Products without a supplier"),
    ],
)
async def test_products_without_a_supplier_are_found_from_the_responsibilities(
    calm_desk: Desk,
    without_supplier: list[dict[str, Any]],
    locale: str,
    counted: str,
    title: str,
) -> None:
    viewer = await calm_desk.viewer(locale=locale)
    page = viewer.page
    await viewer.open("/people")
    await expect(page.locator("#responsibilities table")).to_be_visible()
    link = page.locator("a[href^='/people/unknown']")
    await expect(link).to_have_count(0)
    without_supplier += [
        {"sku": "SKU-1", "name": "抽纸", "warehouses": ["hangzhou", "shanghai-store"]},
        {"sku": "SKU-2", "name": None, "warehouses": ["hangzhou"]},
    ]
    await page.reload()
    await expect(link).to_have_text(counted)
    await viewer.keep_screenshot(f"people-unknown-{locale[:2]}")
    await link.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(title)
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("SKU-1")
    await expect(rows.first.get_by_role("link")).to_have_text(["杭州电商仓", "上海门店"])
    await viewer.keep_screenshot(f"unknown-{locale[:2]}")
    await rows.last.get_by_role("link", name="杭州电商仓").click()
    await page.wait_for_url("**/stock/SKU-2/hangzhou")
