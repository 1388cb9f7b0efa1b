"""A meter that keeps its values in a dictionary: for an example, a test, or a simulator with few meters."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from bahal.dlms import apdu, axdr, clock
from bahal.dlms.errors import CounterExhausted, NothingStored
from bahal.dlms.objects.parts import Part
from bahal.dlms.objects.profile import Between, RowChoice
from bahal.dlms.objects.serving import Keys, Origin
from bahal.dlms.quirks import STANDARD, Quirks
from bahal.dlms.security import COUNTER_LIMIT

Method = Callable[[axdr.Value, Origin], int | apdu.Acted]

UTC = timezone(timedelta(0))


class StoredMeter:
    """A `Device` for `ServerAssociation`.

    :param system_title: 8 bytes.
    :param keys: by the client's SAP; 16, the public client, needs none.
    :param values: (object's name, attribute) to the value that the object's type encodes; writes go here too.
    :param rows: profile's name to its rows, oldest first; a range is one of the first column, a moment of 12 bytes.
    :param methods: (object's name, method) to what is called with the decoded parameter.
    :param parts: object's name to what keeps its values and does its methods (`bahal.dlms.objects.parts`).
    :param zone: of moments that name no deviation.
    :param counter: first of the meter's own invocation counters; never below one used before under the same keys.
    """

    def __init__(
        self,
        *,
        system_title: bytes,
        keys: Mapping[int, Keys] | None = None,
        values: Mapping[tuple[str, int], Any] | None = None,
        rows: Mapping[str, Sequence[Sequence[Any]]] | None = None,
        methods: Mapping[tuple[str, int], Method] | None = None,
        parts: Mapping[str, Part] | None = None,
        quirks: Quirks = STANDARD,
        zone: tzinfo = UTC,
        counter: int = 0,
    ) -> None:
        self.system_title = system_title
        self.quirks = quirks
        self.values = dict(values or {})
        self.profiles = {name: list(found) for name, found in (rows or {}).items()}
        self._keys = {16: Keys(b"", b"", b"")} | dict(keys or {})
        self._methods = dict(methods or {})
        self._parts = dict(parts or {})
        self._zone = zone
        self._counter = counter
        self._floors: dict[int, int] = {}

    def keys(self, sap: int) -> Keys | None:
        """The keys of a client's association."""
        return self._keys.get(sap)

    def counter_floor(self, sap: int) -> int:
        """The smallest invocation counter accepted from this client."""
        return self._floors.get(sap, 0)

    def raise_counter_floor(self, sap: int, floor: int) -> None:
        """Accept only counters from `floor` on."""
        self._floors[sap] = floor

    def take_counter(self, sap: int) -> int:
        """The meter's next invocation counter; one row of them serves all keys.

        :raises CounterExhausted: 2^32 of them are used.
        """
        counter = self._counter
        if counter >= COUNTER_LIMIT - 1:
            raise CounterExhausted(COUNTER_LIMIT - 1)
        self._counter = counter + 1
        return counter

    def rekey(self, sap: int, keys: Keys) -> None:
        """Give a client's association other keys, from its next one on. Its counters go on rising."""
        self._keys[sap] = keys

    def value(self, name: str, attribute: int) -> Any:
        """What is stored, or what the object's part says.

        :raises NothingStored: the model promises more than this meter holds.
        """
        part = self._parts.get(name)
        try:
            return self.values[name, attribute] if part is None else part.value(attribute)
        except KeyError:
            raise NothingStored(name, attribute) from None

    def rows(self, name: str, choice: RowChoice) -> Sequence[Sequence[Any]]:
        """Rows of a profile; none where none are kept."""
        found = self.profiles.get(name, [])
        if isinstance(choice, Between):
            return [row for row in found if choice.from_at <= self._moment(row) <= choice.to_at]
        return found[choice.first - 1 : choice.last or None]

    def _moment(self, row: Sequence[Any]) -> datetime:
        return clock.decode(row[0], zone=self._zone)

    def entries(self, name: str) -> int:
        """How many rows a profile holds."""
        return len(self.profiles.get(name, ()))

    def write(self, name: str, attribute: int, value: axdr.Value, origin: Origin) -> int:
        """Store it, or hand it to the object's part."""
        part = self._parts.get(name)
        if part is not None:
            return part.write(attribute, value)
        self.values[name, attribute] = value
        return apdu.SUCCESS

    def act(self, name: str, method: int, parameter: axdr.Value, origin: Origin) -> int | apdu.Acted:
        """Call the method that is registered for it, or the part's."""
        part = self._parts.get(name)
        if part is not None:
            return part.act(method, parameter, origin)
        found = self._methods.get((name, method))
        return apdu.OBJECT_UNAVAILABLE if found is None else found(parameter, origin)
