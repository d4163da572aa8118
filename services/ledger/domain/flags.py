"""What is odd about a level: facts to be shown, not errors."""

from services.ledger.domain.past import Standing

NEGATIVE = "negative"
"""Less than nothing is on hand: something was sold before it was recorded."""

NOT_ORDERED = "not_ordered"
"""More was shipped for orders than was ever ordered: reserved is below zero."""


def flags(standing: Standing) -> tuple[str, ...]:
    """Return the words for what is odd about a level."""
    if standing.on_hand >= 0 and standing.reserved >= 0:
        return ()
    odd = ((standing.on_hand < 0, NEGATIVE), (standing.reserved < 0, NOT_ORDERED))
    return tuple(flag for holds, flag in odd if holds)
