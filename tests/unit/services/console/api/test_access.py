"""The gate: what is open, what leads to signing in, and what is refused."""

from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.types import Message, Scope

from services.console.api.access import SESSION_COOKIE, Gate
from services.console.api.sign_in import routes
from services.console.domain.sign_in import (
    SESSION_LIFETIME,
    Codes,
    Endings,
    mint_code,
    mint_session,
)
from services.console.upstream.people import People
from services.console.upstream.service import Service
from shared.clock import ManualClock

SECRET = "the console's own"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HTML = {"accept": "text/html"}
OURS = "http://console"


def _person(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/v1/people/away":
        raise httpx.ReadTimeout("slow")
    if request.url.path == "/v1/people/no":
        return httpx.Response(422, json={"detail": "This is no id of a person."})
    known = {"/v1/people/lin": "林晓", "/v1/people/an": "An"}
    if request.url.path not in known:
        return httpx.Response(404)
    person = request.url.path.rpartition("/")[2]
    return httpx.Response(200, json={"id": person, "name": known[request.url.path]})


PEOPLE = httpx.MockTransport(_person)


class Setting:
    """A small application behind the gate, and a browser without memory."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.app = FastAPI()
        self.alerting = Service(
            "alerting", httpx.AsyncClient(transport=PEOPLE, base_url="http://a")
        )
        endings, people = Endings(), People(self.alerting)
        self.app.include_router(
            routes(SECRET, Codes(SECRET, START), endings, self.clock, "v1", people)
        )
        self.acted = 0

        @self.app.get("/healthz")
        @self.app.get("/static/console.css")
        async def _open() -> str:
            return "open"

        @self.app.get("/alerts/{alert_id}")
        async def _page(request: Request) -> str:
            session = request.state.session
            return f"{session.id} {session.myself.name}" if session.myself else str(session.id)

        @self.app.post("/act")
        async def _act() -> None:
            self.acted += 1

        self.gate = Gate(self.app, SECRET, self.clock, endings)
        self.browser = httpx.AsyncClient(transport=httpx.ASGITransport(self.gate), base_url=OURS)

    def code(self) -> str:
        return mint_code(SECRET, now=self.clock.now(), nonce="n1")

    def session(self) -> dict[str, str]:
        token = mint_session(SECRET, now=self.clock.now(), nonce="s1")
        return {"cookie": f"{SESSION_COOKIE}={token}"}


@pytest.fixture
def setting() -> Setting:
    return Setting()


@pytest.mark.parametrize("path", ["/healthz", "/static/console.css", "/sign-in"])
async def test_probes_styles_and_signing_in_are_open(setting: Setting, path: str) -> None:
    assert (await setting.browser.get(path)).status_code == 200


@pytest.mark.parametrize(
    "page",
    [
        "/alerts/7",
        "/alerts/A%2FB",
        "/alerts/7?level=out&owner=%E6%9E%97&sku=A%26B+1",
        "/alerts/7?next=//evil.example/",
    ],
)
async def test_a_page_leads_to_signing_in_and_from_there_back_to_the_page(
    setting: Setting, page: str
) -> None:
    sent = await setting.browser.get(page, headers=HTML)
    assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in")

    signed_in = await setting.browser.get("/sign-in", params={"code": setting.code()})
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, page)
    assert (await setting.browser.get("/alerts/7", headers=HTML)).status_code == 200


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example/?level=out", "/\\evil.example?level=out", "/sign-out?level=out"]
)
async def test_signing_in_leads_to_pages_of_the_console_only(
    setting: Setting, elsewhere: str
) -> None:
    await setting.browser.get(OURS + elsewhere, headers=HTML)
    signed_in = await setting.browser.get("/sign-in", params={"code": setting.code()})
    assert signed_in.headers["location"] == "/"


async def test_the_session_cookie_is_out_of_reach_for_scripts_and_other_sites(
    setting: Setting,
) -> None:
    answer = await setting.browser.get("/sign-in", params={"code": setting.code()})
    cookie = next(
        one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{SESSION_COOKIE}=")
    )
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie


async def test_over_tls_the_session_cookie_never_travels_in_the_clear(setting: Setting) -> None:
    answer = await setting.browser.get(f"https://console/sign-in?code={setting.code()}")
    assert "; Secure" in answer.headers["set-cookie"] + str(answer.headers.get_list("set-cookie"))


async def test_a_link_signs_in_once(setting: Setting) -> None:
    code = setting.code()
    await setting.browser.get("/sign-in", params={"code": code})
    again = await setting.browser.get("/sign-in", params={"code": code})
    assert again.status_code == 401
    assert SESSION_COOKIE not in again.headers.get("set-cookie", "")


async def test_what_is_no_page_is_refused(setting: Setting) -> None:
    assert (await setting.browser.get("/alerts/7")).status_code == 401
    assert (await setting.browser.get("/openapi.json")).status_code == 401


async def test_a_session_ends(setting: Setting) -> None:
    session = setting.session()
    assert (await setting.browser.get("/alerts/7", headers=session)).json() == "s1"
    setting.clock.advance(SESSION_LIFETIME)
    assert (await setting.browser.get("/alerts/7", headers=session)).status_code == 401


@pytest.mark.parametrize(
    "of_others",
    ["a=two words", 'a="', 'a={"theme":"dark"}', "a=中文", "a=é", "a", "[x]=1", "a=b,c"],
)
async def test_whatever_cookies_others_have_set_the_session_is_found(
    setting: Setting, of_others: str
) -> None:
    ours = setting.session()["cookie"]
    headers = {b"cookie": f"{of_others}; {ours}; {of_others}".encode()}
    assert (await setting.browser.get("/alerts/7", headers=headers)).status_code == 200


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://console.evil"])
async def test_no_other_site_acts_in_a_viewers_name(setting: Setting, origin: str | None) -> None:
    headers = setting.session() | ({"origin": origin} if origin else {})
    assert (await setting.browser.post("/act", headers=headers)).status_code == 403
    assert setting.acted == 0


async def test_our_own_page_acts(setting: Setting) -> None:
    headers = setting.session() | {"origin": OURS}
    assert (await setting.browser.post("/act", headers=headers)).status_code == 200
    assert setting.acted == 1


async def test_acting_needs_a_session(setting: Setting) -> None:
    assert (await setting.browser.post("/act", headers={"origin": OURS})).status_code == 401
    assert setting.acted == 0


@pytest.mark.parametrize(
    ("origin", "signed_in"), [(OURS, False), ("http://evil.example", True), (None, True)]
)
async def test_a_socket_of_a_stranger_or_of_another_site_is_refused(
    setting: Setting, origin: str | None, signed_in: bool
) -> None:
    headers = [(b"host", b"console")]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    if signed_in:
        headers.append((b"cookie", setting.session()["cookie"].encode()))
    assert await connected(setting, headers) == ["websocket.close"]


async def connected(setting: Setting, headers: list[tuple[bytes, bytes]]) -> list[str]:
    scope: Scope = {"type": "websocket", "path": "/socket", "raw_path": b"/socket"}
    scope.update(headers=headers, query_string=b"", subprotocols=[])
    sent: list[str] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    await setting.gate(scope, receive, send)
    return sent


async def test_signing_out_takes_the_cookie_away(setting: Setting) -> None:
    headers = setting.session() | {"origin": OURS}
    answer = await setting.browser.post("/sign-out", headers=headers)
    assert answer.headers["location"] == "/sign-in"
    assert f'{SESSION_COOKIE}=""' in answer.headers["set-cookie"]


async def test_signing_out_ends_the_session_whoever_has_a_copy_of_its_cookie(
    setting: Setting,
) -> None:
    headers = setting.session() | {"origin": OURS}
    said = await say(setting, "lin", headers)
    copies = [headers, {"cookie": f"{SESSION_COOKIE}={said.cookies[SESSION_COOKIE]}"}]
    other = mint_session(SECRET, now=START, nonce="s2")
    setting.browser.cookies.clear()
    await setting.browser.post("/sign-out", headers=headers)
    for copy in copies:
        assert (await setting.browser.post("/act", headers=headers | copy)).status_code == 401
    socket = [(b"host", b"console"), (b"origin", OURS.encode())]
    cookie = (b"cookie", headers["cookie"].encode())
    assert await connected(setting, [*socket, cookie]) == ["websocket.close"]
    still = {"origin": OURS, "cookie": f"{SESSION_COOKIE}={other}"}
    assert (await setting.browser.post("/act", headers=still)).status_code == 200


async def test_the_sign_in_page_speaks_the_browsers_language(setting: Setting) -> None:
    english = await setting.browser.get("/sign-in", headers={"accept-language": "en"})
    chinese = await setting.browser.get("/sign-in", headers={"accept-language": "zh"})
    assert "Please sign in" in english.text
    assert "需要登录" in chinese.text


async def test_nothing_may_come_from_another_host_or_into_another_sites_frame(
    setting: Setting,
) -> None:
    policy = (await setting.browser.get("/sign-in")).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy


async def say(setting: Setting, person: str, headers: dict[str, str]) -> httpx.Response:
    form = {"person": person, "back": "/alerts/7"}
    return await setting.browser.post("/sign-in/as", data=form, headers=headers)


async def test_a_session_becomes_that_of_a_person_once(setting: Setting) -> None:
    headers = setting.session() | {"origin": OURS}
    answer = await say(setting, "lin", headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/alerts/7")
    session = {"cookie": f"{SESSION_COOKIE}={answer.cookies[SESSION_COOKIE]}"}
    assert (await setting.browser.get("/alerts/7", headers=session)).json() == "s1 林晓"
    setting.browser.cookies.clear()
    for before in (headers, session | {"origin": OURS}):
        again = await say(setting, "an", before)
        session = {"cookie": f"{SESSION_COOKIE}={again.cookies[SESSION_COOKIE]}"}
        setting.browser.cookies.clear()
        assert (await setting.browser.get("/alerts/7", headers=session)).json() == "s1 林晓"


@pytest.mark.parametrize("person", ["away", "no"])
async def test_whoever_cannot_be_asked_for_may_be_chosen_again(
    setting: Setting, person: str
) -> None:
    answer = await say(setting, person, setting.session() | {"origin": OURS})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/me?back=%2Falerts%2F7"
    assert SESSION_COOKIE not in answer.cookies


async def test_nobody_can_be_somebody_unknown_or_without_signing_in(setting: Setting) -> None:
    unknown = await say(setting, "nobody", setting.session() | {"origin": OURS})
    assert unknown.headers["location"] == "/me?back=%2Falerts%2F7"
    assert SESSION_COOKIE not in unknown.cookies
    setting.browser.cookies.clear()
    assert (await say(setting, "lin", {"origin": OURS})).status_code == 401
    elsewhere = setting.session() | {"origin": "http://evil.example"}
    assert (await say(setting, "lin", elsewhere)).status_code == 403
