"""Signing in and out: a one-time code buys a session cookie."""

import secrets
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.console.api.access import NEXT_COOKIE, SESSION_COOKIE
from services.console.domain.sign_in import (
    SESSION_LIFETIME,
    Claims,
    Codes,
    Endings,
    Myself,
    Session,
    mint_session,
    own_path,
    session_as,
)
from services.console.pages import render
from services.console.pages.viewer import language_of
from services.console.upstream.people import People
from services.console.upstream.service import Refused
from shared.clock import Clock
from shared.errors import Unavailable


def routes(
    secret: str, codes: Codes, endings: Endings, clock: Clock, assets: str, people: People
) -> APIRouter:
    """Return `/sign-in`, `/sign-in/as` and `/sign-out`."""
    router = APIRouter()
    claims = Claims()

    @router.get("/sign-in", include_in_schema=False)
    async def sign_in(request: Request, code: str | None = None) -> Response:
        if code is None:
            return _page(request, assets, refused=False)
        if not codes.redeem(code, clock.now()):
            return _page(request, assets, refused=True)
        wanted = request.cookies.get(NEXT_COOKIE)
        response = RedirectResponse(
            own_path(unquote(wanted) if wanted else None), HTTPStatus.SEE_OTHER
        )
        response.delete_cookie(NEXT_COOKIE)
        session = mint_session(secret, now=clock.now(), nonce=secrets.token_urlsafe(16))
        _keep(response, request, session, SESSION_LIFETIME.total_seconds())
        return response

    @router.post("/sign-in/as", include_in_schema=False)
    async def say_who(
        request: Request, person: Annotated[str, Form()], back: Annotated[str, Form()] = "/"
    ) -> Response:
        """Make the session that of a person, once."""
        session: Session = request.state.session
        try:
            known = await people.one(person)
        except (Unavailable, Refused):
            known = None  # the page there says so, and fills in again by itself
        if known is None:
            return RedirectResponse(f"/me?back={quote(back, safe='')}", HTTPStatus.SEE_OTHER)
        now = clock.now()
        myself = claims.claim(session, Myself(known.id, known.name), now)
        response = RedirectResponse(own_path(back), HTTPStatus.SEE_OTHER)
        left = (session.ends_at - now).total_seconds()
        _keep(response, request, session_as(secret, session, myself), left)
        return response

    @router.post("/sign-out", include_in_schema=False)
    async def sign_out(request: Request) -> Response:
        """End the session, wherever else its cookie and its pages are."""
        endings.end(request.state.session, clock.now())
        response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
        response.delete_cookie(SESSION_COOKIE)
        return response

    return router


def _keep(response: Response, request: Request, session: str, seconds: float) -> None:
    response.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=int(seconds),
        httponly=True,
        # Links in chat messages lead here from elsewhere; forms and sockets do not.
        samesite="lax",
        # On plain HTTP (the machine's own loopback) some browsers would drop it.
        secure=request.url.scheme == "https",
    )


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
