"""Counts that wait: a stocktake decided as one, and one count by itself."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Desk
from tests.browser.fake_services import FakeServices
from tests.browser.fake_stocktakes import LINES, FakeStocktakes

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(120)]

Fakes = tuple[FakeServices, str]


@pytest.fixture(autouse=True)
def fresh(fakes: Fakes) -> FakeStocktakes:
    """Return counts of which nothing is decided."""
    stocktakes = fakes[0].stocktakes
    stocktakes.decided.clear()
    for each in stocktakes.counts:
        each["state"] = "waiting"
    stocktakes.counts[:] = [each for each in stocktakes.counts if 0 < each["id"] <= LINES + 1]
    return stocktakes


async def test_a_stocktake_of_ten_thousand_lines_is_approved_once_it_is_confirmed(
    calm_desk: Desk, fakes: Fakes
) -> None:
    stocktakes = fakes[0].stocktakes
    viewer = await calm_desk.viewer(signed_in=False, locale="en-GB")
    page = viewer.page
    await page.goto(await calm_desk.link())
    await viewer.open("/stock")
    await page.get_by_role("link", name="Counts to approve").click()
    stocktake = page.locator(".stocktakes li", has_text="PD-2026-11")
    await expect(stocktake).to_contain_text("10,000 counts · variance −2,500 units")
    await expect(stocktake).to_contain_text("42,500 units off in all · −6,250 in money")
    await expect(stocktake.get_by_role("button")).to_have_count(0)
    await page.locator("#main a[href='/me?back=/counts']").click()
    await page.locator(".person", has_text="林晓").click()

    approve = stocktake.get_by_role("button", name="Approve 10,000 counts (−2,500 units)")
    await approve.click()
    confirm = stocktake.get_by_role("button", name="Yes, approve 10,000 counts")
    await expect(confirm).to_be_focused()
    await expect(stocktake).to_contain_text(
        "10,000 counts of PD-2026-11 in 杭州电商仓: stock changes to what was counted, "
        "−2,500 units in sum."
    )
    await viewer.keep_screenshot("counts-confirming")
    await stocktake.get_by_role("button", name="Cancel").click()
    await expect(confirm).to_have_count(0)
    assert stocktakes.decided == []

    # What arrives while the confirmation is read is not approved with the rest.
    await approve.click()
    late = stocktakes.counts[0] | {"id": LINES + 2, "state": "waiting"}
    stocktakes.counts.append(late)
    await confirm.click()
    await expect(page.locator(".told")).to_contain_text("PD-2026-11: 10,000 counts approved")
    await expect(stocktake).to_contain_text("1 count · variance −3 units")
    choice = {"reference": "PD-2026-11", "warehouse": "hangzhou", "state": "waiting"}
    assert stocktakes.decided == [
        ("approve", choice | {"up_to": LINES, "counts": counts}, "lin")
        for counts in (LINES, LINES - 6_000)
    ]
    assert late["state"] == "waiting"


async def test_counts_are_found_by_reference_and_decided_on_one_by_one(
    calm_desk: Desk, fakes: Fakes
) -> None:
    stocktakes = fakes[0].stocktakes
    viewer = await calm_desk.viewer(signed_in=False, phone=True)
    page = viewer.page
    await page.goto(await calm_desk.link())
    await viewer.open("/me?back=/counts")
    await page.locator(".person", has_text="林晓").click()
    rows = page.locator("table.counts tbody tr")
    await expect(rows).to_have_count(50)
    await expect(rows.first).to_contain_text("冷萃咖啡液 10 杯装SKU-1002")
    await expect(rows.nth(1).locator("strong")).to_have_text("SKU-1001")
    await rows.first.get_by_role("button", name="驳回").click()
    await expect(rows.first).to_contain_text("PD-2026-11")
    await expect(page.locator(".told")).to_have_text("冷萃咖啡液 10 杯装：已驳回。")
    assert stocktakes.decided == [("reject", None, "lin")]
    # The second click of a double one meets the next row, which nobody meant.
    await rows.first.get_by_role("button", name="驳回").dispatch_event("click", {"detail": 2})

    stocktake = page.locator(".stocktakes li")
    await stocktake.get_by_role("button", name="要求重盘").click()
    await expect(stocktake).to_contain_text("PD-2026-11（杭州电商仓）的 10,000 条 要重盘")
    assert stocktakes.decided == [("reject", None, "lin")]
    fakes[0].away.add("ledger")
    await stocktake.get_by_role("button", name="确认重盘 10,000 条").click()
    await expect(page.locator(".failure")).to_contain_text("暂时联系不上库存账")
    fakes[0].away.clear()
    await stocktake.get_by_role("button", name="确认重盘 10,000 条").click()
    await expect(page.locator(".told")).to_contain_text("已要求重盘 10,000 条")
    await expect(stocktake.locator(".state")).to_have_text("待重盘")
    await expect(stocktake.get_by_role("button", name="要求重盘")).to_have_count(0)
    await expect(rows).to_have_count(0)
    await page.get_by_label("状态").select_option("recount_requested")
    await expect(rows).to_have_count(50)
    await page.get_by_label("盘点单号").fill("PD-2026-1")
    await expect(rows).to_have_count(0)
    await page.get_by_label("盘点单号").fill("PD-2026-11")
    await expect(rows).to_have_count(50)
    await expect(page).to_have_url(
        f"{calm_desk.address}/counts?reference=PD-2026-11&state=recount_requested"
    )
    await viewer.keep_screenshot("counts-to-take-again")


async def test_what_changed_meanwhile_is_shown_before_it_can_be_confirmed(
    calm_desk: Desk, fakes: Fakes
) -> None:
    stocktakes = fakes[0].stocktakes
    viewer = await calm_desk.viewer(signed_in=False, locale="en-GB")
    page = viewer.page
    await page.goto(await calm_desk.link())
    await viewer.open("/me?back=/counts")
    await page.locator(".person", has_text="林晓").click()
    stocktake = page.locator(".stocktakes li")
    await stocktake.get_by_role("button", name="Approve 10,000 counts").click()
    # A count of another worker's transaction has a lower number than one that was seen.
    late = stocktakes.counts[0] | {"id": 0, "state": "waiting"}
    stocktakes.counts.insert(0, late)
    await stocktake.get_by_role("button", name="Yes, approve 10,000 counts").click()
    changed = stocktake.get_by_role("alert")
    await expect(changed).to_contain_text("Before: 10,000 counts · variance −2,500 units")
    await expect(changed).to_contain_text("Now: 10,001 counts · variance −2,503 units")
    await expect(changed).to_be_focused()
    await expect(page.locator(".told")).to_have_text("")
    assert late["state"] == "waiting"
    await viewer.keep_screenshot("counts-changed")
    later = late | {"id": -1}
    stocktakes.arriving = [later]
    await stocktake.get_by_role("button", name="Yes, approve 10,001 counts").click()
    await expect(changed).to_contain_text("Before: 10,001 counts")
    await expect(changed).to_contain_text("Now: 9,002 counts")
    await expect(changed).to_contain_text("1,000 counts have been decided on already.")
    assert later["state"] == "waiting"
    await stocktake.get_by_role("button", name="Yes, approve 9,002 counts").click()
    await expect(page.locator(".told")).to_contain_text("PD-2026-11: 10,002 counts approved")
    assert (late["state"], later["state"]) == ("approved", "approved")
