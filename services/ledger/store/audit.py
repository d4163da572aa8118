"""What the ledger's audit has entries of."""

from enum import StrEnum


class What(StrEnum):
    """What was done, by the thing it was done to."""

    TOLERANCE_PUT = "count_tolerance.put"
    TOLERANCE_DELETED = "count_tolerance.deleted"
    COUNT_DECIDED = "count."
    """Followed by the state that was decided on."""
    STOCKTAKE_DECIDED = "stocktake."
    """The same for all counts of a reference that waited, a thousand at the most in one entry."""
