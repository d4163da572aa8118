"""What is told of announcements where a person may have ended the episode."""

from datetime import datetime

import pytest

from services.alerting.domain.draft import Announcement
from services.alerting.domain.ended_by_hand import Key, Sifted, sift
from services.alerting.domain.outcome import Reason, Transition
from services.alerting.domain.subject import LevelSubject
from shared.events.stock_alerts import AlertEvent, AlertFacts, AlertLevel
from tests.unit.services.alerting.cases import NOON, OUT, URGENT, WATCH, minutes, rule

A, B = LevelSubject("A", "W"), LevelSubject("B", "W")
OPENED, CHANGED, RESOLVED, RETRACTED = (
    AlertEvent.OPENED,
    AlertEvent.LEVEL_CHANGED,
    AlertEvent.RESOLVED,
    AlertEvent.RETRACTED,
)
RULE = rule()
FACTS = AlertFacts(available=3, on_hand=3, low_water=3)

Step = tuple[AlertEvent, AlertLevel]


def key(subject: LevelSubject) -> Key:
    return RULE.id, subject


def announced(*steps: Step, subject: LevelSubject = A) -> list[Announcement]:
    """Return what a worker announces, a minute each."""
    return [
        Announcement(
            rule=RULE,
            subject=subject,
            sku_name=None,
            category=None,
            transition=Transition(
                event=event,
                level=level,
                previous_level=WATCH if event is CHANGED else None,
                facts=FACTS,
                occurred_at=minutes(number),
                reason=Reason.FIRED,
            ),
            trace=None,
        )
        for number, (event, level) in enumerate(steps)
    ]


def steps(sifted: Sifted) -> list[Step]:
    return [(each.transition.event, each.transition.level) for each in sifted.told]


@pytest.mark.parametrize(
    ("ended", "happens", "told", "over"),
    [
        (URGENT, [(CHANGED, WATCH), (CHANGED, URGENT)], [], None),
        (URGENT, [(CHANGED, WATCH), (CHANGED, OUT)], [(OPENED, OUT)], minutes(1)),
        (WATCH, [(CHANGED, URGENT)], [(OPENED, URGENT)], NOON),
        (URGENT, [(RESOLVED, URGENT)], [], NOON),
        (URGENT, [(RETRACTED, URGENT)], [], NOON),
        (URGENT, [(RESOLVED, URGENT), (OPENED, WATCH)], [(OPENED, WATCH)], NOON),
        (
            WATCH,
            [(CHANGED, OUT), (CHANGED, WATCH), (RESOLVED, WATCH), (OPENED, OUT)],
            [(OPENED, OUT), (CHANGED, WATCH), (RESOLVED, WATCH), (OPENED, OUT)],
            NOON,
        ),
    ],
)
def test_only_what_is_worse_than_what_was_ended_is_told(
    ended: AlertLevel, happens: list[Step], told: list[Step], over: datetime | None
) -> None:
    sifted = sift(announced(*happens), (), {key(A): ended})
    assert steps(sifted) == told
    assert sifted.over == ({} if over is None else {key(A): over})


def test_what_opens_so_has_no_level_before_it() -> None:
    sifted = sift(announced((CHANGED, OUT)), (), {key(A): URGENT})
    assert [each.transition.previous_level for each in sifted.told] == [None]


def test_what_is_open_goes_on_beside_it() -> None:
    beside = announced((CHANGED, URGENT), (RESOLVED, URGENT), (OPENED, WATCH), subject=B)
    silent = announced((CHANGED, WATCH))
    sifted = sift([*silent, *beside], {key(B)}, {key(A): URGENT})
    assert sifted.told == beside
    assert sifted.over == {}
