"""What is odd about a level: facts to be shown, not errors."""

from enum import IntFlag

NEGATIVE = "negative"
"""Less than nothing is on hand: something was sold before it was recorded."""

NOT_ORDERED = "not_ordered"
"""More was shipped for orders than was ever ordered: reserved is below zero."""

IN_DOUBT = "in_doubt"
"""A count waits for a recount or for somebody who approves it."""

UNUSUAL = "unusual"
"""A change far larger than the level's usual was applied, and on hand was not counted since."""


class Doubt(IntFlag):
    """Why a level's numbers are doubted; bits are for life."""

    WAITING_COUNT = 1
    UNUSUAL_CHANGE = 2


_WAITING_COUNT, _UNUSUAL_CHANGE = Doubt.WAITING_COUNT.value, Doubt.UNUSUAL_CHANGE.value


def flags(on_hand: int, reserved: int, doubt: int = 0) -> tuple[str, ...]:
    """Return the words for what is odd about a level; `doubt` has the bits of `Doubt`."""
    if on_hand >= 0 and reserved >= 0 and not doubt:
        return ()
    odd = (
        (on_hand < 0, NEGATIVE),
        (reserved < 0, NOT_ORDERED),
        (doubt & _WAITING_COUNT, IN_DOUBT),
        (doubt & _UNUSUAL_CHANGE, UNUSUAL),
    )
    return tuple(flag for holds, flag in odd if holds)
