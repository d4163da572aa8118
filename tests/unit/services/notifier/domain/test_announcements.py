from services.notifier.domain.announcements import Known, deliveries_of
from services.notifier.domain.deliveries import Kind, NewDelivery, Reason, State
from services.notifier.domain.routes import Reach, Route, RoutingTable
from shared.events.stock_alerts import AlertLevel, StockAlert
from tests.factories.stock_alerts import stock_alert

EVERYTHING = RoutingTable(["boss", "buyers"], [])
ONLY_OUT = RoutingTable(["boss"], [Route("r", "boss", levels=frozenset({AlertLevel.OUT}))])


def told(
    alert: StockAlert, table: RoutingTable, **known: Known
) -> list[tuple[str | None, Kind, State]]:
    before: dict[str | None, Known] = dict(known.items())
    return [
        (each.destination, each.kind, each.state) for each in deliveries_of(alert, table, before)
    ]


def test_an_opening_is_a_first_notice_for_every_destination_that_wants_it() -> None:
    assert told(stock_alert(), EVERYTHING) == [
        ("boss", Kind.FIRST, State.WAITING),
        ("buyers", Kind.FIRST, State.WAITING),
    ]


def test_a_destination_that_hears_of_an_episode_late_gets_a_first_notice() -> None:
    watch = stock_alert(level="watch")
    assert told(watch, ONLY_OUT) == [(None, Kind.CHANGE, State.SUPPRESSED)]
    worse = stock_alert(revision=2, event="level_changed", previous_level="watch")
    assert told(worse, ONLY_OUT) == [("boss", Kind.FIRST, State.WAITING)]


def test_whoever_was_told_learns_of_the_end_whatever_the_routes_say() -> None:
    resolved = stock_alert(revision=3, event="resolved", level="watch")
    assert told(resolved, ONLY_OUT, boss=Known(2, announced=True)) == [
        ("boss", Kind.CHANGE, State.WAITING)
    ]


def test_the_end_of_what_was_never_announced_is_suppressed() -> None:
    resolved = stock_alert(revision=3, event="resolved")
    assert told(resolved, ONLY_OUT) == [("boss", Kind.CHANGE, State.SUPPRESSED)]


def test_a_revision_handled_before_yields_nothing() -> None:
    known = Known(1, announced=True)
    assert told(stock_alert(), EVERYTHING, boss=known, buyers=known) == []


def test_an_older_revision_than_one_handled_is_superseded() -> None:
    known = Known(2, announced=True)
    assert told(stock_alert(), EVERYTHING, boss=known, buyers=known) == [
        ("boss", Kind.CHANGE, State.SUPERSEDED),
        ("buyers", Kind.CHANGE, State.SUPERSEDED),
    ]


def test_what_no_route_wants_is_recorded_once_with_the_reason() -> None:
    nobody = RoutingTable([], [])
    (delivery,) = deliveries_of(stock_alert(), nobody, {})
    assert (delivery.destination, delivery.state, delivery.reason) == (
        None,
        State.SUPPRESSED,
        "no_route",
    )
    assert deliveries_of(stock_alert(), nobody, {None: Known(1, announced=False)}) == []


def test_exactly_one_delivery_comes_of_a_revision_and_destination() -> None:
    twice = [Route("a", "boss"), Route("b", "boss")]
    found: list[NewDelivery] = deliveries_of(stock_alert(), RoutingTable(["boss"], twice), {})
    assert len(found) == 1


HUSHED = {"by": "silence", "until": "2026-03-02T00:00:00Z"}


def test_what_is_silenced_is_recorded_with_the_reason_and_sent_to_nobody() -> None:
    known: dict[str | None, Known] = {"buyers": Known(1, announced=True)}
    silenced = stock_alert(revision=2, event="level_changed", previous_level="watch", hush=HUSHED)
    found = deliveries_of(silenced, EVERYTHING, known)
    reason = "silenced: until 2026-03-02 00:00 UTC"
    assert [(each.destination, each.kind, each.state, each.reason) for each in found] == [
        ("boss", Kind.CHANGE, State.SUPPRESSED, reason),
        ("buyers", Kind.CHANGE, State.SUPPRESSED, reason),
    ]


def test_a_reminder_is_the_first_notice_of_what_opened_in_silence() -> None:
    reminded = stock_alert(revision=2, event="reminded")
    known = Known(1, announced=False)
    assert told(reminded, EVERYTHING, boss=known, buyers=Known(1, announced=True)) == [
        ("boss", Kind.FIRST, State.WAITING),
        ("buyers", Kind.CHANGE, State.WAITING),
    ]


def test_the_end_of_what_opened_in_silence_is_suppressed() -> None:
    resolved = stock_alert(revision=2, event="resolved")
    assert told(resolved, ONLY_OUT, boss=Known(1, announced=False)) == [
        ("boss", Kind.CHANGE, State.SUPPRESSED)
    ]


def test_a_refusal_is_only_for_destinations_that_reach_the_person_alone() -> None:
    lin = {"id": "lin", "name": "Lin", "language": "en", "wecom_userid": "lin"}
    refused = stock_alert(revision=2, event="refused", to=[lin])
    table = RoutingTable(
        ["app", "group", "mail"], (), {"app": Reach.WECOM_USERID, "mail": Reach.EMAIL}
    )
    known: dict[str | None, Known] = {each: Known(1, announced=True) for each in table.destinations}
    found = {each.destination: each for each in deliveries_of(refused, table, known)}
    assert {name: each.state for name, each in found.items()} == {
        "app": State.WAITING,
        "group": State.SUPPRESSED,
        "mail": State.SUPPRESSED,
    }
    assert found["group"].reason == Reason.FOR_ONE_PERSON


def test_an_escalation_is_one_to_whoever_knows_of_the_episode() -> None:
    escalated = stock_alert(revision=2, event="escalated")
    assert told(escalated, EVERYTHING, boss=Known(1, announced=True)) == [
        ("boss", Kind.ESCALATION, State.WAITING),
        ("buyers", Kind.FIRST, State.WAITING),
    ]
    silenced = stock_alert(revision=2, event="escalated", hush=HUSHED)
    assert told(silenced, ONLY_OUT, boss=Known(1, announced=True)) == [
        ("boss", Kind.CHANGE, State.SUPPRESSED)
    ]
