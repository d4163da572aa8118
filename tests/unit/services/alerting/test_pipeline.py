"""What a worker asks itself between batches."""

from datetime import timedelta
from typing import cast

import pytest

from services.alerting import pipeline
from services.alerting.domain.channels import NOBODY
from services.alerting.domain.edits import Edits, between
from services.alerting.domain.memory import Territory
from services.alerting.domain.parameters import ParameterBook
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.timebase import WallTime
from services.alerting.inbound.catalog_items import Catalogue
from services.alerting.pipeline import StockLevels
from shared.clock import ManualClock
from shared.database.engine import Connection
from tests.unit.services.alerting.cases import NOON, rule

NO_DATABASE = cast("Connection", None)


async def test_two_books_are_compared_once_and_not_for_each_partition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[tuple[int, int]] = []

    def noted(before: RuleBook, after: RuleBook) -> Edits:
        compared.append((before.revision, after.revision))
        return between(before, after)

    monkeypatch.setattr(pipeline, "between", noted)
    book = RuleBook(1, [rule()])
    worker = StockLevels(
        rules=lambda: book,
        parameters=ParameterBook,
        catalogue=Catalogue(),
        channels=lambda: NOBODY,
        timebase=WallTime(),
        clock=ManualClock(NOON),
    )
    partitions = range(24)
    worker.take_up([(partition, Territory()) for partition in partitions])
    for minute in range(3):
        drained = dict.fromkeys(partitions, NOON + timedelta(minutes=minute))
        book = RuleBook(minute, [rule()])
        assert await worker.due(NO_DATABASE, partitions, drained) == []
    assert compared == [(0, 1), (1, 2)]
