"""What alerting says of a rule that cannot be saved, beside the field it is about."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from services.console.domain.language import Language
from services.console.domain.rule_texts import MISTAKES, MISTAKES_OF
from services.console.domain.text import Text

_POSITION = re.compile(r"line (\d+), column (\d+): (.*)", re.DOTALL)
_FIELDS: Final[Mapping[str, str]] = {
    "pending_seconds": "pending",
    "recovery_seconds": "recovery",
}
_DOUBTS: Final[Mapping[str, str]] = {
    "count_older_than_days": "doubt.count_older_than_days",
    "channel_silent_minutes": "doubt.silent",
    "channels": "doubt.channels",
}
# What is said of the rule as a whole belongs beside the part that it is about.
_ABOUT: Final = (
    ("say with channel_silent_minutes", "doubt.silent"),
    ("covered_by_inbound", "filter.covered_by_inbound"),
    ("say with pool", "pool"),
    ("belongs to one warehouse", "condition"),
    ("custom has one level", "levels"),
    ("needs a condition", "condition"),
    ("comparisons, nested", "condition"),
    ("flag", "doubts"),
    ("doubts", "doubts"),
)


class Mistake(NamedTuple):
    """What is wrong with a field; a position counts from 1 and is of a condition's text."""

    field: str
    words: str
    line: int | None = None
    column: int | None = None


def mistake(field: str, message: str, definition: Mapping[str, Any], language: Language) -> Mistake:
    """Return one of alerting's errors as a form shows it."""
    place = _place(field, message, definition)
    own = MISTAKES_OF.get(field)
    if own is not None:
        return Mistake(place, _chosen(own, language))
    found = _POSITION.fullmatch(message)
    if found is None:
        return Mistake(place, translated(message, language))
    line, column = int(found[1]), int(found[2])
    return Mistake(place, translated(found[3], language), line, column)


def translated(words: str, language: Language) -> str:
    """Return an English sentence of alerting's in the viewer's language, where it is known."""
    for pattern, text in MISTAKES:
        found = re.fullmatch(pattern, words, re.DOTALL)
        if found is not None:
            return _chosen(text, language).format(**found.groupdict())
    return words


def _chosen(text: Text, language: Language) -> str:
    return text.zh if language is Language.CHINESE else text.en


def _place(field: str, words: str, definition: Mapping[str, Any]) -> str:
    first, *rest = field.split(".")
    if first == "body":
        return next((place for sign, place in _ABOUT if sign in words), "levels")
    if first == "levels" and rest and rest[0].isdigit():
        level = definition["levels"][int(rest[0])]["level"]
        return ".".join(("level", level, *rest[1:]))
    if first == "filters":
        return ".".join(("filter", *rest))
    if first == "doubts":
        return next((_DOUBTS[part] for part in rest if part in _DOUBTS), "doubts")
    if first == "scope" and rest:
        return f"scope.{rest[0]}"
    if first == "active" and rest:
        return "active" if rest[0] == "calendar" else f"active.{rest[-1]}"
    if first in {"condition", "clear_condition", "labels", "name"}:
        return first
    return _FIELDS.get(first, field)
