"""Who may talk now: a limit in total and per cell, an order of service, and a bounded wait.

A cell is a base station, or a gateway, or any name that meters share; too many sessions in one cell slow each other
down. Whoever finds no room waits, and is served in the order restore > payment > alarm > cut > asked > profile, then as
they came; asked is a reading that somebody waits for, profile what a schedule wants. A restore may go over either limit
by a little, so that a cell full of stalled cuts never keeps somebody in the dark.

Nothing here knows a clock: who waited too long says so himself when he is started.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from typing import Final


class Service(IntEnum):
    """The order of service; lower goes first."""

    RESTORE = 0
    PAYMENT = 1
    ALARM = 2
    CUT = 3
    ASKED = 4
    PROFILE = 5


Start = Callable[[], bool]
"""Starts a session; False when it did not start after all (it waited too long) and holds no room."""

SPARE_IN_CELL: Final = 2
"""How many restores may be open in a full cell."""


class PacingFull(Exception):
    """As many wait as may wait: whoever offers more claimed more than he can start.

    Attributes: `waiting`.
    """

    name = "pacing_full"

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} sessions wait already")
        self.waiting = waiting


class _Cell:
    __slots__ = ("most", "name", "queues", "running")

    def __init__(self, name: str, most: int) -> None:
        self.name = name
        self.most = most
        self.running = 0
        self.queues: dict[Service, deque[Start]] = {}


class Pacing:
    """The room there is for sessions, and the queue for it.

    :param total: sessions at once in this process.
    :param per_cell: sessions at once in one cell.
    :param waiting: how many may wait; `offer` refuses beyond.
    """

    def __init__(self, *, total: int, per_cell: int, waiting: int) -> None:
        self.total = total
        self.per_cell = per_cell
        self.running = 0
        self.waiting = 0
        self._bound = waiting
        self._spare = total // 20 + 1
        self._cells: dict[str, _Cell] = {}
        # Cells with somebody waiting for this service and room for him: all that stops him is the total.
        self._ready: dict[Service, dict[str, _Cell]] = {service: {} for service in Service}
        self._serving = False

    def room(self, service: Service = Service.CUT) -> int:
        """How many more sessions of this service it makes sense to claim now."""
        spare = self._spare if service is Service.RESTORE else 0
        return max(0, min(self.total + spare - self.running - self.waiting, self._bound - self.waiting))

    @property
    def places(self) -> int:
        """How many more may wait."""
        return max(0, self._bound - self.waiting)

    def offer(self, service: Service, cell: str, start: Start, *, most: int | None = None) -> None:
        """Start now if there is room, else wait. `most`: how many at once in this cell, if it is not `per_cell`.

        :raises PacingFull: too many wait.
        """
        if self.waiting >= self._bound:
            raise PacingFull(self.waiting)
        place = self._cells.get(cell)
        if place is None:
            place = self._cells[cell] = _Cell(cell, self.per_cell if most is None else most)
        queue = place.queues.get(service)
        if queue is None:
            queue = place.queues[service] = deque()
        queue.append(start)
        self.waiting += 1
        if self._has_room(place, service):
            self._ready[service][cell] = place
            self._serve()

    def ended(self, cell: str) -> None:
        """A session of this cell is over."""
        place = self._cells[cell]
        place.running -= 1
        self.running -= 1
        self._refresh(place)
        self._serve()

    def _has_room(self, place: _Cell, service: Service) -> bool:
        return place.running < place.most + (SPARE_IN_CELL if service is Service.RESTORE else 0)

    def _refresh(self, place: _Cell) -> None:
        """Note for which services this cell has somebody waiting and room, or forget an empty cell."""
        for service in list(place.queues):
            ready = self._ready[service]
            if not place.queues[service]:
                del place.queues[service]
                ready.pop(place.name, None)
            elif self._has_room(place, service):
                ready.setdefault(place.name, place)
            else:
                ready.pop(place.name, None)
        if not place.queues and not place.running:
            self._cells.pop(place.name, None)

    def _serve(self) -> None:
        # A start may end or offer others at once; they find the loop running and leave it to it.
        if self._serving:
            return
        self._serving = True
        try:
            for service, ready in self._ready.items():
                limit = self.total + (self._spare if service is Service.RESTORE else 0)
                while ready and self.running < limit:
                    # Cells take turns.
                    name, place = next(iter(ready.items()))
                    del ready[name]
                    start = place.queues[service].popleft()
                    self.waiting -= 1
                    place.running += 1
                    self.running += 1
                    started = False
                    try:
                        started = start()
                    finally:
                        if not started:
                            place.running -= 1
                            self.running -= 1
                        self._refresh(place)
        finally:
            self._serving = False
