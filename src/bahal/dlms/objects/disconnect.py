"""Class 70, Disconnect control: the life of a relay as one table.

Source: DLMS UA Blue Book, interface class 70 version 0. The book names eight moves by letter and says
for each control mode which of them are possible; `_MODES` is that table and nothing else decides.

A move that the mode does not list leaves the relay where it is and is still answered with success: the
Blue Book defines no failure for it. Therefore an acknowledgement proves nothing and a client reads
attributes 2 and 3 back.
"""

import enum
from typing import Final


class ControlState(enum.IntEnum):
    """Attribute 3, `control_state`."""

    DISCONNECTED = 0
    CONNECTED = 1
    READY_FOR_RECONNECTION = 2


class Move(enum.Enum):
    """What can happen to a relay: two remote methods, two hands on the button, two of the limiter."""

    REMOTE_DISCONNECT = "remote_disconnect"
    REMOTE_RECONNECT = "remote_reconnect"
    MANUAL_DISCONNECT = "manual_disconnect"
    MANUAL_RECONNECT = "manual_reconnect"
    LOCAL_DISCONNECT = "local_disconnect"
    LOCAL_RECONNECT = "local_reconnect"


REMOTE_DISCONNECT_METHOD: Final = 1
REMOTE_RECONNECT_METHOD: Final = 2

METHOD_MOVES: Final = {
    REMOTE_DISCONNECT_METHOD: Move.REMOTE_DISCONNECT,
    REMOTE_RECONNECT_METHOD: Move.REMOTE_RECONNECT,
}

_OFF, _ON, _READY = ControlState.DISCONNECTED, ControlState.CONNECTED, ControlState.READY_FOR_RECONNECTION

_LETTERS: Final = {
    "a": (_OFF, Move.REMOTE_RECONNECT, _ON),
    "b": (_ON, Move.REMOTE_DISCONNECT, _OFF),
    "c": (_READY, Move.REMOTE_DISCONNECT, _OFF),
    "d": (_OFF, Move.REMOTE_RECONNECT, _READY),
    "e": (_READY, Move.MANUAL_RECONNECT, _ON),
    "f": (_ON, Move.MANUAL_DISCONNECT, _READY),
    "g": (_ON, Move.LOCAL_DISCONNECT, _READY),
    "h": (_READY, Move.LOCAL_RECONNECT, _ON),
}

_MODES: Final = {
    0: "",
    1: "bcfgde",
    2: "bcfgae",
    3: "bcgde",
    4: "bcgae",
    5: "bcfgdeh",
    6: "bcgdeh",
}

CONTROL_MODES: Final = tuple(_MODES)

TRANSITIONS: Final[dict[tuple[int, ControlState, Move], ControlState]] = {
    (mode, before, move): after
    for mode, letters in _MODES.items()
    for before, move, after in (_LETTERS[letter] for letter in letters)
}


def next_state(*, mode: int, state: ControlState, move: Move) -> ControlState:
    """Where the relay stands after `move`: the same state when the mode does not list the move."""
    return TRANSITIONS.get((mode, state, move), state)


def output_state(state: ControlState) -> bool:
    """Attribute 2: whether the load is physically connected."""
    return state is ControlState.CONNECTED


def reconnects_at_once(mode: int) -> bool:
    """Whether a remote reconnection alone lights the consumer; otherwise somebody must press the button."""
    return TRANSITIONS.get((mode, _OFF, Move.REMOTE_RECONNECT)) is _ON


def obeys_remote_disconnect(mode: int) -> bool:
    """False for control mode 0, in which the relay is always connected."""
    return (mode, _ON, Move.REMOTE_DISCONNECT) in TRANSITIONS
