"""What a process has heard from channels."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from services.ingest.domain.decision import Decision, Unknown
from services.ingest.domain.hearing import Hearing

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def decision(
    *accepted: tuple[str, str], unknown: tuple[str, ...] = (), ignored: tuple[str, ...] = ()
) -> Decision[Any]:
    """Return a decision on events of (channel, warehouse), and on channels with other events."""
    return Decision(
        accepted=[(None, channel, "A", warehouse, None) for channel, warehouse in accepted],
        unknown=[Unknown(None, channel, "?", None, None) for channel in unknown],
        ignored=list(ignored),
    )


def test_events_are_counted_by_what_became_of_them() -> None:
    hearing = Hearing()
    accepted = ("shop", "W"), ("shop", "X")
    hearing.take(decision(*accepted, unknown=("till",)), ["shop", "shop"], NOON)
    assert hearing.events == {"shop": 4, "till": 1}
    assert hearing.quarantined == {"till": 1}
    assert hearing.rejected == {"shop": 2}
    assert hearing.heard_at == {"shop": NOON, "till": NOON}
    assert hearing.told_of == {("shop", "W"): NOON, ("shop", "X"): NOON}


def test_a_channel_whose_events_are_ignored_is_heard() -> None:
    hearing = Hearing()
    hearing.take(decision(ignored=("shop", "shop")), [], NOON)
    assert hearing == Hearing(heard_at={"shop": NOON}, events=Counter(shop=2))


def test_what_could_not_be_noted_is_noted_with_what_came_after_it() -> None:
    first, second = Hearing(), Hearing()
    first.take(decision(("shop", "W")), [], NOON)
    later = NOON + timedelta(seconds=5)
    second.take(decision(("shop", "W"), ("shop", "X")), [], later)
    both = first.and_then(second)
    assert both.events == {"shop": 3}
    assert both.told_of == {("shop", "W"): later, ("shop", "X"): later}
