"""A custom condition as rows of a form: field, comparison, and a value or another field.

Rows are joined all by "and" or all by "or"; what is nested deeper is edited as text.
"""

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any, Final

NUMBERS: Final = (
    "available",
    "on_hand",
    "incoming",
    "daily_sales",
    "days_of_cover",
    "trend_7d",
    "days_known",
    "safety_stock",
    "reorder_point",
    "order_quantity",
    "moq",
    "pack_multiple",
    "lead_time_days",
    "lead_time_sd_days",
    "unit_cost",
    "price",
)
TEXTS: Final = ("sku", "warehouse", "stock_class", "supplier")
OF_NUMBERS: Final = ("<", "<=", ">", ">=", "==", "!=", "in")
OF_TEXTS: Final = ("==", "!=", "in")

FIRST_ROW: Final[Mapping[str, str]] = {
    "rows": "1",
    "row.1.field": "available",
    "row.1.comparison": "<",
    "row.1.of": "reorder_point",
    "row.1.value": "",
}
"""What a new condition begins with."""


class NoNumber(ValueError):  # noqa: N818 - what a person typed; nothing has failed
    """A value that should be a number and is none; `row` is where."""

    def __init__(self, row: str) -> None:
        super().__init__(row)
        self.row = row


def part(values: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the fields of one of a form's conditions by their own names."""
    named = (name for name in values if name.startswith(prefix))
    return {name.removeprefix(prefix): values[name] for name in named}


def numbers_of_rows(values: Mapping[str, str]) -> list[str]:
    """Return the rows of a form by their numbers, in order."""
    return [one for one in values.get("rows", "").split(",") if one]


def tree_of(values: Mapping[str, str]) -> dict[str, Any]:
    """Return the condition that rows say; raises NoNumber."""
    join = "any" if values.get("join") == "any" else "all"
    return {join: [_comparison(values, row) for row in numbers_of_rows(values)]}


def _comparison(values: Mapping[str, str], row: str) -> dict[str, Any]:
    name = values.get(f"row.{row}.field", "")
    comparison = values.get(f"row.{row}.comparison", "")
    other = values.get(f"row.{row}.of", "")
    if other:
        return {"field": name, "comparison": comparison, "value": {"field": other}}
    said = values.get(f"row.{row}.value", "").strip()
    if comparison == "in":
        parts = [part.strip() for part in said.replace("，", ",").split(",") if part.strip()]
        value: Any = [_value(name, part, row) for part in parts]
    else:
        value = _value(name, said, row)
    return {"field": name, "comparison": comparison, "value": value}


def _value(name: str, said: str, row: str) -> float | str:
    if name in TEXTS:
        return said
    try:
        number = float(said)
    except ValueError:
        number = inf
    if isfinite(number):
        return number
    raise NoNumber(row)


def rows_of(tree: Mapping[str, Any]) -> dict[str, str] | None:
    """Return a condition as rows, or None where it is nested deeper than rows can show."""
    join, parts = "all", [tree]
    for name in ("all", "any"):
        if name in tree:
            join, parts = name, tree[name]
    if any("field" not in part for part in parts):
        return None
    values = {"join": join, "rows": ",".join(str(index + 1) for index in range(len(parts)))}
    for index, part in enumerate(parts):
        row = f"row.{index + 1}"
        value = part["value"]
        other = value["field"] if isinstance(value, Mapping) else ""
        values[f"{row}.field"] = part["field"]
        values[f"{row}.comparison"] = part["comparison"]
        values[f"{row}.of"] = other
        values[f"{row}.value"] = "" if other else _shown(value)
    return values


def _shown(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_shown(one) for one in value)
    return f"{value:.15g}" if isinstance(value, float) else str(value)
