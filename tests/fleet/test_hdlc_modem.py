"""The product's client against the product's server over HDLC: whole sessions, and what a bad line does to them."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bahal.dlms import india
from bahal.dlms.association.events import ActionDone, Event, Got, Opened, Released
from bahal.dlms.association.server import ServerAssociation
from bahal.dlms.association.states import State
from bahal.dlms.errors import LinkLost, LinkRefused, StateError
from bahal.dlms.hdlc import HdlcClient, HdlcServer, Parameters
from bahal.fleet.circle import Circle
from bahal.fleet.roster import RosterRow
from tests.fleet.household import client_of, number_of

LINKS = [
    pytest.param(Parameters(), id="128 bytes, one frame"),
    pytest.param(Parameters(transmit=64, receive=64, transmit_window=3, receive_window=3), id="64 bytes, three frames"),
    pytest.param(Parameters(transmit=2030, receive=2030, transmit_window=7, receive_window=7), id="as wide as it goes"),
]


class HdlcModem:
    """A client and a meter, wired to each other by a line that may be bad."""

    def __init__(
        self,
        circle: Circle,
        rows: list[RosterRow],
        *,
        make: str = "arpa",
        sap: int = 48,
        proposal: Parameters,
        bend: Callable[[bytes], list[bytes]] = lambda data: [data],
    ) -> None:
        n = number_of(rows, make)
        self.meter = circle.meter(n)
        self.link = HdlcClient(physical=0x11, address_size=4, proposal=proposal)
        self.client = client_of(rows[n], sap, self.meter.quirks, framing=self.link)
        self.server = ServerAssociation(
            self.meter, answers=india.single_phase_answers(), framing=HdlcServer(physical=0x11)
        )
        self.bend = bend
        self.repeats = 0

    def say(self, out: bytes) -> Event:
        """Send one request and pass on what it entails; after silence, repeat."""
        for _ in range(1000):
            events: list[Event] = []
            for there in self.bend(out):
                for back in self.bend(self.server.receive(there)):
                    events += self.client.receive(back)
            out = self.client.outgoing()
            if events:
                # The next pass of HLS and the farewell leave by themselves, an answer that was asked for is the last.
                if out:
                    self.server.receive(out)
                return events[-1]
            if not out:
                self.repeats += 1
                out = self.client.repeat()
        raise AssertionError("no answer")


@pytest.mark.parametrize("proposal", LINKS)
@pytest.mark.parametrize(("make", "sap"), [("arpa", 16), ("arpa", 32), ("arpa", 48), ("shivnath", 48), ("kharun", 48)])
def test_a_whole_session(circle: Circle, rows: list[RosterRow], make: str, sap: int, proposal: Parameters) -> None:
    modem = HdlcModem(circle, rows, make=make, sap=sap, proposal=proposal)
    model = india.single_phase()
    assert isinstance(modem.say(modem.client.open()), Opened)
    assert isinstance(modem.say(modem.client.get(8, model["clock"].ln, 2)), Got)
    if sap == 32:
        got = modem.say(modem.client.get(7, model["daily_profile"].ln, 2))
        assert isinstance(got, Got)
        assert len(got.value) == 60  # type: ignore[arg-type]
    if sap == 48:
        assert isinstance(modem.say(modem.client.action(70, india.RELAY_LN, 1, b"\x0f\x00")), ActionDone)
        assert not modem.meter.connected
    released = modem.say(modem.client.release())
    assert isinstance(released, Released)
    assert released.clean
    assert modem.repeats == 0
    # The farewell went out; its answer may still come, and then nothing may any more.
    modem.client.receive(modem.server.receive(b""))
    assert modem.client.state is State.CLOSED


@pytest.mark.parametrize("seed", range(12))
def test_a_bad_line_moves_the_relay_once(circle: Circle, rows: list[RosterRow], tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)

    def bend(data: bytes) -> list[bytes]:
        lot = chance.random()
        if lot < 0.12:
            return []
        if lot < 0.24:
            at = chance.randrange(1, len(data)) if len(data) > 1 else 0
            return [data[:at] + bytes((data[at] ^ 0x24,)) + data[at + 1 :] if data else data]
        return [data, data] if lot < 0.36 else [data]

    small = Parameters(transmit=40, receive=64, transmit_window=2, receive_window=4)
    modem = HdlcModem(circle, rows, proposal=small, bend=bend)
    try:
        assert isinstance(modem.say(modem.client.open()), Opened)
        done = modem.say(modem.client.action(70, india.RELAY_LN, 1, b"\x0f\x00"))
        assert isinstance(done, ActionDone)
        state = modem.say(modem.client.get(70, india.RELAY_LN, 3))
        assert isinstance(state, Got)
        assert state.value == 0
    except LinkLost:
        # Four silences in a row: the caller gives up, and what he asked for is unknown.
        assert modem.client.state is State.CLOSED
    moved = [json.loads(line) for line in (tmp_path / "fleet.jsonl").read_text().splitlines()]
    assert len(moved) == (0 if modem.meter.connected else 1)


def test_a_link_set_anew_ends_the_association_on_it(circle: Circle, rows: list[RosterRow]) -> None:
    modem = HdlcModem(circle, rows, proposal=Parameters())
    modem.say(modem.client.open())
    n = number_of(rows, "arpa")
    thief = client_of(rows[n], 48, modem.meter.quirks, counter=5000, framing=HdlcClient(physical=0x11, address_size=4))
    thief.receive(modem.server.receive(thief.open()))
    assert modem.server.state is State.IDLE
    # The first client's frames are now out of any order that the meter knows.
    with pytest.raises((LinkRefused, LinkLost)):
        modem.say(modem.client.get(70, india.RELAY_LN, 2))
    assert modem.client.state is State.CLOSED
    with pytest.raises(StateError):
        modem.client.get(70, india.RELAY_LN, 2)


def test_a_meter_that_stays_silent_is_given_up(circle: Circle, rows: list[RosterRow]) -> None:
    modem = HdlcModem(circle, rows, proposal=Parameters(), bend=lambda data: [])
    with pytest.raises(LinkLost):
        modem.say(modem.client.open())
    assert modem.client.state is State.CLOSED
