"""The kinds of rule: what each measures, and how its limits are read."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.events.stock_alerts import AlertLevel, SubjectKind


class RuleKind(StrEnum):
    """What a rule measures."""

    STOCK_OUT = "stock_out"
    """Available units; holds at a limit or under it (the limit is 0)."""
    BELOW = "below"
    """Available units; holds under a limit."""
    BELOW_SAFETY_STOCK = "below_safety_stock"
    """Available units; holds under a multiple of the safety stock."""
    BELOW_REORDER_POINT = "below_reorder_point"
    """Available units; holds under a multiple of the reorder point."""
    DAYS_OF_COVER = "days_of_cover"
    """Available units over mean daily sales; holds under a limit in days."""
    OVERSTOCK = "overstock"
    """Available units over mean daily sales; holds over a limit in days."""
    NEGATIVE = "negative"
    """Units on hand; holds under a limit (0 unless another is given)."""
    DATA_DOUBT = "data_doubt"
    """Reasons to doubt the level's numbers; holds at a limit or over it (1 unless given)."""
    INBOUND_OVERDUE = "inbound_overdue"
    """Days since the oldest incoming line was due; holds over a limit (1 unless given)."""
    RUN_OUT_BEFORE_INBOUND = "run_out_before_inbound"
    """Days the shelf would be empty before stock can arrive; holds over a limit (0 unless
    given)."""
    BROKEN_SIZE_RUN = "broken_size_run"
    """Share of a product's options in stock (断码), 0 to 1; holds under a limit."""
    CUSTOM = "custom"
    """A condition of the user's own; measures 1 where it holds, 0 where it does not."""


Comparison = Callable[[float, float], bool]

_OF_LEVELS = frozenset({SubjectKind.LEVEL})
_ADDS_UP = frozenset({SubjectKind.LEVEL, SubjectKind.POOL})
"""What is asked for is known of several warehouses together, too."""


@dataclass(frozen=True, slots=True)
class Traits:
    """How the limits of a kind are read.

    `level` and `enter` are meant where a rule gives none; None: a rule must give them.
    """

    holds: Comparison
    """Whether a measure is beyond a limit."""
    level: AlertLevel | None = None
    enter: float | None = None
    of_available: bool = False
    """Measures what is available: then a dip counts, and what is incoming may cover it."""
    asks_day: bool = False
    """Whether a new day can change an evaluation."""
    parameter: str | None = None
    """The parameter that limits are multiples of."""
    asks_parameters: bool = False
    """Measures by parameters, too."""
    without_unit: bool = False
    """Limits are no amounts: twice as much of them means nothing."""
    subjects: frozenset[SubjectKind] = _OF_LEVELS
    """What it can be asked of."""

    @property
    def above(self) -> bool:
        """Whether more is worse."""
        return self.holds(1, 0)


TRAITS: Final[Mapping[RuleKind, Traits]] = {
    RuleKind.STOCK_OUT: Traits(
        operator.le, AlertLevel.OUT, 0.0, of_available=True, subjects=_ADDS_UP
    ),
    RuleKind.BELOW: Traits(operator.lt, of_available=True, subjects=_ADDS_UP),
    RuleKind.BELOW_SAFETY_STOCK: Traits(
        operator.lt, AlertLevel.URGENT, 1.0, of_available=True, parameter="safety_stock"
    ),
    RuleKind.BELOW_REORDER_POINT: Traits(
        operator.lt, AlertLevel.WATCH, 1.0, of_available=True, parameter="reorder_point"
    ),
    RuleKind.DAYS_OF_COVER: Traits(
        operator.lt, of_available=True, asks_day=True, subjects=_ADDS_UP
    ),
    RuleKind.OVERSTOCK: Traits(operator.gt, asks_day=True, subjects=_ADDS_UP),
    RuleKind.NEGATIVE: Traits(operator.lt, AlertLevel.URGENT, 0.0),
    RuleKind.DATA_DOUBT: Traits(
        operator.ge, AlertLevel.WATCH, 1.0, asks_day=True, without_unit=True
    ),
    RuleKind.INBOUND_OVERDUE: Traits(operator.gt, AlertLevel.WATCH, 1.0, asks_day=True),
    RuleKind.RUN_OUT_BEFORE_INBOUND: Traits(
        operator.gt,
        AlertLevel.URGENT,
        0.0,
        asks_day=True,
        asks_parameters=True,
        subjects=_ADDS_UP,
    ),
    RuleKind.BROKEN_SIZE_RUN: Traits(
        operator.lt,
        asks_day=True,
        without_unit=True,
        subjects=frozenset({SubjectKind.PRODUCT}),
    ),
    RuleKind.CUSTOM: Traits(
        operator.ge,
        AlertLevel.WATCH,
        1.0,
        of_available=True,
        asks_day=True,
        asks_parameters=True,
        without_unit=True,
        subjects=_ADDS_UP,
    ),
}
