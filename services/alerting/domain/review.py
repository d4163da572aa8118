"""Figures of a period: how alerts were dealt with, and what became of the stock they warned of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import mean, median
from typing import Final, NamedTuple, TypeVar

from services.alerting.domain.stock_out import Course, Shortage, StockOut, spells
from shared.events.alert_reports import Figures, Share, Spans

LONGEST: Final = timedelta(days=400)
"""Of a period that is asked for: a year and the same month of the year before."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Dealt:
    """How the alerts of a group were dealt with, counted."""

    alerts: int
    to_acknowledge: Spans
    to_resolve: Spans
    within_sla: Share
    escalations: int
    right: Share
    retracted: int = 0


NOTHING_DEALT: Final = Dealt(0, Spans(count=0), Spans(count=0), Share(part=0, whole=0), 0,
                             Share(part=0, whole=0))  # fmt: skip


class Period(NamedTuple):
    """Everything that opened, ran out or was prevented in it, by group."""

    dealt: Mapping[str | None, Dealt]
    stock_outs: Sequence[tuple[str | None, StockOut]]
    shortages: Sequence[tuple[str | None, Shortage]]

    def figures(self, until: datetime) -> dict[str | None, Figures]:
        """Return the figures of each group, those of none last."""
        stock_outs, shortages = _by_group(self.stock_outs), _by_group(self.shortages)
        groups = self.dealt.keys() | stock_outs.keys() | shortages.keys()
        return {
            group: figures(
                self.dealt.get(group, NOTHING_DEALT),
                stock_outs.get(group, ()),
                shortages.get(group, ()),
                until,
            )
            for group in sorted(groups, key=lambda group: (group is None, group or ""))
        }


def figures(
    dealt: Dealt, stock_outs: Sequence[StockOut], shortages: Iterable[Shortage], until: datetime
) -> Figures:
    """Return the figures of a group; sales are lost until `until` at the most.

    A prevented stock-out was warned of by as many days as the stock would have lasted then.
    """
    prevented = [each for each in spells(shortages) if each.prevented]
    courses = [each.course for each in stock_outs]
    days = [each.cover_days for each in prevented if each.cover_days is not None]
    days += [each.warned_before / _DAY for each in stock_outs if each.warned_before is not None]
    lost = [each.lost(until) for each in stock_outs]
    money = [each for _, each in lost if each is not None]
    return Figures(
        alerts=dealt.alerts,
        to_acknowledge=dealt.to_acknowledge,
        to_resolve=dealt.to_resolve,
        within_sla=dealt.within_sla,
        escalations=dealt.escalations,
        right=dealt.right,
        retracted=dealt.retracted,
        prevented=len(prevented),
        met_late=courses.count(Course.MET_LATE),
        missed=courses.count(Course.MISSED),
        warning_days=spans(days),
        lost_units=sum(units for units, _ in lost),
        lost_money=sum(money, Decimal()) if money else None,
    )


def spans(measured: Sequence[float]) -> Spans:
    """Return how many there are, their mean and their median."""
    if not measured:
        return Spans(count=0)
    return Spans(count=len(measured), mean=mean(measured), median=median(measured))


NOTHING: Final = figures(NOTHING_DEALT, (), (), datetime.max.replace(tzinfo=UTC))
"""The figures of a period in which nothing happened."""

T = TypeVar("T")


def _by_group(pairs: Iterable[tuple[str | None, T]]) -> dict[str | None, list[T]]:
    found: dict[str | None, list[T]] = {}
    for group, each in pairs:
        found.setdefault(group, []).append(each)
    return found
