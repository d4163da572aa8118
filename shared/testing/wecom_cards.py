"""What WeCom takes for a card: the fields that each type needs, and how much fits."""

import re
from collections.abc import Mapping

from shared.testing.vendor import Refused

BAD_PARAMETER = 40058

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "text_notice": ("card_action",),
    "button_interaction": ("main_title", "button_list"),
}
_TASK_ID = re.compile(r"[0-9A-Za-z_@-]{1,128}")

MOST_BUTTONS = 6
MOST_FACTS = 6
MOST_OPTIONS = 10
KEY_BYTES = 1_024
OPTION_BYTES = 128


def check_card(card: Mapping[str, object], *, sent: bool) -> None:
    """Raise Refused for a card that would not be taken, sent or in another one's place."""
    kind = card.get("card_type")
    if kind not in _NEEDED:
        raise Refused(BAD_PARAMETER, "invalid card_type")
    missing = [name for name in _NEEDED[str(kind)] if not card.get(name)]
    if missing:
        raise Refused(BAD_PARAMETER, f"missing {', '.join(missing)}")
    title = _part(card, "main_title").get("title")
    if kind == "text_notice" and not (title or card.get("sub_title_text")):
        raise Refused(BAD_PARAMETER, "a text_notice has a title")
    if kind == "text_notice" and (card.get("button_list") or card.get("button_selection")):
        raise Refused(BAD_PARAMETER, "a text_notice has no buttons")
    if kind == "button_interaction":
        if not title:
            raise Refused(BAD_PARAMETER, "main_title.title is empty")
        _check_buttons(card)
    if not sent and "task_id" in card:
        raise Refused(BAD_PARAMETER, "a card that is changed keeps its task_id")
    _check_facts(card)
    action = card.get("card_action")
    if action is not None and not (
        isinstance(action, dict) and action.get("type") == 1 and action.get("url")
    ):
        raise Refused(BAD_PARAMETER, "card_action")


def check_task_id(card: Mapping[str, object]) -> str | None:
    """Return a sent card's task id. Raises Refused for one that is none, or is needed."""
    task = card.get("task_id")
    if task is None and card.get("card_type") != "button_interaction":
        return None
    if not isinstance(task, str) or not _TASK_ID.fullmatch(task):
        raise Refused(BAD_PARAMETER, "invalid task_id")
    return task


def _part(card: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = card.get(name, {})
    if not isinstance(part, dict):
        raise Refused(BAD_PARAMETER, name)
    return part


def _list(part: Mapping[str, object], name: str, most: int) -> list[Mapping[str, object]]:
    items = part.get(name, [])
    if not isinstance(items, list) or len(items) > most:
        raise Refused(BAD_PARAMETER, f"{name}: {most} at the most")
    if not all(isinstance(each, dict) for each in items):
        raise Refused(BAD_PARAMETER, name)
    return items


def _check_buttons(card: Mapping[str, object]) -> None:
    for button in _list(card, "button_list", MOST_BUTTONS):
        key = button.get("key")
        if not button.get("text") or not isinstance(key, str) or not key:
            raise Refused(BAD_PARAMETER, "a button has a text and a key")
        if len(key.encode()) > KEY_BYTES or button.get("style", 1) not in {1, 2, 3, 4}:
            raise Refused(BAD_PARAMETER, "a button's key or style")
    if "button_selection" not in card:
        return
    menu = _part(card, "button_selection")
    options = _list(menu, "option_list", MOST_OPTIONS)
    ids = [str(each.get("id", "")) for each in options]
    if not menu.get("question_key") or not options or len(set(ids)) != len(ids):
        raise Refused(BAD_PARAMETER, "button_selection")
    if not all(each.get("text") for each in options) or not all(
        0 < len(id_.encode()) <= OPTION_BYTES for id_ in ids
    ):
        raise Refused(BAD_PARAMETER, "an option has an id and a text")


def _check_facts(card: Mapping[str, object]) -> None:
    for fact in _list(card, "horizontal_content_list", MOST_FACTS):
        if not fact.get("keyname"):
            raise Refused(BAD_PARAMETER, "a fact has a keyname")
