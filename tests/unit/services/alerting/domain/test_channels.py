"""A silent channel is a reason to doubt the levels it tells of."""

from datetime import timedelta

import pytest

from services.alerting.domain.channels import Channels
from services.alerting.domain.draft import Draft
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.rule import Doubts, Limit, Rule
from tests.unit.services.alerting.cases import NOON, WATCH, level, minutes, rule
from tests.unit.services.alerting.domain.test_draft import A, Worker, events

HOUR = timedelta(hours=1)
ONE = [Limit(WATCH, 1, 1)]
ITS_OWN = rule(RuleKind.DATA_DOUBT, ONE, doubts=Doubts(silence=HOUR))
TILL = rule(RuleKind.DATA_DOUBT, ONE, doubts=Doubts(silence=HOUR, channels=frozenset({"till"})))
SHOP = Channels().after("shop", NOON, ["W"])


def look(worker: Worker, channels: Channels, minute: float) -> list[tuple[str, float]]:
    """Do what a turn at a minute after noon does; returns what happened."""
    territory = worker.territories[0]
    territory.listen(worker.book, channels, minutes(minute))
    draft = Draft(
        worker.territories, worker.book, worker.items, worker.parameters, channels=channels
    )
    draft.look(0, territory.unseen, minutes(minute))
    territory.unseen.clear()
    draft.adopt()
    return events(draft)


@pytest.mark.parametrize(
    ("watching", "channels", "doubted"),
    [
        (ITS_OWN, Channels(), False),
        (ITS_OWN, SHOP, True),
        (ITS_OWN, Channels().after("shop", NOON, ["X"]), False),
        (ITS_OWN, SHOP.after("till", minutes(60), ["W"]), True),
        (TILL, SHOP, False),
        (TILL, SHOP.after("till", NOON, []), True),
        (TILL, SHOP.after("till", minutes(60), ["W"]), False),
    ],
)
def test_a_level_is_in_doubt_when_a_channel_that_tells_of_it_is_silent(
    watching: Rule, channels: Channels, doubted: bool
) -> None:
    worker = Worker(watching)
    worker.hear((0, level(50)))
    assert look(worker, channels, 60) == []
    assert look(worker, channels, 66) == ([("opened", 66)] if doubted else [])


def test_a_channel_that_speaks_again_ends_the_doubt_and_nothing_else_does() -> None:
    worker = Worker(ITS_OWN)
    worker.hear((0, level(50)), (0, level(50, sku="B", warehouse="X")))
    assert look(worker, SHOP, 70) == [("opened", 70)]
    assert look(worker, SHOP, 70_000) == []
    spoken = SHOP.after("shop", minutes(70_001), ["W"])
    assert look(worker, spoken, 70_002) == [("resolved", 70_002)]


def test_only_levels_of_the_warehouses_concerned_are_looked_at() -> None:
    worker = Worker(ITS_OWN)
    worker.hear((0, level(50)), (0, level(50, sku="B", warehouse="X")))
    territory = worker.territories[0]
    territory.listen(worker.book, SHOP, minutes(70))
    assert territory.unseen == [A]
