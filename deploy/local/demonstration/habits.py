"""How fast things sell and how they are supplied."""

from dataclasses import dataclass
from datetime import datetime

from deploy.local.demonstration.assortment import Pace


@dataclass(frozen=True, slots=True)
class Habits:
    """How a pace sells and is supplied: units a minute, units, and seconds until goods arrive."""

    units_a_minute: float
    reorder_at: int
    refill_to: int
    lead_seconds: tuple[float, float]


HABITS = {
    # 120 units at 7 a minute last a quarter of an hour; ordered at 30, 2.5 to 4 minutes of
    # lead sell another 18 to 28: most rounds end just above nothing, some at nothing.
    Pace.TIGHT: Habits(7.0, 30, 120, (150, 240)),
    # The others are refilled above the watch limit, so that the board stays calm.
    Pace.BRISK: Habits(2.6, 60, 170, (45, 90)),
    Pace.STEADY: Habits(0.9, 48, 130, (60, 120)),
    Pace.SLOW: Habits(0.2, 42, 80, (60, 120)),
}

# Orders of an hour against the mean of the day, from midnight; nights are quiet, not dead.
_NIGHT = (0.55, 0.45, 0.4, 0.4, 0.4, 0.45)
_MORNING = (0.6, 0.8, 0.95, 1.05, 1.15, 1.2)
_AFTERNOON = (1.25, 1.15, 1.05, 1.05, 1.1, 1.15)
_EVENING = (1.2, 1.35, 1.5, 1.5, 1.2, 0.8)
_DAY = (*_NIGHT, *_MORNING, *_AFTERNOON, *_EVENING)


def busyness(local: datetime) -> float:
    """Return how busy the shops are at a local time, 1 being the mean of a day."""
    return _DAY[local.hour]
