"""What comes to light late, and the episodes that never should have been."""

from dataclasses import replace

import pytest

from services.alerting.domain.kind import RuleKind
from services.alerting.domain.rule import Limit, Rule
from services.alerting.domain.trough import begun, deepened
from tests.unit.services.alerting.cases import WATCH, AtLevel, Corrected, level, minutes, rule
from tests.unit.services.alerting.domain.test_draft import Worker, events

LOW = rule(limits=[Limit(WATCH, 20, 30)])


def course(watching: Rule, *levels: AtLevel) -> list[tuple[str, float]]:
    """Tell levels, a minute after each other, each of the next version; returns what happened."""
    worker = Worker(watching)
    told = [
        (float(minute), replace(each, version=minute + 1, last_change_at=minutes(minute)))
        for minute, each in enumerate(levels)
    ]
    happened = []
    for step in told:
        happened += events(worker.hear(step))
    return happened


def late(available: int, since: float, raised: int, lowered: int | None = 0) -> AtLevel:
    """Return a level that a late change has raised."""
    return level(available, corrected=Corrected(minutes(since), raised, lowered))


def test_a_receipt_told_late_retracts_what_it_would_have_prevented() -> None:
    assert course(LOW, level(50), level(12), late(52, 0.5, 40)) == [("opened", 1), ("retracted", 2)]


def test_it_retracts_at_once_what_is_recovering_or_over_the_exit_limit_only() -> None:
    patient = replace(LOW, recovery=minutes(60) - minutes(0))
    assert course(patient, level(12), late(25, -1, 13)) == [("opened", 0), ("retracted", 1)]
    story = (level(12), level(35), late(75, -1, 40))
    assert course(patient, *story) == [("opened", 0), ("retracted", 2)]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ([level(12), level(52)], "it came when it came"),
        ([level(12), late(52, 0.5, 40)], "it came after the shortage began"),
        ([level(12), level(2), level(15), late(32, -1, 17)], "it was too little at the lowest"),
        ([level(12), level(90, low_water=3), level(40)], "a dip counts"),
        ([level(12), late(52, -1, 40, None)], "nobody can say what the past was"),
        ([level(15), late(14, -1, 0, 15), late(33, -1, 19)], "what was sold late was there before"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_shortage_that_was_is_resolved(told: list[AtLevel], why: str) -> None:
    patient = replace(LOW, recovery=minutes(3) - minutes(0))
    happened = course(patient, *told, level(60), level(60), level(60), level(60), level(60))
    assert [event for event, _ in happened] == ["opened", "resolved"], why


def test_a_message_that_was_missed_may_have_said_anything() -> None:
    trough = begun(level(12))
    assert deepened(trough, late(52, -1, 40), gap=False).known == 52
    assert deepened(trough, late(52, -1, 40), gap=True).known is None


def test_what_is_no_measure_of_what_is_available_is_never_retracted() -> None:
    negative = rule(RuleKind.NEGATIVE, [Limit(WATCH, 0, 0)])
    story = (level(-5, on_hand=-5), replace(late(35, -1, 40), on_hand=35))
    assert course(negative, *story) == [("opened", 0), ("resolved", 1)]


def test_each_rule_has_its_own_beginning() -> None:
    """A watch that was right is resolved, a stock-out that never was is retracted."""
    out = rule(limits=[Limit(WATCH, 1, 1)], id_="out")
    worker = Worker(LOW, out)
    happened = []
    for minute, each in enumerate((level(12), level(0), late(40, 0.5, 40))):
        told = replace(each, version=minute + 1, last_change_at=minutes(minute))
        happened += [
            (announced.rule.id, announced.transition.event.value)
            for announced in worker.hear((float(minute), told)).announcements
        ]
    assert sorted(happened) == [
        ("out", "opened"),
        ("out", "retracted"),
        ("rule", "opened"),
        ("rule", "resolved"),
    ]
