"""Rules, people and notices in a real browser, saved by the real services."""

import re
import secrets

import pytest
from playwright.async_api import expect

from tests.browser.asking import ask
from tests.browser.conftest import Desk

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(300)]

GOOD_KEY = f"story-{secrets.token_hex(8)}"
BAD_KEY = "bad"
"""Too short for the stand-in, which answers it as WeCom answers a key that it does not know."""


async def test_a_rule_is_made_by_the_form_mended_where_it_is_wrong_and_rolled_back(
    desk: Desk,
) -> None:
    viewer = await desk.viewer(locale="en-GB")
    page = viewer.page
    await viewer.open("/rules")
    await page.get_by_role("link", name="New rule").click()
    await page.get_by_text("More kinds", exact=True).click()
    await page.get_by_role("radio", name="Own condition").check()
    await page.get_by_role("button", name="Text (CEL)").click()
    text = page.locator("#rule-cel")
    await text.fill("available < 3 &&\ntrend_7d >> 1.2")
    await expect(page.locator("[data-measure=position]")).to_have_text("Line 2, column 11")
    await expect(page.locator(".position mark")).to_have_text(">")
    await viewer.keep_screenshot("rule-wrong")

    await page.get_by_role("button", name="Save rule").click()
    await expect(page.locator("#rule-name-zh-note")).to_have_text("Give at least one name.")
    await expect(text).to_have_value("available < 3 &&\ntrend_7d >> 1.2")
    await text.fill("available < 3 && trend_7d > 1.2")
    await page.get_by_role("button", name="Rows").click()
    await page.get_by_role("textbox", name="Value").first.fill("2")
    await expect(page.locator("[data-measure=cel]")).to_have_text("available < 2 && trend_7d > 1.2")
    await page.get_by_label("English name").fill("Few left, selling fast")
    await page.get_by_label("When it may warn").select_option("In a window of the week")
    await page.get_by_label("From", exact=True).fill("22:00")
    await page.get_by_label("Until").fill("06:00")
    for day in ("Mon", "Tue", "Wed", "Thu", "Fri"):
        await page.get_by_role("checkbox", name=day).uncheck()
    await expect(page.get_by_text("Choose a day at least.")).to_be_visible()
    await page.get_by_role("checkbox", name="Sat").check()
    await viewer.keep_screenshot("rule-hours")
    await expect(page.locator(".savebar [role=status]")).to_have_text("Ready to save")
    await page.get_by_role("button", name="Save rule").click()
    await expect(page).to_have_url(re.compile(r"/rules/[0-9a-f]{32}$"))
    await expect(page.locator(".savebar [role=status]")).to_have_text("Saved as version 1")
    await expect(page.locator(".versions li")).to_have_count(1)

    rule_id = page.url.rpartition("/")[2]
    saved = await ask(desk, "alerting", "GET", f"/v1/rules/{rule_id}")
    assert (saved["version"], saved["cel"]) == (1, "available < 2 && trend_7d > 1.2")
    assert saved["name"] == {"en": "Few left, selling fast"}
    night = {"days": ["sat"], "from": "22:00", "until": "06:00"}
    assert saved["active"] == {"calendar": None, "zone": "Asia/Shanghai", "windows": [night]}

    await page.get_by_label("Level").select_option("urgent")
    await page.get_by_label("When it may warn").select_option("Working calendar office")
    await page.get_by_role("button", name="Save as version 2").click()
    await expect(page.locator(".savebar [role=status]")).to_have_text("Saved as version 2")
    await expect(page.locator(".versions li").first).to_contain_text("Changed: limits, hours")
    await page.get_by_role("button", name="Back to this").click()
    await expect(page.locator(".savebar [role=status]")).to_have_text("Saved as version 3")
    await expect(page.get_by_label("Level")).to_have_value("watch")

    await viewer.open("/rules")
    switch = page.get_by_role("switch", name="Few left, selling fast")
    await switch.click()
    await expect(switch).to_have_attribute("aria-checked", "false")
    assert not (await ask(desk, "alerting", "GET", f"/v1/rules/{rule_id}"))["enabled"]


async def test_a_person_is_added_and_a_sheet_with_a_bad_row_changes_nothing(desk: Desk) -> None:
    viewer = await desk.viewer()
    page = viewer.page
    await viewer.open("/people")
    await page.get_by_role("button", name="添加人员").click()
    await expect(page.get_by_label("账号", exact=True)).to_be_focused()
    await page.locator("form.sheet").evaluate("form => { form.isTheSame = true }")
    await page.get_by_label("账号", exact=True).fill("lin")
    await page.get_by_label("邮箱").fill("lin at home")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("#person-name-note")).to_have_text("请填写")
    await page.get_by_label("姓名").fill("林晓")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("#person-email-note")).to_have_text("这不是一个邮箱地址。")
    kept = await page.locator("form.sheet").evaluate("form => form.isTheSame")
    assert kept, "whoever types into it keeps the focus"
    await expect(page.get_by_label("邮箱")).to_have_value("lin at home")
    await page.get_by_label("邮箱").fill("lin@shop.example")
    await page.get_by_label("Slack 成员 ID").fill("@lin")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("#person-slack_user_id-note")).to_contain_text("不是用户名")
    await page.get_by_label("Slack 成员 ID").fill("U012AB3CD")
    await page.get_by_label("企业微信账号").fill("lin")
    await page.get_by_label("不在，直到").fill("2099-12-31")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("table.people tr", has_text="林晓")).to_contain_text("12月31日")
    await expect(page.locator("table.people tr", has_text="林晓")).to_contain_text(
        "企业微信 · Slack"
    )
    lin = await ask(desk, "alerting", "GET", "/v1/people/lin")
    assert lin["slack_user_id"] == "U012AB3CD"
    assert lin["away_until"] == "2099-12-31T16:00:00Z", "the day is the viewer's own, to its end"

    before = await ask(desk, "alerting", "GET", "/v1/responsibilities")
    head = "category,warehouse,owner,deputy,manager\n"
    await page.get_by_role("button", name="导入表格").click()
    sheet = page.get_by_label("或者粘贴在这里")
    await sheet.fill(f"{head}饮料,,lin,,\n粮油,,nobody,,\n")
    await page.get_by_role("button", name="导入并替换").click()
    wrong = page.locator(".refusal li")
    await expect(wrong).to_have_count(1)
    await expect(wrong).to_contain_text("第 3 行 · 负责人 没有这个人，请先添加。 粮油,,nobody,,")
    await viewer.keep_screenshot("people-bad-row")
    assert await ask(desk, "alerting", "GET", "/v1/responsibilities") == before

    saved = f"{head}饮料,,lin,,\n粮油,hangzhou,lin,,\n"
    as_chinese_spreadsheets_save = saved.encode("gbk")
    await page.locator("#sheet-file").set_input_files(
        {"name": "table.csv", "mimeType": "text/csv", "buffer": as_chinese_spreadsheets_save}
    )
    await expect(sheet).to_have_value(saved)
    await page.get_by_role("button", name="导入并替换").click()
    await expect(page.locator(".told")).to_have_text("已导入 2 行")
    await expect(page.locator("table.table tbody tr")).to_have_count(2)
    await page.locator("table.table tr", has_text="粮油").get_by_role("button").click()
    await page.get_by_label("品类").fill("饮料")
    await page.get_by_label("仓库", exact=True).select_option("")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("#row-category-note")).to_contain_text("已经有一行")
    await page.get_by_role("button", name="删除").click()
    await page.get_by_role("button", name="确定删除").click()
    await expect(page.locator("table.table tbody tr")).to_have_count(1)

    await page.locator("table.people tr", has_text="林晓").get_by_role("button").click()
    await page.get_by_role("button", name="删除").click()
    await page.get_by_role("button", name="确定删除").click()
    await expect(page.locator(".places")).to_contain_text("职责表")
    await ask(desk, "alerting", "PUT", "/v1/responsibilities", before)


async def test_a_row_is_for_a_group_of_warehouses_instead_of_one(desk: Desk) -> None:
    before = await ask(desk, "alerting", "GET", "/v1/responsibilities")
    await ask(desk, "alerting", "PUT", "/v1/people/lin", {"name": "林晓"})
    group = {"name": "华东门店", "warehouses": ["hangzhou", "shanghai-store"]}
    await ask(desk, "alerting", "PUT", "/v1/warehouse-groups/east", group)
    viewer = await desk.viewer()
    page = viewer.page
    await viewer.open("/people")
    await page.get_by_role("button", name="添加一行").click()
    await page.locator("#row-category").fill("零食")
    await page.get_by_label("仓库", exact=True).select_option("hangzhou")
    await page.get_by_label("仓库组", exact=True).select_option("华东门店")
    await page.get_by_label("负责人", exact=True).select_option("林晓")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("#row-warehouse_group-note")).to_have_text("仓库和仓库组只能选一个。")
    await page.get_by_label("仓库", exact=True).select_option("")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("table.table tr", has_text="零食")).to_contain_text("华东门店")
    await viewer.keep_screenshot("people-group")
    rows = (await ask(desk, "alerting", "GET", "/v1/responsibilities"))["items"]
    assert isinstance(rows, list)
    place = [rows[-1][name] for name in ("category", "warehouse", "warehouse_group")]
    assert place == ["零食", None, "east"]
    await ask(desk, "alerting", "PUT", "/v1/responsibilities", before)


async def test_a_notice_that_failed_is_sent_again_once_its_key_is_right(desk: Desk) -> None:
    bot = {"url": f"http://127.0.0.1:{desk.stack.surroundings.ports['standin']}", "key": BAD_KEY}
    destination = {"kind": "wecom_bot", "name": "新来的群", "language": "zh-CN", "wecom_bot": bot}
    await ask(desk, "notifier", "PUT", "/v1/destinations/story", destination)
    route = {"destination": "story", "match": {"labels": {"nothing": "else"}}}
    await ask(desk, "notifier", "PUT", "/v1/routes/story", route)
    viewer = await desk.viewer()
    page = viewer.page
    await viewer.open("/deliveries?destination=story")
    place = page.locator(".destinations li", has_text="新来的群")
    await place.get_by_role("button").click()
    await expect(place.locator(".result")).to_contain_text("密钥或令牌不对")
    notice = page.locator(".notices li")
    await expect(notice).to_have_count(1)
    await expect(notice).to_contain_text("未送达")
    await viewer.keep_screenshot("notice-failed")

    bot["key"] = GOOD_KEY
    await ask(desk, "notifier", "PUT", "/v1/destinations/story", destination)
    await notice.get_by_role("link").click()
    await expect(page.locator(".timeline li").first).to_contain_text("对方拒收")
    await page.get_by_role("button", name="重新发送").click()
    await expect(page.locator("[data-measure=state]")).to_have_text("已送达")
    await expect(page.locator(".timeline li").first).to_contain_text("对方已收下")
    await expect(page.locator(".message")).to_contain_text("新来的群")
    await viewer.open("/inbox")
    await expect(page.locator("[data-key=wecom] .message", has_text="新来的群")).to_be_visible()
