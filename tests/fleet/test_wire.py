"""The fleet on real sockets: addresses, delays, the log, pushes, and what ends a connection."""

import ipaddress
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bahal.dlms import clock, india, push, wrapper
from bahal.dlms.association.events import Released
from bahal.dlms.quirks import registry
from bahal.dlms.security import Cipher
from bahal.fleet.roster import RosterRow, invent, write_roster
from tests.fleet.household import roster
from tests.fleet.running import DEADLINE_S, Caller, Fleet


@pytest.fixture
def rows(tmp_path: Path) -> list[RosterRow]:
    return roster(tmp_path, count=300)


@pytest.fixture
def fleet(tmp_path: Path, rows: list[RosterRow]) -> Iterator[Fleet]:
    with Fleet(tmp_path) as running:
        yield running


@pytest.fixture
def head_end() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_S)
        yield listener


def one_of(rows: list[RosterRow], make: str) -> RosterRow:
    return next(row for row in rows if row.make == make)


def test_it_says_when_it_is_ready(fleet: Fleet, rows: list[RosterRow]) -> None:
    assert fleet.ready == f'{{"ready":true,"port":{fleet.port},"meters":{len(rows)}}}'


def test_a_meter_is_the_address_that_was_dialled(fleet: Fleet, rows: list[RosterRow]) -> None:
    for row in (rows[0], rows[1], rows[253], rows[254], rows[299]):
        with Caller(fleet, row, 16) as caller:
            caller.open()
            assert caller.get("serial_number") == row.meter
    assert [str(ipaddress.IPv4Address(rows[n].host)) for n in (0, 253, 254)] == [
        "127.16.0.1",
        "127.16.0.254",
        "127.16.1.1",
    ]


def test_an_address_without_a_meter_is_refused(fleet: Fleet) -> None:
    for host in ("127.0.0.1", "127.16.0.255", "127.200.0.1"):
        with socket.create_connection((host, fleet.port), timeout=DEADLINE_S) as stranger, suppress(ConnectionError):
            assert stranger.recv(1) == b""
    assert fleet.admin(do="stats")["refused_connections"] == 3


@pytest.mark.parametrize("make", ["arpa", "shivnath", "kharun"])
def test_a_relay_is_cut_and_restored_and_each_movement_is_on_file_before_its_reply(
    fleet: Fleet, rows: list[RosterRow], make: str
) -> None:
    row = one_of(rows, make)
    with Caller(fleet, row, 48) as caller:
        caller.open()
        for method, relay, cause in ((1, "off", "remote_disconnect"), (2, "on", "remote_reconnect")):
            before = datetime.now(UTC)
            counter = caller.client.counter
            assert caller.move(method) == 0
            last = fleet.movements()[-1]
            assert (last["meter"], last["relay"], last["cause"], last["sap"], last["counter"]) == (
                row.meter,
                relay,
                cause,
                48,
                counter,
            )
            assert before <= datetime.fromisoformat(last["at"]) <= datetime.now(UTC)
            assert caller.get("relay", 2) is (relay == "on")
            assert fleet.admin(do="count_off")["off"] == (relay == "off")
        assert isinstance(caller.say(caller.client.release()), Released)


def test_replies_are_delayed_and_meters_do_not_wait_for_each_other(tmp_path: Path, rows: list[RosterRow]) -> None:
    with Fleet(tmp_path, delay=0.2) as fleet:
        callers = [Caller(fleet, row, 16) for row in rows[:40]]
        started = time.monotonic()
        for caller in callers:
            caller.socket.sendall(caller.client.open())
        for caller in callers:
            assert caller.say(b"")
        took = time.monotonic() - started
        assert 0.2 <= took < 2.0
        for caller in callers:
            caller.socket.close()


def test_a_forced_close_is_logged_and_pushed_under_the_push_key(
    tmp_path: Path, rows: list[RosterRow], head_end: socket.socket
) -> None:
    row = one_of(rows, "arpa")
    with Fleet(tmp_path, push_to=f"127.0.0.1:{head_end.getsockname()[1]}") as fleet:
        with Caller(fleet, row, 48) as caller:
            caller.open()
            caller.move(1)
            word = caller.get("status_word")
            assert [bit.name for bit in india.conditions(word)] == ["load_disconnected"]
        assert fleet.admin(do="close_by_force", meter=row.meter) == {
            "ok": True,
            "meter": row.meter,
            "relay": "on",
            "control_state": 1,
            "control_mode": 4,
        }
        alert, source = _pushed(head_end)
        assert source == str(ipaddress.IPv4Address(row.host))
        ((from_port, to_port, notification),) = wrapper.Deframer().feed(alert)
        assert (from_port, to_port) == (1, 64)
        assert push.sender_of(notification) == row.system_title
        opened = push.open_notification(
            notification, Cipher(row.push_ek, bytes(16)), last_counter=-1, security_control=0x20
        )
        said = india.read_alert(opened.notification.body)
        assert said.device_id.decode() == row.meter
        assert said.push_ln == india.ALERT_LN
        assert said.status == india.status_word()
        assert abs(said.at - datetime.now(UTC)) < timedelta(minutes=1)
        assert clock.decode(opened.notification.clock, zone=india.IST) == said.at
        assert [(line["relay"], line["cause"], line["sap"]) for line in fleet.movements()] == [
            ("off", "remote_disconnect", 48),
            ("on", "manual", None),
        ]
        with Caller(fleet, row, 32) as caller:
            assert caller.open().get("event_control") == india.LOAD_CONNECTED_EVENT
        assert fleet.admin(do="stats")["alerts_sent"] == 1


def _pushed(head_end: socket.socket) -> tuple[bytes, str]:
    accepted, (source, _) = head_end.accept()
    with accepted:
        accepted.settimeout(DEADLINE_S)
        pieces = []
        while piece := accepted.recv(4096):
            pieces.append(piece)
    return b"".join(pieces), source


def test_an_alert_waits_for_a_head_end_that_comes_late(tmp_path: Path, rows: list[RosterRow]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    with Fleet(tmp_path, push_to=f"127.0.0.1:{port}") as fleet:
        assert fleet.admin(do="trip_limiter", meter=rows[0].meter)["relay"] == "off"
        time.sleep(0.3)
        with socket.create_server(("127.0.0.1", port)) as late:
            late.settimeout(DEADLINE_S)
            alert, _ = _pushed(late)
        assert push.sender_of(alert[8:]) == rows[0].system_title


def test_the_admin_door_refuses_by_name(fleet: Fleet, rows: list[RosterRow]) -> None:
    assert fleet.admin(do="close_by_force", meter="CG99999999") == {
        "ok": False,
        "error": "unknown_meter",
        "meter": "CG99999999",
    }
    assert fleet.admin(do="close_by_force", meter=rows[0].meter)["error"] == "already_connected"
    assert fleet.admin(do="burn", meter=rows[0].meter)["error"] == "unknown_verb"
    assert fleet.admin(don="t")["error"] == "not_understood"
    assert fleet.admin(do="trip_limiter", meter=rows[0].meter)["control_state"] == 2
    assert fleet.admin(do="press_button", meter=rows[0].meter)["control_state"] == 1
    assert fleet.admin(do="relay", meter=rows[0].meter)["relay"] == "on"
    assert fleet.admin_path.stat().st_mode & 0o777 == 0o600


def test_bad_bytes_end_their_own_connection_only(fleet: Fleet, rows: list[RosterRow]) -> None:
    with Caller(fleet, rows[0], 48) as good:
        good.open()
        for junk in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x00\x01\x00\x10\x00\x01\xff\xff",
            b"\x00\x01\x00\x30\x00\x01\x00\x02\x60\x7f",
        ):
            with Caller(fleet, rows[1], 48) as bad:
                bad.socket.sendall(junk)
                assert bad.socket.recv(100) == b""
        assert good.get("relay", 3) == 1
    errors = fleet.admin(do="stats")["errors"]
    assert errors == {"malformed": 2, "oversized": 1}


def test_relays_counters_and_dark_time_survive_the_process(tmp_path: Path, rows: list[RosterRow]) -> None:
    row = one_of(rows, "arpa")
    with Fleet(tmp_path) as fleet:
        with Caller(fleet, row, 48) as caller:
            caller.open()
            caller.move(1)
            stale, meter_counter = caller.client.counter, caller.client.meter_counter
        assert fleet.stop() == 0
        assert not fleet.admin_path.exists()
    time.sleep(1.0)
    with Fleet(tmp_path) as fleet:
        assert fleet.admin(do="count_off") == {"ok": True, "off": 1, "on": len(rows) - 1}
        with Caller(fleet, row, 48, counter=stale) as caller:
            caller.open()
            assert caller.get("relay", 3) == 0
            assert caller.get("active_power") == 0
            assert caller.client.meter_counter > meter_counter


def test_the_rehearsal_clock_is_the_meters_clock(tmp_path: Path, rows: list[RosterRow]) -> None:
    monday = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)
    path = tmp_path / "clock.json"
    path.write_text(json.dumps({"business_at": monday.isoformat(), "wall_at": datetime.now(UTC).isoformat()}))
    with Fleet(tmp_path, clock=path) as fleet, Caller(fleet, rows[0], 48) as caller:
        caller.open()
        told = clock.decode(caller.get("clock"), zone=india.IST)
        assert monday <= told < monday + timedelta(minutes=1)
        caller.move(1)
        (line,) = fleet.movements()
        assert monday <= datetime.fromisoformat(line["business_at"]) < monday + timedelta(minutes=1)
        assert datetime.now(UTC) - datetime.fromisoformat(line["at"]) < timedelta(minutes=1)


def test_a_fleet_that_cannot_start_says_why(tmp_path: Path, rows: list[RosterRow]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Fleet(tmp_path, host_port=f"127.0.0.1:{port}") as fleet:
            assert fleet.ready.startswith("port")
            assert fleet.process.wait(DEADLINE_S) == 3
    with Fleet(tmp_path, host_port="10.0.0.1:0") as fleet:
        assert fleet.ready.startswith("address")
    text = (tmp_path / "roster.csv").read_text().splitlines()
    text[2] = text[2].replace("127.16.0.2", "192.168.0.2")
    (tmp_path / "roster.csv").write_text("\n".join(text))
    with Fleet(tmp_path) as fleet:
        assert fleet.ready.startswith("roster roster line 3, column host")


_MEASURE = """
import gc, sys
from pathlib import Path
from bahal.dlms import india
from bahal.fleet.roster import read_roster
from bahal.fleet.store import MeterColumns

def resident():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

india.single_phase_answers()
MeterColumns(list(read_roster(Path(sys.argv[2]))), first_counter=1)
before = resident()
columns = MeterColumns(read_roster(Path(sys.argv[1])), first_counter=1)
print(len(columns), resident() - before)
"""


def test_a_hundred_thousand_meters_take_at_most_24_megabytes(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.mkdir()
    large.mkdir()
    roster(small, count=10)
    pairs = [(make.name, make.flag.encode()) for make in registry().values()]
    write_roster(large / "roster.csv", invent(count=100_000, seed=1, port=4059, makes=pairs))
    run = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(large / "roster.csv"), str(small / "roster.csv")],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    count, grown = (int(part) for part in run.stdout.split())
    assert count == 100_000
    assert grown <= 24_000_000
