"""Nothing can be read or written without signing in, and a link signs in once."""

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.conftest import Desk

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(120)]

SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=polling"


@pytest.mark.parametrize("path", ["/", "/stock", "/inbox", "/stock/SKU-1001/hangzhou"])
async def test_a_stranger_is_told_how_to_sign_in(calm_desk: Desk, path: str) -> None:
    stranger = await calm_desk.viewer(signed_in=False)
    await stranger.page.goto(calm_desk.address + path)
    await expect(stranger.page).to_have_url(calm_desk.address + "/sign-in")
    await expect(stranger.page.locator("h1")).to_have_text("需要登录")
    assert "SKU-1001" not in await stranger.page.content()


@pytest.mark.parametrize("path", ["/", "/stock", SOCKET, "/openapi.json"])
async def test_a_program_without_a_session_is_refused(calm_desk: Desk, path: str) -> None:
    async with httpx.AsyncClient(base_url=calm_desk.address) as client:
        origin = {"origin": calm_desk.address}
        assert (await client.get(path, headers=origin)).status_code == 401
        assert (await client.post(path, headers=origin)).status_code == 401


async def test_a_socket_of_another_site_is_refused_even_with_a_session(calm_desk: Desk) -> None:
    viewer = await calm_desk.viewer()
    cookies = {one["name"]: one["value"] for one in await viewer.context.cookies()}
    async with httpx.AsyncClient(base_url=calm_desk.address, cookies=cookies) as client:
        ours = await client.post(SOCKET, headers={"origin": calm_desk.address})
        theirs = await client.post(SOCKET, headers={"origin": "http://evil.example"})
    assert ours.status_code != 403
    assert theirs.status_code == 403


async def test_a_link_works_once_and_leads_to_where_the_viewer_wanted_to_go(
    calm_desk: Desk,
) -> None:
    viewer = await calm_desk.viewer(signed_in=False)
    await viewer.page.goto(calm_desk.address + "/stock/SKU-1001/hangzhou")
    link = await calm_desk.link()
    await viewer.page.goto(link)
    await expect(viewer.page).to_have_url(calm_desk.address + "/stock/SKU-1001/hangzhou")

    late = await calm_desk.viewer(signed_in=False)
    await late.page.goto(link)
    await expect(late.page.get_by_role("alert")).to_contain_text("已经用过")
    assert late.trouble == [f"401 {link}"]
    late.trouble.clear()


async def test_after_signing_out_there_is_nothing_to_see(calm_desk: Desk) -> None:
    viewer = await calm_desk.viewer(locale="zh-SG")
    await viewer.open("/stock")
    other_tab = await viewer.context.new_page()
    await other_tab.goto(calm_desk.address + "/rules")
    await expect(other_tab.locator(".page")).to_be_visible()
    await viewer.page.get_by_role("button", name="退出").click()
    await expect(viewer.page).to_have_url(calm_desk.address + "/sign-in")
    await expect(other_tab).to_have_url(calm_desk.address + "/sign-in")
    await other_tab.close()
    await viewer.page.goto(calm_desk.address + "/stock")
    await expect(viewer.page).to_have_url(calm_desk.address + "/sign-in")
