"""What the kinds of destinations share in writing messages: templates, views, shortening.

Texts that people typed (names, notes) lose whatever the form would read as markup, are
shortened when the message would be too long, and never make it fail.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.notifier.destinations.mentions import Mention, nobody
from services.notifier.destinations.order_views import failed_order_view
from services.notifier.destinations.report_views import listed, report_view
from services.notifier.destinations.views import (
    Phrasing,
    View,
    digest_view,
    failure_view,
    notice_view,
    test_view,
)
from services.notifier.domain.contents import Digest, FailureNote, TestNote
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.destinations import Destination
from shared.events.alert_reports import AlertReport
from shared.events.stock_alerts import StockAlert

_LONGEST = (200, 80, 40, 20, 10, 5)
"""Characters kept of each typed text, tried in turn until the message fits. At the last, the
longest codes (2 × 128 characters of 4 bytes) and the phrases stay below every vendor's limit."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Angle quotation marks and an asterisk operator, which look alike and mean nothing.
_MARKUP = str.maketrans({"<": "\u2039", ">": "\u203a", "[": "(", "]": ")", "`": "'", "*": "\u2217"})


class Reading(NamedTuple):
    """A rendered message as a person reads it, and its bytes as the vendor counts them."""

    text: str
    counted_bytes: int


def plain(text: str) -> str:
    """Return a text on one line without control characters or broken Unicode."""
    return _CONTROL.sub(" ", text).encode("utf-8", "ignore").decode().strip()


def plain_markdown(text: str) -> str:
    """Return a text that the bots' markdown dialects show as it is; they know no escapes.

    Without this, a product called `<@all>` would ring every phone.
    """
    return plain(text).translate(_MARKUP)


class Templates:
    """The compiled templates, and where their links lead; `public_url` is the notifier's own."""

    def __init__(self, console_url: str, public_url: str | None = None) -> None:
        self.public_url = public_url
        self._console_url = console_url.rstrip("/")
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            undefined=StrictUndefined,
            autoescape=lambda name: name is not None and ".html." in name,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )

    def phrasing(
        self,
        destination: Destination,
        clean: Callable[[str], str],
        mention: Mention = nobody,
    ) -> Phrasing:
        """Return how texts are put for a destination, and people rung if it wants that."""
        return Phrasing(
            language=destination.language,
            timezone=destination.timezone,
            console_url=self._console_url,
            clean=clean,
            mention=mention if destination.manners.mentions else nobody,
        )

    def written(self, name: str, view: View, phrasing: Phrasing, **more: object) -> str:
        """Return a view in the form of a template; `more` is what that template alone needs."""
        return self._environment.get_template(name).render(
            view=view, words=phrasing.words, language=phrasing.language.value, **more
        )


def view_of(delivery: Delivery, phrasing: Phrasing, *, shown: int) -> View:
    """Return what a delivery says; of a digest or a report's list, the first `shown` lines.

    Raises ValueError for a content that is not of its kind.
    """
    marked = delivery.duplicate_possible
    match delivery.kind:
        case Kind.FIRST | Kind.ESCALATION | Kind.CHANGE:
            alert = StockAlert.model_validate_json(delivery.content)
            return notice_view(alert, phrasing, delivery.kind, possible_duplicate=marked)
        case Kind.DIGEST:
            digest = Digest.model_validate_json(delivery.content)
            return digest_view(digest, phrasing, shown=shown, possible_duplicate=marked)
        case Kind.REPORT:
            report = AlertReport.model_validate_json(delivery.content)
            return report_view(report, phrasing, shown=shown, possible_duplicate=marked)
        case Kind.ORDER:
            raise ValueError("an order goes by mail, and to its supplier alone")
        case Kind.TEST:
            return test_view(TestNote.model_validate_json(delivery.content), phrasing)
        case Kind.META:
            note = FailureNote.model_validate_json(delivery.content)
            if note.order is not None:
                return failed_order_view(note.order, note.detail, phrasing)
            return failure_view(note, phrasing, possible_duplicate=marked)


def fitting(
    delivery: Delivery, phrasing: Phrasing, size: Callable[[View], int], longest_bytes: int
) -> View:
    """Return the fullest view of a delivery whose size is within a limit."""
    available = _listed(delivery)
    if available is not None:
        brief = replace(phrasing, longest=40)
        fits = bisect_right(
            range(available + 1),
            longest_bytes,
            key=lambda shown: size(view_of(delivery, brief, shown=shown)),
        )
        return view_of(delivery, brief, shown=max(0, fits - 1))
    view = view_of(delivery, phrasing, shown=0)
    for longest in _LONGEST[1:]:
        if size(view) <= longest_bytes:
            break
        view = view_of(delivery, replace(phrasing, longest=longest), shown=0)
    return view


def with_keyword(text: str, keyword: str | None) -> str:
    """Return a text that has the keyword without which a group's bot refuses it."""
    return text if keyword is None or keyword in text else f"{text}\n\n{keyword}"


def _listed(delivery: Delivery) -> int | None:
    """Return how many lines could be shown; None where there is no list."""
    match delivery.kind:
        case Kind.DIGEST:
            return len(Digest.model_validate_json(delivery.content).lines)
        case Kind.REPORT:
            return listed(AlertReport.model_validate_json(delivery.content))
        case _:
            return None
