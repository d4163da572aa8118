"""A rule as a form: what its fields hold, and the definition they stand for.

Fields are texts by name, as a browser has them; a checkbox is "yes" or "". What a definition says
beyond the form stays as it is.
"""

from collections.abc import Mapping
from math import inf
from typing import Any, Final, NamedTuple

from services.console.domain.active_form import blank_hours, hours_of, hours_said
from services.console.domain.condition_rows import (
    FIRST_ROW,
    NoNumber,
    part,
    rows_of,
    tree_of,
)
from services.console.domain.rule_kinds import BY_KIND, FLAGS, LEVELS
from shared.events.stock_alerts import SHORTAGES

Values = dict[str, str]

SECONDS: Final[Mapping[str, int]] = {
    "seconds": 1,
    "minutes": 60,
    "hours": 3_600,
    "days": 86_400,
}
_TIMES: Final = ("pending", "recovery")
OF_GOODS: Final = ("categories", "tags", "skus")
"""What a scope names of any goods, one a line."""

OF_ONE_SKU: Final = ("classes", "suppliers")
"""And what only a SKU has: the options of a product may have different ones."""

_LISTS: Final = (*OF_GOODS, *OF_ONE_SKU)
CLEAR: Final = "clear."
"""Before the names of the fields of a clear condition, which are those of a condition."""

_LARGEST: Final = 1e15
"""No number that anybody means is larger; a unit's multiple of it is still a number."""
_FLAGS_AT_FIRST: Final = frozenset({"negative", "not_ordered", "in_doubt", "unusual"})


class Filled(NamedTuple):
    """What a form says: a definition to be checked, and fields that hold no number (by name)."""

    definition: dict[str, Any]
    no_numbers: frozenset[str]


def blank(kind: str = "below") -> Values:
    """Return the form of a new rule."""
    values: Values = {
        "name.zh-CN": "",
        "name.en": "",
        "enabled": "yes",
        "filter.min_daily_sales": "",
        "filter.grace_days": "",
        "filter.trend_at_least": "",
        "filter.covered_by_inbound": "",
        "filter.inhibited_by_out": "",
        "labels": "",
        "playbook": "",
        "owner": "",
        "subject": "level",
        "pool": "",
        "covers_levels": "",
        "clear": "",
        "doubt.count_older_than_days": "",
        "doubt.silent": "",
        "doubt.silent.unit": "hours",
        "doubt.channels": "",
    }
    values |= {f"doubt.{flag}": "yes" if flag in _FLAGS_AT_FIRST else "" for flag in FLAGS}
    values |= {name: "" for time in _TIMES for name in (time, f"{time}.unit")}
    values |= {f"{time}.unit": "minutes" for time in _TIMES} | blank_hours()
    values |= {f"scope.{name}": "" for name in (*_LISTS, "warehouses")}
    condition: Values = {"mode": "rows", "join": "all", "cel": "", **FIRST_ROW}
    clears = condition | {"row.1.comparison": ">="}
    return of_kind({**values, **condition, **_of_clear(clears)}, kind)


def of_kind(values: Values, kind: str) -> Values:
    """Return the form after another kind was chosen: with the limits that kind begins with."""
    given = BY_KIND[kind].given
    changed = values | {"kind": kind, "level": next(iter(given)), "exit": ""}
    for level in LEVELS:
        changed[f"level.{level}"] = "yes" if level in given else ""
        changed[f"level.{level}.enter"] = given.get(level, "")
        changed[f"level.{level}.exit"] = ""
    return changed


def values_of(
    definition: Mapping[str, Any], cel: str | None, clear_cel: str | None = None
) -> Values:
    """Return the form of a rule as alerting tells it; its conditions as text beside it."""
    values = blank(definition["kind"])
    values |= {f"name.{tag}": name for tag, name in definition["name"].items()}
    values["enabled"] = _yes(definition.get("enabled", True))
    for level in LEVELS:
        values[f"level.{level}"] = ""
        values[f"level.{level}.enter"] = values[f"level.{level}.exit"] = ""
    for limit in definition.get("levels", []):
        name = f"level.{limit['level']}"
        values["level"] = limit["level"]
        values[name] = "yes"
        values[f"{name}.enter"] = _number(limit.get("enter"))
        same = limit.get("exit") == limit.get("enter")
        values[f"{name}.exit"] = values["exit"] = "" if same else _number(limit.get("exit"))
    for time in _TIMES:
        values |= _time(time, definition.get(f"{time}_seconds", 0))
    values |= hours_of(definition.get("active"))
    filters = definition.get("filters", {})
    for name in ("min_daily_sales", "grace_days"):
        values[f"filter.{name}"] = _number(filters.get(name) or None)
    values["filter.trend_at_least"] = _number(100 * filters.get("trend_at_least", 0) or None)
    for name in ("covered_by_inbound", "inhibited_by_out"):
        values[f"filter.{name}"] = _yes(filters.get(name))
    scope = definition.get("scope", {})
    values["scope.warehouses"] = "\n".join(scope.get("warehouses", []))
    values |= {f"scope.{name}": "\n".join(scope.get(name, [])) for name in _LISTS}
    values["subject"] = definition.get("subject", "level")
    values["pool"] = definition.get("pool") or ""
    values["covers_levels"] = _yes(definition.get("covers_levels"))
    labels = definition.get("labels", {})
    values["labels"] = "\n".join(f"{name}={value}" for name, value in labels.items())
    values["playbook"] = definition.get("playbook") or ""
    values["owner"] = definition.get("owner") or ""
    if definition.get("doubts"):
        values |= _of_doubts(definition["doubts"])
    if definition.get("condition"):
        values |= of_condition(definition["condition"], cel)
    if definition.get("clear_condition"):
        clears = of_condition(definition["clear_condition"], clear_cel)
        values |= {"clear": "yes"} | _of_clear(clears)
    return values


def of_condition(tree: Mapping[str, Any], cel: str | None) -> Values:
    """Return the fields of a condition: rows where they can show it, and its text."""
    rows = rows_of(tree)
    return {"mode": "text" if rows is None else "rows", "cel": cel or ""} | (rows or {})


def filled(values: Mapping[str, str], base: Mapping[str, Any]) -> Filled:
    """Return what the form says over a definition that it was made from."""
    numbers = _Numbers(values)
    kind = BY_KIND[values["kind"]]
    definition: dict[str, Any] = dict(base)
    definition["kind"] = values["kind"]
    names = {tag: values[f"name.{tag}"].strip() for tag in ("zh-CN", "en")}
    definition["name"] = {tag: name for tag, name in names.items() if name}
    definition["enabled"] = bool(values["enabled"])
    definition["levels"] = _levels(values, numbers)
    subject = definition["subject"] = subject_of(values)
    definition["pool"] = (values["pool"].strip() or None) if subject != "level" else None
    definition["covers_levels"] = bool(values["covers_levels"]) and subject == "pool"
    of_one_sku = subject != "product"
    for time in _TIMES:
        seconds = _seconds(values, numbers, time) if of_one_sku else None
        definition[f"{time}_seconds"] = seconds or 0
    definition["active"] = hours_said(values, base) if of_one_sku else None
    definition["filters"] = dict(base.get("filters") or {}) | {
        "min_daily_sales": (numbers.read("filter.min_daily_sales") if of_one_sku else 0) or 0,
        "grace_days": _whole((numbers.read("filter.grace_days") if of_one_sku else 0) or 0),
        "trend_at_least": _share(numbers, "filter.trend_at_least") if asks_to_buy(values) else 0,
        "covered_by_inbound": bool(values["filter.covered_by_inbound"]) and kind.of_available,
        "inhibited_by_out": bool(values["filter.inhibited_by_out"]) and subject == "level",
    }
    scope = {name: listed(values[f"scope.{name}"]) for name in (*_LISTS, "warehouses")}
    scope |= {} if of_one_sku else {name: [] for name in OF_ONE_SKU}
    definition["scope"] = dict(base.get("scope") or {}) | scope
    definition["labels"] = _labels(values["labels"])
    definition["playbook"] = values["playbook"] or None
    definition["owner"] = values["owner"] or None
    is_doubt = values["kind"] == "data_doubt"
    definition["doubts"] = _doubts(values, numbers, base.get("doubts")) if is_doubt else None
    is_custom = values["kind"] == "custom"
    definition["condition"] = _condition(values, numbers, "") if is_custom else None
    clears = is_custom and values["clear"]
    definition["clear_condition"] = _condition(values, numbers, CLEAR) if clears else None
    return Filled(definition, frozenset(numbers.wrong))


def subject_of(values: Mapping[str, str]) -> str:
    """Return what the rule watches: what was chosen, where its kind can be asked of that."""
    subjects = BY_KIND[values["kind"]].subjects
    return values["subject"] if values["subject"] in subjects else subjects[0]


def asks_to_buy(values: Mapping[str, str]) -> bool:
    """Return whether the rule may warn of a shortage: only then the trend of demand matters."""
    return subject_of(values) != "product" and values["kind"] in {*SHORTAGES, "custom"}


def condition_alone(definition: Mapping[str, Any], which: str) -> dict[str, Any]:
    """Return a rule that says nothing but one of its conditions, to have only that checked."""
    return {
        "name": {"en": "condition"},
        "kind": "custom",
        "levels": [{"level": "watch"}],
        "condition": "available < 0",
        which: definition[which],
    }


def listed(said: str) -> list[str]:
    """Return what was typed one a line, each once."""
    return list(dict.fromkeys(line.strip() for line in said.splitlines() if line.strip()))


class _Numbers:
    """Reads fields as numbers and notes those that are none."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.wrong: set[str] = set()

    def read(self, name: str) -> float | None:
        said = self._values[name].strip().replace(",", "")
        if not said:
            return None
        try:
            number = float(said)
        except ValueError:
            number = inf
        if abs(number) <= _LARGEST:
            return number
        self.wrong.add(name)
        return None


def _levels(values: Mapping[str, str], numbers: _Numbers) -> list[dict[str, Any]]:
    if values["kind"] == "stock_out":
        return [{"level": values["level"], "exit": numbers.read("exit")}]
    if values["kind"] == "custom":
        return [{"level": values["level"]}]
    levels = []
    for level in LEVELS:
        if values[f"level.{level}"]:
            enter = numbers.read(f"level.{level}.enter")
            leave = numbers.read(f"level.{level}.exit")
            levels.append({"level": level, "enter": enter, "exit": leave})
    return levels


def _doubts(
    values: Mapping[str, str], numbers: _Numbers, base: Mapping[str, Any] | None
) -> dict[str, Any]:
    told = dict(base or {})
    days = numbers.read("doubt.count_older_than_days")
    silent = _seconds(values, numbers, "doubt.silent")
    chosen = {flag: values[f"doubt.{flag}"] for flag in FLAGS}
    # Flags that the form has no box for stay, and all stay in their order.
    before = [flag for flag in told.get("flags", []) if chosen.get(flag, "yes")]
    return told | {
        "flags": [*before, *(flag for flag in FLAGS if chosen[flag] and flag not in before)],
        "count_older_than_days": None if days is None else _whole(days),
        "channel_silent_minutes": None if silent is None else round(silent / SECONDS["minutes"]),
        "channels": listed(values["doubt.channels"]),
    }


def _condition(values: Mapping[str, str], numbers: _Numbers, prefix: str) -> object:
    said = part(values, prefix)
    if said["mode"] == "text":
        return said["cel"]
    try:
        return tree_of(said)
    except NoNumber as error:
        numbers.wrong.add(f"{prefix}row.{error.row}.value")
        return None


def _of_clear(condition: Mapping[str, str]) -> Values:
    return {CLEAR + name: value for name, value in condition.items()}


def _share(numbers: _Numbers, name: str) -> float:
    """Return a field in percent as a share, without what the division leaves behind."""
    return round((numbers.read(name) or 0) / 100, 6)


def _labels(said: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in listed(said))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _seconds(values: Mapping[str, str], numbers: _Numbers, name: str) -> int | None:
    amount = numbers.read(name)
    return None if amount is None else round(amount * SECONDS[values[f"{name}.unit"]])


def _of_doubts(doubts: Mapping[str, Any]) -> Values:
    values = {f"doubt.{flag}": _yes(flag in doubts["flags"]) for flag in FLAGS}
    values["doubt.count_older_than_days"] = _number(doubts.get("count_older_than_days"))
    values["doubt.channels"] = "\n".join(doubts.get("channels", []))
    minutes = doubts.get("channel_silent_minutes")
    return values | (_time("doubt.silent", minutes * SECONDS["minutes"]) if minutes else {})


def _time(name: str, seconds: int) -> Values:
    if not seconds:
        return {name: "", f"{name}.unit": "minutes"}
    unit = max((one for one in SECONDS if seconds % SECONDS[one] == 0), key=SECONDS.__getitem__)
    return {name: str(seconds // SECONDS[unit]), f"{name}.unit": unit}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.15g}"


def _whole(value: float) -> float:
    """Return a whole number as one, so that it is not refused for its form."""
    return int(value) if value == int(value) else value


def _yes(value: object) -> str:
    return "yes" if value else ""
