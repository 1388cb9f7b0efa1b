"""Tampers of simulated meters: the word, the log and the push say the same, and end with their restoration."""

from __future__ import annotations

import json
import socket
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from bahal.dlms import india, push
from bahal.dlms.objects.model import PUSH_SAP
from bahal.dlms.objects.profile import Numbered
from bahal.dlms.security import ENCRYPTED, Cipher
from bahal.dlms.wrapper import HEADER_LENGTH
from bahal.fleet.alerts import alert_frame
from bahal.fleet.circle import Circle
from bahal.fleet.door import AdminDoor
from bahal.fleet.link import Links
from bahal.fleet.tampers import KINDS, AlreadySo, TamperUnknown, planned, tamper
from bahal.shared.meter_events import events, status_bits
from tests.fleet.household import StandingClock, circle_of, roster
from tests.fleet.running import Fleet


@pytest.fixture
def circle(tmp_path: Path) -> Circle:
    return circle_of(roster(tmp_path, count=5), tmp_path, StandingClock())


def told(circle: Circle, row: int) -> set[int]:
    """The bits of the alert that a meter would push now."""
    meter = circle.meter(row)
    keys = meter.keys(PUSH_SAP)
    assert keys is not None
    opened = push.open_notification(
        alert_frame(circle, row)[HEADER_LENGTH:], Cipher(keys.encryption, keys.authentication), -1,
        security_control=ENCRYPTED,
    )  # fmt: skip
    status = india.read_alert(opened.notification.body).status
    return {bit for bit in range(india.STATUS_BITS) if status[bit]}


def logged(circle: Circle, row: int, family: str) -> list[int]:
    meter = circle.meter(row)
    return [cells[1] for cells in meter.rows(f"events_{family}", Numbered(first=1, last=0))]


@pytest.mark.parametrize("name", KINDS)
def test_a_tamper_is_told_and_kept_and_so_is_its_end(circle: Circle, name: str) -> None:
    kind, pushed = KINDS[name], []
    circle.alert = pushed.append
    family = events()[kind.begins].family
    tamper(circle, 3, name, on=True)
    assert pushed == [3]
    assert told(circle, 3) == {kind.bit}
    assert status_bits()[kind.bit].name == events()[kind.begins].name == name
    assert logged(circle, 3, family) == [kind.begins]
    assert circle.meter(3).value(f"event_{family}", 2) == kind.begins
    with pytest.raises(AlreadySo):
        tamper(circle, 3, name, on=True)
    tamper(circle, 3, name, on=False)
    assert pushed == [3, 3]
    assert told(circle, 3) == set()
    assert logged(circle, 3, family) == [kind.begins] + ([] if kind.ends is None else [kind.ends])
    with pytest.raises(AlreadySo):
        tamper(circle, 3, name, on=False)
    assert told(circle, 2) == set()


def test_tampers_stand_beside_one_another_and_beside_the_relay(circle: Circle) -> None:
    for name in ("magnet", "cover_open"):
        tamper(circle, 0, name, on=True)
    assert told(circle, 0) == {81, 83}
    tamper(circle, 0, "magnet", on=False)
    assert told(circle, 0) == {83}
    with pytest.raises(TamperUnknown):
        tamper(circle, 0, "gossip", on=True)


def test_at_the_admin_door(circle: Circle) -> None:
    door = AdminDoor(circle, Links(circle, idle_deadline=1.0))
    serial = circle.columns.serial_of(1)

    def ask(**what: Any) -> dict[str, Any]:
        return door.answer(json.dumps(what).encode())

    assert ask(do="tamper", meter=serial, kind="magnet") | {} == {
        "ok": True, "kind": "magnet", "on": True, "meter": serial, "relay": "on", "control_state": 1, "control_mode": 4,
    }  # fmt: skip
    assert ask(do="tamper", meter=serial, kind="magnet")["error"] == "already_so"
    assert ask(do="restore", meter=serial, kind="magnet")["on"] is False
    assert ask(do="tamper", meter=serial, kind="gossip")["kinds"] == list(KINDS)
    assert ask(do="tamper", meter="X", kind="magnet")["error"] == "unknown_meter"
    assert ask(do="tamper", meter=serial)["error"] == "unknown_tamper"


def test_the_same_seed_gives_the_same_tampers_at_the_rate_that_was_asked_for() -> None:
    first = list(islice(planned(seed=7, meters=100, an_hour=60.0), 2_000))
    assert first == list(islice(planned(seed=7, meters=100, an_hour=60.0), 2_000))
    assert first[:5] != list(islice(planned(seed=8, meters=100, an_hour=60.0), 5))
    assert 54 < sum(each.after_s for each in first) / len(first) < 66
    assert {each.name for each in first} == set(KINDS)
    assert all(0 <= each.row < 100 for each in first)


def test_people_at_work_on_a_fleet_are_heard_at_the_head_end(tmp_path: Path) -> None:
    roster(tmp_path, count=12, port=4059)
    with socket.create_server(("127.0.0.1", 0)) as head_end:
        head_end.settimeout(20)
        host, port = head_end.getsockname()
        with Fleet(tmp_path, push_to=f"{host}:{port}", tampers_an_hour=36_000.0):
            for _ in range(3):
                caller, _ = head_end.accept()
                with caller:
                    assert caller.recv(64)[:2] == b"\x00\x01"
