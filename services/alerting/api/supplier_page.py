"""The page on which a supplier confirms an order: HTML, without signing in; it needs no script.

A link is a secret: nothing is cached, no address is passed on, and what follows a link (mail
scanners do) only reads; confirming is a form that is sent. Where there are scripts the page tells
when somebody has done something on it: then it was opened (ADR 114).
"""

import base64
import hashlib
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import parse_qsl
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from services.alerting.api.desk import AtDesk, Desk, doer_of
from services.alerting.api.ordering import Mails
from services.alerting.api.supplier_words import WORDS
from services.alerting.domain.suppliers import Supplier
from services.alerting.ordering.links import Expired, Forged
from services.alerting.ordering.mails import OrderMails
from services.alerting.store import action_rows, confirming, orders, suppliers
from services.alerting.store.acts import By
from services.alerting.store.confirming import Confirmed
from services.alerting.store.orders import StoredOrder
from services.alerting.store.stored_action import StoredAction, reference_of
from shared.database.engine import Connection
from shared.events.base import MAX_QUANTITY
from shared.events.stock_alerts import ActionState

router = APIRouter(include_in_schema=False)

_FOLDER = Path(__file__).parent / "templates"
_SCRIPT = (_FOLDER / "opened.js").read_text().strip()
_SCRIPT_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_SCRIPT_HASH}'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
}
_EARLIEST, _LATEST = date(1970, 1, 2), date(9998, 12, 30)

# In the query, since paths are logged.
_Token = Annotated[str, Query()]


class _Known(NamedTuple):
    """An order as its supplier may see it."""

    order: StoredOrder
    lines: list[StoredAction]
    supplier: Supplier | None

    @property
    def language(self) -> str:
        return "zh-CN" if self.supplier is None else self.supplier.language

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo("UTC" if self.supplier is None else self.supplier.timezone)


@router.get("/supplier/order")
async def show(request: Request, at: AtDesk, mails: Mails, token: _Token = "") -> HTMLResponse:
    """Show an order. Whatever follows links sees it, so nothing is noted."""
    known = await _known(at, mails, token, request)
    return known if isinstance(known, HTMLResponse) else _page(known)


@router.post("/supplier/order/opened")
async def opened(request: Request, at: AtDesk, mails: Mails, token: _Token = "") -> Response:
    """Note that somebody has done something on the page."""
    known = await _known(at, mails, token, request)
    if isinstance(known, HTMLResponse):
        return known
    await _note_opened(at, known)
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=_HEADERS)


@router.post("/supplier/order")
async def confirm(request: Request, at: AtDesk, mails: Mails, token: _Token = "") -> HTMLResponse:
    """Take down what a supplier confirms, all of it or, with a mistake in it, nothing."""
    known = await _known(at, mails, token, request)
    if isinstance(known, HTMLResponse):
        return known
    await _note_opened(at, known)  # it may be a browser without scripts
    sent = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), max_num_fields=5_000))
    said, mistakes = _read(known, sent)
    if mistakes:
        return _page(known, sent, mistakes, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    actor = f"supplier:{known.order.supplier or known.order.number}"
    doer = doer_of(request, actor, at)
    by = By(actor, None, doer.at, request.state.traceparent, doer)
    waiting = await at.change(
        lambda connection: confirming.confirm(connection, known.order.id, said, by)
    )
    return _page(await _order(at, known.order.id) or known, is_saved=True, waiting=waiting)


async def _note_opened(at: Desk, known: _Known) -> None:
    order_id, now = known.order.id, at.clock.now()
    await at.change(lambda connection: confirming.opened(connection, order_id, now))


async def _known(
    at: Desk, mails: OrderMails, token: str, request: Request
) -> _Known | HTMLResponse:
    try:
        found = await _order(at, mails.read(token, at.clock.now()))
    except Expired:
        return _sorry("expired", HTTPStatus.GONE, request)
    except Forged:
        return _sorry("forged", HTTPStatus.FORBIDDEN, request)
    return _sorry("forged", HTTPStatus.FORBIDDEN, request) if found is None else found


async def _order(at: Desk, order_id: UUID) -> _Known | None:
    async def ask(connection: Connection) -> _Known | None:
        order = await orders.one(connection, order_id)
        if order is None or order.placed_at is None:
            return None
        supplier = None
        if order.supplier is not None:
            supplier = await suppliers.one(connection, order.supplier)
        return _Known(order, await action_rows.of_order(connection, order_id), supplier)

    return await at.ask(ask)


def _read(
    known: _Known, sent: Mapping[str, str]
) -> tuple[dict[int, Confirmed], dict[tuple[int, str], str]]:
    """Return what was said of each line, and what is wrong, by line and field."""
    said: dict[int, Confirmed] = {}
    mistakes: dict[tuple[int, str], str] = {}
    for line in known.lines:
        number = line.line or 0
        if line.state is not ActionState.ORDERED or f"quantity-{number}" not in sent:
            continue
        quantity = sent[f"quantity-{number}"].strip()
        if not (quantity.isascii() and quantity.isdigit() and len(quantity) < 14) or (
            int(quantity) > MAX_QUANTITY
        ):
            mistakes[number, "quantity"] = "bad_quantity"
            continue
        due_at = _due_at(line, sent.get(f"due-{number}", "").strip(), known.zone)
        if due_at is None and int(quantity):
            mistakes[number, "due"] = "bad_due"
            continue
        said[number] = Confirmed(int(quantity), due_at)
    return said, mistakes


def _due_at(line: StoredAction, day: str, zone: ZoneInfo) -> datetime | None:
    """Return the beginning of a day at the supplier's; the hour stays where the day is the same."""
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        return None
    if not _EARLIEST <= wanted <= _LATEST:
        return None
    if line.due_at is not None and line.due_at.astimezone(zone).date() == wanted:
        return line.due_at
    return datetime.combine(wanted, time(), zone).astimezone(UTC)


def _page(
    known: _Known,
    sent: Mapping[str, str] | None = None,
    mistakes: Mapping[tuple[int, str], str] | None = None,
    *,
    is_saved: bool = False,
    waiting: Collection[int] = (),
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:
    words, wrong = WORDS[known.language], mistakes or {}
    shown = []
    for line in known.lines:
        number = line.line or 0
        due = "" if line.due_at is None else line.due_at.astimezone(known.zone).date().isoformat()
        shown.append(
            {
                "number": number,
                "sku": line.sku,
                "name": line.sku_name or "",
                "warehouse": line.warehouse,
                "asked": line.quantity,
                "is_open": line.state is ActionState.ORDERED,
                "state": words.get(line.state.value, ""),
                "quantity": (sent or {}).get(f"quantity-{number}", str(line.expected)),
                "due": (sent or {}).get(f"due-{number}", due),
                "waits": number in waiting,
                "wrong": {
                    field: words[code] if (code := wrong.get((number, field))) else ""
                    for field in ("quantity", "due")
                },
            }
        )
    placed_at = known.order.placed_at
    html = _template("order.html.j2").render(
        language=known.language,
        t=words,
        number=reference_of(known.order.number),
        placed="" if placed_at is None else f"{placed_at.astimezone(known.zone):%Y-%m-%d}",
        lines=shown,
        is_saved=is_saved,
        is_wrong=bool(wrong),
        script=_SCRIPT,
    )
    return HTMLResponse(html, status, headers=_HEADERS)


def _sorry(what: str, status: HTTPStatus, request: Request) -> HTMLResponse:
    """Say why a link leads nowhere, in the browser's language: whose it is nobody knows."""
    asked = request.headers.get("accept-language", "").lower()
    language = "en" if asked and not asked.startswith("zh") else "zh-CN"
    words = WORDS[language]
    html = _template("sorry.html.j2").render(
        language=language, title=words[f"{what}_title"], text=words[what]
    )
    return HTMLResponse(html, status, headers=_HEADERS)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _template(name: str) -> Template:
    return _environment().get_template(name)
