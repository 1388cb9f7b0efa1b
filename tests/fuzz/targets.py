"""What is fuzzed: one function of bytes for each decoder. Whatever comes, only a `DlmsError` may come out."""

import contextlib
from collections.abc import Callable, Mapping
from functools import cache

from bahal.dlms import acse, apdu, axdr, clock, columns, india, push, rows, security, wrapper
from bahal.dlms.apdu import responses, selection
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.server import ServerAssociation
from bahal.dlms.errors import DlmsError
from bahal.dlms.hdlc import Deframer
from bahal.dlms.objects.classes import CLASSES
from bahal.dlms.objects.layouts import ATTRIBUTES
from bahal.dlms.objects.serving import Origin
from bahal.dlms.objects.stored import StoredMeter
from bahal.dlms.security import Cipher
from tests.dlms import bench_classes
from tests.dlms.bench_meter import ANSWERS, Bench
from tests.dlms.meter import AUTHENTICATION_KEY, CLIENT_TITLE, ENCRYPTION_KEY, METER_TITLE

CIPHER = Cipher(ENCRYPTION_KEY, AUTHENTICATION_KEY)
LAYOUT = ("octets:12", "uint32", "uint16", "int8")


def each(*functions: Callable[[bytes], object]) -> Callable[[bytes], None]:
    """All of these, each for itself."""

    def all_of_them(data: bytes) -> None:
        for function in functions:
            with contextlib.suppress(DlmsError):
                function(data)

    return all_of_them


def _stream(made: Callable[[], object]) -> Callable[[bytes], None]:
    """A deframer that gets the bytes whole, and another that gets them in three pieces."""

    def feed(data: bytes) -> None:
        for pieces in ((data,), (data[: len(data) // 3], data[len(data) // 3 : -1], data[-1:])):
            deframer = made()
            with contextlib.suppress(DlmsError):
                for piece in pieces:
                    deframer.feed(piece)  # type: ignore[attr-defined]

    return feed


def _protected(data: bytes) -> None:
    """As it is, and as the plain text of a frame that is properly sealed: a meter with the key may lie too."""
    with contextlib.suppress(DlmsError):
        CIPHER.open(security.ENCRYPTED, METER_TITLE, security.unwrap(data))
    with contextlib.suppress(DlmsError):
        security.unwrap_general(data)
    sealed = CIPHER.seal(0x30, METER_TITLE, 7, data)
    assert CIPHER.open(security.AUTHENTICATED_ENCRYPTED, METER_TITLE, sealed) == (7, data)


def _pushed(data: bytes) -> None:
    with contextlib.suppress(DlmsError):
        push.open_notification(data, CIPHER, -1)
    notification = security.wrap_general(security.GENERAL_GLO, METER_TITLE, CIPHER.seal(0x30, METER_TITLE, 7, data))
    with contextlib.suppress(DlmsError):
        push.open_notification(notification, CIPHER, -1)
    with contextlib.suppress(DlmsError):
        india.read_alert(data)


@cache
def _decoder() -> columns.ProfileDecoder:
    captures = (columns.Capture(8, india.CLOCK_LN, 2), *(columns.Capture(1, bytes((0, 0, 96, nth, 0, 255)), 2)
                                                        for nth in range(3)))  # fmt: skip
    return columns.compile_profile(captures, ("clock", "uint32", "uint16", "int8"), zone=india.IST, period_s=1800)


def _profile(data: bytes) -> None:
    with contextlib.suppress(DlmsError):
        rows.compiled(LAYOUT).rows(data)
    with contextlib.suppress(DlmsError):
        rows.generic_rows(data)
    with contextlib.suppress(DlmsError):
        _decoder().decode(data)


def _client(data: bytes) -> None:
    """An open association of a client that has asked for something; the bytes are the meter's, sealed or not."""
    for sealed in (False, True):
        bench = Bench().open()
        bench.client.get(1, bytes((0, 0, 96, 1, 0, 255)), 2)
        content = bench.server  # the meter's own counter goes on
        message = data
        if sealed:
            message = security.wrap(0xCC, CIPHER.seal(0x30, METER_TITLE, content._device.take_counter(48), data))
        with contextlib.suppress(DlmsError):
            if message:
                bench.client.receive(wrapper.frame(1, 48, message))


def _server(data: bytes) -> None:
    """A meter's association, before and after it is open; the bytes are the client's, sealed or not."""
    fresh = ServerAssociation(Bench().meter, answers=ANSWERS)
    with contextlib.suppress(DlmsError):
        fresh.receive(data)
    if not data:
        return
    public = Bench(sap=16).open()
    with contextlib.suppress(DlmsError):
        public.server.receive(wrapper.frame(16, 1, data))
    secret = Bench().open()
    counter = secret.client.counter
    for message in (data, security.wrap(0xC8, CIPHER.seal(0x30, CLIENT_TITLE, counter, data))):
        with contextlib.suppress(DlmsError):
            secret.server.receive(wrapper.frame(48, 1, message))


def _objects(data: bytes) -> None:
    """Writes and methods on the objects that do something, one after another: class, number (from 128 on a method) and
    length of the parameter, then the parameter. Whatever was taken, all that can be read is still readable."""
    answers = bench_classes.ANSWERS
    meter = StoredMeter(system_title=METER_TITLE, parts=bench_classes.all_parts())
    origin = Origin(48, None, b"")
    touched: set[int] = set()
    while len(data) >= 3:
        class_id, number, size = data[:3]
        parameter, data = data[3 : 3 + size], data[3 + size :]
        if f"c{class_id}" not in bench_classes.all_parts():
            continue
        touched.add(class_id)
        target = class_id.to_bytes(2, "big") + bench_classes.LN[class_id] + bytes((number & 0x7F,))
        with contextlib.suppress(DlmsError):
            if number & 0x80:
                answers.act(target, parameter or None, meter, origin)
            else:
                answers.write(target, parameter, meter, origin)
    for class_id in touched:
        head = class_id.to_bytes(2, "big") + bench_classes.LN[class_id]
        for number in CLASSES[class_id].attributes:
            assert isinstance(answers.read(head + bytes((number,)), meter, 48), bytes)


def _opening(data: bytes) -> None:
    """The answer to an AARQ."""
    client = ClientAssociation(client_sap=16, mechanism=0, security_control=0)
    client.open()
    with contextlib.suppress(DlmsError):
        client.receive(data)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "axdr": each(
        axdr.decode, lambda data: axdr.decode(data, lenient=True), *(each_.read for each_ in ATTRIBUTES.values())
    ),
    "apdu": each(
        apdu.parse_request,
        responses.parse_answers,
        responses.parse_acted_list,
        responses.parse_acted,
        apdu.parse_block,
        apdu.parse_set_response,
        apdu.parse_action_response,
        apdu.parse_exception,
        apdu.parse_general_block,
        apdu.parse_data_notification,
        apdu.parse_event_notification,
        selection.parse_selection,
        lambda data: clock.decode(data, zone=india.IST),
    ),
    "acse": each(
        acse.parse_aarq,
        acse.parse_aare,
        acse.parse_initiate_request,
        acse.parse_initiate_response,
        lambda data: acse.parse_release(data, acse.RLRQ),
        lambda data: acse.parse_release(data, acse.RLRE),
        _opening,
    ),
    "wrapper": _stream(wrapper.Deframer),
    "hdlc": _stream(Deframer),
    "protected": _protected,
    "push": _pushed,
    "profile": _profile,
    "client": _client,
    "server": _server,
    "objects": _objects,
}
