"""Meters that answer with nonsense, silence or yesterday's bytes: each costs its own session, and the drive goes on."""

import contextlib
import os
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bahal.dlms import wrapper
from bahal.shared.clock import move_rehearsal
from tests.crash import template
from tests.crash.instance import Instance, tidy
from tests.monday.recount import Recount

Answer = Callable[[socket.socket], None]


def nonsense(caller: socket.socket) -> None:
    """No protocol at all."""
    caller.recv(4096)
    caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def boastful(caller: socket.socket) -> None:
    """A frame that promises more than anybody may say."""
    caller.recv(4096)
    caller.sendall(wrapper.HEADER.pack(1, 1, 48, 0xFFFF) + b"\x61" * 64)


def trickling(caller: socket.socket) -> None:
    """A byte now and then, for ever."""
    caller.recv(4096)
    for octet in wrapper.HEADER.pack(1, 1, 48, 200) + bytes(200):
        caller.sendall(bytes([octet]))
        time.sleep(0.2)


class Parrot:
    """Leads the first caller to a real meter and keeps what that one answered; later callers hear it again."""

    def __init__(self, meter: tuple[str, int]) -> None:
        self._meter = meter
        self._heard: list[bytes] = []

    def __call__(self, caller: socket.socket) -> None:
        """Answer one caller."""
        if self._heard:
            for answer in self._heard:
                caller.recv(4096)
                caller.sendall(answer)
            return
        with socket.create_connection(self._meter, 5) as meter:
            for _ in range(2):  # AARE, and the HLS answer
                meter.sendall(caller.recv(4096))
                self._heard.append(meter.recv(4096))
                caller.sendall(self._heard[-1])


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[int]:
    """Somebody who answers like this on 127.0.0.1; his port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    caller, _ = listener.accept()
                    threading.Thread(target=talk, args=(caller,), daemon=True).start()

        def talk(caller: socket.socket) -> None:
            with caller, contextlib.suppress(OSError):
                caller.settimeout(5)
                answer(caller)

        threading.Thread(target=serve, daemon=True).start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


def errors(instance: Instance) -> dict[str, float]:
    """The interlock's count of errors on links, by name."""
    address = instance.endpoints["interlock"].replace("localhost", "127.0.0.1")
    with urllib.request.urlopen(f"{address}/metrics", timeout=5) as page:  # noqa: S310  # our own address
        lines = page.read().decode().splitlines()
    counted = [line for line in lines if line.startswith("bahal_link_errors_total{")]
    return {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in counted}


@pytest.fixture
def instance(prepared: Path, stage: Path) -> Iterator[Instance]:
    home = stage / "nonsense"
    try:
        with Instance(prepared=prepared, home=home, source=template.source()) as running:
            yield running
    finally:
        tidy(home)


def test_a_bad_meter_costs_its_own_session_and_nothing_else(instance: Instance) -> None:
    listed = [instance.meter_of[connection] for connection in instance.facts["listed"]]
    bad = listed[-4:]  # behind the canary, which would stop the drive
    with contextlib.ExitStack() as serve, instance.entered("owner") as owner:
        (real,) = owner.execute("SELECT host, port FROM interlock_meter WHERE meter = %s", [bad[3]]).fetchall()
        kinds: list[Answer] = [nonsense, boastful, trickling, Parrot((real["host"], real["port"]))]
        for meter, answer in zip(bad, kinds, strict=True):
            port = serve.enter_context(serving(answer))
            owner.execute("UPDATE interlock_meter SET host = '127.0.0.1', port = %s WHERE meter = %s", [port, meter])
        before = instance.pids()["interlock"]
        move_rehearsal(instance.home.run / "clock.json", business_at=template.moment(template.MONDAY, template.TEN))
        template.until(lambda: Recount(instance.home.logs).cut == {*listed} - {*bad}, what="the others' cuts")
        names = {"malformed", "oversized", "reply_timeout", "replayed_counter"}
        with contextlib.suppress(TimeoutError):
            template.until(lambda: names <= errors(instance).keys(), what="errors by name", seconds=60)
        assert names <= errors(instance).keys()
        assert instance.pids()["interlock"] == before
        os.kill(before, 0)
        states = owner.execute(
            "SELECT DISTINCT state FROM supply_order WHERE meter = ANY(%s::text[])", [bad]
        ).fetchall()
        assert {row["state"] for row in states} <= {"authorised", "claimed", "field_task"}
    assert Recount(instance.home.logs).cut.isdisjoint(bad)
