"""Puts the board together: every service is asked at once, and one that is away only dims its part.

Away is what raises Unavailable or Refused; anything else is a mistake here and is not caught.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from services.console.domain.board import Board, ByLevel, Episode, Flow, Progress, Section
from services.console.domain.rate import Rate
from services.console.upstream.alerting import Alerting
from services.console.upstream.answers import (
    Alert,
    AlertSummary,
    LedgerSummary,
)
from services.console.upstream.delivery_answers import DeliverySummary
from services.console.upstream.directory import Directory, Names
from services.console.upstream.ledger import Ledger
from services.console.upstream.notifier import Notifier
from services.console.upstream.service import Refused
from shared.clock import Clock
from shared.errors import Unavailable
from shared.events.stock_alerts import AlertLevel, SubjectKind

T = TypeVar("T")
U = TypeVar("U")

# A screenful of each level, whichever a viewer chooses.
_SHOWN = 20
# Two minutes of seconds: what the small curve shows.
_RATES_KEPT = 120


@dataclass(frozen=True)
class _Answers:
    ledger: LedgerSummary | None
    alerting: AlertSummary | None
    notifier: DeliverySummary | None
    pressing: dict[AlertLevel, list[Alert]] | None


class Overview:
    """Asks for everything that the Now page shows."""

    def __init__(
        self,
        ledger: Ledger,
        alerting: Alerting,
        notifier: Notifier,
        directory: Directory,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._alerting = alerting
        self._notifier = notifier
        self._directory = directory
        self._clock = clock
        self._rate = Rate(keep=_RATES_KEPT)

    async def board(self, last: Board) -> Board:
        """Return the board of this moment; parts without an answer stay as in `last`."""
        async with asyncio.TaskGroup() as group:
            ledger = group.create_task(_answer(self._ledger.summary()))
            alerting = group.create_task(_answer(self._alerting.summary()))
            notifier = group.create_task(_answer(self._notifier.summary()))
            pressing = {
                level: group.create_task(_answer(self._alerting.pressing(level, _SHOWN)))
                for level in AlertLevel
            }
            names = group.create_task(self._directory.names())
        answers = _Answers(ledger.result(), alerting.result(), notifier.result(), _of_all(pressing))
        return self._board(last, answers, names.result())

    def _board(self, last: Board, answers: _Answers, names: Names) -> Board:
        return Board(
            flow=_section(last.flow, _map(answers.ledger, self._flow)),
            open_by_level=_section(last.open_by_level, _map(answers.alerting, _by_level)),
            pressing=_section(
                last.pressing, _map(answers.pressing, partial(_episodes, names=names))
            ),
            ledger=_section(last.ledger, _map(answers.ledger, _progress)),
            alerting=_section(last.alerting, _map(answers.alerting, _progress)),
            notifier=_section(last.notifier, _map(answers.notifier, _progress)),
        )

    def _flow(self, summary: LedgerSummary) -> Flow:
        total = summary.movements + summary.repeats
        self._rate.sample(self._clock.now(), total)
        return Flow(
            self._rate.per_second, tuple(self._rate.history), summary.movements, summary.levels
        )


async def _answer(question: Awaitable[T]) -> T | None:
    try:
        return await question
    except (Unavailable, Refused):
        return None


def _of_all(tasks: dict[AlertLevel, asyncio.Task[T | None]]) -> dict[AlertLevel, T] | None:
    answers = {
        level: answer for level, task in tasks.items() if (answer := task.result()) is not None
    }
    return answers if len(answers) == len(tasks) else None


def _map(answer: T | None, make: Callable[[T], U]) -> U | None:
    return None if answer is None else make(answer)


def _section(last: Section[T], value: T | None) -> Section[T]:
    return last.without_answer() if value is None else Section(value)


def _progress(summary: LedgerSummary | AlertSummary | DeliverySummary) -> Progress:
    return Progress(summary.behind_seconds, summary.lag_records)


def _by_level(summary: AlertSummary) -> dict[str, int]:
    return {level.value: summary.open.get(level, 0) for level in AlertLevel}


def _episodes(pressing: dict[AlertLevel, list[Alert]], names: Names) -> ByLevel:
    return {
        level.value: tuple(episode(alert, names) for alert in alerts)
        for level, alerts in pressing.items()
    }


def episode(alert: Alert, names: Names) -> Episode:
    """Return an alert as a line of a list."""
    return Episode(
        id=str(alert.id),
        number=alert.number,
        level=alert.level,
        state=alert.state,
        sku=alert.sku,
        sku_name=alert.sku_name or alert.sku,
        warehouse=alert.warehouse,
        warehouse_name=alert.warehouse
        if alert.subject is not SubjectKind.LEVEL
        else names.warehouse(alert.warehouse),
        subject=alert.subject,
        rule_names=alert.rule.name,
        available=alert.facts.available,
        opened_at=alert.opened_at,
        acknowledged=alert.acknowledged_at is not None,
        units_at_risk=alert.at_risk.units if alert.at_risk else None,
        money_at_risk=alert.at_risk.money if alert.at_risk else None,
    )
