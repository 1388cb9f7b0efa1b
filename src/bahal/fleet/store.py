"""Every meter's identity and state in columns: some 150 bytes a meter, however many of them were touched.

A meter has no object of its own between connections; `bahal.fleet.meter` makes a slotted view of one row while a
connection needs it. What only few meters ever have (dark periods, events, settings) stands in dictionaries by row.
"""

import struct
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from bahal.dlms.objects.disconnect import ControlState
from bahal.dlms.quirks import STANDARD, Make, Quirks, registry
from bahal.fleet.consumption import Dark, power_factor
from bahal.fleet.counters import in_file, in_memory
from bahal.fleet.lives import Lives
from bahal.fleet.roster import RosterError, RosterRow

# Serial (zero padded), system title, length of the LLS secret, that secret, mr_ek, us_ek, us_ak, us_hls, push_ek.
IDENTITY: Final = struct.Struct("16s8sB16s16s16s16s16s16s")

_TITLE: Final = 16
_TITLE_LENGTH: Final = 8
EVENTS_KEPT: Final = 50
ERAS_KEPT: Final = 64
ALWAYS: Final = -(2**62)
DEFAULT_CONTROL_MODE: Final = 4


class Era(NamedTuple):
    """Since the UTC second `since` a meter's clock has stood `offset` seconds ahead."""

    since: int
    offset: int


def power_factor_of(system_title: str) -> int:
    """The power factor in per mille of the simulated meter with this system title (hex): constant for a meter."""
    return power_factor(zlib.crc32(bytes.fromhex(system_title)))


class UnknownMeter(Exception):
    """No meter of the fleet has this serial or address.

    Attributes: `asked`.
    """

    def __init__(self, asked: str) -> None:
        super().__init__(f"no meter {asked} in the roster")
        self.asked = asked


class MeterColumns:
    """The roster and its state. Rows are numbered in the order of the roster."""

    __slots__ = (
        "_addresses",
        "_makes",
        "_order",
        "_sims",
        "callers",
        "control_modes",
        "control_states",
        "counters",
        "dark",
        "eras",
        "events",
        "floors",
        "gateways",
        "identities",
        "lives",
        "make_numbers",
        "makes",
        "master_keys",
        "settings",
    )

    def __init__(self, rows: Iterable[RosterRow], *, first_counter: int, counters_path: Path | None = None) -> None:
        """Take a roster. `first_counter` is where the meters' own invocation counters start: above any used before.

        :param counters_path: a file in which counters outlive this process; None keeps them in memory.
        :raises RosterError: an address or a make's rule stands twice.
        :raises OSError: the file of counters cannot be used.
        """
        self.identities = bytearray()
        self.control_states = bytearray()
        self.control_modes = bytearray()
        self.make_numbers = bytearray()
        self.makes: list[tuple[Make | None, Quirks]] = []
        self.master_keys: dict[int, bytes] = {}
        self.dark: dict[int, list[Dark]] = {}
        self.eras: dict[int, list[Era]] = {}
        self.events: dict[int, list[tuple[int, int]]] = {}
        self.settings: dict[tuple[int, str], int | bytes] = {}
        self.lives = Lives()
        self.callers: set[int] = set()
        self.gateways: dict[int, dict[int, int]] = {}
        self._sims = array("Q")
        self._makes: dict[str, int] = {}
        addresses = array("I")
        for row in rows:
            self._append(row, len(addresses))
            addresses.append(row.host)
        count = len(addresses)
        # SAPs 32 and 48: the smallest counter accepted. Counters 32, 48 and 64: the meter's own next one.
        self.floors, self.counters = (
            in_memory(count, first_counter=first_counter)
            if counters_path is None
            else in_file(counters_path, count, first_counter=first_counter, roster=bytes(self.identities))
        )
        if all(addresses[n] < addresses[n + 1] for n in range(count - 1)):
            self._order = None
        else:
            self._order = array("I", sorted(range(count), key=addresses.__getitem__))
            addresses = array("I", [addresses[row] for row in self._order])
            for n in range(count - 1):
                if addresses[n] == addresses[n + 1]:
                    raise RosterError(line=self._order[n + 1] + 2, column="host", reason="stands twice")
        self._addresses = addresses

    def _append(self, row: RosterRow, number: int) -> None:
        make = registry().get(row.make)
        if row.make not in self._makes:
            self._makes[row.make] = len(self.makes)
            self.makes.append((make, STANDARD if make is None else make.quirks))
        self.make_numbers.append(self._makes[row.make])
        self.control_modes.append(DEFAULT_CONTROL_MODE if make is None else make.control_mode)
        self.control_states.append(ControlState.CONNECTED)
        self.identities += IDENTITY.pack(
            row.meter.encode(),
            row.system_title,
            len(row.mr_lls),
            row.mr_lls,
            row.mr_ek,
            row.us_ek,
            row.us_ak,
            row.us_hls,
            row.push_ek,
        )
        if row.link == "dial_in":
            self.callers.add(number)
        elif row.link == "gateway":
            self._put_behind(row, number)
        self._sims.append(_digits(row.msisdn))
        if row.mk:
            self.master_keys[number] = row.mk

    def _put_behind(self, row: RosterRow, number: int) -> None:
        meters = self.gateways.setdefault(row.gateway, {})
        if row.wport in meters:
            raise RosterError(line=number + 2, column="wport", reason="stands twice behind this gateway")
        meters[row.wport] = number

    def __len__(self) -> int:
        return len(self.control_states)

    def at_address(self, address: int) -> int | None:
        """The row that listens at an IPv4 address given as an integer, or None."""
        n = bisect_left(self._addresses, address)
        if n == len(self._addresses) or self._addresses[n] != address:
            return None
        return n if self._order is None else self._order[n]

    def address_of(self, row: int) -> int:
        """The IPv4 address of a row as an integer."""
        return self._addresses[row if self._order is None else self._order.index(row)]

    def with_serial(self, serial: str) -> int:
        """The row of a serial. A search through all of them: for the admin door and the start, not for the wire.

        :raises UnknownMeter: no such serial.
        """
        key = serial.encode()
        if 0 < len(key) <= 16:
            padded = key.ljust(16, b"\0")
            at = self.identities.find(padded)
            while at >= 0:
                row, rest = divmod(at, IDENTITY.size)
                if not rest:
                    return row
                at = self.identities.find(padded, at + 1)
        raise UnknownMeter(serial)

    def with_sim(self, msisdn: str) -> int:
        """The row whose SIM has this number. A search through all of them, as with serials.

        :raises UnknownMeter: no such number.
        """
        try:
            return self._sims.index(_digits(msisdn) or -1)
        except (ValueError, OverflowError):
            raise UnknownMeter(msisdn) from None

    def seed_of(self, row: int) -> int:
        """What a row's habits are drawn from."""
        start = row * IDENTITY.size + _TITLE
        return zlib.crc32(self.identities[start : start + _TITLE_LENGTH])

    def serial_of(self, row: int) -> str:
        """The serial of a row."""
        start = row * IDENTITY.size
        return self.identities[start : start + 16].rstrip(b"\0").decode()

    def count_off(self) -> int:
        """How many relays are open: disconnected, or ready for reconnection."""
        return len(self) - self.control_states.count(ControlState.CONNECTED)

    def move_clock(self, row: int, moment: int, offset: int) -> None:
        """From this moment on a clock stands `offset` seconds ahead; the latest `ERAS_KEPT` are kept."""
        eras = self.eras.setdefault(row, [])
        if not eras:
            if moment > ALWAYS:
                eras.append(Era(ALWAYS, 0))
        elif eras[-1].since == moment:
            eras.pop()
        eras.append(Era(moment, offset))
        if len(eras) > ERAS_KEPT:
            del eras[1]

    def add_event(self, row: int, moment: int, event: int) -> None:
        """Note an event; the latest `EVENTS_KEPT` of a meter are kept."""
        kept = self.events.get(row)
        if kept is None:
            kept = self.events[row] = []
        kept.append((moment, event))
        if len(kept) > EVENTS_KEPT:
            del kept[0]


def _digits(msisdn: str) -> int:
    """A number as an integer; 0 for none."""
    number = msisdn.removeprefix("+")
    return int(number) if number.isdecimal() and len(number) <= 15 else 0
