"""What pages do when there is nothing, when a service is away, and with a keyboard alone."""

from datetime import timedelta
from uuid import UUID

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Desk
from tests.browser.fake_deliveries import DEAD
from tests.browser.fake_moment import NOW
from tests.browser.fake_orders import CONFIRMED
from tests.browser.fake_services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(120)]

LEVEL = "/stock/SKU-1001/hangzhou"
ALERT = f"/alerts/{UUID(int=1)}"
Fakes = tuple[FakeServices, str]


async def test_a_service_that_goes_away_dims_its_panel_and_comes_back_by_itself(
    calm_desk: Desk, fakes: Fakes
) -> None:
    viewer = await calm_desk.viewer()
    await viewer.open("/")
    await expect(viewer.page.locator(".stages .up")).to_have_count(3)
    fakes[0].away.add("alerting")
    await expect(viewer.page.locator(".stale").first).to_contain_text("暂时联系不上预警")
    await expect(viewer.page.locator(".stages .up")).to_have_count(2)
    await expect(viewer.page.locator(".episodes li").first).to_be_visible()
    await viewer.keep_screenshot("state-alerting-away")
    fakes[0].away.clear()
    await expect(viewer.page.locator(".stale")).to_have_count(0)
    await expect(viewer.page.locator(".tile.flow.dim")).to_have_count(0)
    fakes[0].away.add("ledger")
    await expect(viewer.page.locator(".tile.flow.dim")).to_have_count(1)


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("ledger", "/stock"),
        ("ledger", LEVEL),
        ("ledger", "/counts"),
        ("alerting", ALERT),
        ("alerting", "/alerts"),
        ("standin", "/inbox"),
        ("notifier", "/deliveries"),
        ("notifier", f"/deliveries/{DEAD}"),
        ("alerting", "/people"),
        ("alerting", "/rules"),
        ("alerting", "/rules/rule-2"),
        ("alerting", "/review"),
        ("alerting", "/me"),
        ("alerting", "/orders"),
        ("alerting", f"/orders/{CONFIRMED}"),
    ],
)
async def test_a_page_whose_service_is_away_says_so_and_fills_itself_later(
    calm_desk: Desk, fakes: Fakes, service: str, path: str
) -> None:
    viewer = await calm_desk.viewer()
    fakes[0].away.add(service)
    await viewer.open(path)
    await expect(viewer.page.locator(".empty.away").first).to_be_visible()
    await viewer.keep_screenshot(f"state-{service}-away{path.replace('/', '-')}")
    fakes[0].away.clear()
    await expect(viewer.page.locator(".empty.away")).to_have_count(0)


async def test_an_alert_is_shown_without_the_notifier(calm_desk: Desk, fakes: Fakes) -> None:
    fakes[0].away.add("notifier")
    viewer = await calm_desk.viewer()
    await viewer.open(ALERT)
    await expect(viewer.page.locator(".stale")).to_contain_text("暂时联系不上通知")
    await expect(viewer.page.locator(".timeline > li")).to_have_count(2)
    fakes[0].away.clear()
    told = viewer.page.locator(".told-whom li", has_text="旧仓库群")
    await expect(told).to_contain_text("未送达")
    await expect(viewer.page.locator(".stale")).to_have_count(0)


@pytest.mark.parametrize(
    ("service", "path", "missing"),
    [
        ("alerting", LEVEL, ".episodes li"),
        ("ledger", ALERT, "[data-measure=present]"),
        ("alerting's table", "/people", "td:has-text('全部品类')"),
    ],
)
async def test_a_part_that_was_not_answered_is_asked_for_again(
    calm_desk: Desk, fakes: Fakes, service: str, path: str, missing: str
) -> None:
    fakes[0].away.add(service)
    viewer = await calm_desk.viewer()
    await viewer.open(path)
    await expect(viewer.page.locator("main h1").first).to_be_visible()
    await viewer.page.wait_for_timeout(1_000)  # all that has an answer is there
    await expect(viewer.page.locator(missing)).to_have_count(0)
    fakes[0].away.clear()
    await expect(viewer.page.locator(missing).first).to_be_visible()
    await expect(viewer.page.locator(".stale")).to_have_count(0)


async def test_a_rule_keeps_what_was_typed_while_alerting_is_away(
    calm_desk: Desk, fakes: Fakes
) -> None:
    viewer = await calm_desk.viewer(locale="en-GB")
    await viewer.open("/rules/rule-2")
    limit = viewer.page.get_by_label("Enter: under").first
    await expect(limit).to_have_value("3")
    fakes[0].away.add("alerting")
    await limit.fill("2")
    await viewer.page.get_by_role("button", name="Save as version 2").click()
    await expect(viewer.page.locator(".savebar [role=status]")).to_contain_text("Not saved")
    await expect(viewer.page.locator(".stale").first).to_contain_text("Alerting cannot be reached")
    await expect(limit).to_have_value("2")
    fakes[0].away.clear()
    await expect(viewer.page.locator(".stale")).to_have_count(0)
    await viewer.page.get_by_role("button", name="Save as version 2").click()
    await expect(viewer.page.locator(".savebar [role=status]")).to_have_text("Saved as version 2")
    saved = fakes[0].configuration.rules["rule-2"][-1]
    assert saved["levels"] == [
        {"level": "watch", "enter": 7, "exit": 9},
        {"level": "urgent", "enter": 2, "exit": 4},
    ]


async def test_a_rule_is_filled_in_by_keyboard_alone(calm_desk: Desk) -> None:
    viewer = await calm_desk.viewer(locale="en-GB")
    await viewer.open("/rules/new")
    await viewer.page.get_by_label("English name").focus()
    keyboard = viewer.page.keyboard
    await keyboard.type("Nearly gone")
    await keyboard.press("Tab")
    await keyboard.press("ArrowLeft")
    await expect(viewer.page.get_by_role("radio", name="Out of stock")).to_be_checked()
    await expect(viewer.page.get_by_text("Warns when nothing is available")).to_be_visible()
    reached: list[str] = []
    for _ in range(26):
        await keyboard.press("Tab")
        reached.append(
            await viewer.page.evaluate(
                "(e => e.name || e.dataset.act || e.tagName)(document.activeElement)"
            )
        )
    wanted = {"SUMMARY", "level", "exit", "pending", "pending.unit", "warehouse:hangzhou"}
    assert {*wanted, "scope.skus", "filter.grace_days", "save:"} <= set(reached)


async def test_without_the_catalogue_stock_is_still_there_without_names(
    calm_desk: Desk, fakes: Fakes
) -> None:
    fakes[0].away.add("ingest")
    viewer = await calm_desk.viewer()
    await viewer.open("/stock")
    await expect(viewer.page.locator("tbody tr")).to_have_count(16)
    await expect(viewer.page.locator(".stale")).to_contain_text("名称不显示")


async def test_a_longer_statement_is_one_of_one_moment_and_comes_to_an_end(
    calm_desk: Desk, fakes: Fakes
) -> None:
    viewer = await calm_desk.viewer(locale="en-GB")
    await viewer.open(LEVEL)
    lines = viewer.page.locator(".statement tbody tr")
    more = viewer.page.get_by_role("button", name="Earlier movements")
    await expect(lines).to_have_count(50)
    oldest = lines.last.locator("td[data-label=Balance]")
    try:
        fakes[0].lines = 120  # sixty came late, so every balance moved
        await more.click()
        await expect(lines).to_have_count(100)
        await expect(lines.first.locator("td[data-label=Balance]")).to_have_text("124 units")
        await expect(oldest).to_have_text("25 units")
        fakes[0].lines = 1000
        for shown in range(150, 501, 50):
            await more.click()
            await expect(lines).to_have_count(shown)
        await expect(more).to_have_count(0)
        await expect(viewer.page.get_by_text("Only the newest 500")).to_be_visible()
    finally:
        fakes[0].lines = 60


async def test_warehouses_can_be_chosen_once_the_catalogue_is_there(
    calm_desk: Desk, fakes: Fakes
) -> None:
    fakes[0].away.add("ingest")
    form, stock = await calm_desk.viewer(), await calm_desk.viewer()
    await form.open("/rules/new")
    await stock.open("/stock")
    await expect(stock.page.locator("tbody tr")).to_have_count(16)
    fakes[0].away.clear()
    await expect(form.page.get_by_role("button", name="杭州电商仓")).to_be_visible()
    await expect(stock.page.locator("select[name=warehouse] option")).to_have_count(3)
    await expect(stock.page.locator(".stale")).to_have_count(0)


async def test_unknown_things_have_pages_with_a_way_back(calm_desk: Desk) -> None:
    viewer = await calm_desk.viewer()
    await viewer.open("/stock/SKU-1001/nowhere")
    await expect(viewer.page.get_by_text("这里还没有任何记录")).to_be_visible()
    await viewer.open(f"/alerts/{UUID(int=999)}")
    await expect(viewer.page.get_by_text("没有这条预警")).to_be_visible()
    await viewer.open("/no/such/page")
    await viewer.page.get_by_role("link", name="回到看板").click()
    await expect(viewer.page.locator("h1")).to_have_text("看板")
    assert viewer.trouble == [f"404 {calm_desk.address}/no/such/page"]
    viewer.trouble.clear()


async def test_a_levels_codes_may_hold_what_paths_are_made_of(calm_desk: Desk) -> None:
    viewer = await calm_desk.viewer()
    await viewer.open("/stock/A%2FB%20100%25/%E4%BB%93%2F1")
    await expect(viewer.page.locator("h1")).to_contain_text("A/B 100%")
    await expect(viewer.page.get_by_text("仓/1").first).to_be_visible()


async def test_a_phone_shows_the_whole_name_of_a_product_with_an_alert(calm_desk: Desk) -> None:
    viewer = await calm_desk.viewer(locale="en-GB", phone=True)
    for path in ("/", LEVEL):
        await viewer.open(path)
        names = viewer.page.locator(".episodes .what > *")
        await expect(names.first).to_be_visible()
        cut = (
            "all => all.filter(each => each.scrollWidth > each.clientWidth).map(e => e.textContent)"
        )
        assert await names.evaluate_all(cut) == []
        await viewer.keep_screenshot(f"phone-alerts-{'now' if path == '/' else 'level'}")


async def test_levels_filter_the_board(calm_desk: Desk) -> None:
    viewer = await calm_desk.viewer()
    await viewer.open("/")
    await expect(viewer.page.locator(".episodes li")).to_have_count(9)
    tile = viewer.page.locator("button.tile.urgent")
    await tile.click()
    await expect(tile).to_have_attribute("aria-pressed", "true")
    await expect(viewer.page.locator(".episodes li")).to_have_count(2)
    await viewer.page.get_by_role("button", name="全部").click()
    await expect(viewer.page.locator(".episodes li")).to_have_count(9)


async def test_a_name_cannot_become_part_of_the_page(calm_desk: Desk, fakes: Fakes) -> None:
    viewer = await calm_desk.viewer()
    alert = fakes[0].alerts[str(UUID(int=1))]
    former = alert["sku_name"]
    alert["sku_name"] = '<img src=x onerror="document.title=1">'
    try:
        await viewer.open("/")
        await expect(viewer.page.locator(".episodes").get_by_text("<img src=x")).to_be_visible()
        assert await viewer.page.locator(".episodes img").count() == 0
    finally:
        alert["sku_name"] = former


async def test_acknowledging_is_told_to_alerting_once(calm_desk: Desk, fakes: Fakes) -> None:
    viewer = await calm_desk.viewer(locale="en-GB")
    await viewer.open(f"/alerts/{UUID(int=2)}")
    await viewer.page.get_by_role("button", name="Acknowledge").click()
    await expect(viewer.page.locator(".done")).to_contain_text("Acknowledged by the console")
    await expect(viewer.page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    assert fakes[0].acknowledged == [str(UUID(int=2))]


@pytest.mark.parametrize(
    ("locale", "end", "why", "unsaid", "goes_on"),
    [
        ("zh-CN", "人工结束", "为什么结束", "写明原因", "没做完的请求仍然有效"),
        ("en-GB", "End by hand", "Why it ends", "Say why", "asked for and not done goes on"),
    ],
)
async def test_an_alert_is_ended_by_hand_with_a_reason(
    calm_desk: Desk, fakes: Fakes, locale: str, end: str, why: str, unsaid: str, goes_on: str
) -> None:
    viewer = await calm_desk.viewer(locale=locale)
    former, said = dict(fakes[0].alerts[str(UUID(int=1))]), len(fakes[0].ended)
    try:
        await viewer.open(ALERT)
        page = viewer.page
        await page.get_by_role("button", name=end).click()
        form = page.get_by_role("form", name=end)
        await form.get_by_role("button", name=end).click()
        await expect(form.get_by_text(unsaid)).to_be_visible()
        assert fakes[0].ended[said:] == []
        await form.get_by_label(why).fill("  counted, all there ")
        await form.get_by_role("button", name=end).click()
        timeline = page.locator(".timeline")
        await expect(timeline.get_by_text("counted, all there")).to_be_visible()
        await expect(timeline.get_by_text(end.replace("End ", "Ended "))).to_be_visible()
        await expect(page.get_by_role("button", name=end)).to_have_count(0)
        await expect(page.get_by_text(goes_on)).to_be_visible()
        assert fakes[0].ended[said:] == ["counted, all there"]
    finally:
        fakes[0].alerts[str(UUID(int=1))] = former


async def test_a_failed_acknowledgement_says_why_and_can_be_tried_again(
    calm_desk: Desk, fakes: Fakes
) -> None:
    viewer = await calm_desk.viewer()
    await viewer.open(ALERT)
    button = viewer.page.get_by_role("button", name="接单")
    await expect(button).to_be_visible()
    fakes[0].away.add("alerting")
    await button.click()
    stale = viewer.page.locator(".stale:has(+ .alert-head)")
    await expect(viewer.page.get_by_role("alert")).to_contain_text("没有成功")
    await expect(stale).to_be_visible()
    await viewer.page.get_by_role("button", name="指派").click()
    failure = viewer.page.locator(".failure", has_text="暂时联系不上预警")
    await expect(failure.first).to_be_visible()
    assert await stale.count() == 1
    await expect(viewer.page.get_by_text("还没有人员")).to_have_count(0)
    fakes[0].away.clear()
    await expect(stale).to_have_count(0)
    await expect(button).to_be_enabled()


async def test_who_there_is_comes_late_and_takes_nothing_from_what_is_done_by_then(
    calm_desk: Desk, fakes: Fakes
) -> None:
    viewer = await calm_desk.viewer(locale="en-GB")
    page = viewer.page
    await viewer.open(ALERT)
    to, why = page.locator("#assign-to"), page.locator("#end-note")
    held_up = fakes[0].configuration.held_up
    await page.get_by_role("button", name="Assign").click()
    await expect(to).to_be_focused()  # people are known by now
    await page.get_by_role("button", name="Cancel").click()
    async with held_up:
        await page.get_by_role("button", name="Assign").click()
        await expect(to).to_be_focused()
        await page.get_by_role("button", name="End by hand").click()
        await expect(why).to_be_focused()
        await why.fill("counted, all there")
    async with held_up:  # whoever waited for it before has it before
        pass
    await why.press("End")
    await why.press_sequentially(" now")
    await page.get_by_role("button", name="Assign").click()
    await expect(to).to_be_focused()
    await page.get_by_role("button", name="End by hand").click()
    await expect(to).to_have_count(0)


async def test_everything_on_the_board_is_reached_by_keyboard(calm_desk: Desk) -> None:
    viewer = await calm_desk.viewer(locale="en-GB")
    await viewer.open("/")
    await expect(viewer.page.locator(".episodes li").first).to_be_visible()
    reached: list[str] = []
    for _ in range(40):
        await viewer.page.keyboard.press("Tab")
        reached.append(
            await viewer.page.evaluate(
                "(e => e.getAttribute('href') || e.dataset.act || e.dataset.language"
                " || ('themeSwitch' in e.dataset && 'theme') || e.tagName)(document.activeElement)"
            )
        )
    assert reached[0] == "#main"
    assert {
        "/",
        "/stock",
        "/rules",
        "/people",
        "/inbox",
        "zh-CN",
        "theme",
        "out",
        "urgent",
        "watch",
        ALERT,
    } <= set(reached)


async def test_focus_survives_when_the_board_changes(calm_desk: Desk) -> None:
    viewer = await calm_desk.viewer()
    await viewer.open("/")
    link = viewer.page.locator(f'a.episode[href="{ALERT}"]')
    await link.focus()
    recorded = viewer.page.locator('[data-measure="recorded"]')
    before = await recorded.inner_text()
    await expect(recorded).not_to_have_text(before)
    await expect(link).to_be_focused()


async def test_open_alerts_stay_in_the_order_of_what_is_at_risk_as_that_changes(
    calm_desk: Desk, fakes: Fakes
) -> None:
    smaller, larger = fakes[0].alerts[str(UUID(int=2))], fakes[0].alerts[str(UUID(int=5))]
    elsewhere = {one: smaller[one] for one in ("sku", "warehouse", "level")}
    smaller["at_risk"] = {"units": 9.0, "money": "90.00"}
    larger["at_risk"] = {"units": 1.0, "money": "500.00"}
    try:
        viewer = await calm_desk.viewer(locale="en-GB")
        page = viewer.page
        await viewer.open("/")
        urgent = page.locator("a.episode.urgent")
        await expect(page.locator("a.episode").nth(1)).to_have_class("episode out")
        await expect(urgent).to_contain_text(["At risk 500", "At risk 90"])
        link = page.locator(f'a.episode[href="/alerts/{smaller["id"]}"]')
        await link.focus()
        smaller["at_risk"] = {"units": 9.0, "money": "900.00"}
        await expect(urgent).to_contain_text(["At risk 900", "At risk 500"])
        await expect(link).to_be_focused()
        await viewer.keep_screenshot("now-at-risk")

        smaller |= {"sku": "SKU-1001", "warehouse": "hangzhou", "level": "watch"}
        smaller["at_risk"] = {"units": 9.0, "money": "9000.00"}
        await viewer.open(LEVEL)
        badges = page.locator("a.episode .badge")
        await expect(badges).to_have_text(["Out of stock", "Watch", "Watch"])
        await expect(page.locator("a.episode").nth(1)).to_contain_text("At risk 9,000")
    finally:
        smaller |= elsewhere
        smaller["at_risk"] = larger["at_risk"] = None


async def test_language_and_theme_can_be_chosen_and_stay_chosen(calm_desk: Desk) -> None:
    viewer = await calm_desk.viewer(signed_in=False, locale="en-GB")
    await viewer.page.goto(await calm_desk.link())
    await viewer.open("/stock")
    await expect(viewer.page.locator("h1")).to_have_text("Stock")
    await viewer.page.get_by_role("button", name="切换到中文").click()
    await expect(viewer.page.locator("h1")).to_have_text("库存")
    await viewer.page.get_by_role("button", name="切换深色与浅色").click()
    await expect(viewer.page.locator("html")).to_have_attribute("data-theme", "dark")
    await viewer.open("/")
    await expect(viewer.page.locator("h1")).to_have_text("看板")
    await expect(viewer.page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_a_doubt_says_on_its_page_why(calm_desk: Desk, fakes: Fakes) -> None:
    alert = fakes[0].alerts[str(UUID(int=1))]
    former = dict(alert)
    doubts = {"flags": ["negative", "newer_flag"], "count_days": 41, "silent": ["till"]}
    alert["facts"] = former["facts"] | {"doubts": doubts}
    try:
        viewer = await calm_desk.viewer(locale="en-GB")
        await viewer.open(ALERT)
        await expect(viewer.page.locator("[data-measure=doubts] dd")).to_have_text(
            [
                "Stock is negative",
                "newer_flag",
                "last counted 41 days ago",
                "channel till is silent",
            ]
        )
    finally:
        fakes[0].alerts[str(UUID(int=1))] = former


async def test_an_alert_about_a_product_names_its_options_and_leads_to_no_one_level(
    calm_desk: Desk, fakes: Fakes
) -> None:
    options = {
        "in_stock": 3,
        "all": 5,
        "out": [{"sku": "T-1", "name": "T 恤 S"}, {"sku": "T-2", "name": None}],
    }
    alert = fakes[0].alerts[str(UUID(int=1))]
    former = dict(alert)
    facts = former["facts"] | {"options": options, "threshold": 0.7}
    kind = {"id": "sizes", "kind": "broken_size_run", "name": {"en": "Broken size run"}}
    alert |= {"subject": "product", "sku": "T", "sku_name": None, "warehouse": "online"}
    alert |= {"facts": facts, "rule": kind}
    alert["at_risk"] = {"units": 12.0, "money": "240.00", "left_out": 1}
    try:
        viewer = await calm_desk.viewer(locale="en-GB")
        await viewer.open(ALERT)
        await expect(viewer.page.locator("[data-measure=subject]")).to_contain_text(
            "Product, pool online · T"
        )
        await expect(viewer.page.locator("[data-measure=options]")).to_have_text("3 of 5 in stock")
        await expect(viewer.page.locator(".facts")).to_contain_text("T 恤 S, T-2")
        await expect(viewer.page.locator(".facts")).to_contain_text("70%")
        await expect(viewer.page.locator("[data-measure=at-risk]")).to_have_text(
            "12 units · worth 240 · and one option whose sales or price nobody knows"
        )
        await expect(viewer.page.locator("a[href^='/stock/T']")).to_have_count(0)
        await viewer.open("/")
        await expect(viewer.page.locator(".episodes").first).to_contain_text("Product, pool online")
        out = viewer.page.locator(".plain a", has_text="Product, pool online")
        await expect(out).to_have_attribute("href", ALERT)
    finally:
        alert.clear()
        alert |= former


async def test_a_level_shows_no_alert_of_a_pool_that_is_named_like_its_warehouse(
    calm_desk: Desk, fakes: Fakes
) -> None:
    alert = fakes[0].alerts[str(UUID(int=1))]
    viewer = await calm_desk.viewer()
    shown = viewer.page.locator(".episodes a")
    await viewer.open(LEVEL)
    await expect(shown).to_have_count(2)
    try:
        alert["subject"] = "pool"
        await viewer.open(LEVEL)
        await expect(shown).to_have_count(1)
        await expect(shown).not_to_have_attribute("href", ALERT)
    finally:
        alert["subject"] = "level"


async def test_a_rule_may_watch_warehouses_together(calm_desk: Desk) -> None:
    viewer = await calm_desk.viewer(locale="en-GB")
    await viewer.open("/rules/new")
    page = viewer.page
    await page.get_by_label("The warehouses chosen below, together").check()
    await expect(page.get_by_label("What to call them")).to_be_visible()
    await expect(page.get_by_label("While together they have enough")).to_be_visible()
    await page.get_by_text("More kinds").click()
    await page.get_by_label("Broken size run").check()
    await expect(page.get_by_label("While together they have enough")).to_have_count(0)
    await expect(page.get_by_label("Must hold before it warns")).to_have_count(0)
    await expect(page.get_by_label("What to call them")).to_be_visible()
    await viewer.keep_screenshot("rule-of-products")


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
async def test_what_failed_at_a_destination_is_counted_before_it_is_sent_again(
    calm_desk: Desk, fakes: Fakes, locale: str
) -> None:
    chinese = locale == "zh-CN"
    fakes[0].notices.replays.clear()
    viewer = await calm_desk.viewer(locale=locale)
    await viewer.open("/deliveries?state=dead")
    every = viewer.page.get_by_role("button", name="全部重新发送" if chinese else "Send all again")
    await expect(viewer.page.locator(".notices li").first).to_be_visible()
    await expect(every).to_have_count(0)
    await viewer.open("/deliveries?state=dead&destination=old")
    await every.click()
    told = viewer.page.locator("[data-measure=replay]")
    await expect(told).to_contain_text("有 1 条" if chinese else "One failed notice")
    await expect(told).to_contain_text("另有 3 条已经过时" if chinese else "3 more are out of date")
    await viewer.keep_screenshot(f"deliveries-replay-{locale}")
    assert fakes[0].notices.replays == []
    await viewer.page.get_by_role("button", name="取消" if chinese else "Cancel").click()
    await every.click()
    send = "重新发送 1 条" if chinese else "Send it again"
    await viewer.page.get_by_role("button", name=send, exact=True).click()
    await expect(told).to_contain_text("1 条已排队" if chinese else "One is on its way")
    ((key, asked),) = fakes[0].notices.replays
    assert key
    assert asked == {"destination": "old", "dry_run": False}


async def test_the_mailbox_that_orders_leave_from_is_chosen_beside_it(
    calm_desk: Desk, fakes: Fakes
) -> None:
    fakes[0].orders.mailbox = None
    viewer = await calm_desk.viewer()
    await viewer.open("/deliveries")
    choose = viewer.page.get_by_role("button", name="由此发出订单")
    await expect(choose).to_have_count(1)  # the mailbox alone, of four destinations
    await choose.click()
    chosen = viewer.page.locator("[data-measure=orders]")
    await expect(chosen).to_have_text("给供应商的订单由此发出")
    await expect(choose).to_have_count(0)
    assert fakes[0].orders.mailbox == "boss"


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
async def test_a_notice_that_waits_on_purpose_says_until_when_and_why(
    calm_desk: Desk, fakes: Fakes, locale: str
) -> None:
    held = fakes[0].notices.deliveries[str(UUID(int=0x1000))]
    until = NOW + timedelta(hours=3)
    held |= {"not_before": until.isoformat(), "held_for": "quiet_hours"}
    chinese = locale == "zh-CN"
    words = ("等到", "免打扰时段") if chinese else ("Waits until", "Quiet hours")
    try:
        viewer = await calm_desk.viewer(locale=locale)
        said = viewer.page.locator("[data-measure=held]")
        for path in ("/deliveries", f"/deliveries/{held['id']}", ALERT):
            await viewer.open(path)
            await expect(said).to_have_count(1)
            for part in words:
                await expect(said).to_contain_text(part)
            await expect(said.locator("lt-time")).to_have_attribute("at", until.isoformat())
            await viewer.keep_screenshot(f"held-{path.split('/')[1]}-{locale}")
        held["not_before"] = (NOW - timedelta(hours=3)).isoformat()
        await expect(said).to_have_count(0)
    finally:
        held |= {"not_before": None, "held_for": None}


async def test_an_alert_says_when_it_runs_out_and_what_arrives(
    calm_desk: Desk, fakes: Fakes
) -> None:
    alert = fakes[0].alerts[str(UUID(int=1))]
    former = dict(alert)
    late = {"quantity": 48, "due_at": (NOW - timedelta(days=3)).isoformat(), "reference": "PO-7"}
    coming = {"quantity": 1, "due_at": (NOW + timedelta(days=2)).isoformat(), "reference": "PO-9"}
    told = {"overdue": late, "next_arrival": coming, "runs_out_at": NOW.isoformat()}
    alert["facts"] = former["facts"] | told
    try:
        viewer = await calm_desk.viewer(locale="en-GB")
        facts = viewer.page.locator(".facts")
        measure = "[data-measure={}]".format
        await viewer.open(ALERT)
        await expect(facts.locator(measure("next_arrival"))).to_contain_text("1 unit (PO-9)")
        await expect(facts.locator(measure("runs_out"))).to_be_visible()
        await expect(facts.locator(measure("overdue"))).to_have_count(0)
        await viewer.keep_screenshot("alert-arrivals")
        alert["rule"] = former["rule"] | {"kind": "inbound_overdue"}
        await viewer.open(ALERT)
        await expect(facts.locator(measure("overdue"))).to_contain_text("48 units (PO-7)")
        await expect(facts.locator(measure("runs_out"))).to_have_count(0)
        alert["rule"] = former["rule"]
        alert |= {"state": "resolved", "resolved_at": NOW.isoformat()}
        alert["facts"] = alert["facts"] | {"next_arrival": late}
        await viewer.open(ALERT)
        await expect(facts).to_contain_text("Resolved")
        for name in ("runs_out", "next_arrival", "overdue"):
            await expect(facts.locator(measure(name))).to_have_count(0)
    finally:
        alert.clear()
        alert |= former
