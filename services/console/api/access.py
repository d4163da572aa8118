"""The gate in front of every page, socket and file: who has not signed in gets no further.

Pages send a browser to `/sign-in`; everything else is refused. Requests that could change
something, and all sockets, must come from the console's own pages (their Origin is ours), which
together with a SameSite cookie keeps other sites from acting in a viewer's name.
"""

from http import HTTPStatus
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.domain.sign_in import Endings, Session, session_of
from services.console.pages.viewer import address_of
from shared.clock import Clock

SESSION_COOKIE = "lowtide_session"
NEXT_COOKIE = "lowtide_next"

_OPEN = frozenset({"/healthz", "/readyz", "/metrics", "/sign-in", "/favicon.ico"})
_OPEN_BELOW = "/static/"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_NEXT_SECONDS = 900

# Vue compiles templates in the browser, hence eval; nothing may come from another host.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class Gate:
    """ASGI middleware; puts the viewer's session into `scope["state"]`."""

    def __init__(self, app: ASGIApp, secret: str, clock: Clock, endings: Endings) -> None:
        self._app = app
        self._secret = secret
        self._clock = clock
        self._endings = endings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        session = self._session(HTTPConnection(scope))
        scope.setdefault("state", {})["session"] = session
        guarded = _with_headers(send) if scope["type"] == "http" else send
        if not _is_from_here(scope, headers):
            await _refuse(scope, receive, guarded, HTTPStatus.FORBIDDEN)
        elif session is not None or _is_open(scope["path"]):
            await self._app(scope, receive, guarded)
        elif scope["type"] == "http" and _is_page(scope, headers):
            await _send_to_sign_in(scope, receive, guarded)
        else:
            await _refuse(scope, receive, guarded, HTTPStatus.UNAUTHORIZED)

    def _session(self, connection: HTTPConnection) -> Session | None:
        token = connection.cookies.get(SESSION_COOKIE)
        session = session_of(self._secret, token, self._clock.now()) if token else None
        return None if session is None or self._endings.has(session) else session


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith(_OPEN_BELOW)


def _is_from_here(scope: Scope, headers: Headers) -> bool:
    if scope["type"] == "http" and scope["method"] in _SAFE_METHODS:
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == headers.get("host")


def _is_page(scope: Scope, headers: Headers) -> bool:
    return scope["method"] == "GET" and "text/html" in headers.get("accept", "")


async def _send_to_sign_in(scope: Scope, receive: Receive, send: Send) -> None:
    """Remember where they wanted to go, so that a link in a message leads there after all."""
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    wanted = quote(address_of(scope))
    response.set_cookie(NEXT_COOKIE, wanted, max_age=_NEXT_SECONDS, httponly=True, samesite="lax")
    await response(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send, status: HTTPStatus) -> None:
    if scope["type"] == "websocket":
        # Before it is accepted, closing answers the handshake with 403.
        await send({"type": "websocket.close", "code": 1008})
        return
    text = "Sign in first." if status is HTTPStatus.UNAUTHORIZED else "Not from here."
    await PlainTextResponse(text, status)(scope, receive, send)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
