"""What goes wrong on one connection to one meter, as its behaviour has it; every fault is logged as it happens."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from bahal.dlms import apdu, axdr, wrapper
from bahal.dlms.objects.disconnect import METHOD_MOVES, Move
from bahal.dlms.objects.model import SETTING_SAP
from bahal.dlms.objects.serving import Origin
from bahal.fleet.faults import STANDING, STORM_CALLS, Behaviour, Kind, chance
from bahal.fleet.meter import SimulatedMeter

if TYPE_CHECKING:
    from bahal.fleet.circle import Circle

# AARQ, HLS, three GETs, ACTION, GET: the frames of a session with the relay, before its release.
_FRAMES: Final = 7
# The counter falls when the association stands and before anything moves.
_READS: Final = (3, 4, 5)
_DRIP_S: Final = 1.0
_A_DAY: Final = 86_400
_LONGEST_JUMP_DAYS: Final = 400


class Trouble:
    """What is wrong with this connection. The link asks it before and after the meter answers.

    `hung_up`: the meter has given the connection up; `drip_s`: seconds between two bytes of a reply, 0 for none.
    """

    __slots__ = ("_at", "_circle", "_frame", "_lost_at", "_moved", "_mute", "_row", "drip_s", "hung_up")

    def __init__(self, circle: Circle, row: int, behaviour: Behaviour) -> None:
        self._circle = circle
        self._row = row
        self._frame = 0
        self._moved = False
        self._mute = False
        self.hung_up = False
        self.drip_s = 0.0
        call = circle.count_call(row)
        serial, seed = circle.columns.serial_of(row), behaviour.seed
        lost = chance(seed, serial, call, "link") < behaviour.lost_links
        self._lost_at = 1 + int(chance(seed, serial, call, "lost at") * _FRAMES) if lost else 0
        self._at = 1 + int(chance(seed, serial, call, "frame") * _FRAMES)
        if behaviour.late and call == 1:
            circle.happened(row, Kind.LATENCY, f"{behaviour.reply_delay:.2f} s before each reply")
        for fault in behaviour.faults:
            if fault.kind in STANDING:
                if call == 1:
                    circle.happened(row, fault.kind, _STANDING_DETAIL[fault.kind])
            elif fault.kind is Kind.SLOW_LORIS and self._happens(Kind.SLOW_LORIS, "one byte a second"):
                self.drip_s = _DRIP_S
            elif fault.kind is Kind.HALF_OPEN and self._happens(Kind.HALF_OPEN, "accepted and silent"):
                self._mute = True
            elif fault.kind is Kind.RECONNECT_STORM and self._happens(Kind.RECONNECT_STORM, f"{STORM_CALLS} calls"):
                circle.storm(row)

    # --- what the link asks -------------------------------------------------------------------------------------------

    def serves(self) -> bool:
        """A request has come; whether the meter takes it."""
        self._frame += 1
        if self._mute or self.hung_up:
            return False
        if self._frame == self._lost_at:
            self._circle.happened(self._row, Kind.LOST_LINK, f"before frame {self._frame} was served")
            self.hung_up = True
            return False
        falls = self._frame == _READS[self._at % len(_READS)]
        if falls and self._happens(Kind.COUNTER_ROLLED_BACK, f"to nothing at frame {self._frame}"):
            self._circle.columns.counters[SETTING_SAP][self._row] = 0
        return True

    def bent(self, reply: bytes) -> bytes:
        """What is written in place of a reply; nothing for a meter that has fallen silent."""
        if self._mute or self.hung_up or not reply:
            return b""
        if self._frame == self._at:
            head, body = reply[: wrapper.HEADER_LENGTH], reply[wrapper.HEADER_LENGTH :]
            source, destination = wrapper.HEADER.unpack(head)[1:3]
            if self._happens(Kind.MALFORMED, f"in place of reply {self._frame}"):
                return head + body[:1] + b"\xff" * (len(body) - 1)
            if self._happens(Kind.OVERSIZED, f"in place of reply {self._frame}"):
                return wrapper.HEADER.pack(wrapper.VERSION, source, destination, wrapper.LENGTH_LIMIT) + body
            if self._happens(Kind.EXCEPTION, f"in place of reply {self._frame}"):
                refusal = apdu.exception_response(apdu.STATE_SERVICE_NOT_ALLOWED, apdu.SERVICE_OPERATION_NOT_POSSIBLE)
                return wrapper.frame(source, destination, refusal)
        return reply

    def ended(self) -> None:
        """The connection is gone."""
        if self._moved and self._happens(Kind.COUNTER_LOST, "after the relay moved"):
            columns = self._circle.columns
            columns.counters[SETTING_SAP][self._row] = 0
            columns.floors[SETTING_SAP][self._row] = 0

    # --- what the meter asks ------------------------------------------------------------------------------------------

    def instead_of_moving(self, move: Move) -> int | None:
        """The action-result of a relay that does not move, or None where it moves."""
        if self._happens(Kind.ACTION_DROPPED, f"before {move.name.lower()}"):
            self.hung_up = True
            return apdu.HARDWARE_FAULT
        if self._happens(Kind.STUCK, f"{move.name.lower()}: hardware fault"):
            return apdu.HARDWARE_FAULT
        if self._happens(Kind.OK_UNMOVED, f"{move.name.lower()}: ok, not moved"):
            return apdu.SUCCESS
        closes = move is Move.REMOTE_RECONNECT
        if closes and self._happens(Kind.STUCK_OPEN, f"{move.name.lower()}: ok, not moved"):
            return apdu.SUCCESS
        return None

    def moved(self, move: Move) -> None:
        """The relay has moved."""
        self._moved = True
        if self._happens(Kind.REPLY_LOST, f"after {move.name.lower()}"):
            self._mute = True

    def _happens(self, kind: Kind, detail: str) -> bool:
        return self._circle.takes_place(self._row, kind, detail)


class TroubledMeter(SimulatedMeter):
    """A meter whose relay may not do as it is told."""

    __slots__ = ("_trouble",)

    def __init__(self, circle: Circle, row: int, trouble: Trouble) -> None:
        super().__init__(circle, row)
        self._trouble = trouble

    def act(self, name: str, method: int, parameter: axdr.Value, origin: Origin) -> int:
        """As any meter, but for the relay's faults."""
        if name != "relay":
            return super().act(name, method, parameter, origin)
        result = self._trouble.instead_of_moving(METHOD_MOVES[method])
        if result is None:
            result = super().act(name, method, parameter, origin)
            if result == apdu.SUCCESS:
                self._trouble.moved(METHOD_MOVES[method])
        return result


_STANDING_DETAIL: Final = {
    Kind.CONTROL_MODE_0: "a remote disconnect does nothing",
    Kind.CONTROL_MODE_1: "the button is needed after a remote reconnect",
    Kind.WRONG_KEY: "other keys than in the roster",
    Kind.DUPLICATED_TITLE: "the neighbour's system title",
    Kind.CLOCK_JUMP: "the clock stands elsewhere",
}


def afflict(circle: Circle, row: int, behaviour: Behaviour) -> None:
    """Give a meter the standing faults of its behaviour."""
    columns, serial = circle.columns, circle.columns.serial_of(row)
    for fault in behaviour.faults:
        if fault.kind is Kind.CONTROL_MODE_0:
            columns.control_modes[row] = 0
        elif fault.kind is Kind.CONTROL_MODE_1:
            columns.control_modes[row] = 1
        elif fault.kind is Kind.WRONG_KEY:
            digest = hashlib.sha256(f"{behaviour.seed}:{serial}:wrong key".encode()).digest()
            circle.meter(row).rekey(encryption=digest[:16], authentication=digest[16:])
        elif fault.kind is Kind.DUPLICATED_TITLE:
            circle.meter(row).retitle(circle.meter(row - 1 if row else 1 % len(columns)).system_title)
        elif fault.kind is Kind.CLOCK_JUMP:
            days = 1 + int(chance(behaviour.seed, serial, "jump") * _LONGEST_JUMP_DAYS)
            columns.move_clock(row, circle.moment(), days * _A_DAY * (-1 if days % 2 else 1))
