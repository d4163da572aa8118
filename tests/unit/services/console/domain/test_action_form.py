"""Forms of what is done: what is asked, what a state allows, what is sent."""

import pytest

from services.alerting.domain import actions
from services.console.domain.action_form import SUPPLYING, body, fields, mistakes, steps
from shared.events.stock_alerts import ActionKind, ActionState

STEPS = {
    "approve": actions.Step.APPROVE,
    "reject": actions.Step.REJECT,
    "order": actions.Step.ORDER,
    "cancel": actions.Step.CANCEL,
    "receive": actions.Step.RECEIVE,
    "done": actions.Step.FINISH,
}
CASES = [
    (kind, state)
    for kind in ActionKind
    for state in ActionState
    if state is not ActionState.ORDERED or kind in SUPPLYING
]
"""What brings no stock is never ordered."""


@pytest.mark.parametrize(("kind", "state"), CASES)
def test_exactly_the_steps_are_offered_that_move_the_action_on(
    kind: ActionKind, state: ActionState
) -> None:
    offered = {*steps(kind, state, is_own=True), *steps(kind, state, is_own=False)}
    leads_to = {name: actions.after(kind, state, step) for name, step in STEPS.items()}
    assert offered == {name for name, then in leads_to.items() if then not in {None, state}}


def test_nobody_is_offered_to_approve_what_they_have_asked_for() -> None:
    assert steps("buy", "proposed", is_own=True) == ("cancel",)
    assert steps("buy", "proposed", is_own=False) == ("approve", "reject")


def test_kinds_that_bring_stock_are_those_of_alerting() -> None:
    assert set(actions.SUPPLYING) == SUPPLYING


@pytest.mark.parametrize("quantity", ["", "0", "-3", "1.5", "many", "٣"])
def test_a_quantity_is_a_whole_number(quantity: str) -> None:
    assert "quantity" in mistakes(fields("buy"), {"quantity": quantity})


def test_what_is_empty_is_left_out_and_what_is_needed_is_missed() -> None:
    assert mistakes(fields("none"), {"reason": " "}) == {"reason": "form.required"}
    assert mistakes(fields("count"), {}) == {}
    typed = {"quantity": " 36 ", "source": "north", "note": ""}
    assert body(fields("transfer"), typed) == {"quantity": 36, "source": "north"}
