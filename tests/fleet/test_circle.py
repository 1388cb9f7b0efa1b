"""The circle in memory: consumption from a seed, the roster, the log and what a link refuses."""

import asyncio
import csv
import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import apdu, axdr, india, push
from bahal.dlms.errors import CounterExhausted, RemoteError
from bahal.dlms.objects.disconnect import ControlState, Move
from bahal.dlms.security import Cipher
from bahal.fleet import consumption
from bahal.fleet.alerts import alert_frame
from bahal.fleet.circle import Circle
from bahal.fleet.consumption import BLOCK, DAY, Dark
from bahal.fleet.faults import Behaviour
from bahal.fleet.link import Links, MeterLink
from bahal.fleet.movements import read_movements
from bahal.fleet.roster import COLUMNS, LINK_COLUMNS, RosterError, RosterRow, invent, read_roster
from bahal.fleet.store import MeterColumns, UnknownMeter
from tests.fleet.household import MONDAY, NullModem, StandingClock, circle_of

NOW = int(MONDAY.timestamp())
SEEDS = st.integers(0, 0xFFFFFFFF)
MOMENTS = st.integers(consumption.day_start(0), consumption.day_start(20_000))


# --- consumption ------------------------------------------------------------------------------------------------------


@given(seed=SEEDS, moment=MOMENTS, later=st.integers(0, 3 * DAY))
def test_energy_never_falls_and_stays_a_households(seed: int, moment: int, later: int) -> None:
    used = consumption.energy(seed, moment + later) - consumption.energy(seed, moment)
    assert 0 <= used <= 40_000 * (later // DAY + 1)


@given(seed=SEEDS, day=st.integers(0, 20_000))
def test_a_household_uses_something_in_every_half_hour(seed: int, day: int) -> None:
    start = consumption.day_start(day)
    cuts = [consumption.energy(seed, start + n * BLOCK) for n in range(49)]
    assert all(before < after for before, after in itertools.pairwise(cuts))


@given(seed=SEEDS, steps=st.lists(st.tuples(st.integers(0, DAY), st.integers(0, DAY)), max_size=8), ask=MOMENTS)
def test_served_energy_is_what_a_plain_sum_says(seed: int, steps: list[tuple[int, int]], ask: int) -> None:
    periods: list[Dark] = []
    moment, plain = NOW, []
    for until_off, until_on in steps:
        off = moment + until_off
        moment = off + until_on
        consumption.darken(seed, periods, off)
        consumption.lighten(periods, moment)
        plain.append((off, moment))
    at = NOW - DAY + ask % (20 * DAY)
    lost = sum(consumption.energy(seed, min(on, at)) - consumption.energy(seed, off) for off, on in plain if off <= at)
    assert consumption.energy_served(seed, at, periods) == consumption.energy(seed, at) - lost
    assert consumption.is_dark(at, periods) == any(off <= at < on for off, on in plain)


def test_only_the_latest_dark_periods_are_kept() -> None:
    periods: list[Dark] = []
    for n in range(consumption.DARK_KEPT + 10):
        consumption.darken(5, periods, NOW + n * 100)
        consumption.darken(5, periods, NOW + n * 100 + 10)
        consumption.lighten(periods, NOW + n * 100 + 50)
    assert len(periods) == consumption.DARK_KEPT
    end = NOW + consumption.DARK_KEPT * 200
    lost = consumption.energy(5, end) - consumption.energy_served(5, end, periods)
    assert lost >= periods[-1].lost_before > 0


@given(seed=SEEDS, month=st.integers(1, 60))
def test_the_peak_of_a_month_is_the_highest_half_hour(seed: int, month: int) -> None:
    starts = consumption.month_starts(before=NOW, count=month + 1)
    best, when = consumption.peak(seed, starts[0], starts[1])
    assert starts[0] < when <= starts[1]
    assert best == consumption.power(seed, when - 1)
    assert all(consumption.power(seed, at) <= best for at in range(starts[0], starts[1], 7 * BLOCK))


def test_months_open_at_midnight_in_india() -> None:
    starts = consumption.month_starts(before=NOW, count=3)
    told = [datetime.fromtimestamp(at, india.IST) for at in starts]
    assert [(at.year, at.month, at.day, at.hour, at.minute) for at in told] == [
        (2025, 9, 1, 0, 0),
        (2025, 10, 1, 0, 0),
        (2025, 11, 1, 0, 0),
    ]


def test_a_cut_meter_uses_nothing_and_goes_on_where_it_stopped(
    circle: Circle, rows: list[RosterRow], standing: StandingClock
) -> None:
    meter = circle.meter(0)
    before = meter.value("energy_import", 2)
    circle.move(0, Move.REMOTE_DISCONNECT, None)
    standing.at = MONDAY + timedelta(hours=6)
    circle._moment_read = float("-inf")
    assert meter.value("energy_import", 2) == before
    assert meter.value("active_power", 2) == 0
    circle.move(0, Move.REMOTE_RECONNECT, None)
    standing.at = MONDAY + timedelta(hours=7)
    circle._moment_read = float("-inf")
    assert meter.value("energy_import", 2) > before
    assert meter.value("active_power", 2) > 0
    zones = sum(meter.value(f"energy_import_t{zone}", 2) for zone in range(1, 5))
    assert zones == meter.value("energy_import", 2)


# --- the roster -------------------------------------------------------------------------------------------------------


def test_an_invented_roster_is_the_same_every_time(tmp_path: Path) -> None:
    makes = [("b", b"BBB"), ("a", b"AAA")]
    once = list(invent(count=600, seed=3, port=4059, makes=makes))
    assert once == list(invent(count=600, seed=3, port=4059, makes=reversed(makes)))
    assert once != list(invent(count=600, seed=4, port=4059, makes=makes))
    assert list(once[0]) == [*COLUMNS, *LINK_COLUMNS]
    hosts = [row["host"] for row in once]
    assert len(set(hosts)) == 600
    assert not any(host.endswith((".0", ".255")) for host in hosts)
    assert {row["cell"] for row in once} == {"cell-00000", "cell-00001", "cell-00002"}
    assert {row["make"] for row in once} == {"a", "b"}
    assert once[0]["system_title"].startswith((b"AAA".hex(), b"BBB".hex()))


def test_a_roster_needs_makes_and_addresses() -> None:
    with pytest.raises(ValueError, match="at least one make"):
        next(invent(count=1, seed=1, port=0, makes=[]))
    with pytest.raises(ValueError, match="do not fit"):
        list(invent(count=300, seed=1, port=0, makes=[("a", b"AAA")], first_host="127.255.255.1"))


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("host", "10.1.2.3", "outside 127.0.0.0/8"),
        ("host", "meter", "not an IPv4 address"),
        ("us_ek", "00", "1 bytes, 16 to 16 expected"),
        ("us_ek", "zz", "not hexadecimal"),
        ("system_title", "", "empty"),
        ("port", "x", "not a number"),
        ("meter", "CG" + "1" * 20, "at most 16 bytes"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, rows: list[RosterRow], column: str, value: str, reason: str) -> None:
    path = tmp_path / "roster.csv"
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    table[4][column] = value
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, (*COLUMNS, *LINK_COLUMNS))
        writer.writeheader()
        writer.writerows(table)
    with pytest.raises(RosterError, match=reason) as refused:
        list(read_roster(path))
    assert (refused.value.line, refused.value.column) == (6, column)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text(",".join(COLUMNS[:-1]) + "\n")
    with pytest.raises(RosterError, match="line 1, column push_ek"):
        list(read_roster(path))


def test_meters_are_found_in_any_order_of_the_roster(rows: list[RosterRow]) -> None:
    shuffled = rows[5:] + rows[:5]
    columns = MeterColumns(shuffled, first_counter=1)
    for n, row in enumerate(shuffled):
        assert columns.at_address(row.host) == n
        assert columns.address_of(n) == row.host
        assert columns.with_serial(row.meter) == n
        assert columns.serial_of(n) == row.meter
    assert columns.at_address(1) is None
    for serial in ("", "CG1", "x" * 40):
        with pytest.raises(UnknownMeter):
            columns.with_serial(serial)
    with pytest.raises(RosterError, match="stands twice"):
        MeterColumns([*shuffled, rows[0]], first_counter=1)


# --- the log and the restart ------------------------------------------------------------------------------------------


def test_a_circle_is_restored_from_its_log(rows: list[RosterRow], tmp_path: Path, standing: StandingClock) -> None:
    first = circle_of(rows, tmp_path, standing)
    n = next(n for n, row in enumerate(rows) if row.make == "arpa")
    link = NullModem(first, rows[n], n, 48, counter=700).open()
    link.act("relay", 1)
    first.move(n + 1, Move.LOCAL_DISCONNECT, None)
    first.move(n + 2, Move.LOCAL_DISCONNECT, None)
    first.move(n + 2, Move.MANUAL_RECONNECT, None)
    with (tmp_path / "fleet.jsonl").open("a") as log:
        log.write('{"meter":"CG00000000","business_at":"2025-11-24T04:30:00+00:00","relay":"off","cause":"manual",')
        log.write('"sap":null,"counter":null}\n{"at":"2025-11-24T04:3')
    again = circle_of(rows, tmp_path, standing)
    assert again.restore(tmp_path / "fleet.jsonl") == 4
    states = [ControlState(state) for state in again.columns.control_states[n : n + 3]]
    assert states == [ControlState.DISCONNECTED, ControlState.READY_FOR_RECONNECTION, ControlState.CONNECTED]
    assert again.columns.count_off() == 2
    assert again.columns.floors[48][n] == first.columns.floors[48][n] == link.client.counter
    assert again.columns.dark[n] == first.columns.dark[n]
    assert len(list(read_movements(tmp_path / "fleet.jsonl"))) == 5


def test_only_what_nobody_ordered_is_told(circle: Circle, rows: list[RosterRow]) -> None:
    told: list[int] = []
    circle.alert = told.append
    n = next(n for n, row in enumerate(rows) if row.make == "arpa")
    link = NullModem(circle, rows[n], n, 48).open()
    link.act("relay", 1)
    link.act("relay", 1)
    assert told == []
    circle.close_by_force(n)
    assert told == [n]
    assert not circle.move(n, Move.MANUAL_DISCONNECT, None)
    assert told == [n]


def test_an_alert_opens_with_the_push_key_alone(circle: Circle, rows: list[RosterRow]) -> None:
    first, second = (alert_frame(circle, 3)[8:] for _ in range(2))
    cipher = Cipher(rows[3].push_ek, bytes(16))
    one = push.open_notification(first, cipher, -1, security_control=0x20)
    two = push.open_notification(second, cipher, one.counter, security_control=0x20)
    assert two.counter == one.counter + 1
    assert india.read_alert(two.notification.body).device_id.decode() == rows[3].meter
    for other in (rows[3].us_ek, rows[3].mr_ek, rows[4].push_ek):
        with pytest.raises(RemoteError):
            push.open_notification(first, Cipher(other, bytes(16)), -1, security_control=0x20)
    for wrong in (axdr.null(), axdr.structure(axdr.null())):
        with pytest.raises(RemoteError):
            india.read_alert(wrong)


def test_no_counter_is_used_beyond_the_last(circle: Circle) -> None:
    circle.columns.counters[48][0] = 0xFFFFFFFF
    with pytest.raises(CounterExhausted):
        circle.meter(0).take_counter(48)


# --- links ------------------------------------------------------------------------------------------------------------


class Wire(asyncio.Transport):
    """A transport that only remembers."""

    def __init__(self, host: str) -> None:
        super().__init__({"sockname": (host, 4059)})
        self.written: list[bytes] = []
        self.ended = ""
        self.reading = True

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def abort(self) -> None:
        self.ended = "abort"

    def close(self) -> None:
        self.ended = "close"

    def is_closing(self) -> bool:
        return bool(self.ended)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


@pytest.mark.parametrize("host", ["10.0.0.5", "192.168.1.1", "127.0.0.1"])
def test_no_address_outside_the_roster_and_the_loopback_net_is_served(circle: Circle, host: str) -> None:
    async def dial() -> Wire:
        link, wire = MeterLink(Links(circle, idle_deadline=1)), Wire(host)
        link.connection_made(wire)
        return wire

    assert asyncio.run(dial()).ended == "abort"
    assert (circle.stats.connections, circle.stats.refused_connections) == (0, 1)


def test_a_silent_connection_ends_at_its_deadline(circle: Circle) -> None:
    async def dial() -> tuple[str, str]:
        links = Links(circle, idle_deadline=120)
        link, wire = MeterLink(links), Wire("127.16.0.1")
        link.connection_made(wire)
        heard_at = link.heard_at
        link.data_received(b"\x00\x01")
        assert link.heard_at == heard_at
        links.close_idle(link.heard_at + 119)
        before = wire.ended
        links.close_idle(link.heard_at + 121)
        link.connection_lost(None)
        assert not links.open
        return before, wire.ended

    assert asyncio.run(dial()) == ("", "close")
    assert circle.stats.errors == {"idle": 1}


def test_a_client_that_asks_without_end_is_not_read_from(circle: Circle) -> None:
    """Delayed replies are bounded; a client that does not take its replies is not listened to."""
    circle.behave(0, Behaviour(reply_delay=0.01))

    async def dial() -> tuple[bool, bool, int]:
        link, wire = MeterLink(Links(circle, idle_deadline=120)), Wire("127.16.0.1")
        link.connection_made(wire)
        request = bytes.fromhex("000100100001000d") + apdu.get_request(1, 8, india.CLOCK_LN, 2)
        for _ in range(16):
            link.data_received(request)
        held = wire.reading
        await asyncio.sleep(0.1)
        link.pause_writing()
        assert not wire.reading
        link.resume_writing()
        return held, wire.reading, len(wire.written)

    assert asyncio.run(dial()) == (False, True, 16)


def test_refusals_are_counted_by_name(circle: Circle, rows: list[RosterRow]) -> None:
    async def dial() -> Wire:
        link, wire = MeterLink(Links(circle, idle_deadline=120)), Wire("127.16.0.1")
        link.connection_made(wire)
        asked = NullModem(circle, rows[0], 0, 16).client.open()
        for _ in range(3):
            link.data_received(asked[:2] + b"\x00\x50" + asked[4:])
        return wire

    wire = asyncio.run(dial())
    assert wire.ended == "close"
    assert len(wire.written) == 3
    assert circle.stats.figures()["refusals"] == {"association_rejected": 3}
    assert json.loads(json.dumps(circle.stats.figures()))["errors"] == {"association_rejected": 1}


def test_the_log_is_utc_to_the_microsecond(circle: Circle, tmp_path: Path, standing: StandingClock) -> None:
    standing.at = datetime(2025, 11, 24, 4, 30, 0, 7, tzinfo=UTC)
    circle.move(0, Move.LOCAL_DISCONNECT, None)
    (line,) = (tmp_path / "fleet.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "at": "2025-11-24T04:30:00.000007+00:00",
        "business_at": "2025-11-24T04:30:00.000007+00:00",
        "meter": "CG10000001",
        "relay": "off",
        "cause": "limiter",
        "sap": None,
        "counter": None,
        "frame": None,
    }
