"""The object model, the IS 15959 data and the makes."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import axdr, clock, india, rows
from bahal.dlms.errors import BadTag, MalformedApdu, ValueOutOfRange
from bahal.dlms.objects import classes, profile, reading, security_setup
from bahal.dlms.objects.model import ModelError, load_model, obis, obis_text
from bahal.dlms.objects.security_setup import KeyId
from bahal.dlms.quirks import STANDARD, quirks_of, registry

MODEL = india.single_phase()


def test_the_object_list_has_what_meters_md_names() -> None:
    for text, class_id in {
        "0.0.40.0.1.255": 15,
        "0.0.40.0.4.255": 15,
        "0.0.43.0.3.255": 64,
        "0.0.43.1.2.255": 1,
        "0.0.43.1.3.255": 1,
        "0.0.43.1.4.255": 1,
        "0.0.1.0.0.255": 8,
        "1.0.1.8.0.255": 3,
        "1.0.1.6.0.255": 4,
        "1.0.99.1.0.255": 7,
        "1.0.99.2.0.255": 7,
        "1.0.98.1.0.255": 7,
        "0.0.99.98.6.255": 7,
        "1.0.94.91.4.255": 7,
        "0.0.96.3.10.255": 70,
        "0.0.17.0.0.255": 71,
        "0.0.94.91.18.255": 1,
        "0.0.94.91.26.255": 1,
        "0.0.25.9.0.255": 40,
        "0.4.25.9.0.255": 40,
    }.items():
        found = MODEL.find(class_id, obis(text))
        assert found is not None, text
        assert obis_text(found.ln) == text
        assert found.en
        assert found.hi


def test_only_the_setting_client_can_move_a_relay_or_change_anything() -> None:
    for each in MODEL:
        for sap in (16, 32, 64):
            assert not any(each.may_write(number, sap) for number in each.interface.attributes), each.name
            assert not any(each.may_act(number, sap) for number in each.interface.methods), each.name
    relay = MODEL["relay"]
    assert relay.may_act(1, 48)
    assert relay.may_act(2, 48)


def test_the_public_client_sees_no_consumption() -> None:
    seen = {each.name for each in MODEL if each.visible_to(16)}
    assert seen == {
        "association_current",
        "association_public",
        "counter_reading",
        "counter_setting",
        "counter_push",
        "logical_device_name",
        "serial_number",
        "manufacturer",
        "device_id",
        "year_of_manufacture",
        "firmware_version",
        "meter_type",
        "meter_category",
        "current_rating",
        "nameplate_profile",
        "clock",
    }


def test_the_secret_of_an_association_is_never_readable() -> None:
    assert not any(each.may_read(7, sap) for each in MODEL if each.interface.id == 15 for sap in (16, 32, 48))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('class = 99\nln = "0.0.1.0.0.255"\n', "class 99 is not known"),
        ('class = 1\nln = "0.0.1.0.0.255"\n', "the type of its value is missing"),
        ('class = 1\nln = "0.0.1.0.0.255"\ntype = "number"\n', "type number is not known"),
        ('class = 3\nln = "0.0.1.0.0.255"\ntype = "long"\n', "a scaler belongs to registers"),
        ('class = 8\nln = "0.0.1.0"\n', "not a logical name"),
        ('class = 7\nln = "0.0.1.0.0.255"\ncolumns = ["nothing"]\n', "captures nothing"),
    ],
)
def test_a_contradictory_object_list_is_refused(line: str, reason: str) -> None:
    text = f'version = "x"\n[[object]]\nname = "a"\nen = "a"\nhi = "a"\nread = [16]\n{line}'
    with pytest.raises(ModelError, match=reason):
        load_model(text)


def test_an_object_twice_is_refused() -> None:
    one = '[[object]]\nclass = 8\nln = "0.0.1.0.0.255"\nname = "a"\nen = "a"\nhi = "a"\nread = [16]\n'
    with pytest.raises(ModelError, match="stands twice"):
        load_model('version = "x"\n' + one + one)


def test_status_bits_and_events_are_named_in_both_languages() -> None:
    bits, events = india.status_bits(), india.events()
    assert bits[84].name == "load_disconnected"
    assert events[301].name == "load_disconnected"
    assert events[302].name == "load_connected"
    assert {event.family for event in events.values()} <= set(india.EVENT_FAMILIES)
    for named in (*bits.values(), *events.values()):
        assert named.en.isascii()
        assert any("\u0900" <= letter <= "\u097f" for letter in named.hi), named.hi


@given(st.sets(st.integers(0, 127)))
def test_status_word_round_trip(bits: set[int]) -> None:
    word = axdr.decode(axdr.bits(india.status_word(*bits)))
    assert isinstance(word, axdr.BitString)
    assert [each.bit for each in india.conditions(word)] == sorted(bits)
    assert all(each.hi for each in india.conditions(word))


def test_bit_84_stands_where_the_standard_counts_it() -> None:
    assert india.status_word(84).packed.hex() == "00" * 10 + "08" + "00" * 5


def test_three_makes_at_least_differ() -> None:
    known = registry()
    assert len(known) >= 3
    assert {make.quirks.hls_mechanism for make in known.values()} == {2, 5}
    assert len({make.quirks.challenge_length for make in known.values()}) > 1
    assert any(make.quirks.lenient_duplicate for make in known.values())
    assert all(len(make.flag) == 3 and make.source for make in known.values())
    assert quirks_of("shivnath").hls_mechanism == 2
    assert quirks_of("never heard of") is STANDARD


def test_a_reading_gets_its_name_and_unit() -> None:
    found = reading.read_attribute(MODEL["voltage"], 2, axdr.uint16(23_015), zone=india.IST)
    assert (found.object_name, found.attribute, found.value, found.power, found.unit) == (
        "voltage",
        "value",
        23_015,
        -2,
        "V",
    )
    with pytest.raises(MalformedApdu, match="long-unsigned is expected"):
        reading.read_attribute(MODEL["voltage"], 2, axdr.uint32(23_015), zone=india.IST)


def test_a_clock_is_read_with_or_without_its_deviation() -> None:
    moment = datetime(2025, 11, 24, 10, 0, tzinfo=india.IST)
    raw = clock.encode(moment)
    unspecified = raw[:9] + b"\x80\x00" + raw[11:]
    for encoded in (axdr.octets(raw), axdr.octets(unspecified), axdr.date_time(raw)):
        assert reading.read_attribute(MODEL["clock"], 2, encoded, zone=india.IST).value == moment


_CELLS = {
    "octets:12": st.binary(min_size=12, max_size=12),
    "uint16": st.integers(0, 0xFFFF),
    "uint32": st.integers(0, 0xFFFFFFFF),
}


@given(st.data())
def test_a_written_buffer_reads_back_by_struct_and_generically(data: st.DataObject) -> None:
    columns = MODEL["block_profile"].columns
    layout = profile.layout(columns)
    assert layout is not None
    found = data.draw(st.lists(st.tuples(*(_CELLS[name] for name in layout)), max_size=60))
    encoded = profile.BufferWriter(columns).write(found)
    assert profile.read_buffer(encoded, columns) == found
    assert rows.generic_rows(encoded) == found


def test_capture_objects_round_trip_and_unknown_columns_stay() -> None:
    columns = MODEL["billing_profile"].columns
    value = axdr.decode(profile.capture_objects(columns))
    assert profile.read_capture_objects(value, MODEL) == list(columns)
    assert columns[9].name == "demand_active.5"
    stranger = axdr.structure(axdr.uint16(3), axdr.octets(b"\x01\x00\xee\x08\x00\xff"), axdr.int8(2), axdr.uint16(0))
    assert profile.read_capture_objects(axdr.decode(axdr.array(stranger)), MODEL) == [
        (3, b"\x01\x00\xee\x08\x00\xff", 2)
    ]
    for wrong in (5, [5], [(3, b"\x01", 2, 0)]):
        with pytest.raises(MalformedApdu):
            profile.read_capture_objects(wrong, MODEL)


def test_a_range_is_understood_as_it_was_meant() -> None:
    start = datetime(2025, 11, 24, 0, 0, tzinfo=india.IST)
    selection = profile.between(from_at=start, to_at=start + timedelta(days=1))
    found, places = profile.chosen(selection, MODEL["block_profile"], zone=india.IST)
    assert found == profile.Between(from_at=start, to_at=start + timedelta(days=1))
    assert places == list(range(7))
    with pytest.raises(ValueOutOfRange):
        profile.between(from_at=datetime(2025, 11, 24), to_at=start)  # noqa: DTZ001 - naive on purpose


@given(st.binary(max_size=80))
def test_any_selection_is_read_or_refused_by_name(selection: bytes) -> None:
    try:
        found, places = profile.chosen(selection, MODEL["block_profile"], zone=india.IST)
    except MalformedApdu:
        return
    assert isinstance(found, profile.Between | profile.Numbered)
    assert all(0 <= place < 7 for place in places)


def test_keys_are_transferred_wrapped_and_all_or_none() -> None:
    master, new, other = bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48))
    keys = {KeyId.GLOBAL_UNICAST_ENCRYPTION: new, KeyId.AUTHENTICATION: other}
    encoded = security_setup.transfer(master, keys)
    assert new not in encoded
    assert security_setup.read_transfer(master, axdr.decode(encoded)) == keys
    with pytest.raises(BadTag):
        security_setup.read_transfer(new, axdr.decode(encoded))
    for wrong in (None, [], [(7, b"x" * 24)], [(0, b"x" * 24)], [(0,)]):
        with pytest.raises((MalformedApdu, BadTag)):
            security_setup.read_transfer(master, wrong)


def test_rfc_3394_vector_4_1() -> None:
    """RFC 3394 section 4.1: a 128-bit key wrapped by a 128-bit key."""
    master = bytes.fromhex("000102030405060708090A0B0C0D0E0F")
    key = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
    wrapped = bytes.fromhex("1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5")
    assert security_setup.transfer(master, {KeyId.GLOBAL_UNICAST_ENCRYPTION: key}) == axdr.array(
        axdr.structure(axdr.enum(0), axdr.octets(wrapped))
    )


def test_every_class_numbers_its_attributes_from_the_logical_name_on() -> None:
    for interface in classes.CLASSES.values():
        assert list(interface.attributes) == list(range(1, len(interface.attributes) + 1))
        assert interface.attributes[1].name == "logical_name"
    assert classes.CLASSES[70].methods[1].name == "remote_disconnect"
    assert classes.CLASSES[64].methods[2].name == "key_transfer"
