"""`/respond/{token}`: the page behind a link in a mail. Its signature lets it in.

Looking at it (GET, HEAD) changes nothing, since programs that check mails follow links; only the
button does. The link lets whoever has it in: it is in no log.
No script, nothing from elsewhere, and nothing that a cache or the next page would learn.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path as FilePath
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.notifier.api.desk import AtDesk, Desk
from services.notifier.destinations.links import read_stamp
from services.notifier.destinations.response_words import RESPONSE_WORDS, ResponseWords
from services.notifier.domain.cards import NO_CHOICE, REASONS, SNOOZE_MINUTES
from services.notifier.domain.destinations import Language
from services.notifier.domain.links import Link, response_by
from services.notifier.store import responses
from shared.database.engine import Connection
from shared.events.alert_responses import FeedbackReason, ResponseKind
from shared.events.stock_alerts import StockAlert

router = APIRouter(prefix="/respond", tags=["respond"], include_in_schema=False)

_MAX_FORM_BYTES = 1_024

_Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_=-]+$", max_length=2_000)]

_STYLE = (
    "body{margin:0;padding:24px 16px;font:17px/1.6 system-ui,sans-serif;color:#101828}"
    "main{max-width:32rem;margin:auto}h1{font-size:22px;margin:0 0 12px}"
    "fieldset{border:1px solid #d0d5dd;border-radius:8px;margin:0 0 16px;padding:8px 16px}"
    "label{display:block;padding:8px 0}"
    "button{width:100%;padding:12px;border:0;border-radius:8px;background:#175cd3;color:#fff;"
    "font:inherit}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}

_PAGES = ImmutableSandboxedEnvironment(
    loader=FileSystemLoader(FilePath(__file__).parent / "pages"),
    undefined=StrictUndefined,
    autoescape=True,
    trim_blocks=True,
    auto_reload=False,
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A good link, with the alert that it is about, as its reader was told of it."""

    link: Link
    destination: str
    alert: StockAlert
    language: Language

    @property
    def words(self) -> ResponseWords:
        return RESPONSE_WORDS[self.language]


@router.api_route("/{token}", methods=["GET", "HEAD"])
async def ask(desk: AtDesk, token: _Token, request: Request) -> HTMLResponse:
    """Show what the link would do, with a button that does it."""
    asked = await _asked(desk, token)
    if asked is None:
        return _lapsed(desk, request)
    words = asked.words
    return _page(
        desk,
        asked.language,
        heading=words.acts[asked.link.act],
        alert=_name(asked.alert),
        button=words.confirm,
        legend=words.which_reason if asked.link.act is ResponseKind.FALSE_ALARM else words.how_long,
        choices=_choices(asked.link.act, words),
    )


@router.post("/{token}")
async def act(desk: AtDesk, token: _Token, request: Request) -> HTMLResponse:
    """Do it, once: doing it again is answered the same and changes nothing."""
    chosen = await _chosen(request)
    asked = await _asked(desk, token)
    if asked is None:
        return _lapsed(desk, request)
    link, now = asked.link, desk.clock.now()
    response = response_by(
        link,
        asked.alert.alert_id,
        reason=FeedbackReason(chosen) if chosen in set(FeedbackReason) else None,
        minutes=next((each for each in SNOOZE_MINUTES if str(each) == chosen), None),
        now=now,
    )

    async def note(connection: Connection) -> bool:
        return await responses.record(
            connection,
            response,
            destination=asked.destination,
            task=str(link.delivery),
            act=link.act.value,
            traceparent=request.state.traceparent,
        )

    await desk.asked(note)
    words = asked.words
    return _page(
        desk,
        asked.language,
        heading=words.done,
        alert=_name(asked.alert),
        detail=words.done_detail.format(words.acts[link.act]),
    )


async def _asked(desk: Desk, token: str) -> _Asked | None:
    link = read_stamp(desk.vault, token, desk.clock.now())
    if link is None:
        return None
    found = await desk.asked(lambda connection: responses.mailed(connection, link.delivery))
    if found is None:
        return None
    alert = StockAlert.model_validate_json(found.content)
    own = [each.language for each in alert.to if (each.email or "").lower() == link.who.lower()]
    language = own[0] if own and own[0] in set(Language) else found.language
    return _Asked(link, found.destination, alert, Language(language))


async def _chosen(request: Request) -> str:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            return ""
    return parse_qs(body.decode("ascii", "replace")).get("choice", [""])[0]


def _name(alert: StockAlert) -> str:
    return f"#{alert.number} {alert.sku_name or alert.sku} · {alert.warehouse}"


def _choices(kind: ResponseKind, words: ResponseWords) -> Sequence[tuple[str, str]]:
    match kind:
        case ResponseKind.FALSE_ALARM:
            reasons = [(reason.value, words.reasons[reason]) for reason in REASONS]
            return [*reasons, (NO_CHOICE, words.no_choice)]
        case ResponseKind.SNOOZE:
            return [(str(minutes), words.duration(minutes)) for minutes in SNOOZE_MINUTES]
        case _:
            return ()


def _lapsed(desk: Desk, request: Request) -> HTMLResponse:
    wanted = request.headers.get("accept-language", "")
    language = Language.CHINESE if wanted.lower().startswith("zh") else Language.ENGLISH
    words = RESPONSE_WORDS[language]
    return _page(
        desk,
        language,
        heading=words.expired,
        detail=words.expired_detail,
        status=HTTPStatus.GONE,
    )


def _page(
    desk: Desk,
    language: Language,
    *,
    heading: str,
    alert: str = "",
    detail: str = "",
    button: str = "",
    legend: str = "",
    choices: Sequence[tuple[str, str]] = (),
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:
    html = _PAGES.get_template("respond.html.j2").render(
        language=language.value,
        style=_STYLE,
        heading=heading,
        alert=alert,
        detail=detail,
        button=button,
        legend=legend,
        choices=choices,
        console_url=desk.console_url,
        over=RESPONSE_WORDS[language].over,
    )
    return HTMLResponse(html, status_code=status, headers=_HEADERS)
