"""Meters that call: how they begin, what a reset and an orderly close tell them, and what wakes them."""

import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bahal.dlms import push, wrapper
from bahal.dlms.quirks import registry
from bahal.fleet.roster import RosterError, RosterRow, invent, read_roster, sims_of, write_roster
from bahal.fleet.store import MeterColumns, UnknownMeter
from bahal.gateways.sms.client import HttpSmsGateway
from bahal.gateways.sms.interface import WAKE_UP, Outgoing
from bahal.shared.home import Home
from tests.fleet.household import client_of
from tests.fleet.running import DEADLINE_S, Fleet
from tests.gateways.stand_in import running


def rows_of(folder: Path, *, count: int = 4, **shares: float) -> list[RosterRow]:
    make = registry()["arpa"]
    rows = list(invent(count=count, seed=7, port=4059, makes=[(make.name, make.flag.encode())], **shares))
    write_roster(folder / "roster.csv", rows)
    return list(read_roster(folder / "roster.csv"))


class Door:
    """Where meters call."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(DEADLINE_S)
        self._callers: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"

    def answered(self) -> tuple[socket.socket, str, bytes]:
        """The next caller, where he called from, and the system title of his push."""
        caller, (host, _) = self._listening.accept()
        self._callers.append(caller)
        caller.settimeout(DEADLINE_S)
        deframer = wrapper.Deframer()
        while True:
            for source, destination, apdu in deframer.feed(caller.recv(4096)):
                assert (source, destination) == (1, 64)
                return caller, host, push.sender_of(apdu)

    def is_quiet(self, seconds: float) -> bool:
        """Whether nobody calls for so long."""
        self._listening.settimeout(seconds)
        try:
            self._callers.append(self._listening.accept()[0])
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        for each in (*self._callers, self._listening):
            each.close()


@pytest.fixture
def door() -> Iterator[Door]:
    opened = Door()
    yield opened
    opened.close()


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def reset(caller: socket.socket) -> None:
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()


def test_a_meter_calls_from_its_own_address_and_answers_on_its_call(tmp_path: Path, door: Door) -> None:
    rows = rows_of(tmp_path, dial_in=1.0)
    with Fleet(tmp_path, push_to=door.address) as fleet:
        assert fleet.admin(do="call", meter=rows[1].meter)["ok"]
        caller, host, title = door.answered()
        assert (host, title) == ("127.16.0.2", rows[1].system_title)
        client = client_of(rows[1], 16, registry()["arpa"].quirks)
        caller.sendall(client.open())
        assert client.receive(caller.recv(4096))
        caller.sendall(client.get(1, bytes((0, 0, 96, 1, 0, 255)), 2))
        (got,) = client.receive(caller.recv(4096))
        assert got.value == rows[1].meter  # type: ignore[union-attr]
        assert fleet.admin(do="stats")["on_the_line"] == 1


def test_who_is_reset_calls_again_and_who_is_closed_in_order_does_not(tmp_path: Path, door: Door) -> None:
    rows = rows_of(tmp_path, dial_in=1.0)
    with Fleet(tmp_path, push_to=door.address) as fleet:
        fleet.admin(do="call", meter=rows[0].meter)
        reset(door.answered()[0])
        again, _, title = door.answered()
        assert title == rows[0].system_title
        again.close()
        until(lambda: fleet.admin(do="stats")["calls"] == {"made": 2, "reset": 1, "served": 1})
        assert door.is_quiet(2.5)


def test_a_feeder_returns_and_all_who_call_do(tmp_path: Path, door: Door) -> None:
    rows = rows_of(tmp_path, count=40, dial_in=0.5)
    calling = {row.system_title for row in rows if row.link == "dial_in"}
    assert 5 < len(calling) < 35
    with Fleet(tmp_path, push_to=door.address) as fleet:
        assert fleet.admin(do="call_all", within_s=0.5)["calling"] == len(calling)
        assert {door.answered()[2] for _ in calling} == calling
        assert set(fleet.admin(do="begun")["begun"]) == {row.meter for row in rows if row.link == "dial_in"}


def test_a_wake_up_sms_lets_the_meter_call(tmp_path: Path, door: Door) -> None:
    """From the SMS centre's own process over the fleet's own process to the head-end's door."""
    home = Home(tmp_path / "h")
    home.make()
    home.keep_secret("sms", {"hmac": bytes(32).hex()})
    rows = rows_of(tmp_path, dial_in=1.0)
    with (
        Fleet(tmp_path, push_to=door.address, admin_path=str(home.run / "fleet.sock")),
        running("sms", "http://127.0.0.1:9/none", home=home.path) as centre,
    ):
        gateway = HttpSmsGateway(centre.url)
        for _ in range(2):  # the same reference again wakes nobody twice
            (answer,) = gateway.send([Outgoing("wake-1-1", rows[2].msisdn, WAKE_UP, WAKE_UP)])
            assert answer.receipt
        assert door.answered()[2] == rows[2].system_title
        gateway.close()
    assert (home.logs / "sms.jsonl").read_text() == ""
    (line,) = (home.logs / "wakeups.jsonl").read_text().splitlines()
    entry: dict[str, Any] = json.loads(line)
    assert (entry["to"], entry["template"]) == (rows[2].msisdn, WAKE_UP)


def test_a_roster_says_how_each_meter_is_reached(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, count=300, dial_in=0.2, behind_gateways=0.4)
    by_link = {link: [row for row in rows if row.link == link] for link in ("dial_out", "dial_in", "gateway")}
    assert all(40 <= len(each) <= 140 for each in by_link.values())
    columns = MeterColumns(rows, first_counter=1)
    assert len(columns.callers) == len(by_link["dial_in"])
    assert sum(map(len, columns.gateways.values())) == len(by_link["gateway"])
    assert all(set(meters) <= set(range(1, 51)) for meters in columns.gateways.values())
    assert columns.with_sim(rows[7].msisdn) == 7
    with pytest.raises(UnknownMeter):
        columns.with_sim("+910000000000000")


def test_two_meters_at_one_wport_are_refused(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, count=30, behind_gateways=1.0)
    text = (tmp_path / "roster.csv").read_text().replace(f",2,{rows[1].msisdn}", f",1,{rows[1].msisdn}")
    (tmp_path / "roster.csv").write_text(text)
    with pytest.raises(RosterError) as refused:
        MeterColumns(read_roster(tmp_path / "roster.csv"), first_counter=1)
    assert (refused.value.line, refused.value.column) == (3, "wport")


def test_the_list_of_sims_has_one_for_each_meter() -> None:
    rows = list(invent(count=50, seed=7, port=4059, makes=[("arpa", b"ARP")]))
    sims = list(sims_of(rows))
    assert [sim["meter"] for sim in sims] == [row["meter"] for row in rows]
    assert len({sim["iccid"] for sim in sims}) == len({sim["msisdn"] for sim in sims}) == 50
    assert all(len(sim["iccid"]) == 19 and -110 < int(sim["signal_dbm"]) <= -70 for sim in sims)
