"""The main tasks in a real browser, on the whole stack with its demonstration."""

import re
import time
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
from playwright.async_api import Locator, expect

from shared.clock import Clock
from shared.http.auth import Scope
from shared.testing.waiting import until
from tests.browser.asking import ask
from tests.browser.conftest import Desk, Viewer

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(300)]

A_SALE_IS_ON_SCREEN_WITHIN_MS = 2_000
FIRST_ALERT_WITHIN_MS = 60_000
WAREHOUSE = "hangzhou"
BUYER, BOSS = ("story-buyer", "林买手"), ("story-boss", "安经理")


@dataclass
class Shelf:
    """A SKU of this test alone, in one warehouse."""

    desk: Desk
    clock: Clock
    sku: str
    name: str
    events: int = 0

    @property
    def path(self) -> str:
        return f"/stock/{self.sku}/{WAREHOUSE}"

    async def post(self, kind: str, quantity: int, *, ago: timedelta = timedelta(0)) -> str:
        """Post an event as a shop would, and return its id."""
        self.events += 1
        event_id = f"{self.sku}-{self.events}"
        event = {
            "id": event_id,
            "channel": "web",
            "type": kind,
            "sku": self.sku,
            "warehouse": WAREHOUSE,
            "quantity": quantity,
            "occurred_at": (self.clock.now() - ago).isoformat(),
        }
        await self._ask("POST", "/v1/events", event)
        return event_id

    async def create(self, barcode: str) -> None:
        item = {"sku": self.sku, "name": self.name, "barcodes": [barcode], "category": "测试"}
        await self._ask("POST", "/v1/skus", {"items": [item]})

    async def _ask(self, method: str, path: str, body: object) -> None:
        stack = self.desk.stack
        token = stack.token(Scope.EVENTS_WRITE, Scope.CONFIG_WRITE)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=stack.url("ingest"), headers=headers) as client:
            answer = await client.request(method, path, json=body)
            assert answer.is_success, answer.text
            assert not answer.json().get("quarantined"), answer.text


@pytest.fixture
async def shelf(desk: Desk, clock: Clock, request: pytest.FixtureRequest) -> Shelf:
    """Return a shelf with 50 units of something new."""
    number = f"{time.time_ns() % 10**12:012d}"
    made = Shelf(desk, clock, f"NEW-{number}", f"新品 {number}")
    await made.create(f"9{number}")
    await made.post("count", 50, ago=timedelta(seconds=30))
    return made


def measure(viewer: Viewer, name: str) -> Locator:
    return viewer.page.locator(f'[data-measure="{name}"]')


async def test_a_level_read_twice_shows_the_sale_in_between_within_two_seconds(
    desk: Desk, shelf: Shelf
) -> None:
    viewer = await desk.viewer()
    await viewer.open(shelf.path)
    await expect(measure(viewer, "available")).to_have_text("50 件")

    started = time.monotonic()
    sale = await shelf.post("sale", 3)
    await expect(measure(viewer, "available")).to_have_text(
        "47 件", timeout=A_SALE_IS_ON_SCREEN_WITHIN_MS
    )
    assert time.monotonic() - started < A_SALE_IS_ON_SCREEN_WITHIN_MS / 1000
    await expect(viewer.page.locator("tr", has_text=sale)).to_contain_text("−3")

    await viewer.page.reload()
    await expect(measure(viewer, "on_hand")).to_have_text("47 件")


async def test_the_statement_marks_what_came_late_and_what_came_twice(
    desk: Desk, shelf: Shelf
) -> None:
    viewer = await desk.viewer(locale="en-GB")
    await shelf.post("sale", 1)
    await viewer.open(shelf.path)
    await expect(measure(viewer, "available")).to_have_text("49 units")
    late = await shelf.post("sale", 2, ago=timedelta(seconds=20))
    line = viewer.page.locator("tr", has_text=late)
    await expect(line).to_contain_text("Late")

    shelf.events -= 1
    assert await shelf.post("sale", 2, ago=timedelta(seconds=20)) == late
    await reload_until(viewer, line, "Repeated 1×")
    await expect(measure(viewer, "available")).to_have_text("47 units")


async def reload_until(viewer: Viewer, line: Locator, text: str) -> None:
    """Look again until a line says something: a repeat changes no level, so no page hears of it."""
    for _ in range(20):
        await viewer.page.reload()
        await expect(line).to_be_visible()
        if text in await line.inner_text():
            return
    await expect(line).to_contain_text(text)


async def test_numbers_on_the_board_move(desk: Desk) -> None:
    viewer = await desk.viewer()
    await viewer.open("/")
    recorded = measure(viewer, "recorded")
    before = await recorded.inner_text()
    await expect(recorded).not_to_have_text(before)
    await expect(measure(viewer, "per-second")).to_have_text(re.compile(r"^\d"))
    await expect(viewer.page.locator(".stages .up")).to_have_count(3)


async def test_the_demonstrations_first_alert_is_on_the_board_and_in_the_inbox(desk: Desk) -> None:
    viewer = await desk.viewer()
    await viewer.open("/inbox")
    messages = viewer.page.locator("[data-key=wecom] .message")
    await expect(messages.first).to_be_visible(timeout=FIRST_ALERT_WITHIN_MS)
    mails = viewer.page.locator("[data-key=mail] .message")
    await expect(mails.first).to_be_visible()
    await viewer.keep_screenshot("company-inbox")


async def test_an_alert_reaches_the_inbox_and_its_link_leads_to_acknowledging_it(
    desk: Desk, shelf: Shelf
) -> None:
    viewer = await desk.viewer()
    await viewer.open("/inbox")
    await shelf.post("sale", 50)
    message = viewer.page.locator("[data-key=wecom] .message", has_text=shelf.name).filter(
        has_text="断货"
    )
    await expect(message.first).to_be_visible()

    await message.first.locator("a").click()
    await expect(viewer.page.locator("h1")).to_have_text(shelf.name)
    await expect(measure(viewer, "state")).to_have_text("未结")
    await expect(measure(viewer, "present")).to_have_text("0 件")
    await viewer.page.get_by_role("button", name="接单").click()
    await expect(viewer.page.locator(".done")).to_contain_text("已接单")
    await expect(measure(viewer, "owner")).not_to_be_empty()
    await viewer.page.get_by_role("button", name="暂缓 8 小时").click()
    await expect(measure(viewer, "snoozed")).to_be_visible()
    await expect(viewer.page.get_by_role("button", name="暂缓 8 小时")).to_have_count(0)

    await shelf.post("receipt", 60)
    await expect(measure(viewer, "state")).to_have_text("已解除")
    await expect(viewer.page.locator(".timeline")).to_contain_text("已解除")


async def test_a_shortage_is_bought_for_by_one_approved_by_another_ordered_and_judged(
    desk: Desk, shelf: Shelf
) -> None:
    place = f"sku={shelf.sku}&warehouse={WAREHOUSE}"
    parameters = {"reorder_point": 60, "order_quantity": 40, "unit_cost": "2.50"}
    await ask(desk, "alerting", "PUT", f"/v1/parameters?{place}", parameters)
    for person, name in BUYER, BOSS:
        await ask(desk, "alerting", "PUT", f"/v1/people/{person}", {"name": name})
    limits = [{"person": BUYER[0], "amount": "100"}, {"person": BOSS[0], "amount": "1000"}]
    await ask(desk, "alerting", "PUT", "/v1/approval-limits", {"items": limits})
    await shelf.post("sale", 50)
    found: list[dict[str, object]] = []

    async def opened() -> bool:
        page = await ask(desk, "alerting", "GET", f"/v1/alerts?{place}&level=out")
        found.extend(_items(page))
        return bool(found)

    await until(opened)
    path = f"/alerts/{found[0]['id']}"

    buyer = await as_person(desk, path, BUYER[1], "zh-CN")
    state = buyer.page.locator("[data-measure=action-state]")
    buying = buyer.page.locator("[data-key=proposal-buy]")
    await expect(buying).to_contain_text("采购 100 件 · 金额 250")
    await buying.get_by_role("button", name="采购").click()
    await buyer.page.get_by_label("数量").fill("many")
    await buying.locator("[data-act^='do.send']").click()
    await expect(buyer.page.locator("#do-quantity-note")).to_have_text("请填数字")
    await buyer.page.get_by_label("数量").fill("80")
    await buying.locator("[data-act^='do.send']").click()
    await expect(state).to_have_text("待批准")
    await expect(buyer.page.locator(".doing")).to_contain_text("等别人批准")
    await expect(buyer.page.get_by_role("button", name="批准")).to_have_count(0)

    boss = await as_person(desk, path, BOSS[1], "en-GB")
    await expect(boss.page.locator(".under-way")).to_contain_text(f"asked for by {BUYER[1]}")
    await boss.page.get_by_role("button", name="Approve").click()
    await expect(boss.page.locator("[data-measure=action-state]")).to_have_text("Approved")
    # What would be refused, since this covers the shortage, is not offered any more.
    await expect(boss.page.locator("[data-key=proposal-others]")).to_be_visible()
    await expect(boss.page.locator("[data-act='do.ask:buy']")).to_have_count(0)

    await expect(state).to_have_text("已批准")
    await buyer.page.get_by_role("button", name="已下单").click()
    await buyer.page.get_by_label("预计到货").fill("2099-12-31")
    await buyer.page.locator("[data-act^='do.send']").click()
    await expect(state).to_have_text("已下单")
    await buyer.page.get_by_role("button", name="有用").click()
    await expect(buyer.page.locator(".feedback")).to_contain_text("已记下你的反馈")
    await expect(buyer.page.locator(".timeline > li").first).to_contain_text(BUYER[1])
    await buyer.keep_screenshot("acting-ordered")
    page = await ask(desk, "alerting", "GET", f"/v1/actions?alert={found[0]['id']}")
    (action,) = _items(page)
    assert (action["requested_by"], action["approved_by"]) == (BUYER[0], BOSS[0])
    assert (action["quantity"], action["due_at"]) == (80, "2099-12-30T16:00:00Z")
    await ask(desk, "alerting", "PUT", "/v1/approval-limits", {"items": []})


async def test_what_is_bought_is_collected_placed_and_confirmed_by_its_supplier(
    desk: Desk, shelf: Shelf
) -> None:
    place = f"sku={shelf.sku}&warehouse={WAREHOUSE}"
    supplier = f"story-{shelf.sku}"
    parameters = {"reorder_point": 60, "order_quantity": 40, "unit_cost": "2.50", "moq": 30}
    parameters |= {"supplier": supplier, "lead_time_days": 4}
    await ask(desk, "alerting", "PUT", f"/v1/parameters?{place}", parameters)
    given = {"name": f"Acme {shelf.sku}", "language": "en", "minimum": "900"}
    given |= {"email": "orders@acme.example"}
    await ask(desk, "alerting", "PUT", f"/v1/suppliers/{supplier}", given)
    await ask(desk, "alerting", "PUT", f"/v1/people/{BUYER[0]}", {"name": BUYER[1]})
    await shelf.post("sale", 50)
    found: list[dict[str, object]] = []

    async def opened() -> bool:
        page = await ask(desk, "alerting", "GET", f"/v1/alerts?{place}&level=out")
        found.extend(_items(page))
        return bool(found)

    await until(opened)
    buyer = await as_person(desk, f"/alerts/{found[0]['id']}", BUYER[1], "zh-CN")
    page = buyer.page
    await page.locator("[data-act='do.ask:buy']").click()
    await page.locator("[data-act^='do.send']").click()
    await page.locator(".under-way .to-order").click()
    await expect(page.locator("h1")).to_have_text(f"Acme {shelf.sku}")
    await expect(measure(buyer, "sum")).to_have_text("250")
    await expect(page.locator(".sum")).to_contain_text("还差 650")
    await page.get_by_role("button", name="下单").click()
    await page.get_by_role("button", name="确认下单").click()
    await expect(measure(buyer, "stage")).to_have_text("等供应商确认")
    await expect(page.locator(".mails li")).to_contain_text("orders@acme.example")
    await expect(measure(buyer, "mail-state")).to_have_text("已送达")
    await page.get_by_role("button", name="取得链接").click()
    link = await page.locator("#order-link").input_value()

    theirs = await buyer.context.new_page()
    await theirs.goto(link)
    await theirs.get_by_label("Confirmed").fill("80")
    await theirs.get_by_role("button", name="Confirm the order").click()
    await expect(theirs.get_by_text("We have your confirmation")).to_be_visible()
    await theirs.close()
    await expect(measure(buyer, "stage")).to_have_text("供应商已确认")
    await expect(measure(buyer, "opened")).not_to_have_text("还没打开")
    await expect(page.locator("table.lines tbody tr")).to_contain_text("少 20 件")
    await buyer.keep_screenshot("orders-real")
    await buyer.open("/orders")
    await expect(page.locator(".history li", has_text=shelf.sku)).to_contain_text("供应商已确认")


def _items(page: dict[str, object]) -> list[dict[str, object]]:
    items = page["items"]
    assert isinstance(items, list)
    return items


async def as_person(desk: Desk, path: str, name: str, locale: str) -> Viewer:
    """Return somebody who signs in by a link of their own and says who they are."""
    viewer = await desk.viewer(signed_in=False, locale=locale)
    await viewer.page.goto(await desk.link())
    await viewer.open(path)
    await viewer.page.locator(".doing a[href^='/me']").click()
    await viewer.page.locator(".person", has_text=name).click()
    await expect(viewer.page.locator(".myself")).to_contain_text(name)
    await expect(viewer.page).to_have_url(desk.address + path)
    return viewer


async def test_stock_is_found_by_name_sku_and_barcode_and_stays_current(
    desk: Desk, shelf: Shelf
) -> None:
    viewer = await desk.viewer()
    await viewer.open("/stock")
    search = viewer.page.get_by_placeholder("搜索商品名、编码或条码")
    row = viewer.page.locator("tbody tr")
    for words in (shelf.name, shelf.sku.lower(), f"9{shelf.sku.removeprefix('NEW-')}"):
        await search.fill("no such thing")
        await expect(viewer.page.get_by_text("没有找到")).to_be_visible()
        await search.fill(words)
        await expect(row).to_have_count(1)
        await expect(row).to_contain_text("50 件")

    await shelf.post("sale", 50)
    await expect(row).to_contain_text("0 件", timeout=A_SALE_IS_ON_SCREEN_WITHIN_MS)
    await expect(row.locator(".badge")).to_have_text("断货")
    await row.locator("a").click()
    await expect(viewer.page.locator("h1")).to_have_text(shelf.name)


async def test_the_whole_assortment_can_be_paged_through(desk: Desk) -> None:
    viewer = await desk.viewer(locale="en-GB")
    await viewer.open("/stock")
    first = await viewer.page.locator("tbody tr").first.inner_text()
    await viewer.page.get_by_role("button", name="Next").click()
    await expect(viewer.page.locator(".pager")).to_contain_text("Page 2")
    assert await viewer.page.locator("tbody tr").first.inner_text() != first
    await viewer.page.get_by_role("button", name="Previous").click()
    await expect(viewer.page.locator(".pager")).to_contain_text("Page 1")
    await viewer.page.get_by_role("combobox").select_option("杭州电商仓")
    await expect(viewer.page.locator("tbody tr", has_text="上海门店")).to_have_count(0)


@pytest.mark.parametrize("look", ["zh-CN-light-wide", "zh-CN-dark-phone", "en-dark-wide"])
async def test_every_page_shows_itself_in_the_viewers_language_on_any_screen(
    desk: Desk, look: str
) -> None:
    locale, theme, screen = re.fullmatch(r"(.+)-(\w+)-(\w+)", look).groups()  # type: ignore[union-attr] # the parameters above
    viewer = await desk.viewer(locale=locale, dark=theme == "dark", phone=screen == "phone")
    chinese = locale.startswith("zh")
    titles = {
        "/": "看板" if chinese else "Now",
        "/stock": "库存" if chinese else "Stock",
        "/deliveries": "通知" if chinese else "Notices",
        "/orders": "采购订单" if chinese else "Purchase orders",
        "/review": "预警复盘" if chinese else "Review of alerts",
        "/rules": "规则" if chinese else "Rules",
        "/rules/new": "新建规则" if chinese else "New rule",
        "/people": "人员与职责" if chinese else "People and responsibility",
        "/inbox": "演示收件箱" if chinese else "Demonstration inbox",
        f"/stock/OAT-1L/{WAREHOUSE}": "燕麦奶 1L 原味 Oat Milk",
    }
    for number, (path, title) in enumerate(titles.items()):
        await viewer.open(path)
        await expect(viewer.page.locator("h1")).to_have_text(title)
        await expect(viewer.page.locator(".skeleton")).to_have_count(0)
        await expect(viewer.page.locator("html")).to_have_attribute("lang", locale)
        await expect(viewer.page.locator("html")).to_have_attribute("data-theme", theme)
        too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await viewer.page.evaluate(too_wide), path
        await viewer.keep_screenshot(f"company-{look}-{number}")
