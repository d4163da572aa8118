"""The list of alerts: found by filters that stand in the address, turned page by page."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Desk
from tests.browser.fake_moment import NOW
from tests.browser.fake_services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(120)]

HELD_BACK, ENDED = str(UUID(int=3)), str(UUID(int=9))


@pytest.fixture
def alerts(fakes: tuple[FakeServices, str]) -> Iterator[dict[str, dict[str, Any]]]:
    """Yield alerts of which one was held back and one has ended; they are as before afterwards."""
    alerts = fakes[0].alerts
    before = deepcopy(alerts)
    alerts[HELD_BACK] |= {"owner": "lin", "held_back": True, "sku": "A/B 1+2"}
    alerts[HELD_BACK]["at_risk"] = {"units": 12.0, "money": "1234.50"}
    alerts[ENDED] |= {"state": "resolved", "resolved_at": (NOW - timedelta(minutes=1)).isoformat()}
    yield alerts
    alerts.clear()
    alerts |= before


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
@pytest.mark.parametrize("phone", [False, True])
async def test_open_alerts_are_listed_with_what_nobody_was_told_of(
    calm_desk: Desk, alerts: dict[str, dict[str, Any]], locale: str, *, phone: bool
) -> None:
    chinese = locale == "zh-CN"
    viewer = await calm_desk.viewer(locale=locale, phone=phone)
    page = viewer.page
    await viewer.open("/")
    await page.get_by_role("link", name="查看全部预警" if chinese else "See all alerts").click()
    await expect(page).to_have_url(calm_desk.address + "/alerts")
    rows = page.locator("table.alerts tbody tr")
    await expect(rows).to_have_count(8)
    first = rows.first
    await expect(first.locator("[data-measure=at-risk]")).to_have_text("1,234.50")
    told = "打扰已达上限，未通知" if chinese else "Interrupted enough: not told"
    await expect(page.locator("[data-measure=held-back]")).to_have_text([told])
    for part in ("#122", "A/B 1+2", "林晓", "杭州电商仓", "5 件" if chinese else "5 units"):
        await expect(first).to_contain_text(part)
    await viewer.keep_screenshot(f"alerts-{locale}-{'phone' if phone else 'wide'}")
    scrolled = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not await page.evaluate(scrolled)
    await first.get_by_role("link").click()
    await expect(page).to_have_url(f"{calm_desk.address}/alerts/{HELD_BACK}")
    assert len(alerts) == 9


async def test_filters_stand_in_the_address_and_outlive_a_reload(
    calm_desk: Desk, alerts: dict[str, dict[str, Any]]
) -> None:
    viewer = await calm_desk.viewer(locale="en-GB")
    page, address = viewer.page, calm_desk.address
    await viewer.open("/alerts")
    rows = page.locator("table.alerts tbody tr")
    await expect(rows).to_have_count(8)
    await page.get_by_role("button", name="Watch").click()
    await expect(page).to_have_url(f"{address}/alerts?level=watch")
    await expect(rows).to_have_count(4)
    await page.get_by_label("Owner").select_option("林晓")
    await expect(page).to_have_url(f"{address}/alerts?level=watch&owner=lin")
    await expect(rows).to_have_count(1)
    await page.get_by_role("button", name="Clear filters").click()
    await expect(page).to_have_url(f"{address}/alerts")
    await expect(rows).to_have_count(8)
    await page.get_by_label("Find by SKU").fill("A/B 1+2")
    await expect(rows).to_have_count(1)
    await expect(page).to_have_url(f"{address}/alerts?sku=A%2FB+1%2B2")
    await page.reload()
    await expect(page.get_by_label("Find by SKU")).to_have_value("A/B 1+2")
    await expect(rows).to_have_count(1)
    await page.get_by_label("State").select_option("Ended")
    await expect(page.get_by_text("No such alerts")).to_be_visible()
    await page.get_by_label("Find by SKU").fill("")
    await expect(page).to_have_url(f"{address}/alerts?state=resolved")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Ended")

    await viewer.open("/alerts?state=nonsense&level=all&warehouse=shanghai-store&rule=below")
    await expect(rows).to_have_count(4)
    await expect(page.get_by_role("combobox", name="Rule", exact=True)).to_have_value("below")
    await page.get_by_role("combobox", name="Rule", exact=True).select_option(
        "Bestsellers running low"
    )
    await expect(page.get_by_text("No such alerts")).to_be_visible()
    assert alerts[ENDED]["state"] == "resolved"


async def test_who_signed_in_as_a_person_sees_what_is_theirs(
    calm_desk: Desk, alerts: dict[str, dict[str, Any]]
) -> None:
    viewer = await calm_desk.viewer(signed_in=False, locale="en-GB")
    page = viewer.page
    await page.goto(await calm_desk.link())
    await viewer.open("/alerts")
    mine = page.get_by_role("button", name="Mine")
    await expect(page.locator("table.alerts tbody tr")).to_have_count(8)
    await expect(mine).to_have_count(0)
    await page.locator(".myself").click()
    await page.locator(".person", has_text="林晓").click()
    await mine.click()
    await expect(mine).to_have_attribute("aria-pressed", "true")
    await expect(page).to_have_url(f"{calm_desk.address}/alerts?owner=lin")
    await expect(page.locator("table.alerts tbody tr")).to_have_count(1)
    await mine.click()
    await expect(page.locator("table.alerts tbody tr")).to_have_count(len(alerts) - 1)


async def test_a_long_list_is_turned_page_by_page(
    calm_desk: Desk, alerts: dict[str, dict[str, Any]]
) -> None:
    for number in range(200, 240):
        alerts[str(UUID(int=number))] = alerts[ENDED] | {"number": number}
        alerts[str(UUID(int=number))] |= {"id": str(UUID(int=number))}
    viewer = await calm_desk.viewer()
    page = viewer.page
    await viewer.open("/alerts?state=resolved")
    rows = page.locator("table.alerts tbody tr")
    await expect(rows).to_have_count(25)
    await expect(rows.first).to_contain_text("#239")
    await page.get_by_role("button", name="下一页").click()
    await expect(rows).to_have_count(16)
    await expect(rows.last).to_contain_text("#128")
    await page.get_by_role("button", name="上一页").click()
    await expect(rows).to_have_count(25)


async def test_a_code_that_cannot_be_one_is_not_taken_for_alerting_being_away(
    calm_desk: Desk, alerts: dict[str, dict[str, Any]]
) -> None:
    viewer = await calm_desk.viewer()
    await viewer.open("/alerts?sku=a%7Cb")
    await expect(viewer.page.get_by_role("alert")).to_be_visible()
    await expect(viewer.page.locator(".away")).to_have_count(0)
    await viewer.page.get_by_role("button", name="清除筛选").click()
    await expect(viewer.page.locator("table.alerts tbody tr")).to_have_count(len(alerts) - 1)


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
async def test_a_snooze_is_ended_from_the_page_of_the_alert(
    calm_desk: Desk, alerts: dict[str, dict[str, Any]], locale: str
) -> None:
    chinese = locale == "zh-CN"
    snoozed = str(UUID(int=1))
    alerts[snoozed]["snoozed_until"] = (NOW + timedelta(days=2)).isoformat()
    viewer = await calm_desk.viewer(locale=locale, phone=chinese)
    page = viewer.page
    await viewer.open(f"/alerts/{snoozed}")
    until = page.locator("[data-measure=snoozed]")
    again = page.get_by_role("button", name="暂缓 8 小时" if chinese else "Snooze 8 hours")
    await expect(until).to_be_visible()
    await expect(again).to_have_count(0)
    await viewer.keep_screenshot(f"alert-snoozed-{locale}")
    await page.get_by_role("button", name="结束暂缓" if chinese else "End the snooze").click()
    await expect(again).to_be_visible()
    await expect(until).to_have_count(0)
    await expect(page.locator(".acts [data-act='snooze.end']")).to_have_count(0)
