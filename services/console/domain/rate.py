"""How fast a cumulative counter grows, from samples of it."""

from collections import deque
from datetime import datetime

# Long enough that a batch every few hundred milliseconds reads as a steady number.
_WINDOW_SECONDS = 5.0


class Rate:
    """Keeps samples of a counter and one rate per sample for a small curve.

    `history` holds at most `keep` rates, oldest first, per second.
    """

    def __init__(self, keep: int = 60) -> None:
        self._samples: deque[tuple[datetime, int]] = deque()
        self.history: deque[float] = deque(maxlen=keep)

    def sample(self, at: datetime, total: int) -> None:
        """Add a reading; one that is smaller than the last means a new counter: start over."""
        if self._samples and (total < self._samples[-1][1] or at <= self._samples[-1][0]):
            self._samples.clear()
        self._samples.append((at, total))
        while len(self._samples) > 2 and self._age(at, 1) >= _WINDOW_SECONDS:
            self._samples.popleft()
        now = self.per_second
        if now is not None:
            self.history.append(now)

    @property
    def per_second(self) -> float | None:
        """Growth per second over the last seconds, or None before the second reading."""
        if len(self._samples) < 2:
            return None
        (start, first), (end, last) = self._samples[0], self._samples[-1]
        return (last - first) / (end - start).total_seconds()

    def _age(self, at: datetime, index: int) -> float:
        return (at - self._samples[index][0]).total_seconds()
