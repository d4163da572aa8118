"""Signing in and out: a one-time code buys a session cookie."""

import secrets
from http import HTTPStatus
from urllib.parse import unquote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.console.api.access import NEXT_COOKIE, SESSION_COOKIE, cookie, own_path
from services.console.domain.sign_in import SESSION_LIFETIME, Codes, mint_session
from services.console.pages import render
from services.console.pages.viewer import language_of
from shared.clock import Clock


def routes(secret: str, codes: Codes, clock: Clock, assets: str) -> APIRouter:
    """Return `/sign-in` and `/sign-out`."""
    router = APIRouter()

    @router.get("/sign-in", include_in_schema=False)
    async def sign_in(request: Request, code: str | None = None) -> Response:
        if code is None:
            return _page(request, assets, refused=False)
        if not codes.redeem(code, clock.now()):
            return _page(request, assets, refused=True)
        wanted = cookie(request.headers, NEXT_COOKIE)
        response = RedirectResponse(
            own_path(unquote(wanted) if wanted else None), HTTPStatus.SEE_OTHER
        )
        response.delete_cookie(NEXT_COOKIE)
        response.set_cookie(
            SESSION_COOKIE,
            mint_session(secret, now=clock.now(), nonce=secrets.token_urlsafe(16)),
            max_age=int(SESSION_LIFETIME.total_seconds()),
            httponly=True,
            # Links in chat messages lead here from elsewhere; forms and sockets do not.
            samesite="lax",
            # On plain HTTP (the machine's own loopback) some browsers would drop it.
            secure=request.url.scheme == "https",
        )
        return response

    @router.post("/sign-out", include_in_schema=False)
    async def sign_out() -> Response:
        response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
        response.delete_cookie(SESSION_COOKIE)
        return response

    return router


def _page(request: Request, assets: str, *, refused: bool) -> HTMLResponse:
    return HTMLResponse(
        render.html(
            language_of(request),
            "sign_in.html",
            refused=refused,
            stylesheet=f"/static/console.css?{assets}",
            script=f"/static/console.js?{assets}",
        ),
        HTTPStatus.UNAUTHORIZED if refused else HTTPStatus.OK,
        headers={"Cache-Control": "no-store"},
    )
