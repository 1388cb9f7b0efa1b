"""Objects that do something of their own: a script table, a calendar, a credit, a token gateway, new keys.

Each is the meter's side of one interface class of the Blue Book, given to a `StoredMeter` by its object's name. What is
only kept (a schedule, a monitor, an arbitrator, an account, a charge) needs no part: its values are stored.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from bahal.dlms import apdu, axdr
from bahal.dlms.axdr import BitString
from bahal.dlms.errors import DlmsError
from bahal.dlms.objects.security_setup import KEY_TRANSFER, KeyId, read_transfer
from bahal.dlms.objects.serving import Origin

Answer = int | apdu.Acted


class Part(Protocol):
    """One object of a meter."""

    def value(self, attribute: int) -> Any:
        """The value of an attribute from 2 on."""
        ...

    def write(self, attribute: int, value: axdr.Value) -> int:
        """Take a value of the right type; returns a data-access-result."""
        ...

    def act(self, method: int, parameter: axdr.Value, origin: Origin) -> Answer:
        """Do what a method asks; returns an action-result, alone or with what the method returns."""
        ...


class Stored:
    """An object whose attributes are kept and may be written; the base of the others."""

    def __init__(self, values: Mapping[int, Any]) -> None:
        self.values = dict(values)

    def value(self, attribute: int) -> Any:
        """What is stored.

        :raises KeyError: nothing is.
        """
        return self.values[attribute]

    def write(self, attribute: int, value: axdr.Value) -> int:
        """Store it."""
        self.values[attribute] = value
        return apdu.SUCCESS

    def act(self, method: int, parameter: axdr.Value, origin: Origin) -> Answer:
        """Nothing of its own."""
        return apdu.OBJECT_UNAVAILABLE


class ScriptTable(Stored):
    """Class 9. `scripts` is attribute 2, a list of (script, actions); `run` does the actions of one, and says how."""

    def __init__(self, scripts: list[tuple[int, list[Any]]], run: Callable[[int, list[Any]], int]) -> None:
        super().__init__({2: scripts})
        self._run = run

    def act(self, method: int, parameter: axdr.Value, origin: Origin) -> Answer:
        """Method 1, `execute`: script 0 is no script."""
        if method != 1 or not isinstance(parameter, int) or isinstance(parameter, bool):
            return apdu.TYPE_UNMATCHED
        found = next((actions for number, actions in self.values[2] if number == parameter), None)
        return apdu.OBJECT_UNAVAILABLE if found is None or not parameter else self._run(parameter, found)


class ActivityCalendar(Stored):
    """Class 20. Writes go to the passive calendar (attributes 6 to 10); method 1 puts it in force as a whole."""

    def write(self, attribute: int, value: axdr.Value) -> int:
        """The active calendar is never written in part."""
        return super().write(attribute, value) if attribute >= 6 else apdu.READ_WRITE_DENIED

    def act(self, method: int, parameter: axdr.Value, origin: Origin) -> Answer:
        """`activate_passive_calendar`."""
        if method != 1:
            return apdu.OBJECT_UNAVAILABLE
        for active in range(2, 6):
            self.values[active] = self.values[active + 4]
        return apdu.SUCCESS


class Credit(Stored):
    """Class 112. Methods add to the amount, set it, and say that the credit is to be used."""

    def act(self, method: int, parameter: axdr.Value, origin: Origin) -> Answer:
        """`update_amount`, `set_amount_to_value` (returns the amount before), `invoke_credit`."""
        if not isinstance(parameter, int) or isinstance(parameter, bool):
            return apdu.TYPE_UNMATCHED
        before = self.values[2]
        if method == 1:
            if not _INT32[0] <= before + parameter <= _INT32[1]:
                return apdu.OTHER_REASON
            self.values[2] = before + parameter
            return apdu.SUCCESS
        if method == 2:
            self.values[2] = parameter
            return apdu.Acted(apdu.SUCCESS, axdr.int32(before))
        if method == 3:
            self.values[8] = _IN_USE
            return apdu.SUCCESS
        return apdu.OBJECT_UNAVAILABLE


class TokenGateway(Stored):
    """Class 115. A token is entered once, at most `LONGEST_TOKEN` bytes; `take` says what becomes of it.

    Attribute 6, token_status, is (code, bits): 0 format ok, 1 authentication ok, 2 validation ok, 3 executed, 4 format
    wrong, 5 authentication failed, 6 validation failed, 7 execution failed, 8 received and not processed.
    """

    def __init__(self, take: Callable[[bytes], int], *, now: Callable[[], bytes]) -> None:
        super().__init__({2: b"", 3: b"", 4: [], 5: _REMOTE, 6: (_RECEIVED, BitString(8, b"\0"))})
        self._take = take
        self._now = now

    def write(self, attribute: int, value: axdr.Value) -> int:
        """Nothing is written: a token is entered."""
        return apdu.READ_WRITE_DENIED

    def act(self, method: int, parameter: axdr.Value, origin: Origin) -> Answer:
        """Method 1, `enter`: returns the token's status."""
        if method != 1 or not isinstance(parameter, bytes):
            return apdu.TYPE_UNMATCHED
        code = _FORMAT_WRONG if not 0 < len(parameter) <= LONGEST_TOKEN else self._take(parameter)
        status = (code, BitString(8, b"\0"))
        self.values |= {2: parameter[:LONGEST_TOKEN], 3: self._now(), 6: status}
        encoded = axdr.structure(axdr.enum(code), axdr.bits(status[1]))
        return apdu.Acted(apdu.SUCCESS, encoded)


class KeyTransfer(Stored):
    """Class 64 with its method 2: new keys under the master key, all of them or none.

    They serve from the next association on: the one in which they came goes on under the old ones, so that the client
    hears that they were taken. A transfer that breaks off therefore leaves one known set in force, never half of two.
    """

    def __init__(self, values: Mapping[int, Any], *, master_key: bytes, take: Callable[[Mapping[KeyId, bytes]], None]):
        super().__init__(values)
        self._master_key = master_key
        self._take = take

    def act(self, method: int, parameter: axdr.Value, origin: Origin) -> Answer:
        """`key_transfer`."""
        if method != KEY_TRANSFER:
            return apdu.OBJECT_UNAVAILABLE
        try:
            keys = read_transfer(self._master_key, parameter)
        except DlmsError:
            return apdu.TYPE_UNMATCHED
        self._take(keys)
        return apdu.SUCCESS


LONGEST_TOKEN: Final = 128

_INT32: Final = (-(2**31), 2**31 - 1)
_IN_USE: Final = 3
_REMOTE: Final = 0
_RECEIVED: Final = 8
_FORMAT_WRONG: Final = 4
