"""Slack's buttons: a message as Block Kit blocks, and what it becomes once somebody has acted.

Its text is a section; below it, once something has happened, stands what; then the buttons. A
button for an order carries the quantity that is proposed, a menu the reason or the time; choosing
in it is the press. There is no field to type into outside a modal: another quantity is put in the
console, where the text leads. A text is `verbatim`, or names in it that look like channels and
people would become links.

At the most: 50 blocks a message, 3,000 characters a section or a context's text, 25 elements of
actions; a button's text 75 and value 2,000, an action_id and a block_id 255, a menu's placeholder
150 and 100 options of 75 with values of 150 (docs.slack.dev: Block Kit reference, blocks, block
elements, composition objects). A block_id is new in each iteration of a message.
"""

from collections.abc import Sequence
from uuid import UUID

from services.notifier.destinations.response_words import RESPONSE_WORDS, ResponseWords
from services.notifier.domain.cards import (
    NO_CHOICE,
    REASONS,
    SNOOZE_MINUTES,
    buttons_of,
    key_of,
    proposed_quantity,
    task_id,
)
from services.notifier.domain.destinations import Language
from shared.events.alert_responses import ResponseKind
from shared.events.stock_alerts import StockAlert

TEXT = 3_000
"""Characters of a section; bytes are never fewer."""

BUTTON = 75

Block = dict[str, object]


def texts(text: str, said: str = "") -> list[Block]:
    """Return a message's text, with what has happened since it was written."""
    section: Block = {"type": "section", "text": _markdown(text)}
    return [section, {"type": "context", "elements": [_markdown(said)]}] if said else [section]


def actions(alert: StockAlert, delivery: UUID, language: Language) -> list[Block]:
    """Return what may still be done about an alert at a revision; nothing when it has ended.

    `delivery` is the one that tells of the revision.
    """
    words = RESPONSE_WORDS[language]
    elements = [_element(kind, alert, words) for kind in buttons_of(alert)]
    if not elements:
        return []
    return [{"type": "actions", "block_id": task_id(delivery), "elements": elements}]


def _element(kind: ResponseKind, alert: StockAlert, words: ResponseWords) -> Block:
    match kind:
        case ResponseKind.FALSE_ALARM:
            reasons = [(f"reason:{reason}", words.reasons[reason]) for reason in REASONS]
            return _menu(kind, words.acts[kind], [*reasons, (NO_CHOICE, words.no_choice)])
        case ResponseKind.SNOOZE:
            times = [(f"minutes:{each}", words.duration(each)) for each in SNOOZE_MINUTES]
            return _menu(kind, words.acts[kind], times)
        case _:
            quantity = proposed_quantity(alert) if kind is ResponseKind.ORDERED else None
            text = words.acts[kind] if quantity is None else words.ordered.format(f"{quantity:,}")
            button: Block = {
                "type": "button",
                "action_id": kind.value,
                "text": _plain(text),
                "value": key_of(kind, quantity),
            }
            return button | ({"style": "primary"} if kind is ResponseKind.ACKNOWLEDGE else {})


def _menu(kind: ResponseKind, title: str, options: Sequence[tuple[str, str]]) -> Block:
    return {
        "type": "static_select",
        "action_id": kind.value,
        "placeholder": _plain(title),
        "options": [{"text": _plain(text), "value": value} for value, text in options],
    }


def _markdown(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text[:BUTTON]}
