"""The table of an association's life."""

import pytest

from bahal.dlms.association.states import TRANSITIONS, State, Step, receiving, sending
from bahal.dlms.errors import StateError, UnexpectedApdu


def test_every_state_is_listed_reachable_and_can_end() -> None:
    assert set(TRANSITIONS) == set(State)
    reached = {State.IDLE}
    while True:
        further = reached | {after for state in reached for after in TRANSITIONS[state].values()}
        if further == reached:
            break
        reached = further
    assert reached == set(State)
    assert all(TRANSITIONS[state][Step.FAULT] is State.CLOSED for state in State)


def test_closed_is_the_end() -> None:
    assert set(TRANSITIONS[State.CLOSED].values()) == {State.CLOSED}


@pytest.mark.parametrize("state", [State.AWAITING, State.ASSOCIATING, State.HLS_PENDING, State.HLS_PROVING])
def test_an_exception_never_sticks(state: State) -> None:
    after = TRANSITIONS[state][Step.EXCEPTION]
    assert Step.REQUEST in TRANSITIONS[after] or Step.AARQ in TRANSITIONS[after]


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("step", list(Step))
def test_what_is_not_listed_is_refused_on_the_side_at_fault(state: State, step: Step) -> None:
    listed = TRANSITIONS[state].get(step)
    if listed is not None:
        assert sending(state, step) is receiving(state, step, 0xC0) is listed
        return
    with pytest.raises(StateError) as ours:
        sending(state, step)
    assert ours.value.data == {"state": state.name.lower(), "step": step.name.lower()}
    with pytest.raises(UnexpectedApdu) as theirs:
        receiving(state, step, 0xC0)
    assert theirs.value.data == {"tag": 0xC0, "state": state.name.lower()}
