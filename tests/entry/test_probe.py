"""A probe reads the fleet's meters and one that nobody knows, over real sockets."""

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bahal.dlms import axdr
from bahal.dlms.hdlc import HdlcServer
from bahal.dlms.quirks import Quirks, registry
from bahal.entry.verbs.probe import questions
from bahal.entry.verbs.probe.refusals import (
    AddressWrong,
    AskedWrong,
    CannotAsk,
    MeterMisspoke,
    MeterRefusesRead,
    MeterRefusesUs,
    MeterSilent,
    ProfileUnknown,
    SelectionWrong,
)
from bahal.fleet.roster import RosterRow
from tests.dlms.meter import SECRET, Meter
from tests.entry.instance import bahal
from tests.entry.probing import (
    BEGIN,
    EK,
    HLS_KEY,
    PASSWORD,
    StrangeMeter,
    address_of,
    ask,
    file_of,
    strange_file,
)
from tests.fleet.household import roster
from tests.fleet.running import Fleet


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAHAL_LANG", "en")


@pytest.fixture(scope="module")
def circle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, list[RosterRow]]]:
    folder = tmp_path_factory.mktemp("fleet")
    rows = roster(folder, count=24)
    with Fleet(folder) as fleet:
        yield fleet, rows


def one_of(circle: tuple[Fleet, list[RosterRow]], make: str = "arpa") -> tuple[str, RosterRow]:
    fleet, rows = circle
    row = next(row for row in rows if row.make == make)
    return address_of(row, fleet.port), row


# --- the nameplate, as before -----------------------------------------------------------------------------------------


def test_the_nameplate_needs_no_file(circle: tuple[Fleet, list[RosterRow]]) -> None:
    address, row = one_of(circle)
    told = ask(address, "--json").data
    assert set(told) == {"address", *questions.PLATE}
    assert told["serial_number"] == row.meter
    assert told["address"] == address
    assert type(told["counter_setting"]) is int
    lines = ask(address).out.splitlines()
    assert f"Meter serial number: {row.meter}" in lines
    assert len(lines) == len(questions.PLATE)


def test_the_command_line_itself(circle: tuple[Fleet, list[RosterRow]], tmp_path: Path) -> None:
    address, row = one_of(circle)
    told = bahal(tmp_path, "probe", address, "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["serial_number"] == row.meter
    wrong = bahal(tmp_path, "probe", address, "objekts", "--json")
    assert wrong.returncode == 2
    assert json.loads(wrong.stderr)["error"] == "probe_asked_wrong"
    hindi = bahal(tmp_path, "probe", address, "get", "1", "0.0.42.0.0.255", "99", changed={"BAHAL_LANG": "hi"})
    assert hindi.returncode == 1
    assert "मीटर" in hindi.stderr


# --- every make, every client -----------------------------------------------------------------------------------------


def _makes() -> list[str]:
    return [make.name for make in registry().values() if make.quirks.invoke_echoed]


@pytest.mark.parametrize("make", _makes())
@pytest.mark.parametrize("sap", [32, 48])
def test_objects_clock_and_profile_of_every_make(
    circle: tuple[Fleet, list[RosterRow]], tmp_path: Path, make: str, sap: int
) -> None:
    address, row = one_of(circle, make)
    file = str(file_of(tmp_path, row, sap))
    listed = ask(address, "--meter", file, "objects", "--json").data["objects"]
    assert {"class": 7, "obis": "1.0.99.1.0.255"}.items() <= listed_as(listed, "1.0.99.1.0.255").items()
    assert all(each["name"] for each in listed)
    drift = ask(address, "clock", "--json", "--meter", file).data
    assert abs(drift["drift_s"]) < 30
    assert drift["meter"].endswith("+05:30")
    day = ask(address, "--meter", file, "profile", "daily", "--entries", "1", "3", "--json").data
    assert [each["unit"] for each in day["columns"]] == ["", "Wh", "VAh", "Wh", "VAh"]
    assert len(day["rows"]) == 3
    assert day["period_s"] == 86_400


def test_a_make_that_answers_under_another_invoke_id_is_refused_by_name(
    circle: tuple[Fleet, list[RosterRow]], tmp_path: Path
) -> None:
    strange = next((make.name for make in registry().values() if not make.quirks.invoke_echoed), None)
    assert strange is not None
    address, row = one_of(circle, strange)
    refused = ask(address, "--meter", str(file_of(tmp_path, row, 32)), "clock").refusal
    assert isinstance(refused, MeterMisspoke)
    assert refused.data["name"] == "invoke_id_mismatch"


def listed_as(objects: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(each for each in objects if each["obis"] == name)


def test_a_range_gives_the_rows_in_it_and_scalers_are_applied(
    circle: tuple[Fleet, list[RosterRow]], tmp_path: Path
) -> None:
    address, row = one_of(circle)
    file = str(file_of(tmp_path, row, 32))
    today = datetime.now(UTC).date()
    span = [f"{today - timedelta(days=2)}T00:30", f"{today - timedelta(days=2)}T23:30+05:30"]
    told = ask(address, "--meter", file, "profile", "block", "--range", *span, "--json").data
    assert len(told["rows"]) == 47
    assert told["rows"][0][0] == f"{today - timedelta(days=2)}T00:30:00+05:30"
    volts = [each[1] for each in told["rows"]]
    assert all(150 < each < 300 for each in volts)
    raw = ask(address, "--meter", file, "get", "7", "1.0.99.1.0.255", "2", "--range", *span, "--json").data
    assert [each[1] for each in raw["value"]] == [round(each * 100) for each in volts]
    table = ask(address, "--meter", file, "profile", "block_profile", "--range", *span).out.splitlines()
    assert table[0] == "Block load profile: 47 rows"
    assert "Average voltage of the block [V]" in table[1]
    assert len(table) == 50


def test_a_register_with_its_unit(circle: tuple[Fleet, list[RosterRow]], tmp_path: Path) -> None:
    address, row = one_of(circle)
    file = str(file_of(tmp_path, row, 32))
    told = ask(address, "--meter", file, "get", "3", "1.0.12.7.0.255", "2", "--json").data
    assert told["unit"] == "V"
    assert told["value"] * 100 == pytest.approx(told["raw"])
    shown = ask(address, "--meter", file, "get", "3", "1.0.12.7.0.255", "2").out
    assert shown.startswith("3 1.0.12.7.0.255 2 (Voltage, value): 2")
    assert shown.endswith(" V\n")


def test_what_the_meter_does_not_let_be_read(circle: tuple[Fleet, list[RosterRow]], tmp_path: Path) -> None:
    address, row = one_of(circle)
    refused = ask(address, "get", "3", "1.0.1.8.0.255", "2").refusal
    assert isinstance(refused, MeterRefusesRead)
    assert refused.exit_code == 1
    assert "3 1.0.1.8.0.255 2" in refused.text("en")
    silent = ask(address, "--meter", str(file_of(tmp_path, row, 32)), "get", "7", "1.0.99.77.0.255", "2").refusal
    assert isinstance(silent, MeterRefusesRead)
    assert silent.data["name"] == "object-undefined"


def test_hindi(circle: tuple[Fleet, list[RosterRow]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address, row = one_of(circle)
    monkeypatch.setenv("BAHAL_LANG", "hi")
    file = str(file_of(tmp_path, row, 32))
    assert "पंक्तियाँ" in ask(address, "--meter", file, "profile", "daily").out
    assert "अंतर" in ask(address, "--meter", file, "clock").out
    assert "वर्ग" in ask(address, "--meter", file, "objects").out


# --- a meter that nobody knows ----------------------------------------------------------------------------------------


def test_an_unknown_meter_from_its_object_list_to_its_profile(tmp_path: Path) -> None:
    with StrangeMeter() as meter:
        file = str(strange_file(tmp_path))
        listed = ask(meter.address, "--meter", file, "objects", "--json").data["objects"]
        unknown = [each["obis"] for each in listed if each["name"] is None]
        assert unknown == ["0.0.128.0.7.255", "0.0.96.128.0.255", "1.0.31.7.0.255", "1.0.99.128.0.255"]
        assert listed_as(listed, "1.0.31.7.0.255")["rights"] == "1r 2r 3r m1"
        told = ask(meter.address, "--meter", file, "profile", "1.0.99.128.0.255", "--entries", "2", "4", "--json").data
        assert told["columns"][1] == {
            "class": 3, "obis": "1.0.31.7.0.255", "attribute": 2, "name": None, "unit": "A",
        }  # fmt: skip
        assert told["rows"] == [
            [(BEGIN + timedelta(minutes=15 * n)).isoformat(), (500 + n) / 100, n % 7] for n in (1, 2, 3)
        ]
        everything = ask(meter.address, "--meter", file, "profile", "1.0.99.128.0.255", "--json").data
        assert len(everything["rows"]) == 120
        # Its catalogue has neither serial number nor maker under our names: said, not invented.
        plate = ask(meter.address, "--json").data
        assert plate["serial_number"] is None
        assert plate["counter_setting"] == 41


@pytest.mark.parametrize("control", [0x10, 0x20, 0x30])
@pytest.mark.parametrize("ciphering", ["glo", "ded", "general-glo", "general-ded"])
@pytest.mark.parametrize("mechanism", [2, 5])
def test_every_mechanism_and_ciphering(tmp_path: Path, control: int, ciphering: str, mechanism: int) -> None:
    quirks = Quirks(hls_mechanism=mechanism, general_ciphering=ciphering.startswith("general"))
    with StrangeMeter(control=control, quirks=quirks) as meter:
        file = strange_file(
            tmp_path, security=control, ciphering=ciphering, mechanism=f"hls{mechanism}", hls_key=HLS_KEY.hex()
        )
        told = ask(meter.address, "--meter", str(file), "profile", "1.0.99.128.0.255", "--json", "--trace")
        assert len(told.data["rows"]) == 120
        assert f"-> {ciphering}-{'ciphering' if ciphering.startswith('general') else 'get-request'}" in told.err
        assert f"SC 0x{control:02X}" in told.err


def test_low_level_security(tmp_path: Path) -> None:
    with StrangeMeter() as meter:
        file = strange_file(
            tmp_path, client=32, mechanism="lls", security=0x20, ak=None, password=PASSWORD.decode(), counter=7
        )
        told = ask(meter.address, "--meter", str(file), "get", "3", "1.0.31.7.0.255", "2", "--json")
        assert told.data["value"] == 5.12


def test_hls_without_ciphering(tmp_path: Path) -> None:
    plain = Meter(control=0, mechanism=2)
    plain.values[1, bytes((0, 0, 96, 128, 0, 255)), 2] = axdr.uint8(3)
    with StrangeMeter(answer=plain.answer) as meter:
        file = strange_file(tmp_path, mechanism="hls2", security=0, hls_key=SECRET.hex(), ek=None, ak=None)
        told = ask(meter.address, "--meter", str(file), "get", "1", "0.0.96.128.0.255", "2", "--json")
        assert told.data["value"] == 3
        # Nothing was ciphered, so there is nothing to count.
        assert not file.with_name(file.name + ".counter").exists()


@pytest.mark.parametrize("physical", [None, 17])
def test_hdlc_over_a_socket(tmp_path: Path, physical: int | None) -> None:
    with StrangeMeter(framing=lambda: HdlcServer(physical=physical)) as meter:
        file = strange_file(tmp_path, transport="hdlc", physical=physical)
        told = ask(meter.address, "--meter", str(file), "profile", "1.0.99.128.0.255", "--json")
        assert len(told.data["rows"]) == 120
        assert all(each.startswith(b"\x7e") for each in meter.received)


def test_ipv6() -> None:
    try:
        meter = StrangeMeter(host="::1")
    except OSError:
        with pytest.raises(OSError, match=r"."):
            socket.create_server(("::1", 0), family=socket.AF_INET6)
        return
    with meter:
        assert ask(meter.address, "--json").data["address"] == meter.address


# --- what can go wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", ["meter:4059", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:४०५९", "::1]:1", "[::1]", ":4059"]
)
def test_what_is_no_address(given: str) -> None:
    refused = ask(given).refusal
    assert isinstance(refused, AddressWrong)
    assert refused.exit_code == 2


@pytest.mark.parametrize(
    "words",
    [["get"], ["get", "3", "1.0.1.8.0", "2"], ["get", "x", "1.0.1.8.0.255", "2"], ["get", "3", "1.0.1.8.0.255", "0"],
     ["set", "3", "1.0.1.8.0.255", "2"], ["clock", "now"], ["profile"], ["action"]],
)  # fmt: skip
def test_what_a_probe_does_not_ask(words: list[str]) -> None:
    assert isinstance(ask("127.0.0.1:9", *words).refusal, AskedWrong)


def test_choices_of_rows_that_choose_none() -> None:
    for words in (
        ["clock", "--range", "2025-11-24", "2025-11-25"],
        ["get", "3", "1.0.1.8.0.255", "2", "--entries", "1", "2"],
        ["profile", "daily", "--range", "2025-11-25", "2025-11-24"],
        ["profile", "daily", "--range", "yesterday", "2025-11-24"],
        ["profile", "daily", "--entries", "0", "4"],
        ["profile", "daily", "--entries", "5", "4"],
        ["profile", "daily", "--entries", "1", "2", "--range", "2025-11-24", "2025-11-25"],
    ):
        assert isinstance(ask("127.0.0.1:9", *words).refusal, SelectionWrong)
    unknown = ask("127.0.0.1:9", "profile", "weekly").refusal
    assert isinstance(unknown, ProfileUnknown)
    assert "daily" in unknown.data["known"]


def test_nobody_listens_and_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as quiet:
        address = f"127.0.0.1:{quiet.getsockname()[1]}"
        refused = ask(address, "--timeout", "0.2").refusal
        assert isinstance(refused, MeterSilent)
        assert refused.exit_code == 3
    assert isinstance(ask(address).refusal, MeterSilent)


def test_a_meter_that_drips_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                for byte in b"\x00\x01\x00\x01\x00\x10\x00\xff" + bytes(255):
                    if done.wait(0.05):
                        return
                    connection.sendall(bytes((byte,)))

        thread = threading.Thread(target=drip)
        thread.start()
        refused = ask(f"127.0.0.1:{listener.getsockname()[1]}", "--timeout", "0.4").refusal
        done.set()
        thread.join()
        assert isinstance(refused, MeterSilent)


def test_an_hdlc_meter_that_is_silent_is_asked_again_and_given_up(tmp_path: Path) -> None:
    with StrangeMeter(framing=lambda: HdlcServer(physical=None), bent=lambda reply: b"") as meter:
        file = strange_file(tmp_path, transport="hdlc", counter=50)
        refused = ask(meter.address, "--meter", str(file), "--timeout", "0.2", "clock").refusal
        assert isinstance(refused, MeterSilent)
        assert meter.received.count(meter.received[0]) == 4


def test_wrong_keys_are_told_apart_from_silence(tmp_path: Path) -> None:
    with StrangeMeter() as meter:
        wrong = ask(meter.address, "--meter", str(strange_file(tmp_path, ek="00" * 15 + "01")), "clock").refusal
        assert isinstance(wrong, MeterRefusesUs)
        assert "keys" in wrong.text("en")
        other = strange_file(tmp_path, meter_title="4142430000000001")
        assert isinstance(ask(meter.address, "--meter", str(other), "clock").refusal, MeterMisspoke)
        lls = strange_file(tmp_path, client=32, mechanism="lls", security=0x20, password="not it", counter=9)
        assert isinstance(ask(meter.address, "--meter", str(lls), "clock").refusal, MeterRefusesUs)
        shorter = strange_file(tmp_path, quirks={"challenge_length": 3})
        refused = ask(meter.address, "--meter", str(shorter), "clock").refusal
        assert isinstance(refused, CannotAsk)
        assert refused.exit_code == 2


def test_noise_for_an_answer() -> None:
    with StrangeMeter(bent=lambda reply: b"\x00\x01\x00\x01\x00\x10\x00\x02\x61\x07") as meter:
        refused = ask(meter.address).refusal
        assert isinstance(refused, MeterMisspoke)
        assert refused.exit_code == 1
    with StrangeMeter(bent=lambda reply: None) as meter:
        assert isinstance(ask(meter.address).refusal, MeterSilent)


# --- the file that it writes ------------------------------------------------------------------------------------------


def test_a_file_to_fill_in(circle: tuple[Fleet, list[RosterRow]], tmp_path: Path) -> None:
    address, row = one_of(circle, "kharun")
    path = tmp_path / "new.toml"
    assert ask(address, "--write", str(path), "--json").data == {"address": address, "file": str(path)}
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert row.meter in text
    assert 'make = "kharun"' in text
    refused = ask(address, "--write", str(path)).refusal
    assert refused is not None
    assert refused.code == "meter_file_stands"
    filled = (
        text.replace('password = ""', f'password_hex = "{row.mr_lls.hex()}"')
        .replace('ek = ""', f'ek = "{row.mr_ek.hex()}"')
        .replace('ciphering = "glo"', 'ciphering = "general-glo"')
    )
    path.write_text(filled)
    assert ask(address, "--meter", str(path), "profile", "daily", "--json").data["rows"]


def test_a_file_for_a_meter_that_is_silent(tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    assert ask("127.0.0.1:9", "--write", str(path)).out.strip() == str(path)
    assert "does not answer" in path.read_text()


def test_help_names_what_may_be_asked(tmp_path: Path) -> None:
    told: subprocess.CompletedProcess[str] = bahal(tmp_path, "probe", "--help", changed={"COLUMNS": "160"})
    for word in ("--meter", "--range", "--entries", "--write", "--trace", "--json", "objects", "docs/probe.md"):
        assert word in told.stdout


def test_a_secret_that_a_meter_sends_back_is_not_printed(tmp_path: Path) -> None:
    with StrangeMeter() as meter:
        file = str(strange_file(tmp_path))
        told = ask(meter.address, "--meter", file, "get", "1", "0.0.128.0.7.255", "2", "--trace")
        assert EK.hex() not in told.out + told.err
        assert "[secret]" in told.out
