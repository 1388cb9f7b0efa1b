"""The server's half of the object model: answers encoded on demand from a device, which holds no object per value.

What never changes is encoded once for the whole model; what a meter measures is asked of the `Device` by the object's
name and attribute number, as a plain Python value that the object's type then encodes.
"""

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Any, Final, NamedTuple, Protocol

from bahal.dlms import acse, apdu, axdr, security
from bahal.dlms.errors import DlmsError, MalformedApdu, ValueOutOfRange
from bahal.dlms.objects import classes, profile
from bahal.dlms.objects.classes import SIMPLE_TYPES
from bahal.dlms.objects.layouts import ATTRIBUTES
from bahal.dlms.objects.model import PUBLIC_SAP, PUSH_SAP, SETTING_SAP, CosemObject, ObjectModel, obis
from bahal.dlms.objects.profile import BufferWriter, RowChoice
from bahal.dlms.quirks import Quirks

SERVER_SAP: Final = 1
SERVER_MAX_PDU: Final = 1024

SERVER_CONFORMANCE: Final = acse.conformance(
    "general_protection",
    "general_block_transfer",
    "block_get",
    "block_set",
    "block_action",
    "multiple_references",
    "data_notification",
    "get",
    "set",
    "selective_access",
    "event_notification",
    "action",
)

CURRENT_ASSOCIATION: Final = obis("0.0.40.0.0.255")
REPLY_TO_HLS: Final = 1

_OBIS_CONTEXT: Final = bytes.fromhex("608574050801")
_OBIS_MECHANISM: Final = bytes.fromhex("608574050802")
_NO_MOMENT: Final = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80\x00\xff"
_ASSOCIATED: Final = 2
_NORMAL_FIFO: Final = 1
_CRYSTAL: Final = 1
_SUITE_0: Final = 0


class Origin(NamedTuple):
    """Which frame asks: the client's SAP, its invocation counter (None without ciphering), the APDU as it came."""

    sap: int
    counter: int | None
    frame: bytes


class Keys(NamedTuple):
    """What one association needs: encryption and authentication key (16 bytes each, empty without ciphering) and the
    LLS password or the HLS secret."""

    encryption: bytes
    authentication: bytes
    secret: bytes


class Device(Protocol):
    """A meter as the server sees it. Names are those of the object model."""

    @property
    def system_title(self) -> bytes:
        """8 bytes."""
        ...

    @property
    def quirks(self) -> Quirks:
        """How its make departs from the standard."""
        ...

    def keys(self, sap: int) -> Keys | None:
        """The keys of a client's association, or None when the meter does not know that client."""
        ...

    def counter_floor(self, sap: int) -> int:
        """The smallest invocation counter that is still accepted from this client."""
        ...

    def raise_counter_floor(self, sap: int, floor: int) -> None:
        """A client's frame was accepted: only counters from `floor` on are accepted from now."""
        ...

    def take_counter(self, sap: int) -> int:
        """The meter's own next invocation counter under that association's key; never the same twice."""
        ...

    def value(self, name: str, attribute: int) -> Any:
        """The value of one attribute: int, bool, str, bytes, `BitString` or, for a moment, its 12 bytes."""
        ...

    def rows(self, name: str, choice: RowChoice) -> Sequence[Sequence[Any]]:
        """Rows of a profile, oldest first, with all its columns."""
        ...

    def entries(self, name: str) -> int:
        """How many rows a profile holds now."""
        ...

    def write(self, name: str, attribute: int, value: axdr.Value, origin: Origin) -> int:
        """Take a value of the right type; returns a data-access-result."""
        ...

    def act(self, name: str, method: int, parameter: axdr.Value, origin: Origin) -> int | apdu.Acted:
        """Do what a method asks; returns an action-result, alone or with what the method returns."""
        ...


_Reader = Callable[[Device, int], bytes]


def fixed(encoded: bytes) -> _Reader:
    """A reader for what is the same in every meter."""
    return lambda device, sap: encoded


class Answers:
    """Reads, writes and acts on one object model; shared by all meters of its kind."""

    __slots__ = ("_bodies", "_lists", "_readers", "_writers", "model", "zone")

    def __init__(self, model: ObjectModel, *, zone: tzinfo) -> None:
        self.model = model
        self.zone = zone
        self._lists: dict[int, bytes] = {}
        self._writers: dict[str, BufferWriter] = {
            each.name: BufferWriter(each.columns) for each in model if each.interface.id == classes.PROFILE_GENERIC
        }
        self._readers: dict[bytes, tuple[frozenset[int], _Reader]] = {}
        for each in model:
            head = each.interface.id.to_bytes(2, "big") + each.ln
            for number in each.interface.attributes:
                saps = frozenset(sap for sap in each.read if each.may_read(number, sap))
                if saps:
                    self._readers[head + bytes((number,))] = (saps, self._reader(each, number))

        self._bodies: dict[str, list[_Reader]] = {
            each.name: [self._reader(column.source, column.attribute) for column in each.columns]
            for each in model
            if each.interface.id == classes.PUSH_SETUP
        }

    def push_body(self, name: str, device: Device) -> bytes:
        """The body of a DataNotification: a structure of what the push setup of that name captures, as raw A-XDR."""
        return axdr.structure(*(reader(device, PUSH_SAP) for reader in self._bodies[name]))

    def read(self, target: bytes, device: Device, sap: int) -> apdu.Answer:
        """GET without a selection. `target` is class (2), logical name (6) and attribute (1) as they stand in the APDU.

        Returns raw A-XDR or a data-access-result.
        """
        found = self._readers.get(target)
        if found is None or sap not in found[0]:
            return self._refusal(target, sap)
        return found[1](device, sap)

    def select(self, target: bytes, selection: bytes, device: Device, sap: int) -> apdu.Answer:
        """GET with a selection; only the buffer of a profile can be selected from."""
        allowed = self._readers.get(target)
        found = self.model.find(target[0] << 8 | target[1], target[2:8])
        if allowed is None or found is None or sap not in allowed[0]:
            return self._refusal(target, sap)
        if found.interface.id != classes.PROFILE_GENERIC or target[8] != 2:
            return apdu.SCOPE_OF_ACCESS_VIOLATED
        try:
            choice, places = profile.chosen(selection, found, zone=self.zone)
        except DlmsError:
            return apdu.TYPE_UNMATCHED
        rows = self._rows(found, device, choice)
        if len(places) == len(found.columns):
            return self._writers[found.name].write(rows)
        writer = BufferWriter([found.columns[place] for place in places])
        return writer.write([[row[place] for place in places] for row in rows])

    def write(self, target: bytes, value: bytes, device: Device, origin: Origin) -> int:
        """SET; `value` is raw A-XDR. Returns a data-access-result."""
        found = self.model.find(target[0] << 8 | target[1], target[2:8])
        number = target[8]
        if found is None or not found.may_write(number, origin.sap):
            return self._refusal(target, origin.sap)
        kind = found.type_of(number)
        simple, made_of = SIMPLE_TYPES.get(kind), ATTRIBUTES.get(kind)
        if made_of is not None:
            try:
                return device.write(found.name, number, made_of.read(value), origin)
            except DlmsError:
                return apdu.TYPE_UNMATCHED
        if simple is None or not value or value[0] != simple.tag:
            return apdu.TYPE_UNMATCHED
        return device.write(found.name, number, axdr.decode(value), origin)

    def act(self, target: bytes, parameter: bytes | None, device: Device, origin: Origin) -> apdu.Acted:
        """ACTION; `parameter` is raw A-XDR. Returns an action-result and what the method returns."""
        found = self.model.find(target[0] << 8 | target[1], target[2:8])
        if found is None or not found.may_act(target[8], origin.sap):
            return apdu.Acted(self._refusal(target, origin.sap))
        done = device.act(found.name, target[8], None if parameter is None else axdr.decode(parameter), origin)
        return apdu.Acted(done) if isinstance(done, int) else done

    def _refusal(self, target: bytes, sap: int) -> int:
        """Why nothing is answered; what a client may not see at all is undefined to it."""
        found = self.model.find(target[0] << 8 | target[1], target[2:8])
        if found is None:
            if self.model.holds(target[2:8]):
                return apdu.OBJECT_CLASS_INCONSISTENT
            return apdu.OBJECT_UNDEFINED
        return apdu.READ_WRITE_DENIED if found.visible_to(sap) else apdu.OBJECT_UNDEFINED

    def _rows(self, found: CosemObject, device: Device, choice: RowChoice) -> Sequence[Sequence[Any]]:
        if found.scales is None:
            return device.rows(found.name, choice)
        return [[scaler_unit(column.source) for column in found.columns]]

    def _reader(self, found: CosemObject, number: int) -> _Reader:
        """How one attribute is encoded: looked up once, when the model is taken."""
        if number == 1:
            return fixed(axdr.octets(found.ln))
        special = _SPECIAL.get(found.interface.id)
        reader = None if special is None else special(self, found, number)
        if reader is not None:
            return reader
        name, kind = found.name, found.type_of(number)
        encode = SIMPLE_TYPES[kind].encode if kind in SIMPLE_TYPES else ATTRIBUTES[kind].encode
        return lambda device, sap: encode(device.value(name, number))

    # Classes whose attributes are more than one simple value. Each returns None for those that are.

    def _register(self, found: CosemObject, number: int) -> _Reader | None:
        return fixed(scaler_unit(found)) if number == 3 else None

    def _profile(self, found: CosemObject, number: int) -> _Reader:
        name, writer = found.name, self._writers[found.name]
        match number:
            case 2:
                return lambda device, sap: writer.write(self._rows(found, device, profile.EVERY_ROW))
            case 3:
                return fixed(profile.capture_objects(found.columns))
            case 4:
                return fixed(axdr.uint32(found.period))
            case 5:
                return fixed(axdr.enum(_NORMAL_FIFO))
            case 6:
                return fixed(axdr.structure(axdr.uint16(0), axdr.octets(bytes(6)), axdr.int8(0), axdr.uint16(0)))
            case 7 if found.scales is None:
                return lambda device, sap: axdr.uint32(device.entries(name))
            case 7:
                return fixed(axdr.uint32(1))
        return fixed(axdr.uint32(found.depth))

    def _clock(self, found: CosemObject, number: int) -> _Reader | None:
        if number == 2:
            return None
        offset = self.zone.utcoffset(None)
        if offset is None:
            raise ValueOutOfRange("zone without a fixed offset", self.zone)
        return fixed(
            {
                3: axdr.int16(-int(offset.total_seconds()) // 60),
                4: axdr.uint8(0),
                5: axdr.octets(_NO_MOMENT),
                6: axdr.octets(_NO_MOMENT),
                7: axdr.int8(0),
                8: axdr.boolean(False),
                9: axdr.enum(_CRYSTAL),
            }[number]
        )

    def _association(self, found: CosemObject, number: int) -> _Reader:
        own = None if found.ln == CURRENT_ASSOCIATION else 16 * found.ln[4]

        def sap_of(sap: int) -> int:
            return sap if own is None else own

        match number:
            case 2:
                return lambda device, sap: self._object_list(sap_of(sap))
            case 3:
                return lambda device, sap: axdr.structure(axdr.int8(sap_of(sap)), axdr.uint16(SERVER_SAP))
            case 4:
                return lambda device, sap: axdr.octets(
                    _OBIS_CONTEXT + bytes((acse.CONTEXT_PLAIN if sap_of(sap) == PUBLIC_SAP else acse.CONTEXT_CIPHERED,))
                )
            case 5:
                return fixed(
                    axdr.structure(
                        axdr.bits(axdr.BitString(24, SERVER_CONFORMANCE.to_bytes(3, "big"))),
                        axdr.uint16(SERVER_MAX_PDU),
                        axdr.uint16(SERVER_MAX_PDU),
                        axdr.uint8(acse.DLMS_VERSION),
                        axdr.int8(0),
                        axdr.octets(b""),
                    )
                )
            case 6:
                return lambda device, sap: axdr.octets(
                    _OBIS_MECHANISM + bytes((mechanism_of(sap_of(sap), device.quirks),))
                )
            case 8:
                return fixed(axdr.enum(_ASSOCIATED))
        return lambda device, sap: axdr.octets(
            bytes(6) if sap_of(sap) == PUBLIC_SAP else bytes((0, 0, 43, 0, sap_of(sap) // 16, 255))
        )

    def _push(self, found: CosemObject, number: int) -> _Reader | None:
        if number == 2:
            return fixed(profile.capture_objects(found.columns))
        if number == 3:
            # TCP, to where the meter's maker or owner has set it; A-XDR encoded xDLMS APDU.
            return lambda device, sap: axdr.structure(
                axdr.enum(0), axdr.octets(device.value(found.name, 3)), axdr.enum(0)
            )
        return fixed({4: axdr.array(), 5: axdr.uint16(0), 6: axdr.uint8(3), 7: axdr.uint16(10)}[number])

    def _security(self, found: CosemObject, number: int) -> _Reader:
        name = found.name
        match number:
            case 2:
                return lambda device, sap: axdr.enum(device.value(name, 2))
            case 3:
                return fixed(axdr.enum(_SUITE_0))
            case 4:
                return lambda device, sap: axdr.octets(device.value(name, 4))
        return lambda device, sap: axdr.octets(device.system_title)

    def _limiter(self, found: CosemObject, number: int) -> _Reader | None:
        if number == 2:
            monitored = self.model["active_power"]
            return fixed(axdr.structure(axdr.uint16(monitored.interface.id), axdr.octets(monitored.ln), axdr.int8(2)))
        return None

    def _object_list(self, sap: int) -> bytes:
        """Attribute 2 of an association: every object that client can see, with its rights. Made once per client."""
        encoded = self._lists.get(sap)
        if encoded is None:
            encoded = axdr.array(*(_list_element(each, sap) for each in self.model if each.visible_to(sap)))
            self._lists[sap] = encoded
        return encoded


_SPECIAL: Final[dict[int, Callable[[Answers, CosemObject, int], _Reader | None]]] = {
    classes.REGISTER: Answers._register,
    classes.EXTENDED_REGISTER: Answers._register,
    classes.PROFILE_GENERIC: Answers._profile,
    classes.CLOCK_CLASS: Answers._clock,
    classes.ASSOCIATION_LN: Answers._association,
    classes.PUSH_SETUP: Answers._push,
    classes.SECURITY_SETUP: Answers._security,
    classes.LIMITER: Answers._limiter,
}


def mechanism_of(sap: int, quirks: Quirks) -> int:
    """Which authentication mechanism a client's association uses: none, LLS, or the make's HLS."""
    if sap == PUBLIC_SAP:
        return security.MECHANISM_NONE
    return quirks.hls_mechanism if sap == SETTING_SAP else security.MECHANISM_LLS


def scaler_unit(register: CosemObject) -> bytes:
    """Attribute 3 of a register: {power of ten, unit}."""
    if register.scaler is None:
        raise MalformedApdu(f"{register.name} has no scaler")
    power, unit = register.scaler
    return axdr.structure(axdr.int8(power), axdr.enum(unit))


def _list_element(found: CosemObject, sap: int) -> bytes:
    """{class, version, logical name, {attribute rights, method rights}}; rights as in class 15 version 1."""
    attributes = [
        axdr.structure(
            axdr.int8(number),
            axdr.enum(found.may_read(number, sap) | found.may_write(number, sap) << 1),
            axdr.array(axdr.int8(apdu.BY_RANGE), axdr.int8(apdu.BY_ENTRY))
            if found.interface.id == classes.PROFILE_GENERIC and number == 2
            else axdr.null(),
        )
        for number in found.interface.attributes
    ]
    methods = [
        axdr.structure(axdr.int8(number), axdr.enum(found.may_act(number, sap))) for number in found.interface.methods
    ]
    return axdr.structure(
        axdr.uint16(found.interface.id),
        axdr.uint8(found.version),
        axdr.octets(found.ln),
        axdr.structure(axdr.array(*attributes), axdr.array(*methods)),
    )
