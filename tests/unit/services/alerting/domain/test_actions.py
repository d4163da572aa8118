from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.alerting.domain.actions import (
    GOING_ON,
    LATE_AFTER,
    PATIENCE,
    SUPPLYING,
    Step,
    after,
    first_state,
    late_at,
    postponed,
)
from shared.events.stock_alerts import ActionKind, ActionState
from tests.unit.services.alerting.cases import NOON

RANK = {
    ActionState.PROPOSED: 0,
    ActionState.APPROVED: 1,
    ActionState.ORDERED: 2,
    ActionState.RECEIVED: 3,
    ActionState.DONE: 3,
    ActionState.REJECTED: 3,
    ActionState.CANCELLED: 3,
}


@given(
    kind=st.sampled_from(ActionKind),
    needs_approval=st.booleans(),
    steps=st.lists(st.sampled_from(Step), max_size=8),
)
def test_whatever_is_tried_an_action_only_goes_forward_and_ends_for_good(
    kind: ActionKind, needs_approval: bool, steps: list[Step]
) -> None:
    state = first_state(kind, needs_approval=needs_approval)
    approved = state is not ActionState.PROPOSED
    for step in steps:
        following = after(kind, state, step)
        if following is None:
            continue
        assert following is state or (state in GOING_ON and RANK[following] > RANK[state])
        approved = approved or step is Step.APPROVE
        assert approved or following in {ActionState.REJECTED, ActionState.CANCELLED}
        assert after(kind, following, step) is following  # a repeated request changes nothing
        state = following
    brought = state in {ActionState.ORDERED, ActionState.RECEIVED}
    assert not brought or kind in SUPPLYING
    assert state is not ActionState.DONE or kind not in SUPPLYING


def test_what_is_bought_goes_from_proposed_to_received() -> None:
    state = first_state(ActionKind.BUY, needs_approval=True)
    seen = [state]
    for step in (Step.APPROVE, Step.ORDER, Step.RECEIVE):
        following = after(ActionKind.BUY, state, step)
        assert following is not None
        state = following
        seen.append(state)
    assert seen == ["proposed", "approved", "ordered", "received"]


def test_a_count_is_approved_at_once_and_then_done() -> None:
    assert first_state(ActionKind.COUNT, needs_approval=False) is ActionState.APPROVED
    assert after(ActionKind.COUNT, ActionState.APPROVED, Step.FINISH) is ActionState.DONE
    assert after(ActionKind.COUNT, ActionState.APPROVED, Step.ORDER) is None


def test_doing_nothing_is_done_at_once() -> None:
    assert first_state(ActionKind.NONE, needs_approval=False) is ActionState.DONE


def test_it_is_late_a_day_after_its_date_or_after_two_weeks_without_one() -> None:
    due_at = NOON + timedelta(days=3)
    assert late_at(due_at, NOON) == due_at + LATE_AFTER
    assert late_at(None, NOON) == NOON + PATIENCE
    assert postponed(due_at, NOON, NOON) == due_at + LATE_AFTER
    for asked_for in (NOON, None):
        assert postponed(NOON + 9 * PATIENCE, asked_for, NOON) == NOON + PATIENCE
