from datetime import UTC, datetime, timedelta

import pytest

from services.alerting.domain.hush import hush_of
from shared.events.stock_alerts import ENDINGS, AlertEvent, Hush, HushKind

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SILENCE = Hush(by=HushKind.SILENCE, until=LATER)
SNOOZE = Hush(by=HushKind.SNOOZE, until=LATER)


def hush(
    event: AlertEvent,
    *,
    rose: bool = False,
    silence: Hush | None = None,
    snoozed_until: datetime | None = None,
) -> Hush | None:
    return hush_of(event, rose=rose, silence=silence, snoozed_until=snoozed_until, now=NOW)


@pytest.mark.parametrize("event", AlertEvent)
def test_without_silence_or_snooze_everything_is_told(event: AlertEvent) -> None:
    assert hush(event) is None


@pytest.mark.parametrize("event", [each for each in AlertEvent if each not in ENDINGS])
def test_a_silence_keeps_everything_back_but_the_end(event: AlertEvent) -> None:
    assert hush(event, rose=True, silence=SILENCE) == SILENCE


@pytest.mark.parametrize("event", sorted(ENDINGS))
def test_the_end_is_told_whatever_is_silenced_or_snoozed(event: AlertEvent) -> None:
    assert hush(event, silence=SILENCE, snoozed_until=LATER) is None


def test_a_snooze_keeps_back_what_makes_nothing_worse() -> None:
    assert hush(AlertEvent.LEVEL_CHANGED, snoozed_until=LATER) == SNOOZE
    assert hush(AlertEvent.LEVEL_CHANGED, rose=True, snoozed_until=LATER) is None


def test_a_snooze_that_is_over_keeps_nothing_back() -> None:
    assert hush(AlertEvent.LEVEL_CHANGED, snoozed_until=NOW) is None


@pytest.mark.parametrize("event", [AlertEvent.ACKNOWLEDGED, AlertEvent.ASSIGNED])
def test_what_people_do_is_told_though_it_is_snoozed(event: AlertEvent) -> None:
    assert hush(event, snoozed_until=LATER) is None
