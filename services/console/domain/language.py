"""The viewer's language: what they chose, else what their browser asks for."""

from enum import StrEnum


class Language(StrEnum):
    """Languages that every text exists in, by their BCP 47 tag."""

    CHINESE = "zh-CN"
    ENGLISH = "en"

    @property
    def other(self) -> "Language":
        """The one to switch to."""
        return Language.ENGLISH if self is Language.CHINESE else Language.CHINESE


def preferred(chosen: str | None, accept_language: str | None) -> Language:
    """Return the language for a viewer.

    `chosen` is what they picked before (a tag, from a cookie); `accept_language` is the header
    of RFC 9110 12.5.4. Without either it is Chinese, the language of most users.
    """
    if chosen in set(Language):
        return Language(chosen)
    for tag in _by_weight(accept_language or ""):
        main = tag.partition("-")[0].lower()
        if main == "zh":
            return Language.CHINESE
        if main == "en":
            return Language.ENGLISH
    return Language.CHINESE


def _by_weight(header: str) -> list[str]:
    """Return the header's tags, most wanted first."""
    weighted = []
    for part in header.split(",")[:20]:
        tag, _, parameter = part.strip().partition(";")
        weight = parameter.strip().removeprefix("q=") if parameter else "1"
        try:
            weighted.append((float(weight), tag.strip()))
        except ValueError:
            continue
    return [tag for weight, tag in sorted(weighted, key=lambda pair: -pair[0]) if weight > 0]
