"""The fleet's process: one event loop, one listening socket, every meter of a roster behind it."""

import asyncio
import json
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import uvloop

from bahal.dlms import india
from bahal.fleet.alerts import AlertSender
from bahal.fleet.calling import Caller
from bahal.fleet.circle import Circle
from bahal.fleet.clocks import ClockLog, let_drift
from bahal.fleet.door import AdminDoor
from bahal.fleet.faults import PROFILES, Behaviour, FaultLog, behaviours
from bahal.fleet.link import Links
from bahal.fleet.lives import LivesError
from bahal.fleet.movements import MovementLog
from bahal.fleet.roster import RosterError, RosterRow, read_roster
from bahal.fleet.store import MeterColumns
from bahal.fleet.tampers import Tamperers
from bahal.shared.clock import Clock, RehearsalClock, WallClock

_LOGGER: Final = logging.getLogger("bahal.fleet")

BACKLOG: Final = 4096
IDLE_DEADLINE_S: Final = 120.0
_SWEEP_S: Final = 5.0
_DRAIN_S: Final = 3.0
_FIRST_CALLS_WITHIN_S: Final = 2.0

# Without a file of counters, meters' own start at four a second since this moment, so that they are above any used by
# an earlier process of the same fleet, which may have been killed: a meter's counter never falls.
_COUNTER_EPOCH: Final = 1_704_067_200
_COUNTERS_PER_SECOND: Final = 4


class FleetRefused(Exception):
    """The fleet cannot start.

    Attributes: `reason`, a short name; `detail`.
    """

    def __init__(self, *, reason: str, detail: str) -> None:
        super().__init__(f"the fleet cannot start ({reason}): {detail}")
        self.reason = reason
        self.detail = detail


def run(
    roster_path: Path,
    host_port: str,
    log_path: Path,
    delay: float = 0.0,
    push_to: str | None = None,
    admin_path: Path | None = None,
    clock_path: Path | None = None,
    faults: str = "none",
    seed: int = 1,
    fault_log_path: Path | None = None,
    lost_links: float | None = None,
    counters_path: Path | None = None,
    calls_at_start: bool = False,
    tampers_an_hour: float = 0.0,
    drifting: float = 0.0,
    lives_path: Path | None = None,
) -> int:
    """Serve every meter of a roster until SIGTERM or SIGINT; then drain and return 0.

    When all is ready, one line `{"ready":true,"port":PORT,"meters":N}` goes to standard output; the process's own log
    goes to standard error as JSON lines.

    :param roster_path: a meter import file (`bahal.fleet.roster`).
    :param host_port: where to listen, `HOST:PORT`; host 0.0.0.0 for every address in 127.0.0.0/8, port 0: a free one.
    :param log_path: the log of relay movements; relays of an earlier run stay where it says they are.
    :param delay: seconds before each application reply.
    :param push_to: `HOST:PORT` of the head-end's dial-in, or None for no pushes.
    :param admin_path: Unix socket of the admin door, or None for no door.
    :param clock_path: a rehearsal clock file; None, or no such file: business time is the world's.
    :param faults: the name of a profile of `bahal.fleet.faults`.
    :param seed: what the faults are drawn from.
    :param fault_log_path: the log of faults as they happen; None for none.
    :param lost_links: the share of connections that are lost, in place of the profile's.
    :param counters_path: the file in which meters' counters outlive a killed process; None: they start above any used.
    :param drifting: the share of meters whose clock is off by up to some minutes. What clocks were set to stands in
        `clocks.jsonl` beside the log of movements, and holds over restarts.
    :param tampers_an_hour: how often, over the whole fleet, somebody tampers with a meter; drawn from `seed`.
    :param calls_at_start: whether meters that call do so as soon as they are there.
    :param lives_path: a file of lives (`bahal.fleet.lives`), taken if it is there.
    :raises FleetRefused: no such faults, or roster, lives, log, clock or a socket cannot be used.
    """
    _log_to_stderr()
    _raise_file_limit()
    clock = _clock(clock_path)
    started = int((time.time() - _COUNTER_EPOCH) * _COUNTERS_PER_SECOND)
    if faults not in PROFILES:
        raise FleetRefused(reason="faults", detail=f"{faults} is none of {', '.join(PROFILES)}")
    rows: Iterable[RosterRow] = read_roster(roster_path)
    try:
        if faults != "none":
            rows = list(rows)
        columns = MeterColumns(rows, first_counter=started, counters_path=counters_path)
    except RosterError as error:
        raise FleetRefused(reason="roster", detail=str(error)) from error
    except OSError as error:
        raise FleetRefused(reason="roster", detail=f"{error.filename or roster_path}: {error.strerror}") from error
    target = _address(push_to) if push_to else None
    profile = PROFILES[faults]
    if lost_links is not None:
        profile = replace(profile, lost_links=lost_links)
    behaviour = Behaviour(reply_delay=delay, lost_links=profile.lost_links, seed=seed)
    circle = _circle(columns, clock, log_path, behaviour, push_to or "", fault_log_path)
    if lives_path is not None and lives_path.exists():
        try:
            circle.live(lives_path)
        except (LivesError, OSError) as error:
            raise FleetRefused(reason="lives", detail=str(error)) from error
    if faults != "none":
        meters = ((row.meter, row.cell) for row in rows)
        for row, own in behaviours(profile, meters, seed=seed, reply_delay=delay).items():
            circle.behave(row, own)
    _let_drift(circle, drifting, seed, log_path.with_name("clocks.jsonl"))
    listener = _listener(*_address(host_port))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        tampering = (seed, tampers_an_hour) if tampers_an_hour > 0 else None
        runner.run(_serve(circle, listener, target, admin_path, calls_at_start, tampering))
    return 0


def _let_drift(circle: Circle, share: float, seed: int, path: Path) -> None:
    """Clocks stand where the seed has them, or where they were last set."""
    try:
        log = ClockLog(path)
        drifting = let_drift(circle.columns, share=share, seed=seed)
        set_before = log.restore(circle.columns)
    except (OSError, ValueError) as error:
        raise FleetRefused(reason="clock_log", detail=f"{path}: {error}") from error
    circle.clock_log = log
    if drifting or set_before:
        _LOGGER.info("clocks", extra={"drifting": drifting, "settings": set_before})


def _circle(
    columns: MeterColumns,
    clock: Clock,
    log_path: Path,
    behaviour: Behaviour,
    push_to: str,
    fault_log_path: Path | None,
) -> Circle:
    try:
        fault_log = None if fault_log_path is None else FaultLog(fault_log_path)
    except OSError as error:
        raise FleetRefused(reason="fault_log", detail=f"{fault_log_path}: {error.strerror}") from error
    try:
        circle = Circle(
            columns=columns,
            clock=clock,
            log=MovementLog(log_path),
            behaviour=behaviour,
            push_destination=push_to.encode(),
            fault_log=fault_log,
        )
        restored = circle.restore(log_path)
    except OSError as error:
        raise FleetRefused(reason="movement_log", detail=f"{log_path}: {error.strerror}") from error
    if restored:
        _LOGGER.info("relays restored", extra={"movements": restored, "off": columns.count_off()})
    return circle


async def _serve(
    circle: Circle,
    listener: socket.socket,
    target: tuple[str, int] | None,
    admin_path: Path | None,
    calls_at_start: bool,
    tampering: tuple[int, float] | None,
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    india.single_phase_answers()
    sender = None
    if target is not None:
        sender = AlertSender(circle, host=target[0], port=target[1])
        circle.alert, circle.storm = sender.alert, sender.storm
    links = Links(circle, idle_deadline=IDLE_DEADLINE_S)
    caller = None
    if target is not None and sender is not None:
        caller = Caller(circle, links, host=target[0], port=target[1])
        circle.alert = _teller(circle, links, sender, caller)
    server = await loop.create_server(links.new, sock=listener, backlog=BACKLOG)
    door = None
    if admin_path is not None:
        try:
            door = await AdminDoor(circle, links, caller).open(admin_path)
        except OSError as error:
            raise FleetRefused(reason="admin", detail=f"{admin_path}: {error.strerror or error}") from error
    port = listener.getsockname()[1]
    sys.stdout.write(
        json.dumps({"ready": True, "port": port, "meters": len(circle.columns)}, separators=(",", ":")) + "\n"
    )
    sys.stdout.flush()
    if caller is not None and calls_at_start:
        caller.call_all(_FIRST_CALLS_WITHIN_S)
    sweeper = loop.create_task(_sweep(links))
    people = None if tampering is None else Tamperers(circle, seed=tampering[0], an_hour=tampering[1])
    if people is not None:
        people.begin()
    await stop.wait()
    _LOGGER.info("draining", extra={"open": len(links.open)})
    server.close()
    if people is not None:
        people.close()
    if door is not None:
        door.close()
    if caller is not None:
        caller.close()
    await _drained(links)
    if sender is not None:
        await sender.drain(deadline=_DRAIN_S)
    sweeper.cancel()
    links.close_all()
    if admin_path is not None:
        admin_path.unlink(missing_ok=True)
    _LOGGER.info("stopped", extra={"movements": circle.stats.movements})


def _teller(circle: Circle, links: Links, sender: AlertSender, caller: Caller) -> Callable[[int], None]:
    """How a meter tells what happened: over its own call if it is one that calls, through its gateway if somebody is
    connected to that, else by a short call."""

    def tell(row: int) -> None:
        if row in circle.columns.callers:
            caller.call(row)
        elif row in links.behind:
            gateway, wport = links.behind[row]
            gateway.push(wport, row)
        else:
            sender.alert(row)

    return tell


async def _sweep(links: Links) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_SWEEP_S)
        links.close_idle(loop.time())


async def _drained(links: Links) -> None:
    """Give associations under way a moment to end by themselves."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _DRAIN_S
    while links.open and loop.time() < end:
        await asyncio.sleep(0.05)


def _clock(path: Path | None) -> Clock:
    if path is None or not path.exists():
        return WallClock()
    try:
        return RehearsalClock(path)
    except (OSError, ValueError) as error:
        raise FleetRefused(reason="clock", detail=str(error)) from error


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 0xFFFF:
        raise FleetRefused(reason="address", detail=f"{text} is not HOST:PORT")
    return host, int(port)


def _listener(host: str, port: int) -> socket.socket:
    """The one listening socket. With 0.0.0.0 it hears every address of this machine, so it is tied to the loopback
    device where that is allowed, and a connection to any other address is refused when it is accepted."""
    if host != "0.0.0.0" and not host.startswith("127."):  # noqa: S104 - what is refused, not what is bound
        raise FleetRefused(reason="address", detail=f"{host} is outside 127.0.0.0/8")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    except OSError:
        _LOGGER.info("not tied to the loopback device; other addresses are refused at accept")
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise FleetRefused(reason="port", detail=f"{host}:{port}: {error.strerror}") from error
    listener.setblocking(False)
    return listener


def _raise_file_limit() -> None:
    """One connection is one descriptor: take as many as this process may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _JsonLines(logging.Formatter):
    """One JSON object a record, with whatever `extra` it carries."""

    _plain = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        entry |= {name: value for name, value in vars(record).items() if name not in self._plain}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=os.environ.get("BAHAL_LOG_LEVEL", "INFO"), handlers=[handler], force=True)
