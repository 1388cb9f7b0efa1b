"""A meter that is killed forgets no counter: neither its own next one nor the smallest it takes from a client."""

import dataclasses
import os
import signal
from pathlib import Path

import pytest

from bahal.dlms.errors import ServiceException
from bahal.fleet.counters import in_file, in_memory
from bahal.fleet.roster import RosterRow
from bahal.fleet.store import MeterColumns
from tests.fleet.household import roster
from tests.fleet.running import Caller, Fleet

SAPS = (32, 48)


@pytest.fixture
def rows(tmp_path: Path) -> list[RosterRow]:
    return roster(tmp_path, count=6)


def fleet_in(folder: Path) -> Fleet:
    return Fleet(folder, counters_path=str(folder / "counters.bin"))


@pytest.mark.parametrize("sap", SAPS)
def test_kill_nine_makes_no_meter_forget(tmp_path: Path, rows: list[RosterRow], sap: int) -> None:
    row = next(row for row in rows if row.make == "arpa")
    with fleet_in(tmp_path) as fleet, Caller(fleet, row, sap, counter=100) as caller:
        caller.open()
        caller.get("relay", 2)
        ours, theirs = caller.client.counter, caller.client.meter_counter
        os.kill(fleet.process.pid, signal.SIGKILL)
        fleet.process.wait(10)
    assert theirs > 0
    with fleet_in(tmp_path) as again:
        with Caller(again, row, sap, counter=100) as replayed, pytest.raises(ServiceException) as refused:
            replayed.open()
        assert refused.value.invocation_counter == ours
        with Caller(again, row, sap, counter=ours) as caller:
            caller.open()
            assert theirs < caller.client.meter_counter < theirs + 10
        figures = again.admin(do="stats")
    assert figures["errors"] == {"replayed_counter": 1}


def test_a_file_of_another_roster_is_made_anew(tmp_path: Path, rows: list[RosterRow]) -> None:
    path = tmp_path / "counters.bin"
    columns = MeterColumns(rows, first_counter=7, counters_path=path)
    columns.floors[48][1] = 12
    columns.counters[64][5] = 9
    kept = MeterColumns(rows, first_counter=1000, counters_path=path)
    assert (kept.floors[48][1], kept.counters[64][5], kept.counters[32][0]) == (12, 9, 7)
    other = [dataclasses.replace(row, us_ek=bytes(16)) for row in rows]
    anew = MeterColumns(other, first_counter=1000, counters_path=path)
    assert (anew.floors[48][1], anew.counters[64][5]) == (0, 1000)
    assert path.stat().st_mode & 0o777 == 0o600


def test_both_keepings_hold_the_same(tmp_path: Path) -> None:
    memory = in_memory(3, first_counter=5)
    file = in_file(tmp_path / "counters.bin", 3, first_counter=5, roster=b"r")
    for kept, mapped in zip(memory, file, strict=True):
        assert {sap: list(values) for sap, values in kept.items()} == {sap: list(v) for sap, v in mapped.items()}
        for values in (*kept.values(), *mapped.values()):
            values[2] = 0xFFFFFFFF
            assert values[2] == 0xFFFFFFFF
