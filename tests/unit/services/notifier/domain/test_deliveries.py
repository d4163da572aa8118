from services.notifier.domain.deliveries import Kind, Recipients, priority
from shared.events.stock_alerts import AlertLevel


def test_first_notices_go_before_escalations_before_changes_before_digests() -> None:
    kinds = [Kind.FIRST, Kind.ESCALATION, Kind.CHANGE, Kind.DIGEST]
    levels = [AlertLevel.OUT, AlertLevel.URGENT, AlertLevel.WATCH]
    places = [priority(kind, level) for kind in kinds for level in levels]
    assert places == sorted(places)
    assert len(set(places)) == len(places)


PROGRESS = Recipients(("c", "a"), ("b",), ("d",), ("e (550)",), ("f",))


def test_those_left_keep_their_turn_while_the_addresses_are_as_they_were() -> None:
    assert PROGRESS.of(("a", "b", "c", "d", "e", "f")) == PROGRESS


def test_mended_addresses_take_the_place_of_those_that_are_gone() -> None:
    assert PROGRESS.of(("a", "b", "g")).left == ("a", "g")


def test_whoever_has_heard_of_something_newer_is_left_no_more() -> None:
    assert PROGRESS.without(("b", "c")) == Recipients(
        ("a",), ("b",), ("d",), ("e (550)",), ("f", "c")
    )
