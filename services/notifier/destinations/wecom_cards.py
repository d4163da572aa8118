"""WeCom's cards: what an alert looks like on one, with and without buttons.

`button_interaction` has up to six buttons, six facts and one menu of ten choices; there is no field
to type into. So the menu serves two buttons, and the button for an order carries the quantity that
is proposed; another one is put in the console, where the card leads. Lengths are those that the
vendor shows without cutting (its pages on application messages and on changing cards).
"""

from collections.abc import Mapping, Sequence

from services.notifier.destinations.deeds import by_people, happened
from services.notifier.destinations.response_words import RESPONSE_WORDS, ResponseWords
from services.notifier.destinations.views import Line, Phrasing, View
from services.notifier.domain.cards import (
    NO_CHOICE,
    REASONS,
    SNOOZE_MINUTES,
    buttons_of,
    key_of,
    option_ids,
    proposed_quantity,
)
from shared.events.alert_responses import ResponseKind
from shared.events.stock_alerts import ENDINGS, StockAlert

TITLE = 36
SUBTITLE = 112
FACTS = 6
NAME = 12
VALUE = 30
OPTION = 16

_RED, _GREEN, _GREY = 2, 3, 0
_COLOURS = {"out": _RED, "urgent": _RED, "watch": _GREY, "": _GREEN}
_FIRST_STYLE, _OTHER_STYLE = 1, 2


def card_of(alert: StockAlert, view: View, phrasing: Phrasing) -> dict[str, object]:
    """Return the card of a revision, whether it is sent or takes another one's place."""
    ended = alert.event in ENDINGS
    card: dict[str, object] = {
        "card_type": "text_notice" if ended else "button_interaction",
        "source": {"desc": "Lowtide", "desc_color": _COLOURS[view.level]},
        "main_title": {"title": _short(view.title, TITLE)},
        "sub_title_text": _short(_subtitle(alert, view, phrasing), SUBTITLE),
        "horizontal_content_list": [
            {"keyname": _short(line.label, NAME), "value": _value(line.text)}
            for line in _facts(view, phrasing)
        ],
        "card_action": {"type": 1, "url": view.url},
    }
    if not ended:
        words = RESPONSE_WORDS[phrasing.language]
        card["button_selection"] = _menu(words)
        card["button_list"] = _buttons(alert, words)
    return card


def _subtitle(alert: StockAlert, view: View, phrasing: Phrasing) -> str:
    """Return who did what and when, where somebody did; else what to do."""
    words = phrasing.words
    if alert.actor is not None or alert.event in ENDINGS:
        return happened(alert, phrasing)
    return next((line.text for line in view.lines if line.label == words.advice), "")


def _facts(view: View, phrasing: Phrasing) -> Sequence[Line]:
    """Return the facts there is room for: the numbers first, but what people said in any case."""
    words = phrasing.words
    done = by_people(view, words)
    others = [line for line in view.lines if line not in done and line.label != words.advice]
    shown = done[-3:]
    return [*others[: FACTS - len(shown)], *shown]


def _menu(words: ResponseWords) -> dict[str, object]:
    texts = [
        words.no_choice,
        *(words.reasons[reason] for reason in REASONS),
        *map(words.duration, SNOOZE_MINUTES),
    ]
    options = [
        {"id": id_, "text": _short(text, OPTION)}
        for id_, text in zip(option_ids(), texts, strict=True)
    ]
    return {
        "question_key": "choice",
        "title": words.choice,
        "option_list": options,
        "selected_id": NO_CHOICE,
    }


def _buttons(alert: StockAlert, words: ResponseWords) -> list[dict[str, object]]:
    buttons: list[dict[str, object]] = []
    for kind in buttons_of(alert):
        quantity = proposed_quantity(alert) if kind is ResponseKind.ORDERED else None
        text = words.acts[kind] if quantity is None else words.ordered.format(f"{quantity:,}")
        style = _OTHER_STYLE if buttons else _FIRST_STYLE
        buttons.append({"text": text, "style": style, "key": key_of(kind, quantity)})
    return buttons


def text_of(card: Mapping[str, object]) -> str:
    """Return what a card says, line by line, its buttons last."""
    lines = [_field(card["main_title"], "title"), str(card.get("sub_title_text", ""))]
    lines += [
        f"{_field(each, 'keyname')}: {_field(each, 'value')}"
        for each in _list(card.get("horizontal_content_list"))
    ]
    buttons = [f"[{_field(each, 'text')}]" for each in _list(card.get("button_list"))]
    return "\n".join([line for line in lines if line] + ([" ".join(buttons)] if buttons else []))


def _field(part: object, name: str) -> str:
    return str(part.get(name, "")) if isinstance(part, dict) else ""


def _list(part: object) -> list[object]:
    return part if isinstance(part, list) else []


def _value(text: str) -> str:
    """Return a fact that fits; what stands in brackets behind it goes first."""
    if len(text) > VALUE and text.endswith(")"):
        text = text.rpartition(" (")[0] or text
    return _short(text, VALUE)


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
