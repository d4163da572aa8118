"""A subject at one moment: all that an evaluation looks at besides the rule and its condition."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec.structs import replace

from services.alerting.domain.channels import NOBODY, Channels
from services.alerting.domain.condition import Condition
from services.alerting.domain.parameters import NOTHING_SET, Parameters
from services.alerting.domain.sales import SalesHistory, day_of
from services.alerting.domain.size_run import SizeRun
from services.alerting.domain.subject import Level
from services.alerting.domain.trough import Trough

_NONE: Mapping[str, Any] = MappingProxyType({})


class Standing(msgspec.Struct):
    """One for all rules that look at the subject at that moment; nothing in it is changed.

    `others` are the conditions of the rules besides the one that is evaluated, by their ids;
    `troughs` are those of all conditions, by rule.
    """

    level: Level
    sales: SalesHistory
    now: datetime
    parameters: Parameters = NOTHING_SET
    others: Mapping[str, Condition] = _NONE
    troughs: Mapping[str, Trough] = _NONE
    channels: Channels = NOBODY
    is_pooled: Callable[[], bool] | None = None
    """Says whether a pool that the level is in has enough; None where no rule asks."""
    is_doubted: Callable[[], bool] | None = None
    """Says whether people were told that the numbers are in doubt; None where nobody is."""
    hears_channels: bool = True
    """Whether it can be said which channels are silent."""
    run: SizeRun | None = None
    """The options, where the subject is a product."""
    _past: tuple[SalesHistory, float | None] | None = None

    def with_level(self, level: Level, sales: SalesHistory) -> "Standing":
        """Return the same moment with another level."""
        return replace(self, level=level, sales=sales, _past=None)

    @property
    def history(self) -> SalesHistory:
        """Sales as they stand on the day of the moment."""
        return self._look_back()[0]

    @property
    def daily_mean(self) -> float | None:
        """Mean units a day, None where too little is known."""
        return self._look_back()[1]

    @property
    def days_known(self) -> int:
        """UTC days since the first message of the level."""
        return day_of(self.now) - self.sales.first_day

    def _look_back(self) -> tuple[SalesHistory, float | None]:
        # Found once, however many rules ask.
        if self._past is None:
            history = self.sales.on(day_of(self.now))
            self._past = history, history.daily_mean
        return self._past
