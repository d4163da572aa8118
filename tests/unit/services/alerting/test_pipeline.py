"""What a worker asks itself between batches."""

from datetime import timedelta
from typing import cast

import pytest

from services.alerting import pipeline
from services.alerting.domain.channels import NOBODY
from services.alerting.domain.edits import Edits, between
from services.alerting.domain.memory import NO_CONDITIONS, Known, Territory
from services.alerting.domain.parameters import ParameterBook
from services.alerting.domain.rulebook import RuleBook
from services.alerting.domain.subject import LevelSubject
from services.alerting.domain.timebase import WallTime
from services.alerting.inbound.catalog_items import Catalogue
from services.alerting.pipeline import StockLevels
from shared.clock import ManualClock
from shared.database.engine import Connection
from shared.kafka.handler import Batch
from tests.unit.services.alerting.cases import NO_SALES, NOON, level, rule

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
        partitions=24,
    )
    partitions = range(24)
    worker.take_up([(partition, Territory()) for partition in partitions])
    for minute in range(3):
        drained = dict.fromkeys(partitions, NOON + timedelta(minutes=minute))
        book = RuleBook(minute, [rule()])
        assert await worker.due(NO_DATABASE, partitions, drained) == []
    assert compared == [(0, 1), (1, 2)]


async def test_a_turn_does_no_more_for_several_partitions_than_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "TURN_SUBJECTS", 3)
    territories = {partition: Territory() for partition in range(2)}
    for partition, territory in territories.items():
        for sku in range(3):
            due = level(50, sku=f"{partition}-{sku}")
            known = Known(due, NO_SALES, NO_CONDITIONS, wake_at=NOON)
            territory.adopt(LevelSubject(due.sku, due.warehouse), known)
    worker = StockLevels(
        rules=RuleBook,
        parameters=ParameterBook,
        catalogue=Catalogue(),
        channels=lambda: NOBODY,
        timebase=WallTime(),
        clock=ManualClock(NOON),
        partitions=24,
    )
    worker.take_up(list(territories.items()))
    drained = dict.fromkeys(territories, NOON)
    left = []
    for _ in range(2):
        await worker.turn(NO_DATABASE, Batch([], dict.fromkeys(territories, 1)), drained)
        worker.turned()
        left.append([territory.is_due(NOON) for territory in territories.values()])
    assert left == [[False, True], [False, False]]
