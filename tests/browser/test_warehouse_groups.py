"""Groups of warehouses on the page of people and responsibility."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Desk
from tests.browser.fake_services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(120)]

Fakes = tuple[FakeServices, str]


async def test_a_group_is_made_changed_and_deleted_unless_a_row_names_it(
    calm_desk: Desk, fakes: Fakes
) -> None:
    groups = fakes[0].configuration.groups
    viewer = await calm_desk.viewer()
    page = viewer.page
    await viewer.open("/people")
    table = page.locator("table.warehouse-groups")
    await page.get_by_role("button", name="添加仓库组").click()
    form = page.get_by_role("form", name="添加仓库组")
    await form.get_by_label("编号").fill("north west")
    await form.get_by_role("button", name="保存").click()
    await expect(page.locator("#group-name-note")).to_have_text("请填写")
    await expect(page.locator("#group-warehouses-note")).to_have_text("至少选一个仓库。")
    await expect(page.locator("#group-id-note")).to_contain_text("字母、数字")
    await form.get_by_label("编号").fill("east")
    await form.get_by_label("名称").fill("西北")
    await form.get_by_role("button", name="上海门店").click()
    await form.get_by_role("button", name="保存").click()
    await expect(page.locator("#group-id-note")).to_have_text("已经有这个编号了。")
    await form.get_by_label("编号").fill("north-west")
    await viewer.keep_screenshot("people-group-new")
    await form.get_by_role("button", name="保存").click()
    await expect(table.locator("tr", has_text="西北")).to_contain_text("上海门店")
    assert groups["north-west"] == {"name": "西北", "warehouses": ["shanghai-store"]}

    english = await calm_desk.viewer(locale="en-GB")
    page = english.page
    await english.open("/people")
    await page.get_by_role("button", name="Edit group 西北").click()
    form = page.get_by_role("form", name="Edit group 西北")
    chosen = form.locator(".chip[aria-pressed=true]")
    await expect(chosen).to_have_count(1)
    await form.locator("[data-key=hangzhou]").click()
    await expect(chosen).to_have_count(2)
    await form.get_by_role("button", name="Save").click()
    await expect(form).to_have_count(0)
    assert groups["north-west"]["warehouses"] == ["shanghai-store", "hangzhou"]
    await page.get_by_role("button", name="Edit group 西北").click()
    await form.get_by_role("button", name="Delete").click()
    await form.get_by_role("button", name="Really delete").click()
    await expect(page.locator("table.warehouse-groups tbody tr")).to_have_count(1)
    assert list(groups) == ["east"]

    await page.get_by_role("button", name="Edit group 华东门店").click()
    form = page.get_by_role("form", name="Edit group 华东门店")
    await form.get_by_role("button", name="Delete").click()
    await form.get_by_role("button", name="Really delete").click()
    await expect(form.locator(".failure")).to_have_text(
        "A row of the table of responsibilities names this group; choose something else there "
        "first."
    )
    place = form.get_by_role("link", name="Row 4 of the table of responsibilities")
    await expect(place).to_have_attribute("href", "/people#responsibilities")
    await english.keep_screenshot("people-group-in-use")
    assert list(groups) == ["east"]


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
async def test_who_is_named_somewhere_is_not_deleted_and_the_places_are_links(
    calm_desk: Desk, locale: str
) -> None:
    chinese = locale == "zh-CN"
    viewer = await calm_desk.viewer(locale=locale, phone=chinese)
    page = viewer.page
    await viewer.open("/people")
    row = page.locator("table.people tr", has_text="林晓")
    await row.get_by_role("button").click()
    await page.get_by_role("button", name="删除" if chinese else "Delete", exact=True).click()
    await page.get_by_role("button", name="确定删除" if chinese else "Really delete").click()
    places = page.locator(".places li")
    await expect(places).to_have_text(
        [
            "这个人的未结预警",
            "按处理流程“慢慢来”走的未结预警",
            "处理流程：马上处理",
            "轮值：duty",
            "规则：爆款快卖完",
            "审批额度",
            "职责表",
        ]
        if chinese
        else [
            "Their open alerts",
            "Open alerts that follow the playbook Take your time",
            "Playbook: At once",
            "Rotation: duty",
            "Rule: Bestsellers running low",
            "Approval limits",
            "Table of responsibilities",
        ]
    )
    await viewer.keep_screenshot(f"people-named-{locale}")
    paths = ["/alerts?owner=lin", "/rules/rule-2", "/people#responsibilities"]
    links = places.locator("a")
    assert [await one.get_attribute("href") for one in await links.all()] == paths
    await links.nth(1).click()
    await page.wait_for_url("**/rules/rule-2")


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
async def test_what_somebody_else_changes_meanwhile_is_shown_before_it_is_overwritten(
    calm_desk: Desk, fakes: Fakes, locale: str
) -> None:
    chinese = locale == "zh-CN"
    people = fakes[0].configuration.people
    before = dict(people["anna"])
    viewer = await calm_desk.viewer(locale=locale, phone=chinese)
    page = viewer.page
    await viewer.open("/people")
    await page.locator("[data-act='edit:anna']").click()
    form = page.locator("form[data-key=person-anna]")
    await expect(page.locator("#person-name")).to_be_focused()
    await page.locator("#person-name").fill("Anna B.")
    people["anna"] = before | {"name": "Anna Berg-Li", "email": "anna.li@shop.example"}
    save = form.get_by_role("button", name="保存" if chinese else "Save")
    await save.click()
    await expect(form.locator(".failure")).to_contain_text(
        "这个人刚被别人改过" if chinese else "somebody else has changed this person"
    )
    await expect(page.locator("#person-name-note")).to_have_text(
        "别人也改了这一项" if chinese else "Somebody else has changed this too"
    )
    await expect(page.locator("#person-name")).to_have_value("Anna B.")
    await expect(page.locator("#person-email")).to_have_value("anna.li@shop.example")
    await expect(page.locator("table.people")).to_contain_text("Anna Berg-Li")
    await viewer.keep_screenshot(f"people-changed-{locale}")
    await save.click()
    await expect(form).to_have_count(0)
    assert people["anna"] == before | {"name": "Anna B.", "email": "anna.li@shop.example"}
    people["anna"] = before
