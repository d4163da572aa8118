"""Guess what an unknown code may mean; shown to a person, never applied by itself."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

LIKENESS: Final = 0.75
"""Below this difflib ratio a guess distracts more than it helps: one letter in four is wrong."""

MAX_CANDIDATES: Final = 2_000
"""Compared letter by letter at the most: bounds one guess to some 30 ms."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A guess and how it was found."""

    code: str
    by: Literal["case_or_space", "similar"]


def folded(code: str) -> str:
    """Return a code without letter case, spaces, hyphens and underscores."""
    return "".join(each for each in code.casefold() if not each.isspace() and each not in "-_")


class Suggestions:
    """Guesses among the codes known at one moment."""

    def __init__(self, known: Iterable[str]) -> None:
        self._by_form: dict[str, str] = {}
        self._by_start: defaultdict[str, list[str]] = defaultdict(list)
        for code in known:
            form = folded(code)
            if self._by_form.setdefault(form, code) == code:
                self._by_start[form[:1]].append(form)

    def of(self, code: str) -> Suggestion | None:
        """Return the likeliest code, or None."""
        form = folded(code)
        exact = self._by_form.get(form)
        if exact is not None:
            return Suggestion(exact, "case_or_space")
        # A typing mistake rarely hits the first letter, and changes the length little.
        candidates = [
            each for each in self._by_start.get(form[:1], ()) if abs(len(each) - len(form)) <= 2
        ]
        similar = get_close_matches(form, candidates[:MAX_CANDIDATES], n=1, cutoff=LIKENESS)
        return Suggestion(self._by_form[similar[0]], "similar") if similar else None
