"""Objects that do something of their own: a script table, a schedule, a calendar, an arbitrator, new keys.

Each is the meter's side of one interface class of the Blue Book, given to a `StoredMeter` by its object's name; those
of payment are in `bahal.dlms.objects.payment`. What is only kept (a register monitor, a single action, a limiter) needs
no part: its values are stored. Nothing here looks at a clock: whoever has one calls the method when it is time.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Protocol, TypeGuard

from bahal.dlms import apdu, axdr
from bahal.dlms.axdr import BitString
from bahal.dlms.errors import DlmsError, NothingStored
from bahal.dlms.objects.layouts import ATTRIBUTES
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
    """An object whose attributes are kept and may be written; the base of the others.

    `NEEDS` are the attributes that its methods work on and that must be given.
    """

    NEEDS: ClassVar[frozenset[int]] = frozenset()

    def __init__(self, values: Mapping[int, Any]) -> None:
        """:raises NothingStored: one of the attributes that it needs is not given."""
        missing = self.NEEDS - values.keys()
        if missing:
            raise NothingStored(type(self).__name__, min(missing))
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
        if not whole(parameter):
            return apdu.TYPE_UNMATCHED
        found = next((actions for number, actions in self.values[2] if number == parameter), None)
        return apdu.OBJECT_UNAVAILABLE if found is None or not parameter else self._run(parameter, found)


class Schedule(Stored):
    """Class 10. Entries are tuples of attribute 2, kept in the order of their index, 1 to 9999."""

    NEEDS = frozenset({2})

    def act(self, method: int, parameter: axdr.Value, origin: Origin) -> Answer:
        """`enable_disable` (a range is disabled, another enabled), `insert` (an index that is there is replaced),
        `delete` (a range); a range whose first is behind its last is empty."""
        entries = self.values[2]
        match method, parameter:
            case 1, (int() as off, int() as off_to, int() as on, int() as on_to):
                self.values[2] = [
                    (each[0], on <= each[0] <= on_to or (each[1] and not off <= each[0] <= off_to), *each[2:])
                    for each in entries
                ]
            case 2, tuple():
                return self._insert(parameter)
            case 3, (int() as first, int() as last):
                self.values[2] = [each for each in entries if not first <= each[0] <= last]
            case _:
                return apdu.TYPE_UNMATCHED
        return apdu.SUCCESS

    def write(self, attribute: int, value: axdr.Value) -> int:
        """All entries anew."""
        if not isinstance(value, list) or len({each[0] for each in value}) != len(value):  # type: ignore[index]
            return apdu.OTHER_REASON
        return super().write(attribute, value)

    def _insert(self, entry: tuple[Any, ...]) -> int:
        try:
            ATTRIBUTES["schedule"].encode([entry])
        except DlmsError:
            return apdu.TYPE_UNMATCHED
        if not 1 <= entry[0] <= _LAST_INDEX:
            return apdu.OTHER_REASON
        others = [each for each in self.values[2] if each[0] != entry[0]]
        self.values[2] = sorted([*others, entry], key=lambda each: int(each[0]))
        return apdu.SUCCESS


class Arbitrator(Stored):
    """Class 68. Actors ask for actions; what is asked, permitted and weighs most is done by `run`, the action's number.

    Actors and actions are numbered from 1. Where two weigh the same nothing is done: nobody has decided.
    """

    NEEDS = frozenset({2, 3, 4, 5, 6})

    def __init__(self, values: Mapping[int, Any], run: Callable[[int, tuple[bytes, int]], int]) -> None:
        super().__init__(values)
        self._run = run

    def act(self, method: int, parameter: axdr.Value, origin: Origin) -> Answer:
        """`request_action`, a structure of an actor and the bits of the actions asked for, and `reset`."""
        if method == 2:
            self.values[5] = [BitString.of(len(self.values[2])) for _ in self.values[3]]
            self.values[6] = 0
            return apdu.SUCCESS
        match parameter:
            case (int() as actor, BitString() as asked):
                return self._request(actor, asked)
        return apdu.TYPE_UNMATCHED

    def _request(self, actor: int, asked: BitString) -> int:
        actions, permitted, weights = self.values[2], self.values[3], self.values[4]
        tables = min(len(permitted), len(weights), len(self.values[5]))
        if not 1 <= actor <= tables or asked.length != len(actions):
            return apdu.OTHER_REASON
        may = set(permitted[actor - 1].positions())
        self.values[5] = list(self.values[5])
        self.values[5][actor - 1] = BitString.of(len(actions), *may.intersection(asked.positions()))
        sums = [0] * len(actions)
        for requests, row in zip(self.values[5], weights, strict=False):
            for nth in requests.positions():
                if nth < min(len(row), len(sums)):
                    sums[nth] += row[nth]
        most = max(sums, default=0)
        if not most or sums.count(most) > 1:
            return apdu.SUCCESS
        self.values[6] = sums.index(most) + 1
        return self._run(self.values[6], actions[self.values[6] - 1])


class ActivityCalendar(Stored):
    """Class 20. Writes go to the passive calendar (attributes 6 to 10); method 1 puts it in force as a whole."""

    NEEDS = frozenset(range(2, 10))

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


def whole(parameter: axdr.Value) -> TypeGuard[int]:
    """Whether a parameter is a number; a boolean is none."""
    return isinstance(parameter, int) and not isinstance(parameter, bool)


_LAST_INDEX: Final = 9_999
