"""The circle of meters as a whole: its state, its clock, and the one way in which a relay moves."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bahal.dlms import india
from bahal.dlms.objects.disconnect import ControlState, Move, next_state, output_state
from bahal.dlms.objects.serving import Origin
from bahal.fleet import consumption
from bahal.fleet.clocks import ClockLog
from bahal.fleet.faults import Behaviour, FaultLog, Kind
from bahal.fleet.lives import read_lives
from bahal.fleet.meter import SimulatedMeter
from bahal.fleet.movements import CAUSES, MovementLog, read_movements
from bahal.fleet.store import MeterColumns
from bahal.fleet.trouble import afflict
from bahal.shared.clock import Clock

# A reading is as old as its second; asking the clock for each of a thousand registers buys nothing.
_MOMENT_KEPT_S: Final = 0.05


@dataclass(slots=True)
class Stats:
    """What happened since the start. `errors` and `refusals` count by the error's name, `faults` by their kind, `calls`
    to the head-end by what became of them."""

    connections: int = 0
    refused_connections: int = 0
    frames: int = 0
    movements: int = 0
    alerts_sent: int = 0
    alerts_lost: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    def figures(self) -> dict[str, int | dict[str, int]]:
        """All of it, for a JSON answer."""
        return {
            "connections": self.connections,
            "refused_connections": self.refused_connections,
            "frames": self.frames,
            "movements": self.movements,
            "alerts_sent": self.alerts_sent,
            "alerts_lost": self.alerts_lost,
            "errors": dict(self.errors),
            "refusals": dict(self.refusals),
            "faults": dict(self.faults),
            "calls": dict(self.calls),
        }


class AlreadyConnected(Exception):
    """A relay that is closed cannot be closed by force.

    Attributes: `meter`.
    """

    def __init__(self, meter: str) -> None:
        super().__init__(f"the relay of {meter} is closed already")
        self.meter = meter


class Circle:
    """All meters. `alert` is called with a row whenever a meter has something to tell that nobody ordered, `storm` when
    it dials the head-end over and over."""

    def __init__(
        self,
        *,
        columns: MeterColumns,
        clock: Clock,
        log: MovementLog,
        behaviour: Behaviour,
        push_destination: bytes = b"",
        fault_log: FaultLog | None = None,
    ) -> None:
        self.columns = columns
        self.clock = clock
        self.push_destination = push_destination
        self.clock_log: ClockLog | None = None
        self.stats = Stats()
        self.alert: Callable[[int], None] = lambda row: None
        self.storm: Callable[[int], None] = lambda row: None
        self._log = log
        self._fault_log = fault_log
        self._behaviour = behaviour
        self._behaviours: dict[int, Behaviour] = {}
        # Of meters with faults only: how often each was called, and how often each fault took place.
        self._calls: Counter[int] = Counter()
        self._taken_place: Counter[tuple[int, Kind]] = Counter()
        self._moment = 0
        self._moment_read = float("-inf")

    def meter(self, row: int) -> SimulatedMeter:
        """A view of one meter."""
        return SimulatedMeter(self, row)

    def behaviour_of(self, row: int) -> Behaviour:
        """How this meter behaves: its own way if it has one, else the circle's."""
        return self._behaviours.get(row, self._behaviour)

    def behave(self, row: int, behaviour: Behaviour) -> None:
        """Give one meter a way of its own; what is wrong with it for good is so from now on."""
        self._behaviours[row] = behaviour
        afflict(self, row, behaviour)

    def count_call(self, row: int) -> int:
        """Note that somebody has called this meter; the how manieth call it is, from 1 on."""
        self._calls[row] += 1
        return self._calls[row]

    def takes_place(self, row: int, kind: Kind, detail: str) -> bool:
        """Whether a fault that could happen now does; if so it is in the log. It is over when it happened its times."""
        times = next((fault.times for fault in self.behaviour_of(row).faults if fault.kind is kind), 0)
        if times is not None and self._taken_place[row, kind] >= times:
            return False
        self._taken_place[row, kind] += 1
        self.happened(row, kind, detail)
        return True

    def happened(self, row: int, kind: Kind, detail: str) -> None:
        """Log and count a fault; one that cannot be logged happened all the same, and is counted as not logged."""
        self.stats.faults[kind.value] += 1
        if self._fault_log is not None:
            try:
                self._fault_log.write(
                    at=self.clock.wall(),
                    business_at=self.clock.now(),
                    meter=self.columns.serial_of(row),
                    kind=kind,
                    detail=detail,
                )
            except OSError:
                self.stats.errors["fault_log"] += 1

    def moment(self) -> int:
        """Business time in UTC seconds."""
        read = time.monotonic()
        if read - self._moment_read > _MOMENT_KEPT_S:
            self._moment = int(self.clock.now().timestamp())
            self._moment_read = read
        return self._moment

    def move(self, row: int, move: Move, origin: Origin | None) -> bool:
        """Move one relay as its control mode allows; returns whether it opened or closed.

        The movement is in the log before it happens.

        :raises OSError: it could not be logged; the relay stays.
        """
        columns = self.columns
        before = ControlState(columns.control_states[row])
        after = next_state(mode=columns.control_modes[row], state=before, move=move)
        return self._change(row, before, after, CAUSES[move], origin)

    def close_by_force(self, row: int) -> None:
        """Somebody closes an open relay with his own hands, whatever the control mode says; the meter tells.

        :raises AlreadyConnected: it is closed.
        :raises OSError: it could not be logged; the relay stays.
        """
        before = ControlState(self.columns.control_states[row])
        if before is ControlState.CONNECTED:
            raise AlreadyConnected(self.columns.serial_of(row))
        self._change(row, before, ControlState.CONNECTED, "manual", None)

    def set_clock(self, row: int, offset: int, origin: Origin) -> None:
        """A meter's clock is set to stand `offset` seconds ahead; that is in the log before it does.

        :raises OSError: it could not be logged; the clock stays.
        """
        eras = self.columns.eras.get(row)
        if self.clock_log is not None:
            self.clock_log.write(
                at=self.clock.wall(),
                business_at=self.clock.now(),
                meter=self.columns.serial_of(row),
                from_s=eras[-1].offset if eras else 0,
                to_s=offset,
                origin=origin,
            )
        self.columns.move_clock(row, self.moment(), offset)

    def _change(self, row: int, before: ControlState, after: ControlState, cause: str, origin: Origin | None) -> bool:
        columns = self.columns
        on = output_state(after)
        if on == output_state(before):
            columns.control_states[row] = after
            return False
        business_at = self.clock.now()
        self._log.write(
            at=self.clock.wall(),
            business_at=business_at,
            meter=columns.serial_of(row),
            on=on,
            cause=cause,
            origin=origin,
        )
        columns.control_states[row] = after
        moment = int(business_at.timestamp())
        self._remember(row, on, moment)
        columns.add_event(row, moment, india.LOAD_CONNECTED_EVENT if on else india.LOAD_DISCONNECTED_EVENT)
        self.stats.movements += 1
        if origin is None:
            self.alert(row)
        return True

    def _remember(self, row: int, on: bool, moment: int) -> None:
        """Keep the dark periods, for registers and load profile."""
        periods = self.columns.dark.setdefault(row, [])
        if on:
            consumption.lighten(periods, moment)
        else:
            consumption.darken(self.meter(row).seed, periods, moment)

    def live(self, path: Path) -> int:
        """Let the meters have counted what a file of lives says; how many lives it holds.

        :raises LivesError: names the line that cannot be used; nothing has changed then.
        :raises OSError: the file cannot be read.
        """
        columns = self.columns
        rows = {columns.serial_of(row): row for row in range(len(columns))}
        columns.lives = read_lives(path, rows=rows, seed_of=columns.seed_of)
        return len(columns.lives.of) + len(columns.lives.inputs)

    def restore(self, path: Path) -> int:
        """Put relays, dark periods and counters where a log of earlier movements left them: a meter forgets none.

        Meters that left the roster are passed over. Returns how many movements were read.

        :raises OSError: the log cannot be read.
        """
        columns, read = self.columns, 0
        rows: dict[str, int] = {}
        for movement in read_movements(path):
            rows = rows or {columns.serial_of(row): row for row in range(len(columns))}
            row = rows.get(movement.meter)
            if row is None:
                continue
            read += 1
            by_remote = movement.cause == "remote_disconnect"
            off = ControlState.DISCONNECTED if by_remote else ControlState.READY_FOR_RECONNECTION
            columns.control_states[row] = ControlState.CONNECTED if movement.on else off
            self._remember(row, movement.on, int(movement.business_at.timestamp()))
            floors = None if movement.sap is None else columns.floors.get(movement.sap)
            if floors is not None and movement.counter is not None:
                floors[row] = max(floors[row], movement.counter + 1)
        return read
