"""Payment metering in the meter itself: an account, its credits and charges, and the door for tokens.

The meter's side of classes 111, 112, 113 and 115 of the Blue Book, given to a `StoredMeter` by its object's name.
Indian meters keep a prepaid balance outside the meter or in plain data objects (IS 15959); these are for the others.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from bahal.dlms import apdu, axdr
from bahal.dlms.axdr import BitString
from bahal.dlms.errors import DlmsError
from bahal.dlms.objects.layouts import layout
from bahal.dlms.objects.parts import Answer, Stored, whole
from bahal.dlms.objects.serving import Origin


class Account(Stored):
    """Class 111. Its status goes from new to active to closed, and by a reset to new again.

    :param now: 12 bytes of the moment, for the times of activation and closure.
    """

    NEEDS = frozenset({2, 5, 6, 8, 13, 14})

    def __init__(self, values: Mapping[int, Any], *, now: Callable[[], bytes]) -> None:
        super().__init__(values)
        self._now = now

    def act(self, method: int, parameter: axdr.Value, origin: Origin) -> Answer:
        """`activate_account`, `close_account`, `reset_account`; out of its turn each changes nothing."""
        if not whole(parameter):
            return apdu.TYPE_UNMATCHED
        mode, status = self.values[2]
        before, after = _ACCOUNT_STEPS[method]
        if status != before:
            return apdu.TEMPORARY_FAILURE
        self.values[2] = (mode, after)
        if method == _RESET:
            self.values |= {5: 0, 6: 0, 8: 0, 13: _NO_MOMENT, 14: _NO_MOMENT}
        else:
            self.values[13 if method == _ACTIVATE else 14] = self._now()
        return apdu.SUCCESS


class Credit(Stored):
    """Class 112. Methods add to the amount, set it, and say that the credit is to be used."""

    NEEDS = frozenset({2, 8})

    def act(self, method: int, parameter: axdr.Value, origin: Origin) -> Answer:
        """`update_amount`, `set_amount_to_value` (returns the amount before), `invoke_credit`."""
        if not whole(parameter):
            return apdu.TYPE_UNMATCHED
        before = self.values[2]
        if method == 1:
            if before + parameter not in _INT32:
                return apdu.OTHER_REASON
            self.values[2] = before + parameter
            return apdu.SUCCESS
        if method == 2:
            if parameter not in _INT32:
                return apdu.OTHER_REASON
            self.values[2] = parameter
            return apdu.Acted(apdu.SUCCESS, axdr.int32(before))
        if method == 3:
            self.values[8] = _IN_USE
            return apdu.SUCCESS
        return apdu.OBJECT_UNAVAILABLE


class Charge(Stored):
    """Class 113. Its rates change as a whole: a passive table is written and then put in force.

    :param collect: what is due now, in the account's currency; called by `collect`.
    :param now: 12 bytes of the moment of a collection.
    """

    NEEDS = frozenset({2, 5, 6, 10, 11, 12})

    def __init__(self, values: Mapping[int, Any], *, collect: Callable[[], int], now: Callable[[], bytes]) -> None:
        super().__init__(values)
        self._collect = collect
        self._now = now

    def write(self, attribute: int, value: axdr.Value) -> int:
        """The table in force is never written."""
        return apdu.READ_WRITE_DENIED if attribute == _ACTIVE_TABLE else super().write(attribute, value)

    def act(self, method: int, parameter: axdr.Value, origin: Origin) -> Answer:
        """`update_unit_charge` (rates of the passive table by their index), `activate_passive_unit_charge`, `collect`,
        `update_total_amount_remaining`, `set_total_amount_remaining`."""
        if method == 1:
            return self._update(parameter)
        if not whole(parameter):
            return apdu.TYPE_UNMATCHED
        match method:
            case 2:
                self.values[_ACTIVE_TABLE] = self.values[_PASSIVE_TABLE]
                return apdu.SUCCESS
            case 3:
                return self._take()
            case 4:
                return self._leave(self.values[12] + parameter)
        return self._leave(parameter)

    def _update(self, parameter: axdr.Value) -> int:
        try:
            _RATES.encode(parameter)
        except DlmsError:
            return apdu.TYPE_UNMATCHED
        scaling, commodity, table = self.values[_PASSIVE_TABLE]
        rates: dict[bytes, int] = dict(table) | dict(parameter)  # type: ignore[arg-type]
        if len(rates) > _RATES_AT_MOST:
            return apdu.OTHER_REASON
        self.values[_PASSIVE_TABLE] = (scaling, commodity, list(rates.items()))
        return apdu.SUCCESS

    def _take(self) -> int:
        amount = self._collect()
        paid, left = self.values[2] + amount, self.values[12] - amount
        if paid not in _INT32 or left not in _INT32:
            return apdu.OTHER_REASON
        self.values |= {2: paid, 10: self._now(), 11: amount, 12: left}
        return apdu.SUCCESS

    def _leave(self, amount: int) -> int:
        if amount not in _INT32:
            return apdu.OTHER_REASON
        self.values[12] = amount
        return apdu.SUCCESS


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


LONGEST_TOKEN: Final = 128

_ACTIVATE, _RESET = 1, 3
# Method to the status before and after it: 1 new, 2 active, 3 closed.
_ACCOUNT_STEPS: Final = {_ACTIVATE: (1, 2), 2: (2, 3), _RESET: (3, 1)}
_NO_MOMENT: Final = b"\xff" * 12
_ACTIVE_TABLE: Final = 5
_PASSIVE_TABLE: Final = 6
_RATES: Final = layout("array(structure(octet-string, long))")
_RATES_AT_MOST: Final = 64
_INT32: Final = range(-(2**31), 2**31)
_IN_USE: Final = 3
_REMOTE: Final = 0
_RECEIVED: Final = 8
_FORMAT_WRONG: Final = 4
