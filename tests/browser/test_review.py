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
    await page.locator("#main a[href^='/me?back=/review']").click()
    await page.locator(".person", has_text="林晓").click()
    await expect(page).to_have_url(f"{calm_desk.address}/review?days=90&by=warehouse")
    chosen = page.get_by_role("button", name="90 days")
    await expect(chosen).to_have_attribute("aria-pressed", "true")
    await expect(page.get_by_role("combobox")).to_have_value("warehouse")
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


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
async def test_what_nobody_was_warned_of_is_recorded_and_then_given_a_cause(
    calm_desk: Desk, fakes: tuple[FakeServices, str], locale: str
) -> None:
    chinese = locale == "zh-CN"
    past = fakes[0].past
    before, past.said = past.cases, []
    past.cases = [a_case(1, "closed")]
    viewer = await calm_desk.viewer(signed_in=False, locale=locale, phone=chinese)
    page = viewer.page
    await page.goto(await calm_desk.link())
    await viewer.open("/me?back=/review")
    await page.locator(".person", has_text="林晓").click()
    await page.get_by_role(
        "button", name="记一次漏报" if chinese else "Record a missed one"
    ).click()
    form = page.locator("form[data-key=missed]")
    sku, note = page.locator("#case-sku"), page.locator("#case-note")
    await expect(sku).to_be_focused()
    await sku.fill("SKU-9")
    await form.locator("[data-act=send]").click()
    await expect(page.locator("#case-note-note")).to_be_visible()
    await note.fill("客服说没货")
    await page.locator("#case-warehouse").select_option("上海门店")
    await page.locator("#case-ran-out").fill("2036-01-02T08:30")
    await form.locator("[data-act=send]").click()
    await expect(page.locator("#case-ran-out-note")).to_have_text(
        "这个时间还没到" if chinese else "This is still to come"
    )
    await page.locator("#case-ran-out").fill("2026-01-02T08:30")
    await form.locator("[data-act=send]").click()
    await expect(page.locator("#case-sku-note")).to_have_text(
        "没有这个 SKU" if chinese else "There is no such SKU"
    )
    await viewer.keep_screenshot(f"review-missed-{locale}")
    await sku.fill("SKU-1004")
    await form.locator("[data-act=send]").click()
    case = page.locator(".cases li", has_text="SKU-1004")
    await expect(case.locator("#case-cause")).to_be_focused()
    await viewer.keep_screenshot(f"review-missed-cause-{locale}")
    said = {"sku": "SKU-1004", "warehouse": "shanghai-store", "note": "客服说没货"}
    when = {"ran_out_at": "2026-01-02T00:30:00.000Z"}
    assert past.said == [("lin", "missed", said | when)]
    await case.locator("#case-cause").select_option("no_rule")
    await case.locator("#case-measure").fill("加一条规则")
    await case.locator("#case-due").fill((NOW + timedelta(days=9)).date().isoformat())
    await case.locator("[data-act=send]").click()
    await expect(case.locator(".state")).to_have_text("已确认" if chinese else "Confirmed")
    past.cases = before
