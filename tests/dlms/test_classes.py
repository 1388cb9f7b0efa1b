"""Every interface class between our client and our server: values there and back, rights, methods, wrong forms."""

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import apdu, axdr
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import ActionDone, Event, Got, Opened, SetDone
from bahal.dlms.association.server import ServerAssociation
from bahal.dlms.axdr import BitString
from bahal.dlms.errors import DlmsError, NothingStored
from bahal.dlms.objects import image, security_setup
from bahal.dlms.objects.classes import CLASSES, LAYOUTS
from bahal.dlms.objects.image import ImageTransfer, Status
from bahal.dlms.objects.layouts import ATTRIBUTES, layout
from bahal.dlms.objects.model import obis
from bahal.dlms.objects.parts import ActivityCalendar, Arbitrator, KeyTransfer, Part, Schedule, ScriptTable
from bahal.dlms.objects.payment import Account, Charge, Credit, TokenGateway
from bahal.dlms.objects.security_setup import KeyId
from bahal.dlms.objects.serving import Keys
from bahal.dlms.objects.stored import StoredMeter
from bahal.dlms.security import Cipher
from tests.dlms.bench_classes import ANSWERS, LIMITER, LN, NEVER, SCRIPTS, VALUES
from tests.dlms.meter import AUTHENTICATION_KEY, CLIENT_TITLE, ENCRYPTION_KEY, METER_TITLE, SECRET


class Pair:
    """A meter with all of these objects and one client on it."""

    def __init__(self, parts: Mapping[str, Part] | None = None, *, sap: int = 48, keys: Keys | None = None) -> None:
        values = {(f"c{class_id}", number): value for class_id, of in VALUES.items() for number, value in of.items()}
        values |= {("c71", number): value for number, value in LIMITER.items()}
        both = Keys(ENCRYPTION_KEY, AUTHENTICATION_KEY, SECRET)
        self.meter = StoredMeter(
            system_title=METER_TITLE, keys={32: both, 48: both}, values=values, parts=parts, counter=1
        )
        self.counter = 1
        self.meet(sap, keys or both)

    def meet(self, sap: int, keys: Keys) -> None:
        """A new connection and association."""
        self.server = ServerAssociation(self.meter, answers=ANSWERS)
        self.client = ClientAssociation(
            client_sap=sap,
            mechanism=5 if sap == 48 else 1,
            security_control=0x30 if sap == 48 else 0x20,
            system_title=CLIENT_TITLE,
            cipher=Cipher(keys.encryption, keys.authentication),
            secret=SECRET,
            counter=self.counter,
            counter_end=self.counter + 10_000,
        )
        self.counter += 10_000
        assert isinstance(self.say(self.client.open()), Opened)

    def say(self, out: bytes) -> Event:
        events: list[Event] = []
        while out:
            events += self.client.receive(self.server.receive(out))
            out = self.client.outgoing()
        (event,) = events
        return event

    def get(self, class_id: int, number: int) -> Any:
        got = self.say(self.client.get(class_id, LN[class_id], number))
        assert isinstance(got, Got)
        return got.value

    def set(self, class_id: int, number: int, value: bytes) -> int:
        written = self.say(self.client.set(class_id, LN[class_id], number, value))
        assert isinstance(written, SetDone)
        return written.result

    def act(self, class_id: int, number: int, parameter: bytes) -> ActionDone:
        acted = self.say(self.client.action(class_id, LN[class_id], number, parameter))
        assert isinstance(acted, ActionDone)
        return acted

    def raw(self, class_id: int, number: int) -> bytes:
        got = self.say(self.client.get(class_id, LN[class_id], number))
        assert isinstance(got, Got)
        return got.data


@pytest.mark.parametrize("class_id", VALUES)
def test_every_attribute_comes_back_and_is_written_back(class_id: int) -> None:
    pair = Pair()
    assert set(VALUES[class_id]) == set(CLASSES[class_id].attributes) - {1}
    for number, value in VALUES[class_id].items():
        kind = CLASSES[class_id].attributes[number].type
        if "any" not in LAYOUTS.get(kind, ""):
            assert pair.get(class_id, number) == value, (class_id, number)
        encoded = pair.raw(class_id, number)
        del pair.meter.values[f"c{class_id}", number]
        assert pair.set(class_id, number, encoded) == apdu.SUCCESS, (class_id, number)
        assert pair.meter.values[f"c{class_id}", number] == value
        assert pair.set(class_id, number, axdr.null()) == apdu.TYPE_UNMATCHED
        if LAYOUTS.get(kind) != "array(any)":
            assert pair.set(class_id, number, axdr.array(axdr.null())) == apdu.TYPE_UNMATCHED


def test_a_limiter_monitors_and_its_thresholds_are_written() -> None:
    pair = Pair()
    assert pair.get(71, 2) == (3, obis("1.0.1.7.0.255"), 2)
    for number, value in LIMITER.items():
        assert pair.get(71, number) == value
        assert pair.set(71, number, pair.raw(71, number)) == apdu.SUCCESS
    assert pair.set(71, 4, axdr.uint32(7_000)) == apdu.SUCCESS
    assert pair.get(71, 4) == 7_000


def test_the_reading_client_reads_all_and_changes_nothing() -> None:
    pair = Pair(sap=32)
    for class_id in VALUES:
        encoded = pair.raw(class_id, 2)
        assert pair.set(class_id, 2, encoded) == apdu.READ_WRITE_DENIED
        for method in CLASSES[class_id].methods:
            assert pair.act(class_id, method, axdr.int8(0)).result == apdu.READ_WRITE_DENIED


# --- layouts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    ["", "array", "array()", "array(any", "structure(any,)", "array(any,any)", "number", "any any", "array(any))"],
)
def test_what_is_no_layout_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"layout|type|of what"):
        layout(wrong)


def test_values_that_do_not_fit_their_layout_are_refused() -> None:
    pair = ATTRIBUTES["script"]
    for wrong in ((b"x",), [b"x", 1], (b"x", 1, 2), (b"x", 70_000)):
        with pytest.raises(DlmsError):
            pair.encode(wrong)
    with pytest.raises(DlmsError):
        layout("any").encode(5)


@given(st.binary(max_size=60), st.sampled_from(sorted(ATTRIBUTES)))
def test_any_bytes_are_a_value_or_refused_by_name(raw: bytes, name: str) -> None:
    try:
        value = ATTRIBUTES[name].read(raw)
    except DlmsError:
        return
    assert ATTRIBUTES[name].read(ATTRIBUTES[name].encode(value)) == value


@given(st.data())
def test_a_changed_byte_of_a_value_never_becomes_another_layouts_value(data: st.DataObject) -> None:
    class_id = data.draw(st.sampled_from(sorted(VALUES)))
    number = data.draw(st.sampled_from(sorted(VALUES[class_id])))
    kind = CLASSES[class_id].attributes[number].type
    if kind not in ATTRIBUTES:
        return
    raw = bytearray(ATTRIBUTES[kind].encode(VALUES[class_id][number]))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        value = ATTRIBUTES[kind].read(bytes(raw))
    except DlmsError:
        return
    assert ATTRIBUTES[kind].read(ATTRIBUTES[kind].encode(value)) == value


# --- image transfer -----------------------------------------------------------------------------------------------

FIRMWARE = bytes(range(256)) * 5 + b"end"
NAME = hashlib.sha256(FIRMWARE).digest()


def firmware(active: list[bytes]) -> ImageTransfer:
    """A meter that takes an image whose name is its SHA-256."""
    return ImageTransfer(
        block_size=200,
        verify=lambda name, content: hashlib.sha256(content).digest() == name,
        activate=lambda name, content: active.append(content) is None,
    )


def test_an_image_arrives_is_verified_and_activated_also_over_two_connections() -> None:
    active: list[bytes] = []
    part = firmware(active)
    pair = Pair({"c18": part})
    assert pair.get(18, 6) == Status.NOT_INITIATED
    assert pair.act(18, 2, image.block(0, FIRMWARE[:200])).result == apdu.TEMPORARY_FAILURE
    assert pair.act(18, 1, image.initiate(NAME, len(FIRMWARE))).result == apdu.SUCCESS
    sent = list(image.blocks(FIRMWARE, pair.get(18, 2)))
    assert len(sent) == 7
    for number, content in (sent[0], sent[3], sent[0]):
        assert pair.act(18, 2, image.block(number, content)).result == apdu.SUCCESS
    assert pair.act(18, 3, image.NO_PARAMETER).result == apdu.TEMPORARY_FAILURE
    # The connection is lost: the same image again goes on where it stopped.
    pair.meet(48, Keys(ENCRYPTION_KEY, AUTHENTICATION_KEY, SECRET))
    assert pair.act(18, 1, image.initiate(NAME, len(FIRMWARE))).result == apdu.SUCCESS
    assert pair.get(18, 4) == 1
    arrived = pair.get(18, 3)
    assert arrived.positions() == [0, 3]
    for number, content in image.blocks(FIRMWARE, 200, arrived):
        assert pair.act(18, 2, image.block(number, content)).result == apdu.SUCCESS
    assert pair.get(18, 4) == 7
    assert pair.act(18, 4, image.NO_PARAMETER).result == apdu.TEMPORARY_FAILURE  # not verified yet
    assert pair.act(18, 3, image.NO_PARAMETER).result == apdu.SUCCESS
    assert pair.get(18, 7) == [(len(FIRMWARE), NAME, b"")]
    assert pair.act(18, 4, image.NO_PARAMETER).result == apdu.SUCCESS
    assert active == [FIRMWARE]
    assert pair.get(18, 6) == Status.ACTIVATION_SUCCESSFUL


def test_another_image_than_named_is_never_activated() -> None:
    active: list[bytes] = []
    pair = Pair({"c18": firmware(active)})
    assert pair.act(18, 1, image.initiate(NAME, len(FIRMWARE))).result == apdu.SUCCESS
    for number, content in image.blocks(FIRMWARE[:-1] + b"!", 200):
        assert pair.act(18, 2, image.block(number, content)).result == apdu.SUCCESS
    assert pair.act(18, 3, image.NO_PARAMETER).result == apdu.OTHER_REASON
    assert pair.get(18, 6) == Status.VERIFICATION_FAILED
    assert pair.get(18, 7) == []
    assert pair.act(18, 4, image.NO_PARAMETER).result == apdu.TEMPORARY_FAILURE
    assert active == []


@pytest.mark.parametrize(
    ("method", "parameter", "result"),
    [
        (1, image.initiate(NAME, 0), apdu.OTHER_REASON),
        (1, image.initiate(b"", 10), apdu.OTHER_REASON),
        (1, image.initiate(NAME, image.LONGEST_IMAGE + 1), apdu.OTHER_REASON),
        (1, axdr.int8(0), apdu.TYPE_UNMATCHED),
        (2, image.block(7, b"x" * 200), apdu.OTHER_REASON),
        (2, image.block(0, b"x" * 199), apdu.OTHER_REASON),
        (2, image.block(6, b"x" * 200), apdu.OTHER_REASON),
        (2, axdr.octets(b"x"), apdu.TYPE_UNMATCHED),
    ],
)
def test_blocks_that_are_none_change_nothing(method: int, parameter: bytes, result: int) -> None:
    pair = Pair({"c18": firmware([])})
    assert pair.act(18, 1, image.initiate(NAME, len(FIRMWARE))).result == apdu.SUCCESS
    assert pair.act(18, method, parameter).result == result
    assert pair.get(18, 4) == 0
    assert pair.set(18, 5, axdr.boolean(False)) == apdu.SUCCESS
    assert pair.act(18, 2, image.block(0, FIRMWARE[:200])).result == apdu.READ_WRITE_DENIED


# --- what else does something ----------------------------------------------------------------------------------------


def test_a_script_is_executed_by_its_number() -> None:
    done: list[tuple[int, int]] = []

    def run(number: int, actions: list[Any]) -> int:
        done.append((number, len(actions)))
        return apdu.SUCCESS

    pair = Pair({"c9": ScriptTable(VALUES[9][2], run)})
    assert pair.act(9, 1, axdr.uint16(1)).result == apdu.SUCCESS
    assert pair.act(9, 1, axdr.uint16(2)).result == apdu.OBJECT_UNAVAILABLE
    assert pair.act(9, 1, axdr.octets(b"1")).result == apdu.TYPE_UNMATCHED
    assert done == [(1, 1)]


def test_a_calendar_changes_as_a_whole() -> None:
    pair = Pair({"c20": ActivityCalendar(VALUES[20])})
    new = [(b"S2", NEVER, b"W2")]
    assert pair.set(20, 3, ATTRIBUTES["seasons"].encode(new)) == apdu.READ_WRITE_DENIED
    assert pair.set(20, 7, ATTRIBUTES["seasons"].encode(new)) == apdu.SUCCESS
    assert pair.get(20, 3) == VALUES[20][3]
    assert pair.act(20, 1, axdr.int8(0)).result == apdu.SUCCESS
    assert (pair.get(20, 2), pair.get(20, 3), pair.get(20, 5)) == (b"next", new, [(3, [])])


def test_a_credit_is_added_to_and_set() -> None:
    pair = Pair({"c112": Credit(VALUES[112])})
    assert pair.act(112, 1, axdr.int32(-345)).result == apdu.SUCCESS
    assert pair.get(112, 2) == 12_000
    done = pair.act(112, 2, axdr.int32(77))
    assert (done.result, done.data) == (apdu.SUCCESS, axdr.int32(12_000))
    assert pair.act(112, 1, axdr.int32(2**31 - 1)).result == apdu.OTHER_REASON
    assert pair.get(112, 2) == 77
    assert pair.act(112, 3, axdr.int8(0)).result == apdu.SUCCESS
    assert pair.get(112, 8) == 3


def test_a_token_is_entered_and_says_what_became_of_it() -> None:
    taken: list[bytes] = []

    def take(token: bytes) -> int:
        taken.append(token)
        return 3 if token == b"12345678901234567890" else 5

    pair = Pair({"c115": TokenGateway(take, now=lambda: NEVER)})
    done = pair.act(115, 1, axdr.octets(b"12345678901234567890"))
    assert done.data == axdr.structure(axdr.enum(3), axdr.bits(BitString(8, b"\0")))
    assert pair.get(115, 6)[0] == 3
    assert pair.act(115, 1, axdr.octets(b"0")).data == axdr.structure(axdr.enum(5), axdr.bits(BitString(8, b"\0")))
    pair.act(115, 1, axdr.octets(b"x" * 200))
    assert pair.get(115, 6)[0] == 4
    assert taken == [b"12345678901234567890", b"0"]
    assert pair.set(115, 2, axdr.octets(b"1")) == apdu.READ_WRITE_DENIED


def test_a_schedule_takes_and_drops_entries() -> None:
    pair = Pair({"c10": Schedule(VALUES[10])})
    seventh = VALUES[10][2][0]
    third, other = (3, *seventh[1:]), (7, False, *seventh[2:])

    def entry(value: Any) -> bytes:
        return layout(LAYOUTS["schedule"]).parts[0].encode(value)

    def numbers(*of: int) -> bytes:
        return axdr.structure(*(axdr.uint16(each) for each in of))

    assert pair.act(10, 2, entry(third)).result == apdu.SUCCESS
    assert pair.get(10, 2) == [third, seventh]
    assert pair.act(10, 2, entry(other)).result == apdu.SUCCESS
    assert pair.get(10, 2) == [third, other]
    assert pair.act(10, 1, numbers(1, 5, 6, 9)).result == apdu.SUCCESS
    assert [(each[0], each[1]) for each in pair.get(10, 2)] == [(3, False), (7, True)]
    assert pair.act(10, 1, numbers(9, 1, 9_999, 1)).result == apdu.SUCCESS  # two empty ranges
    assert [(each[0], each[1]) for each in pair.get(10, 2)] == [(3, False), (7, True)]
    assert pair.act(10, 3, numbers(4, 8)).result == apdu.SUCCESS
    assert [each[0] for each in pair.get(10, 2)] == [3]
    for wrong in (entry((0, *third[1:])), entry((10_000, *third[1:]))):
        assert pair.act(10, 2, wrong).result == apdu.OTHER_REASON
    for method, parameter in ((1, numbers(1, 2)), (2, numbers(1)), (3, axdr.uint16(3)), (2, axdr.null())):
        assert pair.act(10, method, parameter).result == apdu.TYPE_UNMATCHED
    assert pair.set(10, 2, ATTRIBUTES["schedule"].encode([third, third])) == apdu.OTHER_REASON
    assert pair.set(10, 2, ATTRIBUTES["schedule"].encode([seventh])) == apdu.SUCCESS
    assert pair.get(10, 2) == [seventh]


def test_an_arbitrator_does_what_is_permitted_and_weighs_most() -> None:
    done: list[tuple[int, tuple[bytes, int]]] = []

    def run(number: int, script: tuple[bytes, int]) -> int:
        done.append((number, script))
        return apdu.SUCCESS

    def request(actor: int, *asked: int, length: int = 2) -> ActionDone:
        return pair.act(68, 1, axdr.structure(axdr.uint8(actor), axdr.bits(BitString.of(length, *asked))))

    tables = VALUES[68] | {
        3: [BitString.of(2, 0, 1), BitString.of(2, 1)], 4: [[2, 1], [9, 4]], 5: [BitString.of(2), BitString.of(2)],
    }  # fmt: skip
    pair = Pair({"c68": Arbitrator(tables, run)})
    assert request(1, 0).result == apdu.SUCCESS
    assert done == [(1, (SCRIPTS, 1))]
    assert request(2, 0).result == apdu.SUCCESS  # the second actor may not ask for the first action
    assert pair.get(68, 5) == [BitString.of(2, 0), BitString.of(2)]
    assert request(2, 1).result == apdu.SUCCESS  # 4 of the second against 2 of the first
    assert [number for number, _ in done] == [1, 1, 2]
    assert pair.get(68, 6) == 2
    pair.meter._parts["c68"].write(4, [[2, 1], [9, 2]])  # type: ignore[attr-defined]
    assert request(2, 1).result == apdu.SUCCESS  # two against two: nobody has decided
    assert len(done) == 3
    for actor in (0, 3):
        assert request(actor, 0).result == apdu.OTHER_REASON
    assert request(1, 0, length=3).result == apdu.OTHER_REASON
    assert pair.act(68, 1, axdr.uint8(1)).result == apdu.TYPE_UNMATCHED
    assert pair.act(68, 2, axdr.int8(0)).result == apdu.SUCCESS
    assert (pair.get(68, 5), pair.get(68, 6)) == ([BitString.of(2), BitString.of(2)], 0)


def test_an_account_is_activated_closed_and_reset_in_that_order() -> None:
    times = iter([b"A" * 12, b"C" * 12])
    pair = Pair({"c111": Account(VALUES[111] | {2: (2, 1)}, now=lambda: next(times))})
    for method in (2, 3):
        assert pair.act(111, method, axdr.int8(0)).result == apdu.TEMPORARY_FAILURE
    assert pair.act(111, 1, axdr.octets(b"")).result == apdu.TYPE_UNMATCHED
    assert pair.act(111, 1, axdr.int8(0)).result == apdu.SUCCESS
    assert pair.act(111, 1, axdr.int8(0)).result == apdu.TEMPORARY_FAILURE
    assert (pair.get(111, 2), pair.get(111, 13), pair.get(111, 14)) == ((2, 2), b"A" * 12, NEVER)
    assert pair.act(111, 2, axdr.int8(0)).result == apdu.SUCCESS
    assert (pair.get(111, 2), pair.get(111, 14)) == ((2, 3), b"C" * 12)
    assert pair.act(111, 3, axdr.int8(0)).result == apdu.SUCCESS
    assert [pair.get(111, number) for number in (2, 5, 6, 8, 13, 14)] == [(2, 1), 0, 0, 0, NEVER, NEVER]


def test_a_charge_changes_its_rates_as_a_whole_and_is_collected() -> None:
    due = 30
    pair = Pair({"c113": Charge(VALUES[113] | {12: 500}, collect=lambda: due, now=lambda: b"T" * 12)})
    rates = layout("array(structure(octet-string, long))")
    assert pair.act(113, 1, rates.encode([(b"\x01", 520), (b"\x02", 610)])).result == apdu.SUCCESS
    assert pair.act(113, 1, rates.encode([(b"\x02", 600)])).result == apdu.SUCCESS
    assert pair.get(113, 5) == VALUES[113][5]
    assert pair.set(113, 5, pair.raw(113, 6)) == apdu.READ_WRITE_DENIED
    assert pair.act(113, 2, axdr.int8(0)).result == apdu.SUCCESS
    assert pair.get(113, 5)[2] == [(b"\x01", 520), (b"\x02", 600)]
    assert pair.act(113, 3, axdr.int8(0)).result == apdu.SUCCESS
    assert [pair.get(113, number) for number in (2, 10, 11, 12)] == [130, b"T" * 12, 30, 470]
    assert pair.act(113, 4, axdr.int32(-70)).result == apdu.SUCCESS
    assert pair.get(113, 12) == 400
    assert pair.act(113, 5, axdr.int32(9)).result == apdu.SUCCESS
    assert pair.get(113, 12) == 9
    for number, parameter in ((4, 2**31 - 1), (5, 2**31)):
        encoded = axdr.int32(parameter) if number == 4 else axdr.int64(parameter)
        assert pair.act(113, number, encoded).result == apdu.OTHER_REASON
    due = 2**31
    assert pair.act(113, 3, axdr.int8(0)).result == apdu.OTHER_REASON
    assert [pair.get(113, number) for number in (2, 12)] == [130, 9]
    for number, wrong in ((1, axdr.int8(0)), (1, axdr.array(axdr.int8(0))), (2, axdr.null()), (4, axdr.octets(b"1"))):
        assert pair.act(113, number, wrong).result == apdu.TYPE_UNMATCHED
    many = [(bytes((n,)), n) for n in range(65)]
    assert pair.act(113, 1, rates.encode(many)).result == apdu.OTHER_REASON


def test_what_is_missing_is_said_when_the_object_is_made_or_by_name_when_it_is_read() -> None:
    with pytest.raises(DlmsError, match="Credit has no value for attribute 8"):
        Credit({2: 0})
    with pytest.raises(DlmsError, match="ActivityCalendar has no value for attribute 3"):
        ActivityCalendar({2: b""})
    pair = Pair()
    del pair.meter.values["c22", 3]
    with pytest.raises(NothingStored) as caught:
        pair.get(22, 3)
    assert caught.value.data == {"object_name": "c22", "attribute": 3}


# --- keys ---------------------------------------------------------------------------------------------------------


def test_new_keys_serve_from_the_next_association_on_and_the_old_ones_until_then() -> None:
    master, new_ek, new_ak = b"M" * 16, b"N" * 16, b"A" * 16
    old = Keys(ENCRYPTION_KEY, AUTHENTICATION_KEY, SECRET)

    def take(keys: Mapping[KeyId, bytes]) -> None:
        pair.meter.rekey(48, Keys(keys[KeyId.GLOBAL_UNICAST_ENCRYPTION], keys[KeyId.AUTHENTICATION], SECRET))

    security = {2: 3, 3: 0, 4: CLIENT_TITLE, 5: METER_TITLE}
    pair = Pair({"c64": KeyTransfer(security, master_key=master, take=take)})
    wrong = security_setup.transfer(b"X" * 16, {KeyId.AUTHENTICATION: new_ak})
    assert pair.act(64, 2, wrong).result == apdu.TYPE_UNMATCHED
    both = {KeyId.GLOBAL_UNICAST_ENCRYPTION: new_ek, KeyId.AUTHENTICATION: new_ak}
    cut = security_setup.transfer(master, both)[:-3]
    with pytest.raises(DlmsError):
        pair.act(64, 2, cut)
    pair.meet(48, old)  # half a transfer changed nothing
    assert pair.act(64, 2, security_setup.transfer(master, both)).result == apdu.SUCCESS
    assert pair.get(9, 2) is not None  # the association goes on under its own keys
    with pytest.raises(DlmsError):
        pair.meet(48, old)
    pair.meet(48, Keys(new_ek, new_ak, SECRET))
    assert pair.get(64, 2) == 3
