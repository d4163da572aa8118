"""Buying: what waits is decided, what is collected placed once, and the supplier's word seen."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Desk
from tests.browser.fake_orders import CONFIRMED, LINK, OPEN
from tests.browser.fake_services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(120)]

Fakes = tuple[FakeServices, str]

HOLD_TURNING_BACK = """
const [due, later] = [[], window.setTimeout];
window.setTimeout = (act, ms, ...more) => ms === 2000 ? due.push(act) : later(act, ms, ...more);
window.turnBack = () => due.forEach((act) => act());
"""
"""After two seconds the button's words would come back; instead, when `turnBack` says so."""


async def test_a_buyer_decides_what_waits_takes_a_line_out_and_places_the_rest_once(
    calm_desk: Desk, fakes: Fakes
) -> None:
    orders = fakes[0].orders
    viewer = await calm_desk.viewer(signed_in=False, locale="en-GB", phone=True)
    page = viewer.page
    await page.goto(await calm_desk.link())
    await viewer.open("/orders")
    order = page.locator(".collected", has_text="LT-1")
    await expect(order.locator("[data-measure=sum]")).to_have_text("845")
    await expect(order).to_contain_text("minimum 1,500 · 655 short")
    await expect(order.locator("tr", has_text="SKU-1002")).to_contain_text("Under the MOQ")
    for button in ("Place the order", "Take out", "Approve"):
        await expect(page.get_by_role("button", name=button)).to_have_count(0)

    await page.locator("#main a[href='/me?back=/orders']").click()
    await page.locator(".person", has_text="林晓").click()
    own = page.locator(".to-approve li", has_text="林晓")
    await expect(own).to_contain_text("somebody else has to approve it")
    await expect(own.get_by_role("button")).to_have_count(0)
    other = page.locator(".to-approve li", has_text="周五要断货")
    await other.get_by_role("button", name="Turn down").click()
    await other.locator("[data-key=send]").click()
    await expect(other.locator("#order-reason-note")).to_have_text("Please fill this in")
    await other.get_by_label("Reason").fill("too early")
    await viewer.keep_screenshot("orders-turning-down")
    await other.locator("[data-key=send]").click()
    await expect(other).to_have_count(0)

    await order.get_by_role("button", name="Take out: 有机小米").click()
    await order.get_by_role("button", name="Yes, take it out").click()
    await expect(order.locator("[data-measure=sum]")).to_have_text("720")

    # By keyboard: the focus is where one goes on, and an impatient second press orders nothing.
    await order.get_by_role("button", name="Place the order").press("Enter")
    await expect(order.locator("#order-note")).to_be_focused()
    await expect(order).to_contain_text("Order from 绿源食品: 2 lines, 720.")
    await expect(order).to_contain_text("Sheet and link are mailed to orders@green.example.")
    await viewer.keep_screenshot("orders-placing")
    await page.keyboard.type("before Friday")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(page.locator(".told")).to_contain_text(
        "LT-1 is placed and on its way to orders@green.example"
    )
    await expect(page.locator(".history li", has_text="LT-1")).to_contain_text("To be confirmed")
    ((body, person, key),) = orders.placed
    seen = [each["id"] for each in orders.orders[0]["items"]]
    assert body == {"note": "before Friday", "lines": seen}
    assert person == "lin"
    assert re.fullmatch(r"[0-9a-f]{32}", key or "")
    await page.locator(".history a", has_text="LT-1").click()
    await expect(page).to_have_url(f"{calm_desk.address}/orders/{OPEN}")
    await expect(page.locator("[data-measure=opened]")).to_have_text("not yet")
    await expect(page.get_by_text("previews that only follow links do not count")).to_be_visible()


async def test_what_a_supplier_made_of_an_order_is_seen_and_its_link_told_to_who_may_order(
    calm_desk: Desk, fakes: Fakes
) -> None:
    orders = fakes[0].orders
    viewer = await calm_desk.viewer(signed_in=False)
    page = viewer.page
    await page.goto(await calm_desk.link())
    await viewer.open(f"/orders/{CONFIRMED}")
    lines = page.locator("table.lines tbody tr")
    await expect(lines.nth(0)).to_contain_text("少 24 件")
    await expect(lines.nth(0)).to_contain_text("晚 3 天")
    await expect(lines.nth(0).locator("[data-measure=standing]")).to_have_text("已确认")
    await expect(lines.nth(1).locator(".mark")).to_have_text(["已逾期"])
    await expect(lines.nth(1).locator("[data-measure=standing]")).to_have_text("在途")
    await expect(lines.nth(2).locator("[data-measure=standing]")).to_have_text("已到货")
    assert LINK not in await page.content()
    await expect(page.get_by_role("button", name="取得链接")).to_have_count(0)

    await page.locator("#main a[href^='/me']").click()
    await page.locator(".person", has_text="林晓").click()
    await page.get_by_role("button", name="取得链接").click()
    await expect(page.locator("#order-link")).to_have_value(LINK)
    await viewer.context.grant_permissions(["clipboard-read", "clipboard-write"])
    copy = page.locator("[data-copy]")
    await page.evaluate(HOLD_TURNING_BACK)
    for _ in range(2):
        await copy.press("Enter")
        await expect(copy).to_have_text("已复制")
        assert await page.evaluate("navigator.clipboard.readText()") == LINK
    await page.evaluate("turnBack()")
    await expect(copy).to_have_text("复制")
    mail = page.locator(".mails li")
    await expect(mail).to_contain_text("收件邮箱不存在或被拒")
    await expect(mail.locator("[data-measure=mail-state]")).to_have_text("未送达")
    await page.get_by_role("button", name="再发一次").click()
    await expect(page.locator(".mails li").first).to_contain_text("正在交给通知")
    ((person, key),) = orders.mailed
    assert (person, len(key or "")) == ("lin", 32)
    async with page.expect_download() as download:
        await page.get_by_role("button", name="下载表格").click()
    assert (await download.value).suggested_filename == "LT-2.xlsx"
    await viewer.keep_screenshot("orders-confirmed")
