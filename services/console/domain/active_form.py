"""When a rule may warn, as fields of its form: at any time, in one window, or in a calendar.

Several windows are more than the form shows; they stay as they are.
"""

from collections.abc import Mapping
from typing import Any, Final

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALWAYS, WINDOW, AS_IT_IS = "", "window", "as_it_is"
CALENDAR: Final = "calendar:"
"""Before the name of one."""
_WORKDAYS: Final = frozenset(WEEKDAYS[:5])


def blank_hours() -> dict[str, str]:
    """Return the fields of a rule that may warn at any time; a window would begin like this."""
    days = {f"active.days.{day}": "yes" if day in _WORKDAYS else "" for day in WEEKDAYS}
    return days | {
        "active": ALWAYS,
        "active.from": "09:00",
        "active.until": "18:00",
        "active.zone": "Asia/Shanghai",
    }


def hours_of(active: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the fields of what a definition says."""
    values = blank_hours()
    if active is None:
        return values
    if active.get("calendar"):
        return values | {"active": CALENDAR + active["calendar"]}
    if len(active["windows"]) > 1:
        return values | {"active": AS_IT_IS}
    (window,) = active["windows"]
    values |= {f"active.days.{day}": "yes" if day in window["days"] else "" for day in WEEKDAYS}
    return values | {
        "active": WINDOW,
        "active.from": window["from"],
        "active.until": window["until"],
        "active.zone": active["zone"],
    }


def hours_said(values: Mapping[str, str], base: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the fields say over a definition that they were filled from."""
    chosen = values["active"]
    if chosen == AS_IT_IS:
        kept: dict[str, Any] | None = base.get("active")
        return kept
    if chosen.startswith(CALENDAR):
        return {"calendar": chosen.removeprefix(CALENDAR), "zone": None, "windows": []}
    if chosen != WINDOW:
        return None
    window = {
        "days": [day for day in WEEKDAYS if values[f"active.days.{day}"]],
        "from": values["active.from"],
        "until": values["active.until"],
    }
    return {"calendar": None, "zone": values["active.zone"].strip(), "windows": [window]}
