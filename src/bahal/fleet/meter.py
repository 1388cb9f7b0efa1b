"""One simulated meter: a slotted view of one row of the fleet, made while somebody needs it.

It is the `Device` that `bahal.dlms.association.server` answers from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from bahal.dlms import apdu, axdr, clock, india
from bahal.dlms.axdr import BitString
from bahal.dlms.clock import LONGEST_SHIFT_S, SHIFT_TIME
from bahal.dlms.errors import CounterExhausted, DlmsError
from bahal.dlms.objects.disconnect import METHOD_MOVES, ControlState
from bahal.dlms.objects.model import PUSH_SAP, READING_SAP, SETTING_SAP
from bahal.dlms.objects.profile import RowChoice
from bahal.dlms.objects.security_setup import KEY_TRANSFER, KeyId, read_transfer
from bahal.dlms.objects.serving import Keys, Origin
from bahal.dlms.quirks import Quirks
from bahal.dlms.security import COUNTER_LIMIT
from bahal.fleet import consumption, registers
from bahal.fleet.lives import with_losses
from bahal.fleet.store import IDENTITY, Era
from bahal.shared.meter_events import CLOCK_SET_EVENT

if TYPE_CHECKING:
    from bahal.fleet.circle import Circle

# Offsets within a row of `IDENTITY`.
_TITLE: Final = 16
_LLS_LENGTH: Final = 24
_LLS: Final = 25
_MR_EK: Final = 41
_US_EK: Final = 57
_US_AK: Final = 73
_US_HLS: Final = 89
_PUSH_EK: Final = 105

_NO_KEY: Final = bytes(16)
_PUBLIC: Final = Keys(b"", b"", b"")

# Which key of the row each security setup transfers.
_TRANSFERS: Final = {
    ("security_reading", KeyId.GLOBAL_UNICAST_ENCRYPTION): _MR_EK,
    ("security_setting", KeyId.GLOBAL_UNICAST_ENCRYPTION): _US_EK,
    ("security_setting", KeyId.AUTHENTICATION): _US_AK,
    ("security_push", KeyId.GLOBAL_UNICAST_ENCRYPTION): _PUSH_EK,
}
_EVENT_LIMIT_SET: Final = 158
_EVENT_KEY_CHANGED: Final = 164
_EVENT_FILTER_SET: Final = 165


class SimulatedMeter:
    """The meter of one row."""

    __slots__ = ("_circle", "_columns", "_start", "quirks", "row", "seed", "system_title")

    def __init__(self, circle: Circle, row: int) -> None:
        self._circle = circle
        self._columns = columns = circle.columns
        self.row = row
        self._start = start = row * IDENTITY.size
        self.system_title = bytes(columns.identities[start + _TITLE : start + _LLS_LENGTH])
        self.quirks: Quirks = columns.makes[columns.make_numbers[row]][1]
        self.seed: int = columns.seed_of(row)

    # --- identity and state -------------------------------------------------------------------------------------------

    @property
    def serial(self) -> str:
        """The meter's serial."""
        return self._columns.serial_of(self.row)

    @property
    def manufacturer(self) -> str:
        """The maker's name; the make's own where no profile is registered."""
        make = self._columns.makes[self._columns.make_numbers[self.row]][0]
        return "unregistered make" if make is None else make.manufacturer

    @property
    def control_state(self) -> ControlState:
        """Attribute 3 of the relay."""
        return ControlState(self._columns.control_states[self.row])

    @property
    def control_mode(self) -> int:
        """Attribute 4 of the relay."""
        return self._columns.control_modes[self.row]

    @property
    def connected(self) -> bool:
        """Attribute 2 of the relay."""
        return self._columns.control_states[self.row] == ControlState.CONNECTED

    @property
    def events(self) -> Sequence[tuple[int, int]]:
        """(UTC second of business time, event id), oldest first."""
        return self._columns.events.get(self.row, ())

    @property
    def now(self) -> int:
        """Business time in UTC seconds."""
        return self._circle.moment()

    @property
    def push_destination(self) -> bytes:
        """Where pushes go, as text; empty when nowhere."""
        return self._circle.push_destination

    @property
    def clock_offset(self) -> int:
        """How far its clock stands from business time, in seconds."""
        eras = self.eras
        return eras[-1].offset if eras else 0

    @property
    def eras(self) -> Sequence[Era]:
        """Where its clock stood, and since when; nothing for one that was always right."""
        return self._columns.eras.get(self.row, ())

    def setting(self, name: str, default: Any) -> Any:
        """A setting that a client made, or the default."""
        return self._columns.settings.get((self.row, name), default)

    # --- quantities ---------------------------------------------------------------------------------------------------

    def energy(self, moment: int) -> int:
        """Cumulative Wh at a moment, less what was not served while the relay was open."""
        lives = self._columns.lives
        if self.row in lives.inputs:
            given = lives.inputs[self.row]
            return with_losses(sum(self._circle.meter(row).drawn(moment) for row in given.behind), given, moment)
        habit_wh = self._habit_wh(moment)
        life = lives.of.get(self.row)
        return habit_wh if life is None else life.counted.at(habit_wh)

    def energies(self, start: int, count: int) -> list[int]:
        """`energy` at `count` half hours from `start` on, which is the beginning of one."""
        lives, dark = self._columns.lives, self._columns.dark
        if self.row in lives.inputs or self.row in dark:
            return [self.energy(start + nth * consumption.BLOCK) for nth in range(count)]
        habit_wh = consumption.energies(self.seed, start, count)
        life = lives.of.get(self.row)
        return habit_wh if life is None else [life.counted.at(each) for each in habit_wh]

    def drawn(self, moment: int) -> int:
        """Cumulative Wh that the people behind this meter have drawn, whether it counted them or not."""
        habit_wh = self._habit_wh(moment)
        life = self._columns.lives.of.get(self.row)
        return habit_wh if life is None else (life.drawn or life.counted).at(habit_wh)

    def _habit_wh(self, moment: int) -> int:
        return consumption.energy_served(self.seed, moment, self._columns.dark.get(self.row, ()))

    def power(self, moment: int) -> int:
        """W drawn at a moment; nothing while dark."""
        lives = self._columns.lives
        if self.row in lives.inputs:
            # The mean of the half hour that ends then: an input meter sums, it has no habit of its own.
            return (self.energy(moment) - self.energy(moment - consumption.BLOCK)) * 2
        if consumption.is_dark(moment, self._columns.dark.get(self.row, ())):
            return 0
        watts = consumption.power(self.seed, moment)
        life = lives.of.get(self.row)
        return watts if life is None else life.counted.scaled(self._habit_wh(moment), watts)

    def peak(self, start: int, end: int) -> tuple[int, int]:
        """Maximum demand in W in `[start, end)` and the UTC second at which that half hour ended."""
        if self.row in self._columns.lives.inputs:
            return (self.power(end), end) if end > start else (0, start)
        watts, when = consumption.peak(self.seed, start, end)
        life = self._columns.lives.of.get(self.row)
        return watts if life is None else life.counted.scaled(self._habit_wh(when), watts), when

    @property
    def since(self) -> int:
        """UTC second since which it counts: its profiles hold nothing older."""
        life = self._columns.lives.of.get(self.row)
        return consumption.day_start(0) if life is None else life.since

    def kept(self, moment: int) -> bool:
        """Whether it kept the billing row of that moment."""
        life = self._columns.lives.of.get(self.row)
        return life is None or moment not in life.lost

    def apparent(self, active: int) -> int:
        """VA or VAh that belong to W or Wh."""
        return consumption.apparent(self.seed, active)

    # --- what the association asks for --------------------------------------------------------------------------------

    def _key(self, offset: int) -> bytes:
        at = self._start + offset
        return bytes(self._columns.identities[at : at + 16])

    def keys(self, sap: int) -> Keys | None:
        """Keys of the public, reading and setting clients; the reading and push keys encrypt only."""
        if sap == SETTING_SAP:
            return Keys(self._key(_US_EK), self._key(_US_AK), self._key(_US_HLS))
        if sap == READING_SAP:
            length = self._columns.identities[self._start + _LLS_LENGTH]
            return Keys(self._key(_MR_EK), _NO_KEY, self._key(_LLS)[:length])
        if sap == PUSH_SAP:
            return Keys(self._key(_PUSH_EK), _NO_KEY, b"")
        return _PUBLIC

    def counter_floor(self, sap: int) -> int:
        """The smallest counter accepted from a client."""
        return self._columns.floors[sap][self.row]

    def raise_counter_floor(self, sap: int, floor: int) -> None:
        """Accept only counters from `floor` on."""
        self._columns.floors[sap][self.row] = floor

    def next_counter(self, sap: int) -> int:
        """The counter that `take_counter` would give, without taking it."""
        return self._columns.counters[self._counter_of(sap)][self.row]

    def _counter_of(self, sap: int) -> int:
        """Whose counter stands for this client: two clients with one key must never use one counter twice."""
        return SETTING_SAP if sap == READING_SAP and self.quirks.shared_keys else sap

    def take_counter(self, sap: int) -> int:
        """The meter's own next counter under that key.

        :raises CounterExhausted: 2^32 of them are used; the key must be changed.
        """
        counters = self._columns.counters[self._counter_of(sap)]
        counter = counters[self.row]
        if counter >= COUNTER_LIMIT - 1:
            raise CounterExhausted(COUNTER_LIMIT - 1)
        counters[self.row] = counter + 1
        return counter

    def value(self, name: str, attribute: int) -> Any:
        """One attribute, computed now."""
        return registers.value(self, name, attribute)

    def rows(self, name: str, choice: RowChoice) -> Sequence[Sequence[Any]]:
        """Rows of a profile, computed now."""
        return registers.rows(self, name, choice)

    def entries(self, name: str) -> int:
        """How many rows a profile holds."""
        return registers.entries(self, name)

    def write(self, name: str, attribute: int, value: axdr.Value, origin: Origin) -> int:
        """Clock, load limit and status filter can be set."""
        if (name, attribute) == ("limit", 4) and isinstance(value, int):
            self._set("limit", value, _EVENT_LIMIT_SET)
        elif (name, attribute) == ("clock", 2) and isinstance(value, bytes):
            if self.quirks.clock_shifts:
                return apdu.READ_WRITE_DENIED
            try:
                moment = int(clock.decode(value, zone=india.IST).timestamp())
            except DlmsError:
                return apdu.TYPE_UNMATCHED
            return self._move_clock(moment - self.now, origin)
        elif name == "status_filter" and isinstance(value, BitString) and len(value) == india.STATUS_BITS:
            self._set("status_filter", value.packed, _EVENT_FILTER_SET)
        else:
            return apdu.TYPE_UNMATCHED
        return apdu.SUCCESS

    def _move_clock(self, offset: int, origin: Origin) -> int:
        try:
            self._circle.set_clock(self.row, offset, origin)
        except OSError:
            # Without the truth on file no clock moves either.
            self._circle.stats.errors["clock_log"] += 1
            return apdu.HARDWARE_FAULT
        self._columns.add_event(self.row, self.now, CLOCK_SET_EVENT)
        return apdu.SUCCESS

    def _set(self, name: str, value: int | bytes, event: int) -> None:
        self._columns.settings[self.row, name] = value
        self._columns.add_event(self.row, self.now, event)

    def act(self, name: str, method: int, parameter: axdr.Value, origin: Origin) -> int:
        """Relay, shift of the clock and key transfer; the logs are written before relay or clock moves."""
        if name == "relay":
            try:
                self._circle.move(self.row, METHOD_MOVES[method], origin)
            except OSError:
                # The log is full or gone: without the truth on file nothing moves.
                self._circle.stats.errors["movement_log"] += 1
                return apdu.HARDWARE_FAULT
            return apdu.SUCCESS
        if (name, method) == ("clock", SHIFT_TIME):
            if isinstance(parameter, bool) or not isinstance(parameter, int) or abs(parameter) > LONGEST_SHIFT_S:
                return apdu.TYPE_UNMATCHED
            return self._move_clock(self.clock_offset + parameter, origin)
        if name.startswith("security_") and method == KEY_TRANSFER:
            return self._transfer(name, parameter)
        return apdu.OBJECT_UNAVAILABLE

    def rekey(self, *, encryption: bytes, authentication: bytes) -> None:
        """Change the keys of its setting client behind everybody's back. They serve from the next association on."""
        for offset, key in ((_US_EK, encryption), (_US_AK, authentication)):
            self._columns.identities[self._start + offset : self._start + offset + 16] = key

    def retitle(self, system_title: bytes) -> None:
        """Call itself by another system title of 8 bytes from the next association on."""
        self._columns.identities[self._start + _TITLE : self._start + _LLS_LENGTH] = system_title

    def _transfer(self, name: str, parameter: axdr.Value) -> int:
        """All keys or none. They serve from the next association on.

        Counters go on rising: to start them anew at once would repeat nonces of the old key in this very association.
        """
        master_key = self._columns.master_keys.get(self.row)
        if master_key is None:
            return apdu.OBJECT_UNAVAILABLE
        try:
            keys = read_transfer(master_key, parameter)
        except DlmsError:
            return apdu.TYPE_UNMATCHED
        if any((name, key_id) not in _TRANSFERS for key_id in keys):
            return apdu.SCOPE_OF_ACCESS_VIOLATED
        for key_id, key in keys.items():
            at = self._start + _TRANSFERS[name, key_id]
            self._columns.identities[at : at + 16] = key
        self._columns.add_event(self.row, self.now, _EVENT_KEY_CHANGED)
        return apdu.SUCCESS
