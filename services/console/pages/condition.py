"""The two views of a custom condition: rows and text, one filled from the other."""

from collections.abc import Mapping
from typing import Any

from services.console.domain.condition_rows import (
    FIRST_ROW,
    NUMBERS,
    OF_NUMBERS,
    OF_TEXTS,
    TEXTS,
    numbers_of_rows,
    part,
    rows_of,
)
from services.console.upstream.rules import Verdict

Values = dict[str, str]

# As many as alerting takes in one condition.
_MOST_ROWS = 100


class Condition:
    """What a viewer does with one of the conditions of the rule in the form.

    `field` is its name in the rule, `prefix` is before those of its fields in the form.
    """

    def __init__(self, field: str, prefix: str = "") -> None:
        self.field = field
        self.prefix = prefix
        self.refused = ""
        """Why the text cannot be shown as rows: `nested`, or `mend` where it is wrong."""
        self.text = ""
        """What the rows say, where alerting has understood them."""
        self._tree: Mapping[str, Any] | None = None

    def take(self, values: Values, verdict: Verdict) -> None:
        """Keep what alerting has understood: the text beside the rows, the rows behind the text."""
        tree = verdict.rule[self.field] if verdict.rule else None
        if tree != self._tree:
            self.refused = ""
        self._tree = tree
        self.text = (verdict.clear_cel if self.field == "clear_condition" else verdict.cel) or ""
        if values[f"{self.prefix}mode"] == "rows" and self.text:
            values[f"{self.prefix}cel"] = self.text

    def typed(self, values: Values, name: str) -> None:
        """Have comparison and partner fit after another field was chosen."""
        row = f"{self.prefix}row."
        if not name.startswith(row) or not name.endswith(".field"):
            return
        row = name.removesuffix("field")
        is_text = values[name] in TEXTS
        if values[f"{row}comparison"] not in (OF_TEXTS if is_text else OF_NUMBERS):
            values[f"{row}comparison"] = "=="
        if values[f"{row}of"] not in (TEXTS if is_text else NUMBERS):
            values[f"{row}of"] = ""

    def act(self, values: Values, name: str, rest: str) -> bool:
        """Do what was pressed; returns whether it was about the condition."""
        said = part(values, self.prefix)
        if name == f"{self.prefix}row-add":
            _add_row(said)
        elif name == f"{self.prefix}row-remove":
            kept = [one for one in numbers_of_rows(said) if one != rest]
            said["rows"] = ",".join(kept or numbers_of_rows(said))
        elif name == f"{self.prefix}mode":
            self._turn(said, rest)
        else:
            return False
        values |= {self.prefix + own: value for own, value in said.items()}
        return True

    def _turn(self, values: Values, mode: str) -> None:
        self.refused = ""
        if mode == "text":
            values["mode"] = "text"
            return
        rows = None if self._tree is None else rows_of(self._tree)
        if rows is None:
            self.refused = "mend" if self._tree is None else "nested"
            return
        values["mode"] = "rows"
        values |= rows


def _add_row(values: Values) -> None:
    rows = numbers_of_rows(values)
    if len(rows) >= _MOST_ROWS:
        return
    new = str(max(map(int, rows), default=0) + 1)
    values["rows"] = ",".join([*rows, new])
    values |= {
        name.replace("row.1.", f"row.{new}."): value
        for name, value in FIRST_ROW.items()
        if name.startswith("row.")
    }
    values[f"row.{new}.of"] = ""
