"""Class 70: the table of the Blue Book, mode by mode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms.objects.disconnect import (
    CONTROL_MODES,
    ControlState,
    Move,
    next_state,
    obeys_remote_disconnect,
    output_state,
    reconnects_at_once,
)

OFF, ON, READY = ControlState.DISCONNECTED, ControlState.CONNECTED, ControlState.READY_FOR_RECONNECTION

# Mode -> (after a remote cut of a connected relay, after a remote reconnection of that).
REMOTE = {
    0: (ON, ON),
    1: (OFF, READY),
    2: (OFF, ON),
    3: (OFF, READY),
    4: (OFF, ON),
    5: (OFF, READY),
    6: (OFF, READY),
}


@pytest.mark.parametrize("mode", CONTROL_MODES)
def test_remote_moves(mode: int) -> None:
    cut, back = REMOTE[mode]
    assert next_state(mode=mode, state=ON, move=Move.REMOTE_DISCONNECT) is cut
    assert next_state(mode=mode, state=cut, move=Move.REMOTE_RECONNECT) is back
    assert reconnects_at_once(mode) is (mode in (2, 4))
    assert obeys_remote_disconnect(mode) is (mode != 0)


@pytest.mark.parametrize(
    ("mode", "by_hand", "limiter_lets_go"),
    [(0, ON, ON), (1, READY, READY), (2, READY, READY), (3, ON, READY), (4, ON, READY), (5, READY, ON), (6, ON, ON)],
)
def test_manual_and_limiter_moves(mode: int, by_hand: ControlState, limiter_lets_go: ControlState) -> None:
    assert next_state(mode=mode, state=ON, move=Move.MANUAL_DISCONNECT) is by_hand
    tripped = next_state(mode=mode, state=ON, move=Move.LOCAL_DISCONNECT)
    assert tripped is (ON if mode == 0 else READY)
    assert next_state(mode=mode, state=tripped, move=Move.LOCAL_RECONNECT) is limiter_lets_go
    assert next_state(mode=mode, state=tripped, move=Move.MANUAL_RECONNECT) is ON


@given(mode=st.sampled_from(CONTROL_MODES), moves=st.lists(st.sampled_from(Move), max_size=20))
def test_no_hand_closes_a_relay_that_was_cut_remotely(mode: int, moves: list[Move]) -> None:
    """Once disconnected, only a remote reconnection leads out."""
    state = OFF
    for move in moves:
        if move is Move.REMOTE_RECONNECT:
            break
        state = next_state(mode=mode, state=state, move=move)
        assert state is OFF


@given(
    mode=st.sampled_from(CONTROL_MODES),
    state=st.sampled_from(ControlState),
    move=st.sampled_from(Move),
)
def test_a_repeated_remote_cut_is_harmless(mode: int, state: ControlState, move: Move) -> None:
    once = next_state(mode=mode, state=state, move=Move.REMOTE_DISCONNECT)
    assert next_state(mode=mode, state=once, move=Move.REMOTE_DISCONNECT) is once
    assert output_state(once) is (once is ON)
    assert next_state(mode=mode, state=state, move=move) in ControlState
