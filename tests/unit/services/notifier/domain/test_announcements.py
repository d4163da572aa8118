from datetime import timedelta
from uuid import UUID

import pytest

from services.notifier.domain.announcements import Known, deliveries_of
from services.notifier.domain.deliveries import Kind, NewDelivery, Reason, State
from services.notifier.domain.holding import Hold, HoldReason
from services.notifier.domain.manners import Manners
from services.notifier.domain.routes import Reach, Route, RoutingTable
from shared.events.stock_alerts import ActionState, AlertLevel, HushKind, StockAlert
from tests.factories.stock_alerts import START, stock_alert

NOW = START
EVERYTHING = RoutingTable(["boss", "buyers"], [])
ONLY_OUT = RoutingTable(["boss"], [Route("r", "boss", levels=frozenset({AlertLevel.OUT}))])


def told(
    alert: StockAlert, table: RoutingTable, **known: Known
) -> list[tuple[str | None, Kind, State]]:
    before: dict[str | None, Known] = dict(known.items())
    return [
        (each.destination, each.kind, each.state)
        for each in deliveries_of(alert, table, before, NOW)
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


def test_what_was_announced_waits_where_it_is_disabled_by_now_and_nothing_else_does() -> None:
    off = RoutingTable(["buyers"], [], disabled=["boss"])
    resolved = stock_alert(revision=2, event="resolved")
    known = Known(1, announced=True)
    assert told(resolved, off, boss=known, buyers=known) == [
        ("buyers", Kind.CHANGE, State.WAITING),
        ("boss", Kind.CHANGE, State.WAITING),
    ]
    assert told(stock_alert(), off) == [("buyers", Kind.FIRST, State.WAITING)]
    assert told(resolved, off, boss=Known(1, announced=False), buyers=known) == [
        ("buyers", Kind.CHANGE, State.WAITING)
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
    (delivery,) = deliveries_of(stock_alert(), nobody, {}, NOW)
    assert (delivery.destination, delivery.state, delivery.reason) == (
        None,
        State.SUPPRESSED,
        "no_route",
    )
    assert deliveries_of(stock_alert(), nobody, {None: Known(1, announced=False)}, NOW) == []


def test_exactly_one_delivery_comes_of_a_revision_and_destination() -> None:
    twice = [Route("a", "boss"), Route("b", "boss")]
    table = RoutingTable(["boss"], twice)
    found: list[NewDelivery] = deliveries_of(stock_alert(), table, {}, NOW)
    assert len(found) == 1


HUSHED = {"by": "silence", "until": "2026-03-02T00:00:00Z"}


def test_what_is_silenced_is_recorded_with_the_reason_and_sent_to_nobody() -> None:
    known: dict[str | None, Known] = {"buyers": Known(1, announced=True)}
    silenced = stock_alert(revision=2, event="level_changed", previous_level="watch", hush=HUSHED)
    found = deliveries_of(silenced, EVERYTHING, known, NOW)
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
        ["app", "group", "mail"], (), personal={"app": Reach.WECOM_USERID, "mail": Reach.EMAIL}
    )
    known: dict[str | None, Known] = {each: Known(1, announced=True) for each in table.destinations}
    found = {each.destination: each for each in deliveries_of(refused, table, known, NOW)}
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


REQUESTED = stock_alert(
    revision=2,
    event="acted",
    actor="lin",
    action={"id": UUID(int=1), "kind": "buy", "state": "proposed", "quantity": 50},
)


def test_who_has_to_approve_may_hear_of_an_episode_by_the_request() -> None:
    """What the budget holds back was told to nobody, and is asked for all the same."""
    assert REQUESTED.asks_for_approval
    assert told(REQUESTED, EVERYTHING, boss=Known(1, announced=True)) == [
        ("boss", Kind.ESCALATION, State.WAITING),
        ("buyers", Kind.FIRST, State.WAITING),
    ]
    assert REQUESTED.action is not None
    approved = REQUESTED.action.model_copy(update={"state": ActionState.APPROVED})
    told_later = REQUESTED.model_copy(update={"action": approved})
    assert told(told_later, EVERYTHING, boss=Known(1, announced=True)) == [
        ("boss", Kind.CHANGE, State.WAITING),
        ("buyers", Kind.CHANGE, State.SUPPRESSED),
    ]


def test_who_was_asked_while_the_first_notice_waits_hears_of_the_end() -> None:
    held = Hold("lin|S1|urgent|1", NOW + timedelta(minutes=5), HoldReason.SAME_OWNER)
    end = stock_alert(revision=3, event="resolved")
    found = the_one(end, Known(2, announced=True, held=held, asked=True))
    assert (found.kind, found.state, found.withdraws) == (
        Kind.CHANGE,
        State.WAITING,
        State.SUPPRESSED,
    )
    untold = the_one(end, Known(2, announced=True, held=held))
    assert (untold.state, untold.reason) == (State.SUPPRESSED, "ended_untold")


PROGRAM = RoutingTable(["erp"], [], {"erp": Manners(of_programs=True)})


@pytest.mark.parametrize(
    "known", [None, Known(1, announced=False), Known(1, announced=True)], ids=str
)
@pytest.mark.parametrize("hush", [None, HUSHED, {"by": "budget"}, {"by": "ended"}], ids=str)
@pytest.mark.parametrize("event", ["acted", "snoozed", "feedback", "resolved", "escalated"])
def test_a_program_is_told_everything(
    event: str, hush: dict[str, object] | None, known: Known | None
) -> None:
    """Who keeps the books of what is ordered cannot do without what people are spared."""
    alert = stock_alert(revision=2, event=event, hush=hush)
    (found,) = deliveries_of(alert, PROGRAM, {} if known is None else {"erp": known}, NOW)
    assert (found.state, found.replaces) == (State.WAITING, False)


@pytest.mark.parametrize("by", HushKind)
def test_people_are_spared_whatever_hushes_it(by: HushKind) -> None:
    alert = stock_alert(revision=3, event="acted", hush={"by": by})
    for known in (None, Known(2, announced=True)):
        found = the_one(alert, known)
        assert (found.state, found.withdraws) == (State.SUPPRESSED, None)
        assert found.reason is not None


@pytest.mark.parametrize("known", [{}, {"erp": Known(1, announced=True)}], ids=str)
def test_a_refusal_is_one_persons_and_no_programs(known: dict[str | None, Known]) -> None:
    (found,) = deliveries_of(stock_alert(revision=2, event="refused"), PROGRAM, known, NOW)
    assert found.state is State.SUPPRESSED


LATER = START + timedelta(minutes=5)
GATHER = {"key": "lin|S1|urgent|1", "by": LATER.isoformat(), "why": "same_owner"}
HELD = Hold("lin|S1|urgent|1", LATER, HoldReason.SAME_OWNER)
WAITING = Known(1, announced=True, held=HELD)
ONE = RoutingTable(["boss"], [])


def the_one(alert: StockAlert, known: Known | None = None) -> NewDelivery:
    before: dict[str | None, Known] = {} if known is None else {"boss": known}
    (found,) = deliveries_of(alert, ONE, before, NOW)
    return found


def test_what_is_gathered_waits_under_its_key() -> None:
    found = the_one(stock_alert(gather=GATHER))
    assert (found.kind, found.state, found.hold) == (Kind.FIRST, State.WAITING, HELD)


def test_a_program_is_told_at_once() -> None:
    (found,) = deliveries_of(stock_alert(gather=GATHER), PROGRAM, {}, NOW)
    assert (found.state, found.hold) == (State.WAITING, None)


def test_what_gets_worse_while_it_waits_is_pulled_out_at_once() -> None:
    worse = stock_alert(revision=2, event="level_changed", previous_level="urgent")
    found = the_one(worse, WAITING)
    assert (found.kind, found.hold, found.withdraws) == (Kind.FIRST, None, State.SUPERSEDED)


def test_what_gets_worse_but_may_wait_itself_waits_as_long_as_that() -> None:
    sooner = GATHER | {"key": "lin|S1|urgent|0", "by": (NOW + timedelta(minutes=1)).isoformat()}
    worse = stock_alert(
        revision=2, event="level_changed", level="urgent", previous_level="watch", gather=sooner
    )
    found = the_one(worse, WAITING)
    assert found.hold is not None
    assert (found.hold.key, found.withdraws) == ("lin|S1|urgent|0", State.SUPERSEDED)


def test_a_request_for_an_approval_passes_what_waits_for_the_owner() -> None:
    found = the_one(REQUESTED, WAITING)
    assert (found.kind, found.hold, found.withdraws) == (Kind.ESCALATION, None, None)
    assert not found.replaces


def test_what_does_not_get_worse_takes_the_place_of_what_waits() -> None:
    eased = stock_alert(revision=2, event="level_changed", level="watch", previous_level="urgent")
    for change in (stock_alert(revision=2, event="acknowledged", acknowledged_by="lin"), eased):
        found = the_one(change, WAITING)
        assert (found.kind, found.hold, found.withdraws) == (Kind.FIRST, HELD, State.SUPERSEDED)


def test_what_ends_while_it_waits_is_told_of_neither_in_the_beginning_nor_in_the_end() -> None:
    for event in ("resolved", "retracted"):
        found = the_one(stock_alert(revision=2, event=event), WAITING)
        assert (found.kind, found.state, found.reason, found.withdraws) == (
            Kind.CHANGE,
            State.SUPPRESSED,
            "ended_untold",
            State.SUPPRESSED,
        )


def test_what_is_hushed_leaves_what_waits_waiting() -> None:
    silenced = stock_alert(
        revision=2, event="level_changed", previous_level="urgent", hush={"by": "silence"}
    )
    assert the_one(silenced, WAITING).withdraws is None
