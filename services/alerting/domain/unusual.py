"""Levels in doubt: where people are told of an unusual change, a warning to buy waits for them."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

from services.alerting.domain.condition import Condition
from services.alerting.domain.covering import MAY_ASK_TO_BUY
from services.alerting.domain.rule import Rule
from services.alerting.domain.standing import Standing
from services.alerting.domain.subject import Level

UNUSUAL: Final = "unusual"
"""The flag of a level: a change far above the usual, and on hand was not counted since."""

LONGEST: Final = timedelta(days=1)
"""After this a shortage opens although nobody has counted: most unusual sales are real ones, and
a shop that is closed at night has had its time to look."""


def is_told_of(level: Level, conditions: Mapping[str, Condition], telling: Collection[str]) -> bool:
    """Return whether a level is in doubt and one of the rules that say so has told people.

    `conditions` are those that rules have of the level.
    """
    return UNUSUAL in level.flags and any(
        held in conditions and conditions[held].held is not None for held in telling
    )


def is_doubted(rule: Rule, at: Standing) -> bool:
    """Return whether an episode of a rule would ask people to buy on numbers that are in doubt."""
    return at.is_doubted is not None and rule.kind in MAY_ASK_TO_BUY and at.is_doubted()
