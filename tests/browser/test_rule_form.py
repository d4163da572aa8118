"""What the form of a rule can say, and what it leaves alone."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.conftest import Desk
from tests.browser.fake_services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(120)]

Fakes = tuple[FakeServices, str]
Put = Callable[[Mapping[str, object]], Awaitable[list[dict[str, Any]]]]
RULE = "story"
PATH = f"/rules/{RULE}"


@pytest_asyncio.fixture
async def put(fakes: Fakes) -> AsyncIterator[Put]:
    """Yield what makes a rule of this test alone, and returns its versions."""
    rules = fakes[0].configuration.rules

    async def make(definition: Mapping[str, object]) -> list[dict[str, Any]]:
        async with httpx.AsyncClient(base_url=fakes[1]) as client:
            answer = await client.put(f"/v1{PATH}", json=definition)
            assert answer.is_success, answer.text
        return rules[RULE]

    yield make
    rules.pop(RULE, None)


async def test_silent_channels_stay_in_a_rule_and_are_mended_where_they_are_wrong(
    calm_desk: Desk, put: Put
) -> None:
    doubts = {"flags": [], "channel_silent_minutes": 90, "channels": ["web"]}
    versions = await put({"name": {"zh-CN": "安静"}, "kind": "data_doubt", "doubts": doubts})
    viewer = await calm_desk.viewer()
    page = viewer.page
    await viewer.open(PATH)
    status = page.locator(".savebar [role=status]")
    silent = page.get_by_role("textbox", name="渠道多久没有消息")
    await expect(silent).to_have_value("90")
    await expect(status).to_have_text("与已保存的相同")
    await page.get_by_label("中文名").fill("渠道安静")
    await page.get_by_role("button", name="保存为第 2 版").click()
    await expect(status).to_have_text("已保存为第 2 版")
    assert versions[-1]["doubts"] == versions[0]["doubts"]

    await silent.fill("31")
    await page.get_by_role("combobox", name="渠道多久没有消息").select_option("天")
    note = page.locator("#doubt-silent-note")
    await expect(note).to_have_text("要在 5 分钟到 30 天之间。")
    await viewer.keep_screenshot("rule-silence-wrong")
    await page.get_by_role("button", name="保存为第 3 版").click()
    await expect(silent).to_be_focused()
    await silent.fill("")
    await expect(note).to_have_text("选了渠道，就填多久没有消息算。")
    await silent.fill("2")
    await page.get_by_role("button", name="官网商城").click()
    await page.get_by_role("button", name="门店收银").click()
    await page.get_by_role("button", name="保存为第 3 版").click()
    await expect(status).to_have_text("已保存为第 3 版")
    wanted = {"channel_silent_minutes": 2_880, "channels": ["pos"]}
    assert versions[-1]["doubts"] == versions[0]["doubts"] | wanted
    await viewer.keep_screenshot("rule-silence")


async def test_a_rule_names_its_playbook_and_keeps_it_while_nobody_knows_which_there_are(
    calm_desk: Desk, fakes: Fakes, put: Put
) -> None:
    rule = {"name": {"en": "Out"}, "kind": "stock_out", "playbook": "old"}
    versions = await put(rule)
    fakes[0].away.add("alerting's playbooks")
    viewer = await calm_desk.viewer(locale="en-GB")
    page = viewer.page
    await viewer.open(PATH)
    status = page.locator(".savebar [role=status]")
    playbook = page.get_by_label("Which one its alerts follow")
    options = playbook.locator("option")
    await expect(options).to_have_text(["The default of the level", "old"])
    await page.get_by_label("English name").fill("Gone")
    await page.get_by_role("button", name="Save as version 2").click()
    await expect(status).to_have_text("Saved as version 2")
    assert versions[-1]["playbook"] == "old"

    fakes[0].away.clear()
    calm, off = "Take your time (default for Watch, Urgent)", "The old way (switched off)"
    await expect(options).to_have_text(["The default of the level", calm, off, "At once"])
    await expect(playbook).to_have_value("old")
    await playbook.select_option("At once")
    await viewer.keep_screenshot("rule-playbook")
    await page.get_by_role("button", name="Save as version 3").click()
    await expect(status).to_have_text("Saved as version 3")
    assert versions[-1]["playbook"] == "quick"
    await expect(page.locator(".versions li").first).to_contain_text("Changed: playbook")
    await expect(options).to_have_text(["The default of the level", calm, "At once"])
    await playbook.select_option("The default of the level")
    await page.get_by_role("button", name="Save as version 4").click()
    await expect(status).to_have_text("Saved as version 4")
    assert versions[-1]["playbook"] is None


async def test_a_rule_names_its_owner_and_keeps_them_while_nobody_knows_who_there_is(
    calm_desk: Desk, fakes: Fakes, put: Put
) -> None:
    rule = {"name": {"zh-CN": "积压", "en": "Overstock"}, "kind": "stock_out", "owner": "lin"}
    versions = await put(rule)
    fakes[0].away.add("alerting's people")
    viewer = await calm_desk.viewer()
    page = viewer.page
    await viewer.open(PATH)
    status = page.locator(".savebar [role=status]")
    owner = page.get_by_label("预警归谁")
    options = owner.locator("option")
    await expect(options).to_have_text(["按职责表", "lin"])
    await page.get_by_label("中文名").fill("压货")
    await page.get_by_role("button", name="保存为第 2 版").click()
    await expect(status).to_have_text("已保存为第 2 版")
    assert versions[-1]["owner"] == "lin"

    fakes[0].away.clear()
    await expect(options).to_have_text(["按职责表", "Anna Berg", "李雷", "林晓"])
    await expect(owner).to_have_value("lin")
    await owner.select_option("Anna Berg")
    await viewer.keep_screenshot("rule-owner")
    await page.get_by_role("button", name="保存为第 3 版").click()
    await expect(status).to_have_text("已保存为第 3 版")
    assert versions[-1]["owner"] == "anna"
    await expect(page.locator(".versions li").first).to_contain_text("改了：负责人")

    english = await calm_desk.viewer(locale="en-GB")
    await english.open(PATH)
    owner = english.page.get_by_label("Whose its alerts are")
    await expect(owner.locator("option:checked")).to_have_text("Anna Berg")
    await owner.select_option("As the table of responsibilities says")
    await english.page.get_by_role("button", name="Save as version 4").click()
    status = english.page.locator(".savebar [role=status]")
    await expect(status).to_have_text("Saved as version 4")
    assert versions[-1]["owner"] is None


async def test_a_clear_condition_is_shown_checked_and_changed_like_the_condition(
    calm_desk: Desk, put: Put
) -> None:
    nested = "available > 9 && (on_hand > 9 || moq == 2)"
    rule = {"name": {"en": "Few"}, "kind": "custom", "condition": "available < 3 && moq > 1"}
    versions = await put(rule | {"clear_condition": nested})
    viewer = await calm_desk.viewer(locale="en-GB")
    page = viewer.page
    await viewer.open(PATH)
    status = page.locator(".savebar [role=status]")
    clear = page.locator("[data-key=clear]")
    text = clear.locator("textarea")
    await expect(text).to_have_value(nested)
    await expect(status).to_have_text("Nothing to save")
    await clear.get_by_role("button", name="Rows").click()
    await expect(clear.get_by_role("status")).to_contain_text("This condition is nested")
    await text.fill("available > 9 &&\ntrend_7d >> 1.2")
    await expect(page.locator("[data-measure=clear-position]")).to_have_text("Line 2, column 11")
    await viewer.keep_screenshot("rule-clear-wrong")
    await text.fill("available > 9 && trend_7d > 1.2")
    await clear.get_by_role("button", name="Rows").click()
    await clear.get_by_role("textbox", name="Value").first.fill("many")
    await expect(page.locator("#clear-row-1-note")).to_have_text("Please type a number")
    await clear.get_by_role("textbox", name="Value").first.fill("12")
    told = page.locator("[data-measure=clear-cel]")
    await expect(told).to_have_text("available > 12 && trend_7d > 1.2")
    await expect(page.locator("[data-measure=cel]")).to_have_text("available < 3 && moq > 1")
    await viewer.keep_screenshot("rule-clear")
    await page.get_by_role("button", name="Save as version 2").click()
    await expect(status).to_have_text("Saved as version 2")
    said = [versions[-1][name] for name in ("cel", "clear_cel")]
    assert said == ["available < 3 && moq > 1", "available > 12 && trend_7d > 1.2"]
    await expect(page.locator(".versions li").first).to_contain_text("Changed: condition")

    chinese = await calm_desk.viewer()
    await chinese.open(PATH)
    page = chinese.page
    wanted = page.get_by_role("checkbox", name="另有条件满足才解除")
    await expect(wanted).to_be_checked()
    await expect(page.get_by_role("group", name="解除条件").first).to_be_visible()
    await wanted.uncheck()
    await expect(page.locator("[data-key=clear]")).to_have_count(0)
    await page.get_by_role("button", name="保存为第 3 版").click()
    await expect(page.locator(".savebar [role=status]")).to_have_text("已保存为第 3 版")
    said = [versions[-1][name] for name in ("cel", "clear_condition")]
    assert said == ["available < 3 && moq > 1", None]


async def test_what_is_typed_and_not_saved_goes_only_when_somebody_says_so(
    calm_desk: Desk, put: Put
) -> None:
    versions = await put({"name": {"zh-CN": "旧"}, "kind": "stock_out"})
    await put({"name": {"zh-CN": "新"}, "kind": "stock_out"})
    viewer = await calm_desk.viewer()
    page = viewer.page
    await viewer.open(PATH)
    name, english = page.get_by_label("中文名"), page.get_by_label("英文名")
    status = page.locator(".savebar [role=status]")
    await name.fill("打到一半")
    await expect(status).to_have_text("可以保存")
    await page.get_by_role("button", name="恢复到这版").click()
    sure = page.get_by_role("button", name="确定恢复，放弃没保存的修改")
    await expect(sure).to_be_visible()
    assert len(versions) == 2
    await viewer.keep_screenshot("rule-back-sure")
    await english.fill("Half")
    await expect(sure).to_have_count(0)

    # A new session in the same tab is like a reload: the form comes back.
    await page.context.clear_cookies(name="lowtide_session")
    await page.reload()
    await page.wait_for_url("**/sign-in")
    await page.goto(await calm_desk.link())
    await page.wait_for_url(f"**{PATH}")
    await expect(name).to_have_value("打到一半")
    await expect(english).to_have_value("Half")
    await expect(page.get_by_text("上次没保存的修改还在。")).to_be_visible()
    await viewer.keep_screenshot("rule-restored")
    await page.get_by_role("button", name="恢复到这版").click()
    await sure.click()
    await expect(name).to_have_value("旧")
    await expect(english).to_have_value("")
    assert len(versions) == 3
    await page.reload()
    await expect(name).to_have_value("旧")
    await expect(page.locator(".restored")).to_have_count(0)

    await page.get_by_role("button", name="恢复到这版").first.click()
    await expect(name).to_have_value("新")  # nothing was typed, nobody is asked
    await name.fill("又一半")
    await expect(status).to_have_text("可以保存")
    await put({"name": {"zh-CN": "别人的"}, "kind": "stock_out"})
    await page.reload()
    await expect(name).to_have_value("又一半")
    await page.get_by_role("button", name="保存为第 5 版").click()
    await expect(status).to_contain_text("刚保存了第 5 版")
    discard = page.locator("[data-key=discard]")
    await discard.click()
    await expect(discard).to_have_text("确定放弃")
    await discard.click()
    await expect(name).to_have_value("别人的")


async def test_what_is_typed_during_a_save_stays_in_the_form(
    calm_desk: Desk, fakes: Fakes, put: Put
) -> None:
    await put({"name": {"en": "Out"}, "kind": "stock_out"})
    viewer = await calm_desk.viewer(locale="en-GB")
    page = viewer.page
    await viewer.open(PATH)
    name, chinese = page.get_by_label("English name"), page.get_by_label("Chinese name")
    status = page.locator(".savebar [role=status]")
    await name.fill("Gone")
    await expect(status).to_have_text("Ready to save")
    async with fakes[0].configuration.held_up:
        await page.get_by_role("button", name="Save as version 2").click()
        await expect(page.get_by_role("button", name="Saving…")).to_be_visible()
        await chinese.fill("没了")
        await page.get_by_label("Leave: more than").fill("3")
    await expect(page.get_by_role("button", name="Save as version 3")).to_be_enabled()
    await expect(name).to_have_value("Gone")
    await expect(chinese).to_have_value("没了")
    await page.get_by_role("button", name="Save as version 3").click()
    await expect(status).to_have_text("Saved as version 3")


async def test_a_new_rule_that_nobody_has_saved_outlives_a_reload(calm_desk: Desk) -> None:
    viewer = await calm_desk.viewer(locale="en-GB", phone=True)
    page = viewer.page
    await viewer.open("/rules/new")
    name = page.get_by_label("English name")
    await name.fill("Not yet")
    await expect(page.locator(".savebar [role=status]")).to_have_text("Ready to save")
    await page.reload()
    await expect(name).to_have_value("Not yet")
    await viewer.keep_screenshot("rule-restored-phone")
    discard = page.locator("[data-key=discard]")
    await discard.click()
    await discard.click()
    await expect(name).to_have_value("")
    await page.reload()
    await page.wait_for_selector(".savebar")
    await expect(name).to_have_value("")


async def test_what_is_typed_is_not_shown_to_another_person_in_the_same_tab(
    calm_desk: Desk, put: Put
) -> None:
    await put({"name": {"zh-CN": "旧"}, "kind": "stock_out"})
    viewer = await calm_desk.viewer(signed_in=False)
    page = viewer.page

    async def sign_in(person: str) -> None:
        await page.context.clear_cookies()
        await page.goto(await calm_desk.link())
        await viewer.open(f"/me?back={PATH}")
        await page.locator(".person", has_text=person).click()
        await page.wait_for_url(f"**{PATH}")

    name = page.get_by_label("中文名")
    await sign_in("林晓")
    await name.fill("打到一半")
    await expect(page.locator(".savebar [role=status]")).to_have_text("可以保存")
    await sign_in("李雷")
    await expect(name).to_have_value("旧")
    await expect(page.locator(".restored")).to_have_count(0)
    await sign_in("林晓")
    await expect(name).to_have_value("打到一半")


async def test_a_form_works_in_a_browser_that_keeps_nothing(calm_desk: Desk, put: Put) -> None:
    versions = await put({"name": {"zh-CN": "旧"}, "kind": "stock_out"})
    viewer = await calm_desk.viewer()
    page = viewer.page
    await page.add_init_script(
        "Storage.prototype.getItem = Storage.prototype.setItem = () => {"
        "  throw new DOMException('full', 'QuotaExceededError'); };"
    )
    await viewer.open(PATH)
    name = page.get_by_label("中文名")
    await expect(name).to_have_value("旧")
    await name.fill("新")
    await page.get_by_role("button", name="保存为第 2 版").click()
    await expect(page.locator(".savebar [role=status]")).to_have_text("已保存为第 2 版")
    assert versions[-1]["name"]["zh-CN"] == "新"


async def test_a_full_storage_brings_back_nothing_older(calm_desk: Desk, put: Put) -> None:
    await put({"name": {"zh-CN": "旧"}, "kind": "stock_out"})
    viewer = await calm_desk.viewer()
    page = viewer.page
    await viewer.open(PATH)
    name = page.get_by_label("中文名")
    await name.fill("打到一半")
    await expect(page.locator(".savebar [role=status]")).to_have_text("可以保存")
    await page.evaluate(
        "() => { Storage.prototype.setItem = () => {"
        "  throw new DOMException('full', 'QuotaExceededError'); }; }"
    )
    await name.fill("")
    await expect(page.locator(".savebar [role=status]")).not_to_have_text("可以保存")
    await page.reload()
    await expect(name).to_have_value("旧")
    await expect(page.locator(".restored")).to_have_count(0)


HOLDING = """
const { emit } = window.socket;
const held = [];
window.socket.emit = (event, said, ...more) => {
  if (String(said?.args).includes("active.days")) held.push([event, said, ...more]);
  else emit.call(window.socket, event, said, ...more);
};
window.letGo = () => {
  window.socket.emit = emit;
  held.forEach((each) => emit.apply(window.socket, each));
};
window.lose = () => {
  window.socket.emit = emit;
};
null; // a function would be called
"""
"""Keeps what is said of days from the server until `letGo()`, as a slow line does, or for good."""

NIGHT = {
    "calendar": None,
    "zone": "Asia/Shanghai",
    "windows": [{"days": ["mon", "tue"], "from": "22:00", "until": "06:00"}],
}
AT_NIGHT = {
    "name": {"zh-CN": "夜里"},
    "kind": "below",
    "levels": [{"level": "watch", "enter": 10}],
    "active": NIGHT,
}


def days_of(versions: list[dict[str, Any]]) -> list[list[str]]:
    return [each["active"]["windows"][0]["days"] for each in versions]


async def test_what_is_chosen_stays_although_the_page_is_older(
    calm_desk: Desk, put: Put, fakes: Fakes
) -> None:
    versions = await put(AT_NIGHT)
    viewer = await calm_desk.viewer()
    page = viewer.page
    await viewer.open(PATH)
    status = page.locator(".savebar [role=status]")
    monday = page.get_by_role("checkbox", name="周一")
    await page.get_by_label("中文名").fill("夜里少货")
    await expect(status).to_have_text("可以保存")
    async with fakes[0].configuration.held_up:
        await page.get_by_role("button", name="保存为第 2 版").click()
        await expect(page.get_by_role("button", name="正在保存…")).to_be_visible()
        await page.evaluate(HOLDING)
        await monday.uncheck()
    await expect(status).to_have_text("已保存为第 2 版")  # and the form is shown anew
    await expect(monday).not_to_be_checked()
    await page.evaluate("letGo()")
    await expect(status).to_have_text("可以保存")
    await page.get_by_role("button", name="保存为第 3 版").click()
    await expect(status).to_have_text("已保存为第 3 版")
    assert days_of(versions) == [["mon", "tue"], ["mon", "tue"], ["tue"]]


async def test_what_was_lost_on_its_way_is_said_again_before_it_is_saved(
    calm_desk: Desk, put: Put
) -> None:
    versions = await put(AT_NIGHT)
    viewer = await calm_desk.viewer()
    page = viewer.page
    await viewer.open(PATH)
    status = page.locator(".savebar [role=status]")
    await page.get_by_label("中文名").fill("夜里少货")
    await expect(status).to_have_text("可以保存")
    await page.evaluate(HOLDING)
    await page.get_by_role("checkbox", name="周一").uncheck()
    await page.evaluate("lose()")
    await page.get_by_role("button", name="保存为第 2 版").click()
    await expect(status).to_have_text("已保存为第 2 版")
    assert days_of(versions) == [["mon", "tue"], ["tue"]]

    # The next input is enough, too.
    await page.evaluate(HOLDING)
    await page.get_by_role("checkbox", name="周三").check()
    await page.evaluate("lose()")
    await page.get_by_role("checkbox", name="周四").check()
    await expect(status).to_have_text("可以保存")
    await page.get_by_role("button", name="保存为第 3 版").click()
    await expect(status).to_have_text("已保存为第 3 版")
    assert days_of(versions)[-1] == ["tue", "wed", "thu"]
