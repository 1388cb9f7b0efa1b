"""One order's session with its meter: read the relay, reach the moment of sending, act, read the relay back.

The session is a table of steps (`_STEPS`): each names what it asks and what it does with the answer.

    AARQ, HLS | output_state | control_state | control_mode | moment of sending | ACTION | read back | RLRQ

What can end it before the moment of sending costs nothing: the order goes back, or a person is sent. From the moment of
sending on the order is *sent*; whatever breaks then is unknown, and the next holder reads the relay before anything
else. The result is reported as soon as the relay was read back; the release waits for nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final, Protocol

from bahal.dlms import axdr, security
from bahal.dlms.acse import REJECTED_TRANSIENT
from bahal.dlms.apdu import SERVICE_DECIPHERING_ERROR, SERVICE_INVOCATION_COUNTER_ERROR
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import ActionDone, Event, Got, Opened, Refused
from bahal.dlms.errors import AssociationRejected, DlmsError, ServiceException
from bahal.dlms.objects.disconnect import (
    REMOTE_DISCONNECT_METHOD,
    REMOTE_RECONNECT_METHOD,
    ControlState,
    obeys_remote_disconnect,
    reconnects_at_once,
)
from bahal.dlms.quirks import quirks_of
from bahal.dlms.security import Cipher
from bahal.headend.link import LINK_ERRORS, Links, Session
from bahal.interlock.config import SETTING_SAP
from bahal.interlock.orders import (
    BACK,
    CONFIRMED,
    CUT,
    FIELD_TASK,
    MOST_SENDS,
    MOST_TRIES,
    NO_LINE_PAUSE_S,
    UNSENT,
    Claim,
    Outcome,
    pause_before,
)
from bahal.shared.crash import crash_point
from bahal.shared.frames import FROM_METER, TO_METER, Tape

RELAY_CLASS: Final = 70
RELAY: Final = bytes((0, 0, 96, 3, 10, 255))
_ZERO: Final = b"\x0f\x00"  # integer(0), the parameter of both methods

WRITE_WITHIN_S: Final = 0.25
"""The ACTION follows the commit within this, or is not written at all."""

_AFTER_UNMOVED_S: Final = 1.0
_SILENT: Final = LINK_ERRORS - {"flooded", "no_line", "gateway_down"}
_NOT_THERE: Final = LINK_ERRORS - {"connection_lost", "flooded"}
"""Nobody answered: that says nothing of who lives at an address."""
_TOLD: Final = {SERVICE_DECIPHERING_ERROR: "key_refused", SERVICE_INVOCATION_COUNTER_ERROR: "counter_refused"}
TRANSIENT: Final = LINK_ERRORS | {"service_exception", "malformed", "unexpected", "oversized"}
"""What may pass by itself; any other error before sending means a key, a title or a counter is wrong: a field task."""


class RelayKeys:
    """The keys of client 48 of one meter, ready for use."""

    __slots__ = ("cipher", "hls")

    def __init__(self, fields: dict[str, str]) -> None:
        """From the sealed fields us_ek, us_ak and us_hls in hexadecimal."""
        self.cipher = Cipher(bytes.fromhex(fields["us_ek"]), bytes.fromhex(fields["us_ak"]))
        self.hls = bytes.fromhex(fields["us_hls"])


class Desk(Protocol):
    """What a session needs from the desk that started it."""

    def ready_to_send(self, session: RelaySession) -> None:
        """The relay was read and must move: derive the right and mark it sent, then call `verdict`."""
        ...

    def ended(self, outcome: Outcome, seconds: float) -> None:
        """The attempt ended so."""
        ...

    def met_another(self, claim: Claim, why: str) -> None:
        """Whoever answers where the meter once called from is not that meter."""
        ...

    def moved(self, *, as_ordered: bool) -> None:
        """A cut was acknowledged and its relay read back."""
        ...

    def link_closed(self, claim: Claim) -> None:
        """The connection is given up."""
        ...


class Step(IntEnum):
    """Where a session stands: what it waits for."""

    OPENING = 0
    OUTPUT = 1
    CONTROL = 2
    MODE = 3
    SENDING = 4
    ACTING = 5
    READING_BACK = 6
    OVER = 7


class RelaySession(Session):
    """Carries out one claimed order."""

    __slots__ = (
        "_acted_at", "_after", "_before", "_broken", "_control", "_counter", "_desk", "_mode", "_step", "_tape",
        "claim",
    )  # fmt: skip

    def __init__(self, *, links: Links, desk: Desk, claim: Claim, keys: RelayKeys, title: bytes, block: int) -> None:
        super().__init__(links)
        quirks = quirks_of(claim.make)
        self.claim = claim
        self.association = ClientAssociation(
            client_sap=SETTING_SAP,
            server_sap=claim.wport,
            mechanism=quirks.hls_mechanism,
            security_control=security.AUTHENTICATED_ENCRYPTED,
            system_title=title,
            meter_title=claim.system_title,
            cipher=keys.cipher,
            secret=keys.hls,
            counter=claim.counter,
            counter_end=claim.counter + block,
            last_meter_counter=claim.meter_counter,
            quirks=quirks,
        )
        self._desk = desk
        self._step = Step.OPENING
        self._broken: str | None = None
        self._before: bool | None = None
        self._after: bool | None = None
        self._control: int | None = None
        self._mode: int | None = None
        self._counter: int | None = None
        self._acted_at: datetime | None = None
        self._tape = Tape()

    @property
    def meter(self) -> str:
        """The serial of the order's meter."""
        return self.claim.meter

    # --- what goes over the wire -------------------------------------------------------------------------------------

    def say(self, request: bytes) -> None:
        """Write a request, and keep it as it went."""
        if self.alive:
            self._tape.take(TO_METER, request)
        super().say(request)

    def data_received(self, data: bytes) -> None:
        """Bytes of the meter, kept as they came."""
        if self.alive:
            self._tape.take(FROM_METER, data)
        super().data_received(data)

    # --- what the meter says -----------------------------------------------------------------------------------------

    def heard(self, event: Event) -> None:
        """The next row of the table."""
        _STEPS[self._step](self, event)

    def _opened(self, event: Event) -> None:
        if not isinstance(event, Opened):
            self.break_off("unexpected")
            return
        self._ask(Step.OUTPUT, 2)

    def _output(self, event: Event) -> None:
        value = self._value(event)
        if value is not None:
            self._before = bool(value)
            self._ask(Step.CONTROL, 3)

    def _control_state(self, event: Event) -> None:
        value = self._value(event)
        if value is not None:
            self._control = value
            self._ask(Step.MODE, 4)

    def _control_mode(self, event: Event) -> None:
        value = self._value(event)
        if value is not None:
            self._mode = value
            if self.claim.kind == CUT:
                self._judge_cut(value)
            else:
                self._judge_restore(value)

    def _judge_cut(self, mode: int) -> None:
        """Nothing is sent to a relay that is open, cannot obey, or contradicts itself."""
        sent_before = self.claim.sends > 0
        if self._before is False:
            self._after = False
            self._conclude(*((CONFIRMED, "found_moved") if sent_before else (FIELD_TASK, "already_off")))
        elif not obeys_remote_disconnect(mode):
            self._conclude(FIELD_TASK, "control_mode_0" if mode == 0 else "control_mode_unknown")
        elif self._control != ControlState.CONNECTED:
            self._conclude(FIELD_TASK, "relay_contradicts_itself")
        else:
            self._reach_sending()

    def _judge_restore(self, mode: int) -> None:
        """A relay that is closed, or ready for the consumer's button, has all that an order can give it."""
        sent_before = self.claim.sends > 0
        if self._before:
            self._after = True
            self._conclude(CONFIRMED, "found_moved" if sent_before else "already_on")
        elif self._control == ControlState.READY_FOR_RECONNECTION and not reconnects_at_once(mode):
            self._after = False
            self._conclude(CONFIRMED, "press_button")
        else:
            self._reach_sending()

    def _reach_sending(self) -> None:
        if self.claim.sends >= MOST_SENDS:
            self._conclude(FIELD_TASK, "not_moved")
            return
        self._step = Step.SENDING
        self.hold()
        self._desk.ready_to_send(self)

    # --- the moment of sending ---------------------------------------------------------------------------------------

    @property
    def wanted(self) -> bool:
        """Whether it still waits for its verdict on a link that lives."""
        return self._step is Step.SENDING and self._broken is None

    def verdict(self, word: str, reason: str, committed: float) -> None:
        """What the database said: `send`, or any other word, with which the order is out of our hands.

        :param committed: a monotonic moment before the commit.
        """
        if word != "send":
            # The database has ended the order or given it back; our lease is all that is left.
            self._conclude(None, reason)
        elif self._broken is not None or not self.alive:
            self._conclude(UNSENT, self._broken or "connection_lost", retry_s=0.2)
        elif time.monotonic() - committed > WRITE_WITHIN_S:
            # Too long since the right was derived. Nothing was written: the next holder reads, and derives again.
            self._conclude(UNSENT, "late_to_write", retry_s=0.2)
        else:
            self._act()

    def _act(self) -> None:
        crash_point("interlock.send_committed")
        method = REMOTE_DISCONNECT_METHOD if self.claim.kind == CUT else REMOTE_RECONNECT_METHOD
        self._counter = self.association.counter
        try:
            request = self.association.action(RELAY_CLASS, RELAY, method, _ZERO)
        except DlmsError as error:
            self._conclude(FIELD_TASK, error.name)
            return
        self._step = Step.ACTING
        self.say(request)
        # The loop writes at the end of its round; the point stands after that.
        self._links.loop.call_soon(_action_written)

    def _acted(self, event: Event) -> None:
        crash_point("interlock.action_answered")
        if not isinstance(event, ActionDone):
            self.break_off("unexpected")
        elif event.result:
            self._conclude(FIELD_TASK, "action_refused")
        else:
            self._acted_at = datetime.now(UTC)
            self._ask(Step.READING_BACK, 3 if self._needs_button else 2)

    @property
    def _needs_button(self) -> bool:
        return self.claim.kind != CUT and not reconnects_at_once(self._mode or 0)

    def _read_back(self, event: Event) -> None:
        value = self._value(event)
        if value is None:
            return
        crash_point("interlock.readback")
        if self._needs_button:
            self._control = int(value)
            self._after = value == ControlState.CONNECTED
            moved = value != ControlState.DISCONNECTED
            reason = "" if self._after else "press_button"
        else:
            self._after = bool(value)
            moved = self._after is (self.claim.kind != CUT)
            reason = ""
            if moved:
                self._control = int(ControlState.CONNECTED if self._after else ControlState.DISCONNECTED)
        if self.claim.kind == CUT:
            self._desk.moved(as_ordered=moved)
        if moved:
            self._conclude(CONFIRMED, reason)
        elif self.claim.sends + 1 >= MOST_SENDS:
            self._conclude(FIELD_TASK, "not_moved")
        else:
            self._conclude(BACK, "not_moved", retry_s=_AFTER_UNMOVED_S)

    # --- the end -----------------------------------------------------------------------------------------------------

    def failed(self, name: str, error: Exception | None) -> None:
        """Before the moment of sending the order goes back or a person goes; after it, the relay is read again."""
        if self._step is Step.SENDING:
            self._broken = name  # the batch knows, or tells us what it marked
        elif self._step in (Step.ACTING, Step.READING_BACK):
            self._conclude(BACK, name, retry_s=0.5)
        else:
            self._conclude(*self.give_up(name, error))

    def give_up(self, name: str, error: Exception | None = None) -> tuple[str, str, float]:
        """State, reason and pause for an order whose session broke before anything was sent."""
        most = MOST_TRIES[self.claim.kind]
        if self.claim.learned and self._step is Step.OPENING and name not in _NOT_THERE:
            # Somebody else lives there now. The next try dials the address in the register.
            self._desk.met_another(self.claim, name)
            return BACK, name, pause_before(self.claim)
        if isinstance(error, ServiceException) and error.service_error in _TOLD:
            # Anybody may have said that, so once more; but a wrong key does not pass by waiting.
            name, most = _TOLD[error.service_error], 2
        elif isinstance(error, AssociationRejected):
            most = most if error.result == REJECTED_TRANSIENT else 1
        elif name not in TRANSIENT:
            most = 1
        if self.claim.tries < most:
            return BACK, name, NO_LINE_PAUSE_S if name == "no_line" else pause_before(self.claim)
        if name in _TOLD.values():
            # Said twice, and still nobody can prove who said it: a person has to find out.
            self._links.alarm(self.meter, name, error)
        return FIELD_TASK, "unreachable" if name in _SILENT else name, 0.0

    def withdrawn(self) -> None:
        """The link broke while it waited to be marked sent, and no batch holds it: nothing was sent."""
        self._conclude(*self.give_up(self._broken or "connection_lost"))

    def unanswered(self) -> None:
        """The database failed the call, and nobody knows whether it marked the order. Nothing was written to the meter;
        giving the order back lets the database say which it is."""
        self._conclude(UNSENT, "database_failed", retry_s=0.2)

    def closed(self) -> None:
        """The room is free for the next."""
        self._desk.link_closed(self.claim)

    def _ask(self, step: Step, attribute: int) -> None:
        self._step = step
        self.say(self.association.get(RELAY_CLASS, RELAY, attribute))

    def _value(self, event: Event) -> int | None:
        """The boolean or small number in an answer, or None after the session was ended for it."""
        if isinstance(event, Got):
            # Boolean for output_state, enumeration for the other two.
            if len(event.data) == 2 and event.data[0] == (axdr.BOOLEAN if self._awaits_boolean else axdr.ENUM):
                return event.data[1]
            self.break_off("malformed")
        elif isinstance(event, Refused):
            self.break_off("data_access_refused")
        else:
            self.break_off("unexpected")
        return None

    @property
    def _awaits_boolean(self) -> bool:
        return self._step is Step.OUTPUT or (self._step is Step.READING_BACK and not self._needs_button)

    def _conclude(self, state: str | None, reason: str, retry_s: float = 0.0) -> None:
        if self._step is Step.OVER:
            return
        self._step = Step.OVER
        seconds = self._links.loop.time() - self.started
        meter_counter = self.association.meter_counter
        outcome = Outcome(
            self.claim,
            state,
            reason,
            self._before,
            self._after,
            self._control,
            self._mode,
            self._counter,
            meter_counter if meter_counter >= 0 else None,
            retry_s,
            self._tape.packed(),
            self._acted_at,
        )
        self._desk.ended(outcome, seconds)
        self.finish()


def _action_written() -> None:
    crash_point("interlock.action_written")


def _nothing_awaited(session: RelaySession, event: Event) -> None:
    session.break_off("unexpected")


_STEPS: Final[tuple[Callable[[RelaySession, Event], None], ...]] = (
    RelaySession._opened,
    RelaySession._output,
    RelaySession._control_state,
    RelaySession._control_mode,
    _nothing_awaited,
    RelaySession._acted,
    RelaySession._read_back,
    _nothing_awaited,
)
