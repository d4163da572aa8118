"""One text that a person reads."""

from typing import NamedTuple


class Text(NamedTuple):
    """A text in all languages; a value in braces is filled in."""

    zh: str
    en: str
