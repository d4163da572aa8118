"""What the notifier's audit has entries of."""

from enum import StrEnum


class What(StrEnum):
    """What was done, by the thing it was done to."""

    DESTINATION_PUT = "destination.put"
    DESTINATION_DISABLED = "destination.disabled"
    """By the notifier itself: its server said that nobody is there any more."""
    ROUTE_PUT = "route.put"
