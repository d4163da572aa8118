"""The kinds of rule as people choose them: which come first, and what their limits count."""

from collections.abc import Mapping
from typing import Final, NamedTuple

FIRST: Final = ("stock_out", "below", "days_of_cover", "below_reorder_point")
"""What most begin with."""

FURTHER: Final = (
    "run_out_before_inbound",
    "below_safety_stock",
    "inbound_overdue",
    "overstock",
    "negative",
    "data_doubt",
    "broken_size_run",
    "custom",
)
KINDS: Final = (*FIRST, *FURTHER)
LEVELS: Final = ("watch", "urgent", "out")
"""From mild to worse."""

FLAGS: Final = ("negative", "not_ordered", "in_doubt", "unusual")
"""Flags of a level that may make its numbers doubtful."""


class Kind(NamedTuple):
    """What a form asks of a kind.

    `unit` is that of its limits: units, days, times, reasons, or "" without limits. `above` says
    whether more is worse; `sole` whether there is one level only; `given` are the levels a new
    rule begins with, by level, in the kind's unit. `subjects` is what it can be asked of, the
    usual one first.
    """

    unit: str
    above: bool
    sole: bool
    given: Mapping[str, str]
    of_available: bool = False
    subjects: tuple[str, ...] = ("level",)


_ADDS_UP: Final = ("level", "pool")

BY_KIND: Final[Mapping[str, Kind]] = {
    "stock_out": Kind("", False, True, {"out": "0"}, of_available=True, subjects=_ADDS_UP),
    "below": Kind(
        "units", False, False, {"watch": "20", "urgent": "8"}, of_available=True, subjects=_ADDS_UP
    ),
    "days_of_cover": Kind(
        "days", False, False, {"watch": "7", "urgent": "3"}, of_available=True, subjects=_ADDS_UP
    ),
    "below_reorder_point": Kind("times", False, False, {"watch": "1"}, of_available=True),
    "below_safety_stock": Kind("times", False, False, {"urgent": "1"}, of_available=True),
    "run_out_before_inbound": Kind("days", True, False, {"urgent": "0"}, subjects=_ADDS_UP),
    "inbound_overdue": Kind("days", True, False, {"watch": "1"}),
    "overstock": Kind("days", True, False, {"watch": "90"}, subjects=_ADDS_UP),
    "negative": Kind("units", False, False, {"urgent": "0"}),
    "data_doubt": Kind("reasons", True, False, {"watch": "1"}),
    "broken_size_run": Kind("share", False, False, {"watch": "0.7"}, subjects=("product",)),
    "custom": Kind("", True, True, {"watch": ""}, of_available=True, subjects=_ADDS_UP),
}
