"""The product's client against the product's server, wired to each other: what each can say to the other."""

import dataclasses
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bahal.dlms import apdu, axdr, clock, india, security
from bahal.dlms.association.events import ActionDone, Got, GotList, Opened, Refused, Released, SetDone
from bahal.dlms.association.states import State
from bahal.dlms.errors import AssociationRejected, BadTag, MalformedApdu, UnexpectedApdu
from bahal.dlms.objects import profile, reading, security_setup
from bahal.dlms.objects.disconnect import CONTROL_MODES, Move
from bahal.dlms.objects.security_setup import KeyId
from bahal.dlms.quirks import Quirks
from bahal.dlms.security import Cipher
from bahal.fleet.circle import Circle
from bahal.fleet.roster import RosterRow
from tests.fleet.household import NullModem, StandingClock, circle_of, client_of, modem, number_of, roster, sealed

MODEL = india.single_phase()
SAPS = (16, 32, 48)
ON, OFF, READY = 1, 0, 2
"""Values of control_state."""


# --- what is readable, for each client and make ----------------------------------------------------------------------


@pytest.mark.parametrize("make", ["arpa", "shivnath", "kharun"])
@pytest.mark.parametrize("sap", SAPS)
def test_every_attribute_is_answered_as_the_model_says(
    circle: Circle, rows: list[RosterRow], make: str, sap: int
) -> None:
    link = modem(circle, rows, make=make, sap=sap).open()
    for each in MODEL:
        for attribute in each.interface.attributes:
            answer = link.get(each.name, attribute)
            if each.may_read(attribute, sap):
                assert isinstance(answer, Got), (each.name, attribute)
                assert reading.read_attribute(each, attribute, answer.data, zone=india.IST).object_name == each.name
            else:
                assert isinstance(answer, Refused)
                expected = apdu.READ_WRITE_DENIED if each.visible_to(sap) else apdu.OBJECT_UNDEFINED
                assert answer.result == expected, (each.name, attribute)
    released = link.say(link.client.release())
    assert isinstance(released, Released)
    assert released.clean


def test_the_object_list_names_what_the_client_may_do(circle: Circle, rows: list[RosterRow]) -> None:
    answer = modem(circle, rows).open().get("association_current", 2)
    assert isinstance(answer, Got)
    listed = reading.read_object_list(answer.value, MODEL)
    assert {each.known.name for each in listed if each.known} == {each.name for each in MODEL if each.visible_to(48)}
    relay = next(element for element in answer.value if element[2] == india.RELAY_LN)  # type: ignore[union-attr, index]
    assert relay[3][1] == [(1, 1), (2, 1)]  # type: ignore[index]


def test_a_wrong_class_is_told_apart_from_an_unknown_object(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows).open()
    wrong_class = link.say(link.client.get(3, india.RELAY_LN, 2))
    unknown = link.say(link.client.get(3, bytes((1, 0, 99, 8, 0, 255)), 2))
    assert (wrong_class.result, unknown.result) == (  # type: ignore[union-attr]
        apdu.OBJECT_CLASS_INCONSISTENT,
        apdu.OBJECT_UNDEFINED,
    )


def test_several_attributes_in_one_round_trip(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows, sap=32).open()
    relay = MODEL["relay"]
    targets = [apdu.Target(70, relay.ln, n) for n in (2, 3, 4, 9)]
    answer = link.say(link.client.get_list(targets))
    assert isinstance(answer, GotList)
    assert answer.answers[:3] == [axdr.boolean(True), axdr.enum(ON), axdr.enum(4)]
    assert answer.answers[3] == apdu.READ_WRITE_DENIED


# --- profiles ---------------------------------------------------------------------------------------------------------


def test_a_day_of_blocks_comes_by_range_in_blocks(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows, sap=32).open()
    midnight = datetime(2025, 11, 22, 0, 0, tzinfo=india.IST)
    selection = profile.between(from_at=midnight + timedelta(seconds=1), to_at=midnight + timedelta(days=1))
    before = link.round_trips
    answer = link.get("block_profile", 2, selection)
    assert isinstance(answer, Got)
    assert link.round_trips - before > 1
    found = profile.read_buffer(answer.data, MODEL["block_profile"].columns)
    times = [clock.decode(row[0], zone=india.IST) for row in found]  # type: ignore[arg-type]
    assert times == [midnight + timedelta(minutes=30 * n) for n in range(1, 49)]
    daily = link.get("daily_profile", 2, profile.between(from_at=midnight, to_at=midnight + timedelta(days=1)))
    assert isinstance(daily, Got)
    opening, closing = profile.read_buffer(daily.data, MODEL["daily_profile"].columns)
    assert sum(row[2] for row in found) == closing[1] - opening[1]  # type: ignore[misc, operator]


def test_the_same_rows_come_by_entry(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows, sap=32).open()
    columns = MODEL["daily_profile"].columns
    whole = link.get("daily_profile")
    entries = link.get("daily_profile", 7)
    assert isinstance(whole, Got)
    assert isinstance(entries, Got)
    everything = profile.read_buffer(whole.data, columns)
    assert entries.value == len(everything) == 60
    some = link.get("daily_profile", 2, apdu.by_entry(59, 0, first_column=1, last_column=2))
    assert isinstance(some, Got)
    assert some.value == [row[:2] for row in everything[58:]]
    none = link.get("daily_profile", 2, apdu.by_entry(61, 0))
    assert isinstance(none, Got)
    assert none.value == []


def test_a_selection_that_makes_no_sense_is_refused(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows, sap=32).open()
    for name, attribute, selection, result in (
        ("block_profile", 2, apdu.by_entry(0, 5), apdu.TYPE_UNMATCHED),
        ("block_profile", 2, apdu.by_entry(1, 5, first_column=9), apdu.TYPE_UNMATCHED),
        ("block_profile", 2, apdu.by_range(axdr.uint32(5), axdr.uint32(6)), apdu.TYPE_UNMATCHED),
        ("block_profile", 3, apdu.by_entry(1, 5), apdu.SCOPE_OF_ACCESS_VIOLATED),
        ("energy_import", 2, apdu.by_entry(1, 5), apdu.SCOPE_OF_ACCESS_VIOLATED),
        ("security_setting", 2, apdu.by_entry(1, 5), apdu.OBJECT_UNDEFINED),
    ):
        answer = link.get(name, attribute, selection)
        assert isinstance(answer, Refused), name
        assert answer.result == result, name


def test_scalers_come_from_their_profile(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows, sap=32).open()
    captured, buffer = link.get("block_profile_scalers", 3), link.get("block_profile_scalers", 2)
    assert isinstance(captured, Got)
    assert isinstance(buffer, Got)
    scalers = reading.read_scalers(buffer.value, captured.value, MODEL)
    assert scalers["block_voltage"] == (-2, "V")
    assert scalers["block_energy_import"] == (0, "Wh")
    with pytest.raises(MalformedApdu):
        reading.read_scalers([], captured.value, MODEL)


def test_another_request_ends_a_block_transfer(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows, sap=32).open()
    first = link.server.receive(link.client.get(7, MODEL["block_profile"].ln, 2))
    assert link.server.state is State.BLOCKS
    assert link.client.receive(first) == []
    row = rows[link.meter.row]
    assert link.server.receive(sealed(row, 32, 50, apdu.get_request(9, 1, MODEL["block_period"].ln, 2)))
    assert link.server.state is State.OPEN
    reply = link.server.receive(sealed(row, 32, 51, apdu.get_next(1, 1)))
    content = security.unwrap(reply[8:])
    _, plain = Cipher(row.mr_ek, bytes(16)).open(0x20, row.system_title, content)
    assert apdu.parse_block(plain).raw == apdu.NO_LONG_GET_IN_PROGRESS


def test_a_block_out_of_turn_ends_the_transfer(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows, sap=32).open()
    row = rows[link.meter.row]
    link.server.receive(link.client.get(7, MODEL["block_profile"].ln, 2))
    reply = link.server.receive(sealed(row, 32, 50, apdu.get_next(1, 7)))
    _, plain = Cipher(row.mr_ek, bytes(16)).open(0x20, row.system_title, security.unwrap(reply[8:]))
    assert apdu.parse_block(plain).raw == apdu.DATA_BLOCK_NUMBER_INVALID
    assert link.server.state is State.OPEN


# --- the relay --------------------------------------------------------------------------------------------------------

# Control mode -> control_state after a remote cut, after a remote reconnection, after the button.
LIVES = {
    0: (ON, ON, ON),
    1: (OFF, READY, ON),
    2: (OFF, ON, ON),
    3: (OFF, READY, ON),
    4: (OFF, ON, ON),
    5: (OFF, READY, ON),
    6: (OFF, READY, ON),
}


@pytest.mark.parametrize("mode", CONTROL_MODES)
def test_a_relay_lives_as_its_control_mode_says(
    circle: Circle, rows: list[RosterRow], tmp_path: Path, mode: int
) -> None:
    link = modem(circle, rows).open()
    circle.columns.control_modes[link.meter.row] = mode
    states = []
    for method in (1, 2):
        done = link.act("relay", method)
        assert isinstance(done, ActionDone)
        assert done.result == apdu.SUCCESS
        states.append(_relay(link))
    circle.move(link.meter.row, Move.MANUAL_RECONNECT, None)
    states.append(_relay(link))
    cut, back, button = LIVES[mode]
    assert states == [(cut == ON, cut, mode), (back == ON, back, mode), (button == ON, button, mode)]
    log = [json.loads(line) for line in (tmp_path / "fleet.jsonl").read_text().splitlines()]
    causes = [(line["relay"], line["cause"]) for line in log]
    expected = [] if mode == 0 else [("off", "remote_disconnect")]
    if mode:
        expected.append(("on", "remote_reconnect" if mode in (2, 4) else "manual"))
    assert causes == expected


def _relay(link: NullModem) -> tuple[object, ...]:
    answers = [link.get("relay", n) for n in (2, 3, 4)]
    return tuple(answer.value for answer in answers if isinstance(answer, Got))


def test_the_log_names_the_frame_that_moved_the_relay(
    circle: Circle, rows: list[RosterRow], tmp_path: Path, standing: StandingClock
) -> None:
    link = modem(circle, rows).open()
    link.act("relay", 1)
    (line,) = (tmp_path / "fleet.jsonl").read_text().splitlines()
    entry = json.loads(line)
    frame = link.sent[-1][8:]
    assert entry == {
        "at": "2025-11-24T04:30:00.000000+00:00",
        "business_at": "2025-11-24T04:30:00.000000+00:00",
        "meter": link.meter.serial,
        "relay": "off",
        "cause": "remote_disconnect",
        "sap": 48,
        "counter": int.from_bytes(frame[3:7], "big"),
        "frame": frame.hex(),
    }


def test_a_relay_does_not_move_when_it_cannot_be_logged(
    circle: Circle, rows: list[RosterRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    link = modem(circle, rows).open()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bahal.fleet.movements.os.write", full)
    done = link.act("relay", 1)
    assert isinstance(done, ActionDone)
    assert done.result == apdu.HARDWARE_FAULT
    assert link.meter.connected
    assert circle.stats.errors["movement_log"] == 1


def test_the_reading_client_cannot_move_the_relay(circle: Circle, rows: list[RosterRow], tmp_path: Path) -> None:
    link = modem(circle, rows, sap=32).open()
    done = link.act("relay", 1)
    assert isinstance(done, ActionDone)
    assert done.result == apdu.READ_WRITE_DENIED
    assert (tmp_path / "fleet.jsonl").read_bytes() == b""


# --- SET and key transfer ---------------------------------------------------------------------------------------------


def test_clock_limit_and_filter_can_be_set(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows).open()
    tomorrow = datetime(2025, 11, 25, 10, 0, tzinfo=india.IST)
    word = india.status_word(84, 81)
    for name, attribute, data in (
        ("clock", 2, axdr.octets(clock.encode(tomorrow))),
        ("limit", 4, axdr.uint32(2_000)),
        ("status_filter", 2, axdr.bits(word)),
    ):
        done = link.set(name, attribute, data)
        assert isinstance(done, SetDone)
        assert done.result == apdu.SUCCESS, name
        answer = link.get(name, attribute)
        assert isinstance(answer, Got)
        assert answer.data == data
    count, last = link.get("programming_count"), link.get("event_transaction")
    assert (count.value, last.value) == (3, 165)  # type: ignore[union-attr]


def test_a_set_of_the_wrong_kind_or_by_the_wrong_client_is_refused(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows).open()
    for name, attribute, data, result in (
        ("limit", 4, axdr.uint16(5), apdu.TYPE_UNMATCHED),
        ("clock", 2, axdr.octets(b"\xff" * 12), apdu.TYPE_UNMATCHED),
        ("status_filter", 2, axdr.bits(axdr.BitString.of(8, 1)), apdu.TYPE_UNMATCHED),
        ("energy_import", 2, axdr.uint32(0), apdu.READ_WRITE_DENIED),
    ):
        done = link.set(name, attribute, data)
        assert isinstance(done, SetDone)
        assert done.result == result, name
    reader = modem(circle, rows, sap=32).open()
    assert reader.set("limit", 4, axdr.uint32(1)).result == apdu.READ_WRITE_DENIED  # type: ignore[union-attr]


def test_a_new_key_serves_from_the_next_association_on(tmp_path: Path, standing: StandingClock) -> None:
    master, new = bytes(range(16)), bytes(range(100, 116))
    before = [dataclasses.replace(row, mk=master) for row in roster(tmp_path)]
    circle = circle_of(before, tmp_path, standing)
    n = number_of(before, "arpa")
    link = NullModem(circle, before[n], n, 48).open()
    done = link.act("security_setting", 2, security_setup.transfer(master, {KeyId.GLOBAL_UNICAST_ENCRYPTION: new}))
    assert isinstance(done, ActionDone)
    assert done.result == apdu.SUCCESS
    assert isinstance(link.get("relay", 3), Got)
    for row, opens in ((before[n], False), (dataclasses.replace(before[n], us_ek=new), True)):
        again = NullModem(circle, row, n, 48, counter=500)
        if opens:
            assert isinstance(again.say(again.client.open()), Opened)
        else:
            with pytest.raises(BadTag):
                again.say(again.client.open())


def test_a_key_transfer_without_the_master_key_changes_nothing(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows).open()
    parameter = security_setup.transfer(bytes(16), {KeyId.GLOBAL_UNICAST_ENCRYPTION: bytes(range(16))})
    assert link.act("security_setting", 2, parameter).result == apdu.OBJECT_UNAVAILABLE  # type: ignore[union-attr]
    assert isinstance(modem(circle, rows, counter=500).open().get("relay", 3), Got)


# --- quirks -----------------------------------------------------------------------------------------------------------


def test_a_make_that_says_it_twice(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows, make="shivnath", sap=32).open()
    assert isinstance(link.get("clock"), Got)
    assert isinstance(link.get("daily_profile"), Got)
    assert link.client.duplicates == 2
    assert isinstance(link.get("energy_import"), Got)
    assert link.client.duplicates == 2


def test_a_make_that_breaks_on_long_challenges(circle: Circle, rows: list[RosterRow]) -> None:
    n = number_of(rows, "kharun")
    link = NullModem(circle, rows[n], n, 48)
    link.client = client_of(rows[n], 48, dataclasses.replace(link.meter.quirks, challenge_length=16))
    with pytest.raises(AssociationRejected):
        link.say(link.client.open())
    link.client = client_of(rows[n], 48, link.meter.quirks, counter=10)
    assert isinstance(link.say(link.client.open()), Opened)


def test_a_make_that_ciphers_generally(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows, make="kharun").open()
    assert isinstance(link.get("relay", 3), Got)
    assert link.sent[-1][8] == security.GENERAL_GLO


def test_a_make_that_a_release_upsets(circle: Circle, rows: list[RosterRow]) -> None:
    n = number_of(rows, "arpa")
    link = NullModem(circle, rows[n], n, 48).open()
    link.server._quirks = Quirks(rlrq_allowed=False)
    with pytest.raises(UnexpectedApdu):
        link.server.receive(link.client.release())
