"""The bytes of a message: WeCom's JSON body, or a whole e-mail.

Texts that people typed (names, notes) lose whatever the form would read as markup, are
shortened when the message would be too long, and never make it fail.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.notifier.destinations.views import (
    Phrasing,
    View,
    digest_view,
    failure_view,
    notice_view,
    test_view,
)
from services.notifier.domain.contents import DIGEST_LINES, Digest, FailureNote, TestNote
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.destinations import Destination, Email, WecomBot
from shared.events.stock_alerts import StockAlert

MARKDOWN_BYTES = 4_096
"""WeCom group bot, markdown: bytes of UTF-8 (response.md, wire facts)."""

_LONGEST = (200, 80, 40, 20, 10)
"""Characters kept of each typed text, tried in turn until the message fits. At the last, the
longest codes (2 × 128 characters of 4 bytes) and the phrases stay below the limit."""

_SUBJECT_CHARACTERS = 180

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Angle quotation marks and an asterisk operator, which look alike and mean nothing.
_MARKUP = str.maketrans({"<": "\u2039", ">": "\u203a", "[": "(", "]": ")", "`": "'", "*": "\u2217"})


def plain(text: str) -> str:
    """Return a text on one line without control characters or broken Unicode."""
    return _CONTROL.sub(" ", text).encode("utf-8", "ignore").decode().strip()


def plain_markdown(text: str) -> str:
    """Return a text that WeCom's markdown shows as it is; it knows no escapes.

    Without this, a product called `<@all>` would ring every phone.
    """
    return plain(text).translate(_MARKUP)


class Renderer:
    """Makes messages from the contents of deliveries; holds the compiled templates."""

    def __init__(self, console_url: str) -> None:
        self._console_url = console_url.rstrip("/")
        environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            undefined=StrictUndefined,
            autoescape=lambda name: name is not None and ".html." in name,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._markdown = environment.get_template("message.md.j2")
        self._text = environment.get_template("message.txt.j2")
        self._html = environment.get_template("message.html.j2")

    def render(self, delivery: Delivery, destination: Destination, now: datetime) -> bytes:
        """Return the bytes to send. Raises ValueError for a content that is not of its kind."""
        match destination.address:
            case WecomBot():
                return self._wecom(delivery, destination)
            case Email() as email:
                return self._email(delivery, destination, email, now)

    def _wecom(self, delivery: Delivery, destination: Destination) -> bytes:
        phrasing = self._phrasing(destination, plain_markdown)

        def written(view: View) -> str:
            return self._markdown.render(view=view, words=phrasing.words).strip()

        def size(view: View) -> int:
            return len(written(view).encode())

        view = _fitting(delivery, phrasing, size)
        body = {"msgtype": "markdown", "markdown": {"content": written(view)}}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

    def _email(
        self, delivery: Delivery, destination: Destination, email: Email, now: datetime
    ) -> bytes:
        phrasing = self._phrasing(destination, plain)
        view = _view(delivery, phrasing, shown=DIGEST_LINES)
        parts = {"view": view, "words": phrasing.words, "language": destination.language.value}
        message = EmailMessage(policy=policy.SMTP)
        message["Subject"] = view.title[:_SUBJECT_CHARACTERS]
        message["From"] = email.sender
        message["To"] = ", ".join(email.to)
        message["Date"] = format_datetime(now)
        message["Auto-Submitted"] = "auto-generated"
        _thread(message, delivery, destination, email)
        message.set_content(self._text.render(parts))
        message.add_alternative(self._html.render(parts), subtype="html")
        message.set_boundary(f"=_{delivery.id.hex}")
        return message.as_bytes()

    def _phrasing(self, destination: Destination, clean: Callable[[str], str]) -> Phrasing:
        return Phrasing(
            language=destination.language,
            timezone=destination.timezone,
            console_url=self._console_url,
            clean=clean,
        )


def _view(delivery: Delivery, phrasing: Phrasing, *, shown: int) -> View:
    marked = delivery.duplicate_possible
    match delivery.kind:
        case Kind.FIRST | Kind.CHANGE:
            alert = StockAlert.model_validate_json(delivery.content)
            return notice_view(alert, phrasing, possible_duplicate=marked)
        case Kind.DIGEST:
            digest = Digest.model_validate_json(delivery.content)
            return digest_view(digest, phrasing, shown=shown, possible_duplicate=marked)
        case Kind.TEST:
            return test_view(TestNote.model_validate_json(delivery.content), phrasing)
        case Kind.META:
            note = FailureNote.model_validate_json(delivery.content)
            return failure_view(note, phrasing, possible_duplicate=marked)


def _fitting(delivery: Delivery, phrasing: Phrasing, size: Callable[[View], int]) -> View:
    """Return the fullest view whose size is within the limit of markdown."""
    if delivery.kind is Kind.DIGEST:
        brief = replace(phrasing, longest=40)
        available = len(Digest.model_validate_json(delivery.content).lines)
        fitting = bisect_right(
            range(available + 1),
            MARKDOWN_BYTES,
            key=lambda shown: size(_view(delivery, brief, shown=shown)),
        )
        return _view(delivery, brief, shown=max(0, fitting - 1))
    view = _view(delivery, phrasing, shown=0)
    for longest in _LONGEST[1:]:
        if size(view) <= MARKDOWN_BYTES:
            break
        view = _view(delivery, replace(phrasing, longest=longest), shown=0)
    return view


def _thread(
    message: EmailMessage, delivery: Delivery, destination: Destination, email: Email
) -> None:
    """Identify the message for good, and put it under the episode's first notice."""
    domain = email.sender.rpartition("@")[2].strip("> ") or "lowtide.invalid"
    root = f"<{delivery.alert_id}.{destination.id}@{domain}>"
    if delivery.kind is Kind.FIRST:
        message["Message-ID"] = root
        return
    message["Message-ID"] = f"<{delivery.id}@{domain}>"
    if delivery.alert_id is not None:
        message["In-Reply-To"] = root
        message["References"] = root
