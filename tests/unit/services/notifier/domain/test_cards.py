from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.notifier.domain.cards import (
    Press,
    asks_somebody,
    buttons_of,
    delivery_of,
    option_ids,
    proposed_quantity,
    response_of,
    task_id,
)
from shared.events.alert_responses import ResponseKind
from tests.factories.stock_alerts import alert_id, stock_alert

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DELIVERY = UUID(int=7)


def press(key: str, *options: str, who: str = "lin") -> Press:
    return Press(who, NOW, task_id(DELIVERY), key, options)


def meaning(key: str, *options: str) -> tuple[object, ...] | None:
    found = response_of(press(key, *options), alert_id(1), NOW)
    return (
        None if found is None else (found.kind.value, found.reason, found.quantity, found.minutes)
    )


@pytest.mark.parametrize(
    ("key", "options", "meant"),
    [
        ("acknowledge", ("none",), ("acknowledge", None, None, None)),
        ("acknowledge", ("reason:data_wrong",), ("acknowledge", None, None, None)),
        ("false_alarm", ("none",), ("false_alarm", None, None, None)),
        ("false_alarm", ("reason:known",), ("false_alarm", "known", None, None)),
        ("false_alarm", ("reason:nonsense",), ("false_alarm", None, None, None)),
        ("ordered", (), ("ordered", None, None, None)),
        ("ordered:200", ("minutes:240",), ("ordered", None, 200, None)),
        ("snooze", ("none",), ("snooze", None, None, 240)),
        ("snooze", ("minutes:1440",), ("snooze", None, None, 1_440)),
        ("snooze", ("minutes:99999",), ("snooze", None, None, 240)),
    ],
)
def test_a_choice_counts_with_its_own_button(
    key: str, options: tuple[str, ...], meant: tuple[object, ...]
) -> None:
    assert meaning(key, *options) == meant


@pytest.mark.parametrize(
    "key", ["", "other", "ordered:0", "ordered:-1", "ordered:\uff19", "ordered:x"]
)
def test_a_button_that_is_not_ours_means_nothing(key: str) -> None:
    assert meaning(key) is None


def test_the_same_press_is_the_same_response_however_the_id_is_written() -> None:
    def id_of(one: Press) -> UUID | None:
        found = response_of(one, alert_id(1), NOW)
        return None if found is None else found.response_id

    assert id_of(press("acknowledge", who="Lin")) == id_of(press("acknowledge"))
    assert id_of(press("acknowledge")) != id_of(press("snooze"))
    assert id_of(press("acknowledge", who="wang")) != id_of(press("acknowledge"))


def test_a_card_names_its_delivery() -> None:
    assert delivery_of(task_id(DELIVERY)) == DELIVERY
    assert [delivery_of(each) for each in ("", "lowtide-", "other-1", task_id(DELIVERY) + "0")] == [
        None
    ] * 4


def test_there_is_room_for_all_choices() -> None:
    assert len(option_ids()) == len(set(option_ids())) == 9


def test_only_what_asks_somebody_rings() -> None:
    ringing = {
        (event, before)
        for event in ("opened", "reminded", "escalated", "acknowledged", "resolved", "refused")
        for before in (None,)
        if asks_somebody(stock_alert(event=event))
    }
    assert {event for event, _ in ringing} == {"opened", "reminded", "escalated"}
    worse = stock_alert(event="level_changed", previous_level="urgent", level="out")
    better = stock_alert(event="level_changed", previous_level="out", level="urgent")
    assert (asks_somebody(worse), asks_somebody(better)) == (True, False)


def test_what_is_taken_on_needs_no_button_for_that() -> None:
    assert len(buttons_of(stock_alert())) == 4
    assert ResponseKind.ACKNOWLEDGE not in buttons_of(stock_alert(acknowledged_by="lin"))
    assert buttons_of(stock_alert(event="retracted")) == []


def test_the_quantity_is_that_of_a_proposal_to_buy() -> None:
    facts = {"available": 0, "on_hand": 0, "low_water": 0}
    assert proposed_quantity(stock_alert(facts=facts | {"proposed": 200})) == 200
    assert proposed_quantity(stock_alert(facts=facts)) is None
