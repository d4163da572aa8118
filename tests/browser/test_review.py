"""Looking back: figures, the workbook, and a case from its cause to its end."""

from datetime import timedelta

import pytest
from playwright.async_api import expect

from tests.browser.conftest import PHONE, Desk
from tests.browser.fake_moment import NOW
from tests.browser.fake_review import case as a_case
from tests.browser.fake_services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(120)]


async def test_a_period_is_looked_at_by_warehouse_taken_along_and_a_case_confirmed(
    calm_desk: Desk, fakes: tuple[FakeServices, str]
) -> None:
    past = fakes[0].past
    viewer = await calm_desk.viewer(signed_in=False, locale="en-GB", phone=True)
    page = viewer.page
    await page.goto(await calm_desk.link())
    await viewer.open("/review")
    await page.get_by_role("button", name="90 days").click()
    await page.get_by_role("combobox").select_option("warehouse")
    await expect(page.locator("table.groups")).to_contain_text("上海门店")
    asked = past.asked[-1]
    assert (asked.by, asked.span) == ("warehouse", timedelta(days=90))
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download workbook").click()
    assert (await download.value).suggested_filename.endswith(".xlsx")

    await expect(page.locator(".cases button")).to_have_count(0)
    await page.locator("#main a[href='/me?back=/review']").click()
    await page.locator(".person", has_text="林晓").click()
    past.said.clear()
    case = page.locator(".cases li", has_text="SKU-1003")
    await case.get_by_role("button", name="Confirm the cause").click()
    await expect(case.get_by_label("Cause", exact=True)).to_have_value("limit_too_low")
    await case.get_by_label("Cause", exact=True).select_option("supplier_late")
    await case.locator("[data-act=send]").click()
    await expect(case.locator("#case-measure-note")).to_have_text("Please fill this in")
    await case.get_by_label("Measure").fill("Order a week earlier")
    due = (NOW + timedelta(days=9)).date().isoformat()
    await case.get_by_label("By", exact=True).fill(due)
    await viewer.keep_screenshot("review-case")
    await case.locator("[data-act=send]").click()
    await expect(case.locator(".state")).to_have_text("Confirmed")
    said = {"cause": "supplier_late", "measure": "Order a week earlier", "due": due}
    assert past.said == [("lin", "confirm", said)]


async def test_earlier_cases_are_a_part_further(
    calm_desk: Desk, fakes: tuple[FakeServices, str]
) -> None:
    fakes[0].past.cases = [a_case(number, "open") for number in range(60, 0, -1)]
    viewer = await calm_desk.viewer(locale="en-GB")
    await viewer.open("/review")
    page = viewer.page
    cases = page.locator(".cases > li")
    await expect(cases).to_have_count(50)
    await page.get_by_role("button", name="Earlier").click()
    await expect(cases).to_have_count(10)
    await expect(cases.last).to_contain_text("SKU-1001")
    await expect(page.get_by_role("button", name="Earlier")).to_be_disabled()
    await page.get_by_role("button", name="Newer").click()
    await expect(cases.first).to_contain_text("SKU-10060")


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
async def test_groups_say_how_long_alerts_took_and_how_often_they_were_escalated(
    calm_desk: Desk, locale: str
) -> None:
    chinese = locale == "zh-CN"
    viewer = await calm_desk.viewer(locale=locale)
    page = viewer.page
    await viewer.open("/review")
    first = page.locator("table.groups tbody tr").first
    end, escalations = ("平均解除", "升级") if chinese else ("Mean to the end", "Escalations")
    span = first.locator(f"td[data-label='{end}']")
    await expect(span).to_have_text("1 天 2 小时" if chinese else "1 d 2 h")
    times = first.locator(f"td[data-label='{escalations}']")
    await expect(times).to_have_text("10 次" if chinese else "10")
    await viewer.keep_screenshot(f"review-groups-{locale}-wide")
    await page.set_viewport_size(PHONE)
    await first.scroll_into_view_if_needed()
    await viewer.keep_screenshot(f"review-groups-{locale}-phone")
    scrolled = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not await page.evaluate(scrolled)
