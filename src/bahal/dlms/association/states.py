"""The life of an association in one table, for client and server alike.

A step is what passes on the wire (or breaks), seen from either end: the client *sends* an AARQ and the server
*receives* it, and both move from ``IDLE`` to ``ASSOCIATING``.  Whatever the table does not list is refused, by
:class:`StateError` on the side that wanted to send and by :class:`UnexpectedApdu` on the side that received.

An ExceptionResponse never sticks: it brings a request back to ``OPEN`` and an association under way back to ``IDLE``,
from where it may be opened again.
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import Final

from bahal.dlms.errors import StateError, UnexpectedApdu


class State(IntEnum):
    """Where an association stands."""

    IDLE = 0
    ASSOCIATING = 1  # AARQ under way
    HLS_PENDING = 2  # AARE carried a challenge; pass 3 not sent yet
    HLS_PROVING = 3  # pass 3 under way
    OPEN = 4
    AWAITING = 5  # a request under way
    BLOCKS = 6  # a block came, the next one not asked for yet
    RELEASING = 7  # RLRQ under way
    CLOSED = 8


class Step(IntEnum):
    """What happens to it."""

    AARQ = 0
    AARE_ACCEPTED = 1
    AARE_CHALLENGE = 2
    AARE_REJECTED = 3
    HLS_PROOF = 4
    HLS_PROVED = 5
    HLS_REFUSED = 6
    REQUEST = 7
    RESPONSE = 8
    BLOCK = 9
    NEXT_BLOCK = 10
    EXCEPTION = 11
    RLRQ = 12
    RLRE = 13
    FAULT = 14  # a rule was broken, or the link is gone


_FROM: Final = {
    State.IDLE: {
        Step.AARQ: State.ASSOCIATING,
    },
    State.ASSOCIATING: {
        Step.AARE_ACCEPTED: State.OPEN,
        Step.AARE_CHALLENGE: State.HLS_PENDING,
        Step.AARE_REJECTED: State.IDLE,
        Step.EXCEPTION: State.IDLE,
    },
    State.HLS_PENDING: {
        Step.HLS_PROOF: State.HLS_PROVING,
        Step.EXCEPTION: State.IDLE,
        Step.RLRQ: State.RELEASING,
    },
    State.HLS_PROVING: {
        Step.HLS_PROVED: State.OPEN,
        Step.HLS_REFUSED: State.IDLE,
        Step.EXCEPTION: State.IDLE,
    },
    State.OPEN: {
        Step.REQUEST: State.AWAITING,
        Step.RLRQ: State.RELEASING,
    },
    State.AWAITING: {
        Step.RESPONSE: State.OPEN,
        Step.BLOCK: State.BLOCKS,
        Step.EXCEPTION: State.OPEN,
    },
    State.BLOCKS: {
        Step.NEXT_BLOCK: State.AWAITING,
        # The server may be asked something else instead of the next block; the transfer is then over.
        Step.REQUEST: State.AWAITING,
        Step.RLRQ: State.RELEASING,
    },
    State.RELEASING: {
        Step.RLRE: State.CLOSED,
        Step.EXCEPTION: State.CLOSED,
    },
    State.CLOSED: {},
}

TRANSITIONS: Final = MappingProxyType(
    {state: MappingProxyType({**steps, Step.FAULT: State.CLOSED}) for state, steps in _FROM.items()}
)
"""State -> step -> next state; a fault closes from anywhere."""


def sending(state: State, step: Step) -> State:
    """The state after this end sends ``step``.

    :raises StateError: not allowed now; nothing may be sent.
    """
    after = TRANSITIONS[state].get(step)
    if after is None:
        raise StateError(state.name.lower(), step.name.lower())
    return after


def receiving(state: State, step: Step, tag: int) -> State:
    """The state after the other end's APDU with ``tag`` meant ``step``.

    :raises UnexpectedApdu: not allowed now.
    """
    after = TRANSITIONS[state].get(step)
    if after is None:
        raise UnexpectedApdu(tag, state.name.lower())
    return after
